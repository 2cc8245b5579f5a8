"""A day condensed: streams and topics come and go by the million with events between, and nothing stays behind."""

import os
import signal
import time

import load
import table

from lib.process_stats import descriptors, settled_rss_bytes
from lib.waiting import wait_until

FULL = os.environ.get("TIDEWAY_FULL") == "1"
STREAMS_TO_CLOSE = 2_000_000 if FULL else 30_000
RUN_S = 60 if FULL else 4
WARM_UP_S = 3
RSS_GROWTH_MAX = 1.1
TAIL_BYTES = 100_000  # small: what is kept lies scattered, and would hide what is lost
GONE = ("tideway_connections", "tideway_streams", "tideway_topics", "tideway_queued_bytes", "tideway_tls_handshakes")


def churn(gateway, seconds, meanwhile=lambda: None):
    """Every stream has a topic of its own and closes after one event: each makes and deletes a topic.

    That is 40 a second on each connection, below what a connection may reset.
    """
    run = load.Load(gateway, seconds, connections=200, streams=20, topics=4000, churn=1, churn_events=1,
                    rate=8000, publishers=2)
    meanwhile()
    report = run.report()
    assert report["verification"]["clean"], report["verification"]
    return int(report["churn"]["count"]), report["publish"]["sent"]


def warm_up(gateway):
    """Malloc and tables grow to what they need at most: a backlog that comes at once shows how much that is."""
    def pause():
        wait_until(lambda: gateway.metrics()["tideway_deliveries_total"] > 4000, "events")
        gateway.signal(signal.SIGSTOP)
        time.sleep(1)
        gateway.signal(signal.SIGCONT)
    churn(gateway, WARM_UP_S, pause)


class State:
    """What may not grow."""

    def __init__(self, gateway):
        wait_until(lambda: all(gateway.metrics()[name] == 0 for name in GONE), "everybody to be gone")
        self.rss_bytes = settled_rss_bytes(gateway.process.pid)
        self.descriptors = descriptors(gateway.process.pid)
        self.kept_events = int(gateway.metrics()["tideway_tail_events"])
        self.kept_bytes = int(gateway.metrics()["tideway_tail_bytes"])


def test_soak__memory_descriptors_and_tables_are_as_at_the_start(start_gateway):
    gateway = start_gateway(tail_events=4, tail_bytes=TAIL_BYTES, log_level="info")
    warm_up(gateway)
    before, start, closed, events = State(gateway), time.monotonic(), 0, 0
    while closed < STREAMS_TO_CLOSE:
        counts = churn(gateway, RUN_S)
        closed, events = closed + counts[0], events + counts[1]
    seconds, after = time.monotonic() - start, State(gateway)
    table.add("soak", {
        "streams opened and closed": closed, "events": events, "seconds": seconds,
        "descriptors before": before.descriptors, "after": after.descriptors,
        "kept events before": before.kept_events, "after ": after.kept_events,
        "MB before": before.rss_bytes / 1e6, "MB after": after.rss_bytes / 1e6})
    assert gateway.topics() == {}
    assert after.descriptors == before.descriptors
    assert after.kept_bytes <= TAIL_BYTES
    assert after.rss_bytes <= RSS_GROWTH_MAX * before.rss_bytes
