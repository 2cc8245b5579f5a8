"""Servers under test: each starts on free loopback ports, says how to load it, and stops.

A server is a context manager. `addresses` are what tw-load connects to, `pids` what it measures,
`settings` what the report shows, `load` what tw-load needs to speak to it.
"""

import base64
import contextlib
import hashlib
import hmac
import json
import os
import pathlib
import resource
import shutil
import socket
import subprocess
import tempfile
import time
import urllib.request

START_SECONDS = 15
STOP_SECONDS = 15
KEY = "bench-key"


class ServerError(Exception):
    """A server could not be started; the text says which and why."""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def raise_descriptor_limit():
    """For the servers, which inherit it: 1,000,000 streams are only thousands of sockets."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < 20000 <= hard or soft < hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 65536), hard))


def version_of(*command):
    result = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                            check=False)
    return result.stdout.strip().splitlines()[0] if result.stdout.strip() else "unknown"


class Server:
    """One process on one port; the base of all others."""

    name = ""
    dialect = "tideway"

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.port = free_port()
        self.process = None
        self.settings = {}
        self.key = KEY

    def command(self):
        raise NotImplementedError

    def environment(self):
        return {}

    def version(self):
        return "unknown"

    @property
    def addresses(self):
        return [f"127.0.0.1:{self.port}"]

    @property
    def pids(self):
        return [self.process.pid]

    def load_options(self):
        return ["--dialect", self.dialect, "--key", self.key]

    def log_path(self):
        return self.folder / f"{self.name}-{self.port}.log"

    def is_ready(self):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
            return True
        return False

    def __enter__(self):
        with open(self.log_path(), "wb") as log:
            self.process = subprocess.Popen(self.command(), stdin=subprocess.DEVNULL, stdout=log,
                                            stderr=log, cwd=self.folder,
                                            env={**os.environ, **self.environment()})
        deadline = time.monotonic() + START_SECONDS
        while not self.is_ready():
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.__exit__()
                raise ServerError(f"{self.name} did not start: {self.log_tail()}")
            time.sleep(0.02)
        return self

    def log_tail(self):
        lines = self.log_path().read_text(errors="replace").splitlines()
        return " | ".join(lines[-3:]) or "it said nothing"

    def __exit__(self, *_):
        if self.process is None or self.process.poll() is not None:
            return
        self.process.terminate()
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


class Gateway(Server):
    """Tideway, with defaults but for what the scenario asks for."""

    name = "tideway"

    redis = None  # what a Cluster has

    def __init__(self, folder, binary, options, redis_url=None, ops=False):
        super().__init__(folder)
        self.ops_port = free_port() if ops else None
        self.binary = binary
        # The drain is for real clients; here all are ours and gone.
        self.options = {"WORKERS": 1, "DRAIN_MS": 100, **options}
        if redis_url:
            self.options.update(RUNTIME="redis", REDIS_URL=redis_url)
        self.settings = {f"TIDEWAY_{name}": str(value) for name, value in self.options.items()}

    def command(self):
        return [self.binary]

    def environment(self):
        return {**self.settings, "SSE_PUBLISHER_API_KEYS": KEY,
                "TIDEWAY_LISTEN": f"127.0.0.1:{self.port}",
                "TIDEWAY_OPS_LISTEN": f"127.0.0.1:{self.ops_port}" if self.ops_port else "off"}

    @property
    def gateway(self):
        return self

    def version(self):
        return version_of(self.binary, "--version")


def metrics(gateway):
    with urllib.request.urlopen(f"http://127.0.0.1:{gateway.ops_port}/metrics", timeout=30) as answer:
        text = answer.read().decode()
    return {name: float(value) for name, value in
            (line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))}


def loops(gateway):
    """The longest turn of any loop, ms, by wall and by CPU time, and how many exceeded 20 ms."""
    samples = metrics(gateway)

    def of(name):
        return [value for sample, value in samples.items() if sample.startswith(name + "{")]
    return {"longest_turn_ms": max(of("tideway_loop_turn_longest_seconds")) * 1000,
            "longest_turn_cpu_ms": max(of("tideway_loop_turn_longest_cpu_seconds")) * 1000,
            "stalls": sum(of("tideway_loop_stalls_total"))}


class Floor(Server):
    """tw-floor: chooses its port itself and prints it."""

    name = "floor"

    def __init__(self, folder, build):
        super().__init__(folder)
        self.binary = pathlib.Path(build) / "bench" / "tw-floor"

    def command(self):
        return [str(self.binary)]

    def is_ready(self):
        text = self.log_path().read_text()
        if not text.endswith("\n"):
            return False
        self.port = int(text)
        return True

    def log_path(self):
        return self.folder / "floor.log"

    def version(self):
        return "OpenSSL writes and copies only"


def make_certificate(folder):
    """An ephemeral P-256 certificate for peers that need files; the same kind that Tideway makes."""
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=localhost", "-addext",
                    "subjectAltName=DNS:localhost,IP:127.0.0.1", "-days", "2", "-keyout", "key.pem",
                    "-out", "cert.pem"], cwd=folder, check=True, stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL)


NGINX_CONF = """\
load_module {modules}/ngx_nchan_module.so;
daemon off;
worker_processes {workers};
pid {folder}/nginx.pid;
error_log {folder}/nginx-error.log error;
events {{ worker_connections 60000; multi_accept on; }}
http {{
    access_log off;
    # Each delivery is a small write: letting the kernel gather them saves it a quarter of its CPU.
    tcp_nodelay off;
    keepalive_timeout 1h;
    keepalive_requests 1000000000;
    send_timeout 1h;
    client_header_timeout 1h;
    http2_max_concurrent_streams {streams};
    http2_chunk_size 16k;
    client_body_in_single_buffer on;
    client_body_buffer_size 16k;
    client_body_temp_path {folder}/body;
    nchan_shared_memory_size 2048M;
    server {{
        listen 127.0.0.1:{port} ssl http2 backlog=4096;
        ssl_certificate {folder}/cert.pem;
        ssl_certificate_key {folder}/key.pem;
        ssl_protocols TLSv1.3;
        ssl_buffer_size 16k;
        location ~ ^/sub/(.+)$ {{
            nchan_subscriber eventsource;
            nchan_channel_id $1;
            nchan_subscriber_first_message newest;
            nchan_subscriber_timeout 0;
            nchan_eventsource_ping_interval 0;
        }}
        location ~ ^/multi/(.+)$ {{
            nchan_subscriber eventsource;
            nchan_channel_id $1;
            nchan_channel_id_split_delimiter ",";
            nchan_subscriber_first_message newest;
            nchan_subscriber_timeout 0;
            nchan_eventsource_ping_interval 0;
        }}
        location ~ ^/pub/(.+)$ {{
            nchan_publisher http;
            nchan_channel_id $1;
            nchan_message_buffer_length 200;
            nchan_message_timeout 1m;
        }}
    }}
}}
"""


class Nchan(Server):
    """nginx with nchan, both Debian's: one worker like the gateway, nothing logged, no pings."""

    name = "nchan"
    dialect = "nchan"
    MODULES = "/usr/lib/nginx/modules"

    def __init__(self, folder, scenario):
        super().__init__(folder)
        self.config = NGINX_CONF.format(modules=self.MODULES, workers=1, folder=self.folder,
                                        port=self.port,
                                        streams=max(1000, scenario.load.get("streams", 1000)))
        self.settings = {"nginx.conf": self.config.replace(str(self.folder), "FOLDER")}

    def command(self):
        return ["nginx", "-p", str(self.folder), "-c", str(self.folder / "nginx.conf")]

    def __enter__(self):
        if shutil.which("nginx") is None or not os.path.exists(f"{self.MODULES}/ngx_nchan_module.so"):
            raise ServerError("nginx with nchan is not installed: ./dev deps bench")
        make_certificate(self.folder)
        (self.folder / "nginx.conf").write_text(self.config)
        # Its workers run as another user, who must reach the folder of temporary files.
        self.folder.chmod(0o755)
        return super().__enter__()

    @property
    def pids(self):
        pid = self.process.pid
        children = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        return [pid, *map(int, children)]

    def version(self):
        package = version_of("dpkg-query", "-W", "-f", "${Version}\n", "libnginx-mod-nchan")
        return f"{version_of('nginx', '-v').removeprefix('nginx version: ')}, nchan {package}"


