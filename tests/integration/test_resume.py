"""Last-Event-ID: a reconnect loses nothing, or is told so."""

import json
import re

import pytest

from lib.waiting import wait_until


OWN_ID = re.compile(r"~[0-9a-f]{16}-\d+")


def resume(client, last_id, *topics, by="header"):
    if by == "header":
        return client.subscribe(*topics, headers=[("last-event-id", last_id)])
    return client.subscribe(*topics, query=f"?lastEventId={last_id}")


def ids(stream):
    return [event.id for event in stream.events if event.event != "tideway.gap"]


def gap_of(stream):
    """What the gap event says; None without one. It is the first event, or there is none."""
    gaps = [event for event in stream.events if event.event == "tideway.gap"]
    if not gaps:
        return None
    assert len(gaps) == 1 and stream.events[0] is gaps[0]
    return json.loads(gaps[0].data)


def opened(client, stream):
    client.wait(lambda: OWN_ID.fullmatch(stream.stream.last_id), "the opening block's id")
    return stream


@pytest.mark.parametrize("by", ["header", "query"])
def test_resume__gets_what_was_missed_then_live_events(gateway, protocol, by):
    witness = gateway.h2()
    witness.subscribe("news")
    for n in range(1, 11):
        gateway.deliver("news", f"payload {n}", id=str(n))
    client = gateway.client(protocol)
    stream = resume(client, "4", "news", by=by)
    gateway.deliver("news", "live", id="11")
    stream.wait_events(7)
    assert ids(stream) == [str(n) for n in range(5, 12)]
    assert [event.data for event in stream.events] == [f"payload {n}" for n in range(5, 11)] + ["live"]


def test_resume__a_lone_subscriber_comes_back_to_what_it_left(gateway, protocol):
    client = gateway.client(protocol)
    stream = client.subscribe("news")
    gateway.deliver("news", "one", id="1")
    stream.wait_events(1)
    client.close()
    wait_until(lambda: gateway.topics() == {}, "the topic to go")
    again = resume(gateway.client(protocol), "1", "news")
    gateway.deliver("news", "two", id="2")
    again.wait_events(1)
    assert (gap_of(again), ids(again)) == (None, ["2"])


def test_resume__over_several_topics_in_one_order_each_once(gateway):
    witness = gateway.h2()
    witness.subscribe("a", "b", "c")
    for n in range(30):
        gateway.deliver(["a", "b", "c", "a,b", "b,c,a"][n % 5], str(n), id=str(n))
    client = gateway.h2()
    stream = resume(client, "9", "c,a")
    wanted = [str(n) for n in range(10, 30) if n % 5 != 1]
    stream.wait_events(len(wanted))
    gateway.deliver("a", "end", id="end")
    stream.wait_events(len(wanted) + 1)
    assert ids(stream) == [*wanted, "end"]
    assert gap_of(stream) is None


def test_resume__a_stream_that_saw_nothing_resumes_by_the_opening_id(gateway):
    witness = gateway.h2()
    witness.subscribe("news")
    client = gateway.h2()
    stream = opened(client, client.subscribe("news"))
    own_id = stream.stream.last_id
    client.close()
    gateway.deliver("news", "missed", id="x")
    again = resume(gateway.h2(), own_id, "news")
    again.wait_events(1)
    assert (gap_of(again), ids(again)) == (None, ["x"])


def test_resume__an_id_used_twice_means_its_latest_event(gateway):
    witness = gateway.h2()
    witness.subscribe("news")
    for id in ["a", "same", "b", "same", "c"]:
        gateway.deliver("news", id, id=id)
    stream = resume(gateway.h2(), "same", "news")
    stream.wait_events(1)
    assert ids(stream) == ["c"]


def test_resume__an_unknown_id_is_a_gap_and_all_that_is_kept(gateway):
    witness = gateway.h2()
    witness.subscribe("news", "sport")
    gateway.deliver("news", "1", id="1")
    gateway.deliver("sport", "2", id="2")
    stream = resume(gateway.h2(), "never-published", "news,sport")
    stream.wait_events(3)
    assert gap_of(stream) == {"reason": "unknown_id", "topics": ["news", "sport"]}
    assert ids(stream) == ["1", "2"]


