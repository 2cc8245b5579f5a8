"""The table of scenarios: what the load generator does, how servers are set up, who takes part.

`load` are options of tw-load, `gateway` options of Tideway (environment variables without the
prefix TIDEWAY_). Everything that is not said here is the default of either program.
"""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Scenario:
    name: str
    about: str
    load: dict
    gateway: dict = dataclasses.field(default_factory=dict)
    # Who else can do this: "floor", and the peers of servers.PEERS.
    others: tuple = ()
    # What is different for a peer (far fewer events, where each costs it so much more).
    peer_load: dict = dataclasses.field(default_factory=dict)
    nodes: int = 1
    redis: bool = False
    # How it is run: "load" is tw-load alone, the others are in redis_runs.
    kind: str = "load"
    ops: bool = False  # with the ops listener
    # The rate is this share of what the named scenario reached with the same server.
    rate_of: tuple = ()
    # Which of the report's figures this scenario is about; see report.FIGURES.
    figures: tuple = ("cpu", "throughput", "p50", "p99", "memory")

    @property
    def streams(self):
        return self.load.get("connections", 1) * self.load.get("streams", 1000)


ALL_PEERS = ("nchan", "mercure", "centrifugo")
FANOUT = ("cpu", "throughput", "p50", "p99", "max", "memory", "growth", "open", "open-cpu")
LATENCY = ("rate", "p50", "p90", "p99", "p99.9", "max", "cpu")


def fan_out(name, connections, streams, about, others, **load):
    settings = {"connections": connections, "streams": streams, "topics": 1, "in-flight": 4,
                "duration-ms": 5000, "warmup-ms": 1000, **load}
    idle = ("idle-cpu", "heartbeats") if "hold-ms" in load else ()
    return Scenario(name, about, settings, others=others, figures=FANOUT + idle,
                    gateway={"MAX_STREAMS_PER_CONNECTION": max(1000, streams),
                             "MAX_STREAMS": max(1_000_000, connections * streams)},
                    peer_load={"in-flight": 1, "duration-ms": 3000, "warmup-ms": 300})


def resume(name, connections, streams, live_connections, about, **load):
    """200 events of each topic are missed four seconds after the cut."""
    return Scenario(name, about,
                    {"connections": connections, "streams": streams,
                     "live-connections": live_connections, "resume-events": 200,
                     "open-window": 1000, "connect-window": 1000, "duration-ms": 8000, **load},
                    gateway={"TAIL_EVENTS": 1000}, ops=True,
                    figures=("catch-up-p50", "catch-up", "turn", "turn-cpu", "p50", "p99", "max", "cpu"))


MAIN = [
    fan_out("fan-out-10k", 10, 1000, "one topic, 10 connections × 1,000 streams",
            ("floor", *ALL_PEERS)),
    fan_out("fan-out-200k", 200, 1000, "one topic, 200 connections × 1,000 streams",
            ("floor", "nchan"), **{"in-flight": 2, "stall-ms": 20000}),
    fan_out("fan-out-1m", 1000, 1000,
            "one topic, 1,000 connections × 1,000 streams: idle for 30 s, then events one by one",
            ("floor",), **{"in-flight": 1, "events": 10, "warmup-ms": 0, "hold-ms": 30000,
                           "stall-ms": 30000, "settle-ms": 2000}),
    fan_out("one-connection", 1, 10000, "one topic, one connection × 10,000 streams",
            ("floor", "nchan")),
    Scenario("unicast", "10,000 topics, one stream each",
             {"connections": 10, "streams": 1000, "topics": 10000, "publishers": 4,
              "in-flight": 256},
             others=ALL_PEERS,
             peer_load={"duration-ms": 3000}),
    Scenario("mixed", "1,000 topics, every stream follows four, two publishers each; every fifth "
             "event goes to a topic that nobody follows",
             {"connections": 10, "streams": 1000, "topics": 1000, "topics-per-stream": 4,
              "publishers": 2, "lanes": 2, "nobody-percent": 20, "in-flight": 64},
             others=("nchan",), peer_load={"duration-ms": 3000}),
    Scenario("half-rate", "10 × 1,000 streams, one topic, half of the rate that fan-out-10k reached",
             {"connections": 10, "streams": 1000, "duration-ms": 10000, "warmup-ms": 1000},
             rate_of=("fan-out-10k", 0.5), figures=LATENCY),
    Scenario("idle-100k", "100 connections × 1,000 streams that get nothing for 20 s but heartbeats "
             "every 5 s",
             {"connections": 100, "streams": 1000, "hold-ms": 20000, "events": 3, "in-flight": 1,
              "warmup-ms": 0, "stall-ms": 20000},
             gateway={"HEARTBEAT_MS": 5000},
             others=("nchan",), peer_load={"hold-ms": 5000},
             figures=("memory", "growth", "open", "open-cpu", "idle-cpu", "heartbeats")),
    # At a pace that stays below what a connection may reset: about 80 streams a second each.
    Scenario("churn", "50 connections × 20 streams, each closed after two events and opened again, "
             "about 4,000 a second; 100 topics",
             {"connections": 50, "streams": 20, "topics": 100, "churn": 1, "churn-events": 2,
              "rate": 800},
             figures=("churn", "churn-cpu", "p50", "p99", "after")),
    Scenario("nobody", "publishing to topics that nobody follows (early drop)",
             {"connections": 0, "nobody-percent": 100, "publishers": 4, "in-flight": 400},
             others=("nchan",),
             figures=("events", "event-cpu", "answer-p50", "answer-p99")),
    Scenario("slow-consumers", "10 × 100 streams, 200 events/s of 1,000 bytes; two connections "
             "stop reading",
             {"connections": 10, "streams": 100, "slow-connections": 2, "rate": 200,
              "payload-bytes": 1000, "duration-ms": 8000, "warmup-ms": 2000},
             gateway={"STREAM_BUFFER_BYTES": 262144},
             figures=("rate", "p50", "p99", "max", "cpu", "slow", "after")),
    resume("resume", 11, 1000, 1,
           "10,000 streams on 10 connections are cut and resume at once, 200 missed events each, "
           "500 events/s to ten topics; latency is that of 1,000 streams which stay",
           topics=10, rate=500),
    resume("resume-connections", 55, 200, 5,
           "the same with 50 connections of 200 streams each, 100 events/s to two topics",
           topics=2, rate=100),
    Scenario("redis", "three nodes on one Redis, 9 connections × 1,000 streams, 100 topics",
             {"connections": 9, "streams": 1000, "topics": 100, "publishers": 3, "in-flight": 64},
             nodes=3, redis=True,
             figures=("cpu", "throughput", "events", "p50", "p99", "redis-cpu")),
    # 500 openings at once: what is measured is registering, not a queue of requests.
    Scenario("redis-registration", "100 connections × 1,000 streams open on one node, each with a "
             "topic of its own, 500 at a time, while 200 events/s are published to another topic",
             {"connections": 100, "streams": 1000, "topics": 100_000, "open-window": 5,
              "connect-window": 4, "events": 100, "in-flight": 1, "warmup-ms": 0,
              "hold-ms": 8000, "stall-ms": 20000},
             others=("memory",), gateway={"NODE_ID": "bench"}, redis=True,
             kind="registration", ops=True,
             figures=("open", "registered", "probe-p50", "probe-p99", "probe-max", "turn",
                      "turn-cpu", "stalls", "register-us", "topic-bytes", "share-bytes",
                      "all-bytes")),
    Scenario("redis-publish", "three nodes on one Redis, 100 topics with a stream on each node",
             {"connections": 3, "streams": 100, "topics": 100, "publishers": 3, "in-flight": 384,
              "duration-ms": 6000, "warmup-ms": 2000},
             nodes=3, redis=True,
             figures=("events", "redis-us", "event-cpu", "all-cpu", "redis-cpu", "p50", "p99")),
]


