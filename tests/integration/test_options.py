"""Options: flags win over the environment, bad values stop the start, listeners."""

import subprocess

import pytest

from lib.paths import BINARY
from lib.ports import free_port



@pytest.mark.parametrize("name, value", [
    ("TIDEWAY_LISTEN", "nonsense"),
    ("TIDEWAY_LISTEN", "127.0.0.1:99999"),
    ("TIDEWAY_TLS", "maybe"),
    ("TIDEWAY_WORKERS", "-1"),
    ("TIDEWAY_WORKERS", "many"),
    ("TIDEWAY_RUNTIME", "postgres"),
    ("TIDEWAY_HEARTBEAT_MS", "-1"),
    ("TIDEWAY_RETRY_MS", "1s"),
    ("TIDEWAY_MAX_STREAMS_PER_CONNECTION", "100001"),
    ("TIDEWAY_MAX_TOPICS", "0"),
    ("TIDEWAY_MAX_PAYLOAD_BYTES", "99999999999999999999"),
    ("TIDEWAY_LOG_LEVEL", "loud"),
    ("TIDEWAY_LOG_FORMAT", "xml"),
    ("TIDEWAY_NODE_ID", "two words"),
    ("TIDEWAY_NODE_ID", "n" * 129),
    ("TIDEWAY_NODE_ID", "two\nlines"),
    ("TIDEWAY_OPS_LISTEN", "9090"),
    ("TIDEWAY_CORS_CREDENTIALS", "yes"),
])
def test_options__bad_value_is_one_line_with_name_value_and_range(start_gateway, name, value):
    gateway = start_gateway(ready=False, environment={name: value})
    assert gateway.wait_exit() == 64
    lines = [line for line in gateway.output if line.strip()]
    assert len(lines) == 1, lines
    assert value.replace("\n", "?") in lines[0]
    assert name in lines[0] or name[8:].lower().replace("_", "-") in lines[0]


ORIGINS = "origins such as https://app.example"
ADDRESSES = "host:port or [v6]:port"
NETWORKS = "networks such as 10.0.0.0/8"
KEYS = "at least one, comma-separated"
URLS = "redis+cluster://"


@pytest.mark.parametrize("name, value, wrong, form", [
    *(("TIDEWAY_CORS_ORIGINS", f"https://app.example,{wrong}", wrong, ORIGINS) for wrong in (
        "app.example", "https://", "https://app.example/path", "https://user@app.example", "https://*", "https://*.",
        "https://a*.example", "https://app.*", "https://*.*.example", "https://*.10.0.0.1", "https://a..b", "null",
        "https://app.example:", "https://app.example:65536", "https://app.example?", "https://bücher.example",
        "https://10.0.1", "https://[::1", "//app.example", "**")),
    ("TIDEWAY_LISTEN", "127.0.0.1:1,nonsense", "nonsense", ADDRESSES),
    ("TIDEWAY_LISTEN", "127.0.0.1:1,::1", "::1", ADDRESSES),
    ("TIDEWAY_LISTEN", " , ", " , ", ADDRESSES),
    ("TIDEWAY_TRUSTED_PROXIES", "10.0.0.0/8, proxy", "proxy", NETWORKS),
    ("TIDEWAY_TRUSTED_PROXIES", "10.0.0.0/33", "10.0.0.0/33", NETWORKS),
    ("TIDEWAY_TRUSTED_PROXIES", "10.0.0.1,::1/129", "::1/129", NETWORKS),
    ("SSE_PUBLISHER_API_KEYS", " , ", "", KEYS),
    ("TIDEWAY_REDIS_URL", "http://127.0.0.1", "http://127.0.0.1", URLS),
    ("TIDEWAY_REDIS_URL", "redis+sentinel://a:1,b:x/main", "b:x", "port"),
])
def test_options__bad_item_of_a_list_ends_the_start_with_what_is_allowed(start_gateway, name, value, wrong, form):
    gateway = start_gateway(ready=False, environment={name: value})
    assert gateway.wait_exit() == 64
    lines = [line for line in gateway.output if line.strip()]
    assert len(lines) == 1, lines
    for part in (name, wrong, form):
        assert part in lines[0]


def test_options__the_password_of_a_bad_url_is_not_shown(start_gateway):
    gateway = start_gateway(ready=False, environment={"TIDEWAY_REDIS_URL": "redis://u:hunter2@host:port"})
    assert gateway.wait_exit() == 64
    assert "TIDEWAY_REDIS_URL" in gateway.text() and "hunter2" not in gateway.text()


def test_options__a_bad_flag_is_named_as_it_was_written(start_gateway):
    gateway = start_gateway(ready=False, arguments=["--cors-origins", "app.example"])
    assert gateway.wait_exit() == 64
    assert "--cors-origins is" in gateway.text()


def test_options__unknown_flag_is_refused(start_gateway):
    gateway = start_gateway(ready=False, arguments=["--no-such-flag"])
    assert gateway.wait_exit() == 64
    assert "--no-such-flag" in gateway.text() and "did you mean" not in gateway.text()


def test_options__misspelt_flag_is_refused_with_what_was_meant(start_gateway):
    gateway = start_gateway(ready=False, arguments=["--cors-origin=https://app.example"])
    assert gateway.wait_exit() == 64
    assert '"--cors-origin": did you mean --cors-origins?' in gateway.text()


def unknown_variables(gateway):
    return {line["variable"]: line.get("didYouMean") for line in gateway.logs
            if line["message"] == "unknown variable: it has no effect"}


