"""python3 -m e2e.ui.peer PORT KEY, in tests/: the other side of the UI's tests, in a process of its own.

Reads one JSON command a line and answers each with one JSON line; ends, and its streams with it, at
the end of its input. Commands: open {count, topics, clientId}, publish {topic, id, payload, event},
burst {topic, count}, ended {}.
"""

import json
import select
import sys

from lib.h2_client import H2Client
from lib.swarm import Swarm

OPEN_BATCH = 1000


class Peer:
    def __init__(self, address, key):
        self.address, self.key = address, key
        self.swarms = []
        self.publisher = None

    def open(self, count, topics, clientId):
        headers = [("x-sse-id", clientId)] if clientId else []
        opened = 0
        while opened < count:
            if not self.swarms or self.room(self.swarms[-1]) == 0:
                self.swarms.append(Swarm(self.address))
            batch = min(OPEN_BATCH, count - opened, self.room(self.swarms[-1]))
            first = opened
            self.swarms[-1].open(batch, lambda number: topics[(first + number) % len(topics)], headers)
            opened += batch
        return {"opened": opened}

    @staticmethod
    def room(one):
        return one.max_streams - len(one.received)

    def publish(self, topic, id, payload, event):
        # What waits to be read on an idle connection may be its end.
        if self.publisher is None or select.select([self.publisher.sock], [], [], 0)[0]:
            self.publisher = H2Client(self.address)
        headers = [("authorization", f"Bearer {self.key}"), ("x-sse-topic", topic), ("x-sse-id", id)]
        if event:
            headers.append(("x-sse-event", event))
        return self.publisher.request("POST", "/v1/publish", headers, payload).json()

    def burst(self, topic, count):
        """As fast as it goes: no publish waits for another's answer."""
        with H2Client(self.address) as client:
            answers = [client.start("POST", "/v1/publish", [("authorization", f"Bearer {self.key}"),
                                                            ("x-sse-topic", topic),
                                                            ("x-sse-id", f"burst-{number}")], "x")
                       for number in range(count)]
            for answer in answers:
                answer.wait_end()
        return {"published": count}

    def ended(self):
        return {"ended": sum(len(one.ended) + len(one.reset) for one in self.swarms)}

    def serve(self):
        while True:
            sockets = {one.sock: one for one in self.swarms}
            readable, _, _ = select.select([sys.stdin, *sockets], [], [])
            for ready in readable:
                if ready in sockets:
                    sockets[ready].pump(0)
            if sys.stdin not in readable:
                continue
            line = sys.stdin.readline()
            if not line:
                return
            command = json.loads(line)
            answer = getattr(self, command.pop("do"))(**command)
            print(json.dumps(answer), flush=True)


Peer(("127.0.0.1", int(sys.argv[1])), sys.argv[2]).serve()
