"""TIDEWAY_ADMIN_LISTEN: what is for operators has an address of its own."""

import pytest

from lib.ports import free_port

FOR_OPERATORS = ["/admin/", "/admin", "/admin/topics", "/", "/v1/admin/topics", "/v1/admin/connections", "/v1/admin/nodes",
                 "/v1/admin/stats", "/v1/admin/tail?topic=a", "/v1/admin/topics/a/tail"]


@pytest.fixture(params=[True, False], ids=["tls", "cleartext"])
def gateway(request, start_gateway):
    gateway = start_gateway(tls=request.param, admin_listen=f"127.0.0.1:{(port := free_port())}")
    gateway.admin_port = port
    return gateway


def ask(gateway, protocol, port, path, method="GET", headers=()):
    gateway.port, main = port, gateway.port
    try:
        return gateway.client(protocol).request(method, path, [gateway.auth(), *headers])
    finally:
        gateway.port = main


def test_admin_listener__the_main_one_has_nothing_for_operators(gateway, protocol):
    for path in FOR_OPERATORS:
        for host in ("admin", "main", "localhost"):
            answer = ask(gateway, protocol, gateway.port, path, headers=[("x-forwarded-host", host)])
            assert (answer.status, answer.json()["error"]["code"]) == (404, "not_found"), path
    assert ask(gateway, protocol, gateway.port, "/v1/admin/connections/x", "DELETE").status == 404
    assert ask(gateway, protocol, gateway.port, "/v1/admin/topics", "OPTIONS").status == 404
    assert gateway.client(protocol).subscribe("a").status == 200
    assert gateway.deliver("a", "x") == 1


def test_admin_listener__serves_operators(gateway, protocol):
    gateway.client(protocol).subscribe("a")
    assert ask(gateway, protocol, gateway.admin_port, "/v1/admin/topics").json()["total"] == 1
    for path in FOR_OPERATORS:
        assert ask(gateway, protocol, gateway.admin_port, path).status in (200, 302), path
    # The admin UI publishes, too.
    answer = ask(gateway, protocol, gateway.admin_port, "/v1/publish", "POST", [("x-sse-topic", "a"), ("x-sse-id", "1")])
    assert answer.json()["delivered"] == 1


def test_admin_listener__no_name_of_a_host_opens_it_on_the_main_one(gateway):
    client = gateway.h1()
    for host in ("admin", "admin:65535", "main"):
        exchange = client.start_raw(f"GET /v1/admin/topics HTTP/1.1\r\nHost: {host}\r\n"
                                    f"Authorization: Bearer {gateway.key}\r\n\r\n".encode())
        assert exchange.wait_end().status == 404


def test_admin_listener__without_it_the_main_one_serves_all(start_gateway, protocol):
    gateway = start_gateway()
    assert ask(gateway, protocol, gateway.port, "/v1/admin/topics").status == 200


def test_admin_listener__bad_address_ends_the_start(start_gateway):
    gateway = start_gateway(ready=False, admin_listen="nonsense")
    assert gateway.wait_exit() == 64
    assert "TIDEWAY_ADMIN_LISTEN" in gateway.text() and "host:port" in gateway.text()
