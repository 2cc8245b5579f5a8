"""POST /v1/publish: who gets what, how often, in which order."""

import itertools

import pytest

from lib.sse import Event
from lib.swarm import Swarm



@pytest.mark.parametrize("payload, expected", [
    ("hello", "hello"),
    ("", ""),
    ("a\nb", "a\nb"),
    ("a\r\nb", "a\nb"),
    ("a\rb", "a\nb"),
    ("a\n", "a\n"),
    ("\n", "\n"),
    ("\r\n\r\n", "\n\n"),
    ("a\n\rb", "a\n\nb"),
    (" leading", " leading"),
    ("data: x\nid: y\n: z", "data: x\nid: y\n: z"),
    ('{"é": "日本 🌊"}', '{"é": "日本 🌊"}'),
    ("\ufeffmark", "\ufeffmark"),
])
def test_publish__payload_arrives_with_its_lines(gateway, protocol, payload, expected):
    stream = gateway.client(protocol).subscribe("a")
    answer = gateway.publish("a", payload, id="7", client=gateway.client(protocol))
    assert (answer.status, answer.json()) == (
        202, {"status": "accepted", "id": "7", "delivered": 1, "droppedTopics": []})
    assert answer.headers["content-type"].startswith("application/json")
    assert stream.wait_events(1) == [Event("7", "message", expected)]


def test_publish__id_and_event_type_are_kept(gateway, protocol):
    stream = gateway.client(protocol).subscribe("a")
    identifier = "order: 12/é".encode("ascii", "ignore").decode()
    gateway.deliver("a", "x", id=identifier, event="order changed")
    assert stream.wait_events(1) == [Event(identifier, "order changed", "x")]


def test_publish__longest_id_is_accepted(gateway, protocol):
    stream = gateway.client(protocol).subscribe("a")
    gateway.deliver("a", "x", id="i" * 256, client=gateway.client(protocol))
    assert stream.wait_events(1)[0].id == "i" * 256


