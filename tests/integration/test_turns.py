"""No client holds a loop for long: what many streams want at once is done in slices."""

import pytest

from lib.swarm import Swarm
from lib.turns import longest_turn, stopped

STREAMS = 8000
EVENTS = 30
TOO_LONG_S = 0.02


@pytest.fixture
def busy(start_gateway):
    """A gateway with one loop, and a client of it that was there before."""
    gateway = start_gateway(workers=1, max_streams_per_connection=STREAMS, log_level="info")
    witness = gateway.h2()
    witness.subscribe("news", "other")
    for n in range(EVENTS + 1):
        gateway.deliver("news", f"payload {n}", id=f"{n:02}")
    return gateway


@pytest.mark.volume
def test_turns__thousands_of_requests_in_one_write_are_handled_in_slices(busy):
    with Swarm(busy.address) as swarm:
        with stopped(busy):
            streams = swarm.open(STREAMS, topic="news", wait=False)
        swarm.wait(lambda: len(swarm.statuses) == len(streams), "all answers")
        assert set(swarm.statuses.values()) == {200}
        busy.deliver("news", "live", id="live")
        swarm.wait(lambda: all(b"id: live\n" in body for body in swarm.received.values()), "the event")
        assert longest_turn(busy) < TOO_LONG_S


@pytest.mark.volume
def test_turns__thousands_of_resumes_at_once_are_exact_and_taken_in_slices(busy):
    wanted = b"".join(b"id: %02d\ndata: payload %d\n\n" % (n, n) for n in range(1, EVENTS + 1))
    with Swarm(busy.address) as swarm:
        with stopped(busy):
            streams = swarm.open(STREAMS, topic="news", headers=[("last-event-id", "00")], wait=False)
        busy.deliver("other", "meanwhile", id="meanwhile")
        swarm.wait(lambda: all(swarm.received.get(stream, b"").endswith(wanted) for stream in streams),
                   "what was missed")
        assert longest_turn(busy) < TOO_LONG_S
    metrics = busy.metrics()
    assert metrics['tideway_resumes_total{result="exact"}'] == STREAMS
    assert metrics["tideway_replayed_events_total"] == STREAMS * EVENTS
