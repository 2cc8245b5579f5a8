"""How lean streams and their connections end."""

import pytest

from clients import (
    CANCEL,
    CONTINUATION,
    DATA,
    END_HEADERS,
    END_STREAM,
    HEADER_TABLE_SIZE,
    HEADERS,
    MAX_CONCURRENT_STREAMS,
    NO_ERROR,
    PING,
    PRIORITY,
    PROTOCOL_ERROR,
    STREAM_CLOSED,
    frame,
)
from lean_client import EVENT_SIZE, events

pytestmark = pytest.mark.patch(14)


@pytest.mark.parametrize("code, reported", [(CANCEL, CANCEL), (NO_ERROR, 0), (0xFFFFFFFF, 2**31 - 1)])
def test_reset_by_the_peer(lean_server, tls, code, reported):
    client, streams = lean_server.connect_streams(3, tls=tls)

    client.rst_stream(streams[1], code)
    client.round_trip()

    stats = lean_server.stats()
    assert (stats["on_close"], stats["last_error"], stats["streams"]) == (1, reported, 2)
    lean_server.broadcast()
    client.until(lambda: client.body[streams[0]] and client.body[streams[2]], "events")
    client.round_trip()
    assert not client.body[streams[1]]


def test_all_streams_reset_and_opened_again(lean_server):
    client, streams = lean_server.connect_streams(1000)
    for stream in streams[::2] + streams[1::2][::-1]:
        client.rst_stream(stream)
    client.round_trip()
    assert lean_server.stats()["streams"] == 0

    again = client.requests("/stream", 1000)
    client.until(lambda: set(again) <= client.headers.keys(), "headers")
    lean_server.broadcast()
    client.until(lambda: sum(map(len, client.body.values())) == 1000 * EVENT_SIZE, "events")
    assert all(client.body[stream] == events(1, 1) for stream in again)


def test_some_of_many_streams_end_and_the_others_are_still_found(lean_server):
    client, streams = lean_server.connect_streams(1000, settings=[(4, 0)])
    ended, kept = [stream for stream in streams if stream % 7], [stream for stream in streams if stream % 7 == 0]
    for stream in ended:
        client.rst_stream(stream)
    lean_server.broadcast()

    for stream in kept:
        client.window_update(stream, EVENT_SIZE)

    client.until(lambda: all(client.body[stream] for stream in kept), "events")
    assert lean_server.stats()["streams"] == len(kept)


def test_end(lean_server, tls):
    client, streams = lean_server.connect_streams(3, tls=tls)
    lean_server.broadcast(2)

    lean_server.control.get(f"/end?id={streams[1]}")
    lean_server.broadcast()

    client.until(lambda: len(client.body[streams[2]]) == 3 * EVENT_SIZE, "events")
    assert client.ended == {streams[1]} and not client.reset
    assert client.body[streams[1]] == events(1, 2)


def test_reset_by_the_server(lean_server):
    client, streams = lean_server.connect_streams(3)

    lean_server.control.get(f"/end?id={streams[1]}&code={CANCEL}")

    client.until(lambda: client.reset == {streams[1]: CANCEL}, "RST_STREAM")
    assert lean_server.stats()["on_close"] == 0


def test_streams_count_until_they_end(start_lean_server):
    lean_server = start_lean_server(max_streams=10)
    client, streams = lean_server.connect_streams(10)
    assert client.server_settings[MAX_CONCURRENT_STREAMS] == 10
    refused = client.request("/stream")
    client.until(lambda: refused in client.reset, "REFUSED_STREAM")
    assert client.reset[refused] == 7

    lean_server.control.get(f"/end?id={streams[0]}")
    client.until(lambda: streams[0] in client.ended, "END_STREAM")
    client.rst_stream(streams[1])

    again = client.requests("/stream", 2)
    client.until(lambda: set(again) <= client.headers.keys(), "headers")
    refused = client.request("/stream")
    client.until(lambda: refused in client.reset, "REFUSED_STREAM")


@pytest.mark.parametrize("leave", ["close", "abort"])
def test_peer_leaves(lean_server, tls, leave):
    client, _ = lean_server.connect_streams(200, tls=tls)
    other, (stream,) = lean_server.connect_streams(1, tls=tls)

    getattr(client, leave)()

    stats = lean_server.control.until(lambda stats: stats["streams"] == 1, "streams gone")
    assert (stats["conns"], stats["on_conn_close"], stats["on_close"]) == (1, 1, 0)
    lean_server.broadcast()
    other.until(lambda: other.body[stream], "event")


# ---- frames that a peer must not send ----


