"""Every error of the contract, in one table, on both protocols; what they look like is in check()."""

import pytest

AUTH = ("authorization", "Bearer test-key")
TOPIC = ("x-sse-topic", "a")
ID = ("x-sse-id", "1")
STREAM, PUBLISH, ADMIN = "/v1/stream", "/v1/publish", "/v1/admin"
MANY = ",".join(f"t{n}" for n in range(65))


def check(answer, status, code):
    assert answer.status == status, answer.body
    assert answer.headers["content-type"].startswith("application/json")
    body = answer.json()
    assert set(body) == {"error"} and {"code", "message"} <= set(body["error"])
    assert body["error"]["code"] == code
    assert body["error"]["message"]
    return body["error"]["message"]


ERRORS = [
    # Topics
    ("GET", STREAM, [], 400, "missing_topic"),
    ("GET", STREAM, [("x-sse-topic", " , ,")], 400, "missing_topic"),
    ("GET", STREAM + "?topic=", [], 400, "missing_topic"),
    ("GET", STREAM, [("x-sse-topic", "a b")], 400, "invalid_topic"),
    ("GET", STREAM, [("x-sse-topic", "x" * 256)], 400, "invalid_topic"),
    ("GET", STREAM + "?topic=a%20b", [], 400, "invalid_topic"),
    ("GET", STREAM + "?topic=%C3%A9", [], 400, "invalid_topic"),
    ("GET", STREAM + "?topic=a%00", [], 400, "invalid_topic"),
    ("GET", STREAM, [("x-sse-topic", MANY)], 400, "too_many_topics"),
    *(("GET", STREAM, [("x-sse-topic", name)], 400, "invalid_topic") for name in (".", "..", "a, ..,b")),
    ("GET", STREAM + "?topic=%2e%2e", [], 400, "invalid_topic"),
    ("POST", PUBLISH, [AUTH, ID, ("x-sse-topic", "a,.")], 400, "invalid_topic"),
    ("GET", ADMIN + "/connections?topic=..", [AUTH], 400, "invalid_topic"),
    *(("GET", ADMIN + path, [AUTH], 400, code) for path, code in (
        ("/tail", "missing_topic"), ("/tail/stream", "missing_topic"), ("/tail?topics=a", "missing_topic"),
        ("/tail?topic=", "invalid_topic"), ("/tail?topic=a%20b", "invalid_topic"), ("/tail?topic=..", "invalid_topic"),
        ("/tail/stream?topic=.", "invalid_topic"), ("/tail?topic=a&limit=x", "invalid_limit"))),
    *((method, ADMIN + "/connections" + query, [AUTH], 400, code) for method, query, code in (
        ("DELETE", "", "invalid_subject"), ("DELETE", "?subject=", "invalid_subject"),
        ("DELETE", "?subject=%ff", "invalid_subject"), ("DELETE", "?subject=a%00", "invalid_subject"),
        ("DELETE", "?subject=" + "x" * 257, "invalid_subject"), ("GET", "?subject=", "invalid_subject"),
        ("GET", "?subject=a&topic=b", "conflicting_filters"), ("GET", "?subject=a&prefix=b", "conflicting_filters"))),
    ("POST", ADMIN + "/revocations", [AUTH], 400, "invalid_revocation"),
    ("POST", PUBLISH, [AUTH, ID], 400, "missing_topic"),
    ("POST", PUBLISH, [AUTH, ID, ("x-sse-topic", ",")], 400, "missing_topic"),
    ("POST", PUBLISH, [AUTH, ID, ("x-sse-topic", "a,b c")], 400, "invalid_topic"),
    ("POST", PUBLISH, [AUTH, ID, ("x-sse-topic", MANY)], 400, "too_many_topics"),
    ("POST", PUBLISH + "?topic=a", [AUTH, ID], 400, "missing_topic"),
    # Ids
    ("POST", PUBLISH, [AUTH, TOPIC], 400, "missing_id"),
    ("POST", PUBLISH, [AUTH, TOPIC, ("x-sse-id", "x" * 257)], 400, "invalid_id"),
    ("POST", PUBLISH, [AUTH, TOPIC, ("x-sse-id", "~1")], 400, "invalid_id"),
    ("POST", PUBLISH, [AUTH, TOPIC, ID, ("x-sse-event", "tideway.gap")], 400, "invalid_event"),
    ("POST", PUBLISH, [AUTH, TOPIC, ID, ("x-sse-event", "tideway.")], 400, "invalid_event"),
    ("GET", STREAM, [TOPIC, ("x-sse-id", "x" * 129)], 400, "invalid_id"),
    ("GET", STREAM + "?id=%07", [TOPIC], 400, "invalid_id"),
    ("GET", STREAM + "?id=%07", [TOPIC, ("x-sse-id", "")], 400, "invalid_id"),
    ("GET", STREAM + "?id=%07", [TOPIC, ("x-sse-id", "me")], 400, "invalid_id"),
    # Keys
    ("POST", PUBLISH, [TOPIC, ID], 401, "unauthorized"),
    ("POST", PUBLISH, [TOPIC, ID, ("authorization", "Bearer wrong")], 401, "unauthorized"),
    ("POST", PUBLISH, [], 401, "unauthorized"),
    ("GET", ADMIN + "/topics", [], 401, "unauthorized"),
    ("GET", ADMIN + "/connections", [], 401, "unauthorized"),
    ("GET", ADMIN + "/topics/a/tail", [], 401, "unauthorized"),
    ("GET", ADMIN + "/tail?topic=a", [], 401, "unauthorized"),
    ("GET", ADMIN + "/tail/stream?topic=a", [], 401, "unauthorized"),
    ("DELETE", ADMIN + "/tail?topic=a", [], 401, "unauthorized"),
    ("DELETE", ADMIN + "/tail", [AUTH], 400, "missing_topic"),
    ("DELETE", ADMIN + "/tail?topic=..", [AUTH], 400, "invalid_topic"),
    ("GET", ADMIN + "/nodes", [], 401, "unauthorized"),
    # Paging
    *(("GET", f"{ADMIN}/{what}?page={value}", [AUTH], 400, "invalid_page")
      for what in ("topics", "connections") for value in ("0", "-1", "x", "", "1.5", "1e3")),
    *(("GET", f"{ADMIN}/{what}?pageSize={value}", [AUTH], 400, "invalid_page_size")
      for what in ("topics", "connections") for value in ("0", "-1", "x", "")),
    *(("GET", f"{ADMIN}/topics/a/tail?limit={value}", [AUTH], 400, "invalid_limit")
      for value in ("0", "-1", "x", "")),
    # Paths and methods
    ("GET", "/v1", [], 404, "not_found"),
    ("GET", "/v1/streams", [TOPIC], 404, "not_found"),
    ("GET", "/v1/stream/x", [TOPIC], 404, "not_found"),
    ("GET", "/v2/stream", [TOPIC], 404, "not_found"),
    ("GET", ADMIN + "/nothing", [AUTH], 404, "not_found"),
    ("POST", STREAM, [TOPIC], 405, "method_not_allowed"),
    ("DELETE", STREAM, [TOPIC], 405, "method_not_allowed"),
    ("GET", PUBLISH, [AUTH, TOPIC, ID], 405, "method_not_allowed"),
    ("PUT", PUBLISH, [AUTH, TOPIC, ID], 405, "method_not_allowed"),
    ("POST", "/healthz", [], 405, "method_not_allowed"),
    ("POST", ADMIN + "/topics", [AUTH], 405, "method_not_allowed"),
    ("POST", ADMIN + "/nodes", [AUTH], 405, "method_not_allowed"),
]


