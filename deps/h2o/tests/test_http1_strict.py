"""HTTP/1.1 requests that can be read in two ways are refused."""

import pytest

from clients import Http1

pytestmark = pytest.mark.patch(11)

NEXT = b"GET /hello HTTP/1.1\r\nhost: x\r\n\r\n"
POST = b"POST /echo HTTP/1.1\r\nhost: x\r\n"
CHUNKED = POST + b"transfer-encoding: chunked\r\n\r\n"

REFUSED = {
    "two lengths that differ": POST + b"content-length: 5\r\ncontent-length: 6\r\n\r\n12345" + NEXT,
    "two lengths that agree": POST + b"content-length: 5\r\ncontent-length: 5\r\n\r\n12345",
    "length with a sign": POST + b"content-length: +5\r\n\r\n12345",
    "length in hex": POST + b"content-length: 0x5\r\n\r\n12345",
    "list of lengths": POST + b"content-length: 5, 5\r\n\r\n12345",
    "empty length": POST + b"content-length: \r\n\r\n",
    "length and chunked": POST + b"content-length: 3\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n" + NEXT,
    "chunked and length": POST + b"transfer-encoding: chunked\r\ncontent-length: 3\r\n\r\n0\r\n\r\n" + NEXT,
    "chunked twice": POST + b"transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunked and identity": POST + b"transfer-encoding: chunked\r\ntransfer-encoding: identity\r\n\r\n0\r\n\r\n",
    "chunked in HTTP/1.0": b"POST /echo HTTP/1.0\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    "folded header line": b"GET /hello HTTP/1.1\r\nhost: x\r\nfoo: a\r\n b\r\n\r\n",
    "space before the colon": b"GET /hello HTTP/1.1\r\nhost : x\r\n\r\n",
    "no host": b"GET /hello HTTP/1.1\r\n\r\n",
    "two hosts": b"GET /hello HTTP/1.1\r\nhost: x\r\nhost: y\r\n\r\n",
    "no method": b" /hello HTTP/1.1\r\nhost: x\r\n\r\n",
    "junk after a chunk size": CHUNKED + b"3zz\r\n123\r\n0\r\n\r\n",
    "chunk lines that end with LF": CHUNKED + b"3\n123\n0\n\n",
    "chunk data that ends with LF": CHUNKED + b"3\r\n123\n0\r\n\r\n",
    "chunk data that ends with CR CR LF": CHUNKED + b"3\r\n123\r\r\n0\r\n\r\n",
    "chunk with a negative size": CHUNKED + b"-3\r\n123\r\n0\r\n\r\n",
    "chunk size of 17 digits": CHUNKED + b"00000000000000003\r\n123\r\n0\r\n\r\n",
    "chunk longer than its size": CHUNKED + b"3\r\n1234\r\n0\r\n\r\n",
    "chunk extension with LF": CHUNKED + b"3;a=\n\r\n123\r\n0\r\n\r\n",
    "chunk extensions without end": CHUNKED + b"1;" + b"a" * 20000 + b"\r\nz\r\n0\r\n\r\n",
    "trailer lines that end with LF": CHUNKED + b"0\r\na: b\n\r\n",
    "trailers without end": CHUNKED + b"0\r\n" + b"a: b\r\n" * 5000 + b"\r\n",
}

ACCEPTED = {
    "chunk extension": CHUNKED + b"3;a=b\r\n123\r\n0\r\n\r\n",
    "space before an extension": CHUNKED + b"3 ;a=b\r\n123\r\n0\r\n\r\n",
    "trailers": CHUNKED + b"3\r\n123\r\n0\r\na: b\r\nc: d\r\n\r\n",
    "upper case": POST.replace(b"host", b"HOST") + b"Content-LENGTH: 3\r\n\r\n123",
    "upper case chunks": POST + b"Transfer-Encoding: Chunked\r\n\r\n003\r\n123\r\n000\r\n\r\n",
    "HTTP/1.0 with a length": b"POST /echo HTTP/1.0\r\nconnection: keep-alive\r\ncontent-length: 3\r\n\r\n123",
}


@pytest.mark.parametrize("request_", REFUSED.values(), ids=REFUSED.keys())
def test_request__that_is_ambiguous_is_refused_and_the_connection_closed(server, request_):
    with Http1(server.port) as client:
        client.send(request_)
        assert client.read_response().status == 400
        assert client.wait_for_end() == b"", "nothing behind it is served"
    assert server.stats()["requests"] == 0


@pytest.mark.parametrize("request_", ACCEPTED.values(), ids=ACCEPTED.keys())
@pytest.mark.parametrize("step", [100000, 1])
def test_request__that_is_unambiguous_is_served(server, request_, step):
    with Http1(server.tls_port, tls=True) as client:
        for n in range(0, len(request_), step):
            client.send(request_[n : n + step])
        assert client.read_response().body == b"entity=3"
        client.send(NEXT)
        assert client.read_response().body == b"hello"


def test_chunks__many_small_ones_are_fine(server):
    with Http1(server.port) as client:
        client.send(CHUNKED, b"1\r\nx\r\n" * 50000, b"0\r\n\r\n")
        assert client.read_response().body == b"entity=50000"
