"""Raw HTTP/2 and HTTP/1.1 clients that can misbehave. They know frames and bytes, and nothing of the server."""

import socket
import ssl
import struct
import time
from collections import namedtuple

DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)
END_STREAM = ACK = 0x1
END_HEADERS = 0x4
NO_ERROR, PROTOCOL_ERROR, INTERNAL_ERROR, FLOW_CONTROL_ERROR = 0, 1, 2, 3
STREAM_CLOSED, REFUSED_STREAM, CANCEL, ENHANCE_YOUR_CALM = 5, 7, 8, 11
HEADER_TABLE_SIZE, MAX_CONCURRENT_STREAMS, INITIAL_WINDOW_SIZE = 1, 3, 4
WINDOW_MAX = 2**31 - 1
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

Frame = namedtuple("Frame", "type flags stream payload")
Response = namedtuple("Response", "status head body interim")


def wait_until(condition, timeout=10.0, message="condition"):
    """Polls until `condition()` is true and returns its value; fails after `timeout` seconds."""
    deadline = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < deadline, f"timed out: {message}"
        time.sleep(0.01)


def frame(type_, flags, stream, payload=b""):
    return struct.pack(">I", len(payload))[1:] + bytes([type_, flags]) + struct.pack(">I", stream) + payload


def settings(**values):
    ids = {"header_table": 1, "push": 2, "streams": 3, "window": 4, "frame": 5}
    return frame(SETTINGS, 0, 0, b"".join(struct.pack(">HI", ids[name], value) for name, value in values.items()))


def window_update(stream, increment):
    return frame(WINDOW_UPDATE, 0, stream, struct.pack(">I", increment))


def rst_stream(stream, error=CANCEL):
    return frame(RST_STREAM, 0, stream, struct.pack(">I", error))


def ping(data=b"12345678", flags=0):
    return frame(PING, flags, 0, data)


def _string(value):
    length, out = len(value), b""
    if length < 127:
        return bytes([length]) + value
    length -= 127
    while length >= 128:
        out += bytes([length % 128 | 128])
        length //= 128
    return bytes([127]) + out + bytes([length]) + value


def literal(name, value, indexed=False):
    """One header field, without Huffman coding; `indexed` adds it to the peer's dynamic table."""
    return (b"\x40" if indexed else b"\x00") + _string(name) + _string(value)


def request(path="/hello", method="GET", **fields):
    pseudo = {":method": method, ":scheme": "https", ":path": path, ":authority": "localhost"}
    fields = {name.replace("_", "-"): value for name, value in fields.items()}
    return b"".join(literal(name.encode(), str(value).encode()) for name, value in {**pseudo, **fields}.items())


def headers(stream, block, end_stream=True, end_headers=True):
    return frame(HEADERS, (END_STREAM if end_stream else 0) | (END_HEADERS if end_headers else 0), stream, block)


def tls_context(alpn):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols([alpn])
    return context


class Connection:
    """A TCP or TLS connection with deadlines instead of blocking."""

    ALPN = "http/1.1"

    def __init__(self, port, tls=False, receive_buffer=None, host="127.0.0.1", source=None):
        self.tcp = socket.socket()
        if source:
            self.tcp.bind((source, 0))
        if receive_buffer:
            self.tcp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.tcp.connect((host, port))
        self.tcp.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket = tls_context(self.ALPN).wrap_socket(self.tcp) if tls else self.tcp
        self.input = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, *parts, timeout=10):
        self.socket.settimeout(timeout)
        self.socket.sendall(b"".join(parts))

    def send_what_fits(self, data):
        """Sends without waiting; returns the number of bytes taken. An error of the connection is raised."""
        self.socket.setblocking(False)
        try:
            return self.socket.send(data)
        except (BlockingIOError, ssl.SSLWantWriteError, ssl.SSLWantReadError):
            return 0

    def receive(self, deadline):
        """Appends what arrives to `input`; False at the end of the connection."""
        left = deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("nothing more came")
        self.socket.settimeout(left)
        try:
            data = self.socket.recv(65536)
        except (ConnectionError, ssl.SSLError) as error:
            if isinstance(error, TimeoutError):
                raise
            data = b""
        self.input += data
        return bool(data)

    def wait_for_end(self, timeout=10):
        """Reads until the server closes; raises TimeoutError if it does not."""
        deadline = time.monotonic() + timeout
        while self.receive(deadline):
            pass
        data, self.input = self.input, b""
        return data

    def reset(self):
        """Ends the connection with a TCP RST."""
        self.tcp_socket().setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def tcp_socket(self):
        return self.socket


