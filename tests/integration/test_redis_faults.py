"""What once went wrong between gateways and Redis, as clients and operators saw it."""

import re
import time

import pytest

from lib.cutting_proxy import CuttingProxy
from lib.redis_deployments import program_of
from lib.redis_server import Redis
from lib.swarm import Swarm
from lib.waiting import wait_until

FAKETIME = "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1"


@pytest.fixture
def redis(servers):
    servers.append(Redis())
    return servers[0]


@pytest.fixture
def proxy(redis, servers):
    servers.append(CuttingProxy([redis.port]))
    return servers[-1]


def behind(proxy):
    return f"redis://127.0.0.1:{proxy.address[1]}"


def commands(redis):
    """How many commands clients have sent, without those inside of scripts."""
    calls = dict(re.findall(r"cmdstat_(\w+):calls=(\d+)", redis.cli("INFO", "commandstats")))
    return sum(int(calls.get(name, 0)) for name in ("evalsha", "xread", "xrange", "xrevrange"))


def close_stream(gateway, connection_id):
    return gateway.h2().request("DELETE", f"/v1/admin/connections/{connection_id}", [gateway.auth()])


@pytest.mark.parametrize("apart", ["database", "prefix"])
def test_two_clusters_share_a_redis(redis, start_gateway, apart):
    def options(name):
        return {"redis_url": f"{redis.url}/{int(name == 'other')}"} if apart == "database" else {
            "redis_url": redis.url, "redis_prefix": f"{name}:"}

    one = [start_gateway(runtime="redis", node_id=f"one-{i}", **options("one")) for i in range(2)]
    other = start_gateway(runtime="redis", node_id="other", **options("other"))
    streams = [gateway.h2().subscribe("orders") for gateway in (one[1], other)]
    for number in range(5):
        assert one[0].deliver("orders", "x", id=f"one-{number}") == 1
        assert other.deliver("orders", "x", id=f"other-{number}") == 1
    assert [event.id for event in streams[0].wait_events(5)] == [f"one-{n}" for n in range(5)]
    assert [event.id for event in streams[1].wait_events(5)] == [f"other-{n}" for n in range(5)]
    assert {row["nodeId"] for row in other.admin("/nodes")["data"]} == {"other"}
    assert all(gateway.metrics()["tideway_redis_losses_total"] == 0 for gateway in (*one, other))


def test_a_demoted_master_is_left_at_once(redis, servers, start_gateway):
    """Nothing closes the connections to it: its answers have to say that it is none any more."""
    successor = Redis(replicaof=f"127.0.0.1 {redis.port}")
    proxies = [CuttingProxy([redis.port]) for _ in range(2)]
    servers.extend((successor, *proxies))
    wait_until(lambda: successor.info("replication", "master_link_status") == "up", "replication")
    left, moved = [start_gateway(runtime="redis", redis_url=behind(proxy), node_id=f"n{i}") for i, proxy in enumerate(proxies)]
    stream = moved.h2().subscribe("t")
    left.deliver("t", "x", id="before")
    stream.wait_events(1)

    successor.cli("REPLICAOF", "NO", "ONE")
    redis.cli("REPLICAOF", "127.0.0.1", str(successor.port))
    proxies[1].ports = [successor.port]
    proxies[1].cut_some(1, hard=True)
    answers = []
    deadline = time.monotonic() + 3
    while time.monotonic() < deadline:
        answers.append(left.publish("t", "x", id="meanwhile").status)
    assert set(answers) == {503}, "a master that is none any more was believed"
    proxies[0].ports = [successor.port]
    wait_until(lambda: all(gateway.ops("/readyz")[0] == 200 for gateway in (left, moved)), "both to be ready")
    wait_until(lambda: left.admin("/topics")["total"] == 1, "the topic")
    assert left.deliver("t", "x", id="after") == 1
    wait_until(lambda: stream.client.pump(0.01) or stream.events[-1].id == "after", "the event")


def test_a_master_without_its_replica_takes_no_events(servers, start_gateway):
    redis = Redis(min_replicas_to_write=1, min_replicas_max_lag=2)
    servers.append(redis)
    replica = Redis(replicaof=f"127.0.0.1 {redis.port}", repl_diskless_sync_delay=0)
    servers.append(replica)
    wait_until(lambda: redis.info("replication", "min_slaves_good_slaves") == "1", "the replica")
    gateway = start_gateway(runtime="redis", redis_url=redis.url)
    stream = gateway.h2().subscribe("t")
    gateway.deliver("t", "x", id="1")
    replica.pause()
    wait_until(lambda: redis.info("replication", "min_slaves_good_slaves") == "0", "the replica to be missed")
    assert gateway.publish("t", "x", id="lost").status == 503
    replica.resume()
    wait_until(lambda: gateway.publish("t", "x", id="2").status == 202, "the replica to be back")
    assert [event.id for event in stream.wait_events(2)][:2] == ["1", "2"]


