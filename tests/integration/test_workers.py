"""Several workers at once: streams that come and go while events are published."""

import random
import threading

import pytest

from lib.h2_client import H2Client
from lib.swarm import Swarm
from lib.waiting import wait_until


pytestmark = pytest.mark.tsan


def test_workers__connections_are_spread_evenly(start_gateway):
    gateway = start_gateway(workers=4)
    swarms = [Swarm(gateway.address) for _ in range(8)]
    try:
        for swarm in swarms:
            swarm.open(50, "all")
        assert gateway.deliver("all", "x") == 400
        samples = [value for name, value in gateway.metrics().items()
                   if "worker=" in name and "connections" in name]
        assert not samples or max(samples) - min(samples) <= 2
    finally:
        for swarm in swarms:
            swarm.close()


def churn(gateway, seed, failures, stop):
    """Opens and closes streams on a connection of its own; each sees an event made for it alone."""
    chance = random.Random(seed)
    try:
        with H2Client(gateway.address) as client, H2Client(gateway.address) as publisher:
            number = 0
            while not stop.is_set():
                topic = f"own-{seed}-{number}"
                stream = client.subscribe("all", topic)
                gateway.deliver(topic, topic, client=publisher)
                client.wait(lambda: topic in stream.data(), topic)
                if chance.random() < 0.9:
                    stream.close()
                number += 1
                if number % 50 == 49:
                    client.ping()
    except Exception as failure:  # noqa: B902 - told by the test's own thread
        failures.append(f"{type(failure).__name__}: {failure}")


def test_workers__streams_that_come_and_go_miss_nothing(start_gateway):
    gateway = start_gateway(workers=4)
    failures, stop = [], threading.Event()
    threads = [threading.Thread(target=churn, args=(gateway, seed, failures, stop))
               for seed in range(4)]
    steady = [gateway.h2().subscribe("all") for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        for number in range(200):
            gateway.deliver("all", str(number))
        for stream in steady:
            assert stream.wait_events(200)
            assert stream.data() == [str(number) for number in range(200)]
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert not failures, failures
    for stream in steady:
        stream.client.close()
    wait_until(lambda: gateway.topics() == {}, "every topic to disappear")


def test_workers__connections_that_die_in_the_middle_leave_nothing(start_gateway):
    gateway = start_gateway(workers=4)
    steady = gateway.h2().subscribe("all")
    for _ in range(5):
        swarms = [Swarm(gateway.address) for _ in range(4)]
        for swarm in swarms:
            swarm.open(50, "all", wait=False)
        gateway.deliver("all", "x" * 1000)
        for swarm in swarms:
            swarm.close()
    wait_until(lambda: gateway.topics() == {"all": 1}, "the dead to leave")
    assert len(steady.wait_events(5)) == 5
    samples = gateway.metrics()
    assert sum(value for name, value in samples.items() if name.startswith("tideway_streams{") or
               name == "tideway_streams") == 1


def test_workers__admin_pages_are_consistent_while_streams_change(start_gateway):
    gateway = start_gateway(workers=4)
    failures, stop = [], threading.Event()
    thread = threading.Thread(target=churn, args=(gateway, 9, failures, stop))
    client = gateway.h2()
    thread.start()
    try:
        for _ in range(50):
            page = gateway.admin("/connections?pageSize=500", client)
            ids = [row["connectionId"] for row in page["data"]]
            assert len(ids) == len(set(ids))
            gateway.admin("/topics?pageSize=500", client)
    finally:
        stop.set()
        thread.join()
    assert not failures, failures


@pytest.mark.volume
def test_workers__who_has_seen_the_200_misses_nothing(start_gateway):
    """Ten thousand tries: a stream opens on one worker, and another publishes as soon as its 200 is there."""
    gateway = start_gateway(max_streams_per_connection=20000)
    with Swarm(gateway.address) as swarm, H2Client(gateway.address) as publisher:
        for number in range(10000):
            swarm.open(1, f"moment-{number}")
            answer = gateway.publish(f"moment-{number}", "x", str(number), client=publisher)
            assert answer.json() == {"status": "accepted", "id": str(number), "delivered": 1,
                                     "droppedTopics": []}
        wait_until(lambda: swarm.pump(0.01) or
                   all(body.count(b"\ndata: x\n") == 1 for body in swarm.received.values()),
                   "each event once")
