"""callers.py: holds what headers say about who calls them against the tree.

A header says "Callers: …" before its first line of code, and names files and folders, or everybody. Each file that
calls a function of the header is among them, and each of them has a file that calls one or includes the header. Prints
what does not hold; the exit code says whether anything did not.
"""

import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
FOLDERS = ["base", "tls", "runtime", "handlers", "server"]
WITH_CALLERS = ("base/", "runtime/", "handlers/")
COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*", re.DOTALL)
TAG = re.compile(r"struct tw_\w+|(?:TAILQ|LIST)_(?:HEAD|ENTRY)\([^)]*\)")  # may be named like a function
FUNCTION = re.compile(r"^(?!typedef)\w[\w ]*[ *](tw_\w+)\(", re.MULTILINE)  # declared or defined, but not called
SENTENCE = re.compile(r"\bCallers:\s(.*?)(?:\n \*\n|\*/)", re.DOTALL)
PLACE = re.compile(rf"\b(?:{'|'.join(FOLDERS)})/(?:[\w/.]*[\w/])?")


def sources():
    """The text of each file of the product, without its comments and the tags of structs."""
    paths = [path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*.[ch]"))]
    return {str(path.relative_to(ROOT)): TAG.sub("", COMMENT.sub("", path.read_text())) for path in paths}


def callers_of(header, functions, words):
    """The files that use a function of the header, but for those that define it."""
    found = set()
    for name, (used, own) in words.items():
        if name not in (header, header[:-1] + "c") and (functions & used) - own:
            found.add(name)
    return found


def covers(place, name):
    return name == place or (place.endswith("/") and name.startswith(place))


def check_header(header, callers, including):
    sentence = SENTENCE.search((ROOT / header).read_text())
    if sentence is None:
        yield f"{header}: does not say who calls it (Callers: …): {', '.join(sorted(callers))}"
        return
    if sentence[1].startswith("everybody"):
        return
    places = [place for place in PLACE.findall(sentence[1]) if not place.endswith(".h")]
    for name in sorted(callers):
        if not any(covers(place, name) for place in places):
            yield f"{header}: {name} calls it and is not among its callers"
    for place in places:
        if not any(covers(place, name) for name in callers | including):
            yield f"{header}: {place} is among its callers and does not call it"


def main():
    texts = sources()
    words = {name: (set(re.findall(r"\btw_\w+", text)), set(FUNCTION.findall(text))) for name, text in texts.items()}
    problems = []
    for header in texts:
        if not header.endswith(".h") or not header.startswith(WITH_CALLERS):
            continue
        callers = callers_of(header, words[header][1], words)
        if callers:
            including = {name for name, text in texts.items() if f'#include "{header}"' in text}
            problems += check_header(header, callers, including)
    print("\n".join(problems) or "every header says who calls it")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
