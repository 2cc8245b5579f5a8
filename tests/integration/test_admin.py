"""The admin API: what it shows of topics, connections, nodes and recent events."""

import datetime
import json
import time

import pytest

from lib.swarm import Swarm
from lib.waiting import wait_until



def age_s(timestamp):
    """Seconds since a time of the API: RFC 3339 text or milliseconds since 1970."""
    if isinstance(timestamp, str):
        then = datetime.datetime.fromisoformat(timestamp.replace("Z", "+00:00")).timestamp()
    else:
        then = timestamp / 1000
    return time.time() - then


def test_admin__topics_are_listed_with_their_connections(start_gateway):
    gateway = start_gateway(node_id="node-a")
    client = gateway.h2()
    for topics in (["b"], ["a", "b"], ["a", "b", "c"]):
        client.subscribe(*topics)
    page = gateway.admin("/topics")
    assert page == {"page": 1, "pageSize": 100, "total": 3, "data": [
        {"topic": topic, "connectionCount": count,
         "nodes": [{"nodeId": "node-a", "connectionCount": count}]}
        for topic, count in (("a", 2), ("b", 3), ("c", 1))]}


def test_admin__connections_are_listed(start_gateway, protocol):
    gateway = start_gateway(node_id="node-a")
    stream = gateway.client(protocol).subscribe("b", "a", headers=[("x-sse-id", "me")])
    gateway.deliver("a", "x")
    gateway.deliver("b", "x")
    stream.wait_events(2)
    page = gateway.admin("/connections")
    assert (page["page"], page["pageSize"], page["total"]) == (1, 100, 1)
    row = page["data"][0]
    assert set(row) >= {"connectionId", "clientId", "topics", "nodeId", "remoteAddress", "protocol",
                        "openedAt", "delivered", "queuedBytes"}
    assert row["connectionId"] == stream.connection_id
    assert row["clientId"] == "me"
    assert sorted(row["topics"]) == ["a", "b"]
    assert row["nodeId"] == "node-a"
    assert row["remoteAddress"].startswith("127.0.0.1")
    assert row["protocol"].lower().replace("http/", "h").startswith(protocol)
    assert -2 < age_s(row["openedAt"]) < 60
    assert row["delivered"] == 2
    assert row["queuedBytes"] == 0


def test_admin__nodes_are_listed(start_gateway):
    gateway = start_gateway(node_id="node-a", node_ip="192.0.2.7")
    gateway.h2().subscribe("a")
    data = gateway.admin("/nodes")["data"]
    assert len(data) == 1
    assert data[0]["nodeId"] == "node-a"
    assert data[0]["ip"] == "192.0.2.7"
    assert data[0]["hostname"] and data[0]["version"]
    assert data[0]["connectionCount"] == 1
    assert -2 < age_s(data[0]["startedAt"]) < 120


@pytest.mark.parametrize("asked, used", [
    ("", 100), ("?pageSize=1", 1), ("?pageSize=500", 500), ("?pageSize=501", 500),
    ("?pageSize=99999999999999999999", 500),
])
def test_admin__page_size_is_capped_and_shown(gateway, asked, used):
    for what in ("/topics", "/connections"):
        page = gateway.admin(what + asked)
        assert (page["page"], page["pageSize"], page["total"], page["data"]) == (1, used, 0, [])


def test_admin__pages_of_topics_are_disjoint_and_complete(gateway):
    client = gateway.h2()
    names = sorted(f"topic-{n}" for n in range(25))
    for name in names:
        client.subscribe(name)
    seen = []
    for page in (1, 2, 3, 4):
        answer = gateway.admin(f"/topics?page={page}&pageSize=10")
        assert (answer["page"], answer["pageSize"], answer["total"]) == (page, 10, 25)
        seen += [row["topic"] for row in answer["data"]]
    assert seen == names


def test_admin__connections_are_found_by_prefix_or_by_topic(start_gateway):
    gateway = start_gateway()
    client = gateway.h2()
    first, second = client.subscribe("a"), client.subscribe("a", "b")

    def found(query):
        return {row["connectionId"] for row in gateway.admin("/connections?" + query)["data"]}
    assert found("topic=a") == {first.connection_id, second.connection_id}
    assert found("topic=b") == found(f"prefix={second.connection_id}") == {second.connection_id}
    refusal = gateway.admin(f"/connections?topic=b&prefix={first.connection_id}", status=400)
    assert refusal["error"]["code"] == "conflicting_filters"


