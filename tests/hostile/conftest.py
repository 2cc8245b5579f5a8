"""Hostile, slow and dying peers against the real gateway: these tests run alone, one after the other.

TIDEWAY_FULL=1 asks for the long forms, TIDEWAY_TIME_LIMITS=1 for bounds on latency as well.
"""

import json
import os
import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "integration"))

from fixtures import certificate, gateway, start_gateway  # noqa: E402
import table  # noqa: E402

__all__ = ["certificate", "gateway", "start_gateway"]

RESULTS = pathlib.Path(os.environ.get("TIDEWAY_TEST_RESULTS", ROOT / "test-results" / "hostile"))


def pytest_terminal_summary(terminalreporter):
    """What was measured, for people and for programs."""
    for name, rows in table.TABLES.items():
        RESULTS.mkdir(parents=True, exist_ok=True)
        (RESULTS / f"{name}.json").write_text(json.dumps(rows, indent=2) + "\n")
        (RESULTS / f"{name}.md").write_text(table.markdown(rows))
        terminalreporter.write_line("")
        terminalreporter.write_line(table.text(rows))