def series():
    """The scaling series: one dimension at a time."""
    for connections, streams in ((1, 1000), (10, 1000), (100, 1000), (1000, 1000)):
        total = connections * streams
        yield fan_out(f"streams-{total}", connections, streams, f"{total:,} streams of one topic",
                      (), **{"duration-ms": 4000, "in-flight": 4 if total < 1_000_000 else 1,
                             "stall-ms": 20000})
    for topics in (1, 100, 10_000, 1_000_000):
        connections = max(1, topics // 1000)
        yield Scenario(f"topics-{topics}", f"{topics:,} topics, one stream each",
                       {"connections": connections, "streams": topics // connections,
                        "topics": topics, "publishers": 4, "in-flight": 64, "duration-ms": 4000},
                       figures=("event-cpu", "events", "p50", "p99", "memory"))
    for workers in (1, 2):
        scenario = fan_out(f"workers-{workers}", 10, 1000, f"fan-out on {workers} worker(s)", (),
                           **{"duration-ms": 5000})
        yield dataclasses.replace(scenario, gateway={**scenario.gateway, "WORKERS": workers})


SCALING = list(series())

QUICK = [
    Scenario("quick-fan-out", "10 × 100 streams, one topic, two workers",
             {"connections": 10, "streams": 100, "publishers": 2, "lanes": 2, "events": 300,
              "warmup-ms": 0}, gateway={"WORKERS": 2}),
    Scenario("quick-unicast", "1,000 topics, one stream each",
             {"connections": 4, "streams": 250, "topics": 1000, "publishers": 2, "events": 20000,
              "warmup-ms": 0, "in-flight": 64}, gateway={"WORKERS": 2}),
    Scenario("quick-mixed", "four topics a stream, two publishers a topic, some for nobody",
             {"connections": 4, "streams": 250, "topics": 100, "topics-per-stream": 4,
              "publishers": 2, "lanes": 2, "nobody-percent": 20, "events": 4000, "warmup-ms": 0,
              "in-flight": 16}, gateway={"WORKERS": 2}),
    Scenario("quick-large", "events of 12,000 bytes",
             {"connections": 4, "streams": 50, "payload-bytes": 12000, "events": 200,
              "warmup-ms": 0}, gateway={"WORKERS": 2}),
    Scenario("quick-churn", "streams that come and go",
             {"connections": 8, "streams": 25, "topics": 20, "churn": 1, "churn-events": 3,
              "rate": 200, "duration-ms": 2000, "warmup-ms": 0}, gateway={"WORKERS": 2}),
    Scenario("quick-nobody", "topics that nobody follows",
             {"connections": 0, "nobody-percent": 100, "publishers": 2, "events": 5000,
              "in-flight": 100, "warmup-ms": 0}, gateway={"WORKERS": 2}),
]

BY_NAME = {scenario.name: scenario for scenario in MAIN + SCALING + QUICK}
