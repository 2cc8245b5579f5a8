"""HTTP/1.1 that can be read in two ways, and what follows an answer on its connection. See deps/h2o/README.md for the numbers
of the holes."""

import pytest

import clients as raw


HEAD = b"POST /v1/publish HTTP/1.1\r\nhost: x\r\nauthorization: Bearer test-key\r\nx-sse-topic: honest\r\nx-sse-id: s\r\n"
NEXT = b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n"
AMBIGUOUS = {
    "two lengths": HEAD + b"content-length: 5\r\ncontent-length: 6\r\n\r\n12345" + NEXT,
    "length and chunked": HEAD + b"content-length: 3\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n" + NEXT,
    "length with a sign": HEAD + b"content-length: +5\r\n\r\n12345" + NEXT,
    "chunked twice": HEAD + b"transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n" + NEXT,
    "folded line": HEAD + b"x: a\r\n b\r\ncontent-length: 0\r\n\r\n" + NEXT,
    "two hosts": HEAD + b"host: y\r\ncontent-length: 0\r\n\r\n" + NEXT,
    "space before the colon": HEAD + b"content-length : 0\r\n\r\n" + NEXT,
    "junk after a chunk's size": HEAD + b"transfer-encoding: chunked\r\n\r\n3zz\r\n123\r\n0\r\n\r\n" + NEXT,
    "lines that end with LF": HEAD + b"transfer-encoding: chunked\r\n\r\n3\n123\n0\n\n" + NEXT,
    "chunked in HTTP/1.0": HEAD.replace(b"/1.1", b"/1.0") + b"transfer-encoding: chunked\r\n\r\n0\r\n\r\n" + NEXT,
}


@pytest.mark.parametrize("request_", AMBIGUOUS.values(), ids=AMBIGUOUS.keys())
def test_hole_15__requests_that_can_be_read_in_two_ways(besieged, request_):
    accepted = besieged.metrics()['tideway_publishes_total{result="accepted"}']
    with raw.Http1(besieged.port, tls=True) as client:
        client.send(request_)
        assert client.read_response().status == 400
        assert client.wait_for_end() == b"", "nothing behind it is served"
    assert besieged.metrics()['tideway_publishes_total{result="accepted"}'] == accepted


def test_hole_18__empty_answers_over_http1_are_complete(besieged):
    with raw.Http1(besieged.port, tls=True) as client:
        for _ in range(50):
            client.send(b"HEAD /healthz HTTP/1.1\r\nhost: x\r\n\r\n" + NEXT)
            assert client.read_response(has_body=False).status in (200, 405)
            assert client.read_response().status == 200


def test_upgrades__are_not_made(start_gateway):
    """Cleartext HTTP/2 is spoken with prior knowledge (RFC 9113 section 3.3)."""
    gateway = start_gateway(tls=False)
    answer = gateway.h1().request("GET", "/healthz", [("Connection", "Upgrade, HTTP2-Settings"), ("Upgrade", "h2c"),
                                                      ("HTTP2-Settings", "AAMAAABkAARAAAAAAAIAAAAA")])
    assert answer.status == 200 and not answer.interim
