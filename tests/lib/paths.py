"""Where the tree and the tested binary are. TIDEWAY_BIN names the binary; the default is build/tideway."""

import os
import pathlib

ROOT = pathlib.Path(__file__).resolve().parents[2]
RAW_CLIENTS = ROOT / "deps" / "h2o" / "tests"  # clients.py there writes HTTP frames by hand
BINARY = os.environ.get("TIDEWAY_BIN", str(ROOT / "build" / "tideway"))
VALGRIND = "valgrind" in BINARY
SANITIZED = VALGRIND or "asan" in BINARY or "tsan" in BINARY


def results(area):
    """The directory for what tests of this area measure, besides passing or failing."""
    return pathlib.Path(os.environ.get("TIDEWAY_TEST_RESULTS", ROOT / "test-results" / area))


def clean_environment():
    """This process's environment without the gateway's options."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("TIDEWAY_", "SSE_"))}
