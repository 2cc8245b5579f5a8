"""Malformed HTTP/2 requests over TLS: errors of their streams (RFC 9113 8.1.1), beside an event stream that must live."""

import pytest

import clients as raw
from siege import PUBLISH, STREAM, connect

MALFORMED = {
    "length without a body": raw.request("/v1/publish", content_length=5, **PUBLISH),
    "two lengths": raw.request("/v1/publish", content_length=0, **PUBLISH) + raw.literal(b"content-length", b"5"),
    "blanks around an id": raw.request("/v1/publish", **{**PUBLISH, "x_sse_id": " a "}),
    "invalid value": raw.request("/v1/stream", x_sse_topic="a\x01"),
    "upper case": raw.request("/v1/stream", **STREAM) + raw.literal(b"X-Upper", b"v"),
    "keep-alive": raw.request("/v1/stream", keep_alive="5", **STREAM),
    "connection": raw.request("/v1/stream", connection="close", **STREAM),
    "no slash": raw.request("healthz"),
    "absolute": raw.request("https://localhost/healthz"),
    "blank in the path": raw.request("/healthz x"),
    "empty method": raw.request("/healthz", method=""),
    "another host": raw.request("/healthz", host="elsewhere"),
    "invalid host": raw.request("/healthz", host="a b/c"),
}


@pytest.mark.parametrize("block", MALFORMED.values(), ids=MALFORMED.keys())
def test_malformed_requests__are_stream_errors(besieged, block):
    accepted = besieged.metrics()['tideway_publishes_total{result="accepted"}']
    with connect(besieged) as client:
        client.send(raw.headers(1, raw.request("/v1/stream", **STREAM)))
        client.frames_until(lambda f: f.stream == 1 and f.type == raw.HEADERS)
        client.send(raw.headers(3, block))
        reset = client.frames_until(lambda f: f.stream == 3 or f.type == raw.GOAWAY)[-1]
        assert (reset.type, raw.error_of(reset)) == (raw.RST_STREAM, raw.PROTOCOL_ERROR)
        client.send(raw.headers(5, raw.request("/healthz")))
        assert client.response(5)[1] == b'{"status":"ok"}'
    assert besieged.metrics()['tideway_publishes_total{result="accepted"}'] == accepted


def test_names__are_not_tainted_by_a_value(besieged):
    """RFC 7541 knows nothing of valid values: who refers to a name does not refer to the value beside it."""
    with connect(besieged) as client:
        client.send(raw.headers(1, raw.request("/healthz") + raw.literal(b"x-foo", b"a\x01", indexed=True)),
                    raw.headers(3, raw.request("/healthz") + b"\x0f\x2f\x04good"))
        assert client.response(3)[1] == b'{"status":"ok"}'
