"""Streams that may be opened later, or elsewhere: an EventSource that gets another status than 200 never comes back."""

import json
import signal

import pytest

from lib.redis_server import Redis
from lib.waiting import wait_until

REFUSED_STREAM = 7  # RFC 9113 section 7
RETRY_MS = 2000


def ask(client):
    return client.start("GET", "/v1/stream", [("x-sse-topic", "news"), ("last-event-id", "x-1")])


def assert_retry(exchange, code, least=RETRY_MS, most=2 * RETRY_MS):
    exchange.wait_end()
    assert exchange.status == 200 and exchange.headers["content-type"] == "text/event-stream"
    event, = exchange.events
    data = json.loads(event.data)
    # Without an id: what the client has seen last stays what it comes back with.
    assert (event.event, event.id, data["code"]) == ("tideway.retry", "", code)
    assert least <= data["retryMs"] <= most and exchange.stream.retry_ms == data["retryMs"]
    assert int(exchange.headers["retry-after"]) == -(-data["retryMs"] // 1000)
    return data["retryMs"]


def test_refusal__over_capacity_says_when_to_come_back(start_gateway, protocol):
    gateway = start_gateway(max_streams_per_ip=1, retry_ms=RETRY_MS)
    kept = gateway.client(protocol).subscribe("news")
    delays = {assert_retry(ask(gateway.client(protocol)), "over_capacity") for _ in range(8)}
    assert len(delays) > 2  # not all at the same time
    assert gateway.metrics()["tideway_streams_refused_total"] == 8
    assert gateway.metrics()["tideway_streams"] == 1
    kept.close()
    wait_until(lambda: gateway.metrics()["tideway_streams"] == 0, "the stream to go")
    assert "x-sse-connection-id" in ask(gateway.client(protocol)).wait_response().headers


def test_refusal__of_the_node_is_the_same(start_gateway, protocol):
    gateway = start_gateway(max_streams=1, retry_ms=RETRY_MS)
    gateway.client(protocol).subscribe("news")
    assert_retry(ask(gateway.client(protocol)), "over_capacity")


def test_refusal__without_redis(start_gateway, protocol):
    redis = Redis()
    try:
        gateway = start_gateway(runtime="redis", redis_url=redis.url, retry_ms=RETRY_MS)
        redis.kill()
        wait_until(lambda: gateway.ops("/readyz")[0] == 503, "the gateway to notice")
        assert_retry(ask(gateway.client(protocol)), "runtime_unavailable")
    finally:
        redis.close()


def test_refusal__that_stays_is_a_status(start_gateway, protocol):
    gateway = start_gateway()
    assert gateway.client(protocol).request("GET", "/v1/stream").status == 400


def test_refusal__by_status_if_asked_for(start_gateway, protocol):
    gateway = start_gateway(max_streams=1, stream_refusal="status")
    gateway.client(protocol).subscribe("news")
    refused = ask(gateway.client(protocol)).wait_end()
    assert (refused.status, refused.json()["error"]["code"]) == (503, "over_capacity")
    assert int(refused.headers["retry-after"]) > 0


# While the gateway drains

def begin_drain(gateway, kept):
    """Until the doors are shut; the client that is given has a stream."""
    gateway.signal(signal.SIGTERM)
    kept.client.wait(lambda: kept.client.goaway is not None, "GOAWAY")


def test_drain__streams_are_taken_until_the_doors_are_shut(start_gateway, protocol):
    gateway = start_gateway(drain_ms=20000)  # unready for a second before
    client = gateway.client(protocol)
    gateway.signal(signal.SIGTERM)
    wait_until(lambda: gateway.ops("/readyz")[0] == 503, "the drain to begin")
    exchange = ask(client).wait_response()
    assert exchange.status == 200 and exchange.connection_id
    gateway.signal(signal.SIGTERM)
    gateway.stop(expected_code=gateway.process.wait(10))


def test_drain__http2_refuses_streams_behind_goaway(start_gateway):
    gateway = start_gateway(drain_ms=5000)
    client = gateway.h2()
    kept = [client.subscribe("other") for _ in range(50)][-1]  # closed one by one
    begin_drain(gateway, kept)
    exchanges = [ask(client) for _ in range(20)]
    for exchange in exchanges:
        exchange.wait_end()
        assert (exchange.status, exchange.reset) == (None, REFUSED_STREAM)


def test_drain__http11_says_when_and_ends_the_connection(start_gateway):
    gateway = start_gateway(drain_ms=5000)
    client, kept = gateway.h1(), gateway.h2().subscribe("other")
    assert "close" not in client.request("GET", "/healthz").headers.get("connection", "")
    begin_drain(gateway, kept)
    exchange = ask(client)
    assert_retry(exchange, "draining", 100, 5100)
    assert exchange.headers["connection"] == "close"
    client.wait_closed()


def test_drain__every_answer_ends_its_connection(start_gateway):
    gateway = start_gateway(drain_ms=20000)
    client = gateway.h1()
    assert client.request("GET", "/healthz").status == 200
    gateway.signal(signal.SIGTERM)
    wait_until(lambda: gateway.ops("/readyz")[0] == 503, "the drain to begin")
    assert client.request("GET", "/healthz").headers["connection"] == "close"
    gateway.signal(signal.SIGTERM)
    gateway.stop(expected_code=gateway.process.wait(10))


def test_drain__by_status_if_asked_for(start_gateway, protocol):
    gateway = start_gateway(drain_ms=5000, stream_refusal="status")
    client, kept = gateway.client(protocol), gateway.h2().subscribe("other")
    assert client.request("GET", "/healthz").status == 200
    begin_drain(gateway, kept)
    refused = ask(client).wait_end()
    assert (refused.status, refused.json()["error"]["code"]) == (503, "draining")


@pytest.mark.parametrize("word", ["Retry", "503"])
def test_refusal__other_words_end_the_start(start_gateway, word):
    gateway = start_gateway(ready=False, stream_refusal=word)
    assert gateway.wait_exit() == 64
    assert "TIDEWAY_STREAM_REFUSAL" in gateway.text()
