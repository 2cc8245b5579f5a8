"""What only a gateway on Redis can be asked: how fast it registers streams, and how much of what one
Redis can do its publishes reach. Both are measured against something else in the same run."""

import codecs
import contextlib
import http.client
import json
import os
import re
import select
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
PUBLISH_KEY = "tw:{t:bench-000000}"


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


def calls(info, command):
    stats = dict(part.split("=") for part in info.get(f"cmdstat_{command}", "calls=0").split(","))
    return int(stats["calls"])


# ---- registering ----

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


def wait_registered(server, process, wanted, begun):
    """Seconds until all streams are open, and until Redis knows all of them and their topics."""
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
            if opened is not None and (not redis or (
                    ask("ZCARD", "tw:{n:bench}:c") >= wanted and
                    ask("HLEN", "tw:{n:bench}:t") >= wanted)):
                return opened, time.monotonic() - begun
            time.sleep(0.01)
    raise load.LoadError(f"not all streams were registered within {REGISTER_SECONDS} s")


def registry_in_redis(redis, scenario):
    """Bytes that a stream, a followed topic, and that topic's entry for the node take; CPU in all."""
    ask = Resp(redis.port)

    def size(key):
        return ask("MEMORY", "USAGE", key, "SAMPLES", 0)
    info = ask.info()
    found = {"stream_bytes": size("tw:{n:bench}:c") / scenario.streams,
             "topic_bytes": size("tw:topics") / scenario.load["topics"],
             "topic_on_node_bytes": size("tw:{n:bench}:t") / scenario.load["topics"],
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


# ---- publishing ----

def publish_command(redis):
    """What a gateway sends to publish: [sha, constants…] and one event's arguments."""
    monitor = Resp(redis.port)
    monitor("MONITOR")
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        line = monitor.file.readline()
        words = [codecs.escape_decode(word)[0] for word in re.findall(rb'"((?:[^"\\]|\\.)*)"', line)]
        # EVALSHA sha 0 keep ttl windows events {body renew topics topic}…
        if (len(words) >= 11 and words[0] == b"EVALSHA" and words[8:10] == [b"0", b"1"] and
                words[10].startswith(b"bench-")):
            monitor.close()
            return words[1:6], words[7:10]
    raise load.LoadError("no publish reached Redis")


@contextlib.contextmanager
def subscribers(redis, count, topics):
    """So many connections that get every event, as gateways do, and throw it away."""
    sockets = []
    for _ in range(count):
        connection = Resp(redis.port)
        connection.send("SUBSCRIBE", *(f"tw:{{t:bench-{number:012}}}" for number in range(topics)))
        for _ in range(topics):
            connection.reply()
        sockets.append(connection.socket)
    stopping = threading.Event()

    def drain():
        while not stopping.wait(0.001):
            for ready in select.select(sockets, [], [], 0.1)[0]:
                ready.recv(1 << 22)
    thread = threading.Thread(target=drain)
    thread.start()
    try:
        yield
    finally:
        stopping.set()
        thread.join()
        for ready in sockets:
            ready.close()


def redis_benchmark(redis, nodes, topics, command, batch, depth, count):
    """The same script with the same arguments from as many connections, pipelined as deep."""
    head, event = command
    ask = Resp(redis.port)
    arguments = ["redis-benchmark", "-p", str(redis.port), "-c", str(nodes), "-P", str(depth),
                 "-n", str(count), "-r", str(topics), "--csv", "EVALSHA", *head, str(batch)]
    for _ in range(batch):
        arguments += [*event, "bench-__rand_int__"]
    with subscribers(redis, nodes, topics):
        before = ask.info()
        output = subprocess.run(arguments, stdout=subprocess.PIPE, check=True, timeout=60).stdout
        after = ask.info()
    ask.close()
    rate = float(output.decode(errors="replace").rstrip().splitlines()[-1].split('","')[1])
    return {"events_per_second": rate * batch, "pipeline": depth, "events_per_command": batch,
            "redis_us": (cpu_seconds(after) - cpu_seconds(before)) / (count * batch) * 1e6}


def throughput(scenario, name, build, peer_paths, changes):
    """Publishes through all nodes; then redis-benchmark gives the same Redis the same commands."""
    with servers.started(name, scenario, build, peer_paths) as server:
        command = [f"{build}/bench/tw-load", *load.arguments(scenario, server, changes)]
        ask = Resp(server.redis.port)
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              text=True) as process:
            published = publish_command(server.redis)  # while it warms up
            time.sleep(0.2)
            before = ask.info()
            out, err = process.communicate(timeout=load.DEADLINE_MS / 1000)
            after = ask.info()
        report = json.loads(out)
        events = calls(after, "xadd") - calls(before, "xadd")
        commands = calls(after, "evalsha") - calls(before, "evalsha")
        reads = int(after["total_reads_processed"]) - int(before["total_reads_processed"])
        history = ask("MEMORY", "USAGE", PUBLISH_KEY, "SAMPLES", 0) / ask("XLEN", PUBLISH_KEY)
        server.stop_nodes()
        batch, depth = max(1, round(events / commands)), max(1, round(commands / reads))
        bench = redis_benchmark(server.redis, scenario.nodes, scenario.load["topics"], published,
                                batch, depth, max(2000, 3 * commands))
        ask.close()
        used = cpu_seconds(after) - cpu_seconds(before)
        all_seconds = report["cpu"]["server_seconds"] + report["cpu"]["client_seconds"]
        all_us = all_seconds / report["publish"]["sent_measured"] * 1e6
        report["redis"] = {"redis_us": used / events * 1e6, "events_per_command": events / commands,
                           "commands_per_read": commands / reads, "kept_event_bytes": history,
                           "all_us": all_us, "machine_events": os.cpu_count() / all_us * 1e6,
                           "redis_ratio": used / events * 1e6 / bench["redis_us"],
                           "benchmark": bench,
                           "share": report["publish"]["events_per_second"] /
                           bench["events_per_second"]}
        line = (f"{report['publish']['events_per_second']:,.0f} events/s, {used / events * 1e6:.1f} µs "
                f"of Redis each; redis-benchmark -c {scenario.nodes} -P {depth} with {batch} events "
                f"a command: {bench['events_per_second']:,.0f} events/s, {bench['redis_us']:.1f} µs "
                f"each; share {report['redis']['share']:.2f}; all processes take {all_us:.1f} µs an "
                f"event, so {os.cpu_count()} CPUs allow {report['redis']['machine_events']:,.0f}/s")
        return load.make_result(scenario, name, server, command, f"{line}; {err.strip()}", report)
