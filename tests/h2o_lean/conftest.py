"""Starts the test server. LEAN_SERVER names its binary."""

import os
import pathlib
import subprocess

import pytest

from h2 import Client, Control

EVENT_SIZE = 32


def pytest_addoption(parser):
    parser.addoption("--patch", type=int, help="run the tests of this patch of the series only")


def pytest_configure(config):
    config.addinivalue_line("markers", "patch(number): the patch of the series that the test fails without")


def pytest_collection_modifyitems(config, items):
    wanted = config.getoption("--patch")
    if wanted is None:
        return
    chosen = [item for item in items if any(m.args[0] == wanted for m in item.iter_markers("patch"))]
    config.hook.pytest_deselected(items=[item for item in items if item not in chosen])
    items[:] = chosen


def event(number, size=EVENT_SIZE):
    """What the server sends as its event of that number."""
    return (b"%010d" % number).ljust(size - 1, b".") + b"\n"


def events(first, last, size=EVENT_SIZE):
    return b"".join(event(number, size) for number in range(first, last + 1))


class Server:
    def __init__(self, certificate, options):
        self.process = subprocess.Popen(
            [os.environ["LEAN_SERVER"], *certificate, *(f"{name}={value}" for name, value in options.items())],
            stdout=subprocess.PIPE,
            text=True,
        )
        self.port, self.tls_port = map(int, self.process.stdout.readline().split())
        self.control = Control(self.port)
        self.clients = []

    def connect(self, tls=False, **arguments):
        client = Client(self.tls_port if tls else self.port, tls=tls, **arguments)
        self.clients.append(client)
        return client

    def connect_streams(self, count, **arguments):
        """A client with that many lean streams, and their ids."""
        client = self.connect(**arguments)
        streams = client.requests("/stream", count)
        client.until(lambda: len(client.headers) == count, "response headers")
        assert all(headers[":status"] == "200" for headers in client.headers.values())
        return client, streams

    def broadcast(self, count=1, size=EVENT_SIZE):
        self.control.get(f"/broadcast?events={count}&size={size}")

    def stats(self):
        return self.control.stats()

    def resident_bytes(self, field="VmRSS"):
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.split(f"{field}:")[1].split()[0]) * 1024

    def forget_peak(self):
        """From now on VmHWM is the most that was resident since."""
        pathlib.Path(f"/proc/{self.process.pid}/clear_refs").write_text("5")

    def stop(self):
        for client in self.clients:
            client.close()
        self.process.terminate()
        assert self.process.wait(20) == 0, "the server crashed, or a sanitizer found something"
        self.process.stdout.close()


@pytest.fixture(scope="session")
def certificate(tmp_path_factory):
    folder = tmp_path_factory.mktemp("certificate")
    paths = folder / "certificate.pem", folder / "key.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
         "-out", paths[0], "-keyout", paths[1], "-days", "2", "-subj", "/CN=localhost"],
        check=True, capture_output=True,
    )  # fmt: skip
    return [str(path) for path in paths]


@pytest.fixture
def start(certificate):
    """start(option=value…) runs a server."""
    servers = []

    def start_server(**options):
        servers.append(Server(certificate, options))
        return servers[-1]

    yield start_server
    for server in servers:
        server.stop()


@pytest.fixture
def server(start):
    return start()


@pytest.fixture(params=[False, True], ids=["cleartext", "tls"])
def tls(request):
    return request.param
