"""What the READMEs of the examples say works as it is shown, in copies of their folders."""

import shutil

import pytest

from programs import BUILT, EXAMPLES, language

from lib.pages import run_page


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
