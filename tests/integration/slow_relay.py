"""A TCP relay whose answers come slowly, as over a thin line."""

import contextlib
import socket
import threading
import time

from tideway import free_port


class SlowRelay:
    """Listens on `port` and passes to `target`, another port here, until close(); what comes back at `rate` bytes a
    second (0: at once) and `delay_s` later."""

    def __init__(self, target):
        self.target, self.rate, self.delay_s = target, 0, 0
        self.port = free_port()
        self._listener = socket.create_server(("127.0.0.1", self.port))
        self._links = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                here, _ = self._listener.accept()
                there = socket.create_connection(("127.0.0.1", self.target))
                self._links += [here, there]
                threading.Thread(target=self._pump, args=(here, there, False), daemon=True).start()
                threading.Thread(target=self._pump, args=(there, here, True), daemon=True).start()

    def _pump(self, source, target, slowly):
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                if slowly:
                    time.sleep(self.delay_s + (len(data) / self.rate if self.rate > 0 else 0))
                target.sendall(data)
        for end in (source, target):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def cut(self):
        """Ends every connection, in the middle of what is on its way."""
        for end in self._links:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def close(self):
        self._listener.shutdown(socket.SHUT_RDWR)
        self.cut()
        for end in (self._listener, *self._links):
            end.close()
