"""A bad network and dying gateways under load: what was accepted reaches every subscriber, once and in order.

Subscribers and publishers go through a proxy that cuts, stalls and delays. A subscriber that loses its stream, or
hears nothing for a while, comes back with Last-Event-ID. With Redis there are two gateways, which are killed in turn.
"""

import contextlib
import os
import random
import signal
import ssl
import threading
import time

import pytest

import table

from lib.cutting_proxy import CuttingProxy
from lib.h1_client import H1Client
from lib.h2_client import H2Client
from lib.redis_server import Redis
from lib.waiting import wait_until

FULL = os.environ.get("TIDEWAY_FULL") == "1"
SECONDS = {"memory": 120, "redis": 120} if FULL else {"memory": 6, "redis": 10}
SEED = int(os.environ.get("TIDEWAY_TEST_SEED", "1"))
TOPICS = ("red", "blue")
SUBSCRIBERS, PUBLISHERS = 8, 4
HEARTBEAT_MS, SILENCE_S = 500, 2  # a subscriber that hears nothing for so long comes back
REQUEST_S = 1.5
PAUSE_S = 0.01
KEPT = {"tail_events": 100000, "resume_window_ms": 600000, "heartbeat_ms": HEARTBEAT_MS, "log_level": "warn"}
BROKEN = (OSError, AssertionError, ssl.SSLError, ValueError)


class Worker:
    """Does its step again and again on a thread of its own; what breaks a connection is no failure."""

    def __init__(self, address):
        self.address, self.failures, self.breaks = address, [], 0
        self._over = threading.Event()
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        while not self._over.is_set():
            try:
                self.step()
            except BROKEN:
                self.breaks += 1
            except Exception as failure:  # told by the test's own thread
                self.failures.append(repr(failure))
                return

    def stop(self):
        self._over.set()
        self.thread.join(30)
        assert not self.failures, self.failures


class Subscriber(Worker):
    """Follows all topics, over either protocol in turn."""

    def __init__(self, address, number):
        self.number, self.last_id, self.seen, self.gaps, self.opened = number, "", [], 0, 0
        super().__init__(address)

    def step(self):
        kind = (H1Client, H2Client)[(self.number + self.opened) % 2]
        headers = [("x-sse-topic", ",".join(TOPICS))] + ([("last-event-id", self.last_id)] if self.last_id else [])
        with kind(self.address) as client:
            stream = client.start("GET", "/v1/stream", headers)
            stream.wait_response(REQUEST_S)
            if stream.status != 200:
                raise ConnectionError(f"the gateway answered {stream.status}")
            self.opened += 1
            self._read(client, stream)

    def _read(self, client, stream):
        taken, heard_at, marks = 0, time.monotonic(), 0
        while not self._over.is_set() and not client.closed and not stream.ended and stream.reset is None:
            client.pump(0.1)
            for event in stream.events[taken:]:
                self.gaps += event.event == "tideway.gap"
                if event.event != "tideway.gap":
                    self.seen.append(event.id)
            taken, self.last_id = len(stream.events), stream.stream.last_id or self.last_id
            now_marks = taken + len(stream.stream.comments)
            heard_at = time.monotonic() if now_marks > marks else heard_at
            marks = now_marks
            if time.monotonic() - heard_at > SILENCE_S:
                return


class Publisher(Worker):
    """Publishes numbered events; knows of each whether it was accepted, dropped, or is in doubt."""

    def __init__(self, address, number, key):
        self.number, self.key, self.next = number, key, 0
        self.accepted, self.dropped, self.doubtful = [], set(), set()
        super().__init__(address)

    def step(self):
        with H2Client(self.address) as client:
            while not self._over.is_set():
                self._publish(client)
                time.sleep(PAUSE_S)

    def _publish(self, client):
        id = f"{self.number}-{self.next}"
        self.next += 1
        self.doubtful.add(id)
        answer = client.request("POST", "/v1/publish", [
            ("authorization", f"Bearer {self.key}"), ("x-sse-topic", TOPICS[self.next % len(TOPICS)]),
            ("x-sse-id", id)], "x" * (self.next % 50 * 20), timeout=REQUEST_S)
        if answer.status == 202:
            self.doubtful.remove(id)
            if answer.json()["status"] == "accepted":
                self.accepted.append(id)
            else:
                self.dropped.add(id)
        elif answer.status is not None and answer.status != 503:
            raise RuntimeError(f"a publish was answered {answer.status}")


