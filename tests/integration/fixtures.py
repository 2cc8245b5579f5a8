"""Fixtures: running gateways. See tideway.py for what they can do."""

import pytest

import tideway


@pytest.fixture
def start_gateway():
    """A function that starts a gateway with options; all are stopped and checked after the test."""
    started = []

    def start(ready=True, **options):
        gateway = tideway.Gateway(**options)
        started.append(gateway)
        return gateway.wait_ready() if ready else gateway

    yield start
    failures = []
    for gateway in started:
        if gateway.stopped:
            continue
        try:
            gateway.stop()
        except AssertionError as failure:
            failures.append(str(failure))
    assert not failures, "\n".join(failures)


@pytest.fixture
def gateway(start_gateway):
    """A gateway with two workers and defaults otherwise."""
    return start_gateway()


@pytest.fixture
def certificate(tmp_path):
    """A pair for localhost: (certificate path, key path)."""
    return tideway.make_certificate(tmp_path)