def test_options__misspelt_variables_are_warnings_with_what_was_meant(start_gateway):
    gateway = start_gateway(environment={
        "TIDEWAY_CORS_ORIGIN": "x", "TIDEWAY_HEARTBEATS_MS": "x", "TIDEWAY_MAX_SREAMS": "x", "TIDEWAY_MAX_TOPCIS": "x",
        "TIDEWAY_listen": "x", "SSE_PUBLISHER_API_KEY": "hunter2", "TIDEWAY_NOTHING_LIKE_IT": "x", "TIDEWAY_": "x"})
    assert unknown_variables(gateway) == {
        "TIDEWAY_CORS_ORIGIN": "TIDEWAY_CORS_ORIGINS", "TIDEWAY_HEARTBEATS_MS": "TIDEWAY_HEARTBEAT_MS",
        "TIDEWAY_MAX_SREAMS": "TIDEWAY_MAX_STREAMS", "TIDEWAY_MAX_TOPCIS": "TIDEWAY_MAX_TOPICS",
        "TIDEWAY_listen": "TIDEWAY_LISTEN", "SSE_PUBLISHER_API_KEY": "SSE_PUBLISHER_API_KEYS",
        "TIDEWAY_NOTHING_LIKE_IT": None, "TIDEWAY_": None}
    assert "hunter2" not in gateway.text()


def test_options__variables_of_kubernetes_services_are_no_mistakes(start_gateway):
    gateway = start_gateway(environment={
        "TIDEWAY_SERVICE_HOST": "10.0.0.1", "TIDEWAY_SERVICE_PORT": "443", "TIDEWAY_SERVICE_PORT_HTTPS": "443",
        "TIDEWAY_PORT": "tcp://10.0.0.1:443", "TIDEWAY_PORT_443_TCP": "tcp://10.0.0.1:443",
        "TIDEWAY_PORT_443_TCP_PROTO": "tcp", "TIDEWAY_PORT_443_TCP_PORT": "443", "TIDEWAY_PORT_443_TCP_ADDR": "10.0.0.1",
        "TIDEWAY_REDIS_SERVICE_HOST": "10.0.0.2", "TIDEWAY_REDIS_SERVICE_PORT": "6379",
        "TIDEWAY_REDIS_PORT": "tcp://10.0.0.2:6379", "TIDEWAY_REDIS_PORT_6379_TCP_ADDR": "10.0.0.2"})
    assert unknown_variables(gateway) == {}


def test_options__flag_wins_over_the_environment(start_gateway):
    gateway = start_gateway(max_topics=1, arguments=["--max-topics", "2"])
    assert gateway.h2().subscribe("a", "b").status == 200


def test_options__flag_may_carry_its_value_after_an_equals_sign(start_gateway):
    gateway = start_gateway(max_topics=1, arguments=["--max-topics=2"])
    assert gateway.h2().subscribe("a", "b").status == 200


def test_options__help_names_them_all():
    done = subprocess.run([BINARY, "--help"], capture_output=True, text=True, check=True, timeout=20)
    for name in ("SSE_PUBLISHER_API_KEYS", "TIDEWAY_LISTEN", "TIDEWAY_OPS_LISTEN", "TIDEWAY_TLS_CERT",
                 "TIDEWAY_REDIS_URL", "TIDEWAY_RESUME_WINDOW_MS", "TIDEWAY_CORS_ORIGINS"):
        assert name in done.stdout


def test_options__version():
    done = subprocess.run([BINARY, "--version"], capture_output=True, text=True, check=True, timeout=20)
    assert done.stdout.strip()


def test_listen__ipv6(start_gateway, protocol):
    gateway = start_gateway(host="::1")
    stream = gateway.client(protocol).subscribe("a")
    assert gateway.deliver("a", "x") == 1
    assert stream.wait_events(1)
    assert "::1" in gateway.admin("/connections")["data"][0]["remoteAddress"]


def addresses(gateway, hosts):
    """What the gateway shows of one stream over each of the hosts."""
    shown = []
    for gateway.host in hosts:
        stream = gateway.h2().subscribe("a")
        row = next(row for row in gateway.admin("/connections")["data"] if row["connectionId"] == stream.connection_id)
        shown.append(row["remoteAddress"].rsplit(":", 1)[0])
    return shown


def test_listen__any_ipv6_address_serves_both_families(start_gateway):
    port = free_port()
    gateway = start_gateway(listen=f"[::]:{port}")
    gateway.port = port
    assert addresses(gateway, ["127.0.0.1", "::1"]) == ["127.0.0.1", "[::1]"]


@pytest.mark.parametrize("listen", ["[::]:{0},0.0.0.0:{0}", "0.0.0.0:{0},[::]:{0}", "127.0.0.1:{0},[::]:{0}",
                                    "[::]:{0},127.0.0.1:{0}"])
def test_listen__both_families_may_be_named(start_gateway, listen):
    port = free_port()
    gateway = start_gateway(listen=listen.format(port))
    gateway.port = port
    assert addresses(gateway, ["127.0.0.1", "::1"]) == ["127.0.0.1", "[::1]"]


def test_listen__several_addresses(start_gateway):
    first, second = free_port(), free_port()
    gateway = start_gateway(listen=f"127.0.0.1:{first},[::1]:{second}")
    gateway.port = first
    stream = gateway.h2().subscribe("a")
    gateway.host, gateway.port = "::1", second
    assert gateway.deliver("a", "x", client=gateway.h2()) == 1
    assert stream.wait_events(1)


def test_listen__port_in_use_is_a_clear_error(gateway, start_gateway):
    other = start_gateway(ready=False, listen=f"127.0.0.1:{gateway.port}")
    assert other.wait_exit() != 0
    assert str(gateway.port) in other.text()
