"""summary.py RESULTS [AREA...]: names the failed tests below RESULTS (JUnit XML) and counts all.

An AREA is one that ended with an error: when none of its tests says so itself (it did not build, or
a program died), it counts as one failed test. The last line is "N passed, N failed"; the exit code
says whether everything passed and anything ran.
"""

import pathlib
import sys
import xml.etree.ElementTree as ElementTree


def read_cases(path):
    """Yields (name, outcome, text) for each test case of one file."""
    try:
        root = ElementTree.parse(path).getroot()
    except ElementTree.ParseError as error:
        yield path.stem, "failed", f"unreadable result: {error}"
        return
    for case in root.iter("testcase"):
        name = "::".join(filter(None, [case.get("classname"), case.get("name")]))
        bad = [child for child in case if child.tag in ("failure", "error")]
        if bad:
            text = bad[0].get("message") or (bad[0].text or "").strip()
            yield name, "failed", text.splitlines()[0] if text else ""
        elif case.find("skipped") is not None:
            yield name, "skipped", case.find("skipped").get("message") or ""
        else:
            yield name, "passed", ""


def main():
    results = pathlib.Path(sys.argv[1])
    counts = {"passed": 0, "failed": 0, "skipped": 0}
    failed_suites = set()
    for path in sorted(results.rglob("*.xml")):
        suite = path.parent.name
        for name, outcome, text in read_cases(path):
            counts[outcome] += 1
            if outcome == "failed":
                failed_suites.add(suite)
            if outcome != "passed":
                print(f"{outcome}: {suite}: {name}: {text}")
    for area in sys.argv[2:]:
        if not any(suite == area or suite.startswith(area + "-") for suite in failed_suites):
            print(f"failed: {area}: did not build or did not run to its end, see build-logs/")
            counts["failed"] += 1
    if counts["skipped"]:
        print(f"{counts['skipped']} skipped")
    print(f"{counts['passed']} passed, {counts['failed']} failed")
    return 0 if counts["passed"] and not counts["failed"] else 1


sys.exit(main())
