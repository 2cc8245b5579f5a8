"""tw-load: honest subscribers and publishers, with every delivery checked."""

import json
import os
import pathlib
import subprocess

from lib.paths import BINARY


PROGRAM = pathlib.Path(os.environ.get("TIDEWAY_LOAD", pathlib.Path(BINARY).parent / "bench" / "tw-load"))
GRACE_S = 90


class Load:
    """One run, started at once; options are those of tw-load, with underscores."""

    def __init__(self, gateway, duration_s, **options):
        options = {"duration_ms": int(duration_s * 1000), "warmup_ms": 0, "deadline_ms": 1200000, **options}
        self.limit_s = 4 * duration_s + GRACE_S  # a busy machine may fall behind
        self.process = subprocess.Popen(
            [str(PROGRAM), f"--connect=127.0.0.1:{gateway.port}", f"--key={gateway.key}",
             *(f"--{name.replace('_', '-')}={value}" for name, value in options.items())],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)

    def report(self):
        """Waits for its end. Whether everything was delivered is in its "verification"."""
        try:
            output, _ = self.process.communicate(timeout=self.limit_s)
        finally:
            self.process.kill()
        assert output, "tw-load could not run"
        return json.loads(output)
