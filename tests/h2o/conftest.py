"""Fixtures of the tests of h2o's patch series: a libh2o server of our own, and raw clients."""

import json
import os
import resource
import signal
import subprocess
import time
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent


def pytest_addoption(parser):
    parser.addoption("--patch", type=int, help="run the tests of this patch of the series only")


def pytest_collection_modifyitems(config, items):
    wanted = config.getoption("--patch")
    if wanted is None:
        return
    chosen = [item for item in items if any(m.args[0] == wanted for m in item.iter_markers("patch"))]
    config.hook.pytest_deselected(items=[item for item in items if item not in chosen])
    items[:] = chosen


def wait_until(condition, timeout=10.0, message="condition"):
    """Polls until `condition()` is true and returns its value; fails after `timeout` seconds."""
    deadline = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < deadline, f"timed out: {message}"
        time.sleep(0.01)


class Server:
    """One process of the server program; ports are chosen by the kernel."""

    def __init__(self, program, pair, log_path, options, address_space_max=None):
        def limit():
            if address_space_max:
                resource.setrlimit(resource.RLIMIT_AS, (address_space_max, address_space_max))

        env = dict(os.environ, SERVER_CERT=str(pair[0]), SERVER_KEY=str(pair[1]))
        env.setdefault("ASAN_OPTIONS", "detect_leaks=0:abort_on_error=1")
        self.log_path = log_path
        with open(log_path, "wb") as log:
            self.process = subprocess.Popen(
                [str(program)] + [f"{name}={value}" for name, value in options.items()],
                stdout=subprocess.PIPE,
                stderr=log,
                env=env,
                preexec_fn=limit,
            )
        line = self.process.stdout.readline()
        assert line, f"server did not start: {self.log()}"
        started = json.loads(line)
        self.port, self.tls_port = started["plain"], started["tls"]
        self.series = started["series"]

    def log(self):
        return self.log_path.read_text(errors="replace")

    def is_alive(self):
        return self.process.poll() is None

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def resident_bytes(self):
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS"):
                return int(line.split()[1]) * 1024
        return 0

    def cpu_seconds(self):
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def stats(self):
        from clients import Http1

        with Http1(self.port) as client:
            client.send(b"GET /stats HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
            return json.loads(client.read_response().body)

    def shut_down_gracefully(self):
        self.process.send_signal(signal.SIGUSR1)

    def stop(self):
        """Ends the process and returns its exit code."""
        if self.is_alive():
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()


@pytest.fixture(scope="session")
def server_program():
    path = os.environ.get("H2O_TEST_SERVER")
    program = Path(path) if path else HERE.parent.parent / "build-tests" / "h2o_test_server"
    assert program.exists(), "no test server: cmake -S tests/h2o -B build-tests && cmake --build build-tests"
    return program


@pytest.fixture(scope="session")
def pair(tmp_path_factory):
    directory = tmp_path_factory.mktemp("pair")
    cert, key = directory / "cert.pem", directory / "key.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", str(key), "-out", str(cert)]
        + ["-days", "2", "-subj", "/CN=localhost"],
        check=True,
        capture_output=True,
    )
    return cert, key


@pytest.fixture
def start_server(server_program, pair, tmp_path):
    """Starts servers with options; each must survive the test and be silent on stderr."""
    started = []

    def start(address_space_max=None, **options):
        server = Server(server_program, pair, tmp_path / f"server{len(started)}.log", options, address_space_max)
        started.append(server)
        return server

    yield start
    for server in started:
        alive = server.is_alive()
        code = server.stop()
        assert alive, f"the server died with {code}: {server.log()}"
        assert code == 0, f"exit code {code}: {server.log()}"
        assert server.log() == ""


@pytest.fixture
def server(start_server):
    return start_server()
