"""The keys: how they may be written, and that every other one is refused."""

import hashlib
import os
import signal

import pytest

from lib.waiting import wait_until


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


# --- keys of a file

def from_file(start_gateway, path, text, **options):
    path.write_text(text)
    return start_gateway(environment={"SSE_PUBLISHER_API_KEYS_FILE": str(path), **options.pop("environment", {})},
                         **options)


def write_in_place(path, text):
    path.write_text(text)


def rename_over(path, text):
    path.with_suffix(".new").write_text(text)
    os.replace(path.with_suffix(".new"), path)


def test_auth__keys_of_a_file_count_with_those_of_the_option(start_gateway, tmp_path):
    gateway = from_file(start_gateway, tmp_path / "keys", "\none\r\ntwo , three\n\n", keys="option")
    for key in ("option", "one", "two", "three"):
        assert status(gateway, f"Bearer {key}") == 202
    assert status(gateway, "Bearer two , three") == 401


def test_auth__a_file_alone_is_enough(start_gateway, tmp_path):
    gateway = from_file(start_gateway, tmp_path / "keys", "only\n", keys="")
    assert status(gateway, "Bearer only") == 202


@pytest.mark.parametrize("replace", [write_in_place, rename_over])
def test_auth__a_changed_file_is_read_again(start_gateway, tmp_path, replace):
    gateway = from_file(start_gateway, tmp_path / "keys", "old\nstays\n", keys="option")
    replace(tmp_path / "keys", "stays\nnew\n")
    wait_until(lambda: status(gateway, "Bearer new") == 202, "the new key to count")
    assert status(gateway, "Bearer old") == 401
    assert status(gateway, "Bearer stays") == status(gateway, "Bearer option") == 202
    gateway.wait_log(message="keys reloaded")


def test_auth__a_replaced_link_is_noticed(start_gateway, tmp_path):
    """Kubernetes replaces the link ..data on the way to a mounted secret."""
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "keys").write_text(name)
    (tmp_path / "..data").symlink_to("first")
    (tmp_path / "keys").symlink_to("..data/keys")
    gateway = start_gateway(keys="", environment={"SSE_PUBLISHER_API_KEYS_FILE": str(tmp_path / "keys")})
    assert status(gateway, "Bearer first") == 202
    (tmp_path / "..data_tmp").symlink_to("second")
    os.replace(tmp_path / "..data_tmp", tmp_path / "..data")
    wait_until(lambda: status(gateway, "Bearer second") == 202, "the new key to count")
    assert status(gateway, "Bearer first") == 401


def test_auth__sighup_reads_the_file_at_once(start_gateway, tmp_path):
    gateway = from_file(start_gateway, tmp_path / "keys", "old", keys="option")
    gateway.signal(signal.SIGHUP)
    gateway.wait_log(message="keys reloaded")
    assert status(gateway, "Bearer old") == 202


@pytest.mark.parametrize("text", ["", " \n, ,\r\n", None])
def test_auth__a_changed_file_without_a_key_keeps_the_old_ones(start_gateway, tmp_path, text):
    path = tmp_path / "keys"
    gateway = from_file(start_gateway, path, "old", keys="option")
    if text is None:
        path.unlink()
    else:
        path.write_text(text)
    gateway.wait_log(level="error", message="keys not reloaded: the old ones stay in use", file=str(path))
    assert status(gateway, "Bearer old") == status(gateway, "Bearer option") == 202
    path.write_text("new")
    wait_until(lambda: status(gateway, "Bearer new") == 202, "the new key to count")
    assert status(gateway, "Bearer old") == 401


@pytest.mark.parametrize("text", ["", "\n ,", None])
def test_auth__start_with_a_file_without_a_key_is_refused(start_gateway, tmp_path, text):
    path = tmp_path / "keys"
    if text is not None:
        path.write_text(text)
    gateway = start_gateway(ready=False, environment={"SSE_PUBLISHER_API_KEYS_FILE": str(path)})
    assert gateway.wait_exit() == 64
    assert len([line for line in gateway.output if line.strip()]) == 1
    assert "SSE_PUBLISHER_API_KEYS_FILE" in gateway.text() and str(path) in gateway.text()


def test_auth__short_keys_are_one_warning(start_gateway, tmp_path):
    gateway = from_file(start_gateway, tmp_path / "keys", "short\n0123456789abcdef\n", keys="also-short,0123456789abcdefg")
    warnings = [line for line in gateway.logs if "too short" in line.get("message", "")]
    assert [(line["level"], line["count"]) for line in warnings] == [("warn", 2)]
    gateway = from_file(start_gateway, tmp_path / "long", "0123456789abcdef", keys="0123456789abcdefg")
    assert "too short" not in gateway.text()


def fingerprint(key):
    return hashlib.sha256(key.encode()).hexdigest()[:8]


def test_auth__what_operators_do_is_logged_with_address_and_key(start_gateway):
    gateway = start_gateway(trusted_proxies="127.0.0.1")
    client = gateway.h2()
    stream = client.subscribe("a")
    told = [("x-forwarded-for", "192.0.2.10")]
    for _ in range(20):
        answer = client.request("GET", "/v1/admin/nodes?a=b", [("authorization", "Bearer wrong-key"), *told])
        assert answer.status == 401
    assert client.request("GET", "/v1/admin/nodes", told).status == 401
    right = [gateway.auth(), *told]
    assert client.request("DELETE", f"/v1/admin/connections/{stream.connection_id}", right).status == 204
    assert client.request("DELETE", "/v1/admin/tail?topic=a", right).status == 204
    assert gateway.wait_log(message="operator closes a connection").items() >= {
        "connectionId": stream.connection_id, "address": "192.0.2.10", "key": fingerprint("test-key")}.items()
    assert gateway.wait_log(message="operator has a topic's events forgotten").items() >= {
        "topic": "a", "address": "192.0.2.10", "key": fingerprint("test-key")}.items()
    refused = gateway.wait_log(message="admin key refused")
    assert refused.items() >= {"level": "warn", "path": "/v1/admin/nodes", "address": "192.0.2.10",
                               "key": fingerprint("wrong-key"), "count": 1}.items()
    audit = gateway.admin("/audit")
    actions = [(entry["action"], entry["about"]) for entry in audit["data"]]
    assert actions[:2] == [("operator has a topic's events forgotten", "a"),
                           ("operator closes a connection", stream.connection_id)]
    assert actions[-1] == ("admin key refused", "/v1/admin/nodes")
    assert {(entry["address"], entry["key"]) for entry in audit["data"]} == {
        ("192.0.2.10", fingerprint("test-key")), ("192.0.2.10", fingerprint("wrong-key"))}
    for _ in range(205):
        client.request("DELETE", "/v1/admin/connections/%FF", right)
    audit = gateway.admin("/audit")["data"]
    assert len(audit) == 200 and {entry["about"] for entry in audit} == {"(not UTF-8)"}
    gateway.stop()
    lines = [line for line in gateway.output if "admin key refused" in line]
    assert len(lines) < 15 and not any("wrong-key" in line or "test-key" in line for line in gateway.output)
