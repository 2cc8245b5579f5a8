"""Time limits of HTTP/1.1: of bodies and answers by progress, and of the time between two requests."""

import time

import pytest

from clients import Http1, wait_until

pytestmark = pytest.mark.patch(32)

PART = 20000


def get(path):
    return f"GET {path} HTTP/1.1\r\nhost: x\r\n\r\n".encode()


def post(path, length):
    return f"POST {path} HTTP/1.1\r\nhost: x\r\ncontent-length: {length}\r\n\r\n".encode()


@pytest.mark.parametrize("tls", [False, True])
def test_body__that_progresses_may_take_longer_than_the_limit(start_server, tls):
    server = start_server(http1_body_ms=400, http1_request_ms=400)
    with Http1(server.tls_port if tls else server.port, tls=tls) as client:
        client.send(post("/echo", 6 * PART))
        for _ in range(6):
            time.sleep(0.25)
            client.send(b"x" * PART)
        assert client.read_response().body == b"entity=%d" % (6 * PART)


@pytest.mark.parametrize("tls", [False, True])
def test_body__that_stalls_or_trickles_is_given_up(start_server, tls):
    server = start_server(http1_body_ms=400)
    before = server.descriptors()
    client = Http1(server.tls_port if tls else server.port, tls=tls)
    client.send(post("/echo", 100000), b"x" * PART)
    began = time.monotonic()
    try:
        while server.descriptors() > before and time.monotonic() < began + 5:
            client.send(b"x" * 10)
            time.sleep(0.05)
    except OSError:
        pass
    assert time.monotonic() - began < 3
    wait_until(lambda: server.descriptors() <= before, message="the connection is closed")


def test_answer__that_is_read_slowly_is_sent_whole(start_server):
    # Progress is what the kernel takes, and it takes the next third of a send buffer at once: of megabytes here.
    server = start_server(http1_write_ms=1000, big_bytes=8 << 20)
    with Http1(server.port, receive_buffer=65536) as client:
        client.send(get("/big"))
        client.socket.settimeout(5)
        got, began = 0, time.monotonic()
        while got < 8 << 20:
            time.sleep(0.05)  # about 3 s for all of it
            part = client.socket.recv(1 << 17)
            assert part, f"cut off after {got} bytes and {time.monotonic() - began:.1f} s"
            got += len(part)
        assert time.monotonic() - began > 2


@pytest.mark.parametrize("tls", [False, True])
def test_idle__connections_are_kept_for_their_own_time(start_server, tls):
    server = start_server(http1_request_ms=300, http1_idle_ms=2000)
    before = server.descriptors()
    with Http1(server.tls_port if tls else server.port, tls=tls) as client:
        client.send(get("/hello"))
        assert client.read_response().body == b"hello"
        time.sleep(1)
        client.send(get("/hello"))
        assert client.read_response().body == b"hello"
        began = time.monotonic()
        wait_until(lambda: server.descriptors() <= before, message="the idle connection is closed")
        assert time.monotonic() - began > 1


def test_idle__headers_have_theirs(start_server):
    server = start_server(http1_request_ms=300, http1_idle_ms=60000)
    before = server.descriptors()
    with Http1(server.port) as client:
        client.send(get("/hello"))
        client.read_response()
        client.send(b"GET /hello HTTP/1.1\r\n")
        wait_until(lambda: server.descriptors() <= before, message="the slow request is given up")
