"""Private topics and tokens: who may follow and publish what, and which tokens count."""

import json
import os
import signal
import subprocess
import time

import jwt
import pytest

from lib.gateway import Gateway
from lib.paths import BINARY
from lib.redis_server import Redis
from lib.tokens import SECRET, ec_key, jwk, jwk_set, key_for, pem, raw_token, rsa_key, token
from lib.waiting import wait_until

PRIVATE = "orders.*,one"


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """One gateway for all tests that only ask, whose keys are a secret; 10,000 wrong tokens are no failures too many."""
    path = tmp_path_factory.mktemp("keys") / "secret"
    path.write_text(SECRET + "\n")
    gateway = Gateway(private_topics=PRIVATE, token_keys=path, max_auth_failures=0).wait_ready()
    yield gateway
    gateway.stop()


@pytest.fixture(scope="module", params=["memory", "redis"])
def either(request, tmp_path_factory):
    """One gateway for each adapter, for all tests of what an adapter could give away."""
    path = tmp_path_factory.mktemp("keys") / "secret"
    path.write_text(SECRET)
    redis = Redis() if request.param == "redis" else None
    options = {"runtime": "redis", "redis_url": redis.url} if redis else {}
    gateway = Gateway(private_topics=PRIVATE, token_keys=path, max_auth_failures=0, **options).wait_ready()
    yield gateway
    gateway.stop()
    if redis:
        redis.close()


def start(start_gateway, path, text, **options):
    path.write_text(text)
    return start_gateway(token_keys=path, **{"private_topics": PRIVATE, **options})


def bearer(text):
    return [("authorization", f"Bearer {text}")]


def follow(gateway, *topics, headers=(), query="", protocol="h2"):
    """The exchange; one that is refused has ended."""
    exchange = gateway.client(protocol).subscribe(*topics, headers=list(headers), query=query)
    return exchange if exchange.status == 200 else exchange.wait_end()


def refusal(exchange):
    assert exchange.status >= 400, exchange.status
    assert "x-sse-connection-id" not in exchange.headers
    return exchange.status, exchange.json()["error"]["code"]


def publish(gateway, topic, text, query="", headers=()):
    return gateway.h2().request("POST", f"/v1/publish{query}",
                                [*(bearer(text) if text else ()), ("x-sse-topic", topic), ("x-sse-id", "1"), *headers], "x")


# --- who may follow what

def test_tokens__public_topics_stay_anonymous(shared, protocol):
    stream = follow(shared, "prices", protocol=protocol)
    assert stream.status == 200
    # No token is looked at, so a wrong one does no harm.
    assert follow(shared, "prices", headers=bearer("nonsense"), protocol=protocol).status == 200


@pytest.mark.parametrize("topics", [("orders.eu",), ("one",), ("orders.",), ("prices", "orders.eu")])
def test_tokens__private_topic_needs_one(shared, protocol, topics):
    exchange = follow(shared, *topics, protocol=protocol)
    assert refusal(exchange) == (401, "token_required")
    assert exchange.headers["www-authenticate"] == "Bearer"


def test_tokens__fitting_token_opens_the_stream(shared, protocol):
    stream = follow(shared, "orders.eu", "prices", headers=bearer(token(["orders.eu"])), protocol=protocol)
    shared.deliver("orders.eu", "x")
    assert stream.wait_events(1)[0].data == "x"


def test_tokens__topic_that_is_not_granted_is_named(shared, protocol):
    exchange = follow(shared, "orders.eu", "orders.us", headers=bearer(token(["orders.eu", "other"])), protocol=protocol)
    assert refusal(exchange) == (403, "topic_forbidden")
    assert '"orders.us"' in exchange.json()["error"]["message"]
    assert exchange.headers["www-authenticate"] == 'Bearer error="insufficient_scope"'


def test_tokens__grants_of_publishers_open_no_stream(shared):
    assert refusal(follow(shared, "one", headers=bearer(token(publish=["*"])))) == (403, "topic_forbidden")


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_tokens__head_is_refused_as_get(shared, method):
    for headers, status in (([], 401), (bearer(token(["x"])), 403)):
        exchange = shared.h2().request(method, "/v1/stream", [("x-sse-topic", "one"), *headers])
        assert exchange.status == status


