"""TIDEWAY_PROXY_PROTOCOL: balancers that forward connections as they are tell whose they are."""

import socket
import struct
import time

import pytest

from lib.clients import client_tls, connect
from lib.waiting import wait_until

BALANCER = "127.0.0.2"
CLIENT = "192.0.2.7"
SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"


def v1(client=CLIENT, port=50000):
    family, to = ("TCP6", "2001:db8::2") if ":" in client else ("TCP4", "192.0.2.200")
    return f"PROXY {family} {client} {to} {port} 443\r\n".encode()


def v2(client=CLIENT, port=50000, command=0x21, more=b""):
    family, kind, to = ((socket.AF_INET6, 0x21, "2001:db8::2") if ":" in client
                        else (socket.AF_INET, 0x11, "192.0.2.200"))
    body = socket.inet_pton(family, client) + socket.inet_pton(family, to) + struct.pack("!HH", port, 443) + more
    return SIGNATURE + struct.pack("!BBH", command, kind, len(body)) + body


@pytest.fixture(params=[True, False], ids=["tls", "cleartext"])
def start(request, start_gateway):
    def start(**options):
        return start_gateway(tls=request.param, **{"proxy_protocol": "on", "trusted_proxies": f"{BALANCER},10.0.0.0/8",
                                                   **options})
    return start


def through(gateway, protocol, header):
    return gateway.client(protocol, source=BALANCER, first=header)


def shown(gateway):
    return [row["remoteAddress"] for row in gateway.admin("/connections")["data"]]


@pytest.mark.parametrize("header, address", [
    (v1(), "192.0.2.7:50000"), (v1("2001:db8::7"), "[2001:db8::7]:50000"), (v2(), "192.0.2.7:50000"),
    (v2("2001:db8::7"), "[2001:db8::7]:50000"), (v2(more=b"\x04\0\x01x" * 300), "192.0.2.7:50000")],
    ids=["v1-v4", "v1-v6", "v2-v4", "v2-v6", "v2-tlvs"])
def test_proxy_protocol__the_address_in_the_header_is_the_clients(start, protocol, header, address):
    gateway = start()
    assert through(gateway, protocol, header).subscribe("a").status == 200
    assert shown(gateway) == [address]
    assert gateway.deliver("a", "x") == 1


@pytest.mark.parametrize("header", [b"PROXY UNKNOWN\r\n", v2(command=0x20)], ids=["v1", "v2"])
def test_proxy_protocol__a_balancer_may_speak_for_itself(start, protocol, header):
    gateway = start(max_streams_per_ip=1, max_connections_per_ip=1)
    clients = [through(gateway, protocol, header) for _ in range(3)]
    assert [client.subscribe("a").status for client in clients] == [200] * 3
    assert all(address.startswith(f"{BALANCER}:") for address in shown(gateway))


def test_proxy_protocol__limits_are_those_of_the_client(start, protocol):
    gateway = start(max_connections_per_ip=2, max_streams_per_ip=1, max_auth_failures=2)
    first, second = through(gateway, protocol, v1()), through(gateway, protocol, v2())
    assert first.subscribe("a").status == 200
    assert second.subscribe("a").status in (200, 503)
    assert len(shown(gateway)) == 1
    before = gateway.metrics()['tideway_refused_total{limit="connections_per_address"}']
    with pytest.raises((OSError, AssertionError)):
        through(gateway, protocol, v1()).request("GET", "/healthz")
    wait_until(lambda: gateway.metrics()['tideway_refused_total{limit="connections_per_address"}'] == before + 1,
               "the refusal to be counted")
    other = through(gateway, protocol, v1("192.0.2.8"))
    assert other.subscribe("a").status == 200
    wrong = [("authorization", "Bearer wrong")]
    client = through(gateway, protocol, v1("192.0.2.9"))
    assert [client.request("GET", "/v1/admin/nodes", wrong).status for _ in range(3)] == [401, 401, 429]
    assert through(gateway, protocol, v1("192.0.2.10")).request("GET", "/v1/admin/nodes", wrong).status == 401
    first.close()
    wait_until(lambda: len(shown(gateway)) == 1, "the first stream to end")
    third = through(gateway, protocol, v1())
    assert third.request("GET", "/healthz").status == 200


