"""A TCP proxy on loopback that behaves like a bad network: it cuts, stalls and delays what it carries.

It runs a loop in a thread of its own; what a test calls is done on that loop, and done when the call returns.
"""

import asyncio
import contextlib
import random
import socket
import struct
import threading


class Carried:
    """One client's connection and the gateway's end of it."""

    def __init__(self, client, server):
        self.writers = (client, server)
        self.frozen = False  # half-open: both ends think that the other is there

    def cut(self, hard):
        """By RST, or in order: FIN after what was written."""
        for writer in self.writers:
            if hard:
                sock = writer.get_extra_info("socket")
                with contextlib.suppress(OSError):
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                writer.transport.abort()
            else:
                writer.close()


class CuttingProxy:
    def __init__(self, ports, seed=1):
        self.ports = list(ports)  # of what it stands before: each connection goes to one that is there, in turn
        self.delay_s = 0.0  # each portion waits up to so long
        self.rate = 0  # bytes a second that a connection's client gets; 0: no limit
        self.carried = []
        self.connections = 0
        self._chance = random.Random(seed)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._server = self._run(asyncio.start_server(self._on_client, "127.0.0.1", 0))
        self.address = self._server.sockets[0].getsockname()

    def _run(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(20)

    def _call(self, function, *arguments):
        async def call():
            return function(*arguments)
        return self._run(call())

    # What can happen to connections

    def cut_some(self, share, hard):
        self._call(self._cut_some, share, hard)

    def _cut_some(self, share, hard):
        for carried in list(self.carried):
            if self._chance.random() < share:
                carried.cut(hard)

    def freeze_some(self, share):
        self._call(self._freeze_some, share)

    def _freeze_some(self, share):
        for carried in self.carried:
            carried.frozen = carried.frozen or self._chance.random() < share

    def heal(self):
        """Frozen connections end, new ones are carried at once."""
        self.delay_s = 0.0
        self._call(lambda: [carried.cut(True) for carried in list(self.carried) if carried.frozen])

    def close(self):
        self._call(self._server.close)
        self._call(self._cut_some, 2, True)
        self._run(self._end_tasks())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    @staticmethod
    async def _end_tasks():
        """What is delayed is not carried any more."""
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # Carrying

    async def _connect(self):
        for _ in self.ports:
            self.connections += 1
            port = self.ports[self.connections % len(self.ports)]
            with contextlib.suppress(OSError):
                return await asyncio.open_connection("127.0.0.1", port)
        return None

    async def _on_client(self, reader, writer):
        server = await self._connect()
        if server is None:
            writer.transport.abort()
            return
        carried = Carried(writer, server[1])
        self.carried.append(carried)
        try:
            await asyncio.gather(self._carry(carried, reader, server[1]), self._carry(carried, server[0], writer))
        finally:
            carried.cut(False)
            self.carried.remove(carried)

    async def _carry(self, carried, reader, writer):
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                if self.delay_s:
                    await asyncio.sleep(self._chance.random() * self.delay_s)
                if self.rate and writer is carried.writers[0]:
                    await asyncio.sleep(len(data) / self.rate)
                if not carried.frozen:
                    writer.write(data)
                    await writer.drain()
            writer.close()
