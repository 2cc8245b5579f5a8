"""A real redis-server, or sentinel, as a process of one test: free loopback port, own directory."""

import shutil
import signal
import subprocess
import tempfile

from lib.ports import free_port
from lib.waiting import wait_until


class Redis:
    """Options are configuration lines: Redis(requirepass="x") writes `requirepass x`."""

    arguments = ()  # after the configuration

    def __init__(self, port=None, **options):
        self.port = port or free_port()
        self.directory = tempfile.mkdtemp(prefix="tideway-redis-")
        self.options = {"port": self.port, "bind": "127.0.0.1", "dir": self.directory,
                        **self.defaults(), **options}
        self.process = None
        self.start()

    def defaults(self):
        return {"save": '""', "appendonly": "no"}

    @property
    def url(self):
        return f"redis://127.0.0.1:{self.port}"

    def start(self):
        path = f"{self.directory}/server.conf"
        with open(path, "w") as file:
            for name, value in self.options.items():
                for line in value if isinstance(value, list) else [value]:
                    file.write(f"{name.replace('_', '-')} {line}\n")
        with open(f"{self.directory}/output", "a") as output:
            self.process = subprocess.Popen(["redis-server", path, *self.arguments],
                                            stdout=output, stderr=output)
        wait_until(lambda: "PONG" in self.cli("PING") or "NOAUTH" in self.cli("PING"),
                   f"{type(self).__name__} to answer")

    def cli(self, *arguments):
        return subprocess.run(["redis-cli", "-h", "127.0.0.1", "-p", str(self.port), *arguments],
                              capture_output=True, text=True).stdout.strip()

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()

    def pause(self):
        self.process.send_signal(signal.SIGSTOP)

    def resume(self):
        self.process.send_signal(signal.SIGCONT)

    def close(self):
        self.kill()
        shutil.rmtree(self.directory, ignore_errors=True)


class Sentinel(Redis):
    """Watches a master under the name `main`. The server can be one: redis-sentinel is in a package that starts a service."""

    arguments = ("--sentinel",)

    def __init__(self, master, quorum=2):
        super().__init__(sentinel=[f"monitor main 127.0.0.1 {master.port} {quorum}",
                                   "down-after-milliseconds main 1000",
                                   "failover-timeout main 5000"])

    def defaults(self):
        return {}
