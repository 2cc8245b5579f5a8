"""What gateways do while Redis is gone, stopped, replaced, or not what it should be."""

import contextlib
import json
import signal
import threading
import time

import pytest

from lib.cutting_proxy import CuttingProxy
from lib.redis_lane import Lane
from lib.redis_load import Load, all_ready, check_replaced
from lib.redis_server import Redis
from lib.swarm import Swarm
from lib.waiting import wait_until

LOST = "Redis is lost: streams stay open, publishes are refused"


@pytest.fixture
def redis(servers):
    servers.append(Redis())
    return servers[0]


@pytest.fixture
def cluster(redis, start_gateway):
    return start_cluster(start_gateway, redis.url)


def start_cluster(start_gateway, url):
    started = [start_gateway(ready=False, runtime="redis", redis_url=url, node_id=f"n{i}")
               for i in range(3)]
    return [gateway.wait_ready() for gateway in started]


def start_pair(redis, start_gateway, **of_the_second):
    def clients():
        return {line.split("id=")[1].split(" ")[0] for line in redis.cli("CLIENT", "LIST").splitlines()
                if "name=tideway-" in line}

    here = start_gateway(runtime="redis", redis_url=redis.url, node_id="here", resume_window_ms=60000,
                         max_streams_per_connection=10000)
    others = clients()
    away = start_gateway(**{"runtime": "redis", "redis_url": redis.url, "node_id": "away", "resume_window_ms": 60000,
                            **of_the_second})
    away.redis_clients = clients() - others
    return here, away


def test_publishes_of_a_start_wait_for_the_first_connection(redis, start_gateway):
    """A balancer that has not seen a restart sends publishes before the gateway has its connection to Redis."""
    redis.pause()
    timer = threading.Timer(0.4, redis.resume)
    timer.start()
    try:
        gateway = start_gateway(ready=False, runtime="redis", redis_url=redis.url)
        gateway.wait_log(message="listening")
        with gateway.h2() as client:
            assert gateway.publish("t", client=client).status == 202
    finally:
        timer.join()


def test_redis_killed_under_load_and_restarted_empty(redis, cluster):
    load = Load(cluster)
    load.flowing()
    redis.kill()
    wait_until(load.refused, "publishes to be refused")
    wait_until(lambda: all_ready(cluster, False), "gateways to be unready")
    status, reason = cluster[0].ops("/readyz")
    assert status == 503 and "Redis" in reason
    assert cluster[0].ops("/healthz")[0] == 200
    assert cluster[0].metrics()["tideway_redis_up"] == 0
    refusal = cluster[0].publish("t", "x", "refused")
    assert (refusal.status, refusal.json()["error"]["code"]) == (503, "runtime_unavailable")
    assert int(refusal.headers["retry-after"]) > 0
    assert cluster[0].wait_log(message=LOST)["level"] == "error"
    redis.start()
    restarted_at = time.monotonic()
    wait_until(lambda: all_ready(cluster), "gateways to be ready")
    wait_until(load.listed, "the listings", 10)
    recovered_at = time.monotonic()  # what came before every node followed again is what the gap is about
    assert recovered_at - restarted_at < 10
    assert cluster[0].metrics()["tideway_redis_losses_total"] == 1
    check_replaced(load, cluster, recovered_at)


def test_redis_stopped_for_five_seconds_loses_nothing(redis, cluster):
    load = Load(cluster)
    load.flowing()
    redis.pause()
    wait_until(load.refused, "publishes to be refused")
    time.sleep(5)  # how long the outage is: what is tested, not what is waited for
    redis.resume()
    wait_until(lambda: all_ready(cluster), "gateways to be ready")
    wait_until(load.listed, "the listings", 10)
    load.flowing(20)
    load.finish_exact()
    load.close()


def test_a_gateway_that_is_cut_off_alone_fills_what_it_missed(redis, cluster):
    load = Load(cluster)
    load.flowing()
    for cut in range(1, 6):
        client = next(line for line in redis.cli("CLIENT", "LIST").splitlines()
                      if "name=tideway-" in line and "cmd=xread" in line)
        address = client.split(" addr=")[1].split(" ")[0]
        assert redis.cli("CLIENT", "KILL", "ADDR", address) == "1"
        wait_until(lambda: sum(gateway.metrics()["tideway_redis_connects_total"]
                               for gateway in cluster) == 3 + cut, "the gateway to come back")
        load.flowing()
    answers = load.finish()
    assert sum(gateway.metrics()["tideway_redis_events_filled_total"] for gateway in cluster) > 0
    load.wait_for(id for id, status, *_ in answers if status == 202)
    load.one_order()
    load.undisturbed()
    assert all(gaps == 0 for follower in load.followers for gaps in follower.gaps())
    load.close()


@contextlib.contextmanager
def stopped_and_cut_off(gateway, redis):
    """Meanwhile the gateway stands still; when it goes on, its connections to Redis are gone."""
    gateway.signal(signal.SIGSTOP)
    for client in gateway.redis_clients:
        assert redis.cli("CLIENT", "KILL", "ID", client) == "1"
    try:
        yield
    finally:
        gateway.signal(signal.SIGCONT)


