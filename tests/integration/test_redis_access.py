"""What gateways need of a server: rights, settings, secrets; on every kind of server that is there."""

import re
import shutil
import signal
import socketserver
import threading
import time

import pytest

from lib.certificates import make_authority
from lib.paths import ROOT
from lib.ports import free_port
from lib.redis_deployments import SERVERS, program_of
from lib.redis_lane import SCRIPTS
from lib.redis_load import Load
from lib.redis_server import Redis
from lib.waiting import wait_until


def server(name):
    return program_of(name) or pytest.skip(f"{name} is not on this machine: ./dev redis fetches it")


@pytest.fixture
def redis(servers):
    servers.append(Redis())
    return servers[0]


# Servers that cannot be used: one clear line, tried again

def refusal_of(gateway):
    line = gateway.wait_log(message="Redis cannot be used: trying again")
    assert gateway.ops("/readyz")[0] == 503 and gateway.ops("/healthz")[0] == 200
    return line["reason"]


def lines_of(gateway):
    return [line for line in gateway.logs if line.get("message", "").startswith("Redis cannot")]


def failed_attempts(gateway):
    return gateway.metrics()["tideway_redis_attempts_failed_total"]


def test_a_wrong_password(servers, start_gateway):
    redis = Redis(requirepass="right")
    servers.append(redis)
    gateway = start_gateway(ready=False, runtime="redis",
                            redis_url=f"redis://:wrong@127.0.0.1:{redis.port}")
    assert "WRONGPASS" in refusal_of(gateway)
    wait_until(lambda: failed_attempts(gateway) > 6, "several attempts")
    assert len(lines_of(gateway)) == 1
    redis.cli("-a", "right", "CONFIG", "SET", "requirepass", "wrong")
    gateway.wait_ready()


def test_a_replica(servers, start_gateway):
    redis = Redis(replicaof="127.0.0.1 1")
    servers.append(redis)
    gateway = start_gateway(ready=False, runtime="redis", redis_url=redis.url)
    assert "this Redis is a replica; Tideway needs the master" in refusal_of(gateway)
    wait_until(lambda: failed_attempts(gateway) > 4, "several attempts")
    assert len(lines_of(gateway)) == 1
    redis.cli("REPLICAOF", "NO", "ONE")
    gateway.wait_ready()


def test_a_redis_too_old(servers, start_gateway):
    redis = Redis(rename_command='HELLO ""')  # what an old one answers to HELLO
    servers.append(redis)
    gateway = start_gateway(ready=False, runtime="redis", redis_url=redis.url)
    assert "older than 6.2" in refusal_of(gateway)
    wait_until(lambda: failed_attempts(gateway) > 4, "several attempts")
    assert len(lines_of(gateway)) == 1


@pytest.mark.parametrize("missing, reason", [
    ("-evalsha", "NOPERM"), ("resetkeys", "NOPERM"), ("-xread", "NOPERM"), ("-script", "NOPERM")])
def test_rights_that_are_missing_after_the_greeting(redis, start_gateway, missing, reason):
    def connections():
        return int(next(line.split(":")[1] for line in redis.cli("INFO", "stats").splitlines()
                        if line.startswith("total_connections_received")))

    redis.cli("ACL", "SETUSER", "bob", "reset", "on", ">pw", "+@all", "~*", "&*", missing)
    gateway = start_gateway(ready=False, runtime="redis", redis_url=f"redis://bob:pw@127.0.0.1:{redis.port}")
    assert reason in refusal_of(gateway)
    wait_until(lambda: failed_attempts(gateway) >= 6, "several attempts")
    before, begun = connections(), time.monotonic()
    wait_until(lambda: failed_attempts(gateway) >= 9, "more attempts", 30)
    # Two connections an attempt, at most one attempt a second by now, and those of redis-cli.
    assert connections() - before <= 2 * (time.monotonic() - begun + 1) + 2
    assert len(lines_of(gateway)) == 1
    redis.cli("ACL", "SETUSER", "bob", "+@all", "~*", "&*")
    gateway.wait_ready()


@pytest.fixture
def tls_redis(tmp_path, servers):
    files = make_authority(tmp_path)
    # The plain port is for redis-cli; the gateway uses the other one.
    redis = Redis(tls_port=free_port(), tls_cert_file=files.server, tls_key_file=files.server_key,
                  tls_ca_cert_file=files.ca, tls_auth_clients="no")
    redis.ca, redis.tls_url = files.ca, f"rediss://localhost:{redis.options['tls_port']}"
    servers.append(redis)
    return redis


def test_redis_over_tls(tls_redis, start_gateway):
    gateway = start_gateway(runtime="redis", redis_url=tls_redis.tls_url, redis_ca=tls_redis.ca)
    stream = gateway.h2().subscribe("t")
    assert gateway.deliver("t", "over TLS") == 1
    assert stream.wait_events(1)[0].data == "over TLS"


