"""All patches together: random sequences of frames and bytes, which may have no other effect than errors.

The sequences are made of what a client may send, in any order, at any time, with the connection cut anywhere. They are
the same in every run; TORTURE_SEED and TORTURE_ROUNDS give others.
"""

import os
import random
import socket
import struct

import pytest

from clients import (
    CONTINUATION,
    DATA,
    END_HEADERS,
    END_STREAM,
    GOAWAY,
    PREFACE,
    PRIORITY,
    Http1,
    Http2,
    frame,
    headers,
    literal,
    ping,
    request,
    rst_stream,
    settings,
    window_update,
)

SEED = int(os.environ.get("TORTURE_SEED", "1"))
ROUNDS = int(os.environ.get("TORTURE_ROUNDS", "150"))
PATHS = ["/hello", "/echo", "/stream", "/big", "/delay", "/never", "/unknown", "/empty-final", "/empty-part", "/data"]
PATHS += ["/drop", "/drop-big", "/drop-late", "/drop-never"]
PATHS += ["/hold-read", "/hold-drop", "/hold-answer-drop", "/hold-never"]


def random_frame(dice, state):
    """One frame, mostly sensible in `state` (ids of streams that were opened)."""
    stream = dice.choice(state["streams"]) if state["streams"] and dice.random() < 0.9 else dice.randrange(0, 60)
    kind = dice.randrange(16)
    if kind < 5:
        state["next"] += 2
        state["streams"].append(state["next"])
        fields = {} if dice.random() < 0.7 else {"content_length": dice.choice([0, 1, 100, 5000, 10**9])}
        method = dice.choice(["GET", "POST", "HEAD"])
        return headers(state["next"], request(dice.choice(PATHS), method, **fields), dice.random() < 0.4)
    if kind < 9:
        return frame(DATA, dice.choice([0, 0, END_STREAM]), stream, b"d" * dice.choice([0, 1, 100, 5000, 16384]))
    if kind == 9:
        return rst_stream(stream, dice.randrange(14))
    if kind == 10:
        return window_update(dice.choice([0, stream]), dice.choice([0, 1, 5, 10000, 0x7FFF0000]))
    if kind == 11:
        return settings(window=dice.choice([0, 1, 5, 7, 65535, 1 << 20, 0x7FFFFFFF]))
    if kind == 12:
        return headers(stream, literal(b"trailer", b"x" * dice.choice([1, 1000])), True, dice.random() < 0.8)
    if kind == 13:
        return frame(PRIORITY, 0, stream, struct.pack(">IB", dice.choice([0, stream + 2, 1]), dice.randrange(256)))
    if kind == 14:
        return dice.choice([ping(), frame(GOAWAY, 0, 0, b"\0" * 8), frame(CONTINUATION, END_HEADERS, stream, b"")])
    return frame(dice.randrange(12), dice.randrange(256), stream, dice.randbytes(dice.choice([0, 1, 4, 5, 8, 40])))


def drain(client, dice):
    """Reads a part of what has arrived, or nothing."""
    client.socket.setblocking(False)
    try:
        while dice.random() < 0.9:
            if not client.socket.recv(dice.choice([10, 1000, 65536])):
                break
    except OSError:
        pass


def leave(client, dice):
    way = dice.randrange(4)
    try:
        if way == 0:
            client.reset()
        elif way == 1:
            client.socket.shutdown(socket.SHUT_WR)
    except OSError:
        pass
    client.socket.close()


def start(start_server):
    return start_server(
        delay_ms=20, early_ms=50, early_bytes=20000, entity_max=20000, stall_ms=300, write_ms=300, http1_write_ms=300,
        http2_idle_ms=300, http1_request_ms=300, max_streams=20, reset_budget=100000, big_bytes=200000, concurrent=5,
    )  # fmt: skip


def send_some(client, dice, data, all_of_it):
    """Sends the data, or (with the probability 1 - all_of_it) only its beginning; returns the rest."""
    cut = len(data) if dice.random() < all_of_it else dice.randrange(len(data) + 1)
    client.send(data[:cut], timeout=1)
    drain(client, dice)
    return data[cut:]


@pytest.mark.parametrize("tls", [False, True])
def test_torture__http2(start_server, tls):
    server, dice = start(start_server), random.Random(SEED)
    for _ in range(ROUNDS):
        buffer = dice.choice([None, 2048])
        client = Http2(server.tls_port if tls else server.port, tls=tls, receive_buffer=buffer, handshake=False)
        state = {"streams": [], "next": -1}
        data = PREFACE + settings(window=dice.choice([0, 5, 7, 65535, 0x7FFFFFFF]))
        try:
            for _ in range(dice.randrange(1, 12)):
                data += b"".join(random_frame(dice, state) for _ in range(dice.randrange(1, 12)))
                data = send_some(client, dice, data, 0.8)
        except OSError:
            pass
        leave(client, dice)
    assert_works(server)


HTTP1 = [
    b"GET %s HTTP/1.1\r\nhost: x\r\n\r\n",
    b"HEAD %s HTTP/1.1\r\nhost: x\r\n\r\n",
    b"GET %s HTTP/1.0\r\nconnection: keep-alive\r\n\r\n",
    b"POST %s HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\n0123456789",
    b"POST %s HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\nexpect: 100-continue\r\n\r\n0123456789",
    b"POST %s HTTP/1.1\r\nhost: x\r\ncontent-length: 30000\r\n\r\n" + b"x" * 30000,
    b"POST %s HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n5\r\n01234\r\n5\r\n01234\r\n0\r\n\r\n",
    b"POST %s HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n7530\r\n" + b"x" * 30000 + b"\r\n0\r\n\r\n",
    b"POST %s HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n0\r\n\r\n",
]


@pytest.mark.parametrize("tls", [False, True])
def test_torture__http1(start_server, tls):
    server, dice = start(start_server), random.Random(SEED)
    for _ in range(ROUNDS):
        buffer = dice.choice([None, 2048])
        client = Http1(server.tls_port if tls else server.port, tls=tls, receive_buffer=buffer)
        data = b""
        try:
            for _ in range(dice.randrange(1, 8)):
                piece = dice.choice(HTTP1) % dice.choice(PATHS).encode()
                if dice.random() < 0.2:
                    at = dice.randrange(len(piece))
                    piece = piece[:at] + dice.choice([b"", b"\0", b"\r", b"\n", b"x" * 5000]) + piece[at + 1 :]
                data += piece
                data = send_some(client, dice, data, 0.7)
        except OSError:
            pass
        leave(client, dice)
    assert_works(server)


def assert_works(server):
    assert server.is_alive(), server.log()
    with Http2(server.tls_port, tls=True) as client:
        client.send(headers(1, request("/hello")))
        assert client.response(1)[1] == b"hello"
    with Http1(server.port) as client:
        client.send(b"GET /hello HTTP/1.1\r\nhost: x\r\n\r\n")
        assert client.read_response().body == b"hello"
