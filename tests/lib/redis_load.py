"""Subscribers and publishers that go on by themselves while a test breaks things."""

import re
import threading
import time

from lib.h2_client import H2Client
from lib.swarm import Swarm

_EVENT = re.compile(rb"(?:^|\n)id: ([^~\n][^\n]*)\n(?:event: [^\n]*\n)?data: ")
_GAP = re.compile(rb"event: tideway\.gap\n")


class Followers:
    """Streams on one gateway, read by a thread of their own until close()."""

    def __init__(self, gateway, topic, count=2):
        self.swarm = Swarm(gateway.address)
        self.ids = self.swarm.open(count, topic)
        self._stop = False
        self.closed = False  # by the gateway
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self):
        try:
            while not self._stop:
                self.swarm.pump(0.05)
        except (AssertionError, OSError):
            self.closed = True

    def events(self):
        """Publishers' ids as each stream got them."""
        return [[match.decode() for match in _EVENT.findall(bytes(self.swarm.received[i]))]
                for i in self.ids]

    def gaps(self):
        return [len(_GAP.findall(bytes(self.swarm.received[i]))) for i in self.ids]

    def alive(self):
        return not self.closed and not self.swarm.ended and not self.swarm.reset and not self.swarm.goaway

    def close(self):
        self._stop = True
        self._thread.join()
        self.swarm.close()


class Publisher:
    """Publishes one event after the other, at most `rate` a second, until stop()."""

    def __init__(self, gateway, topic, name, rate=200):
        self.gateway, self.topic, self.name, self.rate = gateway, topic, name, rate
        self.answers = []  # (id, status, status of the event, time of the answer)
        self._stop = False
        self.failure = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self):
        try:
            with H2Client(self.gateway.address) as client:
                number = 0
                while not self._stop:
                    number += 1
                    id = f"{self.name}-{number}"
                    answer = self.gateway.publish(self.topic, f"payload of {id}", id, client=client)
                    self.answers.append((id, answer.status, answer.json().get("status"),
                                         time.monotonic()))
                    time.sleep(1 / self.rate)
        except BaseException as failure:
            self.failure = failure

    def stop(self):
        self._stop = True
        self._thread.join()
        assert self.failure is None, self.failure
        return self.answers
