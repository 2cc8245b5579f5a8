"""What a header block may cost."""

import os

import pytest

from clients import (
    CONTINUATION,
    DATA,
    END_HEADERS,
    END_STREAM,
    ENHANCE_YOUR_CALM,
    GOAWAY,
    HEADERS,
    RST_STREAM,
    Http1,
    Http2,
    error_of,
    frame,
    headers,
    literal,
    request,
    wait_until,
)

REFERENCE = b"\xbe"  # to the newest entry of the dynamic table


def send_block(client, stream, block):
    parts = [block[n : n + 16000] for n in range(0, len(block), 16000)]
    client.send(headers(stream, parts[0], end_headers=len(parts) == 1))
    for n, part in enumerate(parts[1:], 2):
        client.send(frame(CONTINUATION, END_HEADERS if n == len(parts) else 0, stream, part))


@pytest.mark.patch(10)
def test_fields__up_to_the_limit_are_accepted(server):
    with Http2(server.port) as client:
        send_block(client, 1, request("/hello") + literal(b"x", b"y", indexed=True) + REFERENCE * 95)
        assert client.response(1)[1] == b"hello"


@pytest.mark.patch(10)
@pytest.mark.parametrize("references", [96, 300])
def test_fields__beyond_the_limit_are_431_and_the_connection_goes_on(server, references):
    with Http2(server.tls_port, tls=True) as client:
        send_block(client, 1, request("/hello") + literal(b"x", b"y", indexed=True) + REFERENCE * references)
        frames, _ = client.response(1)
        assert frames[0].type == HEADERS and b"431" in frames[0].payload[:5]
        # the header table has seen every field
        send_block(client, 3, request("/hello") + REFERENCE)
        assert client.response(3)[1] == b"hello"
    assert server.stats()["requests"] == 1


@pytest.mark.patch(10)
def test_fields__far_beyond_the_limit_end_the_connection(server):
    before = server.resident_bytes()
    for _ in range(5):
        with Http2(server.port) as client:
            block = request("/never") + literal(b"x", b"y" * 10, indexed=True)
            send_block(client, 1, block + REFERENCE * (60000 - len(block)))
            last = client.frames_until_end()[-1]
            assert (last.type, error_of(last)) == (GOAWAY, ENHANCE_YOUR_CALM)
    assert server.resident_bytes() - before < 8 << 20


@pytest.mark.patch(10)
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


@pytest.mark.patch(10)
def test_cache_digest__costs_nothing(start_server):
    sanitized = os.environ.get("H2O_TEST_SANITIZED") == "1"  # a sanitizer reserves terabytes of addresses
    server = start_server() if sanitized else start_server(address_space_max=1 << 30)
    before = server.resident_bytes()
    with Http2(server.tls_port, tls=True) as client:
        digest = literal(b"cache-digest", b"-D" + b"_" * 3990, indexed=True)
        send_block(client, 1, request("/hello") + digest + REFERENCE * 14)
        assert client.response(1)[1] == b"hello"
    assert server.resident_bytes() - before < 8 << 20


@pytest.mark.patch(10)
@pytest.mark.parametrize("tail", [b"", b"\x01"])
def test_field__with_an_empty_name_ends_the_connection(server, tail):
    with Http2(server.port) as client:
        client.send(headers(1, request("/hello") + b"\x00\x00" + tail))
        assert client.frames_until_end()[-1].type == GOAWAY


@pytest.mark.patch(10)
def test_trailers__are_limited_too(server):
    with Http2(server.port) as client:
        client.send(headers(1, request("/echo", "POST"), end_stream=False), frame(DATA, 0, 1, b"x"))
        client.send(headers(1, literal(b"x", b"y", indexed=True) + REFERENCE * 200))
        wait_until(lambda: any(f.type == RST_STREAM for f in client.frames_until_ping()))


@pytest.mark.patch(30)
def test_list__may_have_64_kib_when_it_is_decoded(server):
    with Http2(server.tls_port, tls=True) as client:
        assert client.server_settings[6] == 65536
        large = literal(b"x", b"y" * 3900, indexed=True)
        send_block(client, 1, request("/hello") + large + REFERENCE * 14)
        assert client.response(1)[1] == b"hello"
        send_block(client, 3, request("/hello") + REFERENCE * 17)
        assert client.response(3)[1] == b'{"error":431}'
        send_block(client, 5, request("/" + "a" * 65400))
        assert client.response(5)[1] == b'{"error":431}'
        # the header table has seen every field
        send_block(client, 7, request("/hello") + large + REFERENCE * 17 + literal(b"z", b"y", indexed=True))
        assert client.response(7)[1] == b'{"error":431}'
        send_block(client, 9, request("/hello") + REFERENCE)
        assert client.response(9)[1] == b"hello"
    assert server.stats()["requests"] == 2


@pytest.mark.patch(30)
def test_list__that_is_too_large_may_have_a_body(server):
    with Http2(server.port) as client:
        client.send(headers(1, request("/echo", "POST") + literal(b"x", b"y" * 3900, indexed=True) + REFERENCE * 20,
                            end_stream=False), frame(DATA, END_STREAM, 1, b"x" * 100))
        assert client.response(1)[1] == b'{"error":431}'


@pytest.mark.patch(30)
@pytest.mark.parametrize("fields", [b"x: y\r\n" * 101, b"x: " + b"y" * 70000 + b"\r\n"])
def test_headers__that_are_too_large_are_431_over_http1(server, fields):
    with Http1(server.port) as client:
        client.send(b"GET /hello HTTP/1.1\r\nhost: x\r\n" + fields + b"\r\n")
        assert client.read_response().body == b'{"error":431}'


@pytest.mark.skipif(os.environ.get("H2O_TEST_SANITIZED") == "1", reason="AddressSanitizer keeps freed memory")
@pytest.mark.patch(30)
def test_fields__that_no_handler_reads_are_not_kept(start_server):
    """Requests that are never answered, each with 50 KB of fields; this server reads nothing but x-wanted."""
    server = start_server(max_streams=1000)
    before = server.resident_bytes()
    with Http2(server.port) as client:
        for stream in range(1, 1000, 2):
            send_block(client, stream, request("/never") + literal(b"x-unwanted", b"y" * 10000) * 5)
        client.frames_until_ping()
        assert server.stats()["requests"] == 500
        assert server.resident_bytes() - before < 8 << 20
