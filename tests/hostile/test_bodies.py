"""Bodies that nobody asked for. See deps/h2o/README.md for the numbers of the holes."""

import os
import pathlib

import clients as raw
from siege import MB, PUBLISH, connect, forever, pour

from lib.process_stats import rss_bytes
from lib.waiting import wait_until

LARGE = 40 * MB
HEAD = b"POST /v1/publish HTTP/1.1\r\nhost: x\r\nauthorization: Bearer test-key\r\nx-sse-topic: honest\r\nx-sse-id: 1\r\n"
REFUSED = 'tideway_refused_total{limit="request_bytes"}'


def test_hole_12__bodies_nobody_asked_for(besieged):
    before, ids = rss_bytes(besieged.process.pid), range(1, 101, 2)
    for fields in ({**PUBLISH, "authorization": "Bearer wrong"}, {**PUBLISH, "x_sse_topic": "nobody"}):
        client = connect(besieged)
        client.send(*(raw.headers(n, raw.request("/v1/publish", **fields), end_stream=False) for n in ids))
        pour(client, forever(b"".join(raw.frame(raw.DATA, 0, n, b"z" * 8000) for n in ids)), 1)
        assert rss_bytes(besieged.process.pid) - before < 16 * MB
        client.reset()


def test_streams__take_no_body_but_an_empty_one(gateway, protocol):
    headers = [("x-sse-topic", "honest")]
    refused = gateway.client(protocol).request("GET", "/v1/stream", headers, "x")
    assert refused.status == 413
    assert refused.json()["error"] == {"code": "payload_too_large", "message": "send a body of at most 0 bytes"}
    client = gateway.client(protocol)
    stream = client.start("GET", "/v1/stream", headers, end=False)
    client.send_body(stream, b"", end=True)
    assert stream.wait_response().status == 200
    assert gateway.deliver("honest", "x") == 1
    stream.wait_events(1)


def files_of(gateway):
    folder = pathlib.Path(f"/proc/{gateway.process.pid}/fd")
    return [name for fd in folder.iterdir() if (name := os.readlink(fd)).startswith("/") and not name.startswith("/dev/")]


def test_bodies__are_never_files(start_gateway):
    gateway = start_gateway(max_payload_bytes=64 * MB)
    stream = gateway.h2().subscribe("honest")
    before = files_of(gateway)
    with raw.Http1(gateway.port, tls=True) as client:
        client.send(HEAD + b"content-length: %d\r\n\r\n" % LARGE, b"x" * (LARGE - 1), timeout=60)
        wait_until(lambda: rss_bytes(gateway.process.pid) > LARGE, "the body to be in memory")
        assert files_of(gateway) == before
        client.send(b"x")
        assert client.read_response().status in (202, 413)
    assert stream.reset is None


def test_bodies__have_half_of_what_the_node_may_spend(start_gateway):
    """Twenty publishers on hosts of their own that never end their bodies, and one behind them."""
    gateway = start_gateway(node_buffer_bytes=4 * MB, max_payload_bytes=MB)
    stream, guests = gateway.h2().subscribe("honest"), []
    for n in range(20):
        guest = connect(gateway, source=f"127.0.0.{2 + n}")
        guest.send(raw.headers(1, raw.request("/v1/publish", **PUBLISH), end_stream=False))
        guest.frames_until_ping()
        guest.send(*[raw.frame(raw.DATA, 0, 1, b"x" * 10000)] * 20)
        guests.append(guest)
    wait_until(lambda: gateway.metrics()[REFUSED] > 0, "a refusal")
    status = [guest for guest in guests if b"over_capacity" in b"".join(f.payload for f in guest.frames_until_ping())]
    assert 0 < len(status) < 20
    for guest in guests:
        guest.reset()
    wait_until(lambda: gateway.publish("honest", "x" * 1000).status == 202, "room for the next")
    stream.wait_events(1)
