"""Fixtures of the tests of h2o's patch series: two small servers on libh2o, and a certificate for them.

`server` and `start_server` are the server of ordinary requests (server/server.c), `lean_server` and
`start_lean_server` the one of lean streams (server/lean_server.c). H2O_TEST_SERVER and H2O_LEAN_SERVER name the
programs; H2O_TEST_SANITIZED=1 says that they were built with sanitizers. Every server must survive its test, and must
end with exit code 0 and without a word on stderr.
"""

import json
import os
import pathlib
import resource
import signal
import subprocess

import pytest

from clients import Http1
from lean_client import EVENT_SIZE, Client, Control


def pytest_addoption(parser):
    parser.addoption("--patch", type=int, help="run the tests of this patch of the series only")


def pytest_collection_modifyitems(config, items):
    wanted = config.getoption("--patch")
    if wanted is None:
        return
    chosen = [item for item in items if any(m.args[0] == wanted for m in item.iter_markers("patch"))]
    config.hook.pytest_deselected(items=[item for item in items if item not in chosen])
    items[:] = chosen


class Process:
    """One process of a server program, with options; the kernel chooses the ports."""

    def __init__(self, program, pair, log_path, options, address_space_max=None):
        def limit():
            if address_space_max:
                resource.setrlimit(resource.RLIMIT_AS, (address_space_max, address_space_max))

        self.log_path = log_path
        with open(log_path, "wb") as log:
            self.process = subprocess.Popen(
                [program, *pair] + [f"{name}={value}" for name, value in options.items()],
                stdout=subprocess.PIPE,
                stderr=log,
                preexec_fn=limit,
            )
        line = self.process.stdout.readline()
        assert line, f"server did not start: {self.log()}"
        started = json.loads(line)
        self.port, self.tls_port = started["plain"], started["tls"]

    def log(self):
        return self.log_path.read_text(errors="replace")

    def is_alive(self):
        return self.process.poll() is None

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def resident_bytes(self, field="VmRSS"):
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.split(f"{field}:")[1].split()[0]) * 1024

    def forget_peak(self):
        """From now on VmHWM is the most that was resident since this call."""
        pathlib.Path(f"/proc/{self.process.pid}/clear_refs").write_text("5")

    def cpu_seconds(self):
        fields = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def shut_down_gracefully(self):
        self.process.send_signal(signal.SIGUSR1)

    def end(self):
        """Ends the process and returns its exit code."""
        if self.is_alive():
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()
        finally:
            self.process.stdout.close()

    def check_end(self):
        alive = self.is_alive()
        code = self.end()
        assert alive, f"the server died with {code}: {self.log()}"
        assert code == 0, f"exit code {code}: {self.log()}"
        assert self.log() == ""


class Server(Process):
    """Ordinary requests: server/server.c."""

    def stats(self):
        with Http1(self.port) as client:
            client.send(b"GET /stats HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
            return json.loads(client.read_response().body)


class LeanServer(Process):
    """Lean streams: server/lean_server.c."""

    def __init__(self, *args):
        super().__init__(*args)
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
        """Sends events to all streams; lean_client.event() says what they are."""
        self.control.get(f"/broadcast?events={count}&size={size}")

    def stats(self):
        return self.control.stats()

    def end(self):
        for client in self.clients:
            client.close()
        return super().end()


def program_of(variable, name):
    path = os.environ.get(variable)
    assert path, f"{variable} must name {name}: cmake -S deps/h2o/tests -B DIR && cmake --build DIR"
    # not built with a part of the series that has no lean streams
    assert pathlib.Path(path).exists(), f"there is no {path}"
    return path


@pytest.fixture(scope="session")
def pair(tmp_path_factory):
    """The files of a certificate and its key."""
    folder = tmp_path_factory.mktemp("pair")
    paths = folder / "certificate.pem", folder / "key.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
         "-out", paths[0], "-keyout", paths[1], "-days", "2", "-subj", "/CN=localhost"],
        check=True, capture_output=True,
    )  # fmt: skip
    return paths


@pytest.fixture
def start_server(pair, tmp_path):
    """start_server(option=value...) starts a server of ordinary requests."""
    started = []

    def start(address_space_max=None, **options):
        program = program_of("H2O_TEST_SERVER", "h2o_test_server")
        log = tmp_path / f"server{len(started)}.log"
        started.append(Server(program, pair, log, options, address_space_max))
        return started[-1]

    yield start
    for server in started:
        server.check_end()


@pytest.fixture
def server(start_server):
    return start_server()


@pytest.fixture
def start_lean_server(pair, tmp_path):
    """start_lean_server(option=value...) starts a server of lean streams."""
    started = []

    def start(**options):
        program = program_of("H2O_LEAN_SERVER", "h2o_lean_server")
        started.append(LeanServer(program, pair, tmp_path / f"lean{len(started)}.log", options))
        return started[-1]

    yield start
    for server in started:
        server.check_end()


@pytest.fixture
def lean_server(start_lean_server):
    return start_lean_server()


@pytest.fixture(params=[False, True], ids=["cleartext", "tls"])
def tls(request):
    return request.param
