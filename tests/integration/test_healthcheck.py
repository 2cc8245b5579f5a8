"""`tideway healthcheck`: asks a running gateway, with the gateway's own options."""

import os
import subprocess

from lib.paths import BINARY
from lib.ports import free_port
from lib.waiting import DEADLINE_S



def healthcheck(*arguments, **options):
    inherited = {name: value for name, value in os.environ.items()
                 if not name.startswith(("TIDEWAY_", "SSE_"))}
    environment = {f"TIDEWAY_{name.upper()}": value for name, value in options.items()}
    return subprocess.run([BINARY, "healthcheck", *arguments], capture_output=True,
                          text=True, timeout=DEADLINE_S, env={**inherited, **environment})


def test_asks_the_ops_listener(gateway):
    done = healthcheck(ops_listen=f"127.0.0.1:{gateway.ops_port}")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_takes_flags_and_knows_that_a_wildcard_is_answered_by_loopback(start_gateway):
    port = free_port()
    start_gateway(ops_listen=f"0.0.0.0:{port}", ready=False).wait_log(message="started")
    assert healthcheck("--ops-listen", f"0.0.0.0:{port}").returncode == 0


def test_asks_the_main_listener_over_tls_when_ops_is_off(start_gateway):
    gateway = start_gateway(ops_listen="off", ready=False)
    gateway.wait_log(message="started")
    done = healthcheck(ops_listen="off", listen=f"127.0.0.1:{gateway.port}")
    assert done.returncode == 0, done.stderr


def test_asks_the_main_listener_in_cleartext_behind_a_proxy(start_gateway):
    gateway = start_gateway(ops_listen="off", tls=False, ready=False)
    gateway.wait_log(message="started")
    done = healthcheck(ops_listen="off", tls="off", listen=f"127.0.0.1:{gateway.port}")
    assert done.returncode == 0, done.stderr


def test_fails_with_one_line_when_nobody_answers():
    address = f"127.0.0.1:{free_port()}"
    done = healthcheck(ops_listen=address)
    assert done.returncode == 1
    assert done.stderr == f"tideway healthcheck: cannot connect to {address}: Connection refused\n"


def test_fails_on_an_answer_that_is_not_ok(gateway):
    """The main listener speaks TLS: no answer to a plain request counts as health."""
    done = healthcheck(ops_listen=f"127.0.0.1:{gateway.port}")
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1


def test_refuses_bad_options():
    done = healthcheck("--no-such-option", "1")
    assert done.returncode == 64
    assert "no-such-option" in done.stderr
