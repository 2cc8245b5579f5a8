"""TLS: what is negotiated, and certificates that change while streams are open."""

import os
import shutil
import signal
import socket
import ssl

import pytest

from lib.certificates import make_authority, make_certificate, make_expired_certificate
from lib.clients import client_tls, connect
from lib.h2_client import H2Client
from lib.key_updates import KeyUpdates
from lib.waiting import DEADLINE_S, wait_until



def shown_certificate(gateway):
    """The certificate that a new connection is shown, as PEM."""
    return ssl.get_server_certificate(gateway.address)


def negotiate(gateway, **options):
    sock = connect(gateway.address, client_tls(**options))
    try:
        return sock.version(), sock.selected_alpn_protocol(), sock.cipher()[0]
    finally:
        sock.close()


def test_tls__versions_and_protocols(gateway):
    v12, v13 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3
    assert negotiate(gateway)[:2] == ("TLSv1.3", "h2")
    assert negotiate(gateway, maximum=v12)[:2] == ("TLSv1.2", "h2")
    assert negotiate(gateway, minimum=v13, alpn=("http/1.1",))[:2] == ("TLSv1.3", "http/1.1")
    assert negotiate(gateway, alpn=("http/1.1", "h2"))[1] == "h2"
    assert negotiate(gateway, alpn=())[1] is None
    with pytest.raises(ssl.SSLError):
        negotiate(gateway, alpn=("spdy/3",))


def test_tls__changes_of_keys_are_bounded(gateway):
    """A client may change its keys now and then; one that does nothing else is closed."""
    def refused():
        return gateway.metrics()['tideway_refused_total{limit="key_updates"}']

    request = b"GET /healthz HTTP/1.1\r\nhost: g\r\n\r\n"
    with socket.create_connection((gateway.host, gateway.port), DEADLINE_S) as sock:
        tls = KeyUpdates(sock, b"http/1.1")
        sock.sendall(tls.updates(5) + tls.written(request))
        answer = b""
        while not answer.endswith(b"}"):
            answer += tls.read(DEADLINE_S)
        assert refused() == 0
        sock.sendall(tls.updates(1000) + tls.written(request))
        assert tls.read(DEADLINE_S) == b""
        assert refused() == 1


def test_tls__client_without_alpn_speaks_http1(gateway):
    stream = gateway.h1(context=client_tls(alpn=())).subscribe("a")
    assert gateway.deliver("a", "x") == 1
    assert stream.wait_events(1)


def test_tls__ephemeral_certificate_is_for_localhost_and_warned_about(gateway, tmp_path):
    pem = tmp_path / "shown.pem"
    pem.write_text(shown_certificate(gateway))
    context = client_tls(verify=str(pem))
    assert H2Client(gateway.address, context).request("GET", "/healthz").status == 200
    assert any(line.get("level") == "warn" for line in gateway.logs)


def test_tls__sessions_resume_on_every_worker(start_gateway):
    gateway = start_gateway(workers=4)
    context = client_tls(maximum=ssl.TLSVersion.TLSv1_2)
    sock = connect(gateway.address, context)
    session = sock.session
    sock.close()
    for _ in range(8):
        sock = connect(gateway.address, context, session=session)
        assert sock.session_reused
        sock.close()


def replace(source, target):
    os.replace(shutil.copy(source, target + ".new"), target)


@pytest.mark.parametrize("trigger", ["SIGHUP", "change"])
def test_tls__reload_drops_no_stream(start_gateway, tmp_path, certificate, trigger):
    gateway = start_gateway(tls_cert=certificate[0], tls_key=certificate[1])
    streams = [gateway.h2().subscribe("a"), gateway.h1().subscribe("a")]
    before = shown_certificate(gateway)
    fresh = make_certificate(tmp_path, "fresh")
    replace(fresh[0], certificate[0])
    replace(fresh[1], certificate[1])
    if trigger == "SIGHUP":
        gateway.signal(signal.SIGHUP)
    wait_until(lambda: shown_certificate(gateway) != before, "the new certificate")
    assert shown_certificate(gateway).split() == open(fresh[0], encoding="ascii").read().split()
    assert gateway.deliver("a", "after") == 2
    for stream in streams:
        assert stream.wait_events(1)[0].data == "after"


def test_tls__bad_pair_at_reload_keeps_the_old_one(start_gateway, tmp_path, certificate):
    gateway = start_gateway(tls_cert=certificate[0], tls_key=certificate[1])
    before = shown_certificate(gateway)
    stream = gateway.h2().subscribe("a")
    replace(make_certificate(tmp_path, "other")[1], certificate[1])
    gateway.signal(signal.SIGHUP)
    wait_until(lambda: any(line.get("level") == "error" and certificate[1] in str(line)
                           for line in gateway.logs), "the error line")
    assert shown_certificate(gateway) == before
    assert gateway.deliver("a", "x") == 1
    assert stream.wait_events(1)


@pytest.mark.parametrize("what", ["missing", "mismatch", "garbage", "expired", "half"])
def test_tls__bad_pair_at_start_is_one_clear_line(start_gateway, tmp_path, certificate, what):
    cert, key = certificate
    options = {"tls_cert": cert, "tls_key": key}
    culprit = key
    if what == "missing":
        os.remove(key)
    elif what == "mismatch":
        replace(make_certificate(tmp_path, "other")[1], key)
    elif what == "garbage":
        (tmp_path / "server.crt").write_text("no certificate")
        culprit = cert
    elif what == "expired":
        options = dict(zip(("tls_cert", "tls_key"), make_expired_certificate(tmp_path)))
        culprit = options["tls_cert"]
    else:
        del options["tls_key"]
        culprit = "TIDEWAY_TLS_KEY"
    gateway = start_gateway(ready=False, **options)
    assert gateway.wait_exit() != 0
    lines = [line for line in gateway.output if line.strip()]
    assert culprit in lines[-1]