def test_a_long_history_is_filled_in_pieces(redis, start_gateway):
    here, away = start_pair(redis, start_gateway)
    redis.cli("CONFIG", "SET", "slowlog-log-slower-than", "0", "slowlog-max-len", "10000")
    client = away.h2(window=1 << 30)
    streams = [client.subscribe(f"t{i}") for i in range(40)]
    wait_until(lambda: here.admin("/topics")["total"] == 40, "the topics")

    with stopped_and_cut_off(away, redis):
        for i in range(40):
            here.deliver(f"t{i}", f"{i:04}" * 200_000)

    for i, stream in enumerate(streams):
        assert [event.data for event in stream.wait_events(1)] == [f"{i:04}" * 200_000]
    assert away.metrics()["tideway_redis_events_filled_total"] == 40
    # 32 MB: before it is known how large its entries are no answer may bring more than one, and then as many as are small
    log = [line.strip() for line in redis.cli("SLOWLOG", "GET", "10000").splitlines()]
    reads = [log[i + 2] for i, line in enumerate(log) if line.lower() == "xread" and log[i + 1] == "COUNT"]
    assert reads.count("1") >= 40
    assert here.deliver("t7", "on") == 1
    assert streams[7].wait_events(2)[1].data == "on"


@pytest.fixture
def thin_line(redis, servers, start_gateway):
    """A gateway, and another one that follows "big", to which 1.5 MB come a second; and the proxy that sees to that."""
    proxy = CuttingProxy([redis.port])
    servers.append(proxy)
    here, away = start_pair(redis, start_gateway, redis_url=f"redis://127.0.0.1:{proxy.address[1]}",
                            stream_buffer_bytes=1 << 24)
    stream = away.h2().subscribe("big")
    wait_until(lambda: here.admin("/topics")["total"] == 1, "the topic")
    proxy.rate = 1_500_000
    with stopped_and_cut_off(away, redis):
        for i in range(6):
            here.deliver("big", "x" * 1_000_000, id=str(i))
    return here, away, stream, proxy


def test_a_history_may_take_longer_than_a_reply(thin_line):
    """4 s, and 3 s without a reply would be the end of the connection."""
    _, away, stream, _ = thin_line
    assert [event.id for event in stream.wait_events(6)] == [str(i) for i in range(6)]
    assert away.metrics()["tideway_redis_connects_total"] == 2


def test_a_catch_up_that_dies_is_begun_again(thin_line):
    here, away, stream, proxy = thin_line
    wait_until(lambda: away.metrics()["tideway_redis_connects_total"] == 2, "the gateway to be back")
    proxy.cut_some(1, hard=True)
    here.deliver("big", "y", id="last")
    assert [event.id for event in stream.wait_events(7)] == [*(str(i) for i in range(6)), "last"]
    assert away.metrics()["tideway_redis_connects_total"] == 3


def test_streams_and_publishes_do_not_wait_for_the_catch_up(thin_line):
    here, away, stream, _ = thin_line
    wait_until(lambda: all_ready([away]), "the gateway to be ready")
    other = away.h2().subscribe("other")
    assert here.deliver("other", "x", id="1") == 1
    assert away.metrics()["tideway_redis_events_filled_total"] < 6, "they waited for the catch-up, or it was too fast to tell"
    assert [event.id for event in stream.wait_events(6)] == [str(i) for i in range(6)]
    assert other.wait_events(1)[0].id == "1"


def test_more_was_missed_than_can_wait(redis, start_gateway):
    """80 MB, and 64 may wait: the gateway comes back all the same, and exactly those who missed something are told."""
    here, away = start_pair(redis, start_gateway, tail_bytes=1 << 20)
    big, small = away.h2().subscribe("big"), away.h2().subscribe("small")
    wait_until(lambda: here.admin("/topics")["total"] == 2, "the topics")

    with stopped_and_cut_off(away, redis):
        for i in range(80):
            here.deliver("big", "x" * 1_000_000, id=str(i))
    away.wait_log(message="this node was too far behind: streams that missed events get a gap")
    wait_until(lambda: all_ready([away]), "the gateway to be back")

    gap = big.wait_events(1)[0]
    assert (gap.event, json.loads(gap.data)) == ("tideway.gap", {"reason": "evicted", "topics": ["big"]})
    for stream, topic in (big, "big"), (small, "small"):
        assert here.deliver(topic, "on", id="next") == 1
        assert [event.id for event in stream.wait_events(1 if stream is small else 2)][-1] == "next"
    assert len(small.events) == 1 and away.metrics()["tideway_redis_gaps_total"] == 1


