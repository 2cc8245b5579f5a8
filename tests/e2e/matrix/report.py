"""The matrix as a table, in Markdown and JSON."""

import json

from matrix import EVENTS

TITLES = {"memory": "One gateway, in memory", "redis": "Three gateways and Redis"}


def table(run):
    names = list(run.languages)
    lines = [f"## {TITLES[run.mode]}", "",
             "| publisher ↓ subscriber → | " + " | ".join(names) + " |",
             "|---" * (len(names) + 1) + "|"]
    for publisher in names:
        cells = [f"{'✓' if not pair.problem else '✗'} {pair.received}/{EVENTS}"
                 for pair in (run.pairs[publisher, subscriber] for subscriber in names)]
        lines.append(f"| **{publisher}** | " + " | ".join(cells) + " |")
    for label, values in (("protocol", run.protocols), ("reconnects", run.reconnects)):
        cells = [", ".join(sorted(value)) if isinstance(value, set) else str(value)
                 for value in (values.get(name, "none") for name in names)]
        lines.append(f"| {label} | " + " | ".join(cells) + " |")
    passed = sum(not pair.problem for pair in run.pairs.values())
    return lines + ["", f"{passed} of {len(run.pairs)} pairs passed, in {run.seconds:.1f} s."]


def markdown(runs, missing):
    lines = ["# Every publisher with every subscriber", "",
             f"{EVENTS} events a pair, each once and in order, over TLS and HTTP/2, with two reconnects of each "
             "subscriber in the middle.", ""]
    for run in runs:
        lines += [*table(run), "", *(f"- problem: {problem}" for problem in run.problems), ""]
    lines += [f"- skipped: **{name}**: {why}" for name, why in missing.items()]
    return "\n".join(lines).rstrip("\n") + "\n"


def as_json(runs, missing):
    return json.dumps({
        "events": EVENTS,
        "skipped": missing,
        "runs": [{"mode": run.mode, "seconds": round(run.seconds, 1), "problems": run.problems,
                  "protocols": {name: sorted(value) for name, value in run.protocols.items()},
                  "reconnects": run.reconnects,
                  "pairs": [{"publisher": pair.publisher, "subscriber": pair.subscriber,
                             "received": pair.received, "passed": not pair.problem,
                             "problem": pair.problem} for pair in run.pairs.values()]}
                 for run in runs]}, indent=2, ensure_ascii=False) + "\n"


def write(folder, runs, missing):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "matrix.md").write_text(markdown(runs, missing))
    (folder / "matrix.json").write_text(as_json(runs, missing))
