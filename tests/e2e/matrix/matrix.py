"""One run of the matrix: every publisher to every subscriber at once, cut twice in the middle.

Each publisher has two topics of its own and publishes every event to both; each subscriber follows
all of them through a relay. The events come in three portions: amid the second an operator closes all
streams, amid the third all connections break, and publishing goes on at once. So each pair must show
its events once and in order over two reconnects, the second to another gateway if there are several.
"""

import contextlib
import dataclasses
import time

from programs import EVENT_TYPE, Program, wait_until
from lib.relay import Relay

EVENTS = 200
KEPT = 5  # events of a topic, by the gateway that loses events
PORTIONS = ((0, 70), (70, 140), (140, EVENTS))
OPTIONS = {"retry_ms": 100, "resume_window_ms": 60000, "log_level": "info"}


def topics_of(publisher):
    return [f"e2e.{publisher}", f"e2e.{publisher}.copy"]


def payload(publisher, number):
    """Several lines, and what parsers and encoders are known to stumble over."""
    lines = (f"{publisher} {number}: Grüße, 世界, 🌊",
             "",
             "  indented: yes",
             "id: not an id",
             f"data: {number}",
             "next\u0085line, line\u2028separator, form\ffeed, \"quotes\" and \\backslash\\")
    return "\n".join(lines[:1 + number % len(lines)]) + ("\n" if number % 5 == 0 else "")


def publication(publisher, number):
    return {"id": f"{publisher}-{number:03}", "data": payload(publisher, number),
            **({"event": EVENT_TYPE} if number % 3 == 0 else {})}


def record(publication):
    """What a subscriber shows of it."""
    return {"event": "message", **publication}


def publisher_of(record):
    return record.get("id", "").rpartition("-")[0]


@dataclasses.dataclass
class Pair:
    """What one subscriber got of one publisher."""
    publisher: str
    subscriber: str
    received: int = 0
    problem: str = ""


def compare(publisher, subscriber, records):
    pair = Pair(publisher, subscriber)
    got = [one for one in records if publisher_of(one) == publisher]
    pair.received = len(got)
    expected = [record(publication(publisher, number)) for number in range(EVENTS)]
    if got != expected:
        at = next((at for at, (a, b) in enumerate(zip(got, expected)) if a != b),
                  min(len(got), EVENTS))
        pair.problem = (f"{len(got)} of {EVENTS} events; at {at} "
                        f"{got[at] if at < len(got) else 'nothing'} and not "
                        f"{expected[at] if at < EVENTS else 'nothing'}")
    return pair


