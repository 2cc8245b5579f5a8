"""HTTP/2: states into which a peer can lead h2o, and requests that are malformed."""

import struct
import time

import pytest

from clients import (
    CONTINUATION,
    DATA,
    END_HEADERS,
    END_STREAM,
    FLOW_CONTROL_ERROR,
    GOAWAY,
    PRIORITY,
    PROTOCOL_ERROR,
    REFUSED_STREAM,
    RST_STREAM,
    Http2,
    error_of,
    frame,
    headers,
    literal,
    ping,
    request,
    settings,
    wait_until,
    window_update,
)


def keep_writing(client, data, seconds=2.0, stop=lambda: False):
    """Writes `data` (an iterator of whole frames) without reading, until the time is over; returns the bytes taken."""
    deadline, buffered, taken = time.monotonic() + seconds, b"", 0
    while time.monotonic() < deadline and not stop():
        if len(buffered) < 100000:
            buffered += next(data)
        try:
            n = client.send_what_fits(buffered)
        except OSError:
            break
        if n == 0:
            time.sleep(0.005)
        taken += n
        buffered = buffered[n:]
    return taken


def block_output(client, requests=8, first=1):
    """Makes the server's writes block: the client has granted any window, asks for much and reads nothing."""
    client.send(window_update(0, 0x7FFF0000 - 65535))
    client.send(*(headers(first + 2 * n, request("/big")) for n in range(requests)))


@pytest.mark.patch(6)
def test_window_update__for_a_response_that_waits_to_be_flushed(server):
    """The windows are exactly as long as the responses, and updates arrive while the responses are being written."""
    client = Http2(server.port, receive_buffer=4096, window=5)

    def attack():
        stream = 1
        while True:
            updates = b"".join(window_update(s, 1) for s in range(max(1, stream - 40), stream, 2))
            yield ping() * 300 + headers(stream, request("/hello")) + updates
            stream += 2

    keep_writing(client, attack(), 3, lambda: not server.is_alive())
    assert server.is_alive()
    client.reset()


@pytest.mark.patch(6)
def test_settings__that_overflow_a_window_are_a_connection_error(server):
    with Http2(server.port) as client:
        client.send(headers(1, request("/stream")), window_update(1, 0x7FFFFFFF - 65535), settings(window=65536))
        assert error_of(client.frames_until(lambda f: f.type == GOAWAY)[-1]) == FLOW_CONTROL_ERROR


@pytest.mark.patch(7)
def test_closing__with_requests_that_are_pending(start_server):
    server = start_server(concurrent=1)
    client = Http2(server.port, receive_buffer=4096, window=0x7FFFFFFF)
    client.send(headers(1, request("/never")), *(headers(1 + 2 * n, request("/hello")) for n in range(1, 20)))
    wait_until(lambda: server.stats()["requests"] == 1)
    keep_writing(client, iter(lambda: ping() * 1000, None), 2)
    client.reset()
    wait_until(lambda: server.stats()["disposed"] == 1, message="the request is gone")
    assert server.stats()["requests"] == 1, "no other request was started"


@pytest.mark.patch(7)
def test_closing__takes_no_input_while_a_write_is_blocked(server):
    client = Http2(server.port, receive_buffer=4096, window=0x7FFFFFFF)
    block_output(client)
    wait_until(lambda: server.stats()["requests"] == 8)
    before = server.resident_bytes()
    client.send(frame(CONTINUATION, END_HEADERS, 201, b"x"))  # a connection error
    keep_writing(client, iter(lambda: b"\0" * 65536, None), 3)
    assert server.resident_bytes() - before < 32 << 20
    client.reset()


