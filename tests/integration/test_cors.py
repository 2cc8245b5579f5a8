"""CORS (Fetch standard): browsers of the allowed origins may stream and publish."""

import pytest

ORIGIN = "https://app.example"


def preflight(gateway, protocol, origin=ORIGIN, path="/v1/publish", method="POST",
              asked="authorization,x-sse-topic,x-sse-id"):
    return gateway.client(protocol).request("OPTIONS", path, [
        ("origin", origin), ("access-control-request-method", method),
        *([("access-control-request-headers", asked)] if asked is not None else [])])


def allowed_headers(answer):
    return [name.strip() for name in answer.headers["access-control-allow-headers"].split(",")]


def test_cors__is_off_without_the_option(gateway, protocol):
    stream = gateway.client(protocol).subscribe("a", headers=[("origin", ORIGIN)])
    assert stream.status == 200
    assert "access-control-allow-origin" not in stream.headers
    assert "access-control-allow-origin" not in preflight(gateway, protocol).headers


@pytest.mark.parametrize("path, method", [("/v1/publish", "POST"), ("/v1/stream", "GET"),
                                          ("/v1/admin/topics", "GET")])
def test_cors__preflight_of_an_allowed_origin(start_gateway, protocol, path, method):
    gateway = start_gateway(cors_origins=f"https://other.example, {ORIGIN}")
    answer = preflight(gateway, protocol, path=path, method=method)
    assert answer.status in (200, 204)
    assert answer.headers["access-control-allow-origin"] == ORIGIN
    assert method in answer.headers["access-control-allow-methods"]
    assert allowed_headers(answer) == ["authorization", "x-sse-topic", "x-sse-id"]
    assert "origin" in answer.headers["vary"].lower()


def test_cors__other_origins_get_nothing(start_gateway, protocol):
    gateway = start_gateway(cors_origins=ORIGIN)
    for origin in ("https://evil.example", "https://app.example.evil", "http://app.example", "null"):
        assert "access-control-allow-origin" not in preflight(gateway, protocol, origin).headers
        stream = gateway.client(protocol).subscribe("a", headers=[("origin", origin)])
        assert "access-control-allow-origin" not in stream.headers


def test_cors__responses_and_errors_name_the_origin(start_gateway, protocol):
    gateway = start_gateway(cors_origins=ORIGIN)
    stream = gateway.client(protocol).subscribe("a", headers=[("origin", ORIGIN)])
    assert stream.headers["access-control-allow-origin"] == ORIGIN
    assert "x-sse-connection-id" in stream.headers["access-control-expose-headers"].lower()
    error = gateway.client(protocol).request("POST", "/v1/publish", [("origin", ORIGIN)])
    assert error.status == 401
    assert error.headers["access-control-allow-origin"] == ORIGIN


def test_cors__star_allows_every_origin(start_gateway, protocol):
    gateway = start_gateway(cors_origins="*")
    stream = gateway.client(protocol).subscribe("a", headers=[("origin", "https://any.example")])
    assert stream.headers["access-control-allow-origin"] in ("*", "https://any.example")
    assert preflight(gateway, protocol, "https://any.example").status in (200, 204)


@pytest.mark.parametrize("asked", [
    "cache-control,x-requested-with", "traceparent, tracestate,baggage", "sentry-trace", "X-Any_thing.you|like~"])
def test_cors__preflight_gets_the_headers_that_it_asked_for(start_gateway, protocol, asked):
    """Polyfills of EventSource and instrumented pages send headers of their own."""
    gateway = start_gateway(cors_origins=ORIGIN)
    answer = preflight(gateway, protocol, path="/v1/stream", method="GET", asked=asked)
    assert allowed_headers(answer) == [name.strip() for name in asked.split(",")]


def test_cors__preflight_gets_valid_names_and_no_more_than_32(start_gateway, protocol):
    gateway = start_gateway(cors_origins=ORIGIN)
    asked = ["x-a", "x b", "x:c", "", "(x)", *(f"x-{i}" for i in range(40))]
    answer = preflight(gateway, protocol, asked=",".join(asked))
    assert allowed_headers(answer) == ["x-a", *(f"x-{i}" for i in range(31))]


def test_cors__preflight_without_wishes_gets_the_headers_of_the_api(start_gateway, protocol):
    gateway = start_gateway(cors_origins=ORIGIN)
    for asked in (None, "", "(", " , "):
        assert {"authorization", "x-sse-topic", "x-sse-id"} <= set(allowed_headers(preflight(gateway, protocol,
                                                                                             asked=asked)))


@pytest.mark.parametrize("listed", [
    "https://app.example/", "HTTPS://App.Example", "https://app.example:443", "https://app.example:0443/",
    "https://*.example", " https://other.example ,, https://app.example"])
def test_cors__listed_origins_may_be_written_in_several_ways(start_gateway, listed):
    gateway = start_gateway(cors_origins=listed)
    assert preflight(gateway, "h2").headers["access-control-allow-origin"] == ORIGIN
    for origin in ("http://app.example", "https://app.example:8443", "https://app.example.evil"):
        assert "access-control-allow-origin" not in preflight(gateway, "h2", origin).headers


def test_cors__credentials_are_allowed_for_listed_origins(start_gateway, protocol):
    gateway = start_gateway(cors_origins=ORIGIN, cors_credentials="on")
    stream = gateway.client(protocol).subscribe("a", headers=[("origin", ORIGIN)])
    for headers in (stream.headers, preflight(gateway, protocol).headers):
        assert headers["access-control-allow-origin"] == ORIGIN
        assert headers["access-control-allow-credentials"] == "true"
    other = preflight(gateway, protocol, "https://evil.example").headers
    assert "access-control-allow-credentials" not in other


def test_cors__credentials_are_off_without_the_option(start_gateway, protocol):
    gateway = start_gateway(cors_origins=ORIGIN)
    assert "access-control-allow-credentials" not in preflight(gateway, protocol).headers


def test_cors__credentials_of_any_origin_are_refused_at_the_start(start_gateway):
    gateway = start_gateway(ready=False, cors_origins=f"{ORIGIN},*", cors_credentials="on")
    assert gateway.wait_exit() == 64
    assert "TIDEWAY_CORS_CREDENTIALS" in gateway.text() and "TIDEWAY_CORS_ORIGINS" in gateway.text()
