"""What the system does to the process: no descriptors, no room for the log, signals at any time, clocks that jump."""

import glob
import json
import os
import resource
import signal
import socket
import sys
import threading

import pytest

from test_tls import replace, shown_certificate

from lib.certificates import make_certificate
from lib.paths import SANITIZED, VALGRIND
from lib.process_stats import descriptors
from lib.waiting import wait_until

REFUSED = 'tideway_refused_total{limit="connections"}'


def crowd(gateway, count):
    """That many TCP connections, some of which the gateway may close at once."""
    return [socket.create_connection(gateway.address) for _ in range(count)]


def deliver(gateway, stream, id):
    """An event that reaches a stream which was open before."""
    assert gateway.deliver("news", "x", id=id) == 1
    stream.client.wait(lambda: stream.events and stream.events[-1].id == id, "the event")


# --- descriptors


def few_descriptors(count):
    """Starts the gateway with a limit that it may not raise, whoever runs the tests."""
    prefix = ["prlimit", f"--nofile={count}:{count}"]
    if os.geteuid() == 0:
        prefix += ["setpriv", "--bounding-set=-sys_resource", "--inh-caps=-sys_resource"]
    return prefix


@pytest.mark.skipif(VALGRIND, reason="it has descriptors and a limit of its own")
def test_descriptors__fewer_than_the_options_need_limit_connections_and_leave_some_for_probes(start_gateway):
    gateway = start_gateway(prefix=few_descriptors(120))
    line = gateway.wait_log(level="warn", descriptors=120)
    assert "TIDEWAY_MAX_CONNECTIONS" in line["message"] and line["connections"] == 60
    stream = gateway.h2().subscribe("news")
    deliver(gateway, stream, "1")
    guests = crowd(gateway, 100)
    wait_until(lambda: gateway.metrics()[REFUSED] == 42, "connections beyond to be refused")
    assert gateway.ops("/readyz")[0] == 200
    deliver(gateway, stream, "2")
    for guest in guests:
        guest.close()
    wait_until(lambda: gateway.metrics()["tideway_connections"] == 2, "guests to be gone")
    assert gateway.h2().subscribe("news").status == 200


def test_descriptors__without_any_left_what_is_open_goes_on(start_gateway):
    gateway = start_gateway()
    stream = gateway.h2().subscribe("news")
    deliver(gateway, stream, "1")
    limits = resource.prlimit(gateway.process.pid, resource.RLIMIT_NOFILE)
    used = descriptors(gateway.process.pid)
    resource.prlimit(gateway.process.pid, resource.RLIMIT_NOFILE, (used + 3, limits[1]))
    guests = crowd(gateway, 20)
    assert "file descriptors" in gateway.wait_log(message="connections refused")["reason"]
    deliver(gateway, stream, "2")
    resource.prlimit(gateway.process.pid, resource.RLIMIT_NOFILE, limits)
    for guest in guests:
        guest.close()
    wait_until(lambda: gateway.metrics()["tideway_connections"] == 2, "guests to be gone")
    assert gateway.metrics()[REFUSED] > 0
    assert gateway.h2().subscribe("news").status == 200
    wait_until(lambda: descriptors(gateway.process.pid) <= used + 1, "descriptors to be closed")


# --- the log


def test_log__on_a_full_disk_is_given_up_and_counted(start_gateway):
    gateway = start_gateway(prefix=["sh", "-c", 'exec "$@" 2>/dev/full', "sh"])
    stream = gateway.h2().subscribe("news")
    deliver(gateway, stream, "1")
    wait_until(lambda: gateway.metrics()["tideway_log_lines_dropped_total"] > 0, "lost lines to be counted")
    assert gateway.text() == ""


def test_log__that_nobody_reads_holds_up_nothing_and_says_what_is_missing(start_gateway, tmp_path):
    pipe = str(tmp_path / "log")
    os.mkfifo(pipe)
    end = os.open(pipe, os.O_RDWR)
    gateway = start_gateway(prefix=["sh", "-c", f'exec "$@" 2>{pipe}', "sh"])
    stream = gateway.h2().subscribe("news")
    client, headers = gateway.h2(), [gateway.auth(), ("x-sse-topic", "t" * 255), ("x-sse-id", "1")]
    while gateway.metrics()["tideway_log_lines_dropped_total"] == 0:
        for exchange in [client.start("POST", "/v1/publish", headers, "") for _ in range(500)]:
            exchange.wait_end()
    deliver(gateway, stream, "1")
    lines, over = [], threading.Event()

    def read():
        with open(end, encoding="utf-8", closefd=False) as log:
            for line in log:
                lines.append(json.loads(line))
                if over.is_set():
                    return
    reader = threading.Thread(target=read)
    reader.start()
    wait_until(lambda: len(lines) > 1000, "the log to be read")
    gateway.publish("nobody", "x", id="2")
    wait_until(lambda: any(line.get("id") == "2" for line in lines), "the newest line")
    missing = [line["lines"] for line in lines if line["message"].startswith("log lines dropped")]
    assert sum(missing) == gateway.metrics()["tideway_log_lines_dropped_total"] > 0
    over.set()
    gateway.stop()
    os.write(end, b"{}\n")
    reader.join()
    os.close(end)


