"""What one client, one key or one node may take: each limit refuses, says so, counts, and lets go again."""

import time

import pytest

from lib.redis_server import Redis
from lib.waiting import wait_until


PUBLISH = [("x-sse-topic", "news"), ("x-sse-id", "1")]


def refused(gateway, limit):
    return gateway.metrics()[f'tideway_refused_total{{limit="{limit}"}}']


def error(answer):
    return answer.status, answer.json()["error"]["code"]


def closed(client):
    """Whether the gateway has closed the connection: an attempt to use it tells."""
    try:
        client.pump(0.01)
    except OSError:
        return True
    return client.closed


def attempt(gateway):
    """A connection that is refused may die in the handshake or right after it."""
    try:
        client = gateway.h2()
        return client.subscribe("more").status == 200
    except (AssertionError, OSError):
        return False


def test_limits__connections_of_one_address(start_gateway):
    gateway = start_gateway(max_connections_per_ip=2)
    first, second = gateway.h2(), gateway.h2()
    first.subscribe("news")
    kept = second.subscribe("news")
    assert not attempt(gateway)
    assert refused(gateway, "connections_per_address") >= 1
    assert not closed(second) and kept.status == 200
    first.close()
    wait_until(lambda: attempt(gateway), "room for a connection again")


def test_limits__connections_of_the_node(start_gateway):
    gateway = start_gateway(max_connections=1)
    kept = gateway.h2().subscribe("news")
    assert not attempt(gateway)
    assert refused(gateway, "connections") >= 1
    assert refused(gateway, "connections_per_address") == 0
    assert kept.status == 200


def test_limits__streams_of_one_address(start_gateway, protocol):
    gateway = start_gateway(max_streams_per_ip=2, stream_refusal="status")
    holders = [gateway.client(protocol) for _ in range(2)]
    for holder in holders:
        assert holder.subscribe("news").status == 200
    answer = gateway.client(protocol).request("GET", "/v1/stream", [("x-sse-topic", "news")])
    assert error(answer) == (503, "over_capacity")
    assert "retry-after" in answer.headers
    assert refused(gateway, "streams_per_address") == 1
    holders[0].close()
    wait_until(lambda: gateway.metrics()["tideway_streams"] == 1, "a stream to go")
    assert gateway.client(protocol).subscribe("news").status == 200


def test_limits__wrong_keys_of_one_address(start_gateway, protocol):
    gateway = start_gateway(max_auth_failures=30)
    client = gateway.client(protocol)
    wrong, right = [("authorization", "Bearer wrong")], [gateway.auth()]
    for _ in range(30):
        assert error(client.request("GET", "/v1/admin/nodes", wrong)) == (401, "unauthorized")
    answer = client.request("GET", "/v1/admin/nodes", wrong)
    assert error(answer) == (429, "too_many_failures")
    assert 1 <= int(answer.headers["retry-after"]) <= 60
    assert refused(gateway, "auth_failures") == 1
    assert client.request("GET", "/healthz").status == 200
    deadline = time.monotonic() + 2 * int(answer.headers["retry-after"])
    wait_until(lambda: client.request("GET", "/v1/admin/nodes", wrong).status == 401,
               "the address to be forgiven", deadline - time.monotonic())
    assert client.request("GET", "/v1/admin/nodes", right).status == 200


def test_limits__a_right_key_is_not_refused_because_of_wrong_ones(start_gateway, protocol):
    """Other pods may be behind the same address."""
    gateway = start_gateway(max_auth_failures=100)
    client = gateway.client(protocol)
    wrong, right = [("authorization", "Bearer wrong")], [gateway.auth()]
    statuses = [client.request("GET", "/v1/admin/nodes", wrong).status for _ in range(103)]
    assert statuses[:100] == [401] * 100 and 429 in statuses[100:]
    assert client.request("GET", "/v1/admin/nodes", right).status == 200
    assert client.request("POST", "/v1/publish", [*right, *PUBLISH], "x").status == 202
    assert client.request("GET", "/v1/admin/nodes").status == 401


def test_limits__a_request_without_a_key_is_no_wrong_key(start_gateway):
    gateway = start_gateway(max_auth_failures=1)
    client = gateway.h2()
    for _ in range(5):
        assert client.request("GET", "/v1/admin/nodes").status == 401
    assert client.request("GET", "/v1/admin/nodes", [gateway.auth()]).status == 200