def jwt(key, claims):
    def encode(data):
        return base64.urlsafe_b64encode(data).rstrip(b"=")
    head = encode(b'{"alg":"HS256","typ":"JWT"}') + b"." + encode(json.dumps(claims).encode())
    return (head + b"." + encode(hmac.new(key.encode(), head, hashlib.sha256).digest())).decode()


MERCURE_CONF = """\
{{
    admin off
    auto_https off
    persist_config off
    storage file_system {folder}/caddy
    log {{
        level ERROR
    }}
    servers {{
        protocols h1 h2
    }}
}}
https://127.0.0.1:{port} {{
    tls {folder}/cert.pem {folder}/key.pem {{
        protocols tls1.3
    }}
    mercure {{
        transport local
        publisher_jwt {secret}
        anonymous
        heartbeat 0
        write_timeout 0
    }}
}}
"""


class Mercure(Server):
    """The Mercure hub (a Caddy build): in-memory transport, anonymous subscribers."""

    name = "mercure"
    dialect = "mercure"
    SECRET = "a-benchmark-secret-of-32-characters!"

    def __init__(self, folder, binary):
        super().__init__(folder)
        self.binary = binary
        self.key = jwt(self.SECRET, {"mercure": {"publish": ["*"]}})
        self.config = MERCURE_CONF.format(folder=self.folder, port=self.port, secret=self.SECRET)
        self.settings = {"Caddyfile": self.config.replace(str(self.folder), "FOLDER"),
                         "GOMAXPROCS": "1"}

    def command(self):
        return [self.binary, "run", "--adapter", "caddyfile", "--config",
                str(self.folder / "Caddyfile")]

    def environment(self):
        return {"GOMAXPROCS": "1", "HOME": str(self.folder)}

    def __enter__(self):
        make_certificate(self.folder)
        (self.folder / "Caddyfile").write_text(self.config)
        return super().__enter__()

    def version(self):
        return version_of(self.binary, "version")


