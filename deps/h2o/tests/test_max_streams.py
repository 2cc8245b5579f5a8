"""The number of concurrent streams is an option, advertised and enforced."""

import pytest

from clients import (
    MAX_CONCURRENT_STREAMS,
    REFUSED_STREAM,
    RST_STREAM,
    HEADERS,
    Http2,
    error_of,
    headers,
    request,
    rst_stream,
)

pytestmark = pytest.mark.patch(1)


@pytest.mark.parametrize("limit", [1, 7, 1000, 5000])
def test_max_streams__is_advertised(start_server, limit):
    with Http2(start_server(max_streams=limit).tls_port, tls=True) as client:
        assert client.server_settings[MAX_CONCURRENT_STREAMS] == limit


def test_max_streams__defaults_to_a_hundred(server):
    with Http2(server.port) as client:
        assert client.server_settings[MAX_CONCURRENT_STREAMS] == 100


def test_max_streams__streams_up_to_the_limit_are_served(start_server):
    with Http2(start_server(max_streams=1000).tls_port, tls=True) as client:
        client.send(*(headers(1 + 2 * n, request("/stream")) for n in range(1000)))
        frames = client.frames_until_ping()
        assert len({f.stream for f in frames if f.type == HEADERS}) == 1000
        assert not [f for f in frames if f.type == RST_STREAM]


def test_max_streams__one_more_is_refused_and_the_others_stay(start_server):
    with Http2(start_server(max_streams=7).port) as client:
        client.send(*(headers(1 + 2 * n, request("/stream")) for n in range(8)))
        frames = client.frames_until_ping()
        refused = [(f.stream, error_of(f)) for f in frames if f.type == RST_STREAM]
        assert refused == [(15, REFUSED_STREAM)]
        # a stream that ends makes room
        client.send(rst_stream(1), headers(17, request("/hello")))
        assert client.response(17)[1] == b"hello"
