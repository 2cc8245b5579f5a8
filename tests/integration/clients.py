"""HTTP clients over TLS for tests: HTTP/2 on python3-h2, a plain HTTP/1.1 one, and curl.

A client belongs to one thread and reads only while one of its waiting functions runs, so that a test
decides when it is slow. Everything that waits polls a condition until a deadline and then fails.
"""

import contextlib
import json
import select
import socket
import ssl
import subprocess
import time

import h2.config
import h2.connection
import h2.errors
import h2.events
import h2.settings

import sse

DEADLINE_S = 20


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


def connect(address, context=None, receive_buffer=None, session=None):
    """A connected socket; `context` None: cleartext; `receive_buffer`: SO_RCVBUF in bytes."""
    family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        if receive_buffer:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        sock.settimeout(DEADLINE_S)
        sock.connect(address)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
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
        self.stream = sse.Parser()

    def on_headers(self, status, headers):
        self.status, self.headers = status, headers

    def on_data(self, data):
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


class _Client:
    def __init__(self, address, context, **options):
        self.address = address
        self.sock = connect(address, context, **options)
        self.closed = False  # by the peer

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
        if not pending and not select.select([self.sock], [], [], timeout)[0]:
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


class H2Client(_Client):
    """One HTTP/2 connection with any number of exchanges."""

    def __init__(self, address, context=None, tls=True, window=1 << 24, credit=True, **options):
        """`window`: what each stream may receive unacknowledged; `credit` False: no more than that."""
        if tls and context is None:
            context = client_tls()
        super().__init__(address, context if tls else None, **options)
        if tls:
            assert self.sock.selected_alpn_protocol() == "h2"
        self.credit = credit
        self.exchanges = {}
        self.goaway = None
        self._received = bytearray()
        self.h2 = h2.connection.H2Connection(h2.config.H2Configuration(header_encoding="utf-8"))
        codes = h2.settings.SettingCodes
        self.h2.local_settings = h2.settings.Settings(client=True, initial_values={
            codes.INITIAL_WINDOW_SIZE: window, codes.ENABLE_PUSH: 0, codes.MAX_FRAME_SIZE: 16384,
            codes.MAX_HEADER_LIST_SIZE: 65536})
        self.h2.initiate_connection()
        self.h2.increment_flow_control_window((1 << 30) - 1)
        self.flush()
        self._settings_seen = False

    def flush(self):
        data = self.h2.data_to_send()
        if data:
            self.send(data)

    def wait_settings(self):
        self.wait(lambda: self._settings_seen, "SETTINGS")
        return self.h2.remote_settings

    def start(self, method, path, headers=(), body=None, end=True):
        """`end` False leaves the request open: finish it with send_body()."""
        self.wait_settings()
        exchange = Exchange(self)
        exchange.stream_id = self.h2.get_next_available_stream_id()
        self.exchanges[exchange.stream_id] = exchange
        fields = [(":method", method), (":scheme", "https"), (":authority", "localhost"),
                  (":path", path), *((name.lower(), value) for name, value in headers)]
        self.h2.send_headers(exchange.stream_id, fields, end_stream=end and not body)
        self.flush()
        if body:
            self.send_body(exchange, body, end)
        return exchange

    def send_body(self, exchange, body, end=True):
        """Sends as the windows allow; returns early when the server has ended or reset the stream."""
        body = memoryview(body.encode() if isinstance(body, str) else body)
        while True:
            if exchange.ended or exchange.reset is not None:
                return
            room = min(self.h2.local_flow_control_window(exchange.stream_id),
                       self.h2.max_outbound_frame_size, len(body))
            if room or not len(body):
                last = room == len(body)
                self.h2.send_data(exchange.stream_id, bytes(body[:room]), end_stream=end and last)
                self.flush()
                body = body[room:]
                if last:
                    return
                self.pump()
            else:
                self.wait(lambda: exchange.ended or exchange.reset is not None or
                          self.h2.local_flow_control_window(exchange.stream_id) > 0, "a window")

    def cancel(self, exchange):
        self.h2.reset_stream(exchange.stream_id, h2.errors.ErrorCodes.CANCEL)
        exchange.reset = h2.errors.ErrorCodes.CANCEL
        self.flush()

    def ping(self):
        """Sends a PING and waits for its answer: what was sent before has been handled."""
        self._pong = False
        self.h2.ping(b"tideway!")
        self.flush()
        self.wait(lambda: self._pong, "the PING's answer")

    def receive(self, data):
        self._received += data
        while len(self._received) >= 9:
            size = 9 + int.from_bytes(self._received[:3], "big")
            if len(self._received) < size:
                break
            frame = bytes(self._received[:size])
            del self._received[:size]
            for event in self.h2.receive_data(frame):
                self._handle(event)
        self.flush()

    def _handle(self, event):
        exchange = self.exchanges.get(getattr(event, "stream_id", None))
        if isinstance(event, h2.events.ResponseReceived):
            fields = dict(event.headers)
            exchange.on_headers(int(fields.pop(":status")), fields)
        elif isinstance(event, h2.events.InformationalResponseReceived):
            exchange.interim.append(int(dict(event.headers)[":status"]))
        elif isinstance(event, h2.events.DataReceived):
            exchange.on_data(event.data)
            if self.credit:
                self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        elif isinstance(event, h2.events.StreamEnded):
            exchange.ended = True
        elif isinstance(event, h2.events.StreamReset):
            exchange.reset = event.error_code
        elif isinstance(event, h2.events.ConnectionTerminated):
            self.goaway = event
            # Streams go on after a GOAWAY (RFC 9113 section 6.8); python3-h2 takes it for the end.
            self.h2.state_machine.state = h2.connection.ConnectionState.CLIENT_OPEN
        elif isinstance(event, h2.events.PingAckReceived):
            self._pong = True
        elif isinstance(event, h2.events.RemoteSettingsChanged):
            self._settings_seen = True


