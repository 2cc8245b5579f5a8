"""A site: two gateways on one Redis, a front before them, and clients at an address of their own."""

import contextlib
import pathlib
import re

from fronts import CLIENT, DIRECT, FRONT, GATEWAYS, Process

from lib.clients import client_tls
from lib.gateway import Gateway
from lib.h1_client import H1Client
from lib.h2_client import H2Client
from lib.ports import free_port

# No heartbeat hides a silence; what is published between two subscribers is kept.
OPTIONS = {"runtime": "redis", "heartbeat_ms": 3600000, "resume_window_ms": 60000, "retry_ms": 100, "drain_ms": 2000,
           "trusted_proxies": FRONT, "max_streams_per_ip": 0, "log_level": "info", "workers": 1}


class Node(Gateway):
    """A gateway whose ops listener is at its own address, where fronts look for it. What the tests ask of it themselves comes
    from an address that is no proxy's."""

    @property
    def ops_host(self):
        return self.host

    def h2(self, **options):
        return super().h2(source=DIRECT, **options)

    def admin(self, path):
        with self.h2() as client:
            return super().admin(path, client)


class Site:
    def __init__(self, front, folder, redis_url, certificate):
        self.front, self.folder = front, folder
        self.ports, self.port = (free_port(), free_port()), free_port()
        self._options = {**OPTIONS, "redis_url": redis_url, "redis_prefix": f"{re.sub(r'[^a-z0-9]', '', front.name.lower())}:",
                         **dict(front.options)}
        if self._options.setdefault("tls", False):
            self._options |= {"tls_cert": certificate[0], "tls_key": certificate[1]}
        self._stack = contextlib.ExitStack()
        self.gateways = []
        try:
            self.gateways = [self._start(host) for host in GATEWAYS]
            for gateway in self.gateways:
                gateway.wait_ready()
            self._process = Process(front, folder, self.port, self._substitutions(certificate), self._listening)
        except BaseException:
            self.close()
            raise
        self._stack.callback(self._process.stop)

    def _start(self, host):
        return Node(host=host, ports=self.ports, **self._options)

    def _substitutions(self, certificate):
        both = self.folder / "both.pem"
        both.write_text("".join(pathlib.Path(part).read_text() for part in certificate))
        return ((r"/etc/ssl/gateway\.example\.crt", certificate[0]), (r"/etc/ssl/gateway\.example\.key", certificate[1]),
                (r"/etc/ssl/gateway\.example\.pem", str(both)), (r"(?m)^gateway\.example \{", f"localhost:{self.port} {{"),
                (r"\b10\.0\.0\.11\b", GATEWAYS[0]), (r"\b10\.0\.0\.12\b", GATEWAYS[1]),
                (r"\b8443\b", str(self.ports[0])), (r"\b9090\b", str(self.ports[1])), (r"\b443\b", str(self.port)))

    def _listening(self):
        """The front has found both gateways, as far as it looks for them."""
        try:
            with self.client() as client:
                return client.request("GET", "/healthz", timeout=2).status == 200
        except (OSError, AssertionError):
            return False

    def client(self, protocol=None):
        """A connection to the front."""
        protocol = protocol or self.front.protocol
        kind, alpn = (H2Client, "h2") if protocol == "h2" else (H1Client, "http/1.1")
        context = client_tls(alpn=(alpn,)) if self.front.tls else None
        return kind((FRONT, self.port), context=context, tls=self.front.tls, source=CLIENT)

    def publish(self, client, topic, id, data=b"x", headers=()):
        return client.request("POST", "/v1/publish", [self.gateways[0].auth(), ("x-sse-topic", topic), ("x-sse-id", id),
                                                      *headers], data)

    def deliver(self, topic, data="x", id="1"):
        """Publishes at a gateway itself."""
        with self.gateways[0].h2() as client:
            assert self.gateways[0].deliver(topic, data, id=id, client=client) == 1

    def stop(self, number):
        self.gateways[number].stop()

    def restart(self, number):
        self.stop(number)
        self.gateways[number] = self._start(GATEWAYS[number]).wait_ready()

    def text(self):
        return self._process.text()

    def close(self):
        with self._stack:
            for gateway in self.gateways:
                if not gateway.stopped:
                    self._stack.callback(gateway.stop)
