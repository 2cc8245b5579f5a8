"""Streams that end by RST_STREAM are slowed down and bounded."""

import time

import pytest

from clients import (
    DATA,
    ENHANCE_YOUR_CALM,
    GOAWAY,
    Http2,
    error_of,
    frame,
    headers,
    request,
    rst_stream,
    wait_until,
    window_update,
)

pytestmark = pytest.mark.patch(16)

NEVER = request("/never")
ATTACKS = {
    "reset by the client": lambda stream: rst_stream(stream),
    "window update of zero": lambda stream: window_update(stream, 0),
    "data after the end": lambda stream: frame(DATA, 0, stream, b"x"),
    "window overflow": lambda stream: window_update(stream, 0x7FFFFFFF),
}


def flood(client, attack, seconds):
    """Opens and ends streams as fast as the server takes it."""
    deadline, stream, pending = time.monotonic() + seconds, 1, b""
    while time.monotonic() < deadline:
        while len(pending) < 100000:
            pending += headers(stream, NEVER) + attack(stream)
            stream += 2
        try:
            n = client.send_what_fits(pending)
            client.socket.setblocking(False)
            while client.socket.recv(1 << 20):
                pass
        except BlockingIOError:
            pass
        except OSError:
            break
        pending = pending[n:]
        if n == 0:
            time.sleep(0.005)


@pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS.keys())
def test_resets__run_few_handlers(start_server, attack):
    server = start_server(reset_budget=100, max_streams=100)
    client = Http2(server.port)
    flood(client, attack, 1.5)
    client.reset()
    # the budget, a tenth of it for each second, and one for each delay
    assert server.stats()["requests"] < 160


def test_resets__that_go_on_end_the_connection(start_server):
    server = start_server(reset_budget=10, max_streams=10)
    with Http2(server.port) as client:
        stop = time.monotonic() + 20
        stream = 1
        try:
            while time.monotonic() < stop:
                client.send(b"".join(headers(s, NEVER) + rst_stream(s) for s in range(stream, stream + 100, 2)))
                stream += 100
        except (ConnectionError, TimeoutError):
            pass
        frames = client.frames_until_end()
        assert not frames or (frames[-1].type, error_of(frames[-1])) == (GOAWAY, ENHANCE_YOUR_CALM)
        assert 4 < 20 - (stop - time.monotonic()) < 15


def test_resets__within_the_budget_are_not_slowed_down(start_server):
    server = start_server(max_streams=1000)
    with Http2(server.port) as client:
        for n in range(4):
            client.send(b"".join(headers(1 + 2 * s, request("/stream")) for s in range(n * 250, n * 250 + 250)))
            client.send(b"".join(rst_stream(1 + 2 * s) for s in range(n * 250, n * 250 + 250)))
        started = time.monotonic()
        client.send(headers(3001, request("/hello")))
        assert client.response(3001)[1] == b"hello"
        assert time.monotonic() - started < 1
    assert server.stats()["requests"] == 1001


def test_resets__after_a_pause_the_connection_works_as_before(start_server):
    server = start_server(reset_budget=50, max_streams=50)
    with Http2(server.port) as client:
        client.send(b"".join(headers(1 + 2 * s, NEVER) + rst_stream(1 + 2 * s) for s in range(55)))
        client.send(headers(201, request("/hello")))
        assert client.response(201)[1] == b"hello"


def test_resets__another_connection_notices_nothing(start_server):
    server = start_server(reset_budget=50, max_streams=50)
    with Http2(server.port) as attacker, Http2(server.port) as honest:
        attacker.send(b"".join(headers(1 + 2 * s, NEVER) + rst_stream(1 + 2 * s) for s in range(500)))
        for n in range(100):
            honest.send(headers(1 + 2 * n, request("/hello")))
            assert honest.response(1 + 2 * n, timeout=2)[1] == b"hello"


def test_streams__that_wait_for_a_flush_are_bounded(start_server):
    """The client does not read, so that what it resets stays until the write completes."""
    server = start_server(max_streams=100, reset_budget=1000000)
    client = Http2(server.port, receive_buffer=4096, window=0x7FFFFFFF)
    client.send(window_update(0, 0x7FFF0000 - 65535), *(headers(1 + 2 * n, request("/big")) for n in range(6)))
    wait_until(lambda: server.stats()["requests"] == 6)
    block, stream, pending, deadline = request("/stream"), 101, b"", time.monotonic() + 2
    while time.monotonic() < deadline:
        while len(pending) < 100000:
            pending += headers(stream, block) + rst_stream(stream)
            stream += 2
        pending = pending[client.send_what_fits(pending) :]
        time.sleep(0.002)
    stats = server.stats()
    assert stats["requests"] - stats["disposed"] < 300
    client.reset()
    wait_until(lambda: server.stats()["disposed"] == server.stats()["requests"], message="all requests are gone")
