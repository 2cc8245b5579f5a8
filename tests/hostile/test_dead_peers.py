"""Peers behind a cable that was cut, which never say goodbye: found within a minute, whatever they were doing.

The gateway and the peers are hosts of their own, network namespaces. The cut throws packets away without a word.
"""

import contextlib
import ctypes
import os
import socket
import subprocess
import time

import pytest

import table

from lib.gateway import Gateway
from lib.h1_client import H1Client
from lib.h2_client import H2Client
from lib.waiting import DEADLINE_S, wait_until

FOUND_S = 60
GATEWAY_HOST, PEER_HOST = "198.51.100.1", "198.51.100.2"
CLONE_NEWNET = 0x40000000
# Once an hour: nothing is on its way to the peers that could stay unacknowledged.
HEARTBEATS_MS = (15000, 3600000)
PEERS, HONEST = 7, 2  # connections; the latter are a stream's and a publisher's

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root may make network namespaces")


class Host:
    """A network namespace; what is opened or started while in it belongs to it. It has no name: a process that dies with
    this one holds it, so it is gone however the tests end."""

    def __init__(self):
        self.holder = subprocess.Popen(["setpriv", "--pdeathsig", "KILL", "unshare", "--net", "sleep", "infinity"])
        self.path = f"/proc/{self.holder.pid}/ns/net"
        wait_until(lambda: os.readlink(self.path) != os.readlink("/proc/self/ns/net"))
        self.run("ip", "link", "set", "lo", "up")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.holder.kill()
        self.holder.wait()

    def run(self, *command):
        command = ["nsenter", f"--net={self.path}", *command]
        return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout

    @contextlib.contextmanager
    def inside(self):
        libc = ctypes.CDLL(None, use_errno=True)
        with open("/proc/thread-self/ns/net", "rb") as back, open(self.path, "rb") as there:
            assert libc.setns(there.fileno(), CLONE_NEWNET) == 0, os.strerror(ctypes.get_errno())
            try:
                yield
            finally:
                assert libc.setns(back.fileno(), CLONE_NEWNET) == 0

    def unacknowledged_bytes(self):
        """Of all its connections."""
        return sum(int(line.split()[2]) for line in self.run("ss", "-Htn").splitlines())


@pytest.fixture
def hosts():
    """(where the gateway is, where its peers are), with a cable between them."""
    with Host() as home, Host() as away:
        home.run("ip", "link", "add", "cable", "type", "veth", "peer", "name", "cable", "netns", str(away.holder.pid))
        for host, address in ((home, GATEWAY_HOST), (away, PEER_HOST)):
            host.run("ip", "address", "add", f"{address}/24", "dev", "cable")
            host.run("ip", "link", "set", "cable", "up")
        yield home, away


def peers(gateway):
    """One of each kind, in the middle of what they do."""
    publish = [gateway.auth(), ("x-sse-topic", "news"), ("x-sse-id", "1")]
    h2_stream, h1_stream = H2Client(gateway.address), H1Client(gateway.address)
    h2_stream.subscribe("cut")
    h1_stream.subscribe("cut")
    h2_idle, h1_idle, h2_body, h1_body = (kind(gateway.address) for kind in (H2Client, H1Client) * 2)
    for client in (h2_idle, h1_idle):
        assert client.request("GET", "/healthz").status == 200
    for client in (h2_body, h1_body):
        client.send_body(client.start("POST", "/v1/publish", publish, end=False), "half", end=False)
    return [h2_stream, h1_stream, h2_idle, h1_idle, h2_body, h1_body, socket.create_connection(gateway.address)]


def still_there(gateway, honest):
    """Whether any of the peers is; the honest stream gets an event."""
    id = str(len(honest.events))
    assert gateway.deliver("news", "x", id=id) == 1
    honest.client.wait(lambda: honest.events and honest.events[-1].id == id, "the honest stream's event")
    return gateway.metrics()["tideway_connections"] > HONEST


def test_dead_peers__are_found_within_a_minute(hosts):
    home, away = hosts
    with contextlib.ExitStack() as stack:
        stack.enter_context(home.inside())
        gateways = [Gateway(host=GATEWAY_HOST, heartbeat_ms=heartbeat_ms) for heartbeat_ms in HEARTBEATS_MS]
        for gateway in gateways:
            stack.callback(gateway.stop)
            gateway.wait_ready()
        streams = [gateway.h2().subscribe("news") for gateway in gateways]
        with away.inside():
            for gateway in gateways:
                for peer in peers(gateway):
                    stack.callback(peer.close)
        for gateway, stream in zip(gateways, streams):
            assert gateway.deliver("news", "x", id="0") == 1
            stream.wait_events(1)
            wait_until(lambda: gateway.metrics()["tideway_connections"] == HONEST + PEERS, "the peers", DEADLINE_S)

        wait_until(lambda: home.unacknowledged_bytes() == 0, "silence", DEADLINE_S)
        away.run("ip", "route", "add", "blackhole", f"{GATEWAY_HOST}/32")

        cut_at, found_s = time.monotonic(), {}
        while len(found_s) < len(gateways):
            now_s = time.monotonic() - cut_at
            assert now_s < FOUND_S, [gateway.admin("/connections")["data"] for gateway in gateways]
            for heartbeat_ms, gateway, stream in zip(HEARTBEATS_MS, gateways, streams):
                if not still_there(gateway, stream):
                    found_s.setdefault(heartbeat_ms, now_s)
            time.sleep(0.2)
    for heartbeat_ms, seconds in found_s.items():
        table.add("dead-peers", {"heartbeat s": heartbeat_ms // 1000, "peers": PEERS, "all found after s": seconds})
