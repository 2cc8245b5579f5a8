"""Bodies stay in memory, and their memory has a limit."""

import os
import pathlib

import pytest

from clients import DATA, END_STREAM, Http1, Http2, frame, headers, request, wait_until

pytestmark = pytest.mark.patch(29)

LARGE = 40 << 20
POST = b"POST /echo HTTP/1.1\r\nhost: x\r\n"


def files_of(server):
    folder = pathlib.Path(f"/proc/{server.process.pid}/fd")
    return [target for fd in folder.iterdir() if (target := os.readlink(fd)).startswith("/tmp/h2o")]


def send_body(client, stream, size):
    """Sends DATA within what the window of 16 MiB allows, until so many bytes are on their way."""
    for part in range(0, size, 1 << 20):
        client.send(frame(DATA, 0, stream, b"x" * 16384) * 64)
        if part % (4 << 20) == 0:
            client.frames_until_ping()


def test_body__that_is_large_is_no_file_over_http1(start_server):
    server = start_server(entity_max=64 << 20)
    with Http1(server.port) as client:
        client.send(POST + b"content-length: %d\r\n\r\n" % LARGE, b"x" * (LARGE - 1), timeout=60)
        wait_until(lambda: server.resident_bytes() > LARGE)
        assert files_of(server) == []
        client.send(b"x")
        assert client.read_response().body == b"entity=%d" % LARGE


def test_body__that_is_large_is_no_file_over_http2(start_server):
    server = start_server(entity_max=64 << 20)
    with Http2(server.port) as client:
        client.send(headers(1, request("/echo", "POST"), end_stream=False))
        send_body(client, 1, LARGE)
        client.frames_until_ping()
        assert files_of(server) == []
        client.send(frame(DATA, END_STREAM, 1, b""))
        assert client.response(1)[1] == b"entity=%d" % LARGE


@pytest.mark.parametrize("path", ["/echo", "/hold-read"])
def test_body__for_which_there_is_no_memory_is_503_over_http2(start_server, path):
    server = start_server(held_max=500000)
    with Http2(server.tls_port, tls=True) as client:
        client.send(headers(1, request(path, "POST"), end_stream=False))
        client.frames_until_ping()
        for _ in range(60):
            client.send(frame(DATA, 0, 1, b"x" * 1000))
        wait_until(lambda: server.stats()["held"] > 60000)
        client.send(*[frame(DATA, 0, 1, b"x" * 16000)] * 50, frame(DATA, END_STREAM, 1, b""))
        assert client.response(1)[1] == b'{"error":503}'
        client.send(headers(3, request("/echo", "POST"), end_stream=False), frame(DATA, END_STREAM, 3, b"x" * 10000))
        assert client.response(3)[1] == b"entity=10000"
        wait_until(lambda: server.stats()["held"] == 0)


@pytest.mark.parametrize("chunked", [False, True])
def test_body__for_which_there_is_no_memory_is_503_over_http1(start_server, chunked):
    server = start_server(held_max=500000)
    with Http1(server.tls_port, tls=True) as client:
        if chunked:
            client.send(POST + b"transfer-encoding: chunked\r\n\r\n", b"%x\r\n%s\r\n" % (1000, b"x" * 1000) * 800, b"0\r\n\r\n")
        else:
            client.send(POST + b"content-length: 800000\r\n\r\n", b"x" * 800000)
        assert client.read_response().body == b'{"error":503}'
        client.send(POST + b"content-length: 10000\r\n\r\n", b"x" * 10000)
        assert client.read_response().body == b"entity=10000"
    wait_until(lambda: server.stats()["held"] == 0)


def test_memory__of_requests_that_vanish_is_given_back(start_server):
    server = start_server()
    for client, start in ((Http1(server.port), POST + b"content-length: 800000\r\n\r\n" + b"x" * 100000),
                          (Http2(server.port), headers(1, request("/echo", "POST"), end_stream=False)
                           + frame(DATA, 0, 1, b"x" * 10000))):
        client.send(start)
        wait_until(lambda: server.stats()["held"] >= 10000)
        client.reset()
        wait_until(lambda: server.stats()["held"] == 0)