def test_a_wrong_authority(tls_redis, start_gateway):
    gateway = start_gateway(ready=False, runtime="redis", redis_url=tls_redis.tls_url)
    assert "its certificate is refused: " in refusal_of(gateway)
    wait_until(lambda: failed_attempts(gateway) > 4, "several attempts")
    assert len(lines_of(gateway)) == 1


def test_an_authority_file_that_is_not_there_stops_the_start(start_gateway):
    gateway = start_gateway(ready=False, runtime="redis", redis_url="rediss://localhost",
                            redis_ca="/no/such/ca.pem")
    assert gateway.wait_exit() == 1
    assert "TIDEWAY_REDIS_CA" in gateway.text() and "/no/such/ca.pem" in gateway.text()


def test_a_url_that_means_nothing_stops_the_start(start_gateway):
    gateway = start_gateway(ready=False, runtime="redis", redis_url="http://localhost")
    assert gateway.wait_exit() == 64
    assert "TIDEWAY_REDIS_URL" in gateway.text()


# How it is set up: what can be lost is one warning

def risks_of(gateway):
    return [line for line in gateway.logs if line.get("message", "").startswith("Redis is set up")]


@pytest.mark.parametrize("program", SERVERS)
def test_what_can_be_lost_is_one_warning(servers, start_gateway, program):
    redis = Redis(program=server(program), maxmemory="100mb", maxmemory_policy="allkeys-lru")
    servers.append(redis)
    replica = Redis(program=server(program), replicaof=f"127.0.0.1 {redis.port}")
    servers.append(replica)
    # The replica is up before the master has heard so; until then the gateway would rightly warn of its lag.
    wait_until(lambda: "state=online" in (redis.info("replication", "slave0") or ""), "replication")
    gateway = start_gateway(runtime="redis", redis_url=redis.url, redis_lanes=4)
    line, = risks_of(gateway)
    assert line["level"] == "warn"
    assert "its memory is full" in line["loss"] and "no replica gets them" in line["loss"]
    assert line["change"] == "maxmemory-policy noeviction; min-replicas-to-write 1 and min-replicas-max-lag 10"
    redis.cli("CLIENT", "KILL", "TYPE", "normal")
    wait_until(lambda: gateway.metrics()["tideway_redis_connects_total"] >= 2, "the gateway to be back")
    assert len(risks_of(gateway)) == 1, "it is known"

    redis.cli("CONFIG", "SET", "maxmemory-policy", "volatile-lru")  # no key of ours has a time to live
    redis.cli("CONFIG", "SET", "min-replicas-to-write", "1")
    assert risks_of(start_gateway(runtime="redis", redis_url=redis.url, redis_lanes=4)) == []


def test_a_replica_that_is_late_is_a_risk(servers, start_gateway):
    redis = Redis(min_replicas_to_write=1, min_replicas_max_lag=3600)
    servers.append(redis)
    replica = Redis(replicaof=f"127.0.0.1 {redis.port}")
    servers.append(replica)
    wait_until(lambda: replica.info("replication", "master_link_status") == "up", "replication")
    replica.pause()
    wait_until(lambda: int(redis.info("replication", "slave0").rpartition("lag=")[2]) > 10, "the replica to be late", 30)
    line, = risks_of(start_gateway(runtime="redis", redis_url=redis.url))
    assert line["loss"] == "a replica is more than 10 s behind: a failover to it loses what was accepted since"
    replica.resume()


class Impostor:
    """Answers like a server that is none of those that can be used: its HELLO, its INFO, and null for all else."""

    def __init__(self, hello, info):
        self.answers = {b"HELLO": hello, b"INFO": info}
        self.server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), self._handler())
        self.server.daemon_threads = True
        self.url = f"redis://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def _handler(self):
        answers = self.answers

        class Handler(socketserver.StreamRequestHandler):
            def handle(self):
                while count := self.rfile.readline()[1:]:
                    words = [self.rfile.read(int(self.rfile.readline()[1:]) + 2)[:-2] for _ in range(int(count))]
                    self.wfile.write(answers.get(words[0].upper(), b"*0\r\n"))
        return Handler

    def close(self):
        self.server.shutdown()
        self.server.server_close()


def bulk(text):
    return b"$%d\r\n%s\r\n" % (len(text), text.encode())


