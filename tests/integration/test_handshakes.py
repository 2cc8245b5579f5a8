"""TLS handshakes: as many at once as TIDEWAY_MAX_HANDSHAKES, and none for long. A place is taken by a ClientHello."""

import contextlib
import socket
import ssl
import time

import pytest

from lib.clients import client_tls
from lib.waiting import DEADLINE_S, wait_until


HANDSHAKES = "tideway_tls_handshakes"
REFUSED = 'tideway_refused_total{limit="handshakes"}'
GAVE_WAY = 'tideway_refused_total{limit="silent_connections"}'


def client_hello():
    """The first flight of a TLS client, as it is sent for real."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = client_tls().wrap_bio(incoming, outgoing, server_hostname="localhost")
    with contextlib.suppress(ssl.SSLWantReadError):
        tls.do_handshake()
    return outgoing.read()


HELLO = client_hello()


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

    def connect_to(gateway, first=b"", source="127.0.0.1"):
        sock = socket.create_connection(gateway.address, source_address=(source, 0))
        opened.append(sock)
        sock.sendall(first)
        return sock

    yield connect_to
    for sock in opened:
        sock.close()


def test_handshakes__at_the_limit_new_connections_are_refused_and_streams_stay(start_gateway, connect):
    gateway = start_gateway(max_handshakes=5)
    stream = gateway.h2().subscribe("a")
    halves = [connect(gateway, HELLO) for _ in range(5)]
    wait_until(lambda: gateway.metrics()[HANDSHAKES] == 5, "five handshakes")
    assert is_closed(connect(gateway, HELLO), DEADLINE_S)
    assert gateway.metrics()[REFUSED] == 1
    assert all(sock.recv(1) == b"\x16" for sock in halves)  # the gateway's flight; it waits for the client's
    for sock in halves:
        sock.close()
    wait_until(lambda: gateway.metrics()[HANDSHAKES] == 0, "no handshake")
    assert gateway.deliver("a", "still here") == 1
    assert stream.wait_events(1)[0].data == "still here"
    gateway.wait_log(message="connections refused", reason="the node has reached TIDEWAY_MAX_HANDSHAKES")


def test_handshakes__one_address_cannot_have_them_all(start_gateway, connect):
    gateway = start_gateway(max_handshakes=6, max_handshakes_per_ip=4)
    halves = [connect(gateway, HELLO) for _ in range(4)]
    wait_until(lambda: gateway.metrics()[HANDSHAKES] == 4, "four handshakes")
    assert is_closed(connect(gateway, HELLO), DEADLINE_S)
    assert gateway.metrics()['tideway_refused_total{limit="handshakes_per_address"}'] == 1
    assert gateway.metrics()[REFUSED] == 0
    gateway.wait_log(message="connections refused", reason="an address has reached TIDEWAY_MAX_HANDSHAKES_PER_IP")
    elsewhere = [connect(gateway, HELLO, source="127.0.0.2") for _ in range(2)]
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
        connect(gateway, [b"", b"\x16", HELLO][number % 3])
    wait_until(lambda: gateway.metrics()["tideway_connections"] == 50, "fifty connections")
    wait_until(lambda: gateway.metrics()[HANDSHAKES] == 16, "those that have begun")
    gateway.stop()


@pytest.mark.parametrize("first", [b"", HELLO[:1], HELLO[:4], HELLO[:-1]], ids=["nothing", "type", "header", "most"])
def test_handshakes__silent_connections_give_way_oldest_first(start_gateway, connect, first):
    """Connects cost nothing, so they must not keep clients out, however many there are."""
    gateway = start_gateway(workers=1, max_handshakes=20)
    silent = []
    for number in range(100):
        silent.append(connect(gateway, first, source=f"127.0.0.{number % 4 + 1}"))
        wait_until(lambda: gateway.metrics()["tideway_connections"] >= min(number + 1, 20), "it to be accepted")
    wait_until(lambda: gateway.metrics()[GAVE_WAY] == 80, "the oldest to give way")
    assert gateway.metrics()[HANDSHAKES] == 0
    assert gateway.h2().subscribe("a").status == 200  # the oldest of all gives way for it
    assert gateway.metrics()[REFUSED] == 0
    assert all(is_closed(sock, DEADLINE_S) for sock in silent[:80])
    assert not any(is_closed(sock, 0.01) for sock in silent[-18:])
    gateway.wait_log(message="silent connections closed")
    for sock in silent:
        sock.close()
    wait_until(lambda: gateway.metrics()["tideway_connections"] == 1, "only the stream's")


def test_handshakes__a_hello_in_pieces_is_one(gateway):
    context, incoming, outgoing = client_tls(), ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context.wrap_bio(incoming, outgoing, server_hostname="localhost")
    with socket.create_connection(gateway.address, timeout=DEADLINE_S) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for _ in range(10):
            try:
                tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                for octet in outgoing.read():
                    sock.send(bytes([octet]))
                incoming.write(sock.recv(1 << 16))
        assert tls.selected_alpn_protocol() == "h2"
