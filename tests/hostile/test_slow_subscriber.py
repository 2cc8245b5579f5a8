"""Subscribers that stop reading while a gigabyte (quick form: a sixth of it) is published: they are closed, and nobody else notices."""

import os

import table

from lib.h1_client import H1Client
from lib.process_stats import rss_bytes
from lib.swarm import Swarm
from lib.waiting import wait_until

TOPIC = "large"
PAYLOAD_BYTES = 1 << 20
WARM_UP_EVENTS, EVENTS = 40, 1024 if os.environ.get("TIDEWAY_FULL") == "1" else 160
RSS_GROWTH_MAX = 5_000_000
SLOW_CLOSED = 'tideway_streams_closed_total{reason="slow_consumer"}'


class Publisher:
    """Publishes over HTTP/1.1 what it knows to be on every stream afterwards."""

    def __init__(self, gateway):
        self.gateway, self.client, self.published = gateway, gateway.h1(), 0

    def publish(self):
        """Publishes the next event and returns its frame."""
        number = str(self.published).encode()
        payload = number + b"x" * (PAYLOAD_BYTES - len(number))
        answer = self.gateway.publish(TOPIC, payload, id=self.published, client=self.client)
        assert answer.status == 202 and answer.json()["status"] == "accepted", answer.body
        self.published += 1
        return b"id: %b\ndata: %b\n\n" % (number, payload)


class Reader:
    """A subscriber that misses nothing: holds what has come since the last event that was checked."""

    def __init__(self, gateway):
        self.swarm = Swarm(gateway.address)
        self.stream = self.swarm.open(1, TOPIC)[0]
        self.body = self.swarm.received[self.stream]
        self.opening = None

    def expect(self, frame):
        """The next event, and nothing before it but how the stream opens."""
        self.swarm.wait(lambda: self.body.endswith(frame[-100:]) and len(self.body) >= len(frame), "an event")
        opening = self.body[:-len(frame)]
        assert self.body.endswith(frame)
        assert self.opening is None or opening == self.opening
        self.opening = b""
        self.body.clear()


def stop_reading_h2(gateway, credit):
    """A subscriber that has granted a window of any size, or the least, and reads no more."""
    client = gateway.h2(window=(1 << 31) - 1 if credit else 65535, credit=credit, receive_buffer=4096)
    return client.subscribe(TOPIC)


def stop_reading_h1(gateway):
    client = H1Client(gateway.address, receive_buffer=4096)
    return client.subscribe(TOPIC)


def expect_end_without_hole(stream):
    """What a slow subscriber still gets when it reads again: its first events, then the end."""
    client = stream.client
    wait_until(lambda: client.pump() or client.closed or stream.ended or stream.reset is not None, "the end")
    ids = [int(event.id) for event in stream.events]
    assert ids == list(range(WARM_UP_EVENTS, WARM_UP_EVENTS + len(ids)))
    assert len(ids) < EVENTS


def test_slow_subscribers__are_closed_and_cost_little_while_others_miss_nothing(start_gateway):
    gateway = start_gateway(tail_events=4)
    publisher, readers = Publisher(gateway), [Reader(gateway), Reader(gateway)]
    resident = []

    def exchange(count):
        for _ in range(count):
            frame = publisher.publish()
            for reader in readers:
                reader.expect(frame)
            resident.append(rss_bytes(gateway.process.pid))

    exchange(WARM_UP_EVENTS)
    usual = max(resident)
    slow = [stop_reading_h2(gateway, True), stop_reading_h2(gateway, False), stop_reading_h1(gateway)]
    exchange(EVENTS)
    growth = max(resident) - usual
    table.add("slow-subscribers", {"published MB": EVENTS * PAYLOAD_BYTES / 1e6, "slow": len(slow),
                                   "closed": int(gateway.metrics()[SLOW_CLOSED]), "MB before": usual / 1e6,
                                   "MB at most": max(resident) / 1e6})
    assert gateway.metrics()[SLOW_CLOSED] == len(slow)
    assert growth < RSS_GROWTH_MAX, f"{usual} → {max(resident)}"
    assert gateway.topics() == {TOPIC: len(readers)}
    for stream in slow:
        expect_end_without_hole(stream)
    wait_until(lambda: gateway.metrics()["tideway_streams"] == len(readers), "the slow to be gone")
