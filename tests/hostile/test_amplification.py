"""Everything that a peer without a key can make the gateway do, by what it costs the peer.

Each entry of docs/internals/hostile.md is an attack of attacker.py. One address sends 100 KB a second while 1,000 honest
streams on another connection get their events. The table shows, worst of all at its end, how much CPU time an octet takes and
how much memory it holds, while it is sent and ten seconds later.
"""

import json
import os
import re
import subprocess
import sys
import time

import pytest

import attacker
import load
import table

from lib.gateway import Gateway
from lib.paths import RAW_CLIENTS, ROOT
from lib.process_stats import Peak, cpu_seconds, rss_bytes, settled_rss_bytes
from lib.waiting import wait_until

FULL = os.environ.get("TIDEWAY_FULL") == "1"
TIME_LIMITS = os.environ.get("TIDEWAY_TIME_LIMITS") == "1"
SECONDS, HOLD_S = (8, 10) if FULL else (1.5, 0.5)
OCTETS_A_SECOND = 100_000
SCALE = 1
STREAMS, TOPICS, RATE = 1000, 10, 20
P99_MS_MAX = 100
GROWTH_MB_MAX = 64
CALM_S = 20  # in which memory comes back after an attack
DOCUMENT = ROOT / "docs" / "internals" / "hostile.md"
ENTRIES = sorted(attacker.ATTACKS)


def test_hostile_document__has_a_line_for_every_attack():
    section = DOCUMENT.read_text().split("## Attacks")[1].split("\n## ")[0]
    assert sorted(re.findall(r"^\| ([a-z0-9 ]+) \| [0-9]", section, re.MULTILINE)) == ENTRIES


def honest_load(gateway, seconds):
    return load.Load(gateway, seconds, connections=1, streams=STREAMS, topics=TOPICS, rate=RATE)


def warm(gateway):
    """What its tables need for the honest streams is not the attack's."""
    assert honest_load(gateway, 1).report()["verification"]["clean"]
    wait_until(lambda: gateway.metrics()["tideway_connections"] == 0, "the gateway to be alone")
    return gateway


@pytest.fixture(scope="module")
def idle_cores():
    """What the honest streams take by themselves."""
    gateway = warm(Gateway(log_level="info").wait_ready())
    before, start = cpu_seconds(gateway.process.pid), time.monotonic()
    honest_load(gateway, SECONDS).report()
    yield (cpu_seconds(gateway.process.pid) - before) / (time.monotonic() - start)
    gateway.stop()
    rows = table.TABLES.get("amplification")
    if rows:
        rows.sort(key=lambda row: (row["held B/octet"], row["ns CPU/octet"]))
        rows.append({name: "worst of all" if name == "entry" else max(row[name] for row in rows) for name in rows[0]})


@pytest.fixture
def gateway():
    """A new one for each entry: the memory that one has needed once hides what the next one needs."""
    gateway = warm(Gateway(log_level="info").wait_ready())
    yield gateway
    gateway.stop()


class Attack:
    """An attacker at a fixed rate; `report` once it has sent everything, while it holds what it has."""

    def __init__(self, gateway, entry):
        self.process = subprocess.Popen(
            [sys.executable, "-m", "hostile.attacker", entry, str(gateway.port), str(SECONDS), str(SCALE),
             str(OCTETS_A_SECOND), str(HOLD_S + 5)], cwd=ROOT / "tests", stdout=subprocess.PIPE, text=True,
            env={**os.environ, "PYTHONPATH": str(RAW_CLIENTS)})

    def __enter__(self):
        return self

    def report(self):
        line = self.process.stdout.readline()
        assert line, "the attacker died"
        return json.loads(line)

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()


def measure(gateway, entry):
    """(report of the attack, of the honest streams, cores, bytes at most, bytes after the hold)"""
    pid = gateway.process.pid
    with Peak(pid) as peak:
        honest = honest_load(gateway, SECONDS + 1)
        wait_until(lambda: gateway.metrics()["tideway_streams"] >= STREAMS, "the honest streams")
        cpu, start = cpu_seconds(pid), time.monotonic()
        with Attack(gateway, entry) as attack:
            sent = attack.report()
            cores = (cpu_seconds(pid) - cpu) / (time.monotonic() - start)
            honest = honest.report()
            time.sleep(HOLD_S)
            held = rss_bytes(pid)
    return sent, honest, cores, peak.bytes, held


@pytest.mark.parametrize("entry", ENTRIES)
def test_amplification__of_one_address_with_100_kilobytes_a_second(idle_cores, gateway, entry):
    pid = gateway.process.pid
    before = settled_rss_bytes(pid, still_s=0.3)
    sent, honest, cores, most, held = measure(gateway, entry)
    cpu_s = (cores - idle_cores) * SECONDS
    calm = time.monotonic() + CALM_S
    while rss_bytes(pid) - before > GROWTH_MB_MAX * 1e6 and time.monotonic() < calm:
        time.sleep(0.05)
    p99_ms = honest["delivery"]["latency_us"]["p99"] / 1000
    table.add("amplification", {
        "entry": entry, "octets": sent["octets"], "ns CPU/octet": max(0.0, cpu_s) * 1e9 / sent["octets"],
        "held B/octet": max(0.0, (most - before) / sent["octets"]), "after hold": max(0.0, (held - before) / sent["octets"]),
        "p99 ms": p99_ms, "MB grown": (most - before) / 1e6, "MB left": max(0.0, (rss_bytes(pid) - before) / 1e6)})
    assert 0 < sent["octets"] < 1.5 * OCTETS_A_SECOND * SECONDS + 1e5
    assert honest["verification"]["clean"], honest["verification"]
    assert rss_bytes(pid) - before < GROWTH_MB_MAX * 1e6
    assert p99_ms < P99_MS_MAX or not TIME_LIMITS