def test_what_opens_and_closes_while_redis_is_full_is_listed(redis, cluster):
    clients = [gateway.h2() for gateway in cluster]
    before = [clients[0].subscribe(f"before-{i}") for i in range(3)]
    wait_until(lambda: cluster[1].admin("/topics")["total"] == 3, "what opened before")

    redis.cli("CONFIG", "SET", "maxmemory", "1")
    count = 300
    for i in range(count):
        clients[i % 3].subscribe(f"while-{i}")
    for stream in before:
        stream.close()
    topics = {f"while-{i}" for i in range(count)}
    wait_until(lambda: {row["topic"] for row in cluster[1].admin("/topics?pageSize=500")["data"]} == topics,
               "what was opened and closed", 5)
    wait_until(lambda: cluster[1].admin("/connections")["total"] == count, "the streams", 5)
    assert cluster[0].publish("while-1", "x").status == 503
    cluster[0].wait_log(message="Redis returned an error")
    redis.cli("CONFIG", "SET", "maxmemory", "0")

    for gateway in cluster:
        wait_until(lambda: gateway.admin("/connections")["total"] == count, "the streams", 8)
        wait_until(lambda: {row["topic"] for row in gateway.admin("/topics?pageSize=500")["data"]} == topics,
                   "the topics")
        assert gateway.metrics()["tideway_redis_registry_backlog"] == 0
    assert cluster[2].deliver("while-0", "x") == 1


def test_a_join_whose_answer_is_lost_leaves_nobody_out(redis, servers, start_gateway):
    """Others took the gateway for dead, and the answer that makes it a member again does not arrive."""
    proxy = CuttingProxy([redis.port])
    servers.append(proxy)
    here, away = start_pair(redis, start_gateway, redis_url=f"redis://127.0.0.1:{proxy.address[1]}")
    stream = away.h2().subscribe("t")
    wait_until(lambda: here.admin("/connections")["total"] == 1, "the stream")

    lane = Lane(redis)
    old = lane.registration("away")
    lane.bury(old)
    for _ in range(5):
        known = set(lane.call("HKEYS", lane.key("inboxes")))
        wait_until(lambda: set(lane.call("HKEYS", lane.key("inboxes"))) - known, "it to join again", 20)
        proxy.cut_some(1, hard=True)
        for key in lane.call("HKEYS", lane.key("inboxes")):
            if key.startswith(old[:8]) and key.endswith(":e"):
                lane.bury(key[:-2])

    wait_until(lambda: here.admin("/connections")["total"] == 1, "the stream again")
    wait_until(lambda: [row["topic"] for row in here.admin("/topics")["data"]] == ["t"], "the topic again")
    assert json.loads(stream.wait_events(1)[0].data) == {"reason": "evicted", "topics": ["t"]}
    assert here.deliver("t", "on", id="next") == 1
    while stream.wait_events(len(stream.events))[-1].id != "next":  # each burial is a gap
        stream.wait_events(len(stream.events) + 1)


def test_a_gateway_that_was_buried_in_part_is_whole_again(redis, servers, start_gateway):
    """It was not dead, and comes back while another one clears away what it had."""
    proxy = CuttingProxy([redis.port])
    servers.append(proxy)
    here, away = start_pair(redis, start_gateway, redis_url=f"redis://127.0.0.1:{proxy.address[1]}")
    count = 10000  # 1,000 are cleared away at a time
    lane = Lane(redis)
    old = lane.registration("here")
    with Swarm(here.address) as swarm:
        swarm.open(count, lambda number: f"topic-{number}")
        wait_until(lambda: away.admin("/topics")["total"] == count, "the topics")
        here.signal(signal.SIGSTOP)
        proxy.delay_s = 0.2
        wait_until(lambda: lane.topics_of(old) < count, "its burial", 40)
        away.signal(signal.SIGSTOP)
        try:
            assert lane.topics_of(old) > 0, "the burial was over too early to tell"
            here.signal(signal.SIGCONT)
            wait_until(lambda: [lane.topics_of(new) for new in lane.registrations("here")] == [count],
                       "what it has to be registered")
        finally:
            away.signal(signal.SIGCONT)
        proxy.delay_s = 0
        wait_until(lambda: away.admin("/topics")["total"] == away.admin("/connections")["total"] == count, "the listings")


def test_streams_wait_for_a_redis_that_comes_late(servers, start_gateway):
    redis = Redis()
    servers.append(redis)
    gateway = start_gateway(runtime="redis", redis_url=redis.url, stream_refusal="status")
    redis.kill()
    wait_until(lambda: all_ready([gateway], False), "the gateway to notice")
    client = gateway.h2()
    exchange = client.start("GET", "/v1/stream", [("x-sse-topic", "t")])
    redis.start()
    assert exchange.wait_response().status == 200
    redis.kill()
    wait_until(lambda: all_ready([gateway], False), "the gateway to notice")
    refused = client.start("GET", "/v1/stream", [("x-sse-topic", "t")]).wait_response()
    assert refused.status == 503 and "retry-after" in refused.headers
    redis.start()
    gateway.wait_ready()
    gateway.deliver("t", "x", id="1")
    assert exchange.wait_events(2)[-1].id == "1"