# --- where a token comes from

def test_tokens__header_query_and_cookie_carry_one(shared, protocol):
    good, bad = token(["one"]), token(["none"])
    for headers, query in ((bearer(good), ""), ([], f"?access_token={good}"), ([("cookie", f"a=b; tideway_token={good}")], ""),
                           (bearer(good), f"?access_token={bad}"), ([("cookie", f"tideway_token={bad}")], f"?access_token={good}"),
                           ([("authorization", "Basic dTpw")], f"?access_token={good}"),
                           ([("cookie", f"tideway_token={good}")], "?access_token=")):
        assert follow(shared, "one", headers=headers, query=query, protocol=protocol).status == 200, (headers, query)
    for headers, query in ((bearer(bad), f"?access_token={good}"), ([("cookie", f"tideway_token={good}")], f"?access_token={bad}"),
                           (bearer(bad) + [("cookie", f"tideway_token={good}")], "")):
        assert refusal(follow(shared, "one", headers=headers, query=query, protocol=protocol)) == (403, "topic_forbidden")
    for cookie in (f"xtideway_token={good}", f"tideway_token2={good}", f"tideway_token {good}", "tideway_token="):
        assert refusal(follow(shared, "one", headers=[("cookie", cookie)], protocol=protocol))[1] == "token_required"


def test_tokens__cookie_may_be_split_and_have_another_name(start_gateway, tmp_path):
    gateway = start(start_gateway, tmp_path / "keys", SECRET, token_cookie="__Host-t")
    cookies = [("cookie", "a=b"), ("cookie", f"__Host-t={token(['one'])}")]
    assert follow(gateway, "one", headers=cookies).status == 200


# --- which tokens count

@pytest.mark.parametrize("algorithm", ["HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512",
                                       "ES256", "ES384"])
def test_tokens__each_algorithm_is_that_of_its_key(each_algorithm, algorithm):
    gateway, keys = each_algorithm
    text = token(["one"], key=keys[algorithm], algorithm=algorithm, header={"kid": algorithm})
    assert follow(gateway, "one", headers=bearer(text)).status == 200
    # The same key with another algorithm: the token does not choose.
    other = {"HS256": "HS512", "RS256": "PS256", "PS256": "RS256"}.get(algorithm)
    if other:
        text = token(["one"], key=keys[algorithm], algorithm=other, header={"kid": algorithm})
        assert refusal(follow(gateway, "one", headers=bearer(text))) == (401, "token_invalid")


@pytest.fixture(scope="module")
def each_algorithm(tmp_path_factory):
    """A gateway with a key for each algorithm, and the keys."""
    names = [f"{family}{bits}" for family in ("HS", "RS", "PS") for bits in (256, 384, 512)] + ["ES256", "ES384"]
    keys = {name: key_for(name) for name in names}
    path = tmp_path_factory.mktemp("keys") / "jwks.json"
    path.write_text(jwk_set(*(jwk(key, name, kid=name) for name, key in keys.items())))
    gateway = Gateway(private_topics=PRIVATE, token_keys=path, max_auth_failures=0).wait_ready()
    yield gateway, keys
    gateway.stop()


