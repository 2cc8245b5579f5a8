"""Fixtures of all areas: running gateways (lib/gateway.py says what they can do) and certificates."""

import pytest

from lib.certificates import make_certificate
from lib.gateway import Gateway


@pytest.fixture
def start_gateway():
    """A function that starts a gateway with options; all are stopped and checked after the test."""
    started = []

    def start(ready=True, **options):
        gateway = Gateway(**options)
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
    return make_certificate(tmp_path)