def test_proxy_protocol__a_proxy_that_a_balancer_names_may_forward(start, protocol):
    gateway = start()
    client = through(gateway, protocol, v1("10.1.2.3"))
    assert client.subscribe("a", headers=[("x-forwarded-for", "198.51.100.9")]).status == 200
    assert shown(gateway) == ["198.51.100.9"]
    # The header of one that is no proxy is not believed.
    assert through(gateway, protocol, v1()).subscribe("b", headers=[("x-forwarded-for", "198.51.100.9")]).status == 200
    assert sorted(shown(gateway)) == ["192.0.2.7:50000", "198.51.100.9"]


@pytest.mark.parametrize("first", [b"", b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n", b"PROXY TCP4 x\r\n", b"PROXY",
                                   SIGNATURE + b"\x31\x11\0\0", b"PROXY UNKNOWN " + b"x" * 200 + b"\r\n",
                                   SIGNATURE + b"\x21\x11\xff\xff" + b"x" * 5000])
def test_proxy_protocol__a_balancer_without_a_header_is_refused(start, first):
    gateway = start()
    tls = gateway.tls
    with pytest.raises(OSError):
        with connect(gateway.address, client_tls(("http/1.1",)) if tls else None, source=BALANCER, first=first) as sock:
            sock.sendall(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n")
            if sock.recv(100) == b"":
                raise ConnectionError("closed")
    if first != b"PROXY":
        assert "PROXY header" in gateway.wait_log(message="connections refused")["reason"]


@pytest.mark.parametrize("header", [v1(), v2()], ids=["v1", "v2"])
def test_proxy_protocol__headers_of_others_are_refused(start, protocol, header):
    gateway = start()
    with pytest.raises((OSError, AssertionError)):
        assert gateway.client(protocol, first=header).request("GET", "/healthz").status == 200
    assert gateway.client(protocol).request("GET", "/healthz").status == 200


def test_proxy_protocol__a_header_may_come_byte_by_byte(start):
    gateway = start()
    for header in (v1(), v2()):
        sock = connect(gateway.address, source=BALANCER)
        for byte in header:
            sock.sendall(bytes([byte]))
            time.sleep(0.002)
        if gateway.tls:
            sock = client_tls(("http/1.1",)).wrap_socket(sock, server_hostname="localhost")
        sock.sendall(b"GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        assert sock.recv(100).startswith(b"HTTP/1.1 200")
        sock.close()


def test_proxy_protocol__is_off_without_the_option(start_gateway, protocol):
    gateway = start_gateway(trusted_proxies=BALANCER)
    assert gateway.client(protocol, source=BALANCER).request("GET", "/healthz").status == 200
    with pytest.raises((OSError, AssertionError)):
        assert through(gateway, protocol, v1()).request("GET", "/healthz").status == 200


def test_proxy_protocol__needs_to_know_the_balancers(start_gateway):
    gateway = start_gateway(ready=False, proxy_protocol="on")
    assert gateway.wait_exit() == 64
    assert "TIDEWAY_PROXY_PROTOCOL" in gateway.text() and "TIDEWAY_TRUSTED_PROXIES" in gateway.text()


def test_proxy_protocol__gateway_ends_while_headers_are_awaited(start):
    gateway = start()
    silent = [connect(gateway.address, source=BALANCER, first=b"PROXY") for _ in range(5)]
    wait_until(lambda: gateway.metrics()["tideway_connections"] >= 5, "the connections")
    gateway.stop()
    for sock in silent:
        sock.close()
