"""Time: a connection between requests, headers, bodies and heartbeats each have their own."""

import time

import pytest

from lib.clients import client_tls, connect
from lib.waiting import wait_until

CONNECTIONS = "tideway_connections"


def test_idle__a_connection_is_kept_as_balancers_keep_theirs(start_gateway, protocol):
    """Twelve seconds of silence, then the next request: balancers and clients keep connections for a minute."""
    gateway = start_gateway()
    client = gateway.client(protocol)
    assert client.request("GET", "/healthz").status == 200
    time.sleep(12)
    assert client.request("POST", "/v1/publish", [gateway.auth(), ("x-sse-topic", "a"), ("x-sse-id", "1")],
                          "x").status == 202


def test_idle__ends_a_connection_after_the_time_that_is_set(start_gateway, protocol):
    gateway = start_gateway(idle_timeout_ms=1000)
    client = gateway.client(protocol)
    stream = gateway.client(protocol).subscribe("a")
    client.request("GET", "/healthz")
    began = time.monotonic()
    client.wait_closed()
    assert 0.5 < time.monotonic() - began < 5
    assert gateway.deliver("a", "streams are not idle") == 1
    assert stream.wait_events(1)


def test_idle__headers_keep_their_own_time(start_gateway):
    gateway = start_gateway(idle_timeout_ms=600000)
    begun, kept = gateway.h1(), gateway.h1()
    for client in (begun, kept):
        client.request("GET", "/healthz")
    begun.send(b"GET /healthz HTTP/1.1\r\n")
    begun.wait_closed(20)
    assert kept.request("GET", "/healthz").status == 200


def test_idle__a_client_that_never_says_what_it_speaks_is_no_idle_connection(start_gateway):
    """Neither the preface of HTTP/2 nor a first request has come."""
    gateway = start_gateway(idle_timeout_ms=600000)
    silent = [connect(gateway.address, client_tls(alpn=(name,))) for name in ("h2", "http/1.1")]
    wait_until(lambda: gateway.metrics()[CONNECTIONS] == 2, "the connections")
    wait_until(lambda: gateway.metrics()[CONNECTIONS] == 0, "them to be closed", 20)
    for sock in silent:
        sock.close()


@pytest.mark.parametrize("framing", ["length", "chunks"])
def test_slow__a_body_over_http1_may_take_as_long_as_it_progresses(start_gateway, framing):
    gateway = start_gateway()
    gateway.h2().subscribe("a")
    client, part = gateway.h1(), b"x" * 20000
    headers = [gateway.auth(), ("x-sse-topic", "a"), ("x-sse-id", "1")]
    if framing == "length":
        headers.append(("content-length", str(24 * len(part))))
    exchange = client.start("POST", "/v1/publish", headers, end=False, framing=framing == "chunks")
    for _ in range(24):  # twelve seconds
        time.sleep(0.5)
        assert not client.closed
        client.send(part) if framing == "length" else client.send_body(exchange, part, end=False)
    if framing == "chunks":
        client.send_body(exchange, b"")
    assert exchange.wait_end().json()["delivered"] == 1


def test_heartbeat__may_be_an_event(start_gateway, protocol):
    gateway = start_gateway(heartbeat_ms=200, heartbeat_event="on")
    stream = gateway.client(protocol).subscribe("a")
    assert [(event.event, event.data) for event in stream.wait_events(2)[1:]] == [("tideway.heartbeat", "")]
    assert stream.stream.comments == [stream.connection_id]
