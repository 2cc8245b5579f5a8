"""What else a peer without a key could do to libh2o 2.2.5, against the real gateway."""

import time

import pytest

from raw import clients as raw

from lib.process_stats import cpu_seconds, rss_bytes
from lib.waiting import wait_until

MB = 1 << 20
STREAM = dict(x_sse_topic="honest")


def connect(gateway, **options):
    return raw.Http2(gateway.port, tls=True, **options)


def exclusive(stream, parent):
    """A PRIORITY frame that puts the stream between its parent and the parent's children."""
    return raw.frame(2, 0, stream, (parent | 1 << 31).to_bytes(4, "big") + b"\x10")


def test_priorities__that_are_shuffled_cost_next_to_nothing(gateway):
    """A chain of 450 streams, 450 children below it, and two that change places."""
    with connect(gateway) as client:
        held = raw.request("/v1/stream", **STREAM)
        client.send(*(raw.headers(n, held, end_stream=False) for n in range(1, 1801, 2)))
        client.frames_until_ping()
        depends = [(n, n - 2) for n in range(3, 903, 2)] + [(n, 901) for n in range(903, 1801, 2)]
        client.send(*(raw.frame(2, 0, n, parent.to_bytes(4, "big") + b"\x10") for n, parent in depends))
        client.frames_until_ping()
        before = cpu_seconds(gateway.process.pid)
        for _ in range(10):
            client.send((exclusive(899, 901) + exclusive(901, 899)) * 500)
            client.frames_until_ping(60)
    # 10,000 frames of 355 us would be 3.5 s
    assert cpu_seconds(gateway.process.pid) - before < 1


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


def test_streams__take_no_body_but_an_empty_one(gateway, protocol):
    headers = [("x-sse-topic", "honest")]
    refused = gateway.client(protocol).request("GET", "/v1/stream", headers, "x")
    assert refused.status == 413
    assert refused.json()["error"] == {"code": "payload_too_large", "message": "send a body of at most 0 bytes"}
    client = gateway.client(protocol)
    stream = client.start("GET", "/v1/stream", headers, end=False)
    client.send_body(stream, b"", end=True)
    assert stream.wait_response().status == 200
    assert gateway.deliver("honest", "x") == 1
    stream.wait_events(1)


def test_upgrades__are_not_made(start_gateway):
    """Cleartext HTTP/2 is spoken with prior knowledge (RFC 9113 section 3.3)."""
    gateway = start_gateway(tls=False)
    answer = gateway.h1().request("GET", "/healthz", [("Connection", "Upgrade, HTTP2-Settings"), ("Upgrade", "h2c"),
                                                      ("HTTP2-Settings", "AAMAAABkAARAAAAAAAIAAAAA")])
    assert answer.status == 200 and not answer.interim


@pytest.fixture(params=["h2", "h1"])
def protocol(request):
    return request.param
