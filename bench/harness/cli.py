"""The command line of bench/run: chooses scenarios and servers, runs them one by one, reports."""

import argparse
import os
import pathlib
import sys

from . import figures, load, machine, redis_runs, report, scenarios, servers

GROUPS = {"all": scenarios.MAIN + scenarios.SCALING, "scaling": scenarios.SCALING,
          "quick": scenarios.QUICK,
          "on-redis": [scenario for scenario in scenarios.MAIN if scenario.redis],
          "peers": [scenario for scenario in scenarios.MAIN
                    if any(other in servers.PEERS for other in scenario.others)]}
EXIT_NOT_CLEAN, EXIT_NOT_RUN = 1, 2
RUNNERS = {"load": load.run, "registration": redis_runs.registration}


def parse(arguments):
    parser = argparse.ArgumentParser(prog="bench/run", description="Benchmarks of the gateway.")
    parser.add_argument("what", nargs="*", default=["all"],
                        help="all (default), quick, peers, on-redis, scaling, or names of scenarios")
    parser.add_argument("--list", action="store_true", help="name the scenarios")
    parser.add_argument("--peer", action="append", default=[], metavar="NAME=PATH",
                        help="compare with mercure or centrifugo too, whose binary is at PATH; "
                        "before=PATH is another build of tideway, for every scenario of load")
    parser.add_argument("--only", action="append", default=[], metavar="SERVER",
                        help="only these servers (tideway, floor, nchan, …); writes nothing")
    parser.add_argument("--build", default=str(machine.ROOT / "build"), metavar="DIR",
                        help="where tideway and tw-load were built (default: build)")
    parser.add_argument("--junit", metavar="FILE", help="write what was verified as JUnit XML")
    parser.add_argument("--no-write", action="store_true", help="leave benchmark-results/ alone")
    options = parser.parse_args(arguments)
    unknown = [name for name in options.what
               if name not in GROUPS and name not in scenarios.BY_NAME]
    if unknown:
        parser.error(f"no such scenario: {', '.join(unknown)}; see --list")
    options.peers = {"nchan": "nginx"}
    for peer in options.peer:
        name, _, path = peer.partition("=")
        if name not in (*servers.PEERS, "before") or not os.access(path, os.X_OK):
            parser.error(f"--peer {peer}: expected before=PATH, mercure=PATH or centrifugo=PATH "
                         "of a program")
        options.peers[name] = str(pathlib.Path(path).resolve())
    return options


def plan(options):
    """The (scenario, server) pairs to run, each once, in the table's order."""
    chosen = {}
    for name in options.what:
        for scenario in GROUPS.get(name, [scenarios.BY_NAME.get(name)]):
            chosen[scenario.name] = scenario
    for scenario in chosen.values():
        before = ("before",) if scenario.kind == "load" else ()
        for server in ("tideway", *before, *scenario.others):
            wanted = not options.only or server in options.only
            if wanted and (server in ("tideway", "floor", "memory") or server in options.peers):
                yield scenario, server


def reference_rate(scenario, server, runs):
    """The rate of a scenario that depends on what another one has reached."""
    name, share = scenario.rate_of
    for run in runs:
        if run["scenario"] == name and run["server"] == server:
            return max(1, int(run["report"]["publish"]["events_per_second"] * share))
    return None


def changes_for(scenario, server, runs, options):
    changes = dict(scenario.peer_load) if server in servers.PEERS else {}
    if scenario.rate_of:
        rate = reference_rate(scenario, server, runs)
        if rate is None:
            base = scenarios.BY_NAME[scenario.rate_of[0]]
            print(f"  {scenario.name} needs the rate of {base.name}: running it first")
            runs.append(load.run(base, server, options.build, options.peers, {}))
            print(f"  {runs[-1]['line']}", flush=True)
            rate = reference_rate(scenario, server, runs)
        changes["rate"] = rate
    return changes


def run_all(options):
    runs, broken = [], []
    for scenario, server in plan(options):
        print(f"{scenario.name} on {server}: {scenario.about}", flush=True)
        try:
            run = RUNNERS[scenario.kind](scenario, server, options.build, options.peers,
                                         changes_for(scenario, server, runs, options))
        except (servers.ServerError, load.LoadError, OSError) as error:
            print(f"  not run: {error}", flush=True)
            broken.append(f"{scenario.name} on {server}: {error}")
            continue
        print(f"  {run['line']}", flush=True)
        runs.append(run)
    return runs, broken


def judge(runs, broken):
    """The exit code: only what is wrong with Tideway's deliveries counts, and what could not run."""
    unclean = [run for run in runs if run["server"] == "tideway" and not figures.is_clean(run)]
    for run in unclean:
        checks = run["report"]["verification"]
        wrong = {name: value for name, value in checks.items()
                 if value and name not in ("clean", "received", "expected")}
        print(f"NOT CLEAN: {run['scenario']}: {wrong}; publishing: "
              f"{run['report']['publish']['failed']} failed")
    if unclean:
        return EXIT_NOT_CLEAN
    return EXIT_NOT_RUN if broken else 0


def main():
    options = parse(sys.argv[1:])
    if options.list:
        for scenario in scenarios.MAIN + scenarios.SCALING + scenarios.QUICK:
            print(f"{scenario.name:18} {scenario.about}")
        return 0
    about = machine.describe(options.build)
    runs, broken = run_all(options)
    for goal, measured, met in figures.goals(runs):
        print(f"{'met ' if met else 'MISS'}  {goal.about}: {measured:,.4g} {goal.unit} "
              f"(goal {'≤' if goal.at_most else '≥'} {goal.limit:,g})")
    stem = "-".join(options.what)
    before = report.last_committed(stem)
    moved = list(report.movements(runs, before)) if before else []
    if before:
        print(f"Against the run of {before['machine']['date']} ({before['machine']['commit']}):")
        print("\n".join(f"  {line}" for line in moved) or "  nothing moved beyond its noise")
    if runs and "quick" not in options.what and not (options.no_write or options.only):
        command = " ".join(["./dev bench", *options.what])
        print(f"written: {report.write(stem, command, about, runs, moved)}")
    if options.junit:
        report.write_junit(options.junit, runs, broken)
    return judge(runs, broken)
