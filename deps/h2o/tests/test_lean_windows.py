"""Flow control of lean streams (RFC 9113 5.2 and 6.9)."""

import pytest

from clients import FLOW_CONTROL_ERROR, INITIAL_WINDOW_SIZE, PROTOCOL_ERROR, WINDOW_MAX
from lean_client import EVENT_SIZE, events

pytestmark = pytest.mark.patch(14)


def received(client, streams):
    return [len(client.body[stream]) for stream in streams]


def test_closed_stream_window_holds_events_back(lean_server, tls):
    client, streams = lean_server.connect_streams(10, tls=tls, settings=[(INITIAL_WINDOW_SIZE, 0)])
    lean_server.broadcast(5)
    client.round_trip()
    assert received(client, streams) == [0] * 10

    client.window_update(streams[3], 3 * EVENT_SIZE)

    client.until(lambda: len(client.body[streams[3]]) == 3 * EVENT_SIZE, "events")
    client.round_trip()
    assert received(client, streams) == [0] * 3 + [3 * EVENT_SIZE] + [0] * 6
    client.window_update(streams[3], 1000)
    client.until(lambda: len(client.body[streams[3]]) == 5 * EVENT_SIZE, "events")
    assert client.body[streams[3]] == events(1, 5)


def test_window_that_grows_from_too_small_is_reported(lean_server):
    client, (stream,) = lean_server.connect_streams(1, settings=[(INITIAL_WINDOW_SIZE, EVENT_SIZE - 1)])
    lean_server.broadcast()
    client.round_trip()
    assert not client.body[stream]

    client.window_update(stream, 1)

    client.until(lambda: client.body[stream], "event")
    assert client.body[stream] == events(1, 1)


def test_connection_window_is_shared_and_refilled(lean_server, tls):
    client, streams = lean_server.connect_streams(100, tls=tls, connection_window=65535)
    lean_server.broadcast(60)  # 192,000 bytes
    client.round_trip()
    sent = sum(received(client, streams))
    assert 65535 - EVENT_SIZE < sent <= 65535
    hello = client.request("/hello")
    client.window_update(0, 65535 - sent + 6)  # an ordinary response needs the window, too
    client.until(lambda: hello in client.headers, "headers")

    while sum(received(client, streams)) < 100 * 60 * EVENT_SIZE:
        client.window_update(0, 30000)
        client.round_trip()

    client.until(lambda: hello in client.ended, "the ordinary response")
    assert all(client.body[stream] == events(1, 60) for stream in streams)


def test_no_endless_loop_when_the_connection_window_is_smaller_than_an_event(lean_server):
    client, streams = lean_server.connect_streams(1, connection_window=65535, settings=[(INITIAL_WINDOW_SIZE, 1 << 20)])
    lean_server.broadcast(5, size=15000)  # 60,000 of 65,535 bytes go
    client.until(lambda: sum(received(client, streams)) == 60000, "four events")

    calls = [lean_server.stats()["on_room"] for _ in range(50)]

    assert calls[-1] - calls[1] == 0
    client.window_update(0, 10000)
    client.until(lambda: sum(received(client, streams)) == 75000, "the fifth event")


def test_initial_window_goes_down_and_up(lean_server, tls):
    client, streams = lean_server.connect_streams(50, tls=tls, settings=[(INITIAL_WINDOW_SIZE, 20 * EVENT_SIZE)])
    lean_server.broadcast(20)
    client.until(lambda: sum(received(client, streams)) == 50 * 20 * EVENT_SIZE, "events")

    client.settings((INITIAL_WINDOW_SIZE, 5 * EVENT_SIZE))  # windows are -15 events now
    client.round_trip()
    lean_server.broadcast(10)
    client.window_update(streams[0], 15 * EVENT_SIZE)  # zero: not enough
    client.round_trip()
    assert set(received(client, streams)) == {20 * EVENT_SIZE}

    client.window_update(streams[0], 2 * EVENT_SIZE)
    client.until(lambda: len(client.body[streams[0]]) == 22 * EVENT_SIZE, "events")
    client.round_trip()
    assert received(client, streams) == [22 * EVENT_SIZE] + 49 * [20 * EVENT_SIZE]

    client.settings((INITIAL_WINDOW_SIZE, 23 * EVENT_SIZE))  # +18: 3 for the others
    client.until(lambda: received(client, streams) == [30 * EVENT_SIZE] + 49 * [23 * EVENT_SIZE], "events")
    client.settings((INITIAL_WINDOW_SIZE, WINDOW_MAX - 17 * EVENT_SIZE))
    client.until(lambda: set(received(client, streams)) == {30 * EVENT_SIZE}, "events")
    assert all(client.body[stream] == events(1, 30) for stream in streams)