class Http2(Connection):
    ALPN = "h2"

    def __init__(self, port, tls=False, receive_buffer=None, handshake=True, source=None, **own_settings):
        super().__init__(port, tls, receive_buffer, source=source)
        self.ended = False
        self.server_settings = {}
        if handshake:
            self.send(PREFACE, settings(**own_settings))
            first = self.next_frame()
            assert first.type == SETTINGS
            self.server_settings = dict(struct.iter_unpack(">HI", first.payload))
            self.send(frame(SETTINGS, ACK, 0))

    def next_frame(self, timeout=10):
        """The next frame, or None if the server has closed; raises TimeoutError."""
        deadline = time.monotonic() + timeout
        while True:
            if len(self.input) >= 9:
                length = int.from_bytes(self.input[:3], "big")
                if len(self.input) >= 9 + length:
                    type_, flags, stream = self.input[3], self.input[4], int.from_bytes(self.input[5:9], "big")
                    payload, self.input = self.input[9 : 9 + length], self.input[9 + length :]
                    return Frame(type_, flags, stream, payload)
            if not self.receive(deadline):
                self.ended = True
                return None

    def frames_until(self, condition, timeout=10):
        """Frames up to the first that satisfies `condition`, that one included; fails if the server closes before."""
        deadline, frames = time.monotonic() + timeout, []
        while True:
            received = self.next_frame(deadline - time.monotonic())
            assert received is not None, f"connection closed after {frames}"
            frames.append(received)
            if condition(received):
                return frames

    def frames_until_ping(self, timeout=10):
        """Frames that the server sends until it answers a PING: everything sent before has been handled then."""
        token = b"sync%04d" % (time.monotonic_ns() % 10000)
        self.send(ping(token))
        frames = self.frames_until(lambda f: f.type == PING and f.flags & ACK and f.payload == token, timeout)
        return frames[:-1]

    def frames_until_end(self, timeout=10):
        deadline, frames = time.monotonic() + timeout, []
        while True:
            received = self.next_frame(deadline - time.monotonic())
            if received is None:
                return frames
            frames.append(received)

    def response(self, stream, timeout=10):
        """Waits for END_STREAM or RST_STREAM of `stream`; returns (frames of it, body)."""
        frames = self.frames_until(
            lambda f: f.stream == stream
            and (f.type == RST_STREAM or f.type in (DATA, HEADERS) and f.flags & END_STREAM),
            timeout,
        )
        own = [f for f in frames if f.stream == stream]
        return own, b"".join(f.payload for f in own if f.type == DATA)


def error_of(frame_):
    """The error code of a RST_STREAM or GOAWAY frame."""
    offset = 4 if frame_.type == GOAWAY else 0
    return struct.unpack_from(">I", frame_.payload, offset)[0]


class Http1(Connection):
    def read_response(self, timeout=10, has_body=True):
        """The next final response; interim ones (100) are counted."""
        deadline, interim = time.monotonic() + timeout, 0
        while True:
            while b"\r\n\r\n" not in self.input:
                assert self.receive(deadline), f"connection closed, got {self.input!r}"
            head, self.input = self.input.split(b"\r\n\r\n", 1)
            status = int(head.split(b" ")[1])
            if status >= 200:
                break
            interim += 1
        fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:])
        body = b""
        if has_body:
            length = int(fields[b"content-length"])
            while len(self.input) < length:
                assert self.receive(deadline), f"connection closed in the body, got {self.input!r}"
            body, self.input = self.input[:length], self.input[length:]
        return Response(status, head, body, interim)
