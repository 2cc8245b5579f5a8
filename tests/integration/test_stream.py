"""GET /v1/stream: how a stream begins, lives and ends."""

import pytest

from lib.swarm import Swarm
from lib.waiting import wait_until



def rows(gateway):
    return {row["connectionId"]: row for row in gateway.admin("/connections")["data"]}


def test_stream__begins_with_headers_retry_and_a_comment(gateway, protocol):
    client = gateway.client(protocol)
    stream = client.subscribe("news")
    assert stream.status == 200
    assert stream.headers["content-type"] == "text/event-stream"
    assert stream.headers["cache-control"] == "no-store, no-transform"
    assert stream.headers["x-accel-buffering"] == "no"
    assert stream.connection_id
    client.wait(lambda: stream.stream.comments, "the opening comment")
    assert stream.stream.retry_ms == 3000
    assert stream.events == []


def test_stream__head_gets_the_headers_and_registers_nothing(gateway, protocol):
    client = gateway.client(protocol)
    response = client.request("HEAD", "/v1/stream", [("x-sse-topic", "news")])
    assert (response.status, response.body) == (200, b"")
    assert response.headers["content-type"] == "text/event-stream"
    assert response.headers["cache-control"] == "no-store, no-transform"
    assert "content-length" not in response.headers
    assert "x-sse-connection-id" not in response.headers
    assert rows(gateway) == {}
    assert gateway.metrics()["tideway_streams"] == 0
    tail = "/v1/admin/topics/news/tail/stream"
    assert client.request("HEAD", tail, [gateway.auth()]).status == 200
    assert client.request("HEAD", tail).status == 401
    assert client.request("HEAD", "/v1/stream").status == 400
    assert client.request("GET", "/healthz").status == 200  # the connection goes on


def test_stream__retry_is_an_option(start_gateway):
    client = start_gateway(retry_ms=4321).h2()
    stream = client.subscribe("news")
    client.wait(lambda: stream.stream.retry_ms == 4321, "retry")


def test_stream__heartbeats_come_while_it_is_silent(start_gateway, protocol):
    client = start_gateway(heartbeat_ms=1000).client(protocol)
    stream = client.subscribe("news")
    client.wait(lambda: stream.stream.comments, "the opening comment")
    opening = len(stream.stream.comments)
    client.wait(lambda: len(stream.stream.comments) >= opening + 2, "two heartbeats")
    assert stream.events == []


@pytest.mark.parametrize("query", [
    "?topic=a,b&topic=c", "?topic=c&topic=b&topic=a", "?topic=%61,b&topic=c",
    "?topic=a&topic=b,,c,&other=d", "?topic=a%2Cb%2C+c",
])
def test_stream__topics_may_come_from_the_query(gateway, protocol, query):
    stream = gateway.client(protocol).subscribe(query=query)
    assert stream.status == 200
    assert sorted(rows(gateway)[stream.connection_id]["topics"]) == ["a", "b", "c"]


def test_stream__topics_of_header_and_query_are_united(gateway, protocol):
    stream = gateway.client(protocol).subscribe("b, a,,b ,", query="?topic=c,a")
    row = rows(gateway)[stream.connection_id]
    assert sorted(row["topics"]) == ["a", "b", "c"]


def test_stream__topic_names_may_be_any_printable_ascii(gateway, protocol):
    name = "".join(chr(c) for c in range(0x21, 0x7f) if chr(c) != ",")
    client = gateway.client(protocol)
    stream = client.subscribe(name)
    assert gateway.deliver(name, "hello") == 1
    assert stream.wait_events(1)[0].data == "hello"
    longest = "x" * 255
    assert gateway.client(protocol).subscribe(longest).status == 200
    assert gateway.deliver(longest, "hello") == 1