def test_window_of_a_new_stream_is_the_current_initial_one(lean_server):
    client, first = lean_server.connect_streams(1, settings=[(INITIAL_WINDOW_SIZE, EVENT_SIZE)])
    client.settings((INITIAL_WINDOW_SIZE, 3 * EVENT_SIZE))
    second = client.request("/stream")
    client.until(lambda: second in client.headers, "headers")

    lean_server.broadcast(9)

    client.until(lambda: len(client.body[second]) == 3 * EVENT_SIZE, "events")
    client.round_trip()
    assert received(client, [*first, second]) == [3 * EVENT_SIZE] * 2


def test_window_granted_before_the_stream_turned_lean_counts(lean_server):
    client = lean_server.connect(settings=[(INITIAL_WINDOW_SIZE, 0)])
    stream = client.request("/stream?delay=1")
    client.window_update(stream, 2 * EVENT_SIZE)
    client.until(lambda: stream in client.headers, "headers")

    lean_server.broadcast(3)

    client.until(lambda: len(client.body[stream]) == 2 * EVENT_SIZE, "events")
    client.round_trip()
    assert client.body[stream] == events(1, 2)


@pytest.mark.parametrize(
    "increment, error", [(WINDOW_MAX - 65535 + 1, FLOW_CONTROL_ERROR), (0, PROTOCOL_ERROR)], ids=["overflow", "zero"]
)
def test_bad_window_update_ends_only_its_stream(lean_server, increment, error):
    client, streams = lean_server.connect_streams(3)
    client.window_update(streams[0], WINDOW_MAX - 65535)  # just allowed
    client.round_trip()
    assert not client.reset

    client.window_update(streams[1], increment)

    client.until(lambda: streams[1] in client.reset, "RST_STREAM")
    assert client.reset == {streams[1]: error}
    stats = lean_server.stats()
    assert (stats["on_close"], stats["last_error"], stats["streams"]) == (1, error, 2)
    lean_server.broadcast()
    client.until(lambda: client.body[streams[2]], "event")
    client.round_trip()
    assert received(client, streams) == [EVENT_SIZE, 0, EVENT_SIZE]


def test_initial_window_that_overflows_a_stream_ends_the_connection(lean_server):
    client, streams = lean_server.connect_streams(20)
    client.window_update(streams[7], WINDOW_MAX - 65535)

    client.settings((INITIAL_WINDOW_SIZE, 65536))

    client.until(lambda: client.goaway is not None, "GOAWAY")
    assert client.goaway[1] == FLOW_CONTROL_ERROR
    client.until_closed()
    stats = lean_server.control.until(lambda stats: stats["conns"] == 0, "connection closed")
    assert (stats["on_conn_close"], stats["on_close"], stats["streams"]) == (1, 0, 0)


def test_connection_window_overflow_ends_the_connection(lean_server):
    client, _ = lean_server.connect_streams(5, connection_window=WINDOW_MAX)

    client.window_update(0, 1)

    client.until(lambda: client.goaway is not None, "GOAWAY")
    assert client.goaway[1] == FLOW_CONTROL_ERROR
    client.until_closed()
    lean_server.control.until(lambda stats: stats["on_conn_close"] == 1, "connection closed")


def test_streams_dropped_inside_on_window(lean_server):
    client, streams = lean_server.connect_streams(500, settings=[(INITIAL_WINDOW_SIZE, 0)])
    lean_server.control.get("/drop")

    client.settings((INITIAL_WINDOW_SIZE, 1000))

    client.until(lambda: set(client.reset) == set(streams), "RST_STREAM of all")
    assert lean_server.stats()["streams"] == 0
    hello = client.request("/hello")
    client.until(lambda: hello in client.ended, "an ordinary response")


def test_window_update_of_an_ended_stream_is_ignored(lean_server):
    client, streams = lean_server.connect_streams(2)
    lean_server.control.get(f"/end?id={streams[0]}")
    client.until(lambda: streams[0] in client.ended, "END_STREAM")

    client.window_update(streams[0], 1000)
    client.round_trip()

    assert not client.reset and client.goaway is None