def cause_trouble(proxy, chance, until, more):
    """What happens to the network, one thing after the other, until the time is over."""
    happenings = [lambda: proxy.cut_some(0.3, True), lambda: proxy.cut_some(0.3, False),
                  lambda: proxy.freeze_some(0.2), lambda: proxy.cut_some(1, True),
                  lambda: setattr(proxy, "delay_s", chance.random() * 0.1),
                  *(lambda event=event: event(proxy) for event in more)]
    count = 0
    while time.monotonic() < until:
        happenings[count % len(happenings)]()
        count += 1
        time.sleep(0.1 + chance.random() * 0.4)
    return count


def check(subscribers, publishers):
    """Everything accepted, once, and each publisher's in its order; nothing that nobody sent."""
    accepted = {id for publisher in publishers for id in publisher.accepted}
    possible = accepted.union(*(publisher.doubtful for publisher in publishers))
    for subscriber in subscribers:
        seen = set(subscriber.seen)
        assert len(seen) == len(subscriber.seen), "an event came twice"
        assert accepted <= seen, f"lost: {sorted(accepted - seen)[:10]}"
        assert seen <= possible, f"never accepted: {sorted(seen - possible)[:10]}"
        assert subscriber.gaps == 0
        for publisher in publishers:
            own = set(publisher.accepted)
            assert [id for id in subscriber.seen if id in own] == publisher.accepted
    return len(accepted)


def play(runtime, gateways, more=()):
    chance = random.Random(SEED)
    proxy = CuttingProxy([gateway.port for gateway in gateways], SEED)
    subscribers = [Subscriber(proxy.address, number) for number in range(SUBSCRIBERS)]
    publishers = []
    try:
        wait_until(lambda: all(s.opened and s.last_id for s in subscribers), "all to follow")
        publishers = [Publisher(proxy.address, number, gateways[0].key) for number in range(PUBLISHERS)]
        happened = cause_trouble(proxy, chance, time.monotonic() + SECONDS[runtime], more)
        proxy.heal()
        for publisher in publishers:
            publisher.stop()
        wanted = {id for publisher in publishers for id in publisher.accepted}
        with contextlib.suppress(AssertionError):  # check() says what is missing
            wait_until(lambda: all(wanted <= set(s.seen) for s in subscribers), "all events", 15)
    finally:
        for worker in subscribers + publishers:
            worker.stop()
        proxy.close()
    accepted = check(subscribers, publishers)
    table.add("chaos", {"runtime": runtime, "seed": SEED, "seconds": SECONDS[runtime], "happenings": happened,
                        "connections": proxy.connections, "streams opened": sum(s.opened for s in subscribers),
                        "accepted": accepted, "in doubt": sum(len(p.doubtful) for p in publishers),
                        "lost": 0, "repeated": 0})
    assert accepted > 50 and sum(s.opened for s in subscribers) > 2 * SUBSCRIBERS


@pytest.fixture
def redis():
    server = Redis()
    yield server
    server.close()


def test_chaos__one_gateway_and_a_bad_network(start_gateway):
    play("memory", [start_gateway(**KEPT)])


def test_chaos__two_gateways_that_are_killed_in_turn(start_gateway, redis):
    killed = []

    def start(number):
        return start_gateway(runtime="redis", redis_url=redis.url, node_id=f"n{number}", **KEPT)

    def kill_and_replace(proxy):
        oldest = running.pop(0)
        oldest.process.send_signal(signal.SIGKILL)
        oldest.wait_exit()
        proxy.ports = [running[0].port]
        killed.append(oldest)
        running.append(start(len(killed) + 1))
        proxy.ports = [gateway.port for gateway in running]

    running = [start(0), start(1)]
    play("redis", running, [kill_and_replace])
    assert len(killed) >= 2