@pytest.mark.parametrize("protocol", ["h2", "h1"])
def test_errors__whole_table(gateway, protocol):
    """One gateway for the table: the process also survives all of it."""
    failures = []
    for method, path, headers, status, code in ERRORS:
        client = gateway.client(protocol)
        try:
            message = check(client.request(method, path, headers), status, code)
            if code == "invalid_topic" and ("x-sse-topic", "a,b c") in headers:
                assert "b c" in message, "the message names the topic"
        except AssertionError as failure:
            failures.append(f"{method} {path} {headers}: {failure}")
        client.close()
    assert not failures, "\n".join(failures)


@pytest.mark.parametrize("protocol", ["h2", "h1"])
def test_errors__allow_and_challenge_headers(gateway, protocol):
    client = gateway.client(protocol)
    assert "GET" in client.request("POST", STREAM, [TOPIC]).headers["allow"]
    client = gateway.client(protocol)
    assert "POST" in client.request("GET", PUBLISH).headers["allow"]
    client = gateway.client(protocol)
    challenge = client.request("POST", PUBLISH, [TOPIC, ID]).headers["www-authenticate"]
    assert challenge.startswith("Bearer")


@pytest.mark.parametrize("payload", [
    b"nul \0 inside", b"\xff", b"cut \xc3", b"\xc0\xaf", b"\xed\xa0\x80", b"\xf4\x90\x80\x80",
    b"\xf5\x80\x80\x80", b"x" * 65535 + b"\xc3",
])
def test_errors__payload_that_is_no_text(gateway, protocol, payload):
    stream = gateway.client(protocol).subscribe("a")
    check(gateway.publish("a", payload, client=gateway.client(protocol)), 400, "invalid_payload")
    gateway.deliver("a", "good")
    assert stream.wait_events(1)[0].data == "good"


