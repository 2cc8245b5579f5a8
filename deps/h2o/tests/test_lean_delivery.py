"""Lean streams get what they are sent: all of it, in order, beside ordinary streams."""

import os

import pytest

from clients import DATA, END_HEADERS, HEADERS
from lean_client import events

pytestmark = pytest.mark.patch(14)


def test_two_thousand_streams_get_every_event_in_order(lean_server, tls):
    client, streams = lean_server.connect_streams(2000, tls=tls)

    lean_server.broadcast(20)

    client.until(lambda: sum(map(len, client.body.values())) >= 2000 * 20 * 32, "all events")
    assert all(client.body[stream] == events(1, 20) for stream in streams)
    assert not client.ended and not client.reset


def test_request_is_freed_when_its_stream_becomes_lean(lean_server):
    lean_server.connect_streams(500)

    stats = lean_server.stats()

    assert stats["streams"] == 500
    assert stats["pools_disposed"] == 500


@pytest.mark.skipif(os.environ.get("H2O_TEST_SANITIZED") == "1", reason="a sanitizer keeps freed memory")
def test_idle_stream_costs_little_memory(lean_server):
    first, _ = lean_server.connect_streams(2000)  # warms up pools and caches
    before = lean_server.resident_bytes()

    clients = [lean_server.connect_streams(5000)[0] for _ in range(4)]

    # What the server itself spends is 40 bytes a stream; an ordinary one costs more than 5,000.
    assert (lean_server.resident_bytes() - before) / 20000 < 150
    assert lean_server.stats()["streams"] == 22000
    del first, clients


def test_largest_frame(lean_server, tls):
    client, streams = lean_server.connect_streams(3, tls=tls, settings=[(4, 1 << 20)])

    lean_server.broadcast(5, size=16384)

    client.until(lambda: all(len(client.body[stream]) == 5 * 16384 for stream in streams), "all events")
    assert all(client.body[stream] == events(1, 5, 16384) for stream in streams)
    assert {len(frame.payload) for frame in client.frames if frame.type == DATA} == {16384}


def test_response_headers_have_date_and_server(lean_server):
    client, streams = lean_server.connect_streams(2)

    for stream in streams:
        assert {"date", "server", "content-type"} <= client.headers[stream].keys()
        assert "content-length" not in client.headers[stream]


def test_ordinary_requests_between_lean_streams(lean_server, tls):
    client, streams = lean_server.connect_streams(300, tls=tls)
    ordinary = []

    for _ in range(10):
        ordinary.append(client.request("/hello"))
        lean_server.broadcast(3)
        ordinary.append(client.request("/echo", "POST", b"hello\n"))

    client.until(lambda: client.ended >= set(ordinary), "ordinary responses")
    client.until(lambda: all(len(client.body[stream]) == 30 * 32 for stream in streams), "all events")
    assert all(client.body[stream] == b"hello\n" for stream in ordinary)
    assert all(client.body[stream] == events(1, 30) for stream in streams)


def test_large_response_is_not_starved_by_lean_streams(start_lean_server):
    """Events fill the output buffer to its last byte before each write, so that nothing is left for a response."""
    size, count = 16000, 100
    lean_server = start_lean_server(output_max=8 << 20, sndbuf=16384)
    client, streams = lean_server.connect_streams(count, settings=[(4, 1 << 24)], rcvbuf=16384)
    big = client.request("/big?size=3000000")
    client.until(lambda: len(client.body[big]) > 0, "the first of the large response")
    lean_server.broadcast(size=size)

    seen = []
    for _ in range(8):
        # Once the previous write has completed, the buffer is empty, and grows to what is put into it.
        while lean_server.stats()["pending"] > count * (size + 9):
            client.receive(bytes_max=100000)
        lean_server.broadcast(size=size)
        seen.append(len(client.body[big]))

    assert seen[-1] >= 1000000, f"bytes of the response after each broadcast: {seen}"
    client.until(lambda: big in client.ended, "the large response")
    client.until(lambda: all(len(client.body[stream]) == 9 * size for stream in streams), "all events")


def test_stream_started_later(lean_server):
    client = lean_server.connect()
    streams = client.requests("/stream?delay=1", 50)
    client.until(lambda: len(client.headers) == 50, "response headers")

    lean_server.broadcast(2)

    client.until(lambda: all(len(client.body[stream]) == 64 for stream in streams), "events")
    assert lean_server.stats()["pools_disposed"] == 50


def test_stream_reset_before_it_starts(lean_server):
    client = lean_server.connect()
    first, second = client.requests("/stream?delay=1", 2)
    client.rst_stream(first)
    client.until(lambda: second in client.headers, "the other stream")

    lean_server.broadcast()

    client.until(lambda: client.body[second], "event")
    stats = lean_server.stats()
    assert stats["streams"] == 1
    assert stats["pools_disposed"] == 2
    assert stats["on_close"] == 0


@pytest.mark.parametrize("how", ["", "discard=1", "hold=1", "hold=1&delay=1"])
def test_stream_asked_for_with_a_body(lean_server, how):
    client = lean_server.connect()
    streams = [client.request(f"/stream?{how}", "POST", b"x" * 5000) for _ in range(5)]
    client.until(lambda: set(streams) <= client.headers.keys(), "response headers")
    assert {client.headers[stream][":status"] for stream in streams} == {"200"}

    lean_server.broadcast(2)

    client.until(lambda: all(client.body[stream] == events(1, 2) for stream in streams), "events")
    assert lean_server.stats()["streams"] == 5 and not client.ended and not client.reset


def test_no_stream_while_the_request_body_is_open(lean_server):
    client = lean_server.connect()
    stream, client.next_stream = client.next_stream, client.next_stream + 2
    client.send_frame(HEADERS, END_HEADERS, stream, client.header_block("/stream?discard=1", "POST"))

    client.until(lambda: stream in client.headers, "answer")

    assert client.headers[stream][":status"] == "503"
    stats = lean_server.stats()
    assert (stats["start_failed"], stats["streams"]) == (1, 0)


def test_lean_stream_leaves_its_place_to_waiting_requests(start_lean_server):
    lean_server = start_lean_server(requests=1)
    client = lean_server.connect()

    streams = client.requests("/stream", 20) + client.requests("/stream?delay=1", 5)
    hello = client.request("/hello")

    client.until(lambda: hello in client.ended, "the last request")
    assert set(streams) <= client.headers.keys()


def test_start_refuses_what_cannot_be_lean(lean_server):
    client = lean_server.connect()
    head = client.request("/stream", "HEAD")
    client.until(lambda: head in client.ended, "answer to HEAD")
    assert client.headers[head][":status"] == "503"
    assert lean_server.stats()["start_failed"] == 1

    lean_server.control.connection.request("GET", "/stream")  # HTTP/1.1
    response = lean_server.control.connection.getresponse()
    response.read()
    assert response.status == 503
    assert lean_server.stats()["streams"] == 0
