"""HTTP/2 peers that are stalled."""

import contextlib
import time

import pytest

from clients import (
    DATA,
    END_STREAM,
    GOAWAY,
    RST_STREAM,
    Http2,
    error_of,
    frame,
    headers,
    request,
    wait_until,
    window_update,
)

CANCEL = 8


@pytest.fixture
def impatient(start_server):
    return start_server(write_ms=400, stall_ms=400, big_bytes=8 << 20)


@pytest.mark.patch(17)
def test_stream__whose_window_stays_closed_is_reset(impatient):
    with Http2(impatient.port, window=0) as client:
        client.send(headers(1, request("/stream")), headers(3, request("/hello")))
        reset = client.frames_until(lambda f: f.type == RST_STREAM)[-1]
        assert (reset.stream, error_of(reset)) == (3, CANCEL)
        # a stream with nothing to send is not stalled
        with pytest.raises(TimeoutError):
            client.frames_until(lambda f: f.type in (RST_STREAM, GOAWAY), timeout=1)


@pytest.mark.patch(17)
def test_stream__that_is_fed_crumbs_of_window_is_reset(impatient):
    with Http2(impatient.tls_port, tls=True, window=0) as client:
        client.send(headers(1, request("/big")))
        started = time.monotonic()
        while True:
            client.send(window_update(1, 10))
            # paced: without it a fast client takes enough bytes in this time to count as one that makes progress
            time.sleep(0.01)
            frames = client.frames_until_ping()
            if any(f.type == RST_STREAM for f in frames):
                break
            assert time.monotonic() - started < 5
        client.send(headers(3, request("/stream")))
        assert not any(f.type == RST_STREAM for f in client.frames_until_ping())


@pytest.mark.patch(17)
def test_stream__that_is_slow_but_moves_is_served(start_server):
    server = start_server(write_ms=500, stall_ms=500, big_bytes=200000)
    with Http2(server.port, window=0) as client:
        client.send(window_update(0, 1 << 20), headers(1, request("/big")))
        body = 0
        for _ in range(10):
            client.send(window_update(1, 20000))
            deadline, until = time.monotonic() + 5, body + 20000
            while body < until:
                received = client.next_frame(deadline - time.monotonic())
                assert received.type != RST_STREAM
                body += len(received.payload) if received.type == DATA else 0
            client.frames_until_ping()
            pause(client, 0.15)
        assert body == 200000


def pause(client, seconds):
    """Lets time pass on a connection that is idle: the passing of time is what is tested."""
    with pytest.raises(TimeoutError):
        client.next_frame(seconds)


@pytest.mark.patch(17)
def test_connection__whose_window_stays_closed_is_closed(impatient):
    with Http2(impatient.port, window=0x7FFFFFFF) as client:
        client.send(headers(1, request("/big")))
        assert client.frames_until_end()[-1].type == GOAWAY
    wait_until(lambda: impatient.stats()["disposed"] == 1)


@pytest.mark.patch(17)
def test_connection__whose_window_is_opened_by_what_was_read_is_served(start_server):
    server = start_server(write_ms=400, stall_ms=400, big_bytes=8 << 20)
    with Http2(server.tls_port, tls=True, window=0x7FFFFFFF) as client:
        client.send(headers(1, request("/big")))
        body, until = 0, 65535
        for _ in range(10):
            while body < until:
                received = client.next_frame(5)
                assert received.type not in (RST_STREAM, GOAWAY), f"given up after {body} bytes"
                body += len(received.payload) if received.type == DATA else 0
            pause(client, 0.15)
            client.send(window_update(0, 20000))
            until += 20000


@pytest.mark.patch(17)
def test_connection__that_is_fed_crumbs_of_window_is_closed(impatient):
    with Http2(impatient.port, window=0x7FFFFFFF) as client:
        client.send(headers(1, request("/big")))

        def feed():
            with contextlib.suppress(OSError):
                client.send(window_update(0, 10))
            return impatient.stats()["disposed"] == 1

        wait_until(feed, message="the connection is closed")


@pytest.mark.patch(17)
@pytest.mark.parametrize("tls", [False, True])
def test_connection__that_is_not_read_is_closed(impatient, tls):
    before = impatient.descriptors()
    client = Http2(impatient.tls_port if tls else impatient.port, tls=tls, receive_buffer=4096, window=0x7FFFFFFF)
    client.send(window_update(0, 0x7FFF0000 - 65535), *(headers(1 + 2 * n, request("/big")) for n in range(4)))
    wait_until(lambda: impatient.stats()["requests"] == 4)
    wait_until(lambda: impatient.stats()["disposed"] == 4, message="the responses are given up")
    wait_until(lambda: impatient.descriptors() <= before, message="the socket is closed")
    client.reset()


@pytest.mark.patch(17)
@pytest.mark.parametrize("pieces", [[], [b"x"] * 30])
def test_body__that_does_not_come_resets_its_stream(impatient, pieces):
    with Http2(impatient.port) as client:
        client.send(headers(1, request("/echo", "POST"), end_stream=False), headers(3, request("/stream")))
        for piece in pieces:
            client.send(frame(DATA, 0, 1, piece))
            pause_or_reset = client.frames_until_ping()
            if any(f.type == RST_STREAM for f in pause_or_reset):
                return
            time.sleep(0.05)
        reset = client.frames_until(lambda f: f.type == RST_STREAM)[-1]
        assert (reset.stream, error_of(reset)) == (1, CANCEL)


@pytest.mark.patch(17)
def test_body__on_hold_is_not_the_clients_stall(start_server):
    server = start_server(stall_ms=200, delay_ms=600)
    with Http2(server.port) as client:
        client.send(headers(1, request("/hold-read", "POST"), end_stream=False), frame(DATA, END_STREAM, 1, b"x"))
        assert client.response(1)[1] == b"entity=1"


@pytest.mark.patch(17)
def test_streams__that_are_idle_stay_open(impatient):
    with Http2(impatient.tls_port, tls=True) as client:
        client.send(*(headers(1 + 2 * n, request("/stream")) for n in range(50)))
        client.frames_until_ping()
        pause(client, 1.5)
        assert client.frames_until_ping() == []


@pytest.mark.patch(18)
def test_close__does_not_wait_for_a_peer_that_does_not_read(start_server):
    """The kernel's buffer is full to the last byte, so close_notify cannot be written."""
    server = start_server(http2_idle_ms=300, no_room_for_alerts=1)
    before = server.descriptors()
    clients = [Http2(server.tls_port, tls=True) for _ in range(5)]
    assert all(client.socket.version() == "TLSv1.2" for client in clients)
    wait_until(lambda: server.descriptors() <= before, message="the idle connections are closed")
    for client in clients:
        client.reset()
