"""CORS (Fetch standard): browsers of the allowed origins may stream and publish."""

import pytest

ORIGIN = "https://app.example"


def preflight(gateway, protocol, origin=ORIGIN, path="/v1/publish", method="POST"):
    return gateway.client(protocol).request("OPTIONS", path, [
        ("origin", origin), ("access-control-request-method", method),
        ("access-control-request-headers", "authorization,x-sse-topic,x-sse-id")])


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
    allowed = {name.strip().lower()
               for name in answer.headers["access-control-allow-headers"].split(",")}
    assert {"authorization", "x-sse-topic", "x-sse-id"} <= allowed or allowed == {"*"}
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
