"""What the HTTP clients of the tests share: connections over TLS, and exchanges. See h1_client.py and h2_client.py.

A client belongs to one thread and reads only while one of its waiting functions runs, so that a test
decides when it is slow. Everything that waits polls a condition until a deadline and then fails.
"""

import contextlib
import json
import select
import socket
import ssl
import time
import zlib

from lib.sse import Parser
from lib.waiting import DEADLINE_S


def client_tls(alpn=("h2",), minimum=None, maximum=None, verify=None):
    """A client context; `verify` is a PEM file that the server's certificate must be in."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if verify:
        context.load_verify_locations(verify)
    else:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if alpn:
        context.set_alpn_protocols(list(alpn))
    if minimum:
        context.minimum_version = minimum
    if maximum:
        context.maximum_version = maximum
    return context


def connect(address, context=None, receive_buffer=None, session=None, source=None, first=b""):
    """A connected socket; `context` None: cleartext; `receive_buffer`: SO_RCVBUF in bytes; `source`: the address to come
    from; `first`: what is sent before TLS."""
    family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        if receive_buffer:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        sock.settimeout(DEADLINE_S)
        if source:
            sock.bind((source, 0))
        sock.connect(address)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if first:
            sock.sendall(first)
        if context:
            sock = context.wrap_socket(sock, server_hostname="localhost", session=session)
        return sock
    except BaseException:
        sock.close()
        raise


class Exchange:
    """One request and what came of its response so far."""

    def __init__(self, client):
        self.client = client
        self.stream_id = None
        self.status = None
        self.headers = {}
        self.body = bytearray()
        self.ended = False
        self.reset = None  # HTTP/2 error code, once the stream was reset
        self.interim = []  # statuses of 1xx responses
        self.stream = Parser()
        self._unzip = None

    def on_headers(self, status, headers):
        self.status, self.headers = status, headers

    def on_data(self, data):
        if self.headers.get("content-encoding") == "gzip":
            self._unzip = self._unzip or zlib.decompressobj(wbits=31)
            data = self._unzip.decompress(data)
        if self.headers.get("content-type", "").startswith("text/event-stream"):
            self.stream.feed(data)
        else:
            self.body += data

    def wait_response(self, timeout=DEADLINE_S):
        self.client.wait(lambda: self.status is not None, "a response", timeout)
        return self

    def wait_end(self, timeout=DEADLINE_S):
        self.client.wait(lambda: self.ended or self.reset is not None, "the end", timeout)
        return self

    def wait_body(self, timeout=DEADLINE_S):
        """Waits for a JSON body to be complete; its stream may still be open."""
        self.client.wait(lambda: self.status and _is_json(self.body), "a JSON body", timeout)
        return self

    def json(self):
        return json.loads(self.body)

    # Of an event stream:

    @property
    def events(self):
        return self.stream.events

    @property
    def connection_id(self):
        return self.headers["x-sse-connection-id"]

    def wait_events(self, count, timeout=DEADLINE_S):
        """Waits for that many events in all and returns them."""
        self.client.wait(lambda: len(self.events) >= count, f"{count} events", timeout,
                         lambda: f"there are {len(self.events)}")
        return self.events

    def data(self):
        return [event.data for event in self.events]

    def close(self):
        self.client.cancel(self)


def _is_json(body):
    try:
        json.loads(body)
        return True
    except ValueError:
        return False


class Client:
    def __init__(self, address, context, **options):
        self.address = address
        self.sock = connect(address, context, **options)
        self.closed = False  # by the peer
        self._poll = select.poll()  # select() knows no descriptors above 1023
        self._poll.register(self.sock, select.POLLIN)

    def close(self):
        with contextlib.suppress(OSError):
            self.sock.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def send(self, data):
        try:
            self.sock.sendall(data)
        except (BrokenPipeError, ConnectionResetError, ssl.SSLError):
            self.closed = True

    def wait(self, condition, what="it", timeout=DEADLINE_S, state=lambda: ""):
        """Reads until the condition holds; fails when it does not within the timeout (seconds)."""
        deadline = time.monotonic() + timeout
        while not condition():
            left = deadline - time.monotonic()
            assert left > 0, f"waited {timeout} s for {what}; {state()}"
            assert not self.closed, f"the connection closed while waiting for {what}; {state()}"
            self.pump(min(left, 0.5))

    def wait_closed(self, timeout=DEADLINE_S):
        deadline = time.monotonic() + timeout
        while not self.closed:
            left = deadline - time.monotonic()
            assert left > 0, f"the peer did not close within {timeout} s"
            self.pump(min(left, 0.5))

    def pump(self, timeout=0.0):
        """Takes in what has come, waiting at most so long for the first of it."""
        pending = isinstance(self.sock, ssl.SSLSocket) and self.sock.pending()
        if not pending and not self._poll.poll(timeout * 1000):
            return
        try:
            data = self.sock.recv(1 << 18)
        except (ssl.SSLWantReadError, socket.timeout):
            return
        except (ConnectionResetError, ssl.SSLError):
            data = b""
        if data:
            self.receive(data)
        else:
            self.closed = True
            self.on_closed()

    def on_closed(self):
        pass

    def receive(self, data):
        raise NotImplementedError

    def start(self, method, path, headers=(), body=None, end=True):
        raise NotImplementedError

    def request(self, method, path, headers=(), body=None, timeout=DEADLINE_S):
        """A whole request; returns when its response has ended."""
        return self.start(method, path, headers, body).wait_end(timeout)

    def subscribe(self, *topics, headers=(), query="", path="/v1/stream"):
        """Opens a stream and returns when its response has begun."""
        if topics:
            headers = [("x-sse-topic", ",".join(topics)), *headers]
        return self.start("GET", path + query, headers).wait_response()
