"""Runs the code blocks of a page as a reader would, one after the other: see blocks.py for what is in them."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import threading

from lib.blocks import check_diagram, read_blocks, shows
from lib.paths import BINARY, ROOT, clean_environment
from lib.ports import free_port
from lib.redis_server import Redis
from lib.waiting import wait_until

DEADLINE_S = 60

# What is another here than on a reader's machine.
PROGRAMS = {"./dev ": f"{ROOT}/dev ", "build/tideway": BINARY}
ADDRESSES = {"127.0.0.1:8443": "TIDEWAY_LISTEN", "127.0.0.1:9090": "TIDEWAY_OPS_LISTEN",  # and their variables
             "127.0.0.1:8444": None, "127.0.0.1:9091": None, "127.0.0.1:6379": None, "127.0.0.1:8000": None}


def heed_interrupts():
    """What a script starts in the background ignores Ctrl-C, and so would everything here."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


class Process:
    """A block that runs in the background until the page's end."""

    def __init__(self, session, block):
        self.block = block
        self.output = ""
        self.process = subprocess.Popen(["bash", "-ec", session.script(block.text)], start_new_session=True,
                                        cwd=session.directory, env=session.environment, text=True,
                                        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                        preexec_fn=heed_interrupts)
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def read(self):
        for line in self.process.stdout:
            self.output += line

    def end(self):
        """As Ctrl-C does in a terminal."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGINT)
        try:
            self.process.wait(DEADLINE_S)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            raise
        finally:
            self.reader.join(DEADLINE_S)
        assert "gateway" not in self.block.argument or self.process.returncode == 0, \
            f"{self.block.place}: ended with {self.process.returncode}:\n{self.output}"


def stop(gateway):
    gateway.terminate()
    assert gateway.wait(DEADLINE_S) == 0


class Session:
    """One page: its blocks run one after the other in one directory; what they export stays."""

    def __init__(self, directory, blocks):
        self.directory = directory
        self.background = {}
        self.output = ""  # of the last block
        self.addresses = {address: f"127.0.0.1:{free_port()}" for address in ADDRESSES}
        self.environment = clean_environment()
        self.environment |= {variable: self.addresses[address] for address, variable in ADDRESSES.items() if variable}
        self.environment["PYTHONUNBUFFERED"] = "1"
        self.environment["XDG_STATE_HOME"] = str(directory / "state")
        self.services = []
        commands = "".join(block.text for block in blocks if block.language in ("sh", "console") and
                           block.marker != "not run")
        if "127.0.0.1:6379" in commands:
            self.services.append(Redis(port=int(self.addresses["127.0.0.1:6379"].split(":")[1])))
        if "127.0.0.1:8443" in commands and not any(block.argument == "gateway" for block in blocks):
            self.background["gateway"] = self.start_gateway()

    def start_gateway(self):
        """For pages that take one for granted: what `./dev run` starts."""
        environment = {"SSE_PUBLISHER_API_KEYS": "dev-key", "TIDEWAY_DRAIN_MS": "100", **self.environment}
        gateway = subprocess.Popen([BINARY], env=environment, stderr=subprocess.DEVNULL)
        self.services.append(gateway)
        subprocess.run(["curl", "-sk", "--retry", "50", "--retry-connrefused", "--retry-delay", "0",
                        self.here("https://127.0.0.1:8443/healthz")], check=True, capture_output=True)
        return gateway

    def here(self, text):
        for shown, real in {**PROGRAMS, **self.addresses}.items():
            text = text.replace(shown, real)
        # python3 -m http.server takes the port as an argument of its own.
        return text.replace(" 8000", " " + self.addresses["127.0.0.1:8000"].split(":")[1])

    def shown(self, text):
        for shown, real in self.addresses.items():
            text = text.replace(real, shown)
        return text

    def script(self, commands):
        """With what the blocks before exported."""
        return f"[ ! -f .exports ] || . ./.exports\n{self.here(commands)}\n"

    def run(self, commands, place):
        result = subprocess.run(["bash", "-euo", "pipefail", "-c", self.script(commands) + "export -p >.exports"],
                                cwd=self.directory, env=self.environment,
                                text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT, timeout=DEADLINE_S)
        self.output = self.shown(result.stdout)
        assert result.returncode == 0, f"{place}: ended with {result.returncode}:\n{self.output}"

    def expect(self, expected, name, place):
        def missing():
            output = self.shown(self.background[name].output) if name else self.output
            return shows(output, expected)
        try:
            wait_until(lambda: missing() is None or not name, "the output")
        except AssertionError:
            pass
        output = self.shown(self.background[name].output) if name else self.output
        assert missing() is None, f"{place}: {missing()!r} is not in the output:\n{output}"

    def start(self, block):
        process = self.background[block.argument] = Process(self, block)

        def there():
            assert process.process.poll() is None or block.until in process.output, \
                f"{block.place}: ended:\n{process.output}"
            return block.until in process.output
        wait_until(there, f"{block.until!r} of {block.place}", DEADLINE_S)

    def end(self):
        """Ends all, also when one of them makes trouble."""
        with contextlib.ExitStack() as stack:
            for service in self.services:
                if isinstance(service, Redis):
                    stack.callback(service.close)
                else:
                    stack.callback(stop, service)
            # The gateways first, as a reader would: clients see them go.
            for process in sorted(filter(lambda each: isinstance(each, Process), self.background.values()),
                                  key=lambda each: "gateway" in each.block.argument):
                stack.callback(process.end)


def run_console(session, block):
    command, expected = None, ""
    for line in [*block.text.splitlines(), "$ true"]:
        if line.startswith("$ "):
            if command is not None:
                session.run(command, block.place)
                session.expect(expected, None, block.place)
            command, expected = line[2:], ""
        elif command is not None and command.endswith("\\"):
            command = f"{command[:-1]}{line.strip()}"
        else:
            expected += line + "\n"


def run_block(session, block):
    if block.marker == "not run":
        return
    if block.marker == "output":
        session.expect(block.text, block.argument, block.place)
    elif block.marker == "in background":
        session.start(block)
    elif block.marker == "file":
        path = session.directory / block.argument
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(session.here(block.text))
    elif block.language == "sh":
        session.run(block.text, block.place)
    elif block.language == "console":
        run_console(session, block)
    elif block.language == "json":
        json.loads(block.text)
    elif block.language == "mermaid":
        check_diagram(block.text, block.place)
    elif block.language == "js":
        subprocess.run([shutil.which("node"), "--check", "--input-type=module", "-"], input=block.text, text=True,
                       check=True)


def run_page(page, directory, **environment):
    """Runs the blocks of a page in a directory. `{address}` in a value of the environment becomes the gateway's own, where
    the page starts one."""
    blocks = read_blocks(page)
    session = Session(directory, blocks)
    address = session.addresses["127.0.0.1:8443"]
    session.environment |= {name: value.format(address=address) for name, value in environment.items()}
    try:
        for block in blocks:
            run_block(session, block)
    finally:
        session.end()