GOOD = {"exp": 4102444800, "tideway": {"subscribe": ["one"]}}
HS256 = {"alg": "HS256"}
MISTAKES = {
    "none": ({"alg": "none"}, GOOD, 401, "token_invalid"),
    "wrong algorithm": ({"alg": "RS256"}, GOOD, 401, "token_invalid"),
    "no algorithm": ({"typ": "JWT"}, GOOD, 401, "token_invalid"),
    "crit": ({**HS256, "crit": ["exp"]}, GOOD, 401, "token_invalid"),
    "duplicate header": ('{"alg":"none","alg":"HS256"}', GOOD, 401, "token_invalid"),
    "no expiry": (HS256, {"tideway": {"subscribe": ["one"]}}, 401, "token_invalid"),
    "expiry as text": (HS256, {**GOOD, "exp": "4102444800"}, 401, "token_invalid"),
    "expired": (HS256, {**GOOD, "exp": 1000}, 401, "token_expired"),
    "not yet": (HS256, {**GOOD, "nbf": 4102444000}, 401, "token_invalid"),
    "duplicate claims": (HS256, '{"exp":4102444800,"tideway":{"subscribe":["x"]},"tideway":{"subscribe":["one"]}}',
                         401, "token_invalid"),
    "deep": (HS256, json.dumps(GOOD)[:-1] + ',"x":' + "[" * 500 + "]" * 500 + "}", 401, "token_invalid"),
    "not an object": (HS256, "[]", 401, "token_invalid"),
    "huge": (HS256, {**GOOD, "x": "x" * 4000}, 400, "token_too_large"),
    "65 patterns": (HS256, {**GOOD, "tideway": {"subscribe": ["one"] * 65}}, 400, "token_too_large"),
}


@pytest.mark.parametrize("header, payload, status, code", MISTAKES.values(), ids=MISTAKES.keys())
def test_tokens__mistakes_are_refused(shared, header, payload, status, code):
    text = raw_token(header, payload)
    assert refusal(follow(shared, "one", headers=bearer(text))) == (status, code)
    assert refusal(follow(shared, "one", query=f"?access_token={text}")) == (status, code)
    assert refusal(publish(shared, "one", text)) == (status, code)


@pytest.mark.parametrize("header", [{**HS256, "jku": "https://evil.example/keys"}, {**HS256, "x5u": "https://evil.example/c"},
                                    {**HS256, "jwk": {"kty": "oct", "k": "AAAA"}}, {**HS256, "kid": "../../etc/passwd"}])
def test_tokens__what_a_header_recommends_is_ignored(shared, header):
    assert follow(shared, "one", headers=bearer(raw_token(header, GOOD))).status == 200
    text = raw_token(header, GOOD, secret="the secret of somebody else, who has one, too")
    assert refusal(follow(shared, "one", headers=bearer(text))) == (401, "token_invalid")


@pytest.mark.parametrize("text", ["x", "a.b.c", "...", "eyJhbGciOiJub25lIn0.eyJleHAiOjQxMDI0NDQ4MDB9."])
def test_tokens__what_is_none_is_refused(shared, text):
    assert refusal(follow(shared, "one", headers=bearer(text))) == (401, "token_invalid")


@pytest.mark.parametrize("make", [rsa_key, ec_key])
def test_tokens__public_key_is_no_secret(start_gateway, tmp_path, make):
    """RFC 8725 section 2.1: everybody has the public key."""
    key = make()
    algorithm = "RS256" if make is rsa_key else "ES256"
    gateway = start(start_gateway, tmp_path / "keys", pem(key))
    assert follow(gateway, "one", headers=bearer(token(["one"], key=key, algorithm=algorithm))).status == 200
    for secret in (pem(key), pem(key).strip()):
        assert refusal(follow(gateway, "one", headers=bearer(raw_token(HS256, GOOD, secret)))) == (401, "token_invalid")


def test_tokens__issuer_and_audience_are_asked_for(start_gateway, tmp_path):
    gateway = start(start_gateway, tmp_path / "keys", SECRET, token_issuer="me", token_audience="tideway")
    for right in ({"iss": "me", "aud": "tideway"}, {"iss": "me", "aud": ["x", "tideway"]}):
        assert follow(gateway, "one", headers=bearer(token(["one"], **right))).status == 200
    for wrong in ({}, {"iss": "me"}, {"iss": "me", "aud": "other"}, {"iss": "you", "aud": "tideway"}):
        assert refusal(follow(gateway, "one", headers=bearer(token(["one"], **wrong)))) == (401, "token_invalid")


