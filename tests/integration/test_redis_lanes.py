"""Topics in several independent orders: real gateways on a real Redis."""

import pytest

from lib.redis_server import Redis
from lib.waiting import wait_until

LANES = 8
TOPICS = [f"topic-{i}" for i in range(20)]  # in all of them, as good as surely


@pytest.fixture
def redis():
    server = Redis()
    yield server
    server.close()


def start(redis, start_gateway, name, lanes=LANES, ready=True):
    return start_gateway(ready=ready, runtime="redis", redis_url=redis.url, node_id=name, redis_lanes=lanes)


def test_a_stream_on_topics_of_all_lanes_resumes_exactly_on_another_node(redis, start_gateway):
    gateways = [start(redis, start_gateway, f"n{i}") for i in range(2)]
    stream = gateways[0].h2().subscribe(*TOPICS)
    keeper = gateways[1].h2().subscribe(*TOPICS)
    for i, topic in enumerate(TOPICS):
        assert gateways[i % 2].deliver(topic, "x", id=f"e{i}") == 2
    events = stream.wait_events(len(TOPICS))
    assert sorted(event.id for event in events) == sorted(f"e{i}" for i in range(len(TOPICS)))
    # The block behind the last event has its positions in all lanes.
    stream.client.wait(lambda: stream.stream.last_id.startswith("~"), "a position")
    last = stream.stream.last_id
    assert last.count(",") == LANES - 1
    stream.client.close()
    for i, topic in enumerate(TOPICS):
        gateways[0].deliver(topic, "y", id=f"f{i}")
    assert len(keeper.wait_events(2 * len(TOPICS))) == 2 * len(TOPICS)
    back = gateways[1].h2().subscribe(*TOPICS, headers=[("last-event-id", last)])
    events = back.wait_events(len(TOPICS))
    assert sorted(event.id for event in events) == sorted(f"f{i}" for i in range(len(TOPICS)))
    assert {event.event for event in events} <= {"", "message"}  # and no gap


def test_topics_are_listed_in_order_over_all_lanes(redis, start_gateway):
    gateway = start(redis, start_gateway, "n0")
    names = sorted(f"name-{i * 7919 % 1000}" for i in range(600))
    streams = [gateway.h2().subscribe(*names[i:i + 60]) for i in range(0, 600, 60)]
    assert streams
    wait_until(lambda: gateway.admin("/topics?pageSize=1")["total"] == 600, "all topics to be listed")
    for page_size in 7, 100, 500:
        listed, page = [], 1
        while rows := gateway.admin(f"/topics?pageSize={page_size}&page={page}")["data"]:
            listed += [row["topic"] for row in rows]
            page += 1
        assert listed == names
    rows = gateway.admin("/topics?pageSize=5&page=2&prefix=name-1")["data"]
    assert [row["topic"] for row in rows] == [name for name in names if name.startswith("name-1")][5:10]


def test_a_gateway_with_another_number_of_lanes_is_not_let_in(redis, start_gateway):
    first = start(redis, start_gateway, "n0")
    other = start(redis, start_gateway, "n1", lanes=2, ready=False)
    line = other.wait_log(message="Redis cannot be used: trying again")
    assert "LANES the other nodes have lanes 8:" in line["reason"] and "TIDEWAY_REDIS_LANES is 2" in line["reason"]
    first.stop()
    other.wait_ready()  # nobody lives any more: it begins anew
