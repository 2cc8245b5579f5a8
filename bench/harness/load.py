"""One run of the load generator against one server."""

import json
import shlex
import subprocess

from . import servers

# tw-load ends by itself after its own deadline; this is for when even that fails.
GRACE_SECONDS = 60
DEADLINE_MS = 240000


class LoadError(Exception):
    """The load generator could not run at all."""


def arguments(scenario, server, changes):
    options = {**scenario.load, **changes, "deadline-ms": DEADLINE_MS}
    listed = [f"--{name}={value}" for name, value in options.items()]
    connect = [f"--connect={address}" for address in server.addresses]
    pids = [f"--pid={pid}" for pid in server.pids]
    return [*connect, *pids, f"--label={scenario.name} on {server.name}", *server.load_options(),
            *listed]


def shown(command, server):
    """The command as a reader may repeat it: ports and process ids are of one run only."""
    text = shlex.join(command)
    for number, address in enumerate(server.addresses):
        text = text.replace(address, f"127.0.0.1:PORT{number or ''}")
    for pid in server.pids:
        text = text.replace(f"--pid={pid}", "--pid=PID")
    return text.replace(server.key, "KEY") if hasattr(server, "key") else text


def make_result(scenario, name, server, command, line, report):
    """Everything about a run."""
    return {"scenario": scenario.name, "about": scenario.about, "server": name,
            "version": server.version(), "settings": server.settings,
            "command": shown(["tw-load", *command[1:]], server), "line": line, "report": report}


def run(scenario, name, build, peer_paths, changes):
    """Starts the server, loads it, and returns everything about the run."""
    with servers.started(name, scenario, build, peer_paths) as server:
        command = [f"{build}/bench/tw-load", *arguments(scenario, server, changes)]
        try:
            result = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                    text=True, timeout=DEADLINE_MS / 1000 + GRACE_SECONDS,
                                    check=False)
        except subprocess.TimeoutExpired as error:
            raise LoadError("tw-load did not end") from error
        if not result.stdout.strip():
            raise LoadError(result.stderr.strip() or f"tw-load ended with {result.returncode}")
        lines = result.stderr.strip().splitlines()
        report = json.loads(result.stdout)
        if scenario.ops:
            report["loops"] = servers.loops(server.gateway)
        return make_result(scenario, name, server, command, lines[-1] if lines else "", report)
