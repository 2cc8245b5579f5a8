"""An HTTP/1.1 client for tests."""

from lib.clients import Client, Exchange, client_tls


class H1Client(Client):
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