def test_stream__clients_own_id_is_shown_and_need_not_be_unique(gateway, protocol):
    first = gateway.client(protocol).subscribe("a", headers=[("x-sse-id", "phone 7")])
    second = gateway.client(protocol).subscribe("a", query="?id=phone+7")
    third = gateway.client(protocol).subscribe("a")
    assert len({first.connection_id, second.connection_id, third.connection_id}) == 3
    shown = rows(gateway)
    assert shown[first.connection_id]["clientId"] == "phone 7"
    assert shown[second.connection_id]["clientId"] == "phone 7"
    assert not shown[third.connection_id].get("clientId")


@pytest.mark.parametrize("how", ["h2 reset", "h2 close", "h1 close"])
def test_stream__closed_by_its_client_leaves_every_topic(gateway, how):
    client = gateway.client(how[:2])
    stream = client.subscribe("a", "b")
    other = gateway.h2()
    kept = other.subscribe("b", "c")
    assert gateway.topics() == {"a": 1, "b": 2, "c": 1}
    if how == "h2 reset":
        stream.close()
    else:
        client.close()
    wait_until(lambda: gateway.topics() == {"b": 1, "c": 1}, "the topic to disappear")
    answer = gateway.publish("a", "nobody", id="x1")
    assert (answer.status, answer.json()) == (
        202, {"status": "dropped", "id": "x1", "droppedTopics": ["a"]})
    assert gateway.deliver("b", "still") == 1
    assert kept.wait_events(1)[0].data == "still"


def test_stream__over_the_nodes_limit_is_refused_until_one_closes(start_gateway, protocol):
    gateway = start_gateway(max_streams=2, stream_refusal="status")
    first = gateway.client(protocol).subscribe("a")
    gateway.client(protocol).subscribe("a")
    refused = gateway.client(protocol).subscribe("a").wait_end()
    assert refused.status == 503
    assert refused.json()["error"]["code"] == "over_capacity"
    assert int(refused.headers["retry-after"]) > 0
    first.close()
    wait_until(lambda: gateway.client(protocol).subscribe("a").status == 200, "room for a stream")


def test_stream__limit_per_connection_is_advertised_and_enforced(start_gateway):
    gateway = start_gateway(max_streams_per_connection=5)
    client = gateway.h2()
    assert client.wait_settings().max_concurrent_streams == 5
    streams = [client.subscribe("a") for _ in range(5)]
    client.h2.remote_settings.update({3: 100})  # a client that does not keep to it
    client.h2.remote_settings.acknowledge()
    one_more = client.start("GET", "/v1/stream", [("x-sse-topic", "a")])
    client.wait(lambda: one_more.reset is not None, "the refusal")
    assert one_more.reset == 7  # REFUSED_STREAM
    assert gateway.deliver("a", "x") == 5
    assert all(stream.wait_events(1) for stream in streams)
    streams[0].close()
    assert client.subscribe("a").status == 200


def test_stream__last_event_id_is_accepted(gateway, protocol):
    client = gateway.client(protocol)
    assert client.subscribe("a", headers=[("last-event-id", "12")]).status == 200


def test_stream__slow_consumer_is_closed_and_others_are_not(start_gateway):
    gateway = start_gateway(stream_buffer_bytes=65536)
    slow = gateway.h2(window=1024, credit=False)
    behind = slow.subscribe("a")
    quick = gateway.h2().subscribe("a")
    for number in range(10):
        gateway.publish("a", f"{number} " + "x" * 16000)
    assert len(quick.wait_events(10)) == 10
    gateway.wait_log(reason="slow_consumer")
    wait_until(lambda: gateway.topics() == {"a": 1}, "the slow one to be gone")
    slow.wait(lambda: behind.ended or behind.reset is not None, "the stream's end")
    assert gateway.deliver("a", "after") == 1


def test_stream__ending_streams_is_no_attack(gateway):
    """Thousands of streams that come and go on one connection, as behind a proxy, are not slowed."""
    with Swarm(gateway.address) as swarm:
        for _ in range(8):
            swarm.cancel(swarm.open(500, "news"))
        assert not swarm.goaway
        assert swarm.open(1, "news")
    wait_until(lambda: gateway.topics() == {}, "the streams to go")
    closed = 'tideway_streams_closed_total{reason="client_closed"}'
    assert gateway.metrics()[closed] == 4001