def test_resume__evicted_events_are_a_gap_that_names_their_topics(start_gateway):
    gateway = start_gateway(tail_events=3)
    witness = gateway.h2()
    witness.subscribe("busy", "calm")
    client = gateway.h2()
    own_id = opened(client, client.subscribe("calm")).stream.last_id
    gateway.deliver("calm", "c", id="c")
    for n in range(1, 6):
        gateway.deliver("busy", str(n), id=str(n))
    stream = resume(gateway.h2(), own_id, "busy,calm")
    stream.wait_events(5)
    assert gap_of(stream) == {"reason": "evicted", "topics": ["busy"]}
    assert ids(stream) == ["c", "3", "4", "5"]


def test_resume__bytes_of_the_node_evict_the_oldest_of_any_topic_first(start_gateway):
    gateway = start_gateway(tail_bytes=20000)
    witness = gateway.h2()
    witness.subscribe("first", "second")
    gateway.deliver("first", "x" * 4000, id="old")
    for n in range(10):
        gateway.deliver("second", "x" * 4000, id=str(n))
    assert gateway.admin("/topics/first/tail")["events"] == []
    kept = gateway.admin("/topics/second/tail")["events"]
    assert [event["id"] for event in kept] == ["6", "7", "8", "9"]
    assert gateway.metrics()["tideway_tail_bytes"] <= 20000


def test_resume__an_id_of_before_a_restart_is_a_gap(start_gateway):
    first = start_gateway()
    client = first.h2()
    own_id = opened(client, client.subscribe("news")).stream.last_id
    first.stop()
    second = start_gateway()
    client = second.h2()
    stream = opened(client, resume(client, own_id, "news"))
    assert gap_of(stream) == {"reason": "other_epoch", "topics": ["news"]}


def test_resume__a_cut_before_the_gap_was_seen_tells_of_it_again(start_gateway):
    """The opening block's id comes after the gap event: the old id stays until the client knows."""
    gateway = start_gateway()
    client = gateway.h2()
    stream = opened(client, resume(client, "unknown", "news"))
    assert gap_of(stream)["reason"] == "unknown_id"
    assert stream.events[0].id == ""


def test_resume__window_keeps_events_for_those_who_come_back(start_gateway):
    gateway = start_gateway(resume_window_ms=60000)
    client = gateway.h2()
    stream = client.subscribe("news")
    gateway.deliver("news", "1", id="1")
    stream.wait_events(1)
    client.close()
    wait_until(lambda: gateway.topics() == {}, "the topic to have no subscribers")
    assert gateway.deliver("news", "2", id="2") == 0
    again = resume(gateway.h2(), "1", "news")
    again.wait_events(1)
    assert (gap_of(again), ids(again)) == (None, ["2"])


def test_resume__window_ends(start_gateway):
    gateway = start_gateway(resume_window_ms=300)
    client = gateway.h2()
    client.subscribe("news")
    client.close()
    wait_until(lambda: gateway.publish("news", "x").json()["status"] == "dropped",
               "the window to end")


def test_resume__drain_then_reconnect_loses_nothing_within_a_process_that_lives(gateway):
    """An operator's close is a reconnect without loss."""
    witness = gateway.h2()
    witness.subscribe("news")
    client = gateway.h2()
    stream = client.subscribe("news")
    gateway.deliver("news", "1", id="1")
    stream.wait_events(1)
    answer = gateway.h2().request(
        "DELETE", f"/v1/admin/connections/{stream.connection_id}", [gateway.auth()])
    assert answer.status == 204
    stream.wait_end()
    gateway.deliver("news", "2", id="2")
    again = resume(client, stream.stream.last_id, "news")
    again.wait_events(1)
    assert (gap_of(again), ids(again)) == (None, ["2"])


