"""HTTP/1 as RFC 9112 has it, and what both versions share."""

import pytest

from clients import DATA, END_STREAM, HEADERS, Http1, Http2, frame, headers, request


def ask(server, request_, has_body=True, tls=False):
    """The response, and whether the connection goes on."""
    with Http1(server.tls_port if tls else server.port, tls=tls) as client:
        client.send(request_)
        response = client.read_response(has_body=has_body)
        client.send(b"GET /hello HTTP/1.1\r\nhost: x\r\n\r\n")
        try:
            return response, client.read_response().body == b"hello"
        except (AssertionError, OSError):
            return response, False


@pytest.mark.patch(25)
@pytest.mark.parametrize("fields", [b"content-length: 2 \r\n\r\nhi", b"content-length:2\t\r\n\r\nhi",
                                    b"transfer-encoding: chunked \r\n\r\n2\r\nhi\r\n0\r\n\r\n"])
def test_values__are_trimmed(server, fields):
    assert ask(server, b"POST /echo HTTP/1.1\r\nhost: x\r\n" + fields, tls=True)[0].body == b"entity=2"


@pytest.mark.patch(25)
@pytest.mark.parametrize("target", [b"http://x/hello", b"https://X:8443/hello", b"HTTP://[::1]/hello?a", b"/hello"])
def test_target__may_be_in_absolute_form(server, target):
    response, goes_on = ask(server, b"GET " + target + b" HTTP/1.1\r\nhost: y\r\n\r\n")
    assert (response.body, goes_on) == (b"hello", True)


@pytest.mark.patch(25)
@pytest.mark.parametrize("line", [b"GET hello", b"GET *", b"GET http:///hello", b"GET http://a@b/hello", b"GET ftp://x/hello",
                                  b"G(T /hello"])
def test_target__that_is_none_is_refused(server, line):
    response, goes_on = ask(server, line + b" HTTP/1.1\r\nhost: x\r\n\r\n")
    assert (response.status, goes_on) == (400, False)


@pytest.mark.patch(25)
@pytest.mark.parametrize("host", [b"a b", b"a/b", b"u@x", b"x:http", b"[::1", b"x:123456"])
def test_host__that_is_none_is_refused(server, host):
    assert ask(server, b"GET /hello HTTP/1.1\r\nhost: " + host + b"\r\n\r\n")[0].status == 400


@pytest.mark.patch(25)
@pytest.mark.parametrize("connection, goes_on", [
    (b"connection: close\r\nconnection: keep-alive\r\n", False),
    (b"connection: keep-alive, Close\r\n", False),
    (b"connection: te\r\n", True),
    (b"", True),
])  # fmt: skip
def test_connection__closes_if_anyone_says_so(server, connection, goes_on):
    assert ask(server, b"GET /hello HTTP/1.1\r\nhost: x\r\n" + connection + b"\r\n")[1] is goes_on


@pytest.mark.patch(25)
def test_expectation__of_http10_is_ignored(server):
    head = b"POST /echo HTTP/1.0\r\nexpect: 100-continue\r\ncontent-length: 2\r\n\r\n"
    response, _ = ask(server, head + b"hi")
    assert (response.body, response.interim) == (b"entity=2", 0)


@pytest.mark.patch(25)
def test_http10__ends_with_an_answer_that_has_no_length(server):
    response, _ = ask(server, b"GET /stream HTTP/1.0\r\nconnection: keep-alive\r\n\r\n", has_body=False)
    assert b"connection: close" in response.head.lower()
    _, goes_on = ask(server, b"GET /hello HTTP/1.0\r\nconnection: keep-alive\r\n\r\n")
    assert goes_on


@pytest.mark.patch(26)
@pytest.mark.parametrize("path", ["/echo", "/hold-read"])
def test_expectation__is_answered_over_http2(server, path):
    with Http2(server.tls_port, tls=True) as client:
        client.send(headers(1, request(path, "POST", expect="100-continue", content_length=2), end_stream=False))
        interim = client.frames_until(lambda f: f.type == HEADERS)[-1]
        assert not interim.flags & END_STREAM and interim.payload.endswith(b"\x08\x03100")
        client.send(frame(DATA, END_STREAM, 1, b"hi"))
        assert client.response(1)[1] == b"entity=2"


@pytest.mark.patch(26)
def test_expectation__of_a_body_that_nobody_wants_gets_the_answer(server):
    with Http2(server.port) as client:
        client.send(headers(1, request("/drop", "POST", expect="100-continue", content_length=2), end_stream=False))
        first = client.frames_until(lambda f: f.type == HEADERS)[-1]
        assert b"100" not in first.payload
