"""Reads the fenced code blocks of the README and the docs, and what is said about each in the comment before it.

    ```sh                                           is run by bash, and has to end with 0
    ```console                                      lines after `$ ` are run; the others are their output
    ```json, ```js                                  has to parse
    ```mermaid                                      has to begin with a kind of diagram, and to close what it opens
    ```html                                         with `file:`, below
    ```text                                         is only shown

    <!-- in background: NAME, until: TEXT -->       is started; the next block comes once its output has TEXT
    <!-- output -->, <!-- output: NAME -->          a text block: what the block before it (or NAME) has to print
    <!-- file: PATH -->                             is written to PATH
    <!-- not run: REASON -->                        is only listed

A comment that ends only after its block hides the block from readers.

The output of a command has to show the expected lines in their order, others may stand between; `…` is any text.
blocks.py prints the blocks that are not run.
"""

import dataclasses
import re
import sys

from lib.paths import ROOT

LANGUAGES = {"sh", "console", "json", "js", "mermaid", "text"}
_DIAGRAM = re.compile(r"(flowchart (LR|RL|TB|TD|BT)|stateDiagram-v2|sequenceDiagram)\n")
_OPENED, _CLOSED = re.compile(r"^ *(subgraph|loop|alt|opt|par|critical)\b", re.M), re.compile(r"^ *end$", re.M)
_MARKER = re.compile(r"<!-- (in background|output|file|not run)(?:: (.*?))?(?:, until: ?(.*?))?(?: -->)?$")


class Malformed(Exception):
    pass


@dataclasses.dataclass
class Block:
    place: str  # file:line
    language: str
    text: str
    marker: str = ""  # "in background", "output", "not run" or none
    argument: str = ""
    until: str = ""


def check_diagram(text, place):
    """Mermaid's own parser needs a browser; this finds what breaks a picture most often."""
    if not _DIAGRAM.match(text):
        raise Malformed(f"{place}: a diagram begins with flowchart and its direction, stateDiagram-v2 or sequenceDiagram")
    if len(_OPENED.findall(text)) != len(_CLOSED.findall(text)):
        raise Malformed(f"{place}: the diagram does not close all that it opens")


def documents():
    pages = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "SECURITY.md", *sorted((ROOT / "docs").rglob("*.md"))]
    return [page for page in pages if page.exists()]


def read_blocks(page):
    """The blocks of a page, in order; Malformed names a block that nothing would look at."""
    blocks, opened, before, previous = [], None, "", ""
    for number, line in enumerate(page.read_text().splitlines(), 1):
        place = f"{page.relative_to(ROOT)}:{number}"
        if opened is not None:
            if line == "```":
                blocks.append(opened)
                opened, before = None, ""
            else:
                opened.text += line + "\n"
        elif line.lstrip().startswith("```"):
            language = line[3:].strip()
            if not line.startswith("```") or not language:
                raise Malformed(f"{place}: a block begins at the start of a line and names its language")
            marker = _MARKER.match(before)
            opened = Block(place, language, "", *(part or "" for part in (marker.groups() if marker else ())))
            if language not in LANGUAGES and opened.marker not in ("not run", "file"):
                raise Malformed(f"{place}: nothing runs {language}: mark it <!-- not run: REASON -->")
            if opened.marker == "not run" and not opened.argument:
                raise Malformed(f"{place}: not run, but why?")
        elif line.startswith("    ") and not previous:
            raise Malformed(f"{place}: an indented block is seen by no test: fence it")
        elif line:
            before = line
        previous = line
    if opened is not None:
        raise Malformed(f"{opened.place}: has no end")
    return blocks


def shows(output, expected):
    """Whether the output has the expected lines in their order; if not, the first that is missing."""
    lines = iter(output.splitlines())
    for line in filter(None, map(str.strip, expected.splitlines())):
        pattern = re.compile(".*".join(map(re.escape, line.split("…"))))
        if not any(pattern.search(candidate) for candidate in lines):
            return line
    return None


if __name__ == "__main__":
    for page in documents():
        for block in read_blocks(page):
            if block.marker == "not run":
                print(f"not run: {block.place}: {block.argument}")
    sys.exit(0)
