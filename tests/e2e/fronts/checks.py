"""What has to work behind every front. Each check returns what the table shows, or fails."""

import contextlib
import threading
import time

from fronts import CLIENT

from lib.clients import DEADLINE_S
from lib.waiting import wait_until

SILENCE_S = 90
AT_ONCE_S = 1
STREAMS = 500
PUBLISHERS = 2
PAUSE_S = 0.02  # between two events of a publisher
SETTLE_S = 4  # until a front uses a gateway again


def delivered_at_once(site):
    """Events one at a time: what is held back until more comes is not delivered at once."""
    worst = 0
    with site.client() as client:
        stream = client.subscribe("at-once", headers=[("accept-encoding", "gzip")])
        assert stream.status == 200, (stream.status, stream.body)
        for number in range(20):
            began = time.monotonic()
            site.deliver("at-once", str(number), id=str(number))
            stream.wait_events(number + 1)
            worst = max(worst, time.monotonic() - began)
    assert worst < AT_ONCE_S, f"an event took {worst:.1f} s"
    encoding = stream.headers.get("content-encoding")
    return f"within {worst * 1000:.0f} ms" + (f", in {encoding}" if encoding else "")


def resume(site):
    """A stream that was cut goes on behind its last event, by the header and by the query."""
    with site.client() as client:
        stream = client.subscribe("resume")
        site.deliver("resume", id="1")
        stream.wait_events(1)
    for id in ("2", "3"):
        site.gateways[0].publish("resume", id=id)
    for how in ({"headers": [("last-event-id", "1")]}, {"query": "?lastEventId=1"}):
        with site.client() as client:
            events = client.subscribe("resume", **how).wait_events(2)
            assert [event.id for event in events] == ["2", "3"], events
    return "nothing lost"


def client_address(site):
    """The gateway shows the client's own address, whatever the client says of itself."""
    with site.client() as client:
        client.subscribe("address", headers=[("x-forwarded-for", "203.0.113.9")])
        rows = wait_until(lambda: [row for row in site.gateways[0].admin("/connections")["data"]
                                   if row["topics"] == ["address"]], "the stream to be listed")
        addresses = {row["remoteAddress"].partition(":")[0] for row in rows}
    assert addresses == {CLIENT}, f"seen was {addresses}"
    return "the client's"


def _published_and_received(site, topic, body, publish):
    with site.client() as reader, site.client("h1") as publisher:
        stream = reader.subscribe(topic)
        answer = publish(publisher, [site.gateways[0].auth(), ("x-sse-topic", topic), ("x-sse-id", "1")])
        answer.wait_end()
        assert answer.status == 202, (answer.status, bytes(answer.body))
        assert stream.wait_events(1)[0].data == body
        return answer


def chunked_publish(site):
    """A body of chunks without a length, one after the other."""
    pieces = [f"{number:05}" * 6000 for number in range(10)]

    def publish(client, headers):
        exchange = client.start("POST", "/v1/publish", headers, end=False)
        for number, piece in enumerate(pieces):
            client.send_body(exchange, piece, end=number == len(pieces) - 1)
        return exchange

    _published_and_received(site, "chunked", "".join(pieces), publish)
    return f"{sum(map(len, pieces)) // 1000} kB"


def expected_publish(site):
    """A client that waits for 100 before it sends its body, as curl does with large ones, but not for ever (RFC 9110 section
    10.1.1): a front on a busy machine may not pass it on in time."""
    body = "y" * 100000

    def publish(client, headers):
        exchange = client.start("POST", "/v1/publish", [*headers, ("expect", "100-continue"),
                                                        ("content-length", str(len(body)))], framing=False)
        with contextlib.suppress(AssertionError):
            client.wait(lambda: exchange.interim or exchange.status, "100 Continue", 5)
        assert exchange.interim in ([100], []) and exchange.status is None, (exchange.status, bytes(exchange.body))
        client.send(body.encode())
        return exchange

    answer = _published_and_received(site, "expect", body, publish)
    return "100, then 202" if answer.interim else "202, without 100"


def silence(site):
    """Nothing at all for 90 s, not even a heartbeat; then an event arrives, and the first publish succeeds."""
    with site.client() as client, site.client() as publisher:
        assert site.publish(publisher, "silence.other", "1").status == 202
        stream = client.subscribe("silence")
        end = time.monotonic() + SILENCE_S
        while time.monotonic() < end:
            for each in (client, publisher):
                if not each.closed:
                    each.pump(1)
            assert not client.closed and not stream.ended and stream.reset is None, \
                f"the stream ended {end - time.monotonic():.0f} s too early"
        site.deliver("silence")
        stream.wait_events(1)
        if publisher.closed or getattr(publisher, "goaway", None):  # as every client does
            publisher = site.client()
        answer = site.publish(publisher, "silence.other", "2")
        publisher.close()
        assert answer.status == 202, (answer.status, answer.body)
    return "survived"


