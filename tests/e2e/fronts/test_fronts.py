"""Every check behind every front; conftest.py runs them all at once."""

import pytest

from checks import CHECKS
from fronts import FRONTS, MISSING


@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize("name", FRONTS)
def test_front(cells, name, check):
    if name in MISSING:
        pytest.skip(f"{name}: {MISSING[name]}")
    well, text = cells[name, check]
    assert well, text