def test_a_server_like_dragonfly_is_refused_in_one_line(servers, start_gateway):
    hello = ("server", "redis", "version", "7.4.0", "proto", "2", "mode", "standalone", "role", "master")
    impostor = Impostor(b"*%d\r\n" % len(hello) + b"".join(map(bulk, hello)), bulk(
        "# Server\r\nredis_version:7.4.0\r\ndragonfly_version:df-v1.27.1\r\nredis_mode:standalone\r\n"
        "# Replication\r\nrole:master\r\nconnected_slaves:0\r\nmaster_replid:0123456789abcdef0123456789abcdef01234567\r\n"))
    servers.append(impostor)
    gateway = start_gateway(ready=False, runtime="redis", redis_url=impostor.url)
    assert "has no run_id in its INFO" in refusal_of(gateway) and "needs Redis or Valkey" in refusal_of(gateway)
    wait_until(lambda: failed_attempts(gateway) > 4, "several attempts")
    assert len(lines_of(gateway)) == 1


# Rights

def documented_rights():
    text = (ROOT / "docs/redis.md").read_text()
    return re.search(r"ACL SETUSER tideway (reset on >password [^`]*)```", text).group(1).split()


def test_the_documented_rights_are_those_that_are_used():
    """Of the scripts all commands, from their text: some are rare."""
    scripts = "".join(re.sub(r"--[^\n]*", "", path.read_text()) for path in SCRIPTS.glob("*.lua"))
    used = set(re.findall(r"\b(?:call|pcall|call_with)\('([A-Z]+)'", scripts))
    sent = {"hello", "info", "command|info", "select", "cluster|slots", "script|load", "evalsha", "xread"}
    assert {right[1:] for right in documented_rights() if right[0] == "+"} == {name.lower() for name in used} | sent


@pytest.mark.parametrize("program", SERVERS)
def test_the_documented_rights_are_enough(servers, start_gateway, program):
    redis = Redis(program=server(program))
    servers.append(redis)
    assert redis.cli("ACL", "SETUSER", "tideway", *documented_rights()) == "OK"
    url = f"redis://tideway:password@127.0.0.1:{redis.port}/2"
    gateways = [start_gateway(runtime="redis", redis_url=url, node_id=f"n{i}") for i in range(3)]
    stream = gateways[0].h2().subscribe("t", "u")
    gateways[1].h2().subscribe("u").close()
    gateways[1].deliver("t", "x", id="1")
    gateways[2].deliver("t,u", "y", id="2")
    assert [event.id for event in stream.wait_events(2)] == ["1", "2"]
    again = gateways[2].h2().subscribe("t", headers=[("last-event-id", "1")])
    assert again.wait_events(1)[0].id == "2"
    wait_until(lambda: gateways[1].admin("/connections")["total"] == 2, "the listing")
    assert len(gateways[1].admin("/connections?topic=t")["data"]) == 2 and len(gateways[1].admin("/nodes")["data"]) == 3
    assert gateways[0].topics()["t"] == 2 and len(gateways[1].admin("/topics/t/tail")["events"]) == 2
    gone = gateways[1].h2().request("DELETE", f"/v1/admin/connections/{again.connection_id}", [gateways[1].auth()])
    assert gone.status in (200, 204), gone.body
    gateways[2].stop()
    gateways[1].signal(signal.SIGKILL)
    gateways[1].stop(expected_code=-signal.SIGKILL)
    wait_until(lambda: gateways[0].metrics()["tideway_redis_nodes_buried_total"] == 1, "its burial", 30)
    assert redis.cli("ACL", "LOG") == ""
    assert not [line for line in gateways[0].logs if "NOPERM" in str(line)]


# Secrets are read at each connect

def test_secrets_are_replaced_under_load(tmp_path, servers, start_gateway):
    """Authority, certificates and password: a stream misses nothing, and no gateway is started anew."""
    old, new, used = (tmp_path / name for name in ("old", "new", "used"))
    for directory in (old, new, used):
        directory.mkdir()
    before, after = make_authority(old), make_authority(new)

    def mount(files, password):
        for name in ("ca.pem", "client.pem", "client.key"):
            shutil.copy(files.directory / name, used)
        (used / "password").write_text(password + "\n")

    mount(before, "first")
    redis = Redis(tls=before, requirepass="first")
    servers.append(redis)
    gateways = [start_gateway(ready=False, runtime="redis", redis_url=f" rediss://localhost:{redis.port}\n", node_id=f"n{i}",
                              redis_ca=used / "ca.pem", redis_cert=used / "client.pem", redis_key=used / "client.key",
                              redis_password_file=used / "password") for i in range(3)]
    load = Load([gateway.wait_ready() for gateway in gateways])
    load.flowing()
    mount(after, "second")
    answer = redis.cli("CONFIG", "SET", "tls-cert-file", after.server, "tls-key-file", after.server_key,
                       "tls-ca-cert-file", after.ca, "requirepass", "second")
    assert answer == "OK"
    redis.tls, redis.options["requirepass"] = after, "second"
    for _ in range(2):
        redis.cli("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        load.flowing(20)
    load.finish_exact()
    assert all(gateway.metrics()["tideway_redis_connects_total"] >= 2 for gateway in gateways)
    load.close()
