"""Hostile, slow and dying peers against the real gateway: these tests run alone, one after the other.

TIDEWAY_FULL=1 asks for the long forms, TIDEWAY_TIME_LIMITS=1 for bounds on latency as well.
"""

import json

import table

from lib.paths import results

RESULTS = results("hostile")


def pytest_terminal_summary(terminalreporter):
    """What was measured, for people and for programs."""
    for name, rows in table.TABLES.items():
        RESULTS.mkdir(parents=True, exist_ok=True)
        (RESULTS / f"{name}.json").write_text(json.dumps(rows, indent=2) + "\n")
        (RESULTS / f"{name}.md").write_text(table.markdown(rows))
        terminalreporter.write_line("")
        terminalreporter.write_line(table.text(rows))
