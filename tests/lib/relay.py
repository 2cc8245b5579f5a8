"""A TCP relay between a client and gateways: cuts connections, refuses them, and moves on to the
next gateway with each cut. With a certificate it ends TLS, and then speaks HTTP/2 or nothing."""

import asyncio
import contextlib
import ssl
import threading
import time

from lib.clients import client_tls



class Relay:
    """`targets` are (host, port); `certificate` is a pair of paths, or None to pass TLS through."""

    _loop = None

    def __init__(self, targets, certificate=None):
        self.targets = targets
        self.cuts = 0
        self.accepted = 0
        self.refused_at = []  # seconds, by time.monotonic()
        self._passed_at = time.monotonic()  # when something was passed on last, in either direction
        self._refusing = False
        self._deaf = False  # what clients send is no longer passed on
        self._links = set()  # (writer to the client, writer to the gateway)
        self._certificate = certificate
        self._server = self._run(self._listen())
        self.port = self._server.sockets[0].getsockname()[1]
        self.url = f"https://127.0.0.1:{self.port}"

    @classmethod
    def _run(cls, coroutine):
        if cls._loop is None:
            cls._loop = asyncio.new_event_loop()
            threading.Thread(target=cls._loop.run_forever, daemon=True).start()
        return asyncio.run_coroutine_threadsafe(coroutine, cls._loop).result()

    async def _listen(self):
        context = None
        if self._certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*self._certificate)
            context.set_alpn_protocols(["h2"])
        return await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=context)

    async def _serve(self, reader, writer):
        if self._refusing:
            self.refused_at.append(time.monotonic())
            writer.transport.abort()
            return
        if self._certificate:
            protocol = writer.get_extra_info("ssl_object").selected_alpn_protocol()
            if protocol != "h2":
                writer.transport.abort()
                return
        host, port = self.targets[self.cuts % len(self.targets)]
        context = client_tls() if self._certificate else None
        try:
            there_reader, there = await asyncio.open_connection(host, port, ssl=context)
        except OSError:
            writer.transport.abort()
            return
        self.accepted += 1
        link = (writer, there)
        self._links.add(link)
        await asyncio.gather(self._pump(reader, there, lambda: self._deaf), self._pump(there_reader, writer))
        self._links.discard(link)

    async def _pump(self, reader, writer, is_deaf=lambda: False):
        try:
            while data := await reader.read(1 << 16):
                if not is_deaf():
                    writer.write(data)
                    await writer.drain()
                    self._passed_at = time.monotonic()
        except (OSError, ssl.SSLError):
            pass
        writer.close()

    async def _cut(self, gently):
        for writer, there in self._links:
            if gently:
                there.write_eof()
            else:
                for end in (writer, there):
                    # asyncio's TLS transport that has been closed already may have no protocol to abort
                    with contextlib.suppress(AttributeError):
                        end.transport.abort()

    def is_quiet(self):
        """Whether both ends have had time to read what the other has sent: Chromium forgets what its page has not
        read yet when the connection ends."""
        return time.monotonic() - self._passed_at > 0.3

    def cut(self, refuse=False, gently=False):
        """Ends every connection at once; `refuse`: and every new one, until accept(); `gently`: what the
        gateway has sent still reaches the client."""
        self.cuts += 1
        self._refusing, self._deaf = refuse, gently
        self._run(self._cut(gently))

    def accept(self):
        self._refusing = self._deaf = False

    def close(self):
        async def close():
            self._server.close()
            await self._cut(gently=False)
        self._run(close())