class Run:
    """`gateways` are one, or several on one Redis."""

    def __init__(self, mode, gateways, languages, authority):
        self.mode, self.gateways, self.languages = mode, gateways, languages
        self.authority = authority
        self.pairs, self.protocols, self.reconnects = {}, {}, {}
        self.problems = []  # of the run as a whole
        self.seconds = 0
        self._subscribers, self._publishers, self._relays = {}, {}, {}
        self._connections = {}  # language → the ids that its stream has had
        self._late = set()  # subscribers that are no longer waited for

    def go(self):
        started = time.monotonic()
        with contextlib.ExitStack() as stack:
            try:
                self._start(stack)
                self._publish()
                self._end()
            except AssertionError as problem:
                self.problems.append(str(problem))
                for program in (*self._subscribers.values(), *self._publishers.values()):
                    self.problems.append(f"{program.language.name} {program.verb}: "
                                         f"{program.error_text()[-1000:]}")
            self._compare()
        self.seconds = time.monotonic() - started
        return self

    def _start(self, stack):
        addresses = [gateway.address for gateway in self.gateways]
        every_topic = [topic for name in self.languages for topic in topics_of(name)]
        for number, (name, language) in enumerate(self.languages.items()):
            shift = number % len(addresses)
            relay = self._relays[name] = Relay(addresses[shift:] + addresses[:shift])
            stack.callback(relay.close)
            self._subscribers[name] = Program(language, "subscribe", every_topic, relay.url,
                                              self.authority, self.gateways[0].key)
            stack.callback(self._subscribers[name].kill)
            self._publishers[name] = Program(language, "publish", topics_of(name),
                                             self.gateways[(number + 1) % len(addresses)].url,
                                             self.authority, self.gateways[0].key)
            stack.callback(self._publishers[name].kill)
        self._wait_connected()

    def _rows(self):
        rows = self.gateways[0].admin("/connections")["data"]
        return {row["clientId"].removeprefix("example-"): row for row in rows}

    def _wait_connected(self):
        """Waits until each subscriber has one stream, and that is another one than before."""
        def connected():
            rows = self._rows()
            return len(rows) == len(self.languages) and rows if all(
                row["connectionId"] not in self._connections.get(name, ())
                for name, row in rows.items()) else None
        rows = wait_until(connected, f"the subscribers to be connected, of which are {self._rows()}")
        for name, row in rows.items():
            self._connections.setdefault(name, []).append(row["connectionId"])
            self.reconnects[name] = len(self._connections[name]) - 1
            self.protocols.setdefault(name, set()).add(row["protocol"])

    def _publish(self):
        for (first, end), disturb in zip(PORTIONS, (None, self._close_streams, self._cut)):
            middle = (first + end) // 2
            self._feed(first, middle)
            if disturb:
                # Some are on their way when it happens, and others are published while nobody listens.
                for publisher in self._publishers.values():
                    wait_until(lambda: len(publisher.records()) > first, "an answer")
                disturb()
            self._feed(middle, end)
            if disturb:
                self._wait_connected()
            self._wait_events(end)

    def _feed(self, first, end):
        for name, publisher in self._publishers.items():
            publisher.feed(publication(name, number) for number in range(first, end))

    def _close_streams(self):
        nodes = {node["nodeId"]: node for node in self.gateways[0].admin("/nodes")["data"]}
        client = self.gateways[0].h2()
        for row in self._rows().values():
            assert row["nodeId"] in nodes, row
            path = f"/v1/admin/connections/{row['connectionId']}"
            status = client.request("DELETE", path, [self.gateways[0].auth()]).status
            assert status == 204, status

    def _cut(self):
        for relay in self._relays.values():
            relay.cut()

    def _wait_events(self, count):
        for name, publisher in self._publishers.items():
            wait_until(lambda: len(publisher.records()) >= count,
                       f"{name} to publish {count} events")
        last = {f"{name}-{count - 1:03}" for name in self.languages}
        for name, subscriber in self._subscribers.items():
            if name in self._late:
                continue
            try:
                wait_until(lambda: last <= {one.get("id") for one in subscriber.records()},
                           f"{name} to get event {count} of all")
            except AssertionError as problem:
                self._late.add(name)  # the others go on without it
                self.problems.append(f"{problem}: {subscriber.error_text()[-1000:]}")

    def _end(self):
        for name, publisher in self._publishers.items():
            bad = [one for one in publisher.records() if one["status"] != "accepted"]
            assert not bad, f"{name} was answered {bad[0]}"
            publisher.close_input()
            code = publisher.wait()
            assert code == 0, f"publisher {name} ended with {code}: {publisher.error_text()}"
        for subscriber in self._subscribers.values():
            subscriber.interrupt()
        for name, subscriber in self._subscribers.items():
            code = subscriber.wait()
            assert code == 0, f"subscriber {name} ended with {code}: {subscriber.error_text()}"
        wait_until(lambda: not self._rows(), "all streams to be closed")

    def _compare(self):
        for subscriber in self.languages:
            records = (self._subscribers[subscriber].records()
                       if subscriber in self._subscribers else [])
            strange = [one for one in records if publisher_of(one) not in self.languages]
            self.problems += [f"{subscriber} got what nobody sent: {one}" for one in strange]
            for publisher in self.languages:
                self.pairs[publisher, subscriber] = compare(publisher, subscriber, records)
