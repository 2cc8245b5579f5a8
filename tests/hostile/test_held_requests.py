"""Requests that wait for their clients: answers that are not taken, bodies that do not come, requests that do not end. One
address holds its share, and no more."""

import os

import pytest

import clients as raw
from siege import MB, PUBLISH, connect

from lib.process_stats import rss_bytes, settled_rss_bytes
from lib.waiting import wait_until

FULL = os.environ.get("TIDEWAY_FULL") == "1"
GREEDY, OTHER = "127.0.0.2", "127.0.0.3"
NODE_BYTES = 1 << 21  # 64 KiB for the answers of an address, 512 KiB for its bodies
CONNECTIONS, ANSWERS = 10, 36  # more than the node may hold


def refused(gateway, limit):
    return gateway.metrics().get(f'tideway_refused_total{{limit="{limit}"}}')


def cancelled(frames):
    return [f.stream for f in frames if f.type == raw.RST_STREAM and raw.error_of(f) == raw.CANCEL]


def test_held__answers_of_one_address_leave_room_for_those_of_another(start_gateway):
    gateway = start_gateway(node_buffer_bytes=NODE_BYTES)
    block = raw.request("/healthz")
    greedy = [connect(gateway, source=GREEDY, window=0) for _ in range(CONNECTIONS)]
    for guest in greedy:
        guest.send(*(raw.headers(n, block) for n in range(1, 2 * ANSWERS, 2)))
    wait_until(lambda: refused(gateway, "answer_bytes_per_address") > CONNECTIONS * ANSWERS - 50, "the address to be stopped")
    wait_until(lambda: any(cancelled(guest.frames_until_ping()) for guest in greedy), "an answer to be reset")
    with connect(gateway, source=OTHER, window=0) as other:
        other.send(*(raw.headers(n, block) for n in range(1, 41, 2)))
        assert cancelled(other.frames_until_ping()) == []
        other.send(raw.settings(window=65535))
        assert [other.response(n)[1] for n in (1, 39)] == [b'{"status":"ok"}'] * 2
    assert refused(gateway, "answer_bytes") == 0
    for guest in greedy:
        guest.reset()
    wait_until(lambda: gateway.metrics()["tideway_connections"] == 0, "the address to be gone")
    with connect(gateway, source=GREEDY, window=0) as again:
        again.send(*(raw.headers(n, block) for n in range(1, 41, 2)))
        assert cancelled(again.frames_until_ping()) == []


def test_held__bodies_of_one_address_leave_room_for_those_of_another(start_gateway):
    gateway = start_gateway(node_buffer_bytes=NODE_BYTES, max_payload_bytes=1 << 18)
    gateway.h2().subscribe("honest")
    block = raw.request("/v1/publish", **PUBLISH)
    part = b"".join(raw.frame(raw.DATA, 0, 1, b"x" * 16384) for _ in range(15))

    def begin(source):
        publisher = connect(gateway, source=source)
        publisher.send(raw.window_update(0, 1 << 20), raw.headers(1, block, end_stream=False))
        return publisher

    greedy = [begin(GREEDY) for _ in range(CONNECTIONS)]
    for guest in greedy:
        guest.send(part)
        guest.frames_until_ping()
    assert refused(gateway, "request_bytes_per_address") > 0
    with begin(OTHER) as other:
        other.send(part, raw.frame(raw.DATA, raw.END_STREAM, 1, b"x"))
        assert b'"accepted"' in other.response(1)[1]
    assert refused(gateway, "request_bytes") == 0
    for guest in greedy:
        guest.reset()


def test_held__requests_that_do_not_end_are_few(start_gateway):
    """Of a stream's request nothing but its end may follow the headers."""
    gateway = start_gateway()
    block = raw.request("/v1/stream", x_sse_topic="honest")
    with connect(gateway) as guest:
        guest.send(*(raw.headers(n, block, end_stream=False) for n in range(1, 1801, 2)))
        frames = []

        def is_over():
            guest.send_what_fits(raw.ping())  # has it look after those that wait for more than a second
            frames.append(guest.next_frame(9))
            return len(cancelled(frames)) > 100

        wait_until(is_over, "those beyond the limit to be reset")
    assert cancelled(frames)[:100] == list(range(1, 200, 2)), "the oldest first"
    with connect(gateway) as patient:
        patient.send(raw.headers(1, block, end_stream=False))
        patient.frames_until_ping()
        patient.send(raw.frame(raw.DATA, raw.END_STREAM, 1))
        patient.frames_until(lambda f: f.type == raw.DATA)


@pytest.mark.skipif(not FULL, reason="part of the long form: it takes a hundred megabytes before a busy gateway gives memory back")
def test_held__memory_comes_back_while_connections_stay_and_events_are_delivered(start_gateway):
    gateway = start_gateway()
    honest = gateway.h2().subscribe("honest")
    pid, block = gateway.process.pid, raw.request("/healthz")
    guests = [connect(gateway, source=f"127.0.0.{2 + n}", window=0) for n in range(72)]
    before = settled_rss_bytes(pid, still_s=0.3)
    for guest in guests:
        guest.send(*(raw.headers(n, block) for n in range(1, 1801, 2)))
        guest.frames_until_ping()
    most = rss_bytes(pid) - before
    assert most > 100 * MB
    for guest in guests:
        guest.send(*(raw.rst_stream(n) for n in range(1, 1801, 2)))
        guest.frames_until_ping()

    def is_back():
        gateway.deliver("honest", "x")
        honest.client.pump(0.05)
        return rss_bytes(pid) - before < most / 4

    wait_until(is_back, "the memory to come back")
    for guest in guests:
        guest.frames_until_ping()
