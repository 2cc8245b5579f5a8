"""TLS and libuv: reads, writes and closing."""

import ssl
import time

import pytest

from clients import (
    ACK,
    PING,
    PREFACE,
    Connection,
    Http1,
    Http2,
    frame,
    headers,
    ping,
    request,
    settings,
    tls_context,
    wait_until,
    window_update,
)


class RawTls(Connection):
    """TLS over memory buffers, to see and change what goes over the wire."""

    def __init__(self, port, **options):
        super().__init__(port, **options)
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = tls_context("h2").wrap_bio(self.incoming, self.outgoing)
        while True:
            try:
                self.tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                self.flush()
                assert self.receive_records()
        self.flush()

    def flush(self):
        data = self.outgoing.read()
        if data:
            self.send(data)

    def write(self, data):
        self.tls.write(data)
        self.flush()

    def encrypt(self, data):
        self.tls.write(data)
        return self.outgoing.read()

    def receive_records(self, timeout=10):
        alive = self.receive(time.monotonic() + timeout)
        self.incoming.write(self.input)
        self.input = b""
        return alive

    def read_until(self, wanted, timeout=10):
        """Decrypts until `wanted` is in the plain text, and returns it; fails if the server closes."""
        plain, deadline = b"", time.monotonic() + timeout
        while wanted not in plain:
            try:
                data = self.tls.read(65536)
                assert data, "closed by the server"
                plain += data
            except ssl.SSLWantReadError:
                assert self.receive_records(deadline - time.monotonic()), "closed by the server"
        return plain


@pytest.mark.patch(4)
@pytest.mark.parametrize("size", [8190, 8191, 8192, 8193, 4096, 16384])
def test_read__exactly_as_large_as_the_buffer_is_no_error(server, size):
    with RawTls(server.tls_port) as client:
        client.write(PREFACE + settings() + ping(b"prepared"))
        client.read_until(frame(PING, ACK, 0, b"prepared"))
        plain = size - 22  # of a TLS 1.3 record
        data = ping(b"filler--") * ((plain - 9) // 17)
        data += frame(0x99, 0, 0, b"z" * (plain - len(data) - 9))
        record = client.encrypt(data)
        assert len(record) == size
        client.send(record)
        client.write(ping(b"is-alive"))
        client.read_until(frame(PING, ACK, 0, b"is-alive"))


@pytest.mark.patch(5)
@pytest.mark.parametrize("protocol", ["h2", "http/1.1"])
def test_write__error_after_a_reset_frees_the_connection(start_server, protocol):
    server = start_server(http2_idle_ms=100, http1_request_ms=100)
    with Http1(server.port) as client:
        client.send(b"GET /hello HTTP/1.1\r\nhost: x\r\n\r\n")
        client.read_response()
    before = server.descriptors()
    for _ in range(20):
        client = Http2(server.tls_port, tls=True) if protocol == "h2" else Http1(server.tls_port, tls=True)
        if protocol == "h2":
            client.frames_until_ping()
        else:
            client.send(b"GET /hello HTTP/1.1\r\nhost: x\r\n\r\n")
            client.read_response()
        client.reset()
    wait_until(lambda: server.descriptors() <= before, message="descriptors are closed")


@pytest.mark.patch(5)
def test_write__after_a_corrupt_record_closes_the_connection(server):
    """The error comes while a write is in flight, and there is more to write."""
    with RawTls(server.tls_port, receive_buffer=4096) as client:
        client.write(PREFACE + settings(window=0x7FFFFFFF) + window_update(0, 0x7FFF0000 - 65535))
        client.write(b"".join(headers(1 + 2 * n, request("/big")) for n in range(10)))
        client.write(ping() * 50)
        wait_until(lambda: server.stats()["requests"] == 10)
        client.write(ping() * 50)
        client.send(b"\x17\x03\x03\x00\x40" + b"\xee" * 64)
        client.wait_for_end()


@pytest.mark.patch(5)
@pytest.mark.parametrize("tls", [False, True])
def test_write__of_an_empty_part_succeeds(server, tls):
    with Http1(server.tls_port if tls else server.port, tls=tls) as client:
        client.send(b"GET /empty-part HTTP/1.1\r\nhost: x\r\n\r\nGET /hello HTTP/1.1\r\nhost: x\r\n\r\n")
        assert client.read_response().body == b"hello"
        assert client.read_response().body == b"hello"


def close_notify(client):
    """Sends the record that ends the client's side; what is sent afterwards is no longer TLS."""
    try:
        client.tls.unwrap()
    except ssl.SSLError:
        pass
    return client.outgoing.read()


@pytest.mark.patch(18)
def test_close_notify__what_follows_is_dropped(server):
    with RawTls(server.tls_port) as client:
        client.write(PREFACE + settings() + headers(1, request("/stream")))
        client.read_until(b"\x00\x00\x00\x01")
        wait_until(lambda: server.stats()["requests"] == 1)
        before = server.resident_bytes()
        client.send(close_notify(client))
        sent = 0
        try:
            while sent < 64 << 20:
                client.send(b"\x17" * 65519, timeout=2)
                sent += 65519
        except (ConnectionError, TimeoutError):
            pass
        assert server.resident_bytes() - before < 16 << 20
        wait_until(lambda: server.stats()["disposed"] == 1, message="the connection is closed")


@pytest.mark.patch(18)
def test_close_notify__a_request_in_the_same_flight_is_answered(server):
    with RawTls(server.tls_port) as client:
        client.write(PREFACE + settings())
        client.read_until(b"\x00\x00\x00\x04")
        records = client.encrypt(headers(1, request("/hello")))
        client.send(records + close_notify(client))
        client.read_until(b"hello")


@pytest.mark.patch(27)
def test_handshake__that_fails_ends_with_an_alert(server):
    with Connection(server.tls_port) as client:
        context = tls_context("h2")
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        context.set_ciphers("AES128-SHA256")  # not with a certificate of ECDSA
        with pytest.raises(ssl.SSLError, match="(?i)handshake.failure"):
            context.wrap_socket(client.tcp)
