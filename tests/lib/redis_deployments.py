"""Redis as people run it: one server, a cluster, masters under sentinels; of every kind of server that is there."""

import os
import pathlib
import tempfile
import time

from lib.certificates import make_authority
from lib.paths import ROOT
from lib.ports import free_port
from lib.redis_server import Redis, Sentinel
from lib.waiting import wait_until

# The long forms of tests want every server, the short ones only Debian 12's, which is always there.
FULL = os.environ.get("TIDEWAY_FULL") == "1"
SERVERS = ["redis-7.0", *(["redis-6.2", "redis-8.0", "valkey-8.1", "valkey-9.1"] if FULL else [])]
FETCHED = ROOT / "build-deps/redis-servers"  # by ./dev redis
SLOTS = 16384
# A failover begins so long after a server went silent; while a test only stops one, nothing fails over.
FAILS_OVER_AFTER_MS, PATIENT_MS = 2000, 60000


def program_of(name):
    """The server of that name, or None."""
    if name == "redis-7.0":
        return "redis-server"
    path = FETCHED / name
    return str(path) if path.exists() else None


class Deployment:
    """`options` are the gateway's."""

    def __init__(self):
        self.servers = []  # that hold data
        self.others = []

    def master_of(self, topic):
        """The server that has the lane of a topic that has streams."""
        def find():
            return next((server for server in self.masters()
                         if server.cli("--scan", "--pattern", f"tw:{{*}}:t:{topic}")), None)
        return wait_until(find, f"a master with the topic {topic}")

    def masters(self):
        return [server for server in self.servers
                if server.process.poll() is None and server.info("replication", "role") == "master"]

    def be_patient(self):
        """From now on no master is replaced for being silent."""

    def replace(self, master):
        """Kills a master and returns when another one has its place: that is after a failover, or itself, empty."""
        raise NotImplementedError

    def close(self):
        for server in (*self.others, *self.servers):
            server.close()


class Single(Deployment):
    def __init__(self, program):
        super().__init__()
        self.servers = [Redis(program=program)]
        self.options = {"redis_url": self.servers[0].url}

    def replace(self, master):
        master.kill()
        master.start()


class Cluster(Deployment):
    """Three masters with a replica each, and eight lanes, so that each master has some."""

    def __init__(self, program):
        super().__init__()
        for _ in range(6):
            self.servers.append(Redis(program=program, cluster_enabled="yes", cluster_port=free_port(),
                                      cluster_node_timeout=PATIENT_MS, repl_diskless_sync_delay=0))
        masters, replicas = self.servers[:3], self.servers[3:]
        for number, master in enumerate(masters):
            slots = range(number * SLOTS // 3, (number + 1) * SLOTS // 3)
            assert master.cli("CLUSTER", "ADDSLOTS", *map(str, slots)) == "OK"
        for server in self.servers[1:]:
            assert server.cli("CLUSTER", "MEET", "127.0.0.1", str(masters[0].port),
                              str(masters[0].options["cluster_port"])) == "OK"
        wait_until(lambda: all(server.cli("CLUSTER", "NODES").count(" connected") == 6 and
                               "handshake" not in server.cli("CLUSTER", "NODES") for server in self.servers),
                   "the nodes to know each other", 40)
        for master, replica in zip(masters, replicas):
            wait_until(lambda: replica.cli("CLUSTER", "REPLICATE", self.id_of(master)) == "OK", "a replica")
        wait_until(self.serves, "the cluster", 40)
        self.fail_over_after(FAILS_OVER_AFTER_MS)  # not before: who is slow to answer a MEET is forgotten after that time
        self.options = {"redis_url": "redis+cluster://" + ",".join(f"127.0.0.1:{s.port}" for s in self.servers),
                        "redis_lanes": 8}

    @staticmethod
    def id_of(server):
        return server.cli("CLUSTER", "MYID")

    def serves(self):
        """Whether all that run agree that all slots are served, and have their masters' data."""
        return all("cluster_state:ok" in server.cli("CLUSTER", "INFO") and
                   server.info("replication", "master_link_status") in (None, "up")
                   for server in self.servers if server.process.poll() is None)

    def fail_over_after(self, timeout_ms):
        for server in self.servers:
            assert server.cli("CONFIG", "SET", "cluster-node-timeout", str(timeout_ms)) == "OK"

    def be_patient(self):
        self.fail_over_after(PATIENT_MS)

    def replace(self, master):
        masters = {server.port for server in self.masters()}
        master.kill()
        wait_until(lambda: len(new := {server.port for server in self.masters()}) == 3 and new != masters, "a failover", 40)
        wait_until(self.serves, "the cluster", 40)

    def move_slot(self, slot, source, target, pause_s):
        """Half of its keys move; the rest after a while, in which the slot is between both."""
        assert target.cli("CLUSTER", "SETSLOT", str(slot), "IMPORTING", self.id_of(source)) == "OK"
        assert source.cli("CLUSTER", "SETSLOT", str(slot), "MIGRATING", self.id_of(target)) == "OK"
        keys = source.cli("CLUSTER", "GETKEYSINSLOT", str(slot), "100000").split("\n")
        half = len(keys) // 2
        for some in keys[:half], keys[half:]:
            if some:
                # NOKEY: what has run out of time since then.
                assert source.cli("MIGRATE", "127.0.0.1", str(target.port), "", "0", "5000", "KEYS", *some) in ("OK", "NOKEY")
            time.sleep(pause_s)
        left = source.cli("CLUSTER", "GETKEYSINSLOT", str(slot), "100000").split()
        assert left == [], "a gateway wrote into a slot that is moved"
        for server in (target, source, *self.masters()):
            assert server.cli("CLUSTER", "SETSLOT", str(slot), "NODE", self.id_of(target)) == "OK"


class Sentinels(Deployment):
    """A master and a replica under three sentinels; all want a password and a client's certificate."""

    def __init__(self, program):
        super().__init__()
        self._directory = tempfile.TemporaryDirectory(prefix="tideway-authority-")
        files = make_authority(pathlib.Path(self._directory.name))
        password = {"program": program, "tls": files, "requirepass": "of-redis", "masterauth": "of-redis"}
        master = Redis(**password)
        self.servers = [master, Redis(replicaof=f"127.0.0.1 {master.port}", **password)]
        wait_until(lambda: self.servers[1].info("replication", "master_link_status") == "up", "replication")
        self.others = [Sentinel(master, program=program, tls=files, requirepass="of-sentinel", lines=[
            "auth-pass main of-redis", f"down-after-milliseconds main {FAILS_OVER_AFTER_MS}",
            "sentinel-pass of-sentinel"]) for _ in range(3)]
        wait_until(lambda: all("num-other-sentinels\n2" in s.cli("SENTINEL", "MASTER", "main") and
                               "num-slaves\n1" in s.cli("SENTINEL", "MASTER", "main") for s in self.others),
                   "the sentinels to know each other", 40)
        self.options = {"redis_url": "rediss+sentinel://" + ",".join(f"127.0.0.1:{s.port}" for s in self.others) + "/main",
                        "redis_password": "of-redis", "redis_sentinel_password": "of-sentinel",
                        "redis_ca": files.ca, "redis_cert": files.client, "redis_key": files.client_key}

    def be_patient(self):
        for sentinel in self.others:
            sentinel.cli("SENTINEL", "SET", "main", "down-after-milliseconds", str(PATIENT_MS))

    def replace(self, master):
        other, = [server for server in self.servers if server is not master]
        master.kill()
        wait_until(lambda: other.info("replication", "role") == "master", "a failover", 40)

    def close(self):
        super().close()
        self._directory.cleanup()
