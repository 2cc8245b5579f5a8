"""A handler answers at the end of the headers; what still arrives of the body is discarded."""

import socket
import struct
import time

import pytest

from clients import (
    DATA,
    END_STREAM,
    FLOW_CONTROL_ERROR,
    INITIAL_WINDOW_SIZE,
    NO_ERROR,
    RST_STREAM,
    WINDOW_UPDATE,
    Http1,
    Http2,
    error_of,
    frame,
    headers,
    literal,
    request,
    rst_stream,
    wait_until,
)

pytestmark = pytest.mark.patch(2)


def post(stream, path, **fields):
    return headers(stream, request(path, "POST", **fields), end_stream=False)


def credit(frames, stream):
    return sum(struct.unpack(">I", f.payload)[0] for f in frames if f.type == WINDOW_UPDATE and f.stream == stream)


@pytest.mark.parametrize("tls", [False, True])
def test_http2__answer_leaves_before_the_body_comes(server, tls):
    with Http2(server.tls_port if tls else server.port, tls=tls) as client:
        client.send(post(1, "/drop"))
        answer = client.frames_until(lambda f: f.type == DATA)
        assert answer[-1].payload == b"dropped"
        assert not answer[-1].flags & END_STREAM, "the end waits for the body"
        client.send(frame(DATA, END_STREAM, 1, b"x" * 100))
        end, _ = client.response(1)
        assert [f.type for f in end] == [DATA] and end[0].flags & END_STREAM
        assert server.stats() == {"headers": 1, "requests": 0, "disposed": 0, "entities": 0, "held": 0}


def test_http2__body_within_the_same_segment(server):
    with Http2(server.port) as client:
        client.send(post(1, "/drop") + frame(DATA, END_STREAM, 1, b"x" * 1000))
        frames, body = client.response(1)
        assert body == b"dropped" and frames[-1].flags & END_STREAM


def test_http2__body_that_never_ends_gets_no_error_reset_after_the_timeout(start_server):
    with Http2(start_server(early_ms=200).tls_port, tls=True) as client:
        started = time.monotonic()
        client.send(post(1, "/drop"))
        frames, body = client.response(1)
        assert 0.19 < time.monotonic() - started < 2
        assert body == b"dropped" and frames[-1].flags & END_STREAM
        last = client.next_frame()
        assert (last.type, last.stream, error_of(last)) == (RST_STREAM, 1, NO_ERROR)
        # frames that were already in flight when the client learnt of it do no harm
        client.send(frame(DATA, 0, 1, b"x" * 1000), headers(3, request("/hello")))
        assert client.response(3)[1] == b"hello"


def test_http2__body_beyond_the_bound_gets_no_error_reset(start_server):
    with Http2(start_server(early_bytes=100000, early_ms=60000).port) as client:
        client.send(post(1, "/drop"))
        client.frames_until(lambda f: f.type == DATA)
        client.send(*(frame(DATA, 0, 1, b"x" * 10000) for _ in range(10)))
        assert not [f for f in client.frames_until_ping() if f.type == DATA]
        client.send(frame(DATA, 0, 1, b"x"))
        frames, _ = client.response(1)
        assert frames[-1].type == DATA and frames[-1].flags & END_STREAM
        assert error_of(client.next_frame()) == NO_ERROR


