"""The keys: how they may be written, and that every other one is refused."""

import pytest


def status(gateway, value, protocol="h2"):
    headers = [("x-sse-topic", "a"), ("x-sse-id", "1")]
    if value is not None:
        headers.append(("authorization", value))
    return gateway.client(protocol).request("POST", "/v1/publish", headers, "x").status


@pytest.mark.parametrize("value", [
    "Bearer test-key", "bearer test-key", "BEARER test-key", "Bearer   test-key",
])
def test_auth__valid_key_is_accepted(gateway, protocol, value):
    assert status(gateway, value, protocol) == 202


@pytest.mark.parametrize("value", [
    None, "", "Bearer", "Bearer ", "test-key", "Basic test-key", "Bearer test-ke", "Bearer test-key2",
    "Bearer Test-key", "Bearertest-key", "Bearer test-key test-key", "Bearer test-key,",
])
def test_auth__anything_else_is_refused(gateway, protocol, value):
    assert status(gateway, value, protocol) == 401


def test_auth__each_of_several_keys_is_accepted(start_gateway):
    gateway = start_gateway(keys="first-key, second-key ,third-key")
    for key in ("first-key", "second-key", "third-key"):
        assert status(gateway, f"Bearer {key}") == 202
    for key in ("first-key,second-key", "fourth-key", ",", " "):
        assert status(gateway, f"Bearer {key}") == 401


def test_auth__white_space_around_keys_is_no_part_of_them(start_gateway):
    """A mounted secret often ends with a line end."""
    gateway = start_gateway(keys="first-key\n, \r\nsecond-key\t\r\n,\n")
    for key in ("first-key", "second-key"):
        assert status(gateway, f"Bearer {key}") == 202


def test_auth__streams_and_health_need_none(gateway, protocol):
    assert gateway.client(protocol).subscribe("a").status == 200
    assert gateway.client(protocol).request("GET", "/healthz").status == 200


def test_auth__keys_never_reach_the_log(gateway):
    status(gateway, "Bearer hunter2-wrong-key")
    status(gateway, "Bearer test-key")
    gateway.stop()
    assert "hunter2-wrong-key" not in gateway.text()
    assert "test-key" not in gateway.text()


def test_auth__start_without_keys_is_refused(start_gateway):
    for keys in ("", " , ", "\n,\r\n"):
        gateway = start_gateway(ready=False, keys=keys)
        assert gateway.wait_exit() != 0
        assert "SSE_PUBLISHER_API_KEYS" in gateway.text()
