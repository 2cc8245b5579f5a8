"""The image's file system, without an engine: its program as process 1 of a namespace of its own, as the image's user,
below a root that cannot be written to. packaging/image says in TIDEWAY_IMAGE where it put them."""

import json
import os
import pathlib
import signal
import stat
import subprocess

import pytest

from lib.gateway import KEY
from lib.h2_client import H2Client
from lib.ports import free_port
from lib.waiting import DEADLINE_S, wait_until


IMAGE = pathlib.Path(os.environ["TIDEWAY_IMAGE"])
ROOT = IMAGE / "root"
CONFIG = json.loads((IMAGE / "config.json").read_text())
BINARY = "/usr/bin/tideway"
# A mount namespace in which the image's root is read-only, a process namespace in which it is number 1, no privileges.
RUN = """set -e
mount --make-rprivate /
mount --bind "$0" "$0"
mount -o remount,bind,ro "$0"
exec chroot --userspec="$1" "$0" "$2" $3"""


class Container:
    def __init__(self, *arguments, **environment):
        self.port, self.ops_port = free_port(), free_port()
        self.environment = {**dict(entry.split("=", 1) for entry in CONFIG["Env"]),
                            "SSE_PUBLISHER_API_KEYS": KEY,
                            "TIDEWAY_LISTEN": f"0.0.0.0:{self.port}",
                            "TIDEWAY_OPS_LISTEN": f"0.0.0.0:{self.ops_port}",
                            "TIDEWAY_DRAIN_MS": "500", **environment}
        self.process = self.run(*arguments)

    def run(self, *arguments):
        return subprocess.Popen(
            ["unshare", "--mount", "--pid", "--fork", "--kill-child", "/bin/sh", "-c", RUN, str(ROOT), CONFIG["User"],
             BINARY, " ".join(arguments)],
            env={**self.environment, "PATH": os.environ["PATH"]}, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def inner_pid(self):
        """The program's process number outside of its namespace."""
        children = pathlib.Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return int(children[0])

    def healthy(self):
        check = self.run("healthcheck")
        check.communicate(timeout=DEADLINE_S)
        return check.returncode == 0


@pytest.fixture
def container():
    container = Container()
    wait_until(container.healthy, "a healthy gateway")
    yield container
    if container.process.poll() is None:
        container.process.kill()
    container.process.wait()
    container.process.stdout.close()
    container.process.stderr.close()


def files():
    return [path for path in ROOT.rglob("*") if path.is_file() and not path.is_symlink()]


def test_config_says_who_runs_what():
    assert CONFIG["User"].split(":")[0] not in ("", "0", "root")
    assert CONFIG["Entrypoint"] == [BINARY]
    assert set(CONFIG["ExposedPorts"]) == {"8443/tcp", "9090/tcp"}
    labels = CONFIG["Labels"]
    assert labels["org.opencontainers.image.title"] == "tideway"
    shown, _ = Container("--version").process.communicate(timeout=DEADLINE_S)
    assert shown.split() == ["tideway", labels["org.opencontainers.image.version"]]


def test_holds_one_program_and_no_shell():
    programs = [path for path in files() if path.parent.name in ("bin", "sbin")]
    assert [str(path.relative_to(ROOT)) for path in programs] == ["usr/bin/tideway"]
    assert not [path for path in files() if path.stat().st_mode & (stat.S_ISUID | stat.S_ISGID)]


def test_holds_the_licences_of_what_it_holds():
    documents = ROOT / "usr/share/doc"
    assert (documents / "tideway/tideway.txt").read_text().startswith("MIT License")
    for package in (ROOT / "var/lib/dpkg/status.d").iterdir():
        assert (documents / package.name / "copyright").stat().st_size > 0


def test_serves_tls_as_an_ordinary_user_and_carries_an_event(container):
    status = pathlib.Path(f"/proc/{container.inner_pid()}/status").read_text()
    fields = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    user, group = CONFIG["User"].split(":")
    assert fields["Uid"].split() == [user] * 4 and fields["Gid"].split() == [group] * 4
    assert int(fields["CapEff"], 16) == 0
    assert fields["NSpid"].split()[-1] == "1"
    with H2Client(("127.0.0.1", container.port)) as client:
        stream = client.subscribe("greetings")
        assert stream.status == 200
        answer = client.request("POST", "/v1/publish", [
            ("authorization", f"Bearer {KEY}"), ("x-sse-topic", "greetings"), ("x-sse-id", "1")], "Hello!")
        assert answer.json() == {"status": "accepted", "id": "1", "delivered": 1, "droppedTopics": []}
        stream.wait_events(1)
        assert stream.data() == ["Hello!"]
        # Whoever left the admin UI out (UI=OFF) has no licences of it either.
        has_ui = any((ROOT / "usr/share/doc/tideway").glob("ui-*.txt"))
        assert client.request("GET", "/admin/").status == (200 if has_ui else 404)


def test_ends_in_order_on_sigterm_though_it_is_process_1(container):
    with H2Client(("127.0.0.1", container.port)) as client:
        client.subscribe("greetings")
        os.kill(container.inner_pid(), signal.SIGTERM)
        assert container.process.wait(DEADLINE_S) == 0
    assert '"message":"stopped"' in container.process.stderr.read()


def test_unhealthy_when_nothing_runs():
    container = Container("healthcheck")
    _, error = container.process.communicate(timeout=DEADLINE_S)
    assert container.process.returncode == 1
    assert "Connection refused" in error
