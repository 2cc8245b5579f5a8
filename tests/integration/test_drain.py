"""SIGTERM: unready, no new connections, streams closed over the window, exit 0."""

import signal
import socket
import time

import pytest

from lib.redis_server import Redis
from lib.swarm import Swarm
from lib.waiting import wait_until



@pytest.mark.tsan
def test_drain__closes_streams_and_exits(start_gateway):
    gateway = start_gateway(drain_ms=1000)
    h2, h1 = gateway.h2(), gateway.h1()
    streams = [h2.subscribe("a"), h2.subscribe("b"), h1.subscribe("a")]
    gateway.signal(signal.SIGTERM)
    for stream in streams:
        stream.wait_end()
    assert h2.goaway is not None
    assert gateway.process.wait(20) == 0
    gateway.stop()


def test_drain__tells_clients_to_come_back_at_different_times(start_gateway):
    gateway = start_gateway(drain_ms=1000, retry_ms=3000)
    with Swarm(gateway.address) as swarm:
        ids = swarm.open(100, "a")
        gateway.signal(signal.SIGTERM)
        swarm.wait(lambda: swarm.ended.issuperset(ids), "the streams' end")
        last = [[line for line in bytes(swarm.received[i]).split(b"\n")
                 if line.startswith(b"retry:")][-1] for i in ids]
    assert len(set(last)) > 10
    gateway.stop()


def test_drain__is_unready_but_alive_meanwhile(start_gateway):
    gateway = start_gateway(drain_ms=3000)
    gateway.h2().subscribe("a")
    assert gateway.ops("/readyz")[0] == 200
    gateway.signal(signal.SIGTERM)
    wait_until(lambda: gateway.ops("/readyz")[0] == 503, "readiness to end")
    assert gateway.ops("/healthz")[0] == 200


def test_drain__without_streams_is_quick(start_gateway):
    gateway = start_gateway(drain_ms=10000)
    begin = time.monotonic()
    gateway.stop()
    assert time.monotonic() - begin < 5


def test_drain__without_streams_a_publish_that_crosses_goaway_is_accepted(start_gateway):
    redis = Redis()
    try:
        gateway = start_gateway(drain_ms=10000, runtime="redis", redis_url=redis.url, resume_window_ms=60000)
        client = gateway.h2()
        with gateway.h2() as reader:
            reader.subscribe("a")
        gateway.signal(signal.SIGTERM)
        client.wait(lambda: client.goaway, "GOAWAY")
        end = time.monotonic() + 0.3
        while time.monotonic() < end:
            answer = gateway.publish("a", client=client)
            assert answer.status == 202, answer.body
        gateway.stop()
    finally:
        redis.close()


def test_drain__new_connections_are_refused(start_gateway):
    gateway = start_gateway(drain_ms=5000)
    gateway.h2().subscribe("a")
    gateway.signal(signal.SIGTERM)

    def refused():
        try:
            socket.create_connection(gateway.address, timeout=2).close()
            return False
        except OSError:
            return True
    wait_until(refused, "the listener to close")


def test_drain__second_signal_ends_at_once(start_gateway):
    gateway = start_gateway(drain_ms=60000)
    gateway.h2().subscribe("a")
    gateway.signal(signal.SIGTERM)
    wait_until(lambda: gateway.ops("/readyz")[0] == 503, "the drain to begin")
    gateway.signal(signal.SIGTERM)
    code = gateway.process.wait(10)
    gateway.stop(expected_code=code)


def test_drain__sigint_is_the_same(start_gateway):
    gateway = start_gateway(drain_ms=200)
    stream = gateway.h2().subscribe("a")
    gateway.signal(signal.SIGINT)
    stream.wait_end()
    assert gateway.process.wait(20) == 0
