"""Firefox's own EventSource: firefox.py URL. Firefox is driven by its remote protocol (Marionette): JSON in front of which
stands its length, [0, number, command, parameters] there and [1, number, error, result] back."""

import json
import pathlib
import socket
import subprocess
import sys
import tempfile
import time
import urllib.parse

PAGE = """
const seen = [];
const source = new EventSource(%s);
const keep = ({ type, lastEventId, data }) =>
  seen.push({ event: type, id: lastEventId, data: data.slice(0, 99), size: data.length });
for (const type of ["message", "tideway.gap", "tideway.retry"]) source.addEventListener(type, keep);
source.onerror = () => seen.push({ error: source.readyState });
window.take = () => JSON.stringify(seen.splice(0));
"""
# As a script of the page: what Marionette runs lives in a world of its own.
BEGIN = "document.head.append(Object.assign(document.createElement('script'), { text: arguments[0] }))"
TAKE = "return window.take()"


class Marionette:
    def __init__(self, profile):
        """Firefox chooses the port and writes it into its profile."""
        deadline, chosen = time.monotonic() + 60, pathlib.Path(profile, "MarionetteActivePort")
        while not (chosen.exists() and chosen.read_text()):
            if time.monotonic() > deadline:
                raise TimeoutError("Firefox did not start")
            time.sleep(0.1)
        self.socket = socket.create_connection(("127.0.0.1", int(chosen.read_text())))
        self.file = self.socket.makefile("rb")
        self.number = 0
        self.read()  # it says who it is

    def read(self):
        length = b""
        while (byte := self.file.read(1)) != b":":
            if not byte:
                raise EOFError("Firefox has ended")
            length += byte
        return json.loads(self.file.read(int(length)))

    def __call__(self, command, **parameters):
        self.number += 1
        text = json.dumps([0, self.number, f"WebDriver:{command}", parameters]).encode()
        self.socket.sendall(b"%d:%s" % (len(text), text))
        _, _, error, result = self.read()
        if error:
            raise RuntimeError(f"{command}: {error['message']}")
        return result

    def run(self, script, *arguments):
        return self("ExecuteScript", script=script, args=list(arguments))["value"]


def main(url):
    with tempfile.TemporaryDirectory() as profile:
        pathlib.Path(profile, "user.js").write_text(
            'user_pref("marionette.port", 0);\nuser_pref("devtools.jsonview.enabled", false);\n')
        command = ["firefox-esr", "--headless", "--marionette", "--no-remote", "--profile", profile]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as firefox:
            try:
                browser = Marionette(profile)
                browser("NewSession", capabilities={"alwaysMatch": {"acceptInsecureCerts": True}})
                browser("Navigate", url=urllib.parse.urljoin(url, "/healthz"))
                browser.run(BEGIN, PAGE % json.dumps(url))
                while True:
                    for record in json.loads(browser.run(TAKE)):
                        if "error" in record:
                            print("readyState", record["error"], file=sys.stderr, flush=True)
                        else:
                            print(json.dumps(record), flush=True)
                    time.sleep(0.05)
            finally:
                firefox.kill()


main(sys.argv[1])
