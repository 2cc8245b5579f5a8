"""Programs that tests run in a group of their own, with whatever they start."""

import contextlib
import os
import signal


def kill_group(process):
    """Ends a process that leads a group, and all of the group; returns when it is gone."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
