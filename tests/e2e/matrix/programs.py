"""The examples as programs: how each is started, why one cannot be, and what it prints.

All have one command line: `publish TOPIC...` takes events from standard input and prints answers;
`subscribe TOPIC...` prints events. The browser's page is driven by browser.mjs, which has it too.
"""

import dataclasses
import json
import os
import pathlib
import signal
import subprocess
import threading

import pytest

from lib.processes import kill_group
from lib.sse import Parser
from lib import waiting
from lib.paths import ROOT

BUILT = ROOT / "build-e2e"
EXAMPLES = ROOT / "examples"
DRIVER = pathlib.Path(__file__).with_name("browser.mjs")
DEADLINE_S = 60  # a busy machine takes a third of it to start a browser
EVENT_TYPE = "note"  # the type of the events that have one; the browser's page must know it


def wait_until(condition, what):
    return waiting.wait_until(condition, what, DEADLINE_S)


class JsonLines:
    """Output of which each line is a value. Only LF ends one: str.splitlines() knows more ends."""

    def __init__(self):
        self.records = []
        self._rest = b""

    def feed(self, data):
        *lines, self._rest = (self._rest + data).split(b"\n")
        self.records += [json.loads(line) for line in lines]


class Wire:
    """What curl prints of a stream: events as they were sent."""

    def __init__(self):
        self._parser = Parser()

    def feed(self, data):
        self._parser.feed(data)

    @property
    def records(self):
        return [{"gap": json.loads(event.data)} if event.event == "tideway.gap"
                else dataclasses.asdict(event) for event in self._parser.events]


@dataclasses.dataclass(frozen=True)
class Language:
    name: str
    command: list  # followed by topics
    stream: type = JsonLines  # what a subscriber prints

    def missing(self):
        """Why it cannot run here, or None."""
        why = subprocess.run([str(pathlib.Path(__file__).with_name("build")), "why", self.name],
                             capture_output=True, text=True, check=True).stdout.split("\n")[0]
        return why or None

    def argv(self, verb, topics):
        return [part.format(verb=verb) for part in self.command] + list(topics)


LANGUAGES = {language.name: language for language in (
    Language("typescript", ["node", f"{EXAMPLES}/typescript/dist/{{verb}}.js"]),
    Language("python", [f"{BUILT}/python/bin/python", f"{EXAMPLES}/python/{{verb}}.py"]),
    Language("go", [f"{BUILT}/go/{{verb}}"]),
    Language("rust", [f"{BUILT}/rust/debug/{{verb}}"]),
    Language("browser", ["node", str(DRIVER), "{verb}"]),
    Language("curl", [f"{EXAMPLES}/curl.sh", "{verb}"], Wire),
)}


MISSING = {name: why for name, each in LANGUAGES.items() if (why := each.missing())}


def available():
    return [name for name in LANGUAGES if name not in MISSING]


def language(name):
    """The language, or a skip that says why it cannot run here."""
    if name in MISSING:
        pytest.skip(f"{name}: {MISSING[name]}")
    return LANGUAGES[name]


class Program:
    """A running example."""

    def __init__(self, language, verb, topics, url, authority, key, token=None):
        self.language, self.verb = language, verb
        self.errors = bytearray()
        self._output, self._read_to = bytearray(), 0
        self._parsed = JsonLines() if verb == "publish" else language.stream()
        inherited = {name: value for name, value in os.environ.items()
                     if not name.startswith(("TIDEWAY_", "SSE_"))}
        self.process = subprocess.Popen(
            language.argv(verb, topics), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, start_new_session=True,
            env={**inherited, "TIDEWAY_URL": url, "TIDEWAY_CA": authority, "TIDEWAY_API_KEY": key,
                 **({"TIDEWAY_TOKEN": token} if token else {}),
                 "PYTHONDONTWRITEBYTECODE": "1", "PYTHONUTF8": "1", "EVENT_TYPE": EVENT_TYPE})
        self._readers = [threading.Thread(target=self._read, args=pair, daemon=True) for pair in
                         ((self.process.stdout, self._output), (self.process.stderr, self.errors))]
        for reader in self._readers:
            reader.start()

    @staticmethod
    def _read(pipe, into):
        while data := pipe.read1(1 << 16):
            into += data

    def feed(self, publications):
        """Hands events to a publisher: one line each."""
        text = "".join(json.dumps(one, ensure_ascii=False) + "\n" for one in publications)
        # Node's readline takes these two for the end of a line; in JSON they may be escaped.
        text = text.replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
        self.process.stdin.write(text.encode())
        self.process.stdin.flush()

    def records(self):
        """What it has printed: a publisher the gateway's answers, a subscriber {"id", "event", "data"}
        or {"gap"}."""
        new = bytes(self._output[self._read_to:])
        self._read_to += len(new)
        self._parsed.feed(new)
        return self._parsed.records

    def error_text(self):
        return self.errors.decode(errors="replace")

    def text(self):
        """All that it has printed, to standard error too."""
        return self._output.decode(errors="replace") + self.error_text()

    def close_input(self):
        self.process.stdin.close()

    def interrupt(self):
        """Ctrl-C: the terminal sends SIGINT to all processes of the job."""
        os.killpg(self.process.pid, signal.SIGINT)

    def wait(self, timeout=DEADLINE_S):
        """The exit code; a program that does not end is killed and has none."""
        try:
            return self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            return None
        finally:
            self.kill()

    def kill(self):
        kill_group(self.process)
        for reader in self._readers:
            reader.join(DEADLINE_S)

    def wait_error(self, text):
        """Waits until it has complained with this text, in any case of letters."""
        wait_until(lambda: text in self.error_text().lower(),
                   f"{self.language.name} to complain of {text}")