@pytest.mark.patch(7)
def test_graceful_shutdown__in_the_middle_of_a_header_block(server):
    with Http2(server.port) as client:
        block = request("/hello")
        client.send(headers(1, request("/never")), headers(3, block[:10], end_headers=False))
        wait_until(lambda: server.stats()["requests"] == 1)
        server.shut_down_gracefully()
        client.frames_until(lambda f: f.type == GOAWAY)  # the second GOAWAY, after a second, is the final one
        assert client.frames_until(lambda f: f.type == GOAWAY)[-1].payload[:4] == b"\0\0\0\3"
        client.send(frame(CONTINUATION, END_HEADERS, 3, block[10:]))
        reset = client.frames_until(lambda f: f.type == RST_STREAM)[-1]
        assert (reset.stream, error_of(reset)) == (3, REFUSED_STREAM)
        before = server.cpu_seconds()
        client.frames_until_ping()
        assert server.cpu_seconds() - before < 0.5


@pytest.mark.patch(7)
def test_graceful_shutdown__requests_in_flight_are_served_and_new_ones_refused(server):
    with Http2(server.tls_port, tls=True) as client:
        client.send(headers(1, request("/echo", "POST"), end_stream=False), frame(DATA, 0, 1, b"x" * 10))
        client.frames_until_ping()
        server.shut_down_gracefully()
        client.frames_until(lambda f: f.type == GOAWAY)
        client.send(headers(3, request("/hello")))
        assert client.response(3)[1] == b"hello", "the first GOAWAY takes no streams away"
        assert client.frames_until(lambda f: f.type == GOAWAY)[-1].payload[:4] == b"\0\0\0\3"
        client.send(headers(5, request("/hello") + literal(b"a-name", b"a-value", indexed=True)))
        assert error_of(client.response(5)[0][-1]) == REFUSED_STREAM
        # the name is in the dynamic table, and the request in flight may refer to it
        client.send(frame(DATA, 0, 1, b"x" * 10), headers(1, b"\xbe"))
        assert client.response(1)[1] == b"entity=20"
        assert client.frames_until_end() == []


@pytest.mark.patch(7)
@pytest.mark.parametrize("tls", [False, True])
def test_graceful_shutdown__a_slow_reader_gets_its_last_response(start_server, tls):
    server = start_server(big_bytes=4 << 20)
    client = Http2(server.tls_port if tls else server.port, tls=tls, receive_buffer=2048, window=0x7FFFFFFF)
    client.send(window_update(0, 0x7FFF0000 - 65535), headers(1, request("/big")))
    wait_until(lambda: server.stats()["requests"] == 1)
    with Http2(server.port) as witness:
        server.shut_down_gracefully()
        witness.frames_until_end()  # the second GOAWAY closes a connection without streams
    # in small pieces, so that the kernel's buffer is full whenever there is more to write
    size, last = 0, None
    client.socket.settimeout(10)
    while True:
        while len(client.input) < 9 or len(client.input) < 9 + int.from_bytes(client.input[:3], "big"):
            sip = client.socket.recv(700)
            if not sip:
                break
            client.input += sip
        else:
            received = client.next_frame()
            if received.type == DATA:
                size, last = size + len(received.payload), received
            continue
        break
    assert size == 4 << 20 and last.flags & END_STREAM


@pytest.mark.patch(7)
def test_graceful_shutdown__idle_connections_close(server):
    with Http2(server.port) as client:
        server.shut_down_gracefully()
        frames = client.frames_until_end()
        assert [f.type for f in frames if f.type != 4][-1] == GOAWAY


@pytest.mark.patch(8)
def test_continuation__of_another_stream_is_a_connection_error(server):
    with Http2(server.port) as client:
        client.send(
            headers(1, request("/echo", "POST"), end_stream=False),
            frame(DATA, 0, 1, b"abc"),
            headers(3, b"", end_headers=False),
            frame(CONTINUATION, END_HEADERS, 1, literal(b"xx", b"y")),
        )
        assert error_of(client.frames_until_end()[-1]) == PROTOCOL_ERROR
    assert server.stats()["requests"] == 0