def test_tokens__leeway_bridges_clocks_that_differ(start_gateway, tmp_path):
    gateway = start(start_gateway, tmp_path / "keys", SECRET, token_leeway_s=100)
    now = int(time.time())
    assert follow(gateway, "one", headers=bearer(token(["one"], ttl_s=-50, nbf=now + 50))).status == 200
    assert refusal(follow(gateway, "one", headers=bearer(token(["one"], ttl_s=-150))))[1] == "token_expired"
    assert refusal(follow(gateway, "one", headers=bearer(token(["one"], nbf=now + 150))))[1] == "token_invalid"


def test_tokens__mercure_claim_is_taken(shared):
    text = token(mercure={"subscribe": ["one"], "publish": ["*"]})
    assert follow(shared, "one", headers=bearer(text)).status == 200
    assert refusal(follow(shared, "orders.eu", headers=bearer(text)))[1] == "topic_forbidden"
    assert publish(shared, "anything", text).status == 202


# --- publishes

def test_tokens__publisher_may_publish_what_its_token_grants(shared):
    text = token(publish=["orders.*", "prices"])
    stream = follow(shared, "orders.p", headers=bearer(token(["orders.p"])))
    answer = publish(shared, "orders.p", text)
    assert (answer.status, answer.json()["status"], answer.json()["delivered"]) == (202, "accepted", 1)
    assert stream.wait_events(1)
    assert publish(shared, "prices", text).status == 202
    assert publish(shared, "prices", None, query=f"?access_token={text}").status == 202
    answer = publish(shared, "prices,other", text)
    assert refusal(answer) == (403, "topic_forbidden")
    assert '"other"' in answer.json()["error"]["message"]


def test_tokens__followers_may_not_publish(shared):
    assert refusal(publish(shared, "one", token(["*"]))) == (403, "topic_forbidden")


def test_tokens__publish_takes_none_from_a_cookie(shared):
    """Browsers send it with requests that other sites have caused."""
    cookie = [("cookie", f"tideway_token={token(publish=['*'])}")]
    assert refusal(publish(shared, "one", None, headers=cookie)) == (401, "unauthorized")


def test_tokens__keys_publish_everything(shared):
    assert publish(shared, "one", shared.key).status == 202
    assert publish(shared, "prices", shared.key).status == 202
    # A key opens no private stream: whoever publishes need not follow.
    assert refusal(follow(shared, "one", headers=bearer(shared.key))) == (401, "token_invalid")


def test_tokens__without_token_keys_there_are_none(start_gateway):
    gateway = start_gateway()
    assert follow(gateway, "one", headers=bearer("nonsense")).status == 200
    assert refusal(publish(gateway, "one", token(publish=["*"]))) == (401, "unauthorized")
    assert refusal(publish(gateway, "one", None, query=f"?access_token={token(publish=['*'])}")) == (401, "unauthorized")


def test_tokens__publish_rate_counts_each_subject(start_gateway, tmp_path):
    gateway = start(start_gateway, tmp_path / "keys", SECRET, publish_rate=1, publish_burst=2)
    first, again = (token(publish=["*"], sub="first", jti=jti) for jti in "12")
    other = token(publish=["*"], sub="other")
    assert [publish(gateway, "a", text).status for text in (first, again, first)] == [202, 202, 429]
    assert publish(gateway, "a", other).status == 202
    assert gateway.publish("a").status == 202


# --- all routes

ADMIN = [("GET", "/v1/admin/topics"), ("GET", "/v1/admin/topics/one/tail"), ("GET", "/v1/admin/topics/one/tail/stream"),
         ("GET", "/v1/admin/tail?topic=one"), ("DELETE", "/v1/admin/tail?topic=one"), ("GET", "/v1/admin/tail/stream?topic=one"),
         ("GET", "/v1/admin/connections"), ("DELETE", "/v1/admin/connections/x"), ("GET", "/v1/admin/nodes"),
         ("GET", "/v1/admin/stats")]


@pytest.mark.parametrize("method, path", ADMIN)
def test_tokens__admin_routes_take_keys_only(shared, method, path):
    text = token(["*"], ["*"], sub="x")
    joint = "&" if "?" in path else "?"
    for headers, query in ((bearer(text), ""), ([], f"{joint}access_token={text}"),
                           ([("cookie", f"tideway_token={text}")], "")):
        assert refusal(shared.h2().request(method, path + query, headers)) == (401, "unauthorized")