class Centrifugo(Server):
    """Centrifugo's unidirectional SSE endpoint, memory engine, anonymous subscribers."""

    name = "centrifugo"
    dialect = "centrifugo"

    def __init__(self, folder, binary):
        super().__init__(folder)
        self.binary = binary
        self.config = {
            "http_server": {"port": str(self.port), "address": "127.0.0.1",
                            "tls": {"enabled": True, "cert_pem_file": str(self.folder / "cert.pem"),
                                    "key_pem_file": str(self.folder / "key.pem")}},
            "http_api": {"key": KEY}, "uni_sse": {"enabled": True}, "log": {"level": "error"},
            "client": {"allow_anonymous_connect_without_token": True,
                       "queue_max_size": 16 * 1024 * 1024},
            "channel": {"without_namespace": {"allow_subscribe_for_client": True,
                                              "allow_subscribe_for_anonymous": True}},
        }
        self.settings = {"config.json": json.dumps(self.config).replace(str(self.folder), "FOLDER"),
                         "GOMAXPROCS": "1"}

    def command(self):
        return [self.binary, "--config", str(self.folder / "config.json")]

    def environment(self):
        return {"GOMAXPROCS": "1"}

    def __enter__(self):
        make_certificate(self.folder)
        (self.folder / "config.json").write_text(json.dumps(self.config))
        return super().__enter__()

    def version(self):
        return version_of(self.binary, "version")


class Redis(Server):
    """A Redis of our own for the nodes to share: memory only."""

    name = "redis"

    def command(self):
        return ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--save", "",
                "--appendonly", "no", "--dir", str(self.folder)]

    def version(self):
        return version_of("redis-server", "--version")


class Cluster:
    """Several gateways on one Redis, loaded and measured as one server, Redis included."""

    name = "tideway"

    def __init__(self, folder, binary, options, nodes, ops=False):
        self.redis = Redis(folder)
        url = f"redis://127.0.0.1:{self.redis.port}/0"
        self.nodes = [Gateway(folder, binary, options, url, ops) for _ in range(nodes)]
        self.settings = {**self.nodes[0].settings, "nodes": str(nodes),
                         "TIDEWAY_REDIS_URL": "redis://127.0.0.1:PORT/0"}
        self.stack = contextlib.ExitStack()

    def __enter__(self):
        try:
            self.stack.enter_context(self.redis)
            for node in self.nodes:
                self.stack.enter_context(node)
        except ServerError:
            self.stack.close()
            raise
        return self

    def __exit__(self, *_):
        self.stack.close()

    @property
    def gateway(self):
        return self.nodes[0]

    @property
    def addresses(self):
        return [address for node in self.nodes for address in node.addresses]

    @property
    def pids(self):
        return [*(pid for node in self.nodes for pid in node.pids), self.redis.process.pid]

    def load_options(self):
        return self.nodes[0].load_options()

    def version(self):
        return f"{self.nodes[0].version()}; {self.redis.version()}"


PEERS = {"nchan": Nchan, "mercure": Mercure, "centrifugo": Centrifugo}


@contextlib.contextmanager
def started(name, scenario, build, peer_paths):
    """Starts the server `name` for a scenario in a folder of its own; stops and removes both."""
    raise_descriptor_limit()
    with tempfile.TemporaryDirectory(prefix="tideway-bench-") as folder:
        binary = peer_paths["before"] if name == "before" else f"{build}/tideway"
        if name in ("tideway", "before") and scenario.redis:
            server = Cluster(folder, binary, scenario.gateway, scenario.nodes, scenario.ops)
        elif name in ("tideway", "before", "memory"):
            server = Gateway(folder, binary, scenario.gateway, ops=scenario.ops)
        elif name == "floor":
            server = Floor(folder, build)
        elif name == "nchan":
            server = Nchan(folder, scenario)
        else:
            server = PEERS[name](folder, peer_paths[name])
        if name in ("before", "memory"):
            server.name = name
        with server:
            yield server