@pytest.mark.parametrize("payload", [b"", b"x" * 1000])
def test_data_on_a_lean_stream(lean_server, payload):
    client, streams = lean_server.connect_streams(2)

    client.send_frame(DATA, END_STREAM, streams[0], payload)

    client.until(lambda: client.reset == {streams[0]: STREAM_CLOSED}, "RST_STREAM")
    stats = lean_server.stats()
    assert (stats["on_close"], stats["last_error"], stats["streams"]) == (1, STREAM_CLOSED, 1)
    lean_server.broadcast()
    client.until(lambda: client.body[streams[1]], "event")


@pytest.mark.parametrize("parts", [1, 2, 3])
def test_headers_on_a_lean_stream(lean_server, parts):
    client, streams = lean_server.connect_streams(2)
    # The block adds to the compression state, which must not be lost with the stream.
    block = client.encoder.encode([("x-trailer", "value-of-it"), ("x-more", "y" * 30)])
    size = -(-len(block) // parts)
    pieces = [block[i : i + size] for i in range(0, len(block), size)]

    for index, piece in enumerate(pieces):
        last = END_HEADERS if index == len(pieces) - 1 else 0
        client.send_frame(CONTINUATION if index else HEADERS, last | (0 if index else END_STREAM), streams[0], piece)

    client.until(lambda: client.reset == {streams[0]: STREAM_CLOSED}, "RST_STREAM")
    stats = lean_server.stats()
    assert (stats["on_close"], stats["last_error"], stats["streams"]) == (1, STREAM_CLOSED, 1)
    echo = client.request("/hello")
    client.until(lambda: echo in client.ended, "an ordinary response")
    lean_server.broadcast()
    client.until(lambda: client.body[streams[1]], "event")


def test_frame_between_headers_and_continuation_of_a_lean_stream(lean_server):
    client, streams = lean_server.connect_streams(2)
    client.send_frame(HEADERS, END_STREAM, streams[0], client.encoder.encode([("a", "b")]))

    client.send_frame(PING, 0, 0, b"12345678")

    client.until(lambda: client.goaway is not None, "GOAWAY")
    assert client.goaway[1] == PROTOCOL_ERROR
    client.until_closed()
    lean_server.control.until(lambda stats: stats["on_conn_close"] == 1, "connection closed")


def test_continuation_of_another_stream_after_headers_of_a_lean_one(lean_server):
    client, streams = lean_server.connect_streams(2)
    client.send_frame(HEADERS, END_STREAM, streams[0], client.encoder.encode([("a", "b")]))

    client.send_frame(CONTINUATION, END_HEADERS, streams[1], client.encoder.encode([("a", "b")]))

    client.until(lambda: client.goaway is not None, "GOAWAY")
    assert client.goaway[1] == PROTOCOL_ERROR
    client.until_closed()


def test_continuation_without_headers(lean_server):
    client, streams = lean_server.connect_streams(1)

    client.send_frame(CONTINUATION, END_HEADERS, streams[0], client.encoder.encode([("a", "b")]))

    client.until(lambda: client.goaway is not None, "GOAWAY")
    assert client.goaway[1] == PROTOCOL_ERROR
    client.until_closed()


def test_priority_is_ignored(lean_server):
    client, streams = lean_server.connect_streams(3)

    client.send_frame(PRIORITY, 0, streams[0], streams[1].to_bytes(4, "big") + b"\x10")
    # a new stream that depends on a lean one
    stream, client.next_stream = client.next_stream, client.next_stream + 2
    block = streams[2].to_bytes(4, "big") + b"\x10" + client.header_block("/stream")
    client.send(frame(HEADERS, END_HEADERS | END_STREAM | 0x20, stream, block))
    client.until(lambda: stream in client.headers, "headers")
    lean_server.broadcast()

    client.until(lambda: all(client.body[s] == events(1, 1) for s in [*streams, stream]), "events")
    assert not client.reset and client.goaway is None


# ---- connections that end on purpose ----


def test_goaway_lets_streams_go_on_until_they_end(lean_server, tls):
    client, streams = lean_server.connect_streams(20, tls=tls)
    lean_server.control.get("/goaway")
    client.until(lambda: client.goaway is not None, "GOAWAY")
    assert client.goaway == (streams[-1], NO_ERROR)
    client.request("/stream")  # after the GOAWAY
    lean_server.broadcast()
    client.until(lambda: all(client.body[stream] == events(1, 1) for stream in streams), "events")

    lean_server.control.get("/end")
    client.until_closed()

    assert client.ended == set(streams)
    assert lean_server.stats()["on_conn_close"] == 1


def test_output_is_flushed_before_the_connection_closes(start_lean_server, tls):
    lean_server = start_lean_server(output_max=4000000, sndbuf=16384)
    client, streams = lean_server.connect_streams(100, tls=tls, settings=[(4, 1 << 24)], rcvbuf=16384)
    lean_server.broadcast(30, size=1000)  # 3 MB that the socket does not take

    lean_server.control.get("/goaway")
    lean_server.control.get("/end")
    assert lean_server.stats()["pending"] > 1000000
    client.until_closed()

    assert client.ended == set(streams)
    assert all(client.body[stream] == events(1, 30, 1000) for stream in streams)


def test_last_stream_reset_by_the_peer_after_goaway_closes(lean_server):
    client, streams = lean_server.connect_streams(2)
    lean_server.control.get("/goaway")
    client.until(lambda: client.goaway is not None, "GOAWAY")

    for stream in streams:
        client.rst_stream(stream)

    client.until_closed()
    assert lean_server.stats()["on_conn_close"] == 1


def test_graceful_shutdown_waits_for_lean_streams(lean_server, tls):
    client, streams = lean_server.connect_streams(5, tls=tls)
    idle = lean_server.connect(tls=tls)
    idle.round_trip()

    lean_server.control.get("/shutdown")
    client.until(lambda: client.goaway == (2**31 - 1, NO_ERROR), "first GOAWAY")
    late = client.request("/stream")  # was in flight when GOAWAY was sent
    client.until(lambda: late in client.headers, "headers")
    client.until(lambda: client.goaway == (late, NO_ERROR), "second GOAWAY")
    idle.until_closed()
    lean_server.broadcast()
    client.until(lambda: all(client.body[stream] for stream in [*streams, late]), "events")
    for stream in [*streams, late]:
        assert stream not in client.ended
        lean_server.control.get(f"/end?id={stream}")

    client.until_closed()
    assert client.ended == {*streams, late}


def test_idle_timeout_runs_only_without_streams(start_lean_server):
    lean_server = start_lean_server(idle_ms=200)
    client, streams = lean_server.connect_streams(2)
    idle = lean_server.connect()
    idle.round_trip()
    idle.until_closed()  # a whole idle time has passed
    again = lean_server.connect()
    again.until_closed()
    client.round_trip()
    assert client.goaway is None

    lean_server.control = type(lean_server.control)(lean_server.port)
    lean_server.control.get(f"/end?id={streams[0]}")
    client.rst_stream(streams[1])

    client.until_closed()
    assert client.goaway[1] == NO_ERROR


# ---- PING ----


def pings(client):
    return sum(frame.type == PING and not frame.flags for frame in client.frames)


@pytest.mark.patch(19)
def test_silent_connection_is_probed(start_lean_server, tls):
    lean_server = start_lean_server(ping_ms=400)
    client, streams = lean_server.connect_streams(1, tls=tls)

    client.until(lambda: pings(client) >= 2, "PINGs")

    lean_server.broadcast()
    client.until(lambda: client.body[streams[0]], "event")
    assert client.goaway is None


@pytest.mark.patch(19)
def test_connection_that_does_not_answer_ping_is_closed(start_lean_server, tls):
    lean_server = start_lean_server(ping_ms=400)
    client, _ = lean_server.connect_streams(1, tls=tls)
    client.answers_ping = False

    client.until_closed()

    assert pings(client) == 1
    assert lean_server.stats()["on_conn_close"] == 1


@pytest.mark.patch(19)
def test_connection_without_streams_is_not_probed(start_lean_server):
    lean_server = start_lean_server(ping_ms=200)
    client, streams = lean_server.connect_streams(1)
    empty = lean_server.connect()
    empty.round_trip()

    client.until(lambda: pings(client) >= 2, "PINGs of the connection with a stream")
    empty.round_trip()

    assert pings(empty) == 0
    assert lean_server.control.get(f"/end?id={streams[0]}")


@pytest.mark.patch(23)
@pytest.mark.parametrize("sizes", [[0], [100, 70], [0, 4096], [65536, 64], [2**32 - 1, 1]])
def test_header_table_that_the_client_makes_smaller(lean_server, tls, sizes):
    client = lean_server.connect(tls=tls)
    streams = client.requests("/stream", 3)
    client.until(lambda: len(client.headers) == 3, "response headers")

    for size in sizes:
        client.settings((HEADER_TABLE_SIZE, size))
        client.round_trip()
        client.decoder.max_allowed_table_size = size  # a larger table is an error from here on
        streams += client.requests("/stream", 3)
        client.until(lambda: len(client.headers) == len(streams), "response headers")

    fields = [{name: value for name, value in client.headers[stream].items() if name != "date"} for stream in streams]
    assert all(of_one == fields[0] for of_one in fields) and fields[0][":status"] == "200" and len(fields[0]) > 1