def test_tokens__refusals_do_not_tell_whether_a_topic_exists(either):
    """A topic with a follower and kept events, and one that never was: the answers are the same, byte by byte."""
    stream = follow(either, "orders.known", headers=bearer(token(["orders.known"])))
    either.deliver("orders.known", "secret")
    assert stream.wait_events(1)
    wrong, other, late = "a.b.c", token(["x"], ["x"]), token(["orders.*"], ["*"], ttl_s=-1000)

    def answers(topic):
        found = []
        for headers in ([], bearer(wrong), bearer(other), bearer(late)):
            for more in ([], [("last-event-id", "1")]):
                found.append(follow(either, topic, headers=[*headers, *more]))
            found.append(either.h2().request("HEAD", "/v1/stream", [("x-sse-topic", topic), *headers]))
            found.append(either.h2().request("POST", "/v1/publish",
                                             [("x-sse-topic", topic), ("x-sse-id", "1"), *headers], "x"))
        return [(answer.status, sorted((name, value) for name, value in answer.headers.items() if name != "date"),
                 bytes(answer.body).replace(topic.encode(), b"")) for answer in found]

    assert answers("orders.known") == answers("orders.never")
    assert all(status >= 400 for status, _, _ in answers("orders.known"))


def test_tokens__resume_goes_through_the_same_check(either):
    good, other = token(["orders.r"]), token(["orders.x"])
    stream = follow(either, "orders.r", headers=bearer(good))
    either.deliver("orders.r", "first", id="r1")
    stream.wait_events(1)
    either.deliver("orders.r", "second", id="r2")
    resumed = follow(either, "orders.r", headers=[*bearer(good), ("last-event-id", "r1")])
    assert resumed.wait_events(1)[0].data == "second"
    for headers, code in (([], "token_required"), (bearer(other), "topic_forbidden")):
        exchange = follow(either, "orders.r", headers=[*headers, ("last-event-id", "r1")])
        assert refusal(exchange)[1] == code
        assert b"second" not in exchange.body


def test_tokens__private_events_reach_nobody_else(either):
    """Over every route that could deliver, list, resume, tail or confirm: only whoever may sees the event."""
    secret, mine, other = "only-for-followers-of-m", token(["orders.m"]), token(["orders.n", "x"], ["orders.n"], sub="o")
    good = follow(either, "orders.m", "prices", headers=bearer(mine))
    beside = follow(either, "orders.n", "prices", headers=bearer(other))
    anonymous = follow(either, "prices")
    assert either.deliver("orders.m", secret, id="m1") == 1
    assert good.wait_events(1)[0].data == secret
    stolen = good.events[0].id or "m1"
    seen = []
    for headers in ([], bearer(other), bearer("a.b.c")):
        for resume in ([], [("last-event-id", stolen)], [("last-event-id", "m0")]):
            seen.append(follow(either, "prices", "orders.m", headers=[*headers, *resume]))
        for method, path in [*ADMIN, ("GET", "/v1/admin/topics?prefix=orders"), ("GET", "/v1/admin/connections?topic=orders.m"),
                             ("GET", "/v1/admin/tail?topic=orders.m"), ("GET", "/v1/admin/tail/stream?topic=orders.m")]:
            seen.append(either.h2().request(method, path, headers))
        seen.append(either.h2().request("POST", "/v1/publish", [("x-sse-topic", "orders.m"), ("x-sse-id", "1"), *headers], "x"))
    for exchange in seen:
        assert exchange.status in (401, 403)
        assert secret.encode() not in exchange.body and b"delivered" not in exchange.body and b"dropped" not in exchange.body
    either.deliver("prices", "for all")
    for stream, data in ((good, [secret, "for all"]), (beside, ["for all"]), (anonymous, ["for all"])):
        stream.wait_events(len(data))
        assert stream.data() == data