def test_admin__ten_thousand_connections_are_paged(start_gateway):
    gateway = start_gateway(max_streams_per_connection=10000)
    client = gateway.h2()
    with Swarm(gateway.address) as swarm:
        ids = swarm.open(10000, "all")
        seen = set()
        for page in range(1, 21):
            answer = gateway.admin(f"/connections?page={page}&pageSize=500", client)
            assert answer["total"] == 10000
            assert len(answer["data"]) == 500
            seen |= {row["connectionId"] for row in answer["data"]}
        assert len(seen) == 10000
        assert gateway.admin("/connections?page=21&pageSize=500", client)["data"] == []
        assert gateway.admin("/connections?page=99999999999&pageSize=500", client)["data"] == []
        assert gateway.admin("/topics", client)["data"][0]["connectionCount"] == 10000
        swarm.cancel(ids[:5000])
        wait_until(lambda: gateway.admin("/connections", client)["total"] == 5000, "5,000 to leave")
    wait_until(lambda: gateway.admin("/connections", client)["total"] == 0, "all to leave")
    assert gateway.admin("/topics", client)["total"] == 0


def tail(gateway, topic, query=""):
    answer = gateway.admin(f"/topics/{topic}/tail{query}")
    assert answer["topic"] == topic
    return answer["events"]


def test_admin__tail_shows_recent_events_newest_last(gateway):
    gateway.h2().subscribe("a", "b")
    for number in range(30):
        gateway.deliver("a", f"payload {number}\nline", id=number, event="tick")
    gateway.deliver("b", "other")
    events = tail(gateway, "a")
    assert [event["id"] for event in events] == [str(n) for n in range(10, 30)]
    assert events[-1]["payload"] == "payload 29\nline"
    assert events[-1]["event"] == "tick"
    assert -2 < age_s(events[-1]["publishedAt"]) < 60
    assert [event["id"] for event in tail(gateway, "a", "?limit=3")] == ["27", "28", "29"]
    assert len(tail(gateway, "a", "?limit=9999999")) == 30
    assert [event["payload"] for event in tail(gateway, "b")] == ["other"]


def test_admin__tail_keeps_as_many_events_as_the_option_says(start_gateway):
    gateway = start_gateway(tail_events=5)
    gateway.h2().subscribe("a")
    for number in range(12):
        gateway.deliver("a", "x", id=number)
    assert [event["id"] for event in tail(gateway, "a")] == ["7", "8", "9", "10", "11"]


def test_admin__tail_of_an_unknown_topic_is_empty(gateway):
    assert tail(gateway, "nobody") == []


def test_admin__topic_in_a_path_is_percent_encoded(gateway):
    gateway.h2().subscribe("a/b?c%d")
    gateway.deliver("a/b?c%d", "x")
    answer = gateway.admin("/topics/a%2Fb%3Fc%25d/tail")
    assert answer["topic"] == "a/b?c%d"
    assert len(answer["events"]) == 1


@pytest.mark.parametrize("topic, query", [("orders/17", "orders%2F17"), ("orders/17", "orders/17"), ("a/b?c%d", "a%2Fb%3Fc%25d"),
                                          ("...", "..."), ("a+b", "a%2Bb")])
def test_admin__topic_of_a_tail_may_be_in_the_query(gateway, topic, query):
    gateway.h2().subscribe(topic)
    for number in range(3):
        gateway.deliver(topic, "x", id=number)
    answer = gateway.admin(f"/tail?topic={query}&limit=2")
    assert answer["topic"] == topic
    assert [event["id"] for event in answer["events"]] == ["1", "2"]
    watcher = gateway.h2().start("GET", f"/v1/admin/tail/stream?topic={query}", [gateway.auth()])
    watcher.wait_response()
    watcher.wait_events(3)
    assert shown(watcher) == ["0", "1", "2"]


def test_admin__payloads_are_valid_json_whatever_they_hold(gateway):
    stream = gateway.h2().subscribe("a")
    payload = "".join(chr(c) for c in range(1, 0x80)) + '"\\é日🌊\u2028'
    gateway.deliver("a", payload, id='"\\', event='"\\')
    event = tail(gateway, "a")[0]
    assert event["id"] == '"\\' and event["event"] == '"\\'
    assert event["payload"] == payload.replace("\r\n", "\n").replace("\r", "\n") or \
        event["payload"] == payload
    assert stream.wait_events(1)


