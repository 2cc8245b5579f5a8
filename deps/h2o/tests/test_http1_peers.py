"""HTTP/1.1 clients that are gone or stalled."""

import socket

import pytest

from clients import Http1, wait_until

pytestmark = pytest.mark.patch(12)


def get(path):
    return f"GET {path} HTTP/1.1\r\nhost: x\r\n\r\n".encode()


def post(path, length):
    return f"POST {path} HTTP/1.1\r\nhost: x\r\ncontent-length: {length}\r\n\r\n".encode()


@pytest.mark.parametrize("tls", [False, True])
@pytest.mark.parametrize("abrupt", [False, True])
@pytest.mark.parametrize("path", ["/never", "/stream", "/delay"])
def test_peer__that_hangs_up_while_the_handler_works_ends_the_request(start_server, tls, abrupt, path):
    server = start_server(delay_ms=60000)
    client = Http1(server.tls_port if tls else server.port, tls=tls)
    client.send(get(path))
    wait_until(lambda: server.stats()["requests"] == 1)
    client.reset() if abrupt else client.socket.close()
    wait_until(lambda: server.stats()["disposed"] == 1, message="the request is gone")


def test_peer__that_hangs_up_while_its_body_is_on_hold(start_server):
    server = start_server(delay_ms=300)
    before = server.descriptors()
    for path in ("/hold-never", "/hold-read", "/hold-drop"):
        client = Http1(server.port)
        client.send(post(path, 10), b"x" * 5)
        client.reset()
    wait_until(lambda: server.stats()["headers"] == 3 and server.descriptors() <= before, message="all are closed")


def test_peer__that_hangs_up_after_its_body_was_dropped(server):
    before = server.descriptors()
    client = Http1(server.port)
    client.send(post("/drop-never", 10), b"x" * 10)
    wait_until(lambda: server.stats()["headers"] == 1)
    client.socket.close()
    wait_until(lambda: server.descriptors() <= before, message="the connection is closed")


@pytest.mark.parametrize("path", ["/hello", "/big"])
def test_peer__that_closed_its_side_only_gets_what_was_answered(server, path):
    with Http1(server.port, receive_buffer=4096) as client:
        client.send(get(path))
        wait_until(lambda: server.stats()["requests"] == 1)
        client.socket.shutdown(socket.SHUT_WR)
        assert client.read_response().status == 200
        assert client.wait_for_end() == b""


@pytest.mark.parametrize("tls", [False, True])
def test_peer__that_does_not_read_is_given_up(start_server, tls):
    server = start_server(http1_write_ms=300, big_bytes=16 << 20)
    before = server.descriptors()
    client = Http1(server.tls_port if tls else server.port, tls=tls, receive_buffer=4096)
    client.send(get("/big"))
    wait_until(lambda: server.stats()["disposed"] == 1, message="the response is given up")
    wait_until(lambda: server.descriptors() <= before, message="the socket is closed")
    client.reset()


@pytest.mark.parametrize("tls", [False, True])
def test_empty_final_part__leaves_the_request_to_its_caller(server, tls):
    with Http1(server.tls_port if tls else server.port, tls=tls) as client:
        client.send(get("/empty-final") * 20 + get("/hello"))
        assert [client.read_response().body for _ in range(21)] == [b"hello"] * 21
    assert server.stats()["requests"] == 21


def test_pipelining__while_the_handler_works_is_served_afterwards(start_server):
    server = start_server(delay_ms=100)
    with Http1(server.port) as client:
        client.send(get("/delay"))
        wait_until(lambda: server.stats()["requests"] == 1)
        client.send(get("/hello"), post("/echo", 5), b"12345", get("/delay"))
        bodies = [client.read_response().body for _ in range(4)]
        assert bodies == [b"hello", b"hello", b"entity=5", b"hello"]


def test_pipelining__is_bounded_while_the_handler_works(server):
    client = Http1(server.port)
    client.send(get("/never"))
    wait_until(lambda: server.stats()["requests"] == 1)
    before = server.resident_bytes()
    try:
        for _ in range(2000):
            client.send(b"x" * 65536, timeout=0.5)
    except TimeoutError:
        pass
    assert server.resident_bytes() - before < 4 << 20
    client.reset()
