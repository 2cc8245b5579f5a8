"""Each hole of h2o 2.2.5 against the real gateway over TLS; deps/h2o/README.md says which patch closes it.

After each the gateway lives, an honest stream that was open before still gets its events, and nothing has leaked.
"""

import contextlib
import ssl
import time

import pytest

from raw import clients as raw

from lib.gateway import Gateway
from lib.process_stats import descriptors, rss_bytes
from lib.waiting import wait_until

MB = 1 << 20
FLOOD_S = 1.0
STREAM = dict(x_sse_topic="honest")
PUBLISH = dict(method="POST", authorization="Bearer test-key", x_sse_topic="honest", x_sse_id="1")
LARGEST = 0x7FFFFFFF


@pytest.fixture(scope="module")
def fortress():
    """One gateway for all, with an honest subscriber: (gateway, stream)."""
    gateway = Gateway().wait_ready()
    yield gateway, gateway.h2().subscribe("honest")
    gateway.stop()
    assert len(gateway.logs) == len(gateway.output), "what h2o writes to stderr is no log line"


def expect_event(gateway, stream, id):
    assert gateway.publish("honest", id, id=id).json()["status"] == "accepted"
    stream.client.wait(lambda: stream.events and stream.events[-1].id == id, "the honest stream's event")


@pytest.fixture
def besieged(fortress):
    """The gateway, whose subscriber must not notice anything, and which must keep nothing."""
    gateway, stream = fortress
    expect_event(gateway, stream, "before")
    wait_until(lambda: gateway.metrics()["tideway_connections"] == 2, "guests of the last test to be gone")
    before = descriptors(gateway.process.pid)
    yield gateway
    expect_event(gateway, stream, "after")
    wait_until(lambda: descriptors(gateway.process.pid) <= before, "descriptors to be closed")


def connect(gateway, **options):
    return raw.Http2(gateway.port, tls=True, **options)


def streams(count, first=1, **fields):
    block = raw.request("/v1/stream", **{**STREAM, **fields})
    return b"".join(raw.headers(first + 2 * n, block) for n in range(count))


def pour(client, pieces, seconds=FLOOD_S):
    """Writes without reading until the time is over or the gateway closes; returns the octets taken."""
    deadline, rest, taken = time.monotonic() + seconds, b"", 0
    while time.monotonic() < deadline:
        if len(rest) < 1 << 17:
            rest += next(pieces)
        try:
            count = client.send_what_fits(rest)
        except OSError:
            break
        if count == 0:
            time.sleep(0.005)
        taken, rest = taken + count, rest[count:]
    return taken


def forever(data):
    while True:
        yield data


class Tls(raw.Connection):
    """TLS over memory buffers, to send what is no TLS."""

    def __init__(self, gateway, **options):
        super().__init__(gateway.port, **options)
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = raw.tls_context("h2").wrap_bio(self.incoming, self.outgoing)
        while True:
            with contextlib.suppress(ssl.SSLWantReadError):
                self.tls.do_handshake()
                break
            self.send(self.outgoing.read())
            assert self.receive(time.monotonic() + 10)
            self.incoming.write(self.input)
            self.input = b""
        self.write(raw.PREFACE, raw.settings(window=LARGEST), raw.window_update(0, LARGEST - 65535))

    def write(self, *parts):
        self.tls.write(b"".join(parts))
        self.send(self.outgoing.read())


def test_hole_1__clients_that_reset_leave_nothing(besieged):
    for _ in range(100):
        client = connect(besieged)
        client.send(streams(5))
        client.frames_until(lambda f: f.type == raw.HEADERS)
        client.reset()
    wait_until(lambda: besieged.metrics()["tideway_streams"] == 1, "their streams to be gone")


