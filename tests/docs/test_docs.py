"""Every code block of the README and the docs works as it is shown: see lib/blocks.py."""

import pytest

from lib.blocks import documents
from lib.pages import run_page
from lib.paths import ROOT


@pytest.mark.parametrize("page", documents(), ids=lambda page: str(page.relative_to(ROOT)))
def test_docs__blocks_of(page, tmp_path):
    run_page(page, tmp_path)
