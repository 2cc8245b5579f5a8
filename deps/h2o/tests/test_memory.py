"""What a request that waits costs."""

import os

import pytest

from clients import Http2, headers, request

pytestmark = pytest.mark.patch(13)

STREAMS = 5000


@pytest.mark.skipif(os.environ.get("H2O_TEST_SANITIZED") == "1", reason="sanitizers make objects larger")
def test_memory__of_an_open_stream(start_server):
    server = start_server(max_streams=STREAMS + 100)
    with Http2(server.port) as client:
        client.send(*(headers(1 + 2 * n, request("/stream")) for n in range(100)))
        client.frames_until_ping()
        before = server.resident_bytes()
        for first in range(100, STREAMS + 100, 500):
            client.send(*(headers(1 + 2 * n, request("/stream")) for n in range(first, first + 500)))
            client.frames_until_ping()
        each = (server.resident_bytes() - before) / STREAMS
    assert each < 3500, f"{each} bytes a stream"