def test_the_window_of_who_left_while_redis_was_away_is_kept(redis, proxy, servers, start_gateway):
    here = start_gateway(runtime="redis", redis_url=redis.url, node_id="here", resume_window_ms=60000)
    away = start_gateway(runtime="redis", redis_url=behind(proxy), node_id="away", resume_window_ms=60000)
    clients = {name: away.h2() for name in ("cut-off", "full")}
    for name, client in clients.items():
        client.subscribe(name)
    assert here.deliver("cut-off", "x", id="1") == here.deliver("full", "x", id="1") == 1

    ports, proxy.ports = proxy.ports, []
    proxy.cut_some(1, hard=True)
    clients["cut-off"].close()
    wait_until(lambda: away.metrics()["tideway_connections"] == 1, "the stream to be gone")
    proxy.ports = ports
    away.wait_ready()
    redis.cli("CONFIG", "SET", "maxmemory", "1")
    clients["full"].close()
    wait_until(lambda: away.metrics()["tideway_connections"] == 0, "the stream to be gone")
    time.sleep(0.5)  # in which it is refused
    redis.cli("CONFIG", "SET", "maxmemory", "0")
    wait_until(lambda: here.admin("/topics")["total"] == 0, "both topics to be left")
    for name in clients:
        assert here.publish(name, "x", id="2").json()["status"] == "accepted", name
        again = here.h2().subscribe(name, headers=[("last-event-id", "1")])
        assert again.wait_events(1)[0].id == "2"


@pytest.mark.volume
def test_thousands_that_leave_at_once_hold_up_no_publish(redis, proxy, start_gateway):
    count = 6000
    gateway = start_gateway(runtime="redis", redis_url=behind(proxy), resume_window_ms=0, max_streams_per_connection=10000)
    swarm = Swarm(gateway.address)
    swarm.open(count, lambda number: f"topic-{number}")
    wait_until(lambda: gateway.admin("/topics")["total"] == count, "all to be listed")
    clients = [gateway.h2(window=1 << 30) for _ in range(4)]
    proxy.delay_s = 1.2
    swarm.close()
    exchanges = [clients[i % 4].start("POST", "/v1/publish", [
        gateway.auth(), ("x-sse-topic", f"topic-{i}"), ("x-sse-id", str(i))], "x") for i in range(count)]
    for exchange in exchanges:
        exchange.wait_end()
    assert {exchange.status for exchange in exchanges} == {202}
    assert gateway.metrics()['tideway_loop_turn_longest_cpu_seconds{loop="control"}'] < 0.5


def test_a_node_that_is_silent_is_no_404(redis, proxy, start_gateway):
    here = start_gateway(runtime="redis", redis_url=redis.url, node_id="here")
    owner = start_gateway(runtime="redis", redis_url=behind(proxy), node_id="owner")
    stream = owner.h2().subscribe("t")
    wait_until(lambda: here.admin("/connections")["total"] == 1, "the stream")
    assert close_stream(here, "nobody-has-this").status == 404
    ports, proxy.ports = proxy.ports, []
    proxy.cut_some(1, hard=True)
    assert close_stream(here, stream.connection_id).status == 503
    proxy.ports = ports
    owner.wait_ready()
    wait_until(lambda: close_stream(here, stream.connection_id).status in (200, 204, 404), "its node's answer")
    stream.wait_end()


def test_a_client_behind_a_proxy_is_listed_by_its_own_address(redis, start_gateway):
    gateways = [start_gateway(runtime="redis", redis_url=redis.url, node_id=f"n{i}", trusted_proxies="127.0.0.1/32")
                for i in range(2)]
    gateways[0].h2().subscribe("t", headers=[("x-forwarded-for", "203.0.113.7")])
    for gateway in gateways:
        wait_until(lambda: gateway.admin("/connections")["total"] == 1, "the stream")
        for path in "/connections", "/connections?topic=t":
            assert [row["remoteAddress"] for row in gateway.admin(path)["data"]] == ["203.0.113.7"], path