class H1Client(_Client):
    """One HTTP/1.1 connection with one exchange at a time."""

    def __init__(self, address, context=None, tls=True, **options):
        if tls and context is None:
            context = client_tls(alpn=("http/1.1",))
        super().__init__(address, context if tls else None, **options)
        self.buffer = bytearray()
        self.exchange = None
        self._left = None  # of the body or chunk; None: until the connection closes
        self._chunked = False
        self._in_body = False

    def start(self, method, path, headers=(), body=None, end=True, framing=True):
        """`end` False announces chunks and leaves the request open; `framing` False adds no length."""
        assert self.exchange is None or self.exchange.ended, "the last exchange is still open"
        self.exchange = Exchange(self)
        self._in_body = False
        body = body.encode() if isinstance(body, str) else body
        lines = [f"{method} {path} HTTP/1.1", "Host: localhost",
                 *(f"{name}: {value}" for name, value in headers)]
        if framing and not end:
            lines.append("Transfer-Encoding: chunked")
        elif framing and body is not None:
            lines.append(f"Content-Length: {len(body)}")
        self.method = method
        self.send("\r\n".join(lines + ["", ""]).encode("latin-1"))
        if body:
            self.send(b"%x\r\n%s\r\n" % (len(body), body) if not end else body)
        return self.exchange

    def start_raw(self, data):
        """Sends what may be no request at all, and expects a response to it."""
        self.exchange, self.method, self._in_body = Exchange(self), "", False
        self.send(data)
        return self.exchange

    def send_body(self, exchange, body, end=True):
        """One chunk of a request that was left open, and the last one if `end`."""
        body = body.encode() if isinstance(body, str) else body
        chunk = b"%x\r\n%s\r\n" % (len(body), body) if body else b""
        self.send(chunk + (b"0\r\n\r\n" if end else b""))

    def cancel(self, exchange):
        self.close()

    def on_closed(self):
        if self.exchange and self._in_body and self._left is None and not self._chunked:
            self.exchange.ended = True

    def receive(self, data):
        self.buffer += data
        while self.buffer and self.exchange and not self.exchange.ended:
            if not (self._body() if self._in_body else self._head()):
                return

    def _head(self):
        end = self.buffer.find(b"\r\n\r\n")
        if end < 0:
            return False
        head = bytes(self.buffer[:end]).decode("latin-1").split("\r\n")
        del self.buffer[:end + 4]
        version, status = head[0].split(" ")[:2]
        assert version == "HTTP/1.1"
        fields = {}
        for line in head[1:]:
            name, _, value = line.partition(":")
            fields[name.strip().lower()] = value.strip()
        if status.startswith("1"):
            self.exchange.interim.append(int(status))
            return True
        self.exchange.on_headers(int(status), fields)
        self._in_body = True
        self._chunked = fields.get("transfer-encoding", "").lower() == "chunked"
        if self.method == "HEAD" or status in ("204", "304"):
            self._left = 0
        elif self._chunked:
            self._left = None
        else:
            self._left = int(fields["content-length"]) if "content-length" in fields else None
        if self._left == 0:
            self.exchange.ended = True
        return True

    def _body(self):
        if self._chunked:
            return self._chunk()
        data = bytes(self.buffer if self._left is None else self.buffer[:self._left])
        del self.buffer[:len(data)]
        self.exchange.on_data(data)
        if self._left is not None:
            self._left -= len(data)
            self.exchange.ended = self._left == 0
        return True

    def _chunk(self):
        end = self.buffer.find(b"\r\n")
        if end < 0:
            return False
        size = int(bytes(self.buffer[:end]).split(b";")[0], 16)
        if len(self.buffer) < end + 2 + size + 2:
            return False
        data = bytes(self.buffer[end + 2:end + 2 + size])
        assert self.buffer[end + 2 + size:end + 4 + size] == b"\r\n"
        del self.buffer[:end + 4 + size]
        if size:
            self.exchange.on_data(data)
        else:
            self.exchange.ended = True
        return True


def curl(*arguments, data=None, timeout=DEADLINE_S):
    """Runs curl, quiet and without certificate checks, and returns the finished process."""
    return subprocess.run(["curl", "-sk", *arguments], input=data, capture_output=True,
                          timeout=timeout, check=False)