def test_tls__off_speaks_http1_and_prior_knowledge_h2(start_gateway, protocol):
    gateway = start_gateway(tls=False)
    stream = gateway.client(protocol).subscribe("a")
    assert gateway.deliver("a", "x") == 1
    assert stream.wait_events(1)


def test_tls__client_that_never_shakes_hands_is_closed(gateway):
    with socket.create_connection(gateway.address) as silent:
        silent.settimeout(30)
        assert silent.recv(1) == b""


@pytest.mark.parametrize("change, alert", [
    (lambda context: context.set_alpn_protocols(["foo"]), "no application protocol"),
    (lambda context: context.set_ciphers("AES128-SHA256"), "(?i)handshake.failure"),
], ids=["unknown protocol", "no common cipher"])
def test_tls__handshakes_that_fail_end_with_an_alert(gateway, change, alert):
    """RFC 8446 6.2, RFC 7301 3.2."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    change(context)
    with socket.create_connection(gateway.address) as tcp:
        with pytest.raises(ssl.SSLError, match=alert):
            context.wrap_socket(tcp, server_hostname="localhost")


def test_tls__cleartext_on_a_tls_port_ends_that_connection_only(gateway):
    with socket.create_connection(gateway.address) as plain:
        plain.settimeout(DEADLINE_S)
        plain.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert b"200 OK" not in plain.recv(4096)
    assert gateway.h2().request("GET", "/healthz").status == 200


def answers(gateway, protocol):
    """One of each kind."""
    client = gateway.client(protocol)
    publish = [gateway.auth(), ("x-sse-topic", "a"), ("x-sse-id", "1")]
    yield client.request("GET", "/healthz")
    yield client.request("GET", "/nothing")
    yield client.request("GET", "/admin/")
    yield client.request("POST", "/v1/publish", publish, "dropped")
    yield client.request("POST", "/v1/publish", publish[1:], "refused")
    yield gateway.client(protocol).subscribe("a")
    yield client.request("POST", "/v1/publish", publish, "accepted")


def test_tls__browsers_are_told_to_use_nothing_else_if_so_wished(start_gateway, protocol):
    gateway = start_gateway(hsts_seconds=31536000)
    for answer in answers(gateway, protocol):
        assert answer.headers["strict-transport-security"] == "max-age=31536000"
        assert answer.headers["x-content-type-options"] == "nosniff"


def test_tls__nothing_of_it_is_said_by_default_or_over_cleartext(start_gateway, protocol):
    for options in ({}, {"tls": False, "hsts_seconds": 31536000}):
        for answer in answers(start_gateway(**options), protocol):
            assert "strict-transport-security" not in answer.headers
            assert answer.headers["x-content-type-options"] == "nosniff"


def test_tls__sighup_with_the_ephemeral_certificate_says_that_nothing_was_loaded(gateway):
    shown = shown_certificate(gateway)
    gateway.signal(signal.SIGHUP)
    gateway.wait_log(message="certificate not reloaded: it is ephemeral, there are no files")
    assert not any(line.get("message") == "certificate reloaded" for line in gateway.logs)
    assert shown_certificate(gateway) == shown


def joined(path, *parts):
    path.write_text("".join(open(part, encoding="ascii").read() for part in parts))
    return path


@pytest.mark.parametrize("what", ["self-signed", "signed", "key"])
def test_tls__a_second_certificate_or_key_is_refused(start_gateway, tmp_path, what):
    """It would never be served, and nobody would know."""
    authority = make_authority(tmp_path)
    pairs = {"self-signed": [make_certificate(tmp_path, name) for name in ("one", "two")],
             "signed": [(authority.server, authority.server_key), (authority.client, authority.client_key)],
             "key": [(authority.server, authority.server_key)] * 2}[what]
    certificates = joined(tmp_path / "both.crt", *(pair[0] for pair in pairs))
    keys = joined(tmp_path / "both.key", pairs[0][1], authority.client_key if what == "key" else pairs[1][1])
    gateway = start_gateway(ready=False, tls_cert=certificates, tls_key=pairs[0][1] if what != "key" else keys)
    gateway.wait_exit()
    assert f"contains a second {'private key' if what == 'key' else 'server certificate'}" in gateway.text()


def test_tls__a_second_certificate_is_refused_at_reload(start_gateway, tmp_path):
    one, two = make_certificate(tmp_path, "one"), make_certificate(tmp_path, "two")
    live = [shutil.copy(part, tmp_path / f"live{number}") for number, part in enumerate(one)]
    gateway = start_gateway(tls_cert=live[0], tls_key=live[1])
    shown = shown_certificate(gateway)
    joined(tmp_path / "live0", one[0], two[0])
    gateway.signal(signal.SIGHUP)
    line = gateway.wait_log(message="certificate not reloaded: the old one stays in use")
    assert "contains a second server certificate" in line["reason"]
    assert shown_certificate(gateway) == shown


def test_tls__a_chain_is_no_second_certificate(start_gateway, tmp_path):
    authority = make_authority(tmp_path)
    chain = joined(tmp_path / "chain.pem", authority.server, authority.ca)
    both = joined(tmp_path / "all.pem", authority.server_key, chain, authority.server_key)
    gateway = start_gateway(tls_cert=both, tls_key=both)
    context = client_tls(verify=str(authority.ca))
    assert H2Client(gateway.address, context).request("GET", "/healthz").status == 200
