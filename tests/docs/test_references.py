"""What the README and the docs name exists, and what the program has is named in them."""

import re
import subprocess

import pytest

from lib.blocks import documents
from lib.paths import BINARY, ROOT


def names_in(*patterns):
    sources = "".join(path.read_text() for pattern in patterns for path in ROOT.glob(pattern))
    return set(re.findall(r"\btw_\w+", sources))


def test_docs__tables_are_the_programs():
    result = subprocess.run([ROOT / "docs" / "generate", "--check", BINARY], capture_output=True, text=True)
    assert result.returncode == 0, f"./dev docs would change: {result.stdout}{result.stderr}"


@pytest.mark.parametrize("page", documents(), ids=lambda page: str(page.relative_to(ROOT)))
def test_docs__links_lead_somewhere(page):
    text = page.read_text()
    dead = []
    for target in re.findall(r"\]\(([^)\s]+)\)|(?:src|srcset)=\"([^\"]+)\"", text):
        target, _, anchor = (target[0] or target[1]).partition("#")
        if re.match(r"[a-z]+:", target):
            continue
        file = page.parent / target if target else page
        if not file.exists():
            dead.append(target)
        elif anchor:
            heads = [re.sub(r"[^\w -]", "", head).strip().lower().replace(" ", "-")
                     for head in re.findall(r"^#+ (.*)$", file.read_text(), re.MULTILINE)]
            if anchor not in heads:
                dead.append(f"{target}#{anchor}")
    assert not dead


@pytest.mark.parametrize("page", documents(), ids=lambda page: str(page.relative_to(ROOT)))
def test_docs__sources_that_are_named_exist(page):
    text = page.read_text()
    functions = names_in("handlers/*.[ch]", "runtime/**/*.[ch]", "server/*.[ch]", "tls/*.[ch]")
    files = set(re.findall(r"`((?:[\w.-]+/)+[\w-]+\.\w+)`", text))
    generated = re.compile(r"^(bin|systemd|page|build)/")
    assert not [file for file in files if not generated.match(file) and not (ROOT / file).exists()]
    assert not set(re.findall(r"`(tw_\w+)(?:\(\))?`", text)) - functions


def test_docs__options_that_are_named_exist():
    options = set(re.findall(r'"((?:TIDEWAY|SSE)_\w+)"', (ROOT / "server" / "options" / "options.h").read_text()))
    # Those of the build and of tests are where they are read.
    readers = [ROOT / "dev", ROOT / "CMakeLists.txt", *(ROOT / "tests").glob("*/*.py")]
    options |= set(re.findall(r"\bTIDEWAY_\w+", "".join(reader.read_text() for reader in readers)))
    for page in documents():
        named = set(re.findall(r"`((?:TIDEWAY|SSE)_[A-Z_]+[A-Z])(?:=[^`]*)?`", page.read_text()))
        assert not named - options, page


def test_docs__troubleshooting_has_every_code_and_reason():
    text = (ROOT / "docs" / "troubleshooting.md").read_text()
    for path, pattern in (("handlers/error_codes.h", r'X\(\w+, \d+, "(\w+)"'),
                          ("runtime/model/close_reason.h", r'X\(\w+, "(\w+)"'),
                          ("runtime/model/resume.h", r'X\((?!NONE)\w+, "(\w+)"')):
        codes = re.findall(pattern, (ROOT / path).read_text())
        assert len(codes) > 2
        assert not [code for code in codes if f"`{code}`" not in text], path


def test_docs__log_messages_that_are_named_exist():
    text = (ROOT / "docs" / "troubleshooting.md").read_text()
    section = text[text.index("## Log lines"):text.index("## The build")]
    sources = "".join(path.read_text() for folder in ("handlers", "runtime/redis", "server")
                      for path in (ROOT / folder).rglob("*.c"))
    sources = re.sub(r'"\s*\n\s*"', "", sources)
    messages = re.findall(r"^\| `(.*?)`(?:, `(.*?)`)? \|", section, re.MULTILINE)
    assert len(messages) > 5
    assert not [message for row in messages for message in row if message and f'"{message}"' not in sources]