def test_tokens__stream_ends_when_its_token_expires(either):
    stream = follow(either, "one", headers=bearer(token(["one"], ttl_s=2, sub="brief")))
    assert stream.status == 200
    either.wait_log(message="stream closed", connectionId=stream.connection_id, reason="token_expired")
    stream.wait_end()
    assert either.metrics()['tideway_streams_closed_total{reason="token_expired"}'] >= 1


# --- keys

def test_tokens__keys_rotate_while_streams_stay(start_gateway, tmp_path):
    path = tmp_path / "jwks.json"
    old, new = ec_key(), ec_key()
    files = [jwk_set(jwk(old, "ES256", "old")), jwk_set(jwk(old, "ES256", "old"), jwk(new, "ES256", "new")),
             jwk_set(jwk(new, "ES256", "new"))]
    gateway = start(start_gateway, path, files[0], max_auth_failures=0)
    tokens = {name: token(["*"], key=key, algorithm="ES256", header={"kid": name}) for name, key in (("old", old), ("new", new))}

    def works(name):
        return follow(gateway, "one", headers=bearer(tokens[name])).status == 200

    client = gateway.h2()
    streams = [client.start("GET", f"/v1/stream?topic=one&access_token={tokens['old']}") for _ in range(1000)]
    for stream in streams:
        assert stream.wait_response().status == 200
    assert not works("new")
    path.write_text(files[1])
    gateway.signal(signal.SIGHUP)
    wait_until(lambda: works("new"), "the new key to count")
    assert works("old")
    path.with_suffix(".next").write_text(files[2])
    os.replace(path.with_suffix(".next"), path)  # noticed without a signal
    wait_until(lambda: not works("old"), "the old key to be gone")
    assert works("new")
    assert gateway.deliver("one", "after") >= len(streams)
    for stream in streams:
        assert stream.wait_events(1)[0].data == "after" and not stream.ended
    path.write_text("too short")
    gateway.signal(signal.SIGHUP)
    gateway.wait_log(level="error", message="token keys not reloaded: the old ones stay in use", file=str(path))
    assert works("new")


@pytest.mark.parametrize("text, reason", [(None, "No such file"), ("", "empty"), ("short", "shorter than 32 bytes"),
                                          ('{"keys":[]}', "no key"), ('{"keys":[{"kty":"oct","k":"YWJj"}]}', "too weak")])
def test_tokens__start_with_bad_keys_is_refused(start_gateway, tmp_path, text, reason):
    path = tmp_path / "keys"
    if text is not None:
        path.write_text(text)
    gateway = start_gateway(ready=False, private_topics="*", token_keys=path)
    assert gateway.wait_exit() == 1
    assert "TIDEWAY_TOKEN_KEYS" in gateway.text() and reason in gateway.text()


def test_tokens__private_topics_without_keys_are_refused(start_gateway):
    gateway = start_gateway(ready=False, private_topics="*")
    assert gateway.wait_exit() == 64
    assert "TIDEWAY_PRIVATE_TOPICS" in gateway.text() and "TIDEWAY_TOKEN_KEYS" in gateway.text()


@pytest.mark.parametrize("name, value", [("TIDEWAY_PRIVATE_TOPICS", "a,b c"), ("TIDEWAY_TOKEN_COOKIE", "a=b"),
                                         ("TIDEWAY_TOKEN_LEEWAY_S", "3601")])
def test_tokens__bad_options_are_refused(start_gateway, name, value):
    gateway = start_gateway(ready=False, environment={name: value})
    assert gateway.wait_exit() == 64
    assert name in gateway.text()


# --- limits, counters, log

def test_tokens__wrong_ones_count_as_wrong_keys_do(start_gateway, tmp_path):
    gateway = start(start_gateway, tmp_path / "keys", SECRET, max_auth_failures=3)
    late, missing = token(["one"], ttl_s=-1000), follow(gateway, "one")
    assert refusal(missing)[1] == "token_required"
    for _ in range(5):  # signed, and so no guess
        assert refusal(follow(gateway, "one", headers=bearer(late)))[1] == "token_expired"
    codes = [refusal(follow(gateway, "one", headers=bearer(f"a.b.{i}c")))[1] for i in range(4)]
    assert codes == ["token_invalid"] * 3 + ["too_many_failures"]
    assert refusal(publish(gateway, "one", "wrong-key"))[1] == "too_many_failures"
    # A right one is never refused because of them.
    assert follow(gateway, "one", headers=bearer(token(["one"]))).status == 200
    assert publish(gateway, "one", token(publish=["one"])).status == 202


