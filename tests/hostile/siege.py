"""What the tests of single holes share: how a hostile peer connects, asks for streams, and floods."""

import contextlib
import ssl
import time

import clients as raw

MB = 1 << 20
FLOOD_S = 1.0
STREAM = dict(x_sse_topic="honest")
PUBLISH = dict(method="POST", authorization="Bearer test-key", x_sse_topic="honest", x_sse_id="1")
LARGEST = 0x7FFFFFFF


def connect(gateway, **options):
    return raw.Http2(gateway.port, tls=True, **options)


def streams(count, first=1, **fields):
    block = raw.request("/v1/stream", **{**STREAM, **fields})
    return b"".join(raw.headers(first + 2 * n, block) for n in range(count))


def pour(client, pieces, seconds=FLOOD_S):
    """Writes without reading until the time is over or the gateway closes; returns the octets taken."""
    deadline, rest, taken = time.monotonic() + seconds, b"", 0
    while time.monotonic() < deadline:
        if len(rest) < 1 << 17:
            rest += next(pieces)
        try:
            count = client.send_what_fits(rest)
        except OSError:
            break
        if count == 0:
            time.sleep(0.005)
        taken, rest = taken + count, rest[count:]
    return taken


def forever(data):
    while True:
        yield data


class Tls(raw.Connection):
    """TLS over memory buffers, to send what is no TLS."""

    def __init__(self, gateway, **options):
        super().__init__(gateway.port, **options)
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = raw.tls_context("h2").wrap_bio(self.incoming, self.outgoing)
        while True:
            with contextlib.suppress(ssl.SSLWantReadError):
                self.tls.do_handshake()
                break
            self.send(self.outgoing.read())
            assert self.receive(time.monotonic() + 10)
            self.incoming.write(self.input)
            self.input = b""
        self.write(raw.PREFACE, raw.settings(window=LARGEST), raw.window_update(0, LARGEST - 65535))

    def write(self, *parts):
        self.tls.write(b"".join(parts))
        self.send(self.outgoing.read())
