"""What pytest needs to know of these tests; their fixtures are in fixtures.py."""

import pytest

import tideway
from fixtures import certificate, gateway, start_gateway

__all__ = ["certificate", "gateway", "start_gateway"]


def pytest_configure(config):
    config.addinivalue_line("markers", "tsan: several workers at work; also run under ThreadSanitizer")
    config.addinivalue_line("markers", "volume: too much for a build with sanitizers")


def pytest_collection_modifyitems(items):
    if tideway.SANITIZED:
        for item in items:
            if item.get_closest_marker("volume"):
                item.add_marker(pytest.mark.skip(reason="too much for a build with sanitizers"))


@pytest.fixture(params=["h2", "h1"])
def protocol(request):
    return request.param
