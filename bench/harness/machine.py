"""On what a result was measured: enough to judge whether two can be compared."""

import datetime
import os
import pathlib
import platform
import subprocess

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent


def _output(*command):
    try:
        result = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE,
                                stderr=subprocess.DEVNULL, text=True, check=False)
    except OSError:
        return ""
    return result.stdout.strip()


def _proc_value(path, key):
    for line in pathlib.Path(path).read_text().splitlines():
        if line.startswith(key):
            return line.split(":", 1)[1].strip()
    return "unknown"


def _build_type(build):
    cache = pathlib.Path(build) / "CMakeCache.txt"
    if not cache.exists():
        return "unknown"
    for line in cache.read_text().splitlines():
        if line.startswith("CMAKE_BUILD_TYPE:"):
            return line.split("=", 1)[1]
    return "unknown"


def commit():
    """The commit that is checked out, marked when the tree differs from it (results aside)."""
    name = _output("git", "rev-parse", "--short=12", "HEAD") or "unknown"
    changed = _output("git", "status", "--porcelain", "--untracked-files=no", "--", ".",
                      ":!benchmark-results")
    return name + (" with changes" if changed else "")


def priority():
    """What this process, and so client and servers, have over others on the machine; empty: nothing."""
    policy, nice = os.sched_getscheduler(0), os.nice(0)
    if policy in (os.SCHED_RR, os.SCHED_FIFO):
        return "real-time scheduling"
    return f"nice {nice}" if nice else ""


def describe(build):
    memory_kb = int(_proc_value("/proc/meminfo", "MemTotal").split()[0])
    return {
        "date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
        "commit": commit(),
        "build": _build_type(build),
        "cpu": _proc_value("/proc/cpuinfo", "model name"),
        "cpus": os.cpu_count(),
        "memory_gib": round(memory_kb / 1024 / 1024, 1),
        "kernel": f"{platform.system()} {platform.release()}",
        "openssl": _output("openssl", "version"),
        "compiler": _output("cc", "--version").split("\n", maxsplit=1)[0],
        "priority": priority(),
        "load_average": [round(value, 2) for value in os.getloadavg()],
    }
