"""HTTP/2 frames in an order, a number or a size that nobody expects. See deps/h2o/README.md for the numbers of the holes."""

import contextlib
import ssl
import time

import pytest

import clients as raw
from siege import LARGEST, MB, PUBLISH, STREAM, Tls, connect, pour, streams

from lib.process_stats import cpu_seconds, rss_bytes


def exclusive(stream, parent):
    """A PRIORITY frame that puts the stream between its parent and the parent's children."""
    return raw.frame(2, 0, stream, (parent | 1 << 31).to_bytes(4, "big") + b"\x10")


def test_hole_4__window_updates_for_responses_that_wait_to_be_flushed(besieged):
    client = connect(besieged, receive_buffer=4096, window=5)

    def pieces():
        for stream in range(1, 1 << 20, 2):
            updates = b"".join(raw.window_update(s, 1) for s in range(max(1, stream - 40), stream, 2))
            yield raw.ping() * 300 + raw.headers(stream, raw.request("/healthz")) + updates

    pour(client, pieces())
    client.reset()


@pytest.mark.parametrize("end", [raw.rst_stream, lambda stream: raw.window_update(stream, 0)],
                         ids=["reset", "made to reset"])
def test_holes_9_and_10__resets_on_a_connection_that_does_not_read(besieged, end):
    before, opened = rss_bytes(besieged.process.pid), besieged.metrics()["tideway_streams_opened_total"]
    client = connect(besieged, receive_buffer=4096, window=LARGEST)
    client.send(raw.window_update(0, LARGEST - 65535))
    pour(client, (streams(1, stream) + end(stream) for stream in range(1, 1 << 30, 2)), 2)
    assert rss_bytes(besieged.process.pid) - before < 32 * MB
    # the budget, the tenth of it that comes back each second, and what is in one read
    assert besieged.metrics()["tideway_streams_opened_total"] - opened < 3000
    client.reset()


def test_hole_9__a_client_of_a_trusted_proxy_does_not_slow_down_the_others(start_gateway):
    gateway = start_gateway(trusted_proxies="127.0.0.1")
    with connect(gateway) as proxy:
        block = raw.request("/healthz")
        proxy.send(b"".join(raw.headers(stream, block, end_stream=False) + raw.rst_stream(stream)
                            for stream in range(1, 10001, 2)))
        proxy.frames_until_ping(10)


@pytest.mark.parametrize("size", [4096, 8191, 8192, 8193, 16384])
def test_hole_13__reads_that_fill_the_buffer_exactly(besieged, size):
    with Tls(besieged) as client:
        plain = size - 22  # of a TLS 1.3 record
        client.tls.write(raw.frame(0x99, 0, 0, b"z" * (plain - 9)))
        record = client.outgoing.read()
        assert len(record) == size
        client.send(record)
        client.write(raw.ping(b"is-alive"))
        deadline, seen = time.monotonic() + 10, b""
        while raw.frame(raw.PING, raw.ACK, 0, b"is-alive") not in seen:
            assert client.receive(deadline), "closed by the gateway"
            client.incoming.write(client.input)
            client.input = b""
            with contextlib.suppress(ssl.SSLWantReadError):
                while True:
                    seen += client.tls.read(65536)


def test_hole_14__continuation_of_another_stream(besieged):
    with connect(besieged) as client:
        block = raw.request("/v1/stream", **STREAM)
        client.send(raw.headers(1, block[:10], end_headers=False),
                    raw.frame(raw.CONTINUATION, raw.END_HEADERS, 3, block[10:]))
        goaway = client.frames_until(lambda f: f.type == raw.GOAWAY)[-1]
        assert raw.error_of(goaway) == raw.PROTOCOL_ERROR


def test_hole_17__unknown_frames_write_nothing(besieged):
    with connect(besieged) as client:
        client.send(raw.frame(0x99, 0, 0, b"z") * 1000)
        client.frames_until_ping()


def test_responses__that_nobody_takes_are_reset_and_paid_for(besieged):
    """A thousand requests of 60 octets whose answers may not be sent, and a thousand more (the shape of CVE-2026-49975)."""
    with connect(besieged, window=0) as client:
        block = raw.request("/healthz")
        client.send(*(raw.headers(n, block) for n in range(1, 2001, 2)))
        reset = set()
        while len(reset) < 1000:
            frame = client.next_frame(14)
            if frame.type == raw.RST_STREAM:
                assert raw.error_of(frame) == raw.CANCEL
                reset.add(frame.stream)
        client.send(*(raw.headers(n, block) for n in range(2001, 4001, 2)))
        last = client.frames_until_end(12)[-1]
        assert (last.type, raw.error_of(last)) == (raw.GOAWAY, raw.ENHANCE_YOUR_CALM)


@pytest.mark.parametrize("late", [raw.headers(3, raw.literal(b"x-checksum", b"abc")), raw.frame(raw.DATA, 0, 3, b"x" * 100) * 50],
                         ids=["trailers", "data"])
def test_frames__that_cross_a_reset_hurt_no_stream(besieged, late):
    """The gateway answers before the body has come, and resets the stream when the rest of it takes too long."""
    with connect(besieged) as client:
        client.send(raw.headers(1, raw.request("/v1/stream", **STREAM)),
                    raw.headers(3, raw.request("/v1/publish", **{**PUBLISH, "authorization": "no"}), end_stream=False),
                    raw.frame(raw.DATA, 0, 3, b"x" * 100))
        client.frames_until(lambda f: f.type == raw.RST_STREAM)
        client.send(late)
        assert all(f.type not in (raw.RST_STREAM, raw.GOAWAY) for f in client.frames_until_ping())


def test_priorities__that_are_shuffled_cost_next_to_nothing(gateway):
    """A chain of 450 streams, 450 children below it, and two that change places."""
    gateway.h2().subscribe("honest")
    with connect(gateway) as client:
        held = raw.request("/v1/publish", **PUBLISH)
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