# --- signals

STORM = 3000


def test_signals__a_storm_of_sighups_drops_nothing(start_gateway, tmp_path, certificate):
    gateway = start_gateway(tls_cert=certificate[0], tls_key=certificate[1])
    stream = gateway.h2().subscribe("news")
    deliver(gateway, stream, "0")
    before, used = shown_certificate(gateway), descriptors(gateway.process.pid)
    for n in range(STORM):
        gateway.signal(signal.SIGHUP)
        if n % 300 == 0:
            gateway.deliver("news", "x", id=str(n))
    fresh = make_certificate(tmp_path, "fresh")
    replace(fresh[0], certificate[0])
    replace(fresh[1], certificate[1])
    gateway.signal(signal.SIGHUP)
    wait_until(lambda: shown_certificate(gateway) != before, "the new certificate")
    deliver(gateway, stream, "last")
    assert [event.id for event in stream.events] == ["0", *(str(n) for n in range(0, STORM, 300)), "last"]
    wait_until(lambda: descriptors(gateway.process.pid) <= used, "descriptors to be closed")


def pending(number):
    """Starts the gateway with a signal that was sent before its first instruction."""
    return [sys.executable, "-c", "import os, signal, sys\n"
            f"signal.pthread_sigmask(signal.SIG_BLOCK, [{int(number)}])\n"
            f"os.kill(os.getpid(), {int(number)})\n"
            "os.execv(sys.argv[1], sys.argv[1:])"]


@pytest.mark.skipif(VALGRIND, reason="it is started by a shell, and begins with signals of its own")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signals__sent_while_it_starts_end_it_in_order(start_gateway, number):
    gateway = start_gateway(ready=False, prefix=pending(number))
    assert gateway.wait_exit() == 0
    messages = [line["message"] for line in gateway.logs]
    assert messages.index("started") < messages.index("draining") < messages.index("stopped")


def test_signals__a_sighup_while_it_starts_does_no_harm(start_gateway):
    gateway = start_gateway(prefix=pending(signal.SIGHUP))
    deliver(gateway, gateway.h2().subscribe("news"), "1")


def test_signals__end_it_before_redis_was_ever_there(start_gateway):
    gateway = start_gateway(ready=False, runtime="redis", redis_url="redis://127.0.0.1:1")
    gateway.wait_log(message="started")
    gateway.signal(signal.SIGHUP)
    gateway.signal(signal.SIGTERM)
    assert gateway.wait_exit() == 0


# --- clocks

YEARS, HOUR_MS = "3650d", 3600000


@pytest.mark.skipif(SANITIZED, reason="two libraries cannot both be first in a process")
@pytest.mark.parametrize("jump", ["+" + YEARS, "-" + YEARS])
def test_clock__that_jumps_changes_nothing_but_what_is_shown(start_gateway, tmp_path, protocol, jump):
    libraries = glob.glob("/usr/lib/*/faketime/libfaketimeMT.so.1")
    assert libraries, "libfaketime is missing: ./dev deps test"
    clock = tmp_path / "clock"
    clock.write_text("+0d")
    gateway = start_gateway(heartbeat_ms=200, max_connection_age_ms=HOUR_MS, prefix=["env", f"LD_PRELOAD={libraries[0]}", "FAKETIME_NO_CACHE=1",
                                                      "DONT_FAKE_MONOTONIC=1", f"FAKETIME_TIMESTAMP_FILE={clock}"])
    stream = gateway.client(protocol).subscribe("news")
    deliver(gateway, stream, "1")
    publisher = gateway.h1()
    assert gateway.publish("news", "x", id="1b", client=publisher).headers["connection"] == "keep-alive"
    year = gateway.logs[-1]["time"][:4]
    used = descriptors(gateway.process.pid)

    clock.write_text(jump)

    # How old a connection is cannot be told any more: whoever asks for something is sent elsewhere, in order.
    answer = gateway.publish("news", "x", id="2", client=publisher)
    assert answer.status == 202 and answer.headers["connection"] == "close"
    stream.wait_events(3)
    gateway.publish("nobody", "x", id="jumped", client=gateway.h1())
    assert gateway.wait_log(id="jumped")["time"][:4] != year, "the clock has not jumped"
    comments = len(stream.stream.comments)
    stream.client.wait(lambda: len(stream.stream.comments) > comments + 2, "heartbeats")
    again = gateway.client(protocol).subscribe("news", headers=[("last-event-id", "1")])
    assert [event.id for event in again.wait_events(2)] == ["1b", "2"]
    assert not [event for event in again.events if event.event == "tideway.gap"]
    assert gateway.deliver("news", "x", id="3", client=gateway.h1()) == 2
    assert gateway.ops("/readyz")[0] == 200
    assert descriptors(gateway.process.pid) <= used + 3


# --- CPUs


def test_cpus__as_many_workers_as_cpus_may_be_used(start_gateway):
    usable = len(os.sched_getaffinity(0))
    gateway = start_gateway(workers=0)
    assert gateway.wait_log(message="started")["workers"] <= usable
    pinned = start_gateway(workers=0, prefix=["taskset", "-c", str(min(os.sched_getaffinity(0)))])
    assert pinned.wait_log(message="started")["workers"] == 1
