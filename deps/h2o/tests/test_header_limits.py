"""What a header block may cost."""

import os

import pytest

from clients import (
    CONTINUATION,
    DATA,
    END_HEADERS,
    ENHANCE_YOUR_CALM,
    GOAWAY,
    HEADERS,
    RST_STREAM,
    Http2,
    error_of,
    frame,
    headers,
    literal,
    request,
    wait_until,
)

pytestmark = pytest.mark.patch(10)

REFERENCE = b"\xbe"  # to the newest entry of the dynamic table


def send_block(client, stream, block):
    parts = [block[n : n + 16000] for n in range(0, len(block), 16000)]
    client.send(headers(stream, parts[0], end_headers=len(parts) == 1))
    for n, part in enumerate(parts[1:], 2):
        client.send(frame(CONTINUATION, END_HEADERS if n == len(parts) else 0, stream, part))


def test_fields__up_to_the_limit_are_accepted(server):
    with Http2(server.port) as client:
        send_block(client, 1, request("/hello") + literal(b"x", b"y", indexed=True) + REFERENCE * 95)
        assert client.response(1)[1] == b"hello"


@pytest.mark.parametrize("references", [96, 300])
def test_fields__beyond_the_limit_are_400_and_the_connection_goes_on(server, references):
    with Http2(server.tls_port, tls=True) as client:
        send_block(client, 1, request("/hello") + literal(b"x", b"y", indexed=True) + REFERENCE * references)
        frames, _ = client.response(1)
        assert frames[0].type == HEADERS and frames[0].payload[:1] == b"\x8c"  # :status 400
        # the header table has seen every field
        send_block(client, 3, request("/hello") + REFERENCE)
        assert client.response(3)[1] == b"hello"
    assert server.stats()["requests"] == 1


def test_fields__far_beyond_the_limit_end_the_connection(server):
    before = server.resident_bytes()
    for _ in range(5):
        with Http2(server.port) as client:
            block = request("/never") + literal(b"x", b"y" * 10, indexed=True)
            send_block(client, 1, block + REFERENCE * (60000 - len(block)))
            last = client.frames_until_end()[-1]
            assert (last.type, error_of(last)) == (GOAWAY, ENHANCE_YOUR_CALM)
    assert server.resident_bytes() - before < 8 << 20


def test_block__that_is_too_long_ends_the_connection(server):
    with Http2(server.port) as client:
        client.send(headers(1, request("/hello"), end_headers=False))
        try:
            for _ in range(100):
                client.send(frame(CONTINUATION, 0, 1, literal(b"x", b"y" * 8000) * 2))
        except ConnectionError:
            pass
        frames = client.frames_until_end()
        assert not frames or error_of(frames[-1]) == ENHANCE_YOUR_CALM


def test_cache_digest__costs_nothing(start_server):
    sanitized = os.environ.get("H2O_TEST_SANITIZED") == "1"  # a sanitizer reserves terabytes of addresses
    server = start_server() if sanitized else start_server(address_space_max=1 << 30)
    before = server.resident_bytes()
    with Http2(server.tls_port, tls=True) as client:
        digest = literal(b"cache-digest", b"-D" + b"_" * 3990, indexed=True)
        send_block(client, 1, request("/hello") + digest + REFERENCE * 90)
        assert client.response(1)[1] == b"hello"
    assert server.resident_bytes() - before < 8 << 20


@pytest.mark.parametrize("tail", [b"", b"\x01"])
def test_field__with_an_empty_name_ends_the_connection(server, tail):
    with Http2(server.port) as client:
        client.send(headers(1, request("/hello") + b"\x00\x00" + tail))
        assert client.frames_until_end()[-1].type == GOAWAY


def test_trailers__are_limited_too(server):
    with Http2(server.port) as client:
        client.send(headers(1, request("/echo", "POST"), end_stream=False), frame(DATA, 0, 1, b"x"))
        client.send(headers(1, literal(b"x", b"y", indexed=True) + REFERENCE * 200))
        wait_until(lambda: any(f.type == RST_STREAM for f in client.frames_until_ping()))