@pytest.mark.parametrize("size", [16384, 65535, 65536, 1048576])
def test_publish__large_payload_arrives_whole(gateway, protocol, size):
    stream = gateway.client(protocol).subscribe("a")
    payload = ("0123456789abcde\n" * (size // 16 + 1))[:size - 1] + "!"
    gateway.deliver("a", payload, client=gateway.client(protocol))
    assert stream.wait_events(1)[0].data == payload


def test_publish__unicast_reaches_its_one_subscriber(gateway):
    client = gateway.h2()
    streams = {f"user-{n}": client.subscribe(f"user-{n}") for n in range(20)}
    for topic in streams:
        assert gateway.deliver(topic, f"for {topic}") == 1
    client.ping()
    for topic, stream in streams.items():
        assert [event.data for event in stream.wait_events(1)] == [f"for {topic}"]


def test_publish__multicast_reaches_all_on_both_protocols(gateway):
    shared = gateway.h2()
    streams = [shared.subscribe("all") for _ in range(10)]
    streams += [gateway.h2().subscribe("all") for _ in range(3)]
    streams += [gateway.h1().subscribe("all") for _ in range(3)]
    others = shared.subscribe("other")
    assert gateway.deliver("all", "hello") == 16
    for stream in streams:
        assert [event.data for event in stream.wait_events(1)] == ["hello"]
    shared.ping()
    assert others.events == []


def test_publish__follower_of_several_targets_gets_it_once(gateway):
    client = gateway.h2()
    both, one = client.subscribe("a", "b", "c"), client.subscribe("b")
    assert gateway.deliver("a,b", "once") == 2
    assert gateway.deliver("b", "last") == 2
    assert [event.data for event in both.wait_events(2)] == ["once", "last"]
    assert [event.data for event in one.wait_events(2)] == ["once", "last"]


def test_publish__topics_without_subscribers_are_told(gateway, protocol):
    stream = gateway.client(protocol).subscribe("a", "c")
    answer = gateway.publish("z, a ,b,a,c", "x", client=gateway.client(protocol))
    assert answer.status == 202
    assert answer.json() == {"status": "accepted", "id": "1", "delivered": 1,
                             "droppedTopics": ["z", "b"]}
    assert len(stream.wait_events(1)) == 1


@pytest.mark.tsan
def test_publish__two_publishers_are_seen_in_one_order(start_gateway):
    gateway = start_gateway(workers=4)
    streams = [gateway.h2().subscribe("a", "b") for _ in range(8)]
    publishers = [gateway.h2() for _ in range(4)]
    for number in range(50):
        # All four at once: their order is the gateway's to decide.
        open_requests = [
            client.start("POST", "/v1/publish", [
                gateway.auth(), ("x-sse-topic", "ab"[index % 2]), ("x-sse-id", f"{index}:{number}"),
            ], "x") for index, client in enumerate(publishers)]
        for request in open_requests:
            assert request.wait_end().json()["delivered"] == 8
    orders = [[event.id for event in stream.wait_events(200)] for stream in streams]
    assert all(order == orders[0] for order in orders)
    for index in range(4):
        mine = [name for name in orders[0] if name.startswith(f"{index}:")]
        assert mine == [f"{index}:{number}" for number in range(50)]


@pytest.mark.tsan
def test_publish__event_after_the_200_is_never_missed(start_gateway):
    gateway = start_gateway(workers=4)
    subscribers = itertools.cycle([gateway.h2() for _ in range(8)])
    publisher = gateway.h2()
    for number in range(400):
        stream = next(subscribers).subscribe(f"t{number}")
        assert gateway.deliver(f"t{number}", str(number), client=publisher) == 1
        assert stream.wait_events(1)[0].data == str(number)
        stream.close()


def count_events(body, total):
    """The payload numbers in a swarm stream's body; fails unless they are 0…total-1 in order."""
    data = [line[6:] for line in bytes(body).split(b"\n") if line.startswith(b"data: ")]
    assert data == [b"%d" % number for number in range(total)]


@pytest.mark.tsan
def test_publish__fan_out_over_many_connections_loses_and_repeats_nothing(start_gateway):
    gateway = start_gateway(workers=4)
    swarms = [Swarm(gateway.address) for _ in range(6)]
    try:
        ids = [swarm.open(100, "all") for swarm in swarms]
        for number in range(20):
            assert gateway.deliver("all", str(number), id=number) == 600
        for swarm, mine in zip(swarms, ids):
            swarm.wait(lambda: all(b"data: 19\n" in swarm.received[i] for i in mine), "the last event")
            for i in mine:
                count_events(swarm.received[i], 20)
    finally:
        for swarm in swarms:
            swarm.close()


@pytest.mark.volume
def test_publish__ten_thousand_streams_on_one_connection(start_gateway):
    gateway = start_gateway(max_streams_per_connection=10000)
    with Swarm(gateway.address) as swarm:
        assert swarm.max_streams == 10000
        ids = swarm.open(10000, "all")
        for number in range(100):
            assert gateway.deliver("all", str(number), id=number) == 10000
            swarm.pump(0)
        swarm.wait(lambda: all(b"data: 99\n" in swarm.received[i] for i in ids), "the last event")
        for i in ids:
            count_events(swarm.received[i], 100)


@pytest.mark.volume
def test_publish__ten_connections_with_a_thousand_streams_each(start_gateway):
    gateway = start_gateway(workers=2)
    swarms = [Swarm(gateway.address) for _ in range(10)]
    try:
        ids = [swarm.open(1000, "all") for swarm in swarms]
        for number in range(100):
            assert gateway.deliver("all", str(number), id=number) == 10000
            for swarm in swarms:
                swarm.pump(0)
        for swarm, mine in zip(swarms, ids):
            swarm.wait(lambda: all(b"data: 99\n" in swarm.received[i] for i in mine), "the last event")
            for i in mine:
                count_events(swarm.received[i], 100)
    finally:
        for swarm in swarms:
            swarm.close()
