"""One attacker process against the gateway while 1,000 honest streams on another connection get their events.

Under each attack the honest streams lose nothing, and afterwards the gateway's memory is what it was.
"""

import json
import os
import resource
import subprocess
import sys
import time

import pytest

import load
import table

from lib.gateway import Gateway
from lib.paths import RAW_CLIENTS, ROOT
from lib.process_stats import Peak, cpu_seconds, rss_bytes, settled_rss_bytes
from lib.waiting import wait_until

FULL = os.environ.get("TIDEWAY_FULL") == "1"
TIME_LIMITS = os.environ.get("TIDEWAY_TIME_LIMITS") == "1"
SECONDS, WARM_UP_S, SCALE = (10, 10, 5) if FULL else (2, 1, 1)
STREAMS, TOPICS, RATE = 1000, 10, 100
P99_MS_MAX = 100
CALM_S = 20  # in which memory comes back after an attack
RSS_GROWTH_MAX = 1.1
TAIL_BYTES = 100_000  # small: what is kept lies scattered, and would hide what is lost

ATTACKS = ["rapid reset", "made you reset", "ping flood", "settings flood", "continuation flood", "header bomb",
           "window zero", "unread socket", "slow headers", "slow body", "empty frames", "half handshakes",
           "wrong keys"]
# What tables, malloc and the lists of output buffers never give back is what they needed once, by these.
WARM_UP = ["rapid reset", "wrong keys", "unread socket", "half handshakes"]


def honest_load(gateway, seconds):
    """1,000 streams on one connection, and their publisher."""
    return load.Load(gateway, seconds, connections=1, streams=STREAMS, topics=TOPICS, rate=RATE)


def run_attacker(gateway, attack, seconds=SECONDS):
    done = subprocess.run([sys.executable, "-m", "hostile.attacker", attack, str(gateway.port), str(seconds),
                           str(SCALE)], cwd=ROOT / "tests", env={**os.environ, "PYTHONPATH": str(RAW_CLIENTS)},
                          capture_output=True, text=True, timeout=SECONDS + 90, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def warm_gateway():
    """One gateway for all attacks, whose memory has seen load and crowds."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, 25000)), hard))
    gateway = Gateway(log_level="info", tail_bytes=TAIL_BYTES).wait_ready()
    for attack in WARM_UP:
        honest = honest_load(gateway, WARM_UP_S)
        run_attacker(gateway, attack, WARM_UP_S)
        assert honest.report()["verification"]["clean"]
    settled_rss_bytes(gateway.process.pid)
    yield gateway
    gateway.stop()


@pytest.mark.parametrize("attack", ATTACKS)
def test_attacks__honest_streams_lose_nothing_and_memory_comes_back(warm_gateway, attack):
    gateway, pid = warm_gateway, warm_gateway.process.pid
    wait_until(lambda: gateway.metrics()["tideway_connections"] == 0, "the gateway to be alone")
    before, cpu, start = rss_bytes(pid), cpu_seconds(pid), time.monotonic()
    with Peak(pid) as peak:
        honest = honest_load(gateway, SECONDS + 0.5)
        wait_until(lambda: gateway.metrics()["tideway_streams"] >= STREAMS, "the honest streams")
        attacker = run_attacker(gateway, attack)
        report = honest.report()
    cores = (cpu_seconds(pid) - cpu) / (time.monotonic() - start)
    p99_ms = report["delivery"]["latency_us"]["p99"] / 1000
    calm, most = time.monotonic() + CALM_S, RSS_GROWTH_MAX * before
    while rss_bytes(pid) > most and time.monotonic() < calm:
        time.sleep(0.05)
    after = rss_bytes(pid)
    table.add("attacks", {
        "attack": attack, "sent": attacker["sent"], "connections": attacker["connections"],
        "turned away": attacker["refused"], "honest deliveries": report["delivery"]["count"],
        "lost": report["verification"]["lost"], "p50 ms": report["delivery"]["latency_us"]["p50"] / 1000,
        "p99 ms": p99_ms, "cores": cores, "MB before": before / 1e6, "MB peak": peak.bytes / 1e6,
        "MB after": after / 1e6})
    assert attacker["sent"] > 0
    assert report["verification"]["clean"], report["verification"]
    assert report["delivery"]["count"] == RATE * (SECONDS + 0.5) * STREAMS / TOPICS
    assert after <= most
    assert p99_ms < P99_MS_MAX or not TIME_LIMITS