def test_hole_2__a_corrupt_record_while_a_write_is_blocked(besieged):
    client = Tls(besieged, receive_buffer=4096)
    client.write(streams(50))
    for number in range(50):
        besieged.deliver("honest", "x" * 20000, id=number)
    client.write(raw.ping() * 50)
    client.send(b"\x17\x03\x03\x00\x40" + b"\xee" * 64)
    client.wait_for_end()


def test_hole_3__cache_digests_are_not_decoded(besieged):
    before = rss_bytes(besieged.process.pid)
    with connect(besieged) as client:
        block = raw.request("/v1/stream", **STREAM) + raw.literal(b"cache-digest", b"-D" + b"_" * 3990, True)
        client.send(raw.headers(1, block + b"\xbe" * 12000))
        client.frames_until(lambda f: f.type == raw.GOAWAY)
    assert rss_bytes(besieged.process.pid) - before < 8 * MB


def test_hole_4__window_updates_for_responses_that_wait_to_be_flushed(besieged):
    client = connect(besieged, receive_buffer=4096, window=5)

    def pieces():
        for stream in range(1, 1 << 20, 2):
            updates = b"".join(raw.window_update(s, 1) for s in range(max(1, stream - 40), stream, 2))
            yield raw.ping() * 300 + raw.headers(stream, raw.request("/healthz")) + updates

    pour(client, pieces())
    client.reset()


def test_hole_5__a_connection_dies_with_requests_pending(besieged):
    for _ in range(10):
        client = connect(besieged, receive_buffer=4096, window=LARGEST)
        held = b"".join(raw.headers(1 + 2 * n, raw.request("/v1/publish", **PUBLISH), end_stream=False)
                        for n in range(100))
        client.send(held, streams(50, 201))
        pour(client, forever(raw.ping() * 1000), 0.2)
        client.reset()
    wait_until(lambda: besieged.metrics()["tideway_streams"] == 1, "their streams to be gone")


def test_hole_6__the_end_comes_in_the_middle_of_a_header_block(start_gateway):
    gateway = start_gateway()
    with connect(gateway) as client:
        block = raw.request("/v1/stream", **STREAM)
        client.send(raw.headers(1, block), raw.headers(3, block[:10], end_headers=False))
        client.frames_until(lambda f: f.type == raw.HEADERS)
        gateway.stop(timeout=10)


def test_hole_7__input_after_a_connection_error_is_not_kept(besieged):
    client = connect(besieged, receive_buffer=4096, window=LARGEST)
    client.send(raw.window_update(0, LARGEST - 65535), streams(100))
    for number in range(20):
        besieged.deliver("honest", "x" * 10000, id=number)
    before = rss_bytes(besieged.process.pid)
    client.send(raw.frame(raw.CONTINUATION, raw.END_HEADERS, 1001, b"x"))
    pour(client, forever(b"\0" * 65536))
    assert rss_bytes(besieged.process.pid) - before < 16 * MB
    client.reset()


def test_hole_7__input_after_close_notify_is_not_kept(besieged):
    client = Tls(besieged)
    client.write(streams(1))
    with contextlib.suppress(ssl.SSLError):
        client.tls.unwrap()
    before = rss_bytes(besieged.process.pid)
    client.send(client.outgoing.read())
    pour(client, forever(b"\x17" * 65519))
    assert rss_bytes(besieged.process.pid) - before < 16 * MB
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


def test_hole_11__many_small_fields(besieged):
    before = rss_bytes(besieged.process.pid)
    with connect(besieged) as client:
        block = raw.request("/v1/stream", **STREAM) + raw.literal(b"x", b"", True) + b"\xbe" * 150
        client.send(raw.headers(1, block))
        frames, body = client.response(1)
        assert b"bad_request" in body or frames[-1].type == raw.RST_STREAM
        with contextlib.suppress(AssertionError, OSError):  # it closes the connection
            for n in range(20):
                client.send(raw.headers(3 + 2 * n, raw.request("/v1/stream", **STREAM) + b"\xbe" * 16000))
            client.frames_until_ping()
    assert rss_bytes(besieged.process.pid) - before < 16 * MB


