"""What a client has to get right, each as a function of a Session; it returns what the table shows, or fails."""

import time

from programs import Program

from lib.waiting import wait_until

HEARTBEATS_S = 2
KEPT = 5
LARGE = 1 << 20
PATIENCE_S = 12
START_S = 30  # a browser's on a busy machine


class Session:
    """One library's program behind a relay that cuts it."""

    def __init__(self, library, relay, gateway, full):
        self.library, self.relay, self.gateway, self.full = library, relay, gateway, full
        self.topic = "client." + library.name.lower().replace(" ", "-")
        self.program = None
        self.seen = 0
        self.url = f"{relay.url.replace('https', 'http')}/v1/stream?topic={self.topic}"

    def start(self):
        """A new program; the stream of the last one is no longer listed."""
        wait_until(lambda: not self.connected(), "the last stream to be closed")
        self.program, self.seen = Program(self.library, self.url), 0

    def ensure(self):
        """A program that is connected: a new one if the last has ended or given up."""
        self.relay.accept()
        if self.program and not self.program.ended():
            try:
                self.wait_connected(8)
                self.seen = len(self.program.records)
                return
            except AssertionError:
                self.program.kill()
        self.start()
        self.wait_connected()

    def connected(self):
        with self.gateway().h2() as client:
            return any(row["topics"] == [self.topic] for row in self.gateway().admin("/connections", client)["data"])

    def wait_connected(self, timeout=START_S):
        wait_until(self.connected, f"{self.library.name} to connect; it said {self.errors()}", timeout)

    def publish(self, *ids, data="x"):
        with self.gateway().h2() as client:
            for id in ids:
                answer = self.gateway().publish(self.topic, data, id=id, client=client)
                assert answer.status == 202 and answer.json()["status"] == "accepted", answer.body

    def errors(self):
        return self.program.errors.strip().rpartition("\n")[2][:300] if self.program else ""

    def new(self):
        return self.program.records[self.seen:]

    def expect(self, *ids, timeout=PATIENCE_S):
        """These events, each once and in this order, and nothing else."""
        def last_came():
            return any(record["id"] == ids[-1] and record["size"] for record in self.new())
        try:
            wait_until(last_came, f"event {ids[-1]}", timeout)
        except AssertionError:
            got = [record["id"] for record in self.new() if record["size"]]
            why = "it ended" if self.program.ended() else "it is silent" if not self.connected() else "it is connected"
            raise AssertionError(f"got {got} and not {list(ids)}; {why}: {self.errors()}")
        got = [(record["event"], record["id"]) for record in self.new()
               if record["size"] and record["event"] != "tideway.retry"]
        self.seen = len(self.program.records)
        assert [id for _, id in got] == list(ids), f"got {got}"
        return got

    def cut(self, gently=False):
        self.relay.cut(refuse=True, gently=gently)
        wait_until(lambda: not self.connected(), "the stream to be closed")


def opening(session):
    """The block that opens a stream, an id without data, is shown as no event."""
    session.start()
    session.wait_connected()
    time.sleep(0.5)
    assert not session.new(), f"shows it as an event: {session.new()[0]}"
    return "not shown"


def heartbeat(session):
    """Comments are shown as nothing, and the stream goes on."""
    session.ensure()
    time.sleep(HEARTBEATS_S)
    session.publish("after-heartbeats")
    extra = len([record for record in session.new() if not record["size"]])
    session.expect("after-heartbeats")
    assert not extra, f"shows {extra} empty events"
    return "not shown"


def resume_from_opening(session):
    """Cut before its first event, it misses nothing."""
    session.program.kill()
    session.start()
    session.wait_connected()
    time.sleep(1.5)  # the opening has come, also on a busy machine
    session.cut(gently=True)
    session.publish("first")
    session.relay.accept()
    session.expect("first")
    return "nothing lost"


def resume(session):
    session.ensure()
    session.publish("r0")
    session.expect("r0")
    session.cut()
    session.publish("r1", "r2", "r3")
    session.relay.accept()
    session.expect("r1", "r2", "r3")
    return "nothing lost"


def gap(session):
    """Away for longer than events are kept, it hands the notice to the application."""
    session.ensure()
    session.publish("g")
    session.expect("g")
    session.cut()
    session.publish(*(f"g{number}" for number in range(2 * KEPT)))
    session.relay.accept()
    wait_until(lambda: [record for record in session.new() if record["id"] == f"g{2 * KEPT - 1}"], "the last event",
               PATIENCE_S)
    shown = [record["event"] for record in session.new() if record["size"]]
    assert shown == ["tideway.gap"] + ["message"] * KEPT, f"shows {shown}"
    return "shown"


def large(session):
    session.ensure()
    session.publish("large", data="z" * LARGE)
    session.expect("large", timeout=3 * PATIENCE_S)  # a parser in a debug build takes a while
    sizes = [record["size"] for record in session.program.records if record["id"] == "large" and record["size"]]
    assert sizes == [LARGE], sizes
    return "received"


def before_drain(session):
    session.ensure()
    session.publish("d0")
    session.expect("d0")


def drain(session):
    """The gateway has restarted; what is published meanwhile and afterwards arrives."""
    session.publish("d1", "d2")
    session.expect("d1", "d2")
    return "comes back"


def before_refusal(session):
    session.program.kill()
    session.program, session.seen = Program(session.library, f"{session.full().url}/v1/stream?topic={session.topic}"), 0


def refusal(session):
    """A stream that was refused because the gateway was full comes back when it no longer is."""
    gateway = session.full()
    wait_until(lambda: gateway.topics().get(session.topic) or session.program.ended(), "it to come back", PATIENCE_S)
    assert not session.program.ended(), f"it ended: {session.errors()}"
    return "comes back"


CHECKS = {
    "opening": opening,
    "heartbeat": heartbeat,
    "cut before the first event": resume_from_opening,
    "resume": resume,
    "gap": gap,
    "1 MiB": large,
    "drain": drain,
    "refusal": refusal,
}

# What happens before the gateway restarts, and before a full one has room again.
BEFORE = {"drain": before_drain, "refusal": before_refusal}