def forget(gateway, topic, status=204):
    answer = gateway.h2().request("DELETE", f"/v1/admin/tail?topic={topic}", [gateway.auth()])
    assert answer.status == status, answer.body


def gap_of(stream):
    return next((json.loads(event.data) for event in stream.events if event.event == "tideway.gap"), None)


def test_admin__forgotten_events_are_gone_and_who_resumes_behind_them_is_told(gateway, protocol):
    keeper = gateway.h2().subscribe("a")
    for number in range(3):
        gateway.deliver("a", "x" * 1000, id=number)
    forget(gateway, "a")
    assert tail(gateway, "a") == []
    gateway.deliver("a", "x", id="after")
    assert [event["id"] for event in tail(gateway, "a")] == ["after"]
    for last_event_id in ("1", "2"):
        stream = gateway.client(protocol).subscribe("a", headers=[("last-event-id", last_event_id)])
        stream.wait_events(2)
        assert gap_of(stream) == {"reason": "evicted", "topics": ["a"]}
        assert [event.id for event in stream.events if event.event != "tideway.gap"] == ["after"]
    keeper.wait_events(4)


def test_admin__events_of_a_topic_without_streams_are_forgotten(gateway):
    client = gateway.h2()
    client.subscribe("a")
    gateway.deliver("a", "x", id="1")
    client.close()
    wait_until(lambda: gateway.topics() == {}, "the stream to end")
    assert len(tail(gateway, "a")) == 1
    forget(gateway, "a")
    assert tail(gateway, "a") == []
    stream = gateway.h2().subscribe("a", headers=[("last-event-id", "1")])
    stream.wait_events(1)
    assert gap_of(stream) == {"reason": "evicted", "topics": ["a"]}
    forget(gateway, "nobody")


# The live tail

def watch(gateway, topic, last_event_id=None):
    headers = [gateway.auth(), *([("last-event-id", last_event_id)] if last_event_id else [])]
    exchange = gateway.h2().start("GET", f"/v1/admin/topics/{topic}/tail/stream", headers)
    exchange.wait_response()
    assert exchange.status == 200, exchange.body
    return exchange


def shown(exchange):
    """The published ids, and "gap" where the stream says that events are missing."""
    return [json.loads(event.data)["id"] if event.event == "tideway.event" else "gap"
            for event in exchange.events]


def test_admin__live_tail_shows_every_event(gateway):
    gateway.h2().subscribe("a")
    watcher = watch(gateway, "a")
    for number in range(150):
        gateway.deliver("a", "x", id=number)
    watcher.wait_events(150)
    assert shown(watcher) == [str(number) for number in range(150)]
    position = json.loads(watcher.events[99].data)["position"]
    again = watch(gateway, "a", position)
    again.wait_events(50)
    assert shown(again) == [str(number) for number in range(100, 150)]


@pytest.mark.parametrize("kept_first", [1, 0])
def test_admin__live_tail_says_what_it_skips(start_gateway, kept_first):
    gateway = start_gateway(tail_events=10)
    gateway.h2().subscribe("a")
    for number in range(kept_first):
        gateway.deliver("a", "x", id=number)
    watcher, publisher, count = watch(gateway, "a"), gateway.h2(), 500
    watcher.wait_events(kept_first)
    published = [publisher.start("POST", "/v1/publish", [gateway.auth(), ("x-sse-topic", "a"),
                                                         ("x-sse-id", str(number))], "x")
                 for number in range(kept_first, count)]
    for answer in published:
        answer.wait_end()
    watcher.client.wait(lambda: str(count - 1) in shown(watcher), "the last event")
    ids, expected = shown(watcher), 0
    assert "gap" in ids, ids
    for before, id in zip(["gap", *ids], ids):
        if id != "gap":
            assert before == "gap" or int(id) == expected, ids
            expected = int(id) + 1
    gap = next(json.loads(event.data) for event in watcher.events if event.event == "tideway.gap")
    assert gap == {"reason": "too_fast", "topics": ["a"]}


def test_admin__live_tail_from_before_a_restart_says_so(gateway):
    gateway.h2().subscribe("a")
    gateway.deliver("a", "x", id="first")
    watcher = watch(gateway, "a", "~0000000000000001-5")
    watcher.wait_events(2)
    assert shown(watcher) == ["gap", "first"]
    assert json.loads(watcher.events[0].data)["reason"] == "other_epoch"