def test_errors__payload_over_the_limit(start_gateway, protocol):
    gateway = start_gateway(max_payload_bytes=10000)
    stream = gateway.client(protocol).subscribe("a")
    gateway.deliver("a", "x" * 10000, client=gateway.client(protocol))
    check(gateway.publish("a", "x" * 10001, client=gateway.client(protocol)), 413,
          "payload_too_large")
    # One that grows past the limit without having said so.
    client = gateway.client(protocol)
    exchange = client.start("POST", PUBLISH, [AUTH, TOPIC, ID], "x" * 6000, end=False)
    client.send_body(exchange, "x" * 6000, end=False)
    check(exchange.wait_body(), 413, "payload_too_large")
    gateway.deliver("a", "good")
    assert stream.wait_events(2)[1].data == "good"


def test_errors__too_large_by_its_length_is_refused_unread(start_gateway):
    gateway = start_gateway(max_payload_bytes=10000)
    gateway.h2().subscribe("a")
    exchange = gateway.h1().start("POST", PUBLISH, [AUTH, TOPIC, ID, ("content-length", "10001")],
                                  framing=False)
    check(exchange.wait_body(), 413, "payload_too_large")


def test_errors__topic_limit_is_an_option(start_gateway, protocol):
    gateway = start_gateway(max_topics=3)
    assert gateway.client(protocol).subscribe("a", "b", "a").status == 200
    answer = gateway.client(protocol).subscribe("a", "b", "c", "a").wait_end()
    assert "3" in check(answer, 400, "too_many_topics")
    answer = gateway.client(protocol).subscribe("a", "b", "a", query="?topic=a").wait_end()
    check(answer, 400, "too_many_topics")


@pytest.mark.parametrize("request_bytes", [
    b"GET / HTTP/1.1\r\n\r\n\r\n", b"NONSENSE\r\n\r\n", b"GET /v1/stream HTTP/3.9\r\n\r\n",
    b"\0\0\0\0\0\0\0\0", b"POST /v1/publish HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n",
    b"POST /v1/publish HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
    b"POST /v1/publish HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    b"GET /v1/stream HTTP/1.1\r\nHost: a\r\nx: " + b"y" * 100000 + b"\r\n\r\n",
])
def test_errors__broken_http1_ends_that_connection_only(gateway, request_bytes):
    stream = gateway.h2().subscribe("a")
    client = gateway.h1()
    client.send(request_bytes)
    client.pump(0.2)
    client.close()
    assert gateway.deliver("a", "alive") == 1
    assert stream.wait_events(1)


def test_errors__broken_http2_ends_that_connection_only(gateway):
    stream = gateway.h2().subscribe("a")
    for junk in (b"\0" * 64, b"\xff" * 64, b"\0\0\x08\x06\x00\0\0\0\x01pingpong", b"GET / HTTP/1.1\r\n"):
        client = gateway.h2()
        client.wait_settings()
        client.send(junk)
        client.wait_closed()
    assert gateway.deliver("a", "alive") == 1
    assert stream.wait_events(1)


NO_REQUESTS = {
    "nonsense": b"NONSENSE\r\n\r\n",
    "header without a colon": b"GET / HTTP/1.1\r\nHost\r\n\r\n",
    "control character": b"GET / HTTP/1.1\r\nHo\x01st: a\r\n\r\n",
    "no version": b"GET /\r\nHost: a\r\n\r\n",
    "zeros": b"\0\0\0\0\0\0\0\0",
    "too long": b"GET /v1/stream HTTP/1.1\r\nHost: a\r\nx: " + b"y" * 430000,
}


@pytest.mark.parametrize("request_bytes", NO_REQUESTS.values(), ids=NO_REQUESTS.keys())
def test_errors__what_is_no_request_gets_the_same_kind_of_answer(gateway, request_bytes):
    client = gateway.h1()
    client.start("GET", "/healthz").wait_end()
    exchange = client.start_raw(request_bytes)
    too_long = len(request_bytes) > 65536
    check(exchange.wait_end(), 431 if too_long else 400, "headers_too_large" if too_long else "bad_request")
    client.wait_closed()


def test_options__of_the_whole_server(gateway):
    """RFC 9112 section 3.2.4."""
    answer = gateway.h1().request("OPTIONS", "*")
    assert (answer.status, answer.headers["allow"]) == (204, "GET, POST, DELETE, OPTIONS")
    assert gateway.h1().request("GET", "*").status in (400, 405)
