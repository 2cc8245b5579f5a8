"""Three gateways on one real Redis: they behave as one."""

import re
import signal
import time

import pytest

from lib.h2_client import H2Client
from lib.redis_lane import Lane
from lib.redis_load import Followers
from lib.redis_server import Redis
from lib.swarm import Swarm
from lib.waiting import wait_until


@pytest.fixture
def redis():
    server = Redis()
    yield server
    server.close()


@pytest.fixture
def gateways(redis, start_gateway):
    """Three nodes: n0, n1, n2."""
    started = [start_gateway(ready=False, runtime="redis", redis_url=redis.url, node_id=f"n{i}",
                             max_streams_per_connection=20000) for i in range(3)]
    return [gateway.wait_ready() for gateway in started]


def nodes_of(gateway):
    return {row["nodeId"]: row["connectionCount"] for row in gateway.admin("/nodes")["data"]}


def topic_rows(gateway):
    return {row["topic"]: {share["nodeId"]: share["connectionCount"] for share in row["nodes"]}
            for row in gateway.admin("/topics?pageSize=500")["data"]}


def test_an_event_reaches_the_subscribers_of_all_nodes(gateways):
    clients = [gateway.h2() for gateway in gateways]
    streams = [client.subscribe("news") for client in clients]
    for number, gateway in enumerate(gateways):
        assert gateway.deliver("news", f"from {number}", id=f"e{number}") == 3
    for stream in streams:
        assert [event.id for event in stream.wait_events(3)] == ["e0", "e1", "e2"]
        assert [event.data for event in stream.events] == ["from 0", "from 1", "from 2"]


def test_what_nobody_follows_is_dropped_by_every_node(gateways):
    for gateway in gateways:
        answer = gateway.publish("nobody", "x", id="d")
        assert (answer.status, answer.json()["status"]) == (202, "dropped")
        assert answer.json()["droppedTopics"] == ["nobody"]


def test_what_nobody_follows_is_dropped_while_its_body_is_open(gateways):
    for gateway in gateways:
        exchange = gateway.h2().start("POST", "/v1/publish", [
            gateway.auth(), ("x-sse-topic", "nobody"), ("x-sse-id", "d")], end=False)
        exchange.wait_body()
        assert (exchange.status, exchange.json()["status"]) == (202, "dropped")


def test_topics_are_dropped_one_by_one(gateways):
    stream = gateways[0].h2().subscribe("here")
    answer = gateways[1].publish("here,there", "x", id="p")
    assert answer.json()["status"] == "accepted"
    assert answer.json()["droppedTopics"] == ["there"]
    assert stream.wait_events(1)[0].id == "p"


def test_an_event_of_several_topics_comes_once(gateways):
    client = gateways[2].h2()
    both, one = client.subscribe("a", "b"), client.subscribe("b")
    other = gateways[0].h2().subscribe("a")
    gateways[1].deliver("a,b", "x", id="1")
    gateways[1].deliver("b,a", "x", id="2")
    for stream in (both, one, other):
        assert [event.id for event in stream.wait_events(2)] == ["1", "2"]


def test_listings_are_those_of_the_whole_cluster_on_every_node(gateways):
    clients = [gateway.h2() for gateway in gateways]
    streams = [clients[i].subscribe("shared", f"own-{i}", headers=[("x-sse-id", f"client-{i}")])
               for i in range(3)]
    expected = {"shared": {"n0": 1, "n1": 1, "n2": 1},
                "own-0": {"n0": 1}, "own-1": {"n1": 1}, "own-2": {"n2": 1}}
    ids = sorted(stream.connection_id for stream in streams)
    for gateway in gateways:
        wait_until(lambda: topic_rows(gateway) == expected, "the topics")
        wait_until(lambda: nodes_of(gateway) == {"n0": 1, "n1": 1, "n2": 1}, "the nodes")
        page = gateway.admin("/connections")
        assert (page["total"], [row["connectionId"] for row in page["data"]]) == (3, ids)
        rows = {row["clientId"]: row for row in page["data"]}
        for i in range(3):
            row = rows[f"client-{i}"]
            assert (row["nodeId"], row["topics"]) == (f"n{i}", ["shared", f"own-{i}"])
    gateways[0].deliver("shared", "x")
    for stream in streams:
        stream.wait_events(1)
    for gateway in gateways:
        assert [row["delivered"] for row in gateway.admin("/connections")["data"]] == [1, 1, 1]
    streams[1].close()
    for gateway in gateways:
        wait_until(lambda: topic_rows(gateway).keys() == {"shared", "own-0", "own-2"}, "the topics")
        wait_until(lambda: gateway.admin("/connections")["total"] == 2, "the connections")


