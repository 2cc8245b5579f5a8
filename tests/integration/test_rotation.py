"""Secrets are replaced in mounted files under load, as Kubernetes replaces them: with nothing failed and nothing dropped.

TIDEWAY_ROTATIONS is how often; ten times is the promise, once the test of every day.
"""

import contextlib
import os
import shutil
import ssl
import threading
import time

from lib.certificates import make_certificate
from lib.clients import client_tls, connect
from lib.redis_server import Redis
from lib.sse import Parser
from lib.swarm import Swarm
from lib.waiting import wait_until

ROTATIONS = int(os.environ.get("TIDEWAY_ROTATIONS", "1"))
STREAMS, TOPICS, PER_SECOND = 1000, 100, 100


class Mount:
    """A mounted secret: each name is a link through ..data, which is replaced as a whole."""

    def __init__(self, directory, **files):
        self.directory, self.files, self.version = directory, {}, 0
        self.write(**files)
        for name in files:
            (directory / name).symlink_to(f"..data/{name}")

    def path(self, name):
        return str(self.directory / name)

    def write(self, **files):
        self.version += 1
        self.files.update(files)
        folder = self.directory / f"..{self.version}"
        folder.mkdir()
        for name, content in self.files.items():
            (folder / name).write_bytes(content)
        (self.directory / "..data_tmp").symlink_to(folder.name)
        os.replace(self.directory / "..data_tmp", self.directory / "..data")
        if self.version > 1:
            shutil.rmtree(self.directory / f"..{self.version - 1}")


class Load:
    """1,000 streams, and 100 publishes a second by a publisher that is told which key it has."""

    def __init__(self, gateway, key):
        self.gateway, self.key, self.sent, self.wrong = gateway, key, {}, []
        self._over = threading.Event()
        self.swarm = Swarm(gateway.address)
        self.ids = self.swarm.open(STREAMS, lambda number: f"t{number % TOPICS}")
        self._threads = [threading.Thread(target=self._publish), threading.Thread(target=self._read)]
        for thread in self._threads:
            thread.start()

    def _read(self):
        while not self._over.is_set():
            self.swarm.pump(0.05)

    def _publish(self):
        number, begun = 0, time.monotonic()
        client, key = None, None
        while not self._over.is_set():
            if key != self.key:
                client, key = self.gateway.h2(), self.key
            topic = f"t{number % TOPICS}"
            answer = client.request("POST", "/v1/publish", [
                ("authorization", f"Bearer {key}"), ("x-sse-topic", topic), ("x-sse-id", str(number))], "x")
            result = answer.json() if answer.status == 202 else {}
            if result.get("status") != "accepted" or result.get("delivered") != STREAMS // TOPICS:
                self.wrong.append((number, answer.status, bytes(answer.body)))
            self.sent.setdefault(topic, []).append(str(number))
            number += 1
            self._over.wait(max(0, begun + number / PER_SECOND - time.monotonic()))

    def end(self):
        """Returns how many events were published, after each stream has got all of them, once and in order."""
        self._over.set()
        for thread in self._threads:
            thread.join()
        assert not self.wrong, self.wrong[:5]
        for number, stream_id in enumerate(self.ids):
            expected = self.sent.get(f"t{number % TOPICS}", [])

            def received(stream_id=stream_id):
                parser = Parser()
                parser.feed(bytes(self.swarm.received[stream_id]))
                return [event.id for event in parser.events if event.data]
            self.swarm.wait(lambda: len(received()) >= len(expected), f"the events of stream {number}")
            assert received() == expected
        assert not self.swarm.ended and not self.swarm.reset and not self.swarm.goaway
        self.swarm.close()
        return sum(len(ids) for ids in self.sent.values())


def pair(directory, name):
    directory.mkdir(exist_ok=True)
    return [open(path, "rb").read() for path in make_certificate(directory, name)]


def shown_certificate(gateway):
    with contextlib.closing(connect(gateway.address, client_tls())) as sock:
        return ssl.DER_cert_to_PEM_cert(sock.getpeercert(True)).split()


def status(gateway, key):
    with contextlib.closing(gateway.h2()) as client:
        return client.request("GET", "/v1/admin/nodes", [("authorization", f"Bearer {key}")]).status


def rotate(gateway, redis, mount, load, number, made):
    old, new = f"key-number-{number - 1:06}", f"key-number-{number:06}"
    chain, key = pair(made, f"pair{number}")
    assert redis.cli("ACL", "SETUSER", "default", f">password{number}") == "OK"
    mount.write(**{"keys": f"{old}\n{new}\n".encode(), "tls.crt": chain, "tls.key": key,
                   "redis-password": f"password{number}\n".encode()})
    wait_until(lambda: status(gateway, new) == 200, "the new key to count")
    wait_until(lambda: shown_certificate(gateway) == chain.decode().split(), "the new certificate")
    load.key = new
    time.sleep(0.1)  # the publish that is under way has the old key
    mount.write(keys=f"{new}\n".encode())
    wait_until(lambda: status(gateway, old) == 401, "the old key to be refused")
    assert redis.cli("ACL", "SETUSER", "default", f"<password{number - 1}") == "OK"
    redis.options["requirepass"] = f"password{number}"


def test_rotation__nothing_fails_and_nothing_is_dropped(start_gateway, tmp_path):
    redis = Redis(requirepass="password0")
    chain, key = pair(tmp_path / "made", "pair0")
    (tmp_path / "mounted").mkdir()
    mount = Mount(tmp_path / "mounted", **{"keys": b"key-number-000000\n", "tls.crt": chain, "tls.key": key,
                                           "redis-password": b"password0\n"})
    gateway = start_gateway(keys="", runtime="redis", redis_url=redis.url, redis_password_file=mount.path("redis-password"),
                            tls_cert=mount.path("tls.crt"), tls_key=mount.path("tls.key"), max_auth_failures=0,
                            max_streams_per_connection=STREAMS, log_level="info",
                            environment={"SSE_PUBLISHER_API_KEYS_FILE": mount.path("keys")})
    gateway.key = "key-number-000000"
    try:
        load = Load(gateway, gateway.key)
        for number in range(1, ROTATIONS + 1):
            rotate(gateway, redis, mount, load, number, tmp_path / "made")
        count = load.end()
        # Connections that are made from now on need the last password.
        gateway.key = load.key
        assert redis.cli("CLIENT", "KILL", "TYPE", "normal").isdigit()
        wait_until(lambda: gateway.publish("t0", id="last").status == 202, "Redis to be reached again")
        print(f"{ROTATIONS} rotations, {STREAMS} streams, {count} publishes, 0 failed, 0 dropped")
    finally:
        gateway.stop()
        redis.close()
