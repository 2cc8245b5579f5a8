"""Frames that a client sent before it heard that its stream was reset are no error."""

import pytest

from clients import (
    CONTINUATION,
    DATA,
    END_HEADERS,
    END_STREAM,
    GOAWAY,
    PROTOCOL_ERROR,
    RST_STREAM,
    STREAM_CLOSED,
    WINDOW_UPDATE,
    Http2,
    error_of,
    frame,
    headers,
    literal,
    request,
)

pytestmark = pytest.mark.patch(28)

TRAILERS = literal(b"x-checksum", b"abc", indexed=True)


@pytest.fixture
def client(start_server):
    """A client, stream 1 of which has been answered early and reset while its body was being sent."""
    with Http2(start_server(early_ms=100).tls_port, tls=True) as client:
        client.send(headers(1, request("/drop", "POST"), end_stream=False), frame(DATA, 0, 1, b"x" * 100))
        client.frames_until(lambda f: f.type == RST_STREAM)
        yield client


def goes_on(client, tail=b""):
    client.send(headers(3, request("/hello") + tail))
    return client.response(3)[1] == b"hello"


def test_trailers__that_cross_a_reset_are_decoded_and_dropped(client):
    client.send(headers(1, TRAILERS))
    assert goes_on(client, b"\xbe")


def test_trailers__that_cross_a_reset_may_be_continued(client):
    client.send(headers(1, TRAILERS[:5], end_headers=False), frame(CONTINUATION, END_HEADERS, 1, TRAILERS[5:]))
    assert goes_on(client, b"\xbe")


def test_trailers__may_be_reset_between_their_frames(start_server):
    with Http2(start_server(early_ms=300).tls_port, tls=True) as client:
        client.send(headers(1, request("/drop", "POST"), end_stream=False), frame(DATA, 0, 1, b"x"))
        client.frames_until(lambda f: f.type == DATA)
        client.send(headers(1, TRAILERS[:5], end_headers=False))
        client.frames_until(lambda f: f.type == RST_STREAM)
        client.send(frame(CONTINUATION, END_HEADERS, 1, TRAILERS[5:]))
        assert goes_on(client, b"\xbe")


def test_data__that_crosses_a_reset_is_dropped_and_credited(client):
    for _ in range(3):
        client.send(frame(DATA, 0, 1, b"x" * 16000) * 600)
        client.frames_until(lambda f: f.type == WINDOW_UPDATE and f.stream == 0)
    client.send(frame(DATA, END_STREAM, 1, b""))
    assert all(f.type != RST_STREAM for f in client.frames_until_ping())
    assert goes_on(client)


def test_frames__behind_the_end_are_errors(client):
    client.send(frame(DATA, END_STREAM, 1, b""), frame(DATA, 0, 1, b"x"))
    reset = client.frames_until(lambda f: f.type == RST_STREAM)[-1]
    assert (reset.stream, error_of(reset)) == (1, STREAM_CLOSED)
    client.send(headers(1, TRAILERS), headers(1, TRAILERS))
    assert error_of(client.frames_until(lambda f: f.type == GOAWAY)[-1]) == STREAM_CLOSED


@pytest.mark.parametrize("block", [request("/echo", "POST") + literal(b"X", b"v"), request("/echo", "POST", te="gzip")])
def test_body__of_a_request_that_is_refused_is_dropped(start_server, block):
    with Http2(start_server(reset_budget=100).tls_port, tls=True) as client:
        client.send(headers(1, block, end_stream=False), frame(DATA, 0, 1, b"x" * 10) * 500, headers(1, TRAILERS))
        frames = client.frames_until_ping()
        assert [(f.stream, error_of(f)) for f in frames if f.type == RST_STREAM] == [(1, PROTOCOL_ERROR)]
        assert goes_on(client, b"\xbe")
