"""A real redis-server, or sentinel, as a process of one test: free loopback port, own directory."""

import os
import shutil
import signal
import subprocess
import tempfile

from lib.ports import free_port
from lib.waiting import wait_until


class Redis:
    """Options are configuration lines: Redis(requirepass="x") writes `requirepass x`. With `tls`, an Authority, it
    speaks nothing else and wants certificates of its clients."""

    arguments = ()  # after the configuration

    def __init__(self, port=None, program="redis-server", tls=None, **options):
        self.port, self.program, self.tls = port or free_port(), program, tls
        self.directory = tempfile.mkdtemp(prefix="tideway-redis-")
        self.options = {"bind": "127.0.0.1", "dir": self.directory, **self.listening(), **self.defaults(), **options}
        self.process = None
        self.start()

    def defaults(self):
        return {"save": '""', "appendonly": "no"}

    def listening(self):
        if self.tls is None:
            return {"port": self.port}
        return {"port": 0, "tls_port": self.port, "tls_replication": "yes", "tls_auth_clients": "yes",
                "tls_cert_file": self.tls.server, "tls_key_file": self.tls.server_key, "tls_ca_cert_file": self.tls.ca}

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
            self.process = subprocess.Popen([self.program, path, *self.arguments],
                                            stdout=output, stderr=output)
        wait_until(lambda: "PONG" in self.cli("PING") or "NOAUTH" in self.cli("PING"),
                   f"{type(self).__name__} to answer")

    def cli(self, *arguments):
        tls = [] if self.tls is None else ["--tls", "--cacert", self.tls.ca, "--cert", self.tls.client,
                                           "--key", self.tls.client_key]
        environment = dict(os.environ)
        if "requirepass" in self.options:
            environment["REDISCLI_AUTH"] = self.options["requirepass"]
        return subprocess.run(["redis-cli", "-h", "127.0.0.1", "-p", str(self.port), *tls, *arguments],
                              capture_output=True, text=True, env=environment).stdout.strip()

    def info(self, section, name):
        """The value of a line of INFO; None when it has none."""
        lines = self.cli("INFO", section).splitlines()
        return next((line.partition(":")[2] for line in lines if line.startswith(name + ":")), None)

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

    def __init__(self, master, quorum=2, lines=(), **options):
        super().__init__(sentinel=[f"monitor main 127.0.0.1 {master.port} {quorum}",
                                   "down-after-milliseconds main 1000",
                                   "failover-timeout main 5000", *lines], **options)

    def defaults(self):
        return {}
