"""The client programs: how each is started, and where its library gets something wrong."""

import dataclasses
import json
import os
import shutil
import subprocess
import threading

from lib.paths import ROOT
from lib.processes import kill_group

HERE = ROOT / "tests" / "e2e" / "clients"
BUILT = ROOT / "build-e2e" / "clients"


@dataclasses.dataclass(frozen=True)
class Library:
    name: str
    group: str  # what `build` builds it by
    command: tuple  # followed by the URL
    needs: str  # a program without which it cannot run
    flaws: dict = dataclasses.field(default_factory=dict)  # check → what it does instead

    def missing(self):
        """Why it cannot run here, or None."""
        return None if shutil.which(self.needs) else f"{self.needs} is not installed"


def python(name, environment="python"):
    return f"{BUILT}/{environment}/bin/python", f"{HERE}/python/{name}_client.py"


def java(name):
    return "java", "-cp", f"{BUILT}/java/classes:{BUILT}/java/lib/*", name


OPENING_ID = "cut before the first event"
IGNORES_ID = "ignores an id without data"
EMPTY = "shows events without data"
ENDS = "ends when it is cut"
STALLS = "shows events late or not at all"
FORGETS_ID = "forgets its id after an event without one"

LIBRARIES = {library.name: library for library in (
    Library("EventSource of Firefox", "", ("/usr/bin/python3", f"{HERE}/firefox/firefox.py"), "firefox-esr",
            {OPENING_ID: IGNORES_ID}),
    Library("npm eventsource", "npm", ("node", f"{BUILT}/npm/eventsource.mjs"), "node", {OPENING_ID: IGNORES_ID}),
    Library("npm fetch-event-source", "npm", ("node", f"{BUILT}/npm/fetch-event-source.mjs"), "node", {"opening": EMPTY, "heartbeat": EMPTY}),
    Library("Python httpx-sse", "python", python("httpx_sse"), "python3", {"opening": EMPTY, "heartbeat": EMPTY}),
    Library("Python sseclient", "python", python("sseclient", "sseclient"), "python3", {"opening": EMPTY, "heartbeat": EMPTY, OPENING_ID: STALLS, "resume": STALLS, "gap": STALLS,
             "1 MiB": STALLS, "drain": STALLS}),
    Library("Python sseclient-py", "python", python("sseclient_py"), "python3", {OPENING_ID: IGNORES_ID}),
    Library("Python aiohttp-sse-client", "python", python("aiohttp_sse_client"), "python3", {OPENING_ID: ENDS, "resume": ENDS, "gap": ENDS, "drain": ENDS, "1 MiB": "ends at a line above 512 KiB"}),
    Library("Go r3labs/sse", "go", (f"{BUILT}/go/r3labs",), "go", {"opening": EMPTY, "heartbeat": EMPTY, "drain": "ends with the stream"}),
    Library("Go launchdarkly/eventsource", "go", (f"{BUILT}/go/launchdarkly",), "go", {"opening": EMPTY}),
    Library("Rust eventsource-client", "rust", (f"{BUILT}/rust/debug/eventsource-client",), "cargo", {OPENING_ID: IGNORES_ID, "drain": FORGETS_ID}),
    Library("Rust reqwest-eventsource", "rust", (f"{BUILT}/rust/debug/reqwest-eventsource",), "cargo", {OPENING_ID: IGNORES_ID, "drain": FORGETS_ID}),
    Library("Java HttpClient", "java", java("JdkHttpClient"), "mvn"),
    Library("Java okhttp-sse", "java", java("OkHttpSse"), "mvn", {OPENING_ID: IGNORES_ID}),
)}

MISSING = {
    **{name: why for name, library in LIBRARIES.items() if (why := library.missing())},
    "EventSource of Chromium": "it has its own tests: tests/e2e/ui/eventsource.test.mjs",
    ".NET": "this machine's registries have none of its packages",
}


class Program:
    """A running client."""

    def __init__(self, library, url):
        self.records, self.errors = [], ""
        self.process = subprocess.Popen([*library.command, url], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, start_new_session=True,
                                        env={**os.environ, "PYTHONUTF8": "1", "PYTHONDONTWRITEBYTECODE": "1"})
        for read in (self._read_records, self._read_errors):
            threading.Thread(target=read, daemon=True).start()

    def _read_records(self):
        for line in self.process.stdout:
            if line.endswith(b"}\n"):  # and is not the last one of a program that was killed
                self.records.append(json.loads(line))

    def _read_errors(self):
        for line in self.process.stderr:
            self.errors += line.decode(errors="replace")

    def ended(self):
        return self.process.poll() is not None

    def kill(self):
        kill_group(self.process)