def test_the_tail_is_the_clusters(gateways, redis):
    gateways[0].h2().subscribe("kept")
    for number in range(30):
        gateways[number % 3].deliver("kept", f"payload {number}", id=str(number))
    for gateway in gateways:
        events = gateway.admin("/topics/kept/tail?limit=10")["events"]
        assert [event["id"] for event in events] == [str(number) for number in range(20, 30)]
        assert events[-1]["payload"] == "payload 29"
    age_s = int(redis.cli("TIME").split()[0]) - int(redis.cli("ZSCORE", "tw:{0}:ages", "kept")) // 1000
    assert 0 <= age_s < 30, "an hour after its last event, and once nobody follows, it is forgotten"


def test_a_stream_resumes_on_another_node(gateways):
    keeper = gateways[0].h2().subscribe("t")
    first = gateways[1].h2().subscribe("t")
    for number in range(5):
        gateways[2].deliver("t", "x", id=str(number))
    first.wait_events(5)
    first.close()
    for number in range(5, 10):
        gateways[2].deliver("t", "x", id=str(number))
    again = gateways[2].h2().subscribe("t", headers=[("last-event-id", first.stream.last_id)])
    assert [event.id for event in again.wait_events(5)] == [str(n) for n in range(5, 10)]
    gateways[0].deliver("t", "x", id="live")
    assert again.wait_events(6)[-1].id == "live"
    assert len(keeper.wait_events(11)) == 11


def test_a_killed_gateway_leaves_every_listing(gateways, redis):
    followers = [Followers(gateway, "t") for gateway in gateways]
    many = 1200  # topics: more than one step of the clean-up takes away
    dead = Lane(redis).registration("n2")
    swarm = Swarm(gateways[2].address)
    swarm.open(many, lambda number: f"of-the-dead-{number}")
    wait_until(lambda: nodes_of(gateways[0]) == {"n0": 2, "n1": 2, "n2": 2 + many} and
               gateways[0].admin("/topics")["total"] == 1 + many, "the nodes")
    gateways[2].signal(signal.SIGKILL)
    swarm.close()
    gateways[2].stop(expected_code=-signal.SIGKILL)
    begun = time.monotonic()
    for gateway in gateways[:2]:
        wait_until(lambda: nodes_of(gateway) == {"n0": 2, "n1": 2} and
                   topic_rows(gateway) == {"t": {"n0": 2, "n1": 2}} and
                   gateway.admin("/connections")["total"] == 4, "the dead node to go", 20)
    assert time.monotonic() - begun < 20
    wait_until(lambda: redis.cli("--scan", "--pattern", f"tw:{{0}}:*{dead}*") == "", "its keys to go", 25)
    wait_until(lambda: sum(gateway.metrics()["tideway_redis_nodes_buried_total"]
                           for gateway in gateways[:2]) == 1, "one burial to be counted")
    assert gateways[0].deliver("t", "x", id="after") == 4
    for follower in followers[:2]:
        wait_until(lambda: follower.events() == [["after"], ["after"]], "the event")
        assert follower.alive()
    for follower in followers:
        follower.close()


def commands(redis):
    """How many commands clients have sent: those inside of scripts are not among them."""
    calls = dict(re.findall(r"cmdstat_(\w+):calls=(\d+)", redis.cli("INFO", "commandstats")))
    return sum(int(calls.get(name, 0)) for name in ("evalsha", "xread"))


def most_commands_in_a_second(redis, condition, timeout):
    """Waits for the condition, and returns how many commands came in the busiest second until then."""
    deadline, most = time.monotonic() + timeout, 0
    while not condition():
        assert time.monotonic() < deadline, f"waited {timeout} s"
        before, begun = commands(redis), time.monotonic()
        time.sleep(1)
        most = max(most, (commands(redis) - before) / (time.monotonic() - begun))
    return most


