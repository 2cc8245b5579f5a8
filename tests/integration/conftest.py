"""Fixtures: running gateways. See tideway.py for what they can do."""

import pytest

import tideway


def pytest_configure(config):
    config.addinivalue_line("markers", "tsan: several workers at work; also run under ThreadSanitizer")
    config.addinivalue_line("markers", "volume: too much for a build with sanitizers")


def pytest_collection_modifyitems(items):
    if tideway.SANITIZED:
        for item in items:
            if item.get_closest_marker("volume"):
                item.add_marker(pytest.mark.skip(reason="too much for a build with sanitizers"))


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


@pytest.fixture(params=["h2", "h1"])
def protocol(request):
    return request.param


@pytest.fixture
def certificate(tmp_path):
    """A pair for localhost: (certificate path, key path)."""
    return tideway.make_certificate(tmp_path)