def test_history_that_cannot_be_read_is_a_gap_and_not_asked_for_again(redis, start_gateway):
    redis.cli("ACL", "SETUSER", "bob", "on", ">pw", "+@all", "-xrevrange", "~*", "&*")
    gateway = start_gateway(runtime="redis", redis_url=f"redis://bob:pw@127.0.0.1:{redis.port}")
    client = gateway.h2()
    before, begun = commands(redis), time.monotonic()
    stream = client.start("GET", "/v1/stream", [("x-sse-topic", "t"), ("last-event-id", "~never")])
    time.sleep(2)  # in which it is asked for, or not
    assert (commands(redis) - before) / (time.monotonic() - begun) < 100
    assert stream.wait_response().status == 200
    assert stream.wait_events(1)[0].event == "tideway.gap"


def test_two_gateways_of_one_node_id_are_told_apart_and_told_of(redis, start_gateway):
    gateways = [start_gateway(runtime="redis", redis_url=redis.url, node_id="pod") for _ in range(2)]
    streams = [gateway.h2().subscribe(f"t{i}") for i, gateway in enumerate(gateways)]
    for gateway in gateways:
        wait_until(lambda: gateway.topics() == {"t0": 1, "t1": 1} and gateway.admin("/connections")["total"] == 2, "both")
        gateway.wait_log(30, level="error", message="two gateways have the same node id")
    assert close_stream(gateways[1], streams[0].connection_id).status in (200, 204)
    streams[0].wait_end()
    gateways[1].stop()
    assert gateways[0].ops("/readyz")[0] == 200
    wait_until(lambda: gateways[0].topics() == {}, "its topic to go")


def test_a_master_whose_clock_is_behind_delivers_nothing_again(tmp_path, servers, start_gateway):
    program = program_of("redis-6.2")
    if program is None:
        pytest.skip("Debian's Redis has an allocator that libfaketime cannot be with, and ./dev redis fetches one without")
    ahead = tmp_path / "redis-ahead"
    ahead.write_text(f"#!/bin/sh\nLD_PRELOAD={FAKETIME} FAKETIME=+1000s FAKETIME_DONT_FAKE_MONOTONIC=1 exec {program} \"$@\"\n")
    ahead.chmod(0o755)
    old = Redis(program=str(ahead))
    servers.append(old)
    assert int(old.cli("TIME").split()[0]) > time.time() + 900, "its clock is not ahead"
    new = Redis(program=program, replicaof=f"127.0.0.1 {old.port}", repl_diskless_sync_delay=0)
    proxy = CuttingProxy([old.port])
    servers.extend((new, proxy))
    wait_until(lambda: new.info("replication", "master_link_status") == "up", "replication")
    gateway = start_gateway(runtime="redis", redis_url=behind(proxy))
    stream = gateway.h2().subscribe("t")
    for number in range(8):
        gateway.deliver("t", "x", id=f"e{number}")
    stream.wait_events(8)
    wait_until(lambda: new.info("replication", "master_repl_offset") == old.info("replication", "master_repl_offset"), "the replica")
    new.cli("REPLICAOF", "NO", "ONE")
    for number in range(8, 11):  # which the new one never gets
        gateway.deliver("t", "x", id=f"e{number}")
    stream.wait_events(11)
    proxy.ports = [new.port]
    proxy.cut_some(1, hard=True)
    wait_until(lambda: gateway.metrics()["tideway_redis_connects_total"] == 2, "the new master")
    wait_until(lambda: gateway.publish("t", "x", id="new").status == 202, "an event")
    wait_until(lambda: stream.client.pump(0.01) or stream.events[-1].id == "new", "the event")
    assert [event.id for event in stream.events if event.event != "tideway.gap"] == [*(f"e{n}" for n in range(11)), "new"]
    assert sum(event.event == "tideway.gap" for event in stream.events) == 1


@pytest.mark.volume
def test_the_gaps_of_many_topics_are_not_one_turn(redis, start_gateway):
    count = 50000
    gateway = start_gateway(runtime="redis", redis_url=redis.url, max_streams_per_connection=count)
    with Swarm(gateway.address) as swarm:
        swarm.open(count, lambda number: f"topic-{number}")
        wait_until(lambda: gateway.admin("/topics")["total"] == count, "all to be listed")
        redis.kill()
        redis.start()
        swarm.wait(lambda: all(b"event: tideway.gap" in swarm.received[i] for i in swarm.received), "all gaps")
        wait_until(lambda: gateway.admin("/topics")["total"] == count, "all to be listed again")
        assert gateway.metrics()['tideway_loop_turn_longest_cpu_seconds{loop="control"}'] < 0.05
