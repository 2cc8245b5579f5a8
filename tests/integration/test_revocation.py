"""Revoking the tokens of a subject, and closing its streams: three gateways on one Redis."""

import json
import time

import jwt
import pytest

from lib.redis_server import Redis
from lib.tokens import SECRET, token
from lib.waiting import wait_until

HOUR_MS = 3600 * 1000


def now_ms():
    return int(time.time() * 1000)


def test_revocations__of_another_form_are_refused(gateway):
    until, client = now_ms() + HOUR_MS, gateway.h2()
    wrong = [{"subject": "a"}, {"until": until}, {"subject": "", "until": until}, {"subject": 7, "until": until},
             {"subject": "x" * 257, "until": until}, {"subject": "a", "until": str(until)},
             {"subject": "a", "until": now_ms() - 1}, {"subject": "a", "until": until // 1000},
             {"subject": "a", "until": until * 1000}, {"subject": "a", "until": until + 0.5},
             {"subject": "a", "until": until, "also": 1}]
    bodies = [*(json.dumps(one).encode() for one in wrong), b"", b"[]", b'{"subject":"a"',
              b'{"subject":"a","subject":"b","until":%d}' % until]
    for body in bodies:
        answer = client.request("POST", "/v1/admin/revocations", [gateway.auth()], body)
        assert (answer.status, answer.json()["error"]["code"]) == (400, "invalid_revocation"), body
    refused = client.request("POST", "/v1/admin/revocations", [gateway.auth("wrong")], b" " * 4097)
    assert (refused.status, refused.json()["error"]["code"]) == (401, "unauthorized")  # before its body
    answer = client.request("POST", "/v1/admin/revocations", [gateway.auth()], b" " * 4097)
    assert (answer.status, answer.json()["error"]["code"]) == (413, "payload_too_large")


# --- a cluster ---

@pytest.fixture
def redis(servers):
    servers.append(Redis())
    return servers[0]


@pytest.fixture
def start(redis, start_gateway, tmp_path):
    """A function that begins to start a gateway of the cluster."""
    keys = tmp_path / "secret"
    keys.write_text(SECRET)
    return lambda name: start_gateway(ready=False, runtime="redis", redis_url=redis.url, node_id=name, private_topics="p.*",
                                      token_keys=keys, log_level="debug", max_auth_failures=0)


@pytest.fixture
def cluster(start):
    started = [start(f"n{i}") for i in range(3)]
    return [gateway.wait_ready() for gateway in started]


def token_of(subject, **claims):
    return token(["p.*"], ["p.*"], sub=subject, **claims)


def follow(gateway, text):
    exchange = gateway.h2().subscribe("p.a", headers=[("authorization", f"Bearer {text}")])
    return exchange if exchange.status == 200 else exchange.wait_end()


def check_out(gateway, text):
    """Neither streams nor publishes."""
    for refused in (follow(gateway, text), gateway.h2().request("POST", "/v1/publish", [
            ("authorization", f"Bearer {text}"), ("x-sse-topic", "p.a"), ("x-sse-id", "1")], b"x")):
        assert (refused.status, refused.json()["error"]["code"]) == (401, "token_invalid")


def revoke(gateway, subject):
    body = json.dumps({"subject": subject, "until": now_ms() + HOUR_MS})
    return gateway.h2().request("POST", "/v1/admin/revocations", [gateway.auth()], body.encode()).status


def closes(gateway, reason):
    return gateway.metrics()[f'tideway_streams_closed_total{{reason="{reason}"}}']


def of_subject(gateway, subject):
    page = gateway.admin(f"/connections?subject={subject}&pageSize=2")
    return page["total"], {row["subject"] for row in page["data"]}


def test_subjects__are_listed_and_closed_in_the_cluster(cluster):
    ann, bob = token_of("ann"), token_of("bob")
    streams = [follow(gateway, text) for gateway in cluster for text in (ann, bob, ann)]
    wait_until(lambda: all(of_subject(gateway, "ann") == (6, {"ann"}) for gateway in cluster), "the listings")
    answer = cluster[1].h2().request("DELETE", "/v1/admin/connections?subject=ann", [cluster[1].auth()])
    assert (answer.status, answer.json()) == (200, {"closed": 6})
    for i, stream in enumerate(streams):
        if i % 3 != 1:
            stream.wait_end()
    assert [closes(gateway, "admin") for gateway in cluster] == [2, 2, 2]
    assert of_subject(cluster[2], "ann") == (0, set()) and of_subject(cluster[2], "bob") == (3, {"bob"})
    assert follow(cluster[0], ann).status == 200
    line = cluster[0].wait_log(message="stream closed", subject="ann")
    assert line["reason"] == "admin"
    assert cluster[1].wait_log(message="operator closes a subject's connections")["subject"] == "ann"
    assert not any(text in str(gateway.logs) for gateway in cluster for text in (ann, bob))


def test_revocations__reach_all_nodes_and_survive_restarts(cluster, start, redis):
    ann, bob, eve = token_of("ann"), token_of("bob"), token_of("eve")
    anns = [follow(gateway, ann) for gateway in cluster]
    others = [follow(gateway, text) for gateway in cluster for text in (bob, eve)]
    began = time.monotonic()
    assert revoke(cluster[0], "ann") == 204
    for stream in anns:
        stream.wait_end()
    took = time.monotonic() - began
    print(f"three nodes closed the streams of a subject after {took * 1000:.0f} ms")
    assert took < 1
    for gateway in cluster:
        check_out(gateway, ann)
        assert closes(gateway, "revoked") == 1
        assert follow(gateway, token_of("ann", iat=int(time.time()) + 1)).status == 200  # issued since
    late = start("n3").wait_ready()
    check_out(late, ann)

    redis.kill()
    wait_until(lambda: cluster[0].ops("/readyz")[0] == 503, "the loss to be seen")
    assert revoke(cluster[0], "bob") == 503
    others[0].wait_end()  # here at once, elsewhere when Redis is back
    redis.start()  # with nothing in it
    for stream in others[2::2]:
        stream.wait_end()
    for gateway in (*cluster, start("n4").wait_ready()):
        wait_until(lambda gateway=gateway: gateway.ops("/readyz")[0] == 200, "the gateway to be ready")
        check_out(gateway, ann)
        check_out(gateway, bob)
    assert all(not stream.ended for stream in others[1::2])


def test_tokens__end_their_streams_with_a_reason(start_gateway, tmp_path):
    keys = tmp_path / "secret"
    keys.write_text(SECRET)
    gateway = start_gateway(private_topics="p.*", token_keys=keys, log_level="debug")
    text = token_of("ann", ttl_s=1)
    until = jwt.decode(text, options={"verify_signature": False})["exp"]
    short, long = follow(gateway, text), follow(gateway, token_of("ann"))
    short.wait_end()
    assert until <= time.time() < until + 1
    assert closes(gateway, "token_expired") == 1 and not long.ended
    assert gateway.wait_log(message="stream closed")["reason"] == "token_expired"
