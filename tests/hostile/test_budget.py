"""Every request, frame and byte costs its loop's turn: what many peers ask for at once is done over many turns."""

import contextlib
import json
import time

import pytest

import clients as raw

from lib.gateway import Gateway
from lib.turns import longest_turn, stopped

CONNECTIONS = 100
REQUESTS = 900
TOO_LONG_S = 0.03
NOT_FOUND = b"\x82\x87\x04\x05/nope\x01\x01g"  # GET https /nope with the authority g
LARGEST = 0x7FFFFFFF


@pytest.fixture
def gateway():
    """One worker, whose turns are watched from the start."""
    gateway = Gateway(workers=1, log_level="info").wait_ready()
    yield gateway
    gateway.stop()


def over_budget(gateway):
    return gateway.metrics().get('tideway_loop_turns_over_budget_total{loop="worker-0"}', 0)


def connect(gateway):
    """A client that takes whatever comes."""
    guest = raw.Http2(gateway.port, tls=True, window=LARGEST)
    guest.send(raw.window_update(0, LARGEST - 65535))
    guest.frames_until_ping()
    return guest


def connect_all(gateway, count=CONNECTIONS):
    return [connect(gateway) for _ in range(count)]


def answers(guest, count, timeout=60):
    """Waits until so many streams have ended."""
    ended = 0

    def done(frame):
        nonlocal ended
        ended += frame.type in (raw.DATA, raw.HEADERS) and frame.flags & raw.END_STREAM
        return ended == count

    guest.frames_until(done, timeout)


def test_budget__ninety_thousand_requests_at_once_take_many_turns(gateway):
    guests = connect_all(gateway)
    requests = b"".join(raw.headers(2 * n + 1, NOT_FOUND) for n in range(REQUESTS))
    with stopped(gateway):
        for guest in guests:
            guest.send(requests)
    for guest in guests:
        answers(guest, REQUESTS)
    assert longest_turn(gateway) < TOO_LONG_S
    assert over_budget(gateway) > 0


@pytest.mark.parametrize("frame", [raw.ping(), raw.settings(), raw.frame(raw.PRIORITY, 0, 3, b"\0\0\0\0\x10"),
                                   raw.window_update(0, 1)], ids=["ping", "settings", "priority", "window update"])
def test_budget__frames_without_a_request_cost_too(gateway, frame):
    guests = connect_all(gateway)
    batch = frame * (100000 // len(frame))
    with stopped(gateway):
        for guest in guests:
            guest.send_what_fits(batch)
    for guest in guests:
        guest.tcp_socket().setblocking(False)
    end = time.monotonic() + 3
    while time.monotonic() < end:
        for guest in guests:
            with contextlib.suppress(OSError):
                guest.socket.recv(1 << 20)
        time.sleep(0.01)
    assert longest_turn(gateway) < TOO_LONG_S


def test_budget__requests_over_http1_wait_for_their_turn(gateway):
    guests = [raw.Http1(gateway.port, tls=True) for _ in range(1500)]
    with stopped(gateway):
        for guest in guests:
            guest.send(b"GET /openapi.json HTTP/1.1\r\nhost: g\r\n\r\n")
    for guest in guests:
        assert guest.read_response(30).status == 200
    assert longest_turn(gateway) < 2 * TOO_LONG_S  # reading from 1,500 sockets is not sliced
    assert over_budget(gateway) > 0


def test_budget__a_page_of_kept_events_is_written_in_pieces(gateway):
    """A hundred events of a megabyte, of whose characters half have to be escaped."""
    payload = b'"x' * 500000
    stream = gateway.h2().subscribe("large")
    for n in range(100):
        assert gateway.publish("large", payload.decode(), id=str(n)).json()["status"] == "accepted"
        stream.client.wait(lambda n=n: len(stream.events) == n + 1, "the event")
    turn_before = longest_turn(gateway)
    with connect(gateway) as reader:
        reader.send(raw.headers(1, raw.request(
            "/v1/admin/topics/large/tail?limit=100", authorization=f"Bearer {gateway.key}")))
        _, body = reader.response(1, 60)
    assert len(body) > 150e6
    assert [event["payload"] for event in json.loads(body)["events"]] == [payload.decode()] * 100
    assert longest_turn(gateway) < max(TOO_LONG_S, turn_before + 0.001)


def test_budget__resumes_that_find_nothing_search_large_tails_in_slices(start_gateway):
    """Ten thousand kept events on each of 64 topics, and 200 streams that name a position behind all of them."""
    gateway = start_gateway(workers=1, log_level="info", tail_events=10000)
    topics = ",".join(f"t{n}" for n in range(64))
    gateway.h2().subscribe(*topics.split(","))
    with connect(gateway) as publisher:
        for first in range(0, 10000, 500):
            publisher.send(b"".join(raw.headers(2 * n + 1, raw.request(
                "/v1/publish", method="POST", authorization=f"Bearer {gateway.key}", x_sse_topic=topics,
                x_sse_id=f"event-{n}")) for n in range(first, first + 500)))
            answers(publisher, 500)
    with connect(gateway) as fresh:
        fresh.send(raw.headers(1, raw.request("/v1/stream", x_sse_topic="t0")))
        opening = fresh.frames_until(lambda frame: frame.type == raw.DATA)[-1].payload
    position = next(line[4:] for line in opening.decode().splitlines() if line.startswith("id: "))
    assert gateway.metrics()["tideway_tail_events"] == 10000
    block = raw.request("/v1/stream", x_sse_topic=topics, last_event_id=position)
    with connect(gateway) as guest:
        turn_before = longest_turn(gateway)
        with stopped(gateway):
            guest.send(b"".join(raw.headers(2 * n + 1, block) for n in range(200)))
        opened = {}
        guest.frames_until(lambda frame: frame.type == raw.DATA and (
            opened.update({frame.stream: frame.payload}) or len(opened) == 200), 60)
    assert all(b"tideway.gap" not in payload for payload in opened.values())
    assert gateway.metrics()['tideway_resumes_total{result="exact"}'] == 200
    assert longest_turn(gateway) < max(TOO_LONG_S, turn_before + 0.001)
