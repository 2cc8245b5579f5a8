"""TIDEWAY_MAX_CONNECTION_AGE_MS: old connections are told to go, and nothing is lost by it.

HTTP/2 is spoken by hand here: python3-h2 takes a GOAWAY for the end of the connection.
"""

import time

import pytest

from lib.h1_client import H1Client
from lib.sse import Parser
from lib.swarm import DATA, END_HEADERS, END_STREAM, HEADERS, Swarm, frame, literal
from lib.waiting import DEADLINE_S, wait_until


AGE_MS = 1500
BEHIND_MAX = 1000  # events: a publisher that is faster than a client reads would fill every tail
GAP = "tideway.gap"


def closed_by_age(gateway):
    return gateway.metrics()['tideway_streams_closed_total{reason="connection_age"}']


class Publisher:
    """Publishes over HTTP/1.1 and follows `connection: close`."""

    def __init__(self, gateway):
        self.gateway, self.client = gateway, gateway.h1()

    def publish(self, topic, payload, id):
        if self.client.closed:
            self.client = self.gateway.h1()
        answer = self.gateway.publish(topic, payload, id=id, client=self.client)
        assert answer.status == 202, answer.body
        if answer.headers["connection"] == "close":
            self.client.wait_closed()


class Http2Stream:
    """One event stream alone on a connection."""

    def __init__(self, gateway, last_id):
        self.client = Swarm(gateway.address)
        fields = [("last-event-id", last_id)] if last_id else []
        self.id, = self.client.open(1, "a", headers=fields)
        self.parser = Parser()
        self.fed = 0

    def pump(self):
        if not self.ended:
            self.client.pump(0.01)

    @property
    def ended(self):
        return self.id in self.client.ended

    def parsed(self):
        self.parser.feed(bytes(self.client.received[self.id][self.fed:]))
        self.fed = len(self.client.received[self.id])
        return self.parser

    def close(self):
        assert self.client.goaway
        self.client.close()


class Http1Stream:
    def __init__(self, gateway, last_id):
        self.client = H1Client(gateway.address)
        fields = [("last-event-id", last_id)] if last_id else []
        self.stream = self.client.subscribe("a", headers=fields)
        assert self.stream.status == 200

    def pump(self):
        self.client.pump(0.01)

    @property
    def ended(self):
        return self.stream.ended

    def parsed(self):
        return self.stream.stream

    def close(self):
        self.client.wait_closed()
        self.client.close()


def test_h2_connection_gets_goaway_and_its_streams_end(start_gateway):
    gateway = start_gateway(max_connection_age_ms=AGE_MS)
    began = time.monotonic()
    with Swarm(gateway.address) as client:
        ids = client.open(20, "a")
        client.wait(lambda: client.goaway, "GOAWAY")
        assert time.monotonic() - began >= AGE_MS * 0.9 / 1000
        client.wait(lambda: set(ids) <= client.ended, "the streams to end")
        assert not client.reset
    wait_until(lambda: closed_by_age(gateway) == 20, "20 streams counted")


def test_h1_stream_ends_and_takes_its_connection_along(start_gateway):
    gateway = start_gateway(max_connection_age_ms=AGE_MS)
    client = gateway.h1()
    client.subscribe("a").wait_end()
    client.wait_closed()
    assert closed_by_age(gateway) == 1


def test_h1_publisher_is_served_and_sent_elsewhere(start_gateway):
    gateway = start_gateway(max_connection_age_ms=AGE_MS, resume_window_ms=60000)
    client, count = gateway.h1(), 0
    deadline = time.monotonic() + DEADLINE_S
    while True:
        assert time.monotonic() < deadline
        answer = gateway.publish("a", "x" * 100000, id=count, client=client)
        assert answer.status == 202, answer.body
        count += 1
        if answer.headers["connection"] == "close":
            break
    client.wait_closed()
    assert count > 1


def test_h2_publisher_is_served_and_sent_elsewhere(start_gateway):
    gateway = start_gateway(max_connection_age_ms=AGE_MS)
    with Swarm(gateway.address) as client:
        deadline = time.monotonic() + DEADLINE_S
        number = 1
        while not client.goaway:
            assert time.monotonic() < deadline
            block = b"".join(literal(*field) for field in (
                (":method", "POST"), (":scheme", "https"), (":authority", "localhost"),
                (":path", "/v1/publish"), gateway.auth(), ("x-sse-topic", "a"), ("x-sse-id", "1")))
            client.received[number] = bytearray()
            client.sock.sendall(frame(HEADERS, END_HEADERS, number, block) +
                                frame(DATA, END_STREAM, number, b"x"))
            client.wait(lambda: number in client.ended, "an answer")
            assert client.statuses[number] == 202
            number += 2
        assert number > 3


@pytest.mark.parametrize("make_stream", [Http2Stream, Http1Stream], ids=["h2", "h1"])
def test_clients_that_resume_lose_nothing(start_gateway, make_stream):
    """A client that is sent away again and again sees every event, once, in order."""
    gateway = start_gateway(max_connection_age_ms=600, resume_window_ms=60000, tail_events=10000)
    publisher = Publisher(gateway)
    seen, last_id, number, streams = [], None, 0, 0
    deadline = time.monotonic() + DEADLINE_S
    while streams < 5 or len(seen) < number:
        stream = make_stream(gateway, last_id)
        streams += 1
        while not stream.ended:
            assert time.monotonic() < deadline, f"{len(seen)} of {number} events have come"
            behind = number - len(seen) - len(stream.parsed().events)
            if streams < 5 and behind < BEHIND_MAX:
                publisher.publish("a", str(number), id=f"e{number}")
                number += 1
            stream.pump()
        parsed = stream.parsed()
        seen += parsed.events
        last_id = parsed.last_id
        stream.close()
    assert not [event for event in seen if event.event == GAP]
    assert [event.data for event in seen] == [str(i) for i in range(number)]


def test_is_off_by_default(gateway):
    client = gateway.h2()
    client.subscribe("a")
    client.ping()
    assert client.goaway is None
