"""What the kernel says of a process."""

import os
import pathlib
import threading
import time


def rss_bytes(pid):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) * 1024
    return 0


def cpu_seconds(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Peak:
    """The largest resident memory while a block runs."""

    def __init__(self, pid):
        self.pid, self.bytes, self._over = pid, 0, threading.Event()

    def __enter__(self):
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._over.set()
        self._thread.join()

    def _watch(self):
        while not self._over.wait(0.05):
            self.bytes = max(self.bytes, rss_bytes(self.pid))


def descriptors(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


def settled_rss_bytes(pid, still_s=2.5, timeout=30):
    """Resident memory once it has not changed for a while."""
    deadline, last, since = time.monotonic() + timeout, 0, 0.0
    while time.monotonic() < deadline:
        now = rss_bytes(pid)
        if now != last:
            last, since = now, time.monotonic()
        elif time.monotonic() - since > still_s:
            break
        time.sleep(0.05)
    return last
