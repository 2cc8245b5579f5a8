"""Hostile peers: whatever they send, the server survives and other connections are not affected."""

import random
import struct
import time

import pytest

from clients import (
    CONTINUATION,
    DATA,
    ENHANCE_YOUR_CALM,
    GOAWAY,
    HEADERS,
    INITIAL_WINDOW_SIZE,
    PING,
    PRIORITY,
    RST_STREAM,
    SETTINGS,
    WINDOW_MAX,
    WINDOW_UPDATE,
    frame,
)
from lean_client import DEADLINE_S, EVENT_SIZE, Closed


def random_frame(rng, client, streams):
    """A nearly valid frame of a kind that concerns lean streams."""
    stream = rng.choice([*rng.sample(streams, 3), 0, client.next_stream, client.next_stream + 1000, 2])
    increment = rng.choice([0, 1, EVENT_SIZE, 65535, WINDOW_MAX])
    window = rng.choice([0, 1, EVENT_SIZE * 3, 65535, WINDOW_MAX, WINDOW_MAX + 1])
    kind = rng.choices(
        [WINDOW_UPDATE, RST_STREAM, SETTINGS, DATA, HEADERS, CONTINUATION, PRIORITY, PING, GOAWAY, 77],
        [30, 10, 10, 5, 10, 1, 5, 5, 1, 2],
    )[0]
    payload = {
        WINDOW_UPDATE: struct.pack(">I", increment),
        RST_STREAM: struct.pack(">I", rng.choice([0, 8, 2**32 - 1])),
        SETTINGS: struct.pack(">HI", rng.choice([INITIAL_WINDOW_SIZE, 1, 5, 99]), window),
        DATA: bytes(rng.choice([0, 1, 16384])),
        HEADERS: client.header_block("/stream") if rng.random() < 0.9 else bytes(rng.randrange(40)),
        CONTINUATION: b"\x82",
        PRIORITY: struct.pack(">IB", rng.choice([0, *streams[:3]]), 15),
        PING: bytes(8),
        GOAWAY: bytes(8),
    }.get(kind, b"?")
    if kind in (SETTINGS, PING, GOAWAY) and rng.random() < 0.95:
        stream = 0
    if kind == WINDOW_UPDATE and stream == 0 and increment in (0, WINDOW_MAX) and rng.random() < 0.9:
        stream = streams[0]
    if kind == HEADERS and stream == client.next_stream:
        client.next_stream += 2
    if rng.random() < 0.01:
        payload = payload[:-1]
    flags = rng.choice([0, 1, 4, 5, 5, 5]) if kind in (DATA, HEADERS, CONTINUATION) else 0
    return frame(kind, flags, stream, payload)


@pytest.mark.parametrize("seed", range(8))
def test_random_frames(start_lean_server, tls, seed):
    lean_server = start_lean_server(max_streams=60, sndbuf=16384, output_max=50000)
    witness, (stream,) = lean_server.connect_streams(1)
    rng = random.Random(seed)
    sent = 0

    for _ in range(12):
        window = rng.choice([0, EVENT_SIZE, 65535, 1 << 20])
        client, streams = lean_server.connect_streams(
            40, tls=tls, settings=[(INITIAL_WINDOW_SIZE, window)], connection_window=rng.choice([65535, WINDOW_MAX])
        )
        try:
            for _ in range(rng.choice([5, 60])):
                client.send(b"".join(random_frame(rng, client, streams) for _ in range(rng.randrange(1, 6))))
                if rng.random() < 0.2:
                    lean_server.broadcast(rng.choice([1, 10]))
                if rng.random() < 0.05:
                    lean_server.control.get(f"/end?id={rng.choice(streams[1:])}&code={rng.choice([-1, 8])}")
                if rng.random() < 0.2:
                    client.receive(0.01)
                sent += 1
        except (Closed, OSError):
            pass
        client.abort() if rng.random() < 0.5 else client.close()

    stats = lean_server.control.until(lambda stats: stats["conns"] == 1, "hostile connections gone")
    assert stats["streams"] == 1 and stats["on_conn_close"] == 12
    got = len(witness.body[stream])
    lean_server.broadcast()
    witness.until(lambda: len(witness.body[stream]) > got, "event for the witness")
    assert sent > 12 and not witness.reset and witness.goaway is None


@pytest.mark.patch(16)
def test_flood_of_window_sizes_is_slowed_down_and_ended(start_lean_server):
    lean_server = start_lean_server(max_streams=1000)
    client, _ = lean_server.connect_streams(1000)
    flood = b"".join(
        frame(SETTINGS, 0, 0, struct.pack(">HI", INITIAL_WINDOW_SIZE, 65535 - i % 2)) for i in range(1, 101)
    )

    deadline = time.monotonic() + DEADLINE_S
    try:
        while client.goaway is None:
            assert time.monotonic() < deadline, "the server tolerates it"
            client.send(flood)  # 100,000 windows
            client.receive(0.05)
    except (Closed, OSError):
        pass

    assert client.goaway is None or client.goaway[1] == ENHANCE_YOUR_CALM
    lean_server.control.until(lambda stats: stats["on_conn_close"] == 1, "connection closed")


def test_stream_ids_far_apart(lean_server):
    client = lean_server.connect(settings=[(INITIAL_WINDOW_SIZE, 0)])
    streams = [1 + 2**16 * i for i in range(3000)]
    client.send(b"".join(frame(HEADERS, 5, stream, client.header_block("/stream")) for stream in streams))
    client.until(lambda: len(client.headers) == 3000, "headers")
    lean_server.broadcast()

    for stream in streams:
        client.window_update(stream, EVENT_SIZE)

    client.until(lambda: all(client.body[stream] for stream in streams), "events")


@pytest.mark.patch(16)
def test_streams_that_the_server_is_made_to_reset_draw_on_the_budget(start_lean_server):
    lean_server = start_lean_server(max_streams=100)  # the budget is 1,000, and 100 a second
    client = lean_server.connect()
    deadline = time.monotonic() + DEADLINE_S

    try:
        while client.goaway is None:
            assert time.monotonic() < deadline, "the server tolerates it"
            for stream in client.requests("/stream", 100):
                client.window_update(stream, 0)  # an error, for which the server resets the stream
            client.receive(0.05)
    except (Closed, OSError):
        pass

    assert client.goaway is None or client.goaway[1] == ENHANCE_YOUR_CALM
    stats = lean_server.control.until(lambda stats: stats["on_conn_close"] == 1, "connection closed")
    assert 0 < stats["on_close"] < 3000  # a stream that is reset before its request ran has no callback
    assert client.goaway is None or 1000 <= len(client.reset) < 3000
    assert stats["streams"] == 0


@pytest.mark.patch(16)
def test_streams_that_come_and_go_are_no_flood(start_lean_server):
    """Five times the budget for resets; those of streams that were answered take a twentieth each."""
    lean_server = start_lean_server(max_streams=100)  # the budget is 1,000, and 100 a second
    client = lean_server.connect()
    begin = time.monotonic()

    for _ in range(50):
        streams = client.requests("/stream", 100)
        client.until(lambda: all(stream in client.headers for stream in streams), "responses")
        for stream in streams:
            client.rst_stream(stream)

    lean_server.control.until(lambda stats: stats["on_close"] == 5000, "streams closed")
    assert client.goaway is None
    assert time.monotonic() - begin < 10  # at the full price of a reset it would take 40 s, or end the connection
