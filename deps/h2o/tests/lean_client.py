"""A client of the server of lean streams: it decodes headers, gathers bodies, and can misbehave as well."""

import collections
import http.client
import json
import select
import socket
import struct
import time

import hpack

from clients import (
    ACK,
    CANCEL,
    DATA,
    END_HEADERS,
    END_STREAM,
    GOAWAY,
    HEADERS,
    PING,
    PREFACE,
    RST_STREAM,
    SETTINGS,
    WINDOW_MAX,
    WINDOW_UPDATE,
    Frame,
    frame as encode,
    tls_context,
)

DEADLINE_S = 20
EVENT_SIZE = 32


def event(number, size=EVENT_SIZE):
    """What the server of lean streams sends as its event of that number."""
    return (b"%010d" % number).ljust(size - 1, b".") + b"\n"


def events(first, last, size=EVENT_SIZE):
    return b"".join(event(number, size) for number in range(first, last + 1))


class Closed(Exception):
    """The server has closed the connection."""


class Client:
    """One connection. Nothing is answered by itself, save SETTINGS and PING."""

    def __init__(self, port, tls=False, settings=(), connection_window=WINDOW_MAX, rcvbuf=None):
        self.socket = socket.socket()
        if rcvbuf:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, rcvbuf)
        self.socket.connect(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if tls:
            self.socket = tls_context("h2").wrap_socket(self.socket)
            assert self.socket.selected_alpn_protocol() == "h2"
        self.tls = tls
        self.encoder, self.decoder = hpack.Encoder(), hpack.Decoder()
        self.input = b""
        self.answers_ping = True
        self.next_stream = 1
        self.frames = collections.deque()  # received, not yet looked at
        self.body = collections.defaultdict(bytearray)  # stream -> DATA
        self.headers = {}  # stream -> dict
        self.ended, self.reset = set(), {}  # streams with END_STREAM; stream -> error code
        self.server_settings = {}
        self.goaway = None  # (last stream, error code)
        self.data_order = []  # stream of each DATA frame with payload
        self.send(PREFACE + encode(SETTINGS, 0, 0, b"".join(struct.pack(">HI", *kv) for kv in settings)))
        if connection_window > 65535:
            self.window_update(0, connection_window - 65535)

    def close(self):
        self.socket.close()

    def abort(self):
        """Makes the kernel send a reset."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        if self.tls:
            self.socket.unwrap = None
        self.socket.close()

    # ---- sending ----

    def send(self, data):
        self.socket.sendall(data)

    def send_frame(self, kind, flags, stream, payload=b""):
        self.send(encode(kind, flags, stream, payload))

    def window_update(self, stream, increment):
        self.send_frame(WINDOW_UPDATE, 0, stream, struct.pack(">I", increment))

    def settings(self, *pairs):
        self.send_frame(SETTINGS, 0, 0, b"".join(struct.pack(">HI", *kv) for kv in pairs))

    def rst_stream(self, stream, code=CANCEL):
        self.send_frame(RST_STREAM, 0, stream, struct.pack(">I", code))

    def header_block(self, path, method="GET"):
        return self.encoder.encode(
            [(":method", method), (":scheme", "https"), (":authority", "localhost"), (":path", path)]
        )

    def request(self, path, method="GET", body=None):
        """Sends a request and returns its stream."""
        stream, self.next_stream = self.next_stream, self.next_stream + 2
        flags = END_HEADERS | (END_STREAM if body is None else 0)
        self.send_frame(HEADERS, flags, stream, self.header_block(path, method))
        if body is not None:
            self.send_frame(DATA, END_STREAM, stream, body)
        return stream

    def requests(self, path, count):
        """As request(), `count` times in one write."""
        first, self.next_stream = self.next_stream, self.next_stream + 2 * count
        streams = range(first, self.next_stream, 2)
        self.send(
            b"".join(encode(HEADERS, END_HEADERS | END_STREAM, stream, self.header_block(path)) for stream in streams)
        )
        return list(streams)

    # ---- receiving ----

    def receive(self, timeout=DEADLINE_S, bytes_max=262144):
        """Reads once from the socket and takes in what has come. False if nothing came in time."""
        if not (self.tls and self.socket.pending()) and not select.select([self.socket], [], [], timeout)[0]:
            return False
        try:
            data = self.socket.recv(bytes_max)
        except OSError as error:
            raise Closed from error
        if not data:
            raise Closed
        self.input += data
        offset = 0
        while len(self.input) - offset >= 9:
            length = int.from_bytes(self.input[offset : offset + 3], "big")
            if len(self.input) - offset < 9 + length:
                break
            kind, flags = self.input[offset + 3], self.input[offset + 4]
            stream = int.from_bytes(self.input[offset + 5 : offset + 9], "big")
            self.take(Frame(kind, flags, stream, self.input[offset + 9 : offset + 9 + length]))
            offset += 9 + length
        self.input = self.input[offset:]
        return True

    def take(self, frame):
        self.frames.append(frame)
        if frame.type == DATA:
            self.body[frame.stream] += frame.payload
            if frame.payload:
                self.data_order.append(frame.stream)
        elif frame.type == HEADERS:
            assert frame.flags & END_HEADERS
            self.headers[frame.stream] = dict(self.decoder.decode(frame.payload))
        elif frame.type == RST_STREAM:
            (self.reset[frame.stream],) = struct.unpack(">I", frame.payload)
        elif frame.type == SETTINGS and not frame.flags & ACK:
            for offset in range(0, len(frame.payload), 6):
                key, value = struct.unpack_from(">HI", frame.payload, offset)
                self.server_settings[key] = value
            self.send_frame(SETTINGS, ACK, 0)
        elif frame.type == PING and not frame.flags & ACK and self.answers_ping:
            self.send_frame(PING, ACK, 0, frame.payload)
        elif frame.type == GOAWAY:
            self.goaway = struct.unpack(">II", frame.payload[:8])
        if frame.type in (DATA, HEADERS) and frame.flags & END_STREAM:
            self.ended.add(frame.stream)

    def until(self, condition, what="condition"):
        """Receives until the condition holds."""
        deadline = time.monotonic() + DEADLINE_S
        while not condition():
            left = deadline - time.monotonic()
            assert left > 0 and self.receive(left), f"not within {DEADLINE_S} s: {what}"

    def until_closed(self):
        deadline = time.monotonic() + DEADLINE_S
        try:
            while self.receive(max(0, deadline - time.monotonic())):
                assert time.monotonic() < deadline
        except Closed:
            return
        raise AssertionError("the server keeps the connection")

    def round_trip(self):
        """Returns when the server has handled all that was sent before."""
        token = struct.pack(">Q", time.monotonic_ns())
        self.send_frame(PING, 0, 0, token)
        self.until(
            lambda: any(f.type == PING and f.flags & ACK and f.payload == token for f in self.frames), "answer to PING"
        )


class Control:
    """Drives the test server over an HTTP/1.1 connection of its own."""

    def __init__(self, port):
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=DEADLINE_S)

    def get(self, path):
        self.connection.request("GET", path)
        response = self.connection.getresponse()
        body = response.read()
        assert response.status == 200, (path, response.status, body)
        return body

    def stats(self):
        return json.loads(self.get("/stats"))

    def until(self, condition, what="condition"):
        """Polls the statistics until the condition holds for them, and returns them."""
        deadline = time.monotonic() + DEADLINE_S
        while True:
            stats = self.stats()
            if condition(stats):
                return stats
            assert time.monotonic() < deadline, f"not within {DEADLINE_S} s: {what}: {stats}"
            time.sleep(0.01)
