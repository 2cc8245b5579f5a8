"""Fixtures: the examples that can run here, a certificate authority, gateways, the runs."""

import contextlib
import signal
import subprocess

import pytest

import report
from matrix import KEPT, OPTIONS, Run
from programs import LANGUAGES, MISSING, Program, available

from lib.gateway import Gateway
from lib.paths import results
from lib.redis_server import Redis

# A shell starts its background jobs with SIGINT ignored, which programs inherit: undone for those of the tests.
signal.signal(signal.SIGINT, signal.default_int_handler)

RESULTS = results("e2e")

_runs = []


def openssl(*arguments):
    subprocess.run(["openssl", *arguments], check=True, capture_output=True)


def make_authority(folder, name):
    """A certificate authority and a server's certificate by it: (authority, (certificate, key))."""
    paths = {kind: str(folder / f"{name}-{kind}") for kind in ("ca", "ca-key", "csr", "crt", "key")}
    extensions = folder / f"{name}-extensions"
    extensions.write_text("basicConstraints=CA:FALSE\nsubjectAltName=DNS:localhost,IP:127.0.0.1\n")
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    openssl("req", "-x509", *key, "-days", "2", "-subj", f"/CN={name} authority",
            "-keyout", paths["ca-key"], "-out", paths["ca"])
    openssl("req", *key, "-subj", "/CN=localhost", "-keyout", paths["key"], "-out", paths["csr"])
    openssl("x509", "-req", "-in", paths["csr"], "-CA", paths["ca"], "-CAkey", paths["ca-key"],
            "-days", "2", "-extfile", str(extensions), "-out", paths["crt"])
    return paths["ca"], (paths["crt"], paths["key"])


@pytest.fixture(scope="session")
def tls(tmp_path_factory):
    """(path of the authority's certificate, (the server's certificate, its key))"""
    return make_authority(tmp_path_factory.mktemp("tls"), "right")


@pytest.fixture(scope="session")
def other_authority(tmp_path_factory):
    return make_authority(tmp_path_factory.mktemp("tls"), "other")[0]


@pytest.fixture(scope="session")
def start_gateways(tls):
    """A function that starts gateways with options; all are stopped and checked in the end."""
    with contextlib.ExitStack() as stack:
        def start(count=1, **options):
            started = [Gateway(tls_cert=tls[1][0], tls_key=tls[1][1], cors_origins="*",
                               **{**OPTIONS, **options, "node_id": f"node-{number}"})
                       for number in range(count)]
            for gateway in started:
                stack.callback(gateway.stop)
            return [gateway.wait_ready() for gateway in started]
        yield start


@pytest.fixture(scope="session")
def gateway(start_gateways):
    """One that soon forgets."""
    return start_gateways(tail_events=KEPT)[0]


@pytest.fixture(scope="session")
def run(tls, start_gateways):
    """A function that returns the run of a mode, which happens once."""
    languages = {name: LANGUAGES[name] for name in available()}
    done = {}
    with contextlib.ExitStack() as stack:
        def run(mode):
            if mode not in done:
                if mode == "redis":
                    server = Redis()
                    stack.callback(server.close)
                    gateways = start_gateways(3, runtime="redis", redis_url=server.url)
                else:
                    gateways = start_gateways()
                done[mode] = Run(mode, gateways, languages, tls[0]).go()
                _runs.append(done[mode])
            return done[mode]
        yield run


@pytest.fixture(scope="session")
def start(tls):
    """A function that starts an example; all are ended after the tests."""
    with contextlib.ExitStack() as stack:
        def start(name, verb, topics, url, key, authority=tls[0], token=None):
            program = Program(LANGUAGES[name], verb, topics, url, authority, key, token)
            stack.callback(program.kill)
            return program
        yield start


def pytest_sessionfinish():
    if _runs:
        report.write(RESULTS, _runs, MISSING)
