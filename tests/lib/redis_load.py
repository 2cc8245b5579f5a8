"""Subscribers and publishers that go on by themselves while a test breaks things."""

import contextlib
import re
import threading
import time

from lib.h2_client import H2Client
from lib.swarm import Swarm
from lib.waiting import wait_until

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


class Load:
    """Two streams on each gateway and a publisher to each, on one topic."""

    def __init__(self, gateways):
        self.gateways = gateways
        self.followers = [Followers(gateway, "t") for gateway in gateways]
        self.publishers = [Publisher(gateway, "t", f"p{i}") for i, gateway in enumerate(gateways)]

    def flowing(self, more=5):
        """Each publisher gets that many more events accepted."""
        before = [self.accepted(publisher) for publisher in self.publishers]
        wait_until(lambda: all(self.accepted(publisher) >= count + more
                               for publisher, count in zip(self.publishers, before)),
                   "events to be accepted", 30)

    @staticmethod
    def accepted(publisher):
        return sum(answer[1] == 202 for answer in publisher.answers)

    def refused(self):
        return all(any(answer[1] == 503 for answer in publisher.answers)
                   for publisher in self.publishers)

    def finish(self):
        """Ends the publishers, checks what always holds of their answers, and returns these."""
        answers = [answer for publisher in self.publishers for answer in publisher.stop()]
        assert {answer[1] for answer in answers} <= {202, 503}
        assert all(answer[2] in ("accepted", None) for answer in answers)
        return answers

    def finish_exact(self):
        """Ends the publishers: all that was accepted came to every stream, once and in one order, and nobody saw a gap."""
        self.wait_for(id for id, status, *_ in self.finish() if status == 202)
        self.one_order()
        self.undisturbed()
        assert all(gaps == 0 for follower in self.followers for gaps in follower.gaps())

    def streams(self):
        return [ids for follower in self.followers for ids in follower.events()]

    def wait_for(self, ids):
        """Every stream has all these, and nothing twice."""
        wanted = set(ids)

        def missing():
            return [sorted(wanted - set(stream)) for stream in self.streams()]

        with contextlib.suppress(AssertionError):
            wait_until(lambda: not any(missing()), "every stream to have every accepted event", 30)
        assert not any(missing()), "these accepted events did not come"
        for stream in self.streams():
            assert len(stream) == len(set(stream)), "an event came twice"

    def one_order(self):
        streams = self.streams()
        for stream in streams[1:]:
            common = set(stream) & set(streams[0])
            assert [i for i in stream if i in common] == [i for i in streams[0] if i in common]

    def undisturbed(self):
        assert all(gateway.process.poll() is None for gateway in self.gateways)
        assert all(follower.alive() for follower in self.followers)

    def listed(self):
        """Whether every gateway lists all three nodes with their two streams."""
        return all({row["nodeId"]: row["connectionCount"]
                    for row in gateway.admin("/nodes")["data"]} == {"n0": 2, "n1": 2, "n2": 2} and
                   gateway.admin("/connections")["total"] == 6 and gateway.topics() == {"t": 6}
                   for gateway in self.gateways)

    def close(self):
        for follower in self.followers:
            follower.close()


def all_ready(gateways, ready=True):
    return all((gateway.ops("/readyz")[0] == 200) == ready for gateway in gateways)


def check_replaced(load, gateways, recovered_at):
    """After another data set took over: what was accepted since then is everywhere, streams know."""
    load.flowing(20)
    answers = load.finish()
    load.wait_for(id for id, status, _, at in answers if status == 202 and at > recovered_at)
    load.one_order()
    load.undisturbed()
    assert all(gaps >= 1 for follower in load.followers for gaps in follower.gaps())
    load.close()
