"""Clients that resume, and a publisher, while gateways are replaced one after the other."""

import random
import re
import select
import signal
import threading
import time

from lib.h2_client import H2Client
from lib.swarm import Swarm
from lib.waiting import DEADLINE_S

CLIENTS = 1000
PER_CONNECTION = 250
BATCH = 100  # so many that come back share a connection
TOPICS = [f"news-{n}" for n in range(10)]
EVENTS_PER_S = 500


class Endpoints:
    """The service: its ready gateways, any of which a new connection may get."""

    def __init__(self):
        self.ready = []
        self.random = random.Random(1)

    def any(self):
        return self.random.choice(self.ready)


class Publisher(threading.Thread):
    """Publishes 0, 1, 2 … to every topic at a steady rate, each round to some ready gateway; all must be accepted."""

    def __init__(self, endpoints):
        super().__init__(daemon=True)
        self.endpoints, self.count, self.failure = endpoints, 0, None
        self.over = threading.Event()
        self.clients = {}  # gateway → its client

    def client_of(self, gateway):
        for gone in [other for other in self.clients if other not in self.endpoints.ready]:
            self.clients.pop(gone).close()
        if gateway not in self.clients:
            self.clients[gateway] = H2Client(gateway.address)
        return self.clients[gateway]

    def publish_round(self):
        gateway = self.endpoints.any()
        client = self.client_of(gateway)
        exchanges = [client.start("POST", "/v1/publish",
                                  [gateway.auth(), ("x-sse-topic", topic), ("x-sse-id", f"e{self.count}")],
                                  str(self.count)) for topic in TOPICS]
        for exchange in exchanges:
            exchange.wait_end()
            assert (exchange.status, exchange.json()["status"]) == (202, "accepted"), exchange.body
            del client.exchanges[exchange.stream_id]

    def run(self):
        begun = time.monotonic()
        while not self.over.wait(max(0, begun + self.count * len(TOPICS) / EVENTS_PER_S - time.monotonic())):
            try:
                self.publish_round()
            except Exception as failure:
                self.failure = failure
                return
            self.count += 1
        self.seconds = time.monotonic() - begun

    def finish(self):
        """How many events each topic has got."""
        self.over.set()
        self.join(DEADLINE_S)
        for client in self.clients.values():
            client.close()
        assert self.failure is None, self.failure
        return self.count


class Crowd:
    """Clients that follow a topic each, many to a connection, and resume with the last id that each has seen."""

    def __init__(self, endpoints):
        self.endpoints = endpoints
        self.events = [[] for _ in range(CLIENTS)]
        self.last_ids = [None] * CLIENTS
        self.open = {}  # (connection, stream id) → client
        self.connections = []
        self.resumed = 0
        self.returning, self.since = [], 0.0  # clients without a stream, and since when
        for first in range(0, CLIENTS, PER_CONNECTION):
            self.connect(range(first, first + PER_CONNECTION))
        self.wait_open()

    def connect(self, numbers):
        connection = Swarm(self.endpoints.any().address)
        self.connections.append(connection)
        for number in numbers:
            last_id = self.last_ids[number]
            fields = [("last-event-id", last_id)] if last_id else []
            stream_id, = connection.open(1, TOPICS[number % len(TOPICS)], headers=fields, wait=False)
            self.open[connection, stream_id] = number

    def wait_open(self):
        for connection in self.connections:
            ids = [stream_id for other, stream_id in self.open if other is connection]
            connection.wait(lambda: all(i in connection.statuses for i in ids), "responses")
            assert all(connection.statuses[i] == 200 for i in ids)

    def take(self, connection, stream_id, number):
        """What a stream brought. The last frame of an open stream may still be on its way."""
        body = bytes(connection.received[stream_id])
        whole, _, rest = body.rpartition(b"\n\n")
        connection.received[stream_id] = bytearray(rest)
        assert b"event: tideway.gap" not in whole
        self.events[number] += [int(data) for data in re.findall(rb"(?m)^data: (\d+)$", whole)]
        ids = re.findall(rb"(?m)^id: (.+)$", whole)
        if ids:
            self.last_ids[number] = ids[-1].decode()

    def pump(self):
        """Reads what has come; whose streams have ended come back elsewhere, with the id that each saw last."""
        pending = [c for c in self.connections if c.sock.pending()]
        readable = select.select([c.sock for c in self.connections], [], [], 0 if pending else 0.05)[0]
        for connection in [c for c in self.connections if c in pending or c.sock in readable]:
            try:
                connection.pump(0.005)
            except (AssertionError, OSError):  # closed: what was open on it is over
                connection.ended.update(i for other, i in self.open if other is connection)
            if connection.ended:
                self.end(connection)
        if self.returning and (len(self.returning) >= BATCH or time.monotonic() - self.since > 0.2):
            self.resumed += len(self.returning)
            self.connect(self.returning)
            self.returning = []

    def end(self, connection):
        if not self.returning:
            self.since = time.monotonic()
        for stream_id in connection.ended:
            number = self.open.pop((connection, stream_id))
            self.take(connection, stream_id, number)
            self.returning.append(number)
        connection.ended.clear()
        if not any(other is connection for other, _ in self.open):
            self.connections.remove(connection)
            connection.close()

    def collect(self):
        for (connection, stream_id), number in self.open.items():
            self.take(connection, stream_id, number)

    def close(self):
        for connection in self.connections:
            connection.close()


class Roll:
    """Gateways that are replaced while a crowd follows and a publisher publishes."""

    def __init__(self, start, count):
        """`start` is a function that starts a gateway and returns it when it is ready; `count` are there at first."""
        self.endpoints, self.start = Endpoints(), start
        self.endpoints.ready = [start() for _ in range(count)]
        self.crowd, self.publisher = Crowd(self.endpoints), Publisher(self.endpoints)
        self.publisher.start()

    def pump_until(self, condition, what, timeout=DEADLINE_S * 2):
        deadline = time.monotonic() + timeout
        while not condition():
            assert time.monotonic() < deadline, f"waited {timeout} s for {what}"
            self.crowd.pump()

    def replace(self, old, end=signal.SIGTERM, timeout=DEADLINE_S * 2):
        """Another one is started and ready, the old one gets no new clients, is told to end, and drains; or is killed."""
        endpoints, publisher = self.endpoints, self.publisher
        endpoints.ready = [*endpoints.ready, self.start()]
        endpoints.ready = [gateway for gateway in endpoints.ready if gateway is not old]
        before = publisher.count
        self.pump_until(lambda: publisher.count >= before + 5 or publisher.failure, "events before the drain")
        old.signal(end)
        self.pump_until(lambda: old.process.poll() is not None, "its end", timeout)
        old.stop(expected_code=0 if end == signal.SIGTERM else -end)

    def finish(self):
        """Every client has every event, once and in order. Returns how many there were of each topic."""
        count = self.publisher.finish()
        self.crowd.wait_open()

        def complete():
            self.crowd.collect()
            return all(len(events) >= count for events in self.crowd.events)

        self.pump_until(complete, f"{count} events for everybody")
        assert all(events == list(range(count)) for events in self.crowd.events), "lost, repeated or out of order"
        print(f"{CLIENTS} clients, {count * len(TOPICS)} events, {count * len(TOPICS) / self.publisher.seconds:.0f}/s, "
              f"{self.crowd.resumed} resumes, nothing lost or repeated")
        return count

    def close(self):
        self.publisher.over.set()
        self.crowd.close()
