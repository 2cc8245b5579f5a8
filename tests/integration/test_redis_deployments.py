"""Three gateways on Redis as people run it: one server, a cluster, sentinels with passwords and certificates; on all servers.

The short form uses Debian's Redis 7; TIDEWAY_FULL=1 (./dev redis) asks for the whole length and for every server.
"""

import signal
import time

import pytest

from lib.h2_client import H2Client
from lib.redis_deployments import FULL, SERVERS, Cluster, Sentinels, Single, program_of
from lib.redis_load import Followers, Load, all_ready, check_replaced
from lib.rolling_update import CLIENTS, Roll
from lib.swarm import Swarm
from lib.waiting import wait_until

EVENTS, TRIES = (10000, 10000) if FULL else (1500, 500)

CLUSTER, SENTINELS = (Cluster, "redis-7.0"), (Sentinels, "redis-7.0")  # one Redis 7 is what other tests have
# The servers of Redis 6.2 and Valkey 9 were built without TLS, which Sentinels wants.
ALL = [(Single, name) for name in SERVERS] + [
    (Cluster, name) for name in ("redis-7.0", "redis-8.0", "valkey-8.1", "valkey-9.1")] + [
    (Sentinels, name) for name in ("redis-7.0", "redis-8.0", "valkey-8.1")]


def on(*short, kinds=(Single, Cluster, Sentinels)):
    """Runs a test on these deployments; in the long form on all of these kinds."""
    chosen = [each for each in ALL if each[0] in kinds] if FULL else short
    return pytest.mark.parametrize("deployment", chosen, indirect=True,
                                   ids=lambda each: f"{each[0].__name__.lower()}-{each[1]}")


pytestmark = pytest.mark.volume


@pytest.fixture
def deployment(request):
    kind, name = request.param
    program = program_of(name)
    if program is None:
        pytest.skip(f"{name} is not on this machine: ./dev redis fetches it")
    made = kind(program)
    yield made
    made.close()


@pytest.fixture
def start(deployment, start_gateway):
    """A function that begins to start a gateway on the deployment."""
    def begin(**options):
        return start_gateway(ready=False, runtime="redis", max_streams_per_connection=20000, **deployment.options, **options)
    return begin


@pytest.fixture
def gateways(start):
    started = [start(node_id=f"n{i}") for i in range(3)]
    return [gateway.wait_ready() for gateway in started]


@on(CLUSTER, SENTINELS)
def test_events_of_three_publishers_come_once_and_in_one_order(gateways):
    followers = [Followers(gateway, "t") for gateway in gateways]
    publishers = [H2Client(gateway.address) for gateway in gateways]
    for sent in range(0, EVENTS, 100):
        exchanges = [publishers[number % 3].start("POST", "/v1/publish", [
            gateways[0].auth(), ("x-sse-topic", "t"), ("x-sse-id", str(number))], "x" * 50)
            for number in range(sent, sent + 100)]
        for exchange in exchanges:
            assert exchange.wait_end().json()["status"] == "accepted"
    wait_until(lambda: all(len(ids) >= EVENTS for follower in followers for ids in follower.events()), "all events", 60)
    seen = [ids for follower in followers for ids in follower.events()]
    assert all(ids == seen[0] for ids in seen)
    assert sorted(map(int, seen[0])) == list(range(EVENTS))
    for one in (*followers, *publishers):
        one.close()


@on(CLUSTER)
def test_what_has_a_stream_is_accepted_and_what_has_none_is_dropped(gateways):
    """Each try: a stream opens on a topic of its own, and other nodes publish to this topic, and to one without streams."""
    with Swarm(gateways[0].address) as swarm, H2Client(gateways[1].address) as one, H2Client(gateways[2].address) as other:
        for number in range(TRIES):
            swarm.open(1, f"moment-{number}")
            answer = gateways[1].publish(f"moment-{number}", "x", str(number), client=one)
            assert answer.json()["status"] == "accepted", number
            if number % 10 == 0:
                answer = gateways[2].publish(f"moment-{number},nobody-{number}", "y", str(number), client=other)
                assert answer.json()["droppedTopics"] == [f"nobody-{number}"]
        wait_until(lambda: swarm.pump(0.01) or all(b"\ndata: x\n" in body for body in swarm.received.values()), "all events")


@on(CLUSTER)
def test_a_gateway_is_killed_under_load(gateways):
    load = Load(gateways[:2])
    doomed = Followers(gateways[2], "t")
    load.flowing()
    gateways[2].signal(signal.SIGKILL)
    gateways[2].stop(expected_code=-signal.SIGKILL)
    doomed.close()
    for gateway in load.gateways:
        wait_until(lambda: [row["nodeId"] for row in gateway.admin("/nodes")["data"]] == ["n0", "n1"] and
                   gateway.topics() == {"t": 4} and gateway.admin("/connections")["total"] == 4, "the dead node to go", 20)
    load.flowing(20)
    answers = load.finish()
    assert all(status == 202 for _, status, *_ in answers), "the survivors never noticed"
    load.wait_for(id for id, *_ in answers)
    load.one_order()
    load.undisturbed()
    assert all(gaps == 0 for follower in load.followers for gaps in follower.gaps())
    load.close()


@on(CLUSTER, SENTINELS)
def test_a_master_is_killed_under_load(deployment, gateways):
    load = Load(gateways)
    load.flowing()
    deployment.replace(deployment.master_of("t"))
    recovered_at = wait_until_back(load)
    check_replaced(load, gateways, recovered_at)


def wait_until_back(load):
    """Until every publisher was refused, and all gateways list all streams again; returns when that was."""
    wait_until(load.refused, "publishes to be refused")
    wait_until(lambda: all_ready(load.gateways), "gateways to be ready", 40)
    wait_until(load.listed, "the listings", 20)
    return time.monotonic()


@on(CLUSTER, SENTINELS)
def test_redis_is_stopped_for_five_seconds(deployment, gateways):
    load = Load(gateways)
    load.flowing()
    deployment.be_patient()
    for server in deployment.servers:
        server.pause()
    wait_until(load.refused, "publishes to be refused")
    time.sleep(5)  # how long the outage is: what is tested, not what is waited for
    for server in deployment.servers:
        server.resume()
    wait_until_back(load)
    load.flowing(20)
    load.finish_exact()
    load.close()


@on(CLUSTER)
def test_gateways_are_replaced_one_after_the_other(start):
    """The last one is killed: its clients, too, miss nothing that was accepted."""
    roll = Roll(lambda: start(drain_ms=2000).wait_ready(), 3)
    try:
        for old, end in zip(list(roll.endpoints.ready), (signal.SIGTERM, signal.SIGTERM, signal.SIGKILL)):
            roll.replace(old, end)
        assert roll.finish() > 20 and roll.crowd.resumed >= CLIENTS
    finally:
        roll.close()


@on(CLUSTER, kinds=(Cluster,))
def test_a_slot_is_moved_under_load(deployment, gateways):
    load = Load(gateways)
    load.flowing()
    source = deployment.master_of("t")
    key = source.cli("--scan", "--pattern", "tw:{*}:t:t")
    slot = int(source.cli("CLUSTER", "KEYSLOT", key))
    target = next(server for server in deployment.masters() if server is not source)
    deployment.move_slot(slot, source, target, pause_s=1)
    recovered_at = wait_until_back(load)
    assert deployment.master_of("t") is target
    check_replaced(load, gateways, recovered_at)