def test_http2__a_discarded_body_never_waits_for_window(server):
    """The credit is sent before the answer, because curl ignores updates once it has a complete answer."""
    size = 3 * 1024 * 1024
    with Http2(server.tls_port, tls=True) as client:
        client.send(post(1, "/drop"))
        frames = client.frames_until(lambda f: f.type == DATA)
        assert 65535 + credit(frames, 0) > size
        assert client.server_settings[INITIAL_WINDOW_SIZE] + credit(frames, 1) > size
        client.send(*(frame(DATA, 0, 1, b"x" * 16384) for _ in range(size // 16384)), frame(DATA, END_STREAM, 1))
        assert client.response(1)[0][-1].flags & END_STREAM
        assert server.resident_bytes() < 64 << 20


@pytest.mark.parametrize("length", [65536, 70000, 100000, 131000, 200000, 3000000])
@pytest.mark.parametrize("path", ["/drop", "/drop-late", "/echo"])
def test_http2__window_for_the_whole_body_is_there_when_the_handler_has_decided(start_server, path, length):
    with Http2(start_server(entity_max=3000000).port) as client:
        client.send(post(1, path, content_length=length))
        assert client.server_settings[INITIAL_WINDOW_SIZE] + credit(client.frames_until_ping(), 1) >= length


def test_http2__large_early_answer_is_complete_and_ends_once(server):
    with Http2(server.port, window=0x7FFFFFFF) as client:
        client.send(frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", 0x7FFF0000)))
        client.send(post(1, "/drop-big"))
        size = 0
        while size < 1048576:
            received = client.frames_until(lambda f: f.type == DATA)[-1]
            assert not received.flags & END_STREAM
            size += len(received.payload)
        client.send(frame(DATA, END_STREAM, 1, b"x"))
        frames, body = client.response(1)
        assert body == b"" and frames[-1].flags & END_STREAM
        assert not [f for f in client.frames_until_ping() if f.stream == 1]


def test_http2__closed_response_window_does_not_hold_the_end_twice(server):
    """The body ends while the response still waits for window; END_STREAM comes with the last byte."""
    with Http2(server.port, window=3) as client:
        client.send(post(1, "/drop"), frame(DATA, END_STREAM, 1, b"x"))
        first = client.frames_until(lambda f: f.type == DATA)[-1]
        assert first.payload == b"dro" and not first.flags & END_STREAM
        client.send(frame(WINDOW_UPDATE, 0, 1, struct.pack(">I", 100)))
        frames, body = client.response(1)
        assert body == b"pped" and frames[-1].flags & END_STREAM


def test_http2__response_window_of_exactly_the_answer(server):
    """Only END_STREAM is left to send and the window is 0: END_STREAM needs no window."""
    with Http2(server.port, window=7) as client:
        client.send(post(1, "/drop"))
        assert client.frames_until(lambda f: f.type == DATA)[-1].payload == b"dropped"
        client.send(frame(WINDOW_UPDATE, 0, 1, struct.pack(">I", 1)))
        client.send(frame(DATA, END_STREAM, 1, b"x"))
        assert client.response(1)[0][-1].flags & END_STREAM
        assert not [f for f in client.frames_until_ping() if f.stream == 1]


def test_http2__answer_may_come_after_the_body(server):
    with Http2(server.port) as client:
        client.send(post(1, "/drop-late"), frame(DATA, END_STREAM, 1, b"x" * 5000))
        frames, body = client.response(1)
        assert body == b"dropped" and frames[-1].flags & END_STREAM


def test_http2__discarded_body_may_end_with_trailers(server):
    with Http2(server.port) as client:
        client.send(post(1, "/drop"), frame(DATA, 0, 1, b"x"))
        client.send(headers(1, literal(b"checksum", b"1"), end_stream=True))
        assert client.response(1)[0][-1].flags & END_STREAM


@pytest.mark.parametrize("after", [b"", frame(DATA, 0, 1, b"x" * 100), frame(DATA, END_STREAM, 1, b"x" * 100)])
@pytest.mark.parametrize("path", ["/drop", "/drop-late", "/drop-never", "/hold-drop", "/hold-read", "/hold-never"])
def test_http2__reset_by_the_client_at_any_time(server, path, after):
    with Http2(server.port) as client:
        client.send(post(1, path), after, rst_stream(1), headers(3, request("/hello")))
        assert client.response(3)[1] == b"hello"


@pytest.mark.parametrize("path", ["/drop", "/drop-late", "/drop-never", "/drop-big", "/hold-drop", "/hold-read"])
@pytest.mark.parametrize("tls", [False, True])
def test_http2__connection_lost_at_any_time(start_server, path, tls):
    server = start_server(delay_ms=50)
    for data in (b"", frame(DATA, 0, 1, b"x" * 100), frame(DATA, END_STREAM, 1, b"x" * 100)):
        client = Http2(server.tls_port if tls else server.port, tls=tls)
        client.send(post(1, path), data)
        client.frames_until_ping()
        client.reset()
    wait_until(lambda: not connections(server), message="connections are closed")


def connections(server):
    """Established connections of the server's ports, as the kernel sees them."""
    ports = {"%04X" % port for port in (server.port, server.tls_port)}
    with open("/proc/net/tcp") as table:
        rows = [line.split() for line in table.readlines()[1:]]
    return [row for row in rows if row[1].split(":")[1] in ports and row[3] in ("01", "08")]


def test_http2__held_body_gets_no_credit_until_it_is_decided(start_server):
    with Http2(start_server(delay_ms=400).tls_port, tls=True) as client:
        client.send(post(1, "/hold-read"), *(frame(DATA, 0, 1, b"x" * 16000) for _ in range(4)))
        frames = client.frames_until_ping()
        assert credit(frames, 1) == 0
        frames = client.frames_until(lambda f: f.type == WINDOW_UPDATE and f.stream == 1)
        assert credit(frames, 1) > 0
        client.send(frame(DATA, END_STREAM, 1, b"x" * 16000))
        assert client.response(1)[1] == b"entity=80000"


def test_http2__held_body_that_has_ended_is_read_or_dropped(server):
    with Http2(server.port) as client:
        client.send(
            post(1, "/hold-read"),
            post(3, "/hold-drop"),
            post(5, "/hold-answer-drop"),
            *(frame(DATA, END_STREAM, stream, b"x" * 500) for stream in (1, 3, 5)),
        )
        bodies = {}
        for received in client.frames_until(lambda f: f.stream == 5 and f.flags & END_STREAM and f.type == DATA):
            bodies[received.stream] = bodies.get(received.stream, b"") + (
                received.payload if received.type == DATA else b""
            )
        assert (bodies[1], bodies[3], bodies[5]) == (b"entity=500", b"dropped", b"dropped")


def test_http2__request_on_hold_is_not_idle(start_server):
    with Http2(start_server(delay_ms=700, http2_idle_ms=200).port) as client:
        client.send(post(1, "/hold-read"), frame(DATA, END_STREAM, 1, b"x"))
        assert client.response(1)[1] == b"entity=1"


def test_http2__windows_are_enforced(server):
    with Http2(server.port) as client:
        client.send(post(1, "/hold-never"), *(frame(DATA, 0, 1, b"x" * 16384) for _ in range(5)))
        reset = client.frames_until(lambda f: f.type == RST_STREAM)[-1]
        assert (reset.stream, error_of(reset)) == (1, FLOW_CONTROL_ERROR)
        client.send(headers(3, request("/hello")))
        assert client.response(3)[1] == b"hello"


@pytest.mark.parametrize("fields", [{}, {"content_length": 200000}])
def test_http2__too_large_is_413_even_if_the_client_goes_on(start_server, fields):
    with Http2(start_server(entity_max=100000).tls_port, tls=True) as client:
        client.send(post(1, "/echo", **fields))
        frames = []
        for sent in range(10000, 200001, 10000):
            client.send(frame(DATA, 0, 1, b"x" * 10000))
            if sent % 50000 == 0:
                frames += client.frames_until_ping()
        client.send(frame(DATA, END_STREAM, 1))
        frames += client.response(1)[0]
        answer = [f for f in frames if f.stream == 1 and f.type == DATA]
        assert b"".join(f.payload for f in answer) in (b"request entity is too large", b'{"error":413}')
        assert answer[-1].flags & END_STREAM and not [f for f in frames if f.type == RST_STREAM]


def test_http2__body_of_exactly_the_limit_is_read(start_server):
    with Http2(start_server(entity_max=50000).port) as client:
        client.send(post(1, "/echo"), *(frame(DATA, 0, 1, b"x" * 10000) for _ in range(5)))
        client.send(frame(DATA, END_STREAM, 1))
        assert client.response(1)[1] == b"entity=50000"


def test_http2__handler_is_asked_only_if_a_body_follows(server):
    with Http2(server.port) as client:
        client.send(headers(1, request("/drop", "POST")))
        assert client.response(1)[1] == b"dropped"
    assert server.stats()["headers"] == 0


# ------------------------------------------------------------------------------------------------ HTTP/1.1


def http1_post(path, *fields):
    return "\r\n".join([f"POST {path} HTTP/1.1", "host: x", *fields, "", ""]).encode()


def chunks(*sizes):
    return b"".join(b"%x\r\n%s\r\n" % (size, b"x" * size) for size in sizes)


@pytest.mark.parametrize("tls", [False, True])
@pytest.mark.parametrize("framing", ["content-length: 100000", "transfer-encoding: chunked"])
def test_http1__answer_leaves_before_the_body_and_the_connection_is_kept(server, tls, framing):
    with Http1(server.tls_port if tls else server.port, tls=tls) as client:
        client.send(http1_post("/drop", framing))
        assert client.read_response().body == b"dropped"
        body = b"x" * 100000 if "length" in framing else chunks(50000, 50000) + b"0\r\n\r\n"
        client.send(body, b"GET /hello HTTP/1.1\r\nhost: x\r\n\r\n")
        assert client.read_response().body == b"hello"
    assert server.stats()["requests"] == 1


@pytest.mark.parametrize("path,body", [("/drop", b"dropped"), ("/drop-late", b"dropped"), ("/hold-drop", b"dropped")])
@pytest.mark.parametrize("framing", ["content-length: 11", "transfer-encoding: chunked"])
def test_http1__pipelined_after_a_discarded_body(server, path, body, framing):
    with Http1(server.port) as client:
        data = b"x" * 11 if "length" in framing else chunks(4, 7) + b"0\r\n\r\n"
        client.send((http1_post(path, framing) + data) * 3, b"GET /hello HTTP/1.1\r\nhost: x\r\n\r\n")
        assert [client.read_response().body for _ in range(3)] == [body] * 3
        assert client.read_response().body == b"hello"


@pytest.mark.parametrize("framing", ["content-length: 11", "transfer-encoding: chunked"])
def test_http1__held_body_is_read_after_the_decision(server, framing):
    with Http1(server.tls_port, tls=True) as client:
        data = b"x" * 11 if "length" in framing else chunks(4, 7) + b"0\r\n\r\n"
        client.send(http1_post("/hold-read", framing) + data[:5])
        client.send(data[5:], b"GET /hello HTTP/1.1\r\nhost: x\r\n\r\n")
        assert client.read_response().body == b"entity=11"
        assert client.read_response().body == b"hello"


def test_http1__body_that_never_ends_is_closed_after_the_timeout(start_server):
    server = start_server(early_ms=200)
    with Http1(server.port) as client:
        client.send(http1_post("/drop", "content-length: 100000"), b"x" * 10)
        assert client.read_response().body == b"dropped"
        started = time.monotonic()
        assert client.wait_for_end() == b""
        assert 0.1 < time.monotonic() - started < 2


def test_http1__body_beyond_the_bound_is_closed_lingering(start_server):
    server = start_server(early_bytes=100000, early_ms=500)
    with Http1(server.port) as client:
        client.send(http1_post("/drop", "content-length: 10000000"))
        # the client continues to write without reading, and can still read the answer afterwards
        for _ in range(20):
            client.send(b"x" * 10000)
        assert client.read_response().body == b"dropped"
        client.wait_for_end()


def test_http1__broken_chunks_after_the_answer_close_the_connection(server):
    with Http1(server.port) as client:
        client.send(http1_post("/drop", "transfer-encoding: chunked"))
        assert client.read_response().body == b"dropped"
        client.send(b"zz\r\nGET /hello HTTP/1.1\r\nhost: x\r\n\r\n")
        assert client.wait_for_end() == b""


def test_http1__expect_continue_is_not_answered_for_a_discarded_body(server):
    with Http1(server.port) as client:
        client.send(http1_post("/drop", "content-length: 10", "expect: 100-continue"))
        response = client.read_response()
        assert (response.body, response.interim) == (b"dropped", 0)
        assert b"connection: close" in response.head.lower()
        assert client.wait_for_end() == b""


@pytest.mark.parametrize("path", ["/echo", "/hold-read"])
def test_http1__expect_continue_is_answered_if_the_body_is_wanted(server, path):
    with Http1(server.port) as client:
        client.send(http1_post(path, "content-length: 10", "expect: 100-continue"))
        deadline = time.monotonic() + 5
        while b"100 Continue\r\n\r\n" not in client.input:
            assert client.receive(deadline)
        client.send(b"x" * 10)
        response = client.read_response()
        assert (response.body, response.interim) == (b"entity=10", 1)


@pytest.mark.parametrize("framing", ["content-length: 300000", "transfer-encoding: chunked"])
def test_http1__too_large_is_413_even_if_the_client_goes_on(start_server, framing):
    server = start_server(entity_max=100000)
    with Http1(server.port) as client:
        client.send(http1_post("/echo", framing))
        client.send(b"x" * 300000 if "length" in framing else chunks(100000, 100000, 100000) + b"0\r\n\r\n")
        assert client.read_response().status == 413
        client.send(b"GET /hello HTTP/1.1\r\nhost: x\r\n\r\n")
        assert client.read_response().body == b"hello"


def test_http1__chunked_body_of_exactly_the_limit_is_read(start_server):
    with Http1(start_server(entity_max=50000).port) as client:
        client.send(http1_post("/echo", "transfer-encoding: chunked"), chunks(25000, 25000), b"0\r\n\r\n")
        assert client.read_response().body == b"entity=50000"


@pytest.mark.parametrize("length", [b"18446744073709551615", b"18446744073709551614", b"9223372036854775807"])
def test_http1__absurd_content_length(server, length):
    with Http1(server.port) as client:
        client.send(b"POST /echo HTTP/1.1\r\nhost: x\r\ncontent-length: " + length + b"\r\n\r\nabc")
        assert client.read_response().status in (400, 413)


@pytest.mark.parametrize("tls", [False, True])
@pytest.mark.parametrize("path", ["/drop", "/drop-big", "/drop-late", "/drop-never"])
def test_http1__connection_lost_at_any_time(start_server, path, tls):
    server = start_server(delay_ms=50)
    for data in (b"", b"x" * 10, b"x" * 100):
        client = Http1(server.tls_port if tls else server.port, tls=tls)
        client.send(http1_post(path, "content-length: 100"), data)
        wait_until(lambda: server.stats()["headers"] > 0)
        client.socket.shutdown(socket.SHUT_RDWR) if path == "/drop-late" else client.reset()
    wait_until(lambda: not connections(server) or path == "/drop-never", message="connections are closed")
