"""Schemathesis makes requests out of /openapi.json, valid ones and invalid ones, single and in sequences that
follow the document's links, and compares every answer of the running gateway with the document."""

import contextlib
import os
import pathlib
import re
import subprocess
import threading

from lib.certificates import make_certificate
from lib.clients import client_tls
from lib.paths import ROOT, results
from lib.waiting import wait_until

HERE = pathlib.Path(__file__).resolve().parent
TOOL = ROOT / "build-deps" / "contract" / "bin" / "schemathesis"
RESULTS = results("contract")
# More finds more: ./dev test contract -- with TIDEWAY_CONTRACT_EXAMPLES=500 in the environment takes minutes.
EXAMPLES = os.environ.get("TIDEWAY_CONTRACT_EXAMPLES", "40")
TIMEOUT_S = 60 + 2 * int(EXAMPLES)


@contextlib.contextmanager
def subscribers(gateway, certificate):
    """Streams for the time of the run, opened again when the tool closes them: listings show something, publishes
    to the document's example topics find receivers."""
    ended = threading.Event()

    def keep():
        while not ended.is_set():
            with contextlib.suppress(OSError, AssertionError):
                client = gateway.h2(context=client_tls(verify=certificate))
                streams = [client.subscribe("orders", "prices"), client.subscribe("orders")]
                while not ended.is_set() and not any(
                        stream.ended or stream.reset is not None for stream in streams):
                    client.pump(0.05)
                client.close()

    thread = threading.Thread(target=keep)
    thread.start()
    try:
        wait_until(lambda: gateway.topics().get("orders") == 2, "the subscribers")
        yield
    finally:
        ended.set()
        thread.join()


def test_fuzzing__finds_no_mismatch(start_gateway, tmp_path):
    certificate, key = make_certificate(tmp_path)
    # Limits that are options are not in the document.
    gateway = start_gateway(tls_cert=certificate, tls_key=key, max_auth_failures=0, max_topics=1024)
    RESULTS.mkdir(parents=True, exist_ok=True)
    command = [TOOL, "--config-file", HERE / "schemathesis.toml", "run", f"{gateway.url}/openapi.json",
               "--tls-verify", certificate, "--max-examples", EXAMPLES, "--no-color",
               "--header", f"Authorization: Bearer {gateway.key}"]
    environment = {**os.environ, "SCHEMATHESIS_HOOKS": "hooks", "PYTHONPATH": str(HERE)}
    with subscribers(gateway, certificate):
        run = subprocess.run(command, cwd=tmp_path, env=environment, text=True, timeout=TIMEOUT_S,
                             stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    (RESULTS / "schemathesis.txt").write_text(run.stdout)
    assert run.returncode == 0, run.stdout
    assert re.search(r"Operations: +(\d+) selected / \1 total", run.stdout), run.stdout
    for phase in ("Examples", "Coverage", "Fuzzing", "Stateful"):
        assert f"✅ {phase}" in run.stdout, run.stdout
    assert re.search(r"API Links: +[2-9] covered", run.stdout), run.stdout
    assert int(re.search(r"(\d+) generated", run.stdout)[1]) > 300, run.stdout
    accepted = gateway.metrics()['tideway_publishes_total{result="accepted"}']
    assert accepted > 0, "publishes found receivers"
