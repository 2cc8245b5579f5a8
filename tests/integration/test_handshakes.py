"""TLS handshakes: as many at once as TIDEWAY_MAX_HANDSHAKES, and none for long."""

import socket
import time

import pytest

from lib.waiting import DEADLINE_S, wait_until


HANDSHAKES = "tideway_tls_handshakes"
REFUSED = 'tideway_refused_total{limit="handshakes"}'


def is_closed(sock, timeout):
    sock.settimeout(timeout)
    try:
        return sock.recv(1) == b""
    except ConnectionResetError:
        return True
    except TimeoutError:
        return False


@pytest.fixture
def connect():
    """A function that opens a TCP connection and sends the first octets of a TLS record, if any."""
    opened = []

    def connect_to(gateway, first=b""):
        sock = socket.create_connection(gateway.address)
        opened.append(sock)
        sock.sendall(first)
        return sock

    yield connect_to
    for sock in opened:
        sock.close()


def test_handshakes__at_the_limit_new_connections_are_refused_and_streams_stay(start_gateway, connect):
    gateway = start_gateway(max_handshakes=5)
    stream = gateway.h2().subscribe("a")
    halves = [connect(gateway, b"\x16\x03\x01\x02"[:number % 5]) for number in range(5)]
    wait_until(lambda: gateway.metrics()[HANDSHAKES] == 5, "five handshakes")
    assert is_closed(connect(gateway), DEADLINE_S)
    assert gateway.metrics()[REFUSED] == 1
    assert not any(is_closed(sock, 0.01) for sock in halves)
    for sock in halves:
        sock.close()
    wait_until(lambda: gateway.metrics()[HANDSHAKES] == 0, "no handshake")
    assert gateway.deliver("a", "still here") == 1
    assert stream.wait_events(1)[0].data == "still here"
    gateway.wait_log(message="connections refused", reason="the node has reached TIDEWAY_MAX_HANDSHAKES")


def test_handshakes__one_address_cannot_have_them_all(start_gateway, connect):
    gateway = start_gateway(max_handshakes=6, max_handshakes_per_ip=4)
    halves = [connect(gateway, b"\x16") for _ in range(4)]
    wait_until(lambda: gateway.metrics()[HANDSHAKES] == 4, "four handshakes")
    assert is_closed(connect(gateway), DEADLINE_S)
    assert gateway.metrics()['tideway_refused_total{limit="handshakes_per_address"}'] == 1
    assert gateway.metrics()[REFUSED] == 0
    gateway.wait_log(message="connections refused", reason="an address has reached TIDEWAY_MAX_HANDSHAKES_PER_IP")
    elsewhere = [socket.create_connection(gateway.address, source_address=("127.0.0.2", 0)) for _ in range(2)]
    wait_until(lambda: gateway.metrics()[HANDSHAKES] == 6, "those of another address")
    for sock in halves + elsewhere:
        sock.close()
    wait_until(lambda: gateway.metrics()[HANDSHAKES] == 0, "no handshake")
    assert gateway.h2().subscribe("a").status == 200


def test_handshakes__complete_and_failed_ones_are_let_go(gateway, connect):
    for number in range(20):
        with gateway.h2() as client:
            client.ping()
        assert is_closed(connect(gateway, b"GET / HTTP/1.1\r\n\r\n"), DEADLINE_S)
        connect(gateway, b"\x16").close()
    wait_until(lambda: gateway.metrics()[HANDSHAKES] == 0, "no handshake")
    wait_until(lambda: gateway.metrics()["tideway_connections"] == 0, "no connection")


def test_handshakes__the_slow_are_closed(gateway, connect):
    start = time.monotonic()
    silent, slow = connect(gateway), connect(gateway, b"\x16\x03\x01\x02\x00")
    assert is_closed(silent, 2 * DEADLINE_S)
    assert is_closed(slow, 2 * DEADLINE_S)
    assert time.monotonic() - start > 5
    wait_until(lambda: gateway.metrics()["tideway_connections"] == 0, "no connection")


def test_handshakes__those_under_way_do_not_hold_up_the_end(gateway, connect):
    for number in range(50):
        connect(gateway, b"\x16"[:number % 2])
    wait_until(lambda: gateway.metrics()[HANDSHAKES] == 50, "fifty handshakes")
    gateway.stop()
