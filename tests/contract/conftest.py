"""The contract as a document, held against the gateway. The gateways are those of tests/integration."""

import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "integration"))

import pytest  # noqa: E402

import tideway  # noqa: E402


@pytest.fixture
def start_gateway():
    """A function that starts a gateway with options; all are stopped and checked after the test."""
    started = []

    def start(**options):
        gateway = tideway.Gateway(**options)
        started.append(gateway)
        return gateway.wait_ready()

    yield start
    for gateway in started:
        if not gateway.stopped:
            gateway.stop()