def test_hole_12__bodies_nobody_asked_for(besieged):
    before, ids = rss_bytes(besieged.process.pid), range(1, 101, 2)
    for fields in ({**PUBLISH, "authorization": "Bearer wrong"}, {**PUBLISH, "x_sse_topic": "nobody"}):
        client = connect(besieged)
        client.send(*(raw.headers(n, raw.request("/v1/publish", **fields), end_stream=False) for n in ids))
        pour(client, forever(b"".join(raw.frame(raw.DATA, 0, n, b"z" * 8000) for n in ids)), 1)
        assert rss_bytes(besieged.process.pid) - before < 16 * MB
        client.reset()


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


HEAD = b"POST /v1/publish HTTP/1.1\r\nhost: x\r\nauthorization: Bearer test-key\r\nx-sse-topic: honest\r\nx-sse-id: s\r\n"
NEXT = b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n"
AMBIGUOUS = {
    "two lengths": HEAD + b"content-length: 5\r\ncontent-length: 6\r\n\r\n12345" + NEXT,
    "length and chunked": HEAD + b"content-length: 3\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n" + NEXT,
    "length with a sign": HEAD + b"content-length: +5\r\n\r\n12345" + NEXT,
    "chunked twice": HEAD + b"transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n" + NEXT,
    "folded line": HEAD + b"x: a\r\n b\r\ncontent-length: 0\r\n\r\n" + NEXT,
    "two hosts": HEAD + b"host: y\r\ncontent-length: 0\r\n\r\n" + NEXT,
    "space before the colon": HEAD + b"content-length : 0\r\n\r\n" + NEXT,
    "junk after a chunk's size": HEAD + b"transfer-encoding: chunked\r\n\r\n3zz\r\n123\r\n0\r\n\r\n" + NEXT,
    "lines that end with LF": HEAD + b"transfer-encoding: chunked\r\n\r\n3\n123\n0\n\n" + NEXT,
    "chunked in HTTP/1.0": HEAD.replace(b"/1.1", b"/1.0") + b"transfer-encoding: chunked\r\n\r\n0\r\n\r\n" + NEXT,
}


@pytest.mark.parametrize("request_", AMBIGUOUS.values(), ids=AMBIGUOUS.keys())
def test_hole_15__requests_that_can_be_read_in_two_ways(besieged, request_):
    accepted = besieged.metrics()['tideway_publishes_total{result="accepted"}']
    with raw.Http1(besieged.port, tls=True) as client:
        client.send(request_)
        assert client.read_response().status == 400
        assert client.wait_for_end() == b"", "nothing behind it is served"
    assert besieged.metrics()['tideway_publishes_total{result="accepted"}'] == accepted


def test_hole_16__an_http1_subscriber_that_goes_is_noticed(besieged):
    for end in (raw.Http1.reset, lambda client: client.socket.close()):
        client = raw.Http1(besieged.port, tls=True)
        client.send(b"GET /v1/stream?topic=other HTTP/1.1\r\nhost: x\r\n\r\n")
        wait_until(lambda: besieged.metrics()["tideway_streams"] == 2, "its stream")
        end(client)
        wait_until(lambda: besieged.metrics()["tideway_streams"] == 1, "its end to be noticed")


def test_hole_17__unknown_frames_write_nothing(besieged):
    with connect(besieged) as client:
        client.send(raw.frame(0x99, 0, 0, b"z") * 1000)
        client.frames_until_ping()


def test_hole_18__empty_answers_over_http1_are_complete(besieged):
    with raw.Http1(besieged.port, tls=True) as client:
        for _ in range(50):
            client.send(b"HEAD /healthz HTTP/1.1\r\nhost: x\r\n\r\n" + NEXT)
            assert client.read_response(has_body=False).status in (200, 405)
            assert client.read_response().status == 200