@pytest.mark.patch(8)
def test_continuation__of_the_same_stream_is_fine(server):
    with Http2(server.port) as client:
        block = request("/hello")
        client.send(headers(1, block[:9], end_headers=False), frame(CONTINUATION, 0, 1, block[9:20]))
        client.send(frame(CONTINUATION, END_HEADERS, 1, block[20:]))
        assert client.response(1)[1] == b"hello"


@pytest.mark.patch(9)
def test_unknown_frames__are_ignored_in_silence(server):
    with Http2(server.port) as client:
        client.send(*(frame(0x40 + n, 0xFF, n, b"x" * n) for n in range(100)), headers(1, request("/hello")))
        assert client.response(1)[1] == b"hello"
    assert server.log() == ""


@pytest.mark.patch(8)
def test_request__with_an_empty_path_is_malformed(server):
    with Http2(server.port) as client:
        client.send(headers(1, request("")), headers(3, request("/hello")))
        reset = client.frames_until(lambda f: f.type == RST_STREAM)[-1]
        assert (reset.stream, error_of(reset)) == (1, PROTOCOL_ERROR)
        assert client.response(3)[1] == b"hello"


@pytest.mark.patch(8)
@pytest.mark.parametrize("path", ["/drop", "/drop-late", "/hold-drop", "/drop-never"])
@pytest.mark.parametrize("bodies", [[b"abc"], [b"abcde"], [b"ab", b""], [b"abcd", b"e"], [b""]])
def test_body__that_is_dropped_has_the_announced_length(server, path, bodies):
    with Http2(server.port) as client:
        client.send(headers(1, request(path, "POST", content_length=4), end_stream=False))
        client.send(*(frame(DATA, 0, 1, body) for body in bodies[:-1]), frame(DATA, END_STREAM, 1, bodies[-1]))
        reset = client.frames_until(lambda f: f.type == RST_STREAM)[-1]
        assert (reset.stream, error_of(reset)) == (1, PROTOCOL_ERROR)
        client.send(headers(3, request("/hello")))
        assert client.response(3)[1] == b"hello"


@pytest.mark.patch(8)
def test_body__that_is_announced_has_to_come(server):
    with Http2(server.port) as client:
        client.send(headers(1, request("/echo", "POST", content_length=5)), headers(3, request("/hello")))
        reset = client.frames_until(lambda f: f.type in (RST_STREAM, DATA))[-1]
        assert (reset.type, reset.stream, error_of(reset)) == (RST_STREAM, 1, PROTOCOL_ERROR)
        assert client.response(3)[1] == b"hello"


@pytest.mark.patch(8)
def test_trailers__that_are_invalid_are_a_stream_error(server):
    with Http2(server.port) as client:
        client.send(headers(1, request("/echo", "POST"), end_stream=False), frame(DATA, 0, 1, b"x"))
        client.send(headers(1, literal(b"bad", b"a\x01b")))
        reset = client.frames_until(lambda f: f.type == RST_STREAM)[-1]
        assert (reset.stream, error_of(reset)) == (1, PROTOCOL_ERROR)
        client.send(headers(3, request("/hello")))
        assert client.response(3)[1] == b"hello"


@pytest.mark.patch(21)
def test_priorities__that_are_shuffled_cost_next_to_nothing(start_server):
    """A chain of 450 streams, 450 children below it, and two in the chain that change places."""

    def depends(stream, parent, exclusive=False):
        return frame(PRIORITY, 0, stream, struct.pack(">IB", parent | exclusive << 31, 16))

    server = start_server(max_streams=1000)
    with Http2(server.port) as client:
        client.send(*(headers(stream, request("/stream")) for stream in range(1, 1801, 2)))
        client.send(*(depends(stream, stream - 2) for stream in range(3, 903, 2)))
        client.send(*(depends(stream, 901) for stream in range(903, 1801, 2)))
        client.frames_until_ping()
        before = server.cpu_seconds()
        for _ in range(10):
            client.send((depends(899, 901, True) + depends(901, 899, True)) * 500)
            client.frames_until_ping(60)
    assert server.cpu_seconds() - before < 1  # 10,000 frames of 355 us would be 3.5 s
