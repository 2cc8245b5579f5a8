"""Hostile, slow and dying peers against the real gateway: these tests run alone, one after the other.

TIDEWAY_FULL=1 asks for the long forms, TIDEWAY_TIME_LIMITS=1 for bounds on latency as well.
"""

import json

import pytest

import table

from lib.gateway import Gateway
from lib.paths import results
from lib.process_stats import descriptors
from lib.waiting import wait_until

RESULTS = results("hostile")


def pytest_terminal_summary(terminalreporter):
    """What was measured, for people and for programs."""
    for name, rows in table.TABLES.items():
        RESULTS.mkdir(parents=True, exist_ok=True)
        (RESULTS / f"{name}.json").write_text(json.dumps(rows, indent=2) + "\n")
        (RESULTS / f"{name}.md").write_text(table.markdown(rows))
        terminalreporter.write_line("")
        terminalreporter.write_line(table.text(rows))


@pytest.fixture(scope="module")
def fortress():
    """One gateway for all tests of a file, with an honest subscriber: (gateway, stream)."""
    gateway = Gateway().wait_ready()
    yield gateway, gateway.h2().subscribe("honest")
    gateway.stop()
    assert len(gateway.logs) == len(gateway.output), "what h2o writes to stderr is no log line"


def expect_event(gateway, stream, id):
    assert gateway.publish("honest", id, id=id).json()["status"] == "accepted"
    stream.client.wait(lambda: stream.events and stream.events[-1].id == id, "the honest stream's event")


@pytest.fixture
def besieged(fortress):
    """The gateway, whose subscriber must not notice anything, and which must keep nothing."""
    gateway, stream = fortress
    expect_event(gateway, stream, "before")
    wait_until(lambda: gateway.metrics()["tideway_connections"] == 2, "guests of the last test to be gone")
    before = descriptors(gateway.process.pid)
    yield gateway
    expect_event(gateway, stream, "after")
    wait_until(lambda: descriptors(gateway.process.pid) <= before, "descriptors to be closed")


@pytest.fixture(params=["h2", "h1"])
def protocol(request):
    return request.param