def test_tokens__are_counted_by_result_and_never_logged(start_gateway, tmp_path):
    gateway = start(start_gateway, tmp_path / "keys", SECRET, workers=1)
    good, other = token(["one"], ["p"], sub="ada"), token(["x"])
    late, huge, wrong = token(["one"], ttl_s=-1000), "a.b." + "c" * 4096, f"aa.bb.{'c' * 43}"
    follow(gateway, "one", query=f"?access_token={good}")
    follow(gateway, "one", headers=bearer(good))
    publish(gateway, "p", good)
    publish(gateway, "q", good)
    follow(gateway, "one")
    for text in (other, late, huge, wrong):
        follow(gateway, "one", query=f"?access_token={text}")
        gateway.h2().request("GET", f"/nowhere/{text}?access_token={text}")
    samples = gateway.metrics()
    counted = {result: samples[f'tideway_tokens_total{{result="{result}"}}'] for result in
               ("verified", "cached", "missing", "invalid", "expired", "revoked", "too_large", "forbidden")}
    assert counted == {"verified": 2, "cached": 3, "missing": 1, "invalid": 1, "expired": 1, "revoked": 0, "too_large": 1,
                       "forbidden": 2}
    gateway.wait_log(message="publish dropped: its topics have no subscribers", subject="ada")
    gateway.wait_log(message="stream opened", subject="ada")
    gateway.stop()
    for text in (good, other, late, wrong, SECRET):
        assert text not in gateway.text()
        assert text.split(".")[-1] not in gateway.text()


# --- the command that makes one

def command(*arguments):
    return subprocess.run([BINARY, "token", *map(str, arguments)], capture_output=True, text=True, timeout=20, check=False)


def test_tokens__command_makes_one(shared, tmp_path):
    path = tmp_path / "secret"
    path.write_text(SECRET + "\n")
    made = command("--subject", "ada", "--subscribe=orders.*,one", "--publish", "prices", "--ttl", 60, "--secret-file", path,
                   "--issuer", "me", "--audience", "you")
    assert made.returncode == 0 and made.stderr == ""
    text = made.stdout.strip()
    read = jwt.decode(text, SECRET, algorithms=["HS256"], issuer="me", audience="you")
    assert read["exp"] - read["iat"] == 60 and read["sub"] == "ada"
    assert read["tideway"] == {"subscribe": ["orders.*", "one"], "publish": ["prices"]}
    assert follow(shared, "one", headers=bearer(text)).status == 200
    assert publish(shared, "prices", text).status == 202


def test_tokens__command_says_what_is_wrong(tmp_path):
    secret, short, keys = (tmp_path / name for name in ("secret", "short", "keys"))
    secret.write_text(SECRET)
    short.write_text("short")
    keys.write_text('{"keys":[]}')
    for arguments, reason in (((), "--secret-file is missing"), (("--secret-file", tmp_path / "none"), "No such file"),
                              (("--secret-file", short), "shorter than 32 bytes"), (("--secret-file", keys), "shared secret is needed"),
                              (("--secret-file", secret, "--ttl", "1h"), "--ttl"), (("--secret-file", secret, "--ttl", "0"), "--ttl"),
                              (("--secret-file", secret, "--subscribe", "a b"), "prefixes that end with *"),
                              (("--secret-file", secret, "--subject", "x" * 257), "at most 256"),
                              (("--secret-file", secret, "--publish", ",".join(["p" * 255] * 20)), "at most 4096"),
                              (("--who",), "unknown option"), (("--subject",), "no value")):
        made = command(*arguments)
        assert (made.returncode, made.stdout) == (64, ""), arguments
        assert reason in made.stderr and len(made.stderr.splitlines()) == 1
    assert "--subscribe" in command("--help").stdout
