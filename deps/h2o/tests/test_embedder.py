"""The embedding program answers h2o's own errors, and keeps a pointer in each request."""

import pytest

from clients import DATA, END_STREAM, Http1, Http2, frame, headers, literal, request

pytestmark = pytest.mark.patch(3)


def test_on_error__answers_what_no_handler_took(server):
    with Http2(server.tls_port, tls=True) as client:
        client.send(headers(1, request("/unknown")))
        assert client.response(1)[1] == b'{"error":404}'
    with Http1(server.port) as client:
        client.send(b"GET /unknown HTTP/1.1\r\nhost: x\r\n\r\n" * 2)
        for _ in range(2):
            response = client.read_response()
            assert (response.status, response.body) == (404, b'{"error":404}')
            assert b"application/json" in response.head and b"text/plain" not in response.head


def test_on_error__answers_bodies_that_are_too_large(start_server):
    server = start_server(entity_max=10)
    with Http2(server.port) as client:
        client.send(headers(1, request("/echo", "POST"), end_stream=False), frame(DATA, END_STREAM, 1, b"x" * 11))
        assert client.response(1)[1] == b'{"error":413}'
    with Http1(server.port) as client:
        client.send(b"POST /echo HTTP/1.1\r\nhost: x\r\ncontent-length: 11\r\n\r\n" + b"x" * 11)
        assert client.read_response().body == b'{"error":413}'


def test_on_error__answers_too_many_headers(server):
    with Http2(server.port) as client:
        client.send(headers(1, request() + literal(b"x", b"y") * 100))
        assert client.response(1)[1] == b'{"error":431}'
        # also if a body follows
        client.send(headers(3, request() + literal(b"x", b"y") * 100, end_stream=False))
        client.send(frame(DATA, END_STREAM, 3, b"x" * 100))
        assert client.response(3)[1] == b'{"error":431}'


def test_on_error__answers_broken_chunks(server):
    with Http1(server.port) as client:
        client.send(b"POST /echo HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n")
        assert client.read_response().body == b'{"error":400}'


UNPARSED = {
    "a header without a colon": b"GET / HTTP/1.1\r\nhost\r\n\r\n",
    "a control character in a name": b"GET / HTTP/1.1\r\nho\x01st: x\r\n\r\n",
    "no version": b"GET /\r\nhost: x\r\n\r\n",
    "another protocol": b"\x16\x03\x01\x02\x00\x01\x00\x01",
    "headers that are too long": b"GET / HTTP/1.1\r\nx: " + b"v" * 430000,
}


@pytest.mark.parametrize("tls", [False, True], ids=["clear", "tls"])
@pytest.mark.parametrize("request_", UNPARSED.values(), ids=UNPARSED.keys())
def test_on_error__answers_what_cannot_be_parsed(server, request_, tls):
    with Http1(server.tls_port if tls else server.port, tls=tls) as client:
        client.send(request_)
        response = client.read_response()
        status = 431 if len(request_) > 65536 else 400
        assert (response.status, response.body) == (status, b'{"error":%d}' % status)
        assert client.wait_for_end() == b""


def test_on_error__answers_the_unparsable_after_a_request_on_the_same_connection(server):
    with Http1(server.tls_port, tls=True) as client:
        client.send(b"HEAD /hello HTTP/1.1\r\nhost: x\r\n\r\n")
        assert client.read_response(has_body=False).status == 200
        client.send(b"HEAD /\x00 HTTP/1.1\r\n\r\n")
        assert client.read_response().body == b'{"error":400}'


def test_handler_data__is_kept_from_on_headers_to_on_req(server):
    with Http2(server.port) as client:
        client.send(headers(1, request("/data", "POST"), end_stream=False), frame(DATA, END_STREAM, 1, b"x"))
        assert client.response(1)[1] == b"from on_headers"
        client.send(headers(3, request("/data")))
        assert client.response(3)[1] == b"none"


def test_handler_data__starts_empty_on_a_kept_connection(server):
    with Http1(server.port) as client:
        client.send(b"POST /data HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\n\r\nx")
        client.send(b"GET /data HTTP/1.1\r\nhost: x\r\n\r\n")
        assert [client.read_response().body for _ in range(2)] == [b"from on_headers", b"none"]