def test_resume__a_slow_consumer_comes_back_without_loss(start_gateway):
    gateway = start_gateway(stream_buffer_bytes=4096)
    client = gateway.h2(window=65535, credit=False)
    stream = client.subscribe("news")
    published = 0
    for _ in range(2000):
        answer = gateway.publish("news", "x" * 1000, id=str(published + 1))
        client.pump()
        if answer.json()["status"] == "dropped":
            break  # the stream is closed, and its client may not have heard of it yet
        published += 1
    stream.wait_end()
    seen = ids(stream)
    assert seen == [str(n) for n in range(1, len(seen) + 1)]
    assert gateway.metrics()['tideway_streams_closed_total{reason="slow_consumer"}'] == 1
    again = resume(gateway.h2(), seen[-1], "news")
    missed = published - len(seen)
    kept = [event["id"] for event in gateway.admin("/topics/news/tail?limit=500")["events"]]
    again.wait_events(min(missed, len(kept)))
    assert ids(again) == [str(n) for n in range(len(seen) + 1, published + 1)]
    assert gap_of(again) is None


@pytest.mark.parametrize("last_id", [
    "~", "~0-0", "~-1", "~" + "0" * 16 + "-99999999999999999999", "~" + "f" * 16 + "-1",
    "~" + "F" * 16 + "-1", "~0000000000000000--1", "x" * 300, "%s%n%p", "\u00e9".encode().decode("latin1"),
])
def test_resume__hostile_ids_get_a_gap(gateway, protocol, last_id):
    client = gateway.client(protocol)
    stream = opened(client, resume(client, last_id, "news"))
    assert stream.status == 200
    assert gap_of(stream)["reason"] in ("unknown_id", "other_epoch")


def test_resume__an_id_of_the_future_is_unknown(gateway):
    client = gateway.h2()
    own_id = opened(client, client.subscribe("news")).stream.last_id
    epoch = own_id.split("-")[0]
    stream = opened(client, resume(client, f"{epoch}-999999", "news"))
    assert gap_of(stream)["reason"] == "unknown_id"


def test_resume__an_id_of_enormous_length_is_a_gap_or_refused_and_the_gateway_lives(gateway, protocol):
    client = gateway.client(protocol)
    size = 1 << 20 if protocol == "h1" else 1 << 17  # python's HPACK encoder takes minutes for more
    try:
        exchange = client.start("GET", "/v1/stream", [("x-sse-topic", "news"),
                                                      ("last-event-id", "x" * size)])
        client.wait(lambda: exchange.status or client.closed, "an answer")
        if exchange.status == 200:
            assert gap_of(opened(client, exchange))["reason"] == "unknown_id"
        else:
            assert exchange.status is None or exchange.status >= 400
    except OSError:
        pass
    assert gateway.client(protocol).subscribe("news").status == 200


@pytest.mark.tsan
def test_resume__while_events_are_published_nothing_is_lost_or_repeated(gateway):
    """Cut and resume again and again during one run of events: the parts make up the whole."""
    witness = gateway.h2()
    everything = witness.subscribe("a", "b")
    publishers = [gateway.h2() for _ in range(2)]
    total, last_id, seen = 400, None, []
    own = None
    for start in range(0, total, 20):
        client = gateway.h2()
        stream = client.subscribe("a", "b") if last_id is None else resume(client, last_id, "a,b")
        for n in range(start, start + 20):
            topic = ["a", "b", "a,b"][n % 3]
            answer = gateway.publish(topic, str(n), id=str(n), client=publishers[n % 2])
            assert answer.json()["status"] == "accepted"
        stream.wait_events(1)
        client.close()
        own = ids(stream)
        assert gap_of(stream) is None
        seen += own
        last_id = stream.stream.last_id
    final = resume(gateway.h2(), last_id, "a,b")
    everything.wait_events(total)
    final.wait_events(total - len(seen))
    seen += ids(final)
    assert seen == ids(everything) == [str(n) for n in range(total)]


@pytest.mark.parametrize("query", [
    "?lastEventId={wrong}&lastEventId={right}", "?Last-Event-ID={right}", "?last-event-id={right}",
    "?LASTEVENTID={right}", "?lastEventId={wrong}&x=1&Last-Event-ID={right}", "?lasteventid={right}&lastEventIds={wrong}",
])
def test_resume__the_last_spelling_of_the_parameter_counts(gateway, protocol, query):
    witness = gateway.h2()
    witness.subscribe("news")
    for number in ("1", "2", "3"):
        gateway.deliver("news", number, id=number)
    stream = gateway.client(protocol).subscribe("news", query=query.format(wrong="1", right="2"))
    stream.wait_events(1)
    assert ids(stream) == ["3"]
