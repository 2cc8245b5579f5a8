"""What the chart renders works: the gateway's environment, its probes, and the script of `helm test`."""

import contextlib
import subprocess
import threading

import pytest

import chart

from lib.certificates import make_certificate
from lib.gateway import Gateway
from lib.paths import BINARY
from lib.ports import free_port
from lib.waiting import DEADLINE_S, wait_until

KEY = "a-key-of-24-characters--"
SECRETS = {("events-tideway-api-keys", "keys"): KEY, ("publisher-keys", "publishers"): KEY,
           ("redis-credentials", "password"): "secret",
           ("redis-credentials", "sentinel-password"): "another secret",
           ("redis-credentials", "url"): "redis://127.0.0.1:6379/0"}


class Pod(Gateway):
    """A gateway in exactly the environment that the chart renders, but for what only a cluster has: the addresses to
    listen on, the paths of mounted files and the address of Redis (`changes`)."""

    def __init__(self, objects, **changes):
        environment = chart.environment(objects, SECRETS)
        self.host, self.tls = "127.0.0.1", environment["TIDEWAY_TLS"] == "on"
        self.port, self.ops_port = free_port(), free_port()
        self.key = environment["SSE_PUBLISHER_API_KEYS"].split(",")[0]
        self.logs, self.output, self._publisher = [], [], None
        self.stopped = self._ending = False
        self._clients = contextlib.ExitStack()
        assert environment["TIDEWAY_LISTEN"] == "0.0.0.0:8443"
        assert environment["TIDEWAY_OPS_LISTEN"] == "0.0.0.0:9090"
        unknown = set(changes) - set(environment)
        assert not unknown, f"the chart does not set {unknown}"
        self.environment = {**environment, "TIDEWAY_LISTEN": f"127.0.0.1:{self.port}",
                            "TIDEWAY_OPS_LISTEN": f"127.0.0.1:{self.ops_port}", **changes}
        self.process = subprocess.Popen([BINARY], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                        stderr=subprocess.PIPE, text=True, env=self.environment)
        self._reader = threading.Thread(target=self._read_logs, daemon=True)
        self._reader.start()
        self.url = f"{'https' if self.tls else 'http'}://127.0.0.1:{self.port}"


@pytest.fixture
def start_pod():
    started = []

    def start(objects, **changes):
        pod = Pod(objects, **changes)
        started.append(pod)
        return pod

    yield start
    for pod in started:
        if not pod.stopped:
            pod.stop(timeout=DEADLINE_S * 3)


def changes_for(objects, certificate):
    """Mounted files and Redis, where the chart asks for them."""
    environment = chart.environment(objects, SECRETS)
    scheme, _, rest = environment.get("TIDEWAY_REDIS_URL", "redis:///0").partition("://")
    here = {"TIDEWAY_TLS_CERT": certificate[0], "TIDEWAY_TLS_KEY": certificate[1], "TIDEWAY_REDIS_CA": certificate[0],
            "TIDEWAY_REDIS_CERT": certificate[0], "TIDEWAY_REDIS_KEY": certificate[1],
            "TIDEWAY_REDIS_URL": f"{scheme}://127.0.0.1:1/{rest.partition('/')[2]}"}
    return {name: value for name, value in here.items() if name in environment}


def probe(pod, objects, kind):
    """The status that Kubernetes would see."""
    container = chart.container(objects)
    request = container[kind]["httpGet"]
    port = next(p["containerPort"] for p in container["ports"] if p["name"] == request["port"])
    assert port == 9090
    return pod.ops(request["path"])[0]


@pytest.mark.parametrize("file", chart.FILES, ids=lambda path: path.stem)
def test_gateway_starts_with_what_the_chart_renders(file, start_pod, tmp_path):
    objects = chart.render(file)
    pod = start_pod(objects, **changes_for(objects, make_certificate(tmp_path)))
    started = pod.wait_log(message="started")
    assert started["runtime"] == pod.environment["TIDEWAY_RUNTIME"]
    assert started["workers"] == int(pod.environment["TIDEWAY_WORKERS"])
    wait_until(lambda: probe(pod, objects, "livenessProbe") == 200, "liveness")
    if started["runtime"] == "memory":
        assert probe(pod, objects, "readinessProbe") == 200
    else:
        assert probe(pod, objects, "readinessProbe") == 503, "there is no Redis at this address"


def test_one_gateway_in_memory_serves(start_pod):
    pod = start_pod(chart.render(chart.CHART / "ci/memory-values.yaml")).wait_ready()
    stream = pod.h2().subscribe("a")
    assert pod.deliver("a", "x") == 1
    stream.wait_events(1)


@pytest.mark.parametrize("tls", [True, False], ids=["tls", "cleartext"])
def test_helm_test_script_sends_an_event_through(tls, start_pod):
    objects = chart.render(chart.CHART / "ci/memory-values.yaml", values={"tls": {"enabled": tls}})
    pod = start_pod(objects).wait_ready()
    container = objects["Pod", "events-tideway-test"]["spec"]["containers"][0]
    environment = {entry["name"]: entry.get("value") for entry in container["env"]}
    assert environment["URL"] == f"{'https' if tls else 'http'}://events-tideway:443"
    run = [*container["command"], *container["args"]]
    done = subprocess.run(run, capture_output=True, text=True, timeout=DEADLINE_S * 2,
                          env={"PATH": "/usr/bin:/bin", "URL": pod.url, "KEYS": f"{pod.key},another"})
    assert done.returncode == 0, done.stderr
    assert '"status":"accepted"' in done.stdout


def test_helm_test_script_fails_when_keys_do_not_fit(start_pod):
    objects = chart.render(chart.CHART / "ci/memory-values.yaml")
    pod = start_pod(objects).wait_ready()
    container = objects["Pod", "events-tideway-test"]["spec"]["containers"][0]
    script = container["args"][0].replace("seq 60", "seq 2")
    done = subprocess.run([*container["command"], script], capture_output=True, text=True, timeout=DEADLINE_S * 2,
                          env={"PATH": "/usr/bin:/bin", "URL": pod.url, "KEYS": "wrong"})
    assert done.returncode == 1
    assert "unauthorized" in done.stderr
