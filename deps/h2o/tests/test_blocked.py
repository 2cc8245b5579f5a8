"""Responses that a client does not take: how many are held, for how long, and what they cost it."""

import pytest

from clients import (
    CANCEL,
    DATA,
    END_STREAM,
    ENHANCE_YOUR_CALM,
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

pytestmark = pytest.mark.patch(31)


def ask(client, first, count, path="/hello"):
    client.send(*(headers(stream, request(path)) for stream in range(first, first + 2 * count, 2)))


def resets(frames):
    return [f.stream for f in frames if f.type == RST_STREAM and error_of(f) == CANCEL]


def test_responses__that_wait_for_the_connections_window_are_reset(start_server):
    server = start_server(stall_ms=500, write_ms=60000, max_streams=100, big_bytes=30000)
    with Http2(server.tls_port, tls=True, window=1 << 20) as client:
        ask(client, 1, 12, "/big")  # 360,000 octets, of which 65,535 may be sent
        frames = []
        wait_until(lambda: frames.extend(client.frames_until_ping()) or len(resets(frames)) >= 9)
        wait_until(lambda: server.stats()["held"] == 0)
        client.send(window_update(0, 1 << 20), headers(101, request("/hello")))
        assert client.response(101)[1] == b"hello"


def test_responses__whose_windows_open_slowly_are_sent(start_server):
    server = start_server(stall_ms=500, write_ms=60000, max_streams=100, big_bytes=30000)
    with Http2(server.tls_port, tls=True, window=1 << 20) as client:
        ask(client, 1, 6, "/big")
        size = 0
        while size < 180000:
            received = client.next_frame()
            assert received.type != RST_STREAM
            if received.type == 0:
                size += len(received.payload)
                client.send(window_update(0, len(received.payload)))


def test_responses__are_not_held_beyond_a_number(start_server):
    server = start_server(stall_ms=60000, max_blocked=10, max_streams=100)
    with Http2(server.tls_port, tls=True, window=0) as client:
        ask(client, 1, 20)
        assert resets(client.frames_until_ping()) == [], "a second is given"
        frames = []
        wait_until(lambda: frames.extend(client.frames_until_ping()) or
                   client.send(headers(2001 + 2 * len(frames), request("/hello"))) or len(resets(frames)) >= 10)
        assert resets(frames)[:10] == list(range(1, 21, 2)), "the oldest first"


def begin(client, first, count):
    block = request("/no-body", "POST")
    client.send(*(headers(stream, block, end_stream=False) for stream in range(first, first + 2 * count, 2)))


def test_requests__that_do_not_end_are_reset_like_responses_that_nobody_takes(start_server):
    server = start_server(stall_ms=500, max_streams=100)
    with Http2(server.tls_port, tls=True) as client:
        begin(client, 1, 3)
        client.send(frame(DATA, END_STREAM, 1))
        assert client.response(1)[1] == b"hello"
        assert resets(client.frames_until(lambda f: f.type == RST_STREAM and f.stream == 5)) == [3, 5]
        wait_until(lambda: server.stats()["held"] == 0)


def test_requests__that_do_not_end_are_not_held_beyond_a_number(start_server):
    server = start_server(stall_ms=60000, max_blocked=10, max_streams=100)
    with Http2(server.tls_port, tls=True) as client:
        begin(client, 1, 20)
        frames = []
        wait_until(lambda: frames.extend(client.frames_until_ping()) or len(resets(frames)) >= 10)
        assert resets(frames) == list(range(1, 21, 2)), "the oldest first"


def test_memory__of_requests_that_do_not_end_has_a_limit(start_server):
    server = start_server(stall_ms=60000, held_max=20000, max_streams=100)
    with Http2(server.tls_port, tls=True) as client:
        begin(client, 1, 50)
        frames = []
        wait_until(lambda: frames.extend(client.frames_until_ping()) or len(resets(frames)) > 30)
        assert 0 < server.stats()["held"] <= 20000
    wait_until(lambda: server.stats()["held"] == 0)


def test_memory__of_responses_has_a_limit(start_server):
    server = start_server(stall_ms=60000, held_max=20000, max_streams=100)
    with Http2(server.tls_port, tls=True, window=0) as client:
        ask(client, 1, 50)
        wait_until(lambda: len(resets(client.frames_until_ping())) > 0 or server.stats()["disposed"] > 40)
        assert 0 < server.stats()["held"] <= 20000
    wait_until(lambda: server.stats()["held"] == 0)


def test_clients__that_do_it_again_are_told_to_calm_down(start_server):
    server = start_server(stall_ms=200, reset_budget=200, max_streams=100)
    with Http2(server.tls_port, tls=True, window=0) as client:
        ask(client, 1, 100)
        assert len(resets(client.frames_until(lambda f: f.type == RST_STREAM and f.stream == 199))) == 100
        ask(client, 201, 100)
        last = client.frames_until_end()[-1]
        assert (last.type, error_of(last)) == (GOAWAY, ENHANCE_YOUR_CALM)
    assert server.stats()["requests"] < 110
