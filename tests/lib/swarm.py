"""Thousands of event streams over one HTTP/2 connection, faster than a complete client can be.

It speaks only what it needs of RFC 9113: it opens streams with one constant header block, keeps what
each of them receives, and credits the connection's window. Streams get the largest window there is.
"""

import ssl
import struct
import time

import hpack

from lib.clients import client_tls, connect
from lib.waiting import DEADLINE_S

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE = 0, 1, 3, 4, 6, 7, 8
END_STREAM, ACK, END_HEADERS = 1, 1, 4
WINDOW = (1 << 31) - 1


def frame(kind, flags, stream_id, payload=b""):
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream_id) + payload


def length(count):
    """An integer with a prefix of seven bits (RFC 7541 section 5.1), below 255: one octet or two."""
    assert count < 255
    return bytes([count]) if count < 127 else bytes([127, count - 127])


def literal(name, value):
    """A short header field without indexing (RFC 7541 section 6.2.2)."""
    name, value = name.encode(), value.encode()
    return b"\0" + length(len(name)) + name + length(len(value)) + value


class Swarm:
    def __init__(self, address, context=None, tls=True):
        context = context or (client_tls() if tls else None)
        self.sock = connect(address, context)
        self.received = {}  # stream id → bytearray of its body
        self.statuses = {}  # stream id → status
        self.ended = set()
        self.reset = {}  # stream id → error code
        self.goaway = False
        self.max_streams = None
        self._next_id = 1
        self._buffer = bytearray()
        self._decoder = hpack.Decoder()
        self._uncredited = 0
        settings = struct.pack(">HIHI", 4, WINDOW, 2, 0)
        self.sock.sendall(PREFACE + frame(SETTINGS, 0, 0, settings) +
                          frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", WINDOW - 65535)))
        self.wait(lambda: self.max_streams is not None, "SETTINGS")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.sock.close()

    def open(self, count, topic=None, headers=None, wait=True):
        """Opens that many streams (`topic` may depend on the number: a function) and returns their ids."""
        ids = []
        out = bytearray()
        for number in range(count):
            name = topic(number) if callable(topic) else topic
            block = b"".join(literal(*field) for field in (
                (":method", "GET"), (":scheme", "https"), (":authority", "localhost"),
                (":path", "/v1/stream"), ("x-sse-topic", name), *(headers or ())))
            out += frame(HEADERS, END_STREAM | END_HEADERS, self._next_id, block)
            ids.append(self._next_id)
            self.received[self._next_id] = bytearray()
            self._next_id += 2
            if len(out) > 65536:
                self.sock.sendall(out)
                out.clear()
                self.pump(0)
        self.sock.sendall(out)
        if wait:
            before = ids[0]
            self.wait(lambda: all(i in self.statuses for i in ids), f"{count} responses",
                      state=lambda: f"{sum(i >= before for i in self.statuses)} have come")
            assert all(self.statuses[i] == 200 for i in ids)
        return ids

    def cancel(self, ids):
        self.sock.sendall(b"".join(frame(RST_STREAM, 0, i, struct.pack(">I", 8)) for i in ids))

    def wait(self, condition, what="it", timeout=DEADLINE_S * 3, state=lambda: ""):
        deadline = time.monotonic() + timeout
        while not condition():
            assert time.monotonic() < deadline, f"waited {timeout} s for {what}; {state()}"
            self.pump(0.2)

    def pump(self, timeout):
        self.sock.settimeout(timeout)
        try:
            data = self.sock.recv(1 << 20)
        except (TimeoutError, ssl.SSLWantReadError, BlockingIOError):
            return
        finally:
            self.sock.settimeout(DEADLINE_S)
        assert data, "the gateway closed the connection"
        self._buffer += data
        self._frames()
        if self._uncredited > 1 << 24:
            self.sock.sendall(frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", self._uncredited)))
            self._uncredited = 0

    def _frames(self):
        buffer, at, end = self._buffer, 0, len(self._buffer)
        while end - at >= 9:
            length = buffer[at] << 16 | buffer[at + 1] << 8 | buffer[at + 2]
            if end - at < 9 + length:
                break
            kind, flags = buffer[at + 3], buffer[at + 4]
            stream_id = int.from_bytes(buffer[at + 5:at + 9], "big")
            payload = buffer[at + 9:at + 9 + length]
            at += 9 + length
            if kind == DATA:
                self.received[stream_id] += payload
                self._uncredited += length
                if flags & END_STREAM:
                    self.ended.add(stream_id)
            else:
                self._other(kind, flags, stream_id, bytes(payload))
        del buffer[:at]

    def _other(self, kind, flags, stream_id, payload):
        if kind == HEADERS:
            fields = dict(self._decoder.decode(payload))
            self.statuses[stream_id] = int(fields[":status"])
            if flags & END_STREAM:
                self.ended.add(stream_id)
        elif kind == RST_STREAM:
            self.reset[stream_id] = struct.unpack(">I", payload)[0]
        elif kind == SETTINGS and not flags & ACK:
            values = dict(struct.iter_unpack(">HI", payload))
            self.max_streams = values.get(3, 1 << 31)
            self.sock.sendall(frame(SETTINGS, ACK, 0))
        elif kind == PING and not flags & ACK:
            self.sock.sendall(frame(PING, ACK, 0, payload))
        elif kind == GOAWAY:
            self.goaway = True
