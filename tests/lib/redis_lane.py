"""The keys and scripts of a lane in Redis, as a node calls them: see docs/internals/redis.md."""

import re
import socket

from lib.paths import ROOT

SCRIPTS = ROOT / "runtime/redis/scripts"
LANE = "tw:{0}:"
EPOCH = "00000000000000aa"
LEASE_MS = 60000
INBOX_BYTES = 1 << 20


class Refused(Exception):
    """An error reply."""


class Connection:
    """Speaks to Redis: texts and numbers as they come, lists as lists, None for nil."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=10)
        self.file = self.socket.makefile("rb")

    def __call__(self, *arguments):
        words = [a if isinstance(a, bytes) else str(a).encode() for a in arguments]
        self.socket.sendall(b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(w), w) for w in words))
        return self.read()

    def read(self):
        line = self.file.readline().strip().decode()
        kind, rest = line[0], line[1:]
        if kind == "-":
            raise Refused(rest)
        if kind == ":":
            return int(rest)
        if kind == "$":
            return None if rest == "-1" else self.file.read(int(rest) + 2)[:-2].decode()
        if kind == "*":
            return None if rest == "-1" else [self.read() for _ in range(int(rest))]
        return rest

    def close(self):
        self.file.close()
        self.socket.close()


def script_text(name):
    text = (SCRIPTS / f"{name}.lua").read_text()
    parts = re.findall(r"^-- With: (\S+)$", text, re.MULTILINE)
    return "".join((SCRIPTS / part).read_text() for part in ["prelude.lua", *parts]) + text


def own(registration, session=1):
    """A registration and its session, as its node names them."""
    return f"{registration}/{session}"


def item(body):
    return f"{len(body)} {body}"


class Lane:
    """The scripts of one lane, as a node calls them."""

    def __init__(self, redis):
        self.call = Connection(redis.port)
        self.texts = {path.stem: script_text(path.stem) for path in SCRIPTS.glob("*.lua")}

    def key(self, name):
        return LANE + name

    def run(self, script, *arguments):
        return self.call("EVAL", self.texts[script], 1, LANE, *arguments)

    def join(self, registration, known="", run="run:repl", fresh=EPOCH, successor=None, lanes=1, layout="", takes=1):
        *answer, self.layout = self.run("join", known, registration, run, fresh, successor or registration, LEASE_MS, 1,
                                        lanes, layout, takes)
        return answer

    def lease(self, registration, node_id=None):
        return self.run("lease", EPOCH, own(registration), LEASE_MS, "nodeId", node_id or f"node-{registration}")

    def expire(self, registration):
        """Its lease ran out."""
        self.call("ZADD", self.key("nodes"), 1, registration)

    def doubt(self, registration):
        """And the time to renew it, too."""
        self.expire(registration)
        self.call("HSET", self.key("inboxes"), registration + ":d", 1)

    def follow(self, registration, *topics, streams=1):
        return self.run("follow", EPOCH, own(registration), *[x for t in topics for x in (t, streams)])

    def unfollow(self, registration, *topics, window_ms=0):
        return self.run("unfollow", EPOCH, own(registration), window_ms, *topics)

    def publish(self, registration, *events, keep=10, limit=INBOX_BYTES):
        """Each event is (body, topic…); the answer is (first number, [(elsewhere, here, [accepted…])…])."""
        arguments = []
        for body, *topics in events:
            arguments += [len(item(body)), len(topics), *topics]
        answer = self.run("publish", EPOCH, own(registration), keep, limit, len(events),
                          "".join(item(body) for body, *_ in events), *arguments,
                          *[topic for _, *topics in events for topic in topics])
        first, rest, rows = int(answer[0]), answer[1:], []
        for _, *topics in events:
            rows.append((rest[0], rest[1], rest[2:2 + len(topics)]))
            rest = rest[2 + len(topics):]
        assert rest == []
        return first, rows

    def inbox(self, registration):
        return self.call("XRANGE", self.key("i:" + registration), "-", "+")

    def history(self, topic):
        return self.call("XRANGE", self.key("h:" + topic), "-", "+")

    def read(self, topic, before="+", size=1 << 20, count=100):
        return self.run("read", EPOCH, topic, before, size, count)

    def seq(self):
        return int(self.call("HGET", self.key("state"), "seq"))

    # Of a cluster of gateways

    def epoch(self):
        return self.call("HGET", self.key("state"), "id")

    def registrations(self, node_id):
        """Of the node with this id, those that are alive."""
        return [registration for registration in self.call("ZRANGE", self.key("nodes"), 0, -1)
                if self.call("HGET", self.key("inboxes"), registration + ":e") is not None and
                self.call("HGET", self.key("n:" + registration), "nodeId") == node_id]

    def registration(self, node_id):
        found = self.registrations(node_id)
        assert len(found) == 1, found
        return found[0]

    def topics_of(self, registration):
        return self.call("SCARD", self.key(f"n:{registration}:t"))

    def send(self, node_id, message):
        """Puts a message for a node into its inbox."""
        registration = self.registration(node_id)
        session = self.call("HGET", self.key("inboxes"), registration + ":s")
        return self.run("call", self.epoch(), own(registration, session), registration, message)

    def bury(self, registration):
        """What another node does with one whose lease ran out."""
        while self.run("leave", self.epoch(), registration, 500, 0, 0) == 1:
            pass
