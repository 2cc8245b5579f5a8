"""The figures that are drawn from a run: one table for reports, comparisons and goals."""

import dataclasses
from typing import Callable


@dataclasses.dataclass(frozen=True)
class Figure:
    title: str
    unit: str
    value: Callable  # of tw-load's report; None when the run has no such figure
    lower_is_better: bool = True
    # What differs by less than this from run to run says nothing.
    noise: float = 0.10


def _path(*keys):
    def get(report):
        for key in keys:
            if not isinstance(report, dict) or key not in report:
                return None
            report = report[key]
        return report
    return get


def _latency(which, name):
    def get(report):
        latency = report["delivery" if which == "latency_us" else "publish"][which]
        return latency[name] / 1000 if latency["count"] else None
    return get


def _resume(name):
    def get(report):
        return report["resume"]["catch_up_us"][name] / 1000 if "resume" in report else None
    return get


def _turn(name):
    """Of the gateway's loops: while streams are registered, or in the whole run."""
    return lambda report: (report.get("registration") or report.get("loops") or {}).get(name)


def _an_event(report, seconds):
    """µs of so many seconds for each event."""
    sent = report["publish"]["sent_measured"]
    return seconds / sent * 1e6 if sent else None


def _event_cpu(report):
    return _an_event(report, report["cpu"]["server_seconds"])


def _all_seconds(report):
    return report["cpu"]["server_seconds"] + report["cpu"]["client_seconds"]


def _redis_seconds(report):
    """Redis names its main thread after itself."""
    return sum(thread["seconds"] for thread in report["cpu"]["server_threads"]
               if thread["name"].startswith("redis"))


def _positive(get):
    return lambda report: get(report) or None


def _redis_cpu(report):
    """The share of what all servers used."""
    total = report["cpu"]["server_seconds"]
    return _redis_seconds(report) / total * 100 if total else None


FIGURES = {
    "cpu": Figure("server CPU a delivery", "ns", _positive(_path("delivery", "server_cpu_ns"))),
    "client": Figure("client CPU a delivery", "ns", _positive(_path("delivery", "client_cpu_ns"))),
    "throughput": Figure("deliveries", "/s", _positive(_path("delivery", "per_second")), False,
                         0.15),
    "events": Figure("events published", "/s", _positive(_path("publish", "events_per_second")),
                     False, 0.15),
    "event-cpu": Figure("server CPU an event", "µs", _event_cpu),
    "rate": Figure("rate", "events/s", _path("options", "rate"), False, 1),
    "p50": Figure("p50", "ms", _latency("latency_us", "p50"), True, 0.25),
    "p90": Figure("p90", "ms", _latency("latency_us", "p90"), True, 0.25),
    "p99": Figure("p99", "ms", _latency("latency_us", "p99"), True, 0.5),
    "p99.9": Figure("p99.9", "ms", _latency("latency_us", "p99.9"), True, 0.5),
    "max": Figure("max", "ms", _latency("latency_us", "max"), True, 1),
    "answer-p50": Figure("answer p50", "ms", _latency("answer_latency_us", "p50"), True, 0.25),
    "answer-p99": Figure("answer p99", "ms", _latency("answer_latency_us", "p99"), True, 0.5),
    "memory": Figure("resident memory a stream", "B",
                     _positive(_path("memory", "rss_per_stream_bytes")), True, 0.03),
    "growth": Figure("growth a stream", "B",
                     _positive(_path("memory", "rss_growth_per_stream_bytes")), True, 0.03),
    "after": Figure("resident at the end", "MB",
                    lambda report: report["memory"]["rss_after_bytes"] / 1e6, True, 0.1),
    "open": Figure("all streams open after", "s", _positive(_path("open", "seconds")), True, 0.25),
    "open-cpu": Figure("server CPU an opening", "ns", _positive(_path("open", "server_cpu_ns"))),
    "idle-cpu": Figure("idle CPU", "% of a core",
                       lambda report: report["idle"]["server_cores"] * 100
                       if "idle" in report else None, True, 0.25),
    "heartbeats": Figure("heartbeats", "", _path("idle", "comments"), False, 1),
    "churn": Figure("streams closed and opened", "/s", _path("churn", "per_second"), False, 0.15),
    "churn-cpu": Figure("server CPU each", "ns", _path("churn", "server_cpu_ns")),
    "slow": Figure("slow streams closed", "", _path("verification", "slow_streams_closed"), False,
                   1),
    "catch-up-p50": Figure("caught up p50", "ms", _resume("p50"), True, 0.25),
    "catch-up": Figure("all caught up after", "ms", _resume("max"), True, 0.25),
    "redis-cpu": Figure("Redis' share of the CPU", "%", _redis_cpu),
    "registered": Figure("all registered after", "s", _path("registration", "registered_seconds"),
                         True, 0.25),
    "probe-p50": Figure("publish p50 meanwhile", "ms", _path("registration", "publish", "p50_ms"),
                        True, 0.5),
    "probe-p99": Figure("publish p99", "ms", _path("registration", "publish", "p99_ms"), True, 0.5),
    "probe-max": Figure("publish max", "ms", _path("registration", "publish", "max_ms"), True, 1),
    "turn": Figure("longest turn of a loop", "ms", _turn("longest_turn_ms"), True, 1),
    "turn-cpu": Figure("by CPU time", "ms", _turn("longest_turn_cpu_ms"), True, 0.5),
    "stalls": Figure("turns over 20 ms", "", _path("registration", "stalls"), True, 1),
    "topic-bytes": Figure("memory in Redis: a topic", "B", _path("registration", "redis", "topic_bytes"), True, 0.03),
    "share-bytes": Figure("a topic's entry for a node", "B",
                          _path("registration", "redis", "topic_on_node_bytes"), True, 0.03),
    "all-bytes": Figure("all of it, a stream", "B",
                        _path("registration", "redis", "all_bytes"), True, 0.03),
    "register-us": Figure("Redis' CPU a topic", "µs",
                          _path("registration", "redis", "cpu_us")),
    "redis-us": Figure("Redis' CPU an event", "µs",
                       lambda report: _an_event(report, _redis_seconds(report))),
    "all-cpu": Figure("CPU of all processes an event", "µs",
                      lambda report: _an_event(report, _all_seconds(report))),
}


