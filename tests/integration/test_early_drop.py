"""A publish that nobody would get is answered before its body, which is thrown away unread."""

import pytest

DROPPED = {"status": "dropped", "id": "7", "droppedTopics": ["a", "b"]}


def begin(gateway, client, topics="a,b", **options):
    """Starts a publish whose body never ends."""
    return client.start("POST", "/v1/publish", [
        gateway.auth(), ("x-sse-topic", topics), ("x-sse-id", "7")], end=False, **options)


def test_early_drop__is_answered_while_the_body_is_open(gateway, protocol):
    exchange = begin(gateway, gateway.client(protocol)).wait_body()
    assert (exchange.status, exchange.json()) == (202, DROPPED)


def test_early_drop__is_answered_when_a_part_of_the_body_has_come(gateway, protocol):
    exchange = begin(gateway, gateway.client(protocol), body="the beginning").wait_body()
    assert exchange.json() == DROPPED


def test_early_drop__is_answered_within_an_announced_length(gateway):
    exchange = gateway.h1().start("POST", "/v1/publish", [
        gateway.auth(), ("x-sse-topic", "a,b"), ("x-sse-id", "7"), ("content-length", "1000")],
        framing=False).wait_body()
    assert exchange.json() == DROPPED


def test_early_drop__is_logged_with_topic_and_id(gateway, protocol):
    begin(gateway, gateway.client(protocol)).wait_body()
    line = gateway.wait_log(id="7")
    assert line["topic"] in ("a", "a,b")


def test_early_drop__body_that_still_comes_is_no_error(gateway):
    client = gateway.h2()
    exchange = begin(gateway, client).wait_body()
    for _ in range(12):
        client.send_body(exchange, b"x" * 65536, end=False)
    client.send_body(exchange, b"", end=True)
    exchange.wait_end()
    assert exchange.reset in (None, 0)  # NO_ERROR at most
    assert exchange.json() == DROPPED
    assert client.goaway is None
    assert client.request("GET", "/healthz").status == 200


def test_early_drop__body_that_ends_keeps_the_connection_on_h1(gateway):
    client = gateway.h1()
    exchange = begin(gateway, client).wait_body()
    client.send_body(exchange, "x" * 100000)
    exchange.wait_end()
    assert exchange.json() == DROPPED
    answer = client.request("GET", "/healthz")
    assert answer.status == 200


def test_early_drop__endless_body_is_cut_off(gateway):
    client = gateway.h2()
    exchange = begin(gateway, client).wait_body()
    exchange.wait_end(timeout=10)
    client.wait(lambda: exchange.reset is not None, "RST_STREAM", timeout=10)
    assert exchange.reset == 0  # NO_ERROR: the answer holds
    assert client.request("GET", "/healthz").status == 200


def test_early_drop__endless_body_closes_the_connection_on_h1(gateway):
    client = gateway.h1()
    begin(gateway, client).wait_body()
    client.wait_closed(timeout=15)


def test_early_drop__length_over_the_limit_is_dropped_not_refused(start_gateway, protocol):
    gateway = start_gateway(max_payload_bytes=1024)
    answer = gateway.publish("a,b", "x" * 5000, id="7", client=gateway.client(protocol))
    assert (answer.status, answer.json()) == (202, DROPPED)


def test_early_drop__one_followed_topic_is_enough_to_read_the_body(gateway, protocol):
    stream = gateway.client(protocol).subscribe("b")
    client = gateway.client(protocol)
    exchange = begin(gateway, client, body="first ")
    client.send_body(exchange, "second")
    assert exchange.wait_end().json() == {"status": "accepted", "id": "7", "delivered": 1,
                                          "droppedTopics": ["a"]}
    assert stream.wait_events(1)[0].data == "first second"


@pytest.mark.parametrize("headers, status, code", [
    ([], 401, "unauthorized"),
    ([("authorization", "Bearer test-key")], 400, "missing_topic"),
    ([("authorization", "Bearer test-key"), ("x-sse-topic", "a")], 400, "missing_id"),
    ([("authorization", "Bearer test-key"), ("x-sse-topic", "a b"), ("x-sse-id", "1")], 400,
     "invalid_topic"),
])
def test_early_drop__bad_requests_are_answered_before_their_body(gateway, protocol, headers, status,
                                                                  code):
    exchange = gateway.client(protocol).start("POST", "/v1/publish", headers, end=False).wait_body()
    assert (exchange.status, exchange.json()["error"]["code"]) == (status, code)


def test_early_drop__many_on_one_connection(gateway):
    client = gateway.h2()
    exchanges = [begin(gateway, client, body="x" * 1000) for _ in range(50)]
    for exchange in exchanges:
        assert exchange.wait_body().json() == DROPPED
        exchange.close()
    assert client.request("GET", "/healthz").status == 200
