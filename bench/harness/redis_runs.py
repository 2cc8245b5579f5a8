"""What only a gateway on Redis can be asked: how fast it registers streams, against one that keeps
them in memory in the same run."""

import contextlib
import http.client
import json
import socket
import ssl
import subprocess
import threading
import time

from . import load, servers

PROBE_RATE = 200  # events a second
PROBE_LANES = 20
PROBE_TOPIC = "probe"
REGISTER_SECONDS = 60
KEYS = "tw:{0}:"  # what the keys of the first lane begin with


class Resp:
    """One connection to Redis; commands one by one."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), 10)
        self.file = self.socket.makefile("rb")

    def send(self, *words):
        parts = [str(word).encode() for word in words]
        self.socket.sendall(b"*%d\r\n" % len(parts) +
                            b"".join(b"$%d\r\n%s\r\n" % (len(part), part) for part in parts))

    def reply(self):
        line = self.file.readline()
        kind, rest = line[:1], line[1:-2]
        if kind == b"$":
            return self.file.read(int(rest) + 2)[:-2] if int(rest) >= 0 else None
        if kind == b"*":
            return [self.reply() for _ in range(int(rest))]
        if kind == b"-":
            raise load.LoadError(f"Redis: {rest.decode()}")
        return int(rest) if kind == b":" else rest

    def __call__(self, *words):
        self.send(*words)
        return self.reply()

    def info(self):
        lines = self("INFO", "everything").decode().splitlines()
        return dict(line.split(":", 1) for line in lines if ":" in line)

    def close(self):
        self.socket.close()


def cpu_seconds(info):
    return float(info["used_cpu_user"]) + float(info["used_cpu_sys"])


class Probe:
    """Publishes in open loop to a topic of its own, from start() to stop(), and keeps how long each
    answer took from the time at which its event was due. Several connections take turns, so that a
    slow answer does not delay the next event."""

    def __init__(self, server):
        self.server = server
        self.latencies = []  # (due, seconds)
        self.failed = 0
        self.stream = self.connect()
        self.stream.request("GET", "/v1/stream", headers={"x-sse-topic": PROBE_TOPIC})
        if self.stream.getresponse().status != 200:
            raise load.LoadError("the probe's stream was refused")
        self.stopping = threading.Event()
        self.lanes = [self.connect() for _ in range(PROBE_LANES)]
        self.threads = [threading.Thread(target=self.publish, args=(lane,), daemon=True)
                        for lane in range(PROBE_LANES)]

    def connect(self):
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        host, port = self.server.addresses[0].split(":")
        connection = http.client.HTTPSConnection(host, int(port), timeout=30, context=context)
        connection.connect()
        connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection

    def start(self):
        self.begun = time.monotonic()
        for thread in self.threads:
            thread.start()
        time.sleep(0.5)

    def publish(self, lane):
        headers = {"authorization": f"Bearer {servers.KEY}", "x-sse-topic": PROBE_TOPIC,
                   "x-sse-id": "probe"}
        due = self.begun + lane / PROBE_RATE
        while not self.stopping.wait(max(0, due - time.monotonic())):
            try:
                self.lanes[lane].request("POST", "/v1/publish", b"x" * 100, headers)
                response = self.lanes[lane].getresponse()
                response.read()
                self.failed += response.status != 202
            except (OSError, http.client.HTTPException):
                self.failed += 1
                self.lanes[lane] = self.connect()
            self.latencies.append((due, time.monotonic() - due))
            due += PROBE_LANES / PROBE_RATE

    def stop(self):
        self.stopping.set()
        for thread in self.threads:
            thread.join()
        for connection in (self.stream, *self.lanes):
            connection.close()

    def between(self, begun, ended):
        taken = sorted(seconds * 1000 for due, seconds in self.latencies if begun <= due <= ended)
        if not taken:
            raise load.LoadError("the probe published nothing")

        def share(part):
            return taken[min(len(taken) - 1, int(len(taken) * part))]
        return {"count": len(taken), "failed": self.failed, "p50_ms": share(0.5),
                "p99_ms": share(0.99), "max_ms": taken[-1]}


def topics_key(ask):
    """The topics of the only node."""
    registration, = ask("ZRANGE", KEYS + "nodes", 0, -1)
    return f"{KEYS}n:{registration.decode()}:t"


def wait_registered(server, process, wanted, begun):
    """Seconds until all streams are open, and until Redis knows that all their topics are followed."""
    gateway, redis = server.gateway, server.redis
    opened = None
    with contextlib.ExitStack() as stack:
        if redis:
            ask = Resp(redis.port)
            stack.callback(ask.close)
        while time.monotonic() - begun < REGISTER_SECONDS:
            if process.poll() is not None:
                raise load.LoadError(f"streams were lost: {process.communicate()[1].strip()}")
            if opened is None and servers.metrics(gateway)["tideway_streams"] >= wanted:
                opened = time.monotonic() - begun
            if opened is not None and (not redis or ask("ZCARD", KEYS + "topics") >= wanted):
                return opened, time.monotonic() - begun
            time.sleep(0.01)
    raise load.LoadError(f"not all streams were registered within {REGISTER_SECONDS} s")


def registry_in_redis(redis, scenario):
    """Bytes that a followed topic, and its entry for the node take; CPU in all."""
    ask = Resp(redis.port)

    def size(key):
        return ask("MEMORY", "USAGE", key, "SAMPLES", 0)
    topics = scenario.load["topics"]
    info = ask.info()
    found = {"topic_bytes": size(KEYS + "topics") / topics + size(f"{KEYS}t:{PROBE_TOPIC}"),
             "topic_on_node_bytes": size(topics_key(ask)) / topics,
             "all_bytes": int(info["used_memory"]) / scenario.streams,
             "cpu_us": cpu_seconds(info) / scenario.streams * 1e6}
    ask.close()
    return found


def registration(scenario, name, build, peer_paths, changes):
    """Opens streams with a topic each while a probe publishes; until the registry has them all."""
    with servers.started(name, scenario, build, peer_paths) as server:
        probe = Probe(server)
        probe.start()
        command = [f"{build}/bench/tw-load", *load.arguments(scenario, server, changes)]
        begun = time.monotonic()
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              text=True) as process:
            try:
                opened, registered = wait_registered(server, process, scenario.streams + 1, begun)
                turns = servers.loops(server.gateway)
                in_redis = registry_in_redis(server.redis, scenario) if server.redis else None
            except BaseException:
                process.terminate()
                raise
            finally:
                probe.stop()
            out, err = process.communicate(timeout=load.DEADLINE_MS / 1000)
        measured = {"open_seconds": opened, "registered_seconds": registered, **turns,
                    "publish": probe.between(begun, begun + registered)}
        if in_redis:
            measured["redis"] = in_redis
        published = measured["publish"]
        line = (f"{scenario.streams:,} streams open after {opened:.2f} s, registered after "
                f"{registered:.2f} s; longest turn {turns['longest_turn_ms']:.1f} ms "
                f"({turns['longest_turn_cpu_ms']:.1f} ms CPU); {published['count']} publishes "
                f"meanwhile, p99 {published['p99_ms']:.1f} max {published['max_ms']:.1f} ms")
        report = json.loads(out)
        report["registration"] = measured
        report["verification"]["clean"] &= published["failed"] == 0
        return load.make_result(scenario, name, server, command, f"{line}; {err.strip()}", report)
