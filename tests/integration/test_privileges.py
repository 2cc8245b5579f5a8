"""What the gateway's process may do, whoever starts it."""

import os
import pathlib

from lib.certificates import make_certificate
from lib.clients import client_tls
from lib.h2_client import H2Client
from lib.ports import free_port


# CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH, CAP_NET_BIND_SERVICE, CAP_SYS_RESOURCE
KEPT = 1 << 1 | 1 << 2 | 1 << 10 | 1 << 24


def status_of_threads(pid):
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        yield dict(line.split(":\t", 1) for line in (task / "status").read_text().splitlines() if ":\t" in line)


def may_limit_the_bounding_set():
    own = pathlib.Path("/proc/self/status").read_text()
    return bool(int(own.partition("CapEff:")[2].split()[0], 16) & 1 << 8)  # CAP_SETPCAP


def test_privileges__every_thread_has_given_up_what_it_does_not_need(gateway):
    for status in status_of_threads(gateway.process.pid):
        assert status["NoNewPrivs"] == "1"
        assert int(status["CapBnd"], 16) == 0 or not may_limit_the_bounding_set()
        assert int(status["CapInh"], 16) == int(status["CapAmb"], 16) == 0
        for name in ("CapEff", "CapPrm"):
            assert int(status[name], 16) & ~KEPT == 0


def test_privileges__suffice_to_reload_a_key_that_only_its_owner_may_read(start_gateway, tmp_path):
    certificate, key = make_certificate(tmp_path)
    if os.geteuid() == 0:
        os.chown(key, 65534, 65534)
    os.chmod(key, 0o600)
    gateway = start_gateway(tls_cert=certificate, tls_key=key, listen=f"127.0.0.1:{free_port()}")
    log = gateway.wait_log(message="listening")
    renewed = make_certificate(tmp_path, "renewed")
    for new, old in zip(renewed, (certificate, key)):
        os.rename(new, old)
    if os.geteuid() == 0:
        os.chown(key, 65534, 65534)
    gateway.signal(1)
    gateway.wait_log(message="certificate reloaded")
    with H2Client(("127.0.0.1", log["port"]), context=client_tls(verify=certificate)) as client:
        assert client.request("GET", "/healthz").status == 200