@pytest.mark.volume
def test_a_killed_gateway_with_a_hundred_thousand_topics_is_no_burden(gateways, redis):
    topics, each = 100000, 16
    gateways[0].h2().subscribe("of-the-living")
    swarm = Swarm(gateways[2].address)
    swarm.open(topics // each, lambda number: ",".join(f"{number * each + i:05x}" for i in range(each)))
    wait_until(lambda: gateways[0].admin("/topics")["total"] == topics + 1 and
               gateways[0].admin("/connections")["total"] == topics // each + 1, "all to be listed", 60)
    idle = most_commands_in_a_second(redis, lambda until=time.monotonic() + 3: time.monotonic() > until, 20)
    gateways[2].signal(signal.SIGKILL)
    killed_at = time.monotonic()
    swarm.close()
    gateways[2].stop(expected_code=-signal.SIGKILL)
    busiest = most_commands_in_a_second(redis, lambda: all(
        nodes_of(gateway) == {"n0": 1, "n1": 0} and gateway.topics() == {"of-the-living": 1} and
        gateway.admin("/connections")["total"] == 1 for gateway in gateways[:2]), 20)
    assert time.monotonic() - killed_at < 20
    busiest = max(busiest, most_commands_in_a_second(
        redis, lambda: sum(g.metrics()["tideway_redis_nodes_buried_total"] for g in gateways[:2]) == 1, 40))
    survivors = 2
    print(f"{busiest:.0f} commands in the busiest second, {idle:.0f} before")
    assert busiest - idle <= 100 * survivors, f"{busiest:.0f} commands in a second, {idle:.0f} before"


def test_a_gateway_that_stops_leaves_nothing_behind(gateways, redis):
    gateways[1].h2().subscribe("t")
    wait_until(lambda: nodes_of(gateways[0])["n1"] == 1, "the stream")
    left = Lane(redis).registration("n1")
    gateways[1].stop()
    assert nodes_of(gateways[0]) == {"n0": 0, "n2": 0}
    assert topic_rows(gateways[0]) == {}
    assert len(Lane(redis).registrations("n0")) == 1 and Lane(redis).registrations("n1") == []
    assert redis.cli("--scan", "--pattern", f"tw:{{0}}:*{left}*") == ""


@pytest.mark.volume
def test_many_streams_that_wait_for_redis_all_open_and_are_registered(gateways, redis):
    count = 20000
    with Swarm(gateways[0].address) as swarm:
        redis.pause()
        swarm.open(count, lambda number: f"topic-{number}", wait=False)
        wait_until(lambda: gateways[0].metrics()["tideway_redis_routes"] == count, "all openings")
        redis.resume()
        swarm.wait(lambda: len(swarm.statuses) == count, "all responses")
        assert set(swarm.statuses.values()) == {200}
        lane = Lane(redis)
        registration = lane.registration("n0")
        wait_until(lambda: lane.topics_of(registration) == count, "all topics to be registered")
        wait_until(lambda: gateways[1].admin("/topics")["total"] == count, "all topics to be listed")
        assert gateways[1].admin("/connections")["total"] == count
        assert gateways[1].deliver("topic-7", "x") == 1


@pytest.mark.volume
def test_ten_thousand_events_of_three_publishers_come_in_one_order(gateways):
    total, batch = 10000, 100
    followers = [Followers(gateway, "t") for gateway in gateways]
    publishers = [H2Client(gateway.address) for gateway in gateways]
    sent = 0
    while sent < total:
        exchanges = []
        for number in range(sent, min(sent + batch, total)):
            client = publishers[number % 3]
            headers = [gateways[0].auth(), ("x-sse-topic", "t"), ("x-sse-id", str(number))]
            exchanges.append(client.start("POST", "/v1/publish", headers, "x" * 50))
        for exchange in exchanges:
            exchange.wait_end()
            assert exchange.status == 202
            assert exchange.json()["status"] == "accepted"
        sent += len(exchanges)
    wait_until(lambda: all(len(ids) >= total for follower in followers for ids in follower.events()),
               "all events")
    seen = [ids for follower in followers for ids in follower.events()]
    assert all(ids == seen[0] for ids in seen)
    assert sorted(map(int, seen[0])) == list(range(total))
    for one in (*followers, *publishers):
        one.close()


@pytest.mark.volume
def test_a_subscriber_of_a_moment_ago_is_never_overlooked(gateways):
    """Each try: a stream on a topic that nobody followed opens, and another node publishes to it."""
    tries = 10000
    with Swarm(gateways[0].address) as swarm, H2Client(gateways[1].address) as publisher:
        for number in range(tries):
            swarm.open(1, f"moment-{number}")
            answer = gateways[1].publish(f"moment-{number}", "x", str(number), client=publisher)
            assert answer.json()["status"] == "accepted", number
        wait_until(lambda: swarm.pump(0.01) or
                   all(b"\ndata: x\n" in body for body in swarm.received.values()), "all events")


@pytest.mark.parametrize("question", [
    '{"op":"list","topic":"news","count":-1,"from":"x","token":1}',
    '{"op":"list","topic":"news","count":1099511627776,"from":"x","token":1}',
    '{"op":"list","topic":"news","count":10,"from":"%s","token":1}' % ("x" * 100000),
])
def test_a_question_that_no_node_would_ask_does_no_harm(redis, gateways, question):
    streams = [client.subscribe("news") for client in (gateways[0].h2(), gateways[0].h1())]
    assert Lane(redis).send("n0", "Q" + question) == 1
    assert gateways[0].deliver("news", "x", id="after") == 2
    for stream in streams:
        assert stream.wait_events(1)[0].id == "after"
    wait_until(lambda: topic_rows(gateways[1]) == {"news": {"n0": 2}}, "the registry")