class Publisher(threading.Thread):
    """Publishes through the front, one event after the other, over a connection that it keeps as long as it may."""

    def __init__(self, site, name):
        super().__init__(daemon=True)
        self.site, self.name = site, name
        self.sent, self.failed, self.stopping = [], [], threading.Event()

    def run(self):
        client = None
        number = 0
        while not self.stopping.wait(PAUSE_S):
            number += 1
            id = f"{self.name}-{number}"
            try:
                if client is None or client.closed or getattr(client, "goaway", None):
                    client = self.site.client()
                answer = self.site.publish(client, "rolling", id)
                if answer.status == 202 and answer.json()["status"] == "accepted":
                    self.sent.append(id)
                else:
                    self.failed.append((id, answer.status, answer.reset, bytes(answer.body[:200])))
            except (OSError, AssertionError, ValueError) as error:
                self.failed.append((id, str(error)))
                client = None
        if client:
            client.close()


class Subscriber(threading.Thread):
    """Follows a topic through the front, and resumes as often as it has to."""

    def __init__(self, site):
        super().__init__(daemon=True)
        self.site, self.events, self.streams, self.stopping = site, [], 0, threading.Event()

    def run(self):
        last = None
        while not self.stopping.is_set():
            with contextlib.suppress(OSError, AssertionError), self.site.client() as client:
                stream = client.subscribe("rolling", headers=[("last-event-id", last)] if last else ())
                self.streams += stream.status == 200
                taken = 0
                while not (client.closed or stream.ended or stream.reset is not None or self.stopping.is_set()):
                    client.pump(0.1)
                    self.events += stream.events[taken:]
                    taken = len(stream.events)
                    last = stream.stream.last_id or last
            time.sleep(0.1)


def rolling_restart(site):
    """One gateway after the other is restarted while publishers and a subscriber go on."""
    subscriber = Subscriber(site)
    subscriber.start()
    wait_until(lambda: subscriber.streams, "the subscriber")
    publishers = [Publisher(site, f"p{number}") for number in range(PUBLISHERS)]
    for publisher in publishers:
        publisher.start()
    try:
        for number in range(len(site.gateways)):
            time.sleep(SETTLE_S)
            site.restart(number)
        time.sleep(SETTLE_S)
    finally:
        for publisher in publishers:
            publisher.stopping.set()
        for publisher in publishers:
            publisher.join(DEADLINE_S * 2)
    sent = {id for publisher in publishers for id in publisher.sent}
    failed = [each for publisher in publishers for each in publisher.failed]
    with contextlib.suppress(AssertionError):
        wait_until(lambda: sent <= {event.id for event in list(subscriber.events)}, "all events")
    subscriber.stopping.set()
    subscriber.join(DEADLINE_S)
    got = [event.id for event in subscriber.events]
    assert not failed, f"{len(failed)} of {len(sent) + len(failed)} failed: {failed[:3]}"
    assert not sent - set(got), f"{len(sent - set(got))} of {len(sent)} lost"
    assert len(got) == len(set(got)), f"{len(got) - len(set(got))} came twice"
    return f"{len(sent)} sent, 0 failed, 0 lost"


def connections_of(gateway, expected):
    """How many there are, once those on which the tests asked are gone."""
    def count():
        return int(gateway.metrics()["tideway_connections"])
    with contextlib.suppress(AssertionError):
        wait_until(lambda: count() <= expected, timeout=5)
    return count()


def multiplexed(site):
    """500 streams at once, all to the one gateway that is left; over how many connections it takes them."""
    site.stop(1)
    gateway = site.gateways[0]
    with contextlib.ExitStack() as stack:
        streams = []
        per_client = site.front.per_client
        for _ in range(STREAMS // per_client):
            client = stack.enter_context(site.client())
            streams += [client.start("GET", "/v1/stream", [("x-sse-topic", "many")]) for _ in range(per_client)]
        for stream in streams:
            stream.wait_response(60)
            assert stream.status == 200, (stream.status, stream.body)
        wait_until(lambda: gateway.topics().get("many") == STREAMS, "all streams", 60)
        connections = connections_of(gateway, site.front.connections)
        with gateway.h2() as publisher:
            assert gateway.deliver("many", client=publisher) == STREAMS
        for stream in streams:
            stream.wait_events(1)
    assert connections <= site.front.connections, f"over {connections} connections"
    return f"over {connections} {'connection' if connections == 1 else 'connections'}"


CHECKS = {
    "delivered at once": delivered_at_once,
    "90 s of silence": silence,
    "resume": resume,
    "client's address": client_address,
    "publish in chunks": chunked_publish,
    "publish with Expect": expected_publish,
    "rolling restart": rolling_restart,
    "500 streams": multiplexed,
}
