"""Malformed HTTP/2 requests are errors of their streams, and nothing of them stays behind."""

import pytest

from clients import GOAWAY, PROTOCOL_ERROR, RST_STREAM, Http2, error_of, headers, literal, request

pytestmark = pytest.mark.patch(24)

METHOD, SCHEME, AUTHORITY = (literal(name, value) for name, value in
                             ((b":method", b"GET"), (b":scheme", b"https"), (b":authority", b"localhost")))
PATH = literal(b":path", b"/hello")

MALFORMED = {
    "upper case": request() + literal(b"X-Upper", b"v"),
    "invalid name": request() + literal(b"a b", b"v"),
    "invalid value": request() + literal(b"x", b"a\x01b"),
    "blank before the value": request() + literal(b"x", b" v"),
    "blank after the value": request() + literal(b"x", b"v\t"),
    "connection": request(connection="close"),
    "keep-alive": request(keep_alive="5"),
    "proxy-connection": request(proxy_connection="close"),
    "transfer-encoding": request(transfer_encoding="chunked"),
    "upgrade": request(upgrade="h2c"),
    "te": request(te="gzip"),
    "path without a slash": request("hello"),
    "path in absolute-form": request("https://localhost/hello"),
    "path with a blank": request("/hel lo"),
    "star with another method": request("*"),
    "empty method": request(method=""),
    "method that is no token": request(method="G(T"),
    "user information": METHOD + SCHEME + PATH + literal(b":authority", b"user@localhost"),
    "authority that is none": METHOD + SCHEME + PATH + literal(b":authority", b"local host/x"),
    "another host": request(host="elsewhere"),
    "another port": request(host="localhost:8443"),
    "two hosts": request(host="localhost") + literal(b"host", b"localhost"),
    "invalid host": METHOD + SCHEME + PATH + literal(b"host", b"a b/c"),
    "pseudo-header twice": request() + PATH,
    "pseudo-header behind a field": METHOD + SCHEME + literal(b"a", b"b") + PATH,
    "unknown pseudo-header": PATH + METHOD + SCHEME + literal(b":status", b"200"),
    "content-length that is no number": request(content_length="+0"),
    "content-length twice": request(content_length="0") + literal(b"content-length", b"0"),
}


@pytest.mark.parametrize("block", MALFORMED.values(), ids=MALFORMED.keys())
def test_request__that_is_malformed_is_a_stream_error(server, block):
    with Http2(server.tls_port, tls=True) as client:
        # all of it is decoded, and a flaw is not inherited: the next request refers to the field behind it
        client.send(headers(1, block + literal(b"x-later", b"v", indexed=True)), headers(3, request() + b"\xbe"))
        reset = client.frames_until(lambda f: f.type in (RST_STREAM, GOAWAY))[-1]
        assert (reset.type, reset.stream, error_of(reset)) == (RST_STREAM, 1, PROTOCOL_ERROR)
        assert client.response(3)[1] == b"hello"
    assert server.stats()["requests"] == 1


@pytest.mark.parametrize("flaw", [b"a\x01", b" a"])
def test_name__is_not_tainted_by_a_value(server, flaw):
    by_name = b"\x0f\x2f\x04good"  # the newest name of the dynamic table, with a value of its own
    with Http2(server.port) as client:
        client.send(headers(1, request() + literal(b"x-foo", flaw, indexed=True)), headers(3, request() + by_name))
        assert client.response(3)[1] == b"hello"
        client.send(headers(5, request() + b"\xbe"))  # the value itself stays what it is
        assert client.response(5)[0][-1].type == RST_STREAM


@pytest.mark.parametrize("fields", [{"host": "LOCALHOST"}, {"host": "localhost:443"}, {"te": "trailers"}])
def test_request__that_is_unusual_is_answered(server, fields):
    with Http2(server.port) as client:
        client.send(headers(1, request(**fields)))
        assert client.response(1)[1] == b"hello"


@pytest.mark.parametrize("authority", [b"localhost", b"[::1]:8443", b"a.example:443"])
def test_host__stands_for_the_authority(server, authority):
    with Http2(server.port) as client:
        client.send(headers(1, METHOD + SCHEME + PATH + literal(b"host", authority)))
        assert client.response(1)[1] == b"hello"