def value(name, run):
    return FIGURES[name].value(run["report"])


def text(name, run):
    """A figure as people read it, with three significant digits."""
    number = value(name, run)
    if number is None:
        return "–"
    if abs(number) >= 1000:
        return f"{number:,.0f}"
    return f"{number:.3g}" if number < 100 else f"{number:.0f}"


def is_clean(run):
    return run["report"]["verification"]["clean"]


@dataclasses.dataclass(frozen=True)
class Goal:
    about: str
    limit: float
    unit: str
    measured: Callable  # of the look-up (scenario, server, figure) -> value or None
    at_most: bool = True


def _ratio(a, b):
    return a / b if a is not None and b else None


def _difference(a, b):
    return a - b if a is not None and b is not None else None


GOALS = [
    Goal("fan-out-10k: server CPU a delivery", 200, "ns",
         lambda get: get("fan-out-10k", "tideway", "cpu")),
    Goal("fan-out-10k: nchan's CPU a delivery against Tideway's", 40, "×",
         lambda get: _ratio(get("fan-out-10k", "nchan", "cpu"),
                            get("fan-out-10k", "tideway", "cpu")), False),
    Goal("fan-out-10k: CPU a delivery against the floor's", 3, "×",
         lambda get: _ratio(get("fan-out-10k", "tideway", "cpu"),
                            get("fan-out-10k", "floor", "cpu"))),
    Goal("fan-out-1m: resident memory a stream", 2200, "B",
         lambda get: get("fan-out-1m", "tideway", "memory")),
    Goal("fan-out-1m: all streams open after", 30, "s",
         lambda get: get("fan-out-1m", "tideway", "open")),
    Goal("fan-out-1m: an event has reached every stream after", 1000, "ms",
         lambda get: get("fan-out-1m", "tideway", "max")),
    Goal("fan-out-1m: idle CPU with heartbeats", 5, "% of a core",
         lambda get: get("fan-out-1m", "tideway", "idle-cpu")),
    Goal("nobody: early drops on one worker", 80000, "/s",
         lambda get: get("nobody", "tideway", "events"), False),
    Goal("half-rate: p99 from publish to receipt", 5, "ms",
         lambda get: get("half-rate", "tideway", "p99")),
    Goal("redis-registration: 100,000 streams take longer than in memory by", 3, "s",
         lambda get: _difference(get("redis-registration", "tideway", "registered"),
                                 get("redis-registration", "memory", "registered"))),
    Goal("redis-registration: longest turn of a loop", 20, "ms",
         lambda get: get("redis-registration", "tideway", "turn")),
    Goal("redis-registration: p99 of a publish meanwhile", 50, "ms",
         lambda get: get("redis-registration", "tideway", "probe-p99")),
    Goal("redis-publish: CPU of all processes an event, one lane", 41, "µs",
         lambda get: get("redis-publish", "tideway", "all-cpu")),
    Goal("redis-publish: CPU of all processes an event against before", 1, "×",
         lambda get: _ratio(get("redis-publish", "tideway", "all-cpu"),
                            get("redis-publish", "before", "all-cpu"))),
    Goal("redis-publish: Redis' CPU an event against before", 1.6, "×",
         lambda get: _ratio(get("redis-publish", "tideway", "redis-us"),
                            get("redis-publish", "before", "redis-us"))),
    *(Goal(f"{name}: the longest turn of a loop, by CPU time", 20, "ms",
           lambda get, name=name: get(name, "tideway", "turn-cpu"))
      for name in ("resume", "resume-connections")),
    *(Goal(f"{name}: p99 of live events meanwhile", 100, "ms",
           lambda get, name=name: get(name, "tideway", "p99"))
      for name in ("resume", "resume-connections")),
    # Linear growth keeps the cost of each delivery and event the same: 1, and 0.2 for the noise.
    Goal("CPU a delivery, 1,000,000 streams against 1,000", 1.2, "×",
         lambda get: _ratio(get("streams-1000000", "tideway", "cpu"),
                            get("streams-1000", "tideway", "cpu"))),
    Goal("CPU an event, 1,000,000 topics against 1", 1.2, "×",
         lambda get: _ratio(get("topics-1000000", "tideway", "event-cpu"),
                            get("topics-1", "tideway", "event-cpu"))),
    Goal("what two workers can deliver against one, by CPU time", 1.6, "×",
         lambda get: _ratio(get("workers-1", "tideway", "cpu"),
                            (get("workers-2", "tideway", "cpu") or 0) / 2), False),
]


def goals(runs):
    """[(goal, measured, met)] of those goals that these runs can tell about."""
    found = {(run["scenario"], run["server"]): run for run in runs}

    def get(scenario, server, figure):
        run = found.get((scenario, server))
        return value(figure, run) if run and is_clean(run) else None

    for goal in GOALS:
        measured = goal.measured(get)
        if measured is not None:
            yield goal, measured, measured <= goal.limit if goal.at_most else measured >= goal.limit