def test_limits__publishes_of_one_key(start_gateway):
    gateway = start_gateway(keys="one,two", publish_rate=1, publish_burst=3)
    client = gateway.h2()
    answers = [client.request("POST", "/v1/publish", [gateway.auth("one"), *PUBLISH], "x")
               for _ in range(4)]
    assert [answer.status for answer in answers[:3]] == [202] * 3
    assert error(answers[3]) == (429, "rate_limited")
    assert int(answers[3].headers["retry-after"]) >= 1
    assert refused(gateway, "publish_rate") == 1
    # Another key has a bucket of its own, and this one fills again.
    assert client.request("POST", "/v1/publish", [gateway.auth("two"), *PUBLISH], "x").status == 202
    wait_until(lambda: client.request("POST", "/v1/publish", [gateway.auth("one"), *PUBLISH],
                                      "x").status == 202, "the bucket to fill")


def test_limits__publishes_under_way(start_gateway):
    gateway = start_gateway(max_publishes_in_flight=1)
    client = gateway.h2()
    client.subscribe("news")
    slow = client.start("POST", "/v1/publish", [gateway.auth(), *PUBLISH], end=False)
    other = gateway.h2()
    wait_until(lambda: error_code(other, gateway) == "over_capacity", "the first to be under way")
    assert refused(gateway, "publishes_in_flight") >= 1
    client.send_body(slow, "x")
    assert slow.wait_end().status == 202
    wait_until(lambda: error_code(other, gateway) is None, "room for a publish again")


def error_code(client, gateway):
    answer = client.request("POST", "/v1/publish", [gateway.auth(), *PUBLISH], "y")
    return answer.json().get("error", {}).get("code")


def test_limits__a_publish_whose_client_goes_is_not_under_way_any_more(start_gateway):
    gateway = start_gateway(max_publishes_in_flight=1)
    client = gateway.h2()
    client.subscribe("news")
    client.start("POST", "/v1/publish", [gateway.auth(), *PUBLISH], end=False)
    other = gateway.h2()
    wait_until(lambda: error_code(other, gateway) == "over_capacity", "the first to be under way")
    client.close()
    wait_until(lambda: error_code(other, gateway) is None, "room for a publish again")


# Trusted proxies

@pytest.fixture
def redis_server():
    server = Redis()
    yield server
    server.close()


def rows(gateway):
    return {row["clientId"]: row["remoteAddress"] for row in gateway.admin("/connections")["data"]}


@pytest.mark.parametrize("forwarded, shown", [
    ("203.0.113.7", "203.0.113.7"),
    ("198.51.100.1, 203.0.113.7", "203.0.113.7"),  # what a client wrote itself comes first
    ("203.0.113.7, 10.1.2.3", "203.0.113.7"),  # a second proxy of ours
    ("2001:db8::1", "2001:db8::1"),
    ("203.0.113.7:4711", "203.0.113.7"),
    ("[2001:db8::1]", "2001:db8::1"),
    ("[2001:db8::1]:4711", "2001:db8::1"),
])
def test_limits__the_client_behind_a_trusted_proxy_is_shown(start_gateway, forwarded, shown):
    gateway = start_gateway(trusted_proxies="127.0.0.0/8,10.0.0.0/8")
    gateway.h2().subscribe("news", headers=[("x-sse-id", "c"), ("x-forwarded-for", forwarded)])
    assert rows(gateway)["c"] == shown


def test_limits__the_client_behind_a_trusted_proxy_is_shown_with_redis_too(start_gateway, redis_server):
    gateway = start_gateway(trusted_proxies="127.0.0.1", runtime="redis", redis_url=redis_server.url)
    gateway.h2().subscribe("news", headers=[("x-sse-id", "c"), ("x-forwarded-for", "203.0.113.7")])
    assert wait_until(lambda: rows(gateway).get("c"), "the stream to be listed") == "203.0.113.7"


def test_limits__several_headers_are_one_list(start_gateway, protocol):
    """Each of two proxies has added a header of its own."""
    gateway = start_gateway(trusted_proxies="127.0.0.0/8,10.0.0.0/8")
    lines = [("x-forwarded-for", "198.51.100.1"), ("x-forwarded-for", "203.0.113.7"), ("x-forwarded-for", "10.1.2.3")]
    gateway.client(protocol).subscribe("news", headers=[("x-sse-id", "c"), *lines])
    assert rows(gateway)["c"] == "203.0.113.7"


def test_limits__what_makes_no_sense_is_limited_like_the_proxy(start_gateway):
    gateway = start_gateway(trusted_proxies="127.0.0.1", max_streams_per_ip=1, stream_refusal="status")
    client = gateway.h2()
    statuses = [client.subscribe("news", headers=[("x-forwarded-for", "unknown")]).status for _ in range(2)]
    assert statuses == [200, 503]


