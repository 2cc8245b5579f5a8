"""Requests that are unusual and right, or wrong in a way that hurts nobody else, over TLS. RFC 9110 and RFC 9112 say what is due."""

import json

import pytest

import clients as raw
from siege import PUBLISH, STREAM, connect

AUTH = b"host: x\r\nauthorization: Bearer test-key\r\n"
POST = b"POST /v1/publish HTTP/1.1\r\n" + AUTH + b"x-sse-topic: nobody\r\n"
NEXT = b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n"


def ask(gateway, request, has_body=True):
    """The response, and what else comes on the connection after another request."""
    with raw.Http1(gateway.port, tls=True) as client:
        client.send(request)
        response = client.read_response(has_body=has_body)
        client.send(NEXT)
        try:
            return response, client.read_response(timeout=3).body == b'{"status":"ok"}'
        except (AssertionError, OSError):  # closed, or a stream that goes on
            return response, False


@pytest.mark.parametrize("fields", [b"x-sse-id: 1\r\nContent-Length: 2 \r\n\r\nhi", b"x-sse-id: 1 \t\r\nContent-Length: 2\r\n\r\nhi",
                                    b"x-sse-id: 1\r\nTransfer-Encoding: chunked \r\n\r\n2\r\nhi\r\n0\r\n\r\n"])
def test_blanks_behind_values__are_no_part_of_them(besieged, fields):
    response, goes_on = ask(besieged, POST + fields)
    assert response.status == 202 and goes_on
    assert json.loads(response.body)["id"] == "1"


@pytest.mark.parametrize("target", [b"http://x/healthz", b"https://localhost:8443/healthz?a=b"])
def test_targets__may_be_in_absolute_form(besieged, target):
    response, goes_on = ask(besieged, b"GET " + target + b" HTTP/1.1\r\nhost: other\r\n\r\n")
    assert (response.body, goes_on) == (b'{"status":"ok"}', True)


@pytest.mark.parametrize("request_", [b"GET healthz HTTP/1.1\r\nhost: x\r\n\r\n", b"GET /healthz HTTP/1.1\r\nhost: a b/c\r\n\r\n",
                                      b"GET http:///healthz HTTP/1.1\r\nhost: x\r\n\r\n"])
def test_targets_and_hosts__that_are_none_are_refused(besieged, request_):
    assert ask(besieged, request_)[0].status == 400


def test_connection__ends_when_close_is_among_its_options(besieged):
    get = b"GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\nconnection: keep-alive\r\n\r\n"
    assert ask(besieged, get)[1] is False


def test_http10__gets_no_100_and_no_stream_that_goes_on(besieged):
    head = POST.replace(b"/1.1", b"/1.0").replace(b"nobody", b"honest")
    response, _ = ask(besieged, head + b"x-sse-id: before\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\nhi")
    assert (response.status, response.interim) == (202, 0)
    response, _ = ask(besieged, b"GET /v1/stream?topic=a HTTP/1.0\r\nhost: x\r\nconnection: keep-alive\r\n\r\n", has_body=False)
    assert b"connection: close" in response.head.lower()


def test_expectations__are_answered_over_http2(besieged):
    with connect(besieged) as client:
        fields = {**PUBLISH, "x_sse_topic": "honest", "x_sse_id": "expected", "expect": "100-continue"}
        client.send(raw.headers(1, raw.request("/v1/stream", **STREAM)))
        client.frames_until(lambda f: f.stream == 1 and f.type == raw.HEADERS)
        client.send(raw.headers(3, raw.request("/v1/publish", content_length=2, **fields), end_stream=False))
        assert client.frames_until(lambda f: f.stream == 3, 3)[-1].payload.endswith(b"\x08\x03100")
        client.send(raw.frame(raw.DATA, raw.END_STREAM, 3, b"hi"))
        assert b'"accepted"' in client.response(3)[1]


@pytest.mark.parametrize("version", [b"1.0", b"1.1"])
def test_answers_without_content__have_no_length(besieged, version):
    response, _ = ask(besieged, b"OPTIONS /healthz HTTP/" + version + b"\r\nhost: x\r\n\r\n", has_body=False)
    assert response.status == 204 and b"content-length" not in response.head.lower()


def test_answers_without_content__have_no_length_over_http2(gateway):
    response = gateway.h2().request("OPTIONS", "/healthz")
    assert response.status == 204 and "content-length" not in response.headers
