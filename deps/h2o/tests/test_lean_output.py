"""The limit of pending output, and the callback when there is room again."""

import os
import time

import pytest

from lean_client import events


def test_slow_reader_is_bounded_and_catches_up(start_lean_server, tls):
    lean_server = start_lean_server(output_max=100000, sndbuf=16384)
    client, streams = lean_server.connect_streams(100, tls=tls, settings=[(4, 1 << 24)], rcvbuf=16384)

    lean_server.broadcast(100, size=1000)  # 10 MB, nobody reads
    blocked = lean_server.stats()
    client.until(lambda: sum(map(len, client.body.values())) >= 100 * 100 * 1000, "all events")

    assert blocked["refused"] > 0 and 0 < blocked["pending"] <= 100000
    assert all(client.body[stream] == events(1, 100, 1000) for stream in streams)
    stats = lean_server.stats()
    assert stats["pending_max"] <= 100000
    assert stats["on_room"] > 50  # 10 MB in rounds of 100 KB at most
    assert stats["pending"] == 0


def test_pings_are_answered_while_lean_output_is_pending(start_lean_server):
    lean_server = start_lean_server(output_max=4000000, sndbuf=16384)
    client, _ = lean_server.connect_streams(100, settings=[(4, 1 << 24)], rcvbuf=16384)
    lean_server.broadcast(100, size=1000)
    assert lean_server.stats()["pending"] > 1000000

    # What lean streams have pending does not stop the server from reading.
    streams = client.requests("/stream", 20)

    lean_server.control.until(lambda stats: stats["streams"] == 120, "new streams")
    client.until(lambda: set(streams) <= client.headers.keys(), "their headers")


def test_each_want_room_gets_one_call(lean_server):
    client, (stream,) = lean_server.connect_streams(1)
    assert lean_server.stats()["on_room"] == 0

    for calls in range(1, 4):
        lean_server.control.get("/room")
        lean_server.control.until(lambda stats, calls=calls: stats["on_room"] == calls, "on_room")

    lean_server.broadcast()  # a write completes, but on_room was not asked for
    client.until(lambda: client.body[stream], "event")
    client.round_trip()
    assert lean_server.stats()["on_room"] == 3


def test_peer_that_vanishes_with_output_pending(start_lean_server, tls):
    lean_server = start_lean_server(output_max=1000000, sndbuf=16384)
    client, _ = lean_server.connect_streams(100, tls=tls, settings=[(4, 1 << 24)], rcvbuf=16384)
    lean_server.broadcast(100, size=1000)
    assert lean_server.stats()["pending"] > 0

    client.abort()

    stats = lean_server.control.until(lambda stats: stats["conns"] == 0, "connection closed")
    assert (stats["on_conn_close"], stats["on_close"], stats["streams"]) == (1, 0, 0)


def test_peer_that_stops_reading_is_given_up(start_lean_server, tls):
    lean_server = start_lean_server(output_max=1000000, sndbuf=16384, write_ms=200)
    witness, (stream,) = lean_server.connect_streams(1, tls=tls)
    lean_server.connect_streams(100, tls=tls, settings=[(4, 1 << 24)], rcvbuf=16384)

    lean_server.broadcast(100, size=1000)

    stats = lean_server.control.until(lambda stats: stats["conns"] == 1, "connection closed")
    assert (stats["on_conn_close"], stats["on_close"], stats["streams"]) == (1, 0, 1)
    witness.until(lambda: len(witness.body[stream]) >= 65000, "events for the other connection")


@pytest.mark.patch(17)
def test_peer_that_reads_slowly_is_not_given_up(start_lean_server, tls):
    write_s = 1
    lean_server = start_lean_server(output_max=1000000, sndbuf=16384, write_ms=write_s * 1000)
    client, streams = lean_server.connect_streams(100, tls=tls, settings=[(4, 1 << 24)], rcvbuf=16384)
    lean_server.broadcast(100, size=1000)
    assert lean_server.stats()["pending"] > 900000

    # Up to 20 KB each twentieth of a second: 1 MB, a single write, takes several times write_ms.
    begin = time.monotonic()
    while time.monotonic() - begin < 2.5 * write_s:
        client.receive(bytes_max=20000)
        time.sleep(0.05)
    meanwhile = sum(map(len, client.body.values()))
    client.until(lambda: sum(map(len, client.body.values())) >= 100 * 100 * 1000, "all events")

    assert meanwhile < 1000000, "the write was over too early to tell"
    assert all(client.body[stream] == events(1, 100, 1000) for stream in streams)


@pytest.mark.patch(19)
def test_ping_that_waits_behind_output_is_no_sign_of_death(start_lean_server, tls):
    lean_server = start_lean_server(output_max=1000000, sndbuf=16384, write_ms=1000, ping_ms=200)
    client, streams = lean_server.connect_streams(100, tls=tls, settings=[(4, 1 << 24)], rcvbuf=16384)
    lean_server.broadcast(100, size=1000)

    begin = time.monotonic()
    while time.monotonic() - begin < 2:
        client.receive(bytes_max=20000)
        time.sleep(0.05)
    client.until(lambda: sum(map(len, client.body.values())) >= 100 * 100 * 1000, "all events")

    assert all(client.body[stream] == events(1, 100, 1000) for stream in streams)


@pytest.mark.patch(15)
@pytest.mark.skipif(os.environ.get("H2O_TEST_SANITIZED") == "1", reason="a sanitizer keeps freed memory")
def test_broadcast_takes_the_memory_of_a_few_connections(start_lean_server, tls):
    count, size = 60, 16000
    lean_server = start_lean_server(output_max=1 << 20)
    clients = [lean_server.connect_streams(10, tls=tls, settings=[(4, 1 << 24)], connection_window=1 << 30)
               for _ in range(count)]
    lean_server.forget_peak()
    before = lean_server.resident_bytes("VmHWM")

    lean_server.broadcast(size=size)

    for client, streams in clients:
        client.until(lambda: all(len(client.body[stream]) == size for stream in streams), "the event")
    # 10 MB of frames in all, and as much again in records; a connection has 160 KB of them.
    assert lean_server.resident_bytes("VmHWM") - before < 4 << 20


@pytest.mark.patch(15)
@pytest.mark.skipif(os.environ.get("H2O_TEST_SANITIZED") == "1", reason="a sanitizer keeps freed memory")
def test_memory_of_peers_that_did_not_read_comes_back(start_lean_server, tls):
    lean_server = start_lean_server(output_max=1000000, sndbuf=16384)
    lean_server.connect_streams(100, tls=tls)
    lean_server.control.get("/release")
    before = lean_server.resident_bytes()
    clients = [lean_server.connect_streams(100, tls=tls, settings=[(4, 1 << 24)], rcvbuf=16384)[0] for _ in range(8)]
    lean_server.broadcast(100, size=1000)
    assert lean_server.stats()["pending"] > 4 << 20

    for client in clients:
        client.abort()
    lean_server.control.until(lambda stats: stats["conns"] == 1, "connections closed")
    lean_server.control.get("/release")

    assert lean_server.resident_bytes() - before < 2 << 20