@pytest.mark.parametrize("proxies, forwarded", [
    ("10.0.0.0/8", "203.0.113.7"),  # this peer is none
    ("127.0.0.1", "no address"),
])
def test_limits__nobody_else_is_believed(start_gateway, proxies, forwarded):
    gateway = start_gateway(trusted_proxies=proxies)
    gateway.h2().subscribe("news", headers=[("x-sse-id", "c"), ("x-forwarded-for", forwarded)])
    assert rows(gateway)["c"].startswith("127.0.0.1:")


def test_limits__clients_behind_a_proxy_have_limits_of_their_own(start_gateway):
    gateway = start_gateway(trusted_proxies="127.0.0.1", max_streams_per_ip=1,
                            max_connections_per_ip=1, stream_refusal="status")
    client = gateway.h2()

    def status(address):
        exchange = client.start("GET", "/v1/stream",
                                [("x-sse-topic", "news"), ("x-forwarded-for", address)])
        client.wait(lambda: exchange.status, "an answer")
        return exchange.status

    assert status("203.0.113.1") == 200
    assert status("203.0.113.1") == 503
    assert status("203.0.113.2") == 200
    assert status("2001:db8:0:1::1") == 200
    assert status("2001:db8:0:1:ffff::2") == 503  # of the same /64
    assert status("2001:db8:0:2::1") == 200
    # what the proxy asks for itself (its health checks, say) is not limited
    assert [gateway.h2().subscribe("news").status for _ in range(2)] == [200, 200]
    assert refused(gateway, "connections_per_address") == 0


def test_limits__a_bad_proxy_stops_the_start(start_gateway):
    gateway = start_gateway(ready=False, trusted_proxies="10.0.0.0/8,10.0.0.0/33")
    gateway.wait_exit()
    assert "10.0.0.0/33" in gateway.text() and "TIDEWAY_TRUSTED_PROXIES" in gateway.text()


# Memory

def publish_until_closed(gateway, reason):
    """Publishes until streams are closed for this reason, and returns how many; another connection
    misses nothing meanwhile."""
    steady = gateway.h2()
    other = steady.subscribe("news")
    name = f'tideway_streams_closed_total{{reason="{reason}"}}'
    closed = 0
    for number in range(200):
        gateway.deliver("news", "x" * 8000, id=str(number))
        steady.pump()
        closed = gateway.metrics()[name]
        if closed > 0:
            break
    other.wait_events(number + 1)
    return closed


def test_limits__what_waits_for_one_connection(start_gateway):
    """Streams that are each within their limit are closed when together they are not."""
    gateway = start_gateway(stream_buffer_bytes=1 << 20, connection_buffer_bytes=1 << 16)
    slow = gateway.h2(window=65535, credit=False)
    for _ in range(8):
        slow.subscribe("news")
    assert publish_until_closed(gateway, "slow_consumer") > 0
    assert gateway.metrics()["tideway_queued_bytes"] <= (1 << 16) + 8200


def test_limits__what_waits_on_the_node(start_gateway):
    gateway = start_gateway(stream_buffer_bytes=1 << 24, node_buffer_bytes=1 << 18, tail_events=0)
    gateway.h2(window=65535, credit=False).subscribe("news")
    assert publish_until_closed(gateway, "node_memory") == 1


def test_limits__resumes_that_are_not_read_do_not_close_others(start_gateway):
    """What newcomers have missed takes half of the memory at most: then they are refused."""
    gateway = start_gateway(node_buffer_bytes=100000, tail_events=100, stream_refusal="status")
    honest = [gateway.h2().subscribe("news"), gateway.h1().subscribe("news")]
    for n in range(100):
        gateway.deliver("news", "x", id=str(n))
    client = gateway.h2(window=0, credit=False)
    statuses = []
    for _ in range(60):
        statuses.append(client.subscribe("news", headers=[("last-event-id", "unknown")]).status)
    assert statuses[0] == 200 and statuses[-1] == 503
    assert statuses == sorted(statuses)
    # Nor do answers that are not read: they have memory of their own, or publishes would be refused from here on.
    assert refused(gateway, "answer_bytes_per_address") > 0 and refused(gateway, "request_bytes") == 0
    assert gateway.h2().subscribe("news").status == 200
    for n in range(100, 110):
        gateway.deliver("news", "x", id=str(n))
    for stream in honest:
        assert [event.id for event in stream.wait_events(110)] == [str(n) for n in range(110)]
    client.close()
    wait_until(lambda: gateway.h2().subscribe("news", headers=[("last-event-id", "1")]).status == 200, "room again")
