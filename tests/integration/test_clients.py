"""Clients that others wrote: curl, nghttp, h2load."""

import json
import subprocess

import pytest

from lib.curl import curl
from lib.waiting import DEADLINE_S, wait_until



@pytest.mark.parametrize("version", ["--http2", "--http1.1"])
def test_curl__publishes(gateway, version):
    stream = gateway.h2().subscribe("a")
    done = curl(version, "-w", "\n%{http_code} %{http_version}", "-H", "Authorization: Bearer test-key",
                "-H", "x-sse-topic: a", "-H", "x-sse-id: 1", "-d", "hello", gateway.url + "/v1/publish")
    assert done.returncode == 0
    body, code = done.stdout.decode().rsplit("\n", 1)
    assert code.split()[0] == "202"
    assert code.split()[1] == ("2" if version == "--http2" else "1.1")
    assert json.loads(body)["delivered"] == 1
    assert stream.wait_events(1)[0].data == "hello"


@pytest.mark.parametrize("size", [1000, 100_000, 3_000_000])
@pytest.mark.parametrize("version", ["--http2", "--http1.1"])
def test_curl__sees_the_early_answer(gateway, version, size):
    done = curl(version, "-w", "\n%{http_code}", "-H", "Authorization: Bearer test-key",
                "-H", "x-sse-topic: nobody", "-H", "x-sse-id: 1", "--data-binary", "@-",
                gateway.url + "/v1/publish", data=b"x" * size)
    assert done.returncode == 0, done
    body, code = done.stdout.decode().rsplit("\n", 1)
    assert code == "202"
    assert json.loads(body)["status"] == "dropped"


@pytest.mark.parametrize("version", ["--http2", "--http1.1"])
def test_curl__subscribes(gateway, version):
    process = subprocess.Popen(["curl", "-skN", version, gateway.url + "/v1/stream?topic=a"],
                               stdout=subprocess.PIPE)
    try:
        wait_until(lambda: gateway.topics().get("a") == 1, "curl's stream")
        gateway.deliver("a", "hello\nworld", id="5", event="greeting")
        text = b""
        while b"world\n\n" not in text:
            text += process.stdout.read1()
        assert b"id: 5\nevent: greeting\ndata: hello\ndata: world\n\n" in text
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def test_nghttp__publishes_and_subscribes(gateway, tmp_path):
    payload = tmp_path / "payload"
    payload.write_bytes(b"x" * 100_000)
    stream = gateway.h2().subscribe("a")
    done = subprocess.run(["nghttp", "-H:method: POST", "-H", "authorization: Bearer test-key", "-H",
                           "x-sse-topic: a", "-H", "x-sse-id: 1", "-d", str(payload),
                           gateway.url + "/v1/publish"], capture_output=True, timeout=DEADLINE_S,
                          check=True)
    assert json.loads(done.stdout)["delivered"] == 1
    assert stream.wait_events(1)[0].data == "x" * 100_000


def test_nghttp__has_no_header_table(gateway):
    """SETTINGS_HEADER_TABLE_SIZE of 0: three answers, none of which may count on a field of the one before."""
    done = subprocess.run(["nghttp", "-v", "--no-dep", "-m", "3", "--header-table-size=0", gateway.url + "/healthz"],
                          capture_output=True, text=True, timeout=DEADLINE_S, check=True)
    assert done.stdout.count(":status: 200") == 3
    assert "COMPRESSION_ERROR" not in done.stdout


def test_h2load__publishes_by_the_thousand(gateway, tmp_path):
    payload = tmp_path / "payload"
    payload.write_bytes(b"x" * 100)
    stream = gateway.h2().subscribe("a")
    done = subprocess.run(["h2load", "-n", "2000", "-c", "4", "-m", "10", "-H",
                           "authorization: Bearer test-key", "-H", "x-sse-topic: a", "-H",
                           "x-sse-id: 1", "-d", str(payload), gateway.url + "/v1/publish"],
                          capture_output=True, text=True, timeout=60, check=True)
    assert "2000 succeeded, 0 failed, 0 errored" in done.stdout
    assert "status codes: 2000 2xx" in done.stdout
    assert len(stream.wait_events(2000)) == 2000
