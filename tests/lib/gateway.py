"""The gateway as a process: starts the real binary, knows its addresses, reads its logs, stops it.

A gateway that does not end with exit code 0, or about which a sanitizer reports an error, fails the test that started it.
"""

import contextlib
import json
import re
import signal
import subprocess
import threading
import urllib.error
import urllib.request

from lib.h1_client import H1Client
from lib.h2_client import H2Client
from lib.paths import BINARY, clean_environment
from lib.ports import free_port
from lib.waiting import DEADLINE_S, wait_until

KEY = "test-key"

_REPORT = re.compile(r"^.*(?:ERROR: \w+Sanitizer|WARNING: ThreadSanitizer|runtime error:|"
                     r"[Aa]ssertion .* failed).*$", re.MULTILINE)


class Gateway:
    """One running gateway. Options are environment variables without their prefix, in lower case:
    Gateway(workers=2, max_streams=10) sets TIDEWAY_WORKERS and TIDEWAY_MAX_STREAMS. `prefix` is a command
    that starts it in its own process; `ports`, its port and that of the ops listener, are free ones if not given."""

    ops_host = "127.0.0.1"

    def __init__(self, host="127.0.0.1", tls=True, keys=KEY, arguments=(), environment=None,
                 prefix=(), ports=None, **options):
        self.host, self.tls = host, tls
        self.port, self.ops_port = ports or (free_port(), free_port())
        self.key = keys.split(",")[0].strip()
        self.logs = []  # parsed lines of stderr
        self.output = []  # the same, as text
        self.stopped = False
        self._ending = False  # it was told to
        self._publisher = None
        self._clients = contextlib.ExitStack()
        shown = f"[{host}]" if ":" in host else host
        self.url = f"{'https' if tls else 'http'}://{shown}:{self.port}"
        options = {"listen": f"{shown}:{self.port}", "ops_listen": f"{self.ops_host}:{self.ops_port}",
                   "workers": 2, "drain_ms": 200, "log_level": "debug",
                   **({} if tls else {"tls": "off"}), **options}
        self.process = subprocess.Popen(
            [*prefix, BINARY, *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE, text=True, errors="replace",
            env={**clean_environment(), "SSE_PUBLISHER_API_KEYS": keys,
                 **{f"TIDEWAY_{name.upper()}": str(value) for name, value in options.items()},
                 **(environment or {})})
        self._reader = threading.Thread(target=self._read_logs, daemon=True)
        self._reader.start()

    @property
    def address(self):
        return (self.host, self.port)

    def wait_ready(self):
        def ready():
            assert self.process.poll() is None, f"the gateway ended: {self.text()}"
            try:
                return self.ops("/readyz")[0] == 200
            except OSError:
                return False
        wait_until(ready, "the gateway to be ready", DEADLINE_S * 2)
        return self

    # Logs

    def _read_logs(self):
        for line in self.process.stderr:
            self.output.append(line)
            with contextlib.suppress(ValueError):
                self.logs.append(json.loads(line))

    def text(self):
        return "".join(self.output)

    def wait_log(self, timeout=DEADLINE_S, **fields):
        """The first log line that has all these fields."""
        def find():
            return next((line for line in self.logs
                         if all(line.get(name) == value for name, value in fields.items())), None)
        return wait_until(find, f"a log line with {fields}", timeout)

    # HTTP

    def h2(self, **options):
        return self._clients.enter_context(H2Client(self.address, tls=self.tls, **options))

    def h1(self, **options):
        return self._clients.enter_context(H1Client(self.address, tls=self.tls, **options))

    def client(self, protocol, **options):
        return {"h2": self.h2, "h1": self.h1}[protocol](**options)

    def auth(self, key=None):
        return ("authorization", f"Bearer {key or self.key}")

    def publish(self, topic, payload="", id="1", event=None, client=None):
        """Publishes and returns the finished exchange."""
        if client is None:
            if self._publisher is None or self._publisher.closed:
                self._publisher = self.h2()
            client = self._publisher
        headers = [self.auth(), ("x-sse-topic", topic), ("x-sse-id", str(id)),
                   *([("x-sse-event", event)] if event else [])]
        return client.request("POST", "/v1/publish", headers, payload)

    def deliver(self, topic, payload="", **options):
        """Publishes, expects it to be accepted, and returns the number of deliveries."""
        answer = self.publish(topic, payload, **options)
        assert answer.status == 202, answer.body
        assert answer.json()["status"] == "accepted"
        return answer.json()["delivered"]

    def admin(self, path, client=None, status=200):
        with contextlib.nullcontext(client) if client else H2Client(self.address, tls=self.tls) as client:
            answer = client.request("GET", "/v1/admin" + path, [self.auth()])
        assert answer.status == status, (answer.status, answer.body)
        return answer.json()

    def topics(self):
        """What the admin API tells of the first page of topics: topic → connection count."""
        return {row["topic"]: row["connectionCount"] for row in self.admin("/topics")["data"]}

    def ops(self, path):
        """(status, text) of the ops listener."""
        url = f"http://{self.ops_host}:{self.ops_port}{path}"
        try:
            with urllib.request.urlopen(url, timeout=DEADLINE_S) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def metrics(self):
        """Sample name with its labels, as exposed → value."""
        samples = {}
        for line in self.ops("/metrics")[1].splitlines():
            if line and not line.startswith("#"):
                name, _, value = line.rpartition(" ")
                samples[name] = float(value)
        return samples

    # The end

    def signal(self, number):
        self._ending |= number in (signal.SIGTERM, signal.SIGINT)
        self.process.send_signal(number)

    def wait_exit(self, timeout=DEADLINE_S):
        """Waits for a gateway that ends by itself, and returns its exit code."""
        code = self.process.wait(timeout)
        self.stop(expected_code=code)
        return code

    def stop(self, expected_code=0, timeout=DEADLINE_S * 2):
        """SIGTERM unless it is ending or has ended; asserts how it ended."""
        self.stopped = True
        if self.process.poll() is None and not self._ending:
            self.signal(signal.SIGTERM)
        try:
            code = self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError(f"the gateway did not end within {timeout} s: {self.text()}")
        finally:
            self._clients.close()
            self._reader.join(DEADLINE_S)
        report = _REPORT.search(self.text())
        assert report is None, self.text()[report.start():][:8000]
        assert code == expected_code, f"exit code {code}: {self.text()[-4000:]}"
