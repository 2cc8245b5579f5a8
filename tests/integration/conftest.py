"""What these tests need of pytest besides the fixtures of all areas."""

import pytest

from lib.paths import SANITIZED


def pytest_collection_modifyitems(items):
    if SANITIZED:
        for item in items:
            if item.get_closest_marker("volume"):
                item.add_marker(pytest.mark.skip(reason="too much for a build with sanitizers"))


@pytest.fixture(params=["h2", "h1"])
def protocol(request):
    return request.param


@pytest.fixture
def servers():
    """A list: what is put into it is closed after the test."""
    started = []
    yield started
    for server in reversed(started):
        server.close()
