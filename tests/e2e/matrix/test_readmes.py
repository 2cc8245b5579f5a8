"""What the READMEs of the examples say works as it is shown, in copies of their folders."""

import shutil
import sys

import pytest

from conftest import language
from programs import BUILT, EXAMPLES, ROOT

sys.path.insert(0, str(ROOT / "tests" / "docs"))

from blocks import read_blocks  # noqa: E402
from test_docs import Session, run_block  # noqa: E402


def run_page(page, directory, **environment):
    """`{address}` in a value becomes the gateway's own, where the page starts one."""
    blocks = read_blocks(page)
    session = Session(directory, blocks)
    address = session.addresses["127.0.0.1:8443"]
    session.environment |= {name: value.format(address=address) for name, value in environment.items()}
    try:
        for block in blocks:
            run_block(session, block)
    finally:
        session.end()


@pytest.mark.parametrize("name", ["typescript", "python", "go", "rust"])
def test_readme__of_a_language(gateway, tls, tmp_path, name):
    language(name)
    folder = tmp_path / name
    shutil.copytree(EXAMPLES / name, folder, ignore=shutil.ignore_patterns("node_modules", "dist", "target", "venv"))
    run_page(EXAMPLES / name / "README.md", folder, TIDEWAY_URL=gateway.url, TIDEWAY_CA=tls[0],
             TIDEWAY_API_KEY=gateway.key, CARGO_TARGET_DIR=str(BUILT / "rust"))


@pytest.mark.parametrize("page", ["README.md", "browser/README.md"])
def test_readme__with_a_gateway_of_its_own(tmp_path, page):
    language("curl")
    (tmp_path / "examples").symlink_to(EXAMPLES)
    run_page(EXAMPLES / page, tmp_path, TIDEWAY_URL="https://{address}")
