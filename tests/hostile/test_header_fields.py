"""Header fields that cost more than their octets, or come where they do not belong. See deps/h2o/README.md for the numbers of
the holes."""

import contextlib
import time

import clients as raw
from siege import MB, STREAM, connect

from lib.process_stats import cpu_seconds, rss_bytes
from lib.waiting import wait_until


def test_hole_3__cache_digests_are_not_decoded(besieged):
    before = rss_bytes(besieged.process.pid)
    with connect(besieged) as client:
        block = raw.request("/v1/stream", **STREAM) + raw.literal(b"cache-digest", b"-D" + b"_" * 3990, True)
        client.send(raw.headers(1, block + b"\xbe" * 12000))
        client.frames_until(lambda f: f.type == raw.GOAWAY)
    assert rss_bytes(besieged.process.pid) - before < 8 * MB


def test_hole_11__many_small_fields(besieged):
    before = rss_bytes(besieged.process.pid)
    with connect(besieged) as client:
        block = raw.request("/v1/stream", **STREAM) + raw.literal(b"x", b"", True) + b"\xbe" * 150
        client.send(raw.headers(1, block))
        _, body = client.response(1)
        assert b"headers_too_large" in body
        with contextlib.suppress(AssertionError, OSError):  # it closes the connection
            for n in range(20):
                client.send(raw.headers(3 + 2 * n, raw.request("/v1/stream", **STREAM) + b"\xbe" * 16000))
            client.frames_until_ping()
    assert rss_bytes(besieged.process.pid) - before < 16 * MB


def test_header_lists__have_64_kib_when_they_are_decoded(besieged):
    """One octet stands for a field of 3.9 KB with 1,980 topics: as many as fit are read, and each topic counts."""
    with connect(besieged) as client:
        assert client.server_settings[6] == 65536
        client.send(raw.headers(1, raw.request("/v1/stream") + raw.literal(b"x-sse-topic", b"a," * 1980, True)))
        assert b"too_many_topics" in client.response(1)[1]
        before = cpu_seconds(besieged.process.pid)
        block = raw.request("/v1/stream") + b"\xbe" * 94
        client.send(*(raw.headers(n, block) for n in range(3, 203, 2)))
        for n in range(3, 203, 2):
            assert b"headers_too_large" in client.response(n)[1]
        # 100 requests of 30 ms each would be 3 s
        assert cpu_seconds(besieged.process.pid) - before < 1


def test_header_lists__that_are_too_large_are_431_over_http1(besieged):
    with raw.Http1(besieged.port, tls=True) as client:
        client.send(b"GET /healthz HTTP/1.1\r\nhost: x\r\n" + b"x: y\r\n" * 101 + b"\r\n")
        response = client.read_response()
        assert response.status == 431 and b"headers_too_large" in response.body


def test_fields__that_no_handler_reads_are_not_kept(gateway):
    """300 answers that cannot be sent, each of a request with 50 KB of fields."""
    wait_until(lambda: gateway.metrics()["tideway_connections"] == 0, "silence")
    before = rss_bytes(gateway.process.pid)
    client = connect(gateway, window=0)
    fields = raw.literal(b"x-unwanted", b"v" * 3000) * 5
    for n in range(1, 601, 2):
        block = raw.request("/healthz")
        client.send(raw.headers(n, block + fields, end_headers=False),
                    *(raw.frame(raw.CONTINUATION, 0, n, fields) for _ in range(2)),
                    raw.frame(raw.CONTINUATION, raw.END_HEADERS, n, b""))
    client.frames_until_ping()
    assert rss_bytes(gateway.process.pid) - before < 6 * MB
    client.reset()


def test_header_blocks__that_are_not_completed_are_closed(gateway):
    """A stream that is open, and a CONTINUATION now and then, keep nobody."""
    with connect(gateway) as client:
        block = raw.request("/v1/stream", **STREAM)
        client.send(raw.headers(1, block), raw.headers(3, block, end_headers=False))
        deadline = time.monotonic() + 20
        while gateway.metrics()["tideway_connections"] > 0:
            assert time.monotonic() < deadline, "it is still there"
            client.send_what_fits(raw.frame(raw.CONTINUATION, 0, 3))
            time.sleep(0.5)


def test_paths__cost_little_more_than_they_have_octets(gateway):
    """300 answers that cannot be sent, of paths with 40,000 octets."""
    wait_until(lambda: gateway.metrics()["tideway_connections"] == 0, "silence")
    before = rss_bytes(gateway.process.pid)
    client = connect(gateway, window=0)
    path = raw.literal(b":path", b"a" * 40000)
    for n in range(300):
        block = raw.literal(b":method", b"GET") + raw.literal(b":scheme", b"https") + \
            raw.literal(b":authority", b"localhost") + path
        pieces = [block[i:i + 16000] for i in range(0, len(block), 16000)]
        client.send(raw.headers(1 + 2 * n, pieces[0], end_headers=False),
                    *(raw.frame(raw.CONTINUATION, 0 if piece is not pieces[-1] else raw.END_HEADERS, 1 + 2 * n, piece)
                      for piece in pieces[1:]))
    client.frames_until_ping()
    # 12 MB of paths, each kept as it came and normalized; with a position for each octet 96 MB more
    assert rss_bytes(gateway.process.pid) - before < 64 * MB
    client.reset()


def test_trailers__are_no_headers(start_gateway):
    """A proxy that forwards trailers cannot be made to vouch for an address."""
    gateway = start_gateway(trusted_proxies="127.0.0.1")
    with connect(gateway) as client:
        client.send(raw.headers(1, raw.request("/v1/stream", x_forwarded_for="192.0.2.1", **STREAM), end_stream=False),
                    raw.headers(1, raw.literal(b"x-forwarded-for", b"203.0.113.9")))
        client.frames_until(lambda f: f.type == raw.HEADERS)
        assert [row["remoteAddress"] for row in gateway.admin("/connections")["data"]] == ["192.0.2.1"]
