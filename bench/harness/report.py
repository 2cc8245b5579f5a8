"""What a run leaves behind: JSON for the next comparison, Markdown and a chart for people."""

import json
import pathlib
import subprocess
import xml.etree.ElementTree as ElementTree

from . import chart, figures
from .machine import ROOT
from .scenarios import BY_NAME

RESULTS = ROOT / "benchmark-results"


def last_committed(stem):
    """The results that were committed last under this name, or None."""
    result = subprocess.run(["git", "show", f"HEAD:benchmark-results/{stem}.json"], cwd=ROOT,
                            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False)
    try:
        return json.loads(result.stdout) if result.returncode == 0 else None
    except ValueError:
        return None


def movements(runs, before):
    """What moved against an earlier result by more than a figure's noise, as lines of text."""
    earlier = {(run["scenario"], run["server"]): run for run in before["runs"]}
    for run in runs:
        old = earlier.get((run["scenario"], run["server"]))
        if old is None or run["scenario"] not in BY_NAME:
            continue
        for name in BY_NAME[run["scenario"]].figures:
            figure = figures.FIGURES[name]
            was, now = figures.value(name, old), figures.value(name, run)
            if not was or not now or abs(now / was - 1) <= figure.noise:
                continue
            better = (now < was) == figure.lower_is_better
            yield (f"{run['scenario']} on {run['server']}: {figure.title} "
                   f"{figures.text(name, old)} → {figures.text(name, run)} {figure.unit} "
                   f"({(now / was - 1) * 100:+.0f} %, {'better' if better else 'worse'})")


def _table(head, rows):
    yield "| " + " | ".join(head) + " |"
    yield "|" + "---|" * len(head)
    for row in rows:
        yield "| " + " | ".join(row) + " |"


def _scenario_section(name, runs):
    first = runs[0]
    names = [figure for figure in (BY_NAME[name].figures if name in BY_NAME else ("cpu",))
             if any(figures.value(figure, run) is not None for run in runs)]
    head = ["server"] + [f"{figures.FIGURES[figure].title}, {figures.FIGURES[figure].unit}"
                         .rstrip(", ") for figure in names] + ["verified"]
    yield f"### {name}"
    yield ""
    yield f"{first['about'][0].upper()}{first['about'][1:]}."
    yield ""
    yield from _table(head, ([run["server"], *(figures.text(figure, run) for figure in names),
                              _verdict(run)] for run in runs))
    yield ""


def _verdict(run):
    checks = run["report"]["verification"]
    if checks["clean"]:
        return f"{checks['received']:,} deliveries" if checks["received"] else "yes"
    if checks["stopped_why"]:
        return f"**no: {checks['stopped_why']}**"
    wrong = [f"{checks[name]:,} {name.replace('_', ' ')}" for name in
             ("lost", "duplicates", "out_of_order", "disagreeing_streams", "foreign", "corrupt",
              "streams_refused", "streams_closed", "connections_lost") if checks[name]]
    return "**no: " + (", ".join(wrong) or "publishing failed") + "**"


def _goal_section(runs):
    rows = [[goal.about, f"{'≤' if goal.at_most else '≥'} {goal.limit:,g} {goal.unit}",
             f"{measured:,.3g} {goal.unit}" if measured < 1000 else f"{measured:,.0f} {goal.unit}",
             "yes" if met else "**no**"] for goal, measured, met in figures.goals(runs)]
    if rows:
        yield "## Goals"
        yield ""
        yield from _table(["what", "goal", "measured", "met"], rows)
        yield ""


def _setting_section(runs):
    yield "## Commands and settings"
    yield ""
    for run in runs:
        yield f"**{run['scenario']} on {run['server']}** ({run['version']})"
        yield ""
        yield "```"
        yield run["command"]
        for name, value in run["settings"].items():
            if "\n" not in value:
                yield f"{name}={value}"
        yield "```"
        yield ""
    for name, value in {key: value for run in runs for key, value in run["settings"].items()
                        if "\n" in value}.items():
        yield f"`{name}`:"
        yield ""
        yield "```"
        yield value.rstrip()
        yield "```"
        yield ""


def markdown(title, command, machine, runs, moved):
    yield f"# {title}"
    yield ""
    yield (f"Measured {machine['date']} at commit {machine['commit']} ({machine['build']}) with "
           f"`{command}` on {machine['cpus']} × {machine['cpu']}, {machine['memory_gib']} GiB, "
           f"{machine['kernel']}, {machine['openssl']}; load average before the run "
           f"{machine['load_average'][0]}"
           f"{', of which ' + machine['priority'] + ' kept the run apart' if machine.get('priority') else ''}. "
           "Client and servers share the machine; server figures are "
           "CPU time and resident memory of the server's processes, as the kernel counts them.")
    yield ""
    yield f"![chart]({title}.svg)"
    yield ""
    yield from _goal_section(runs)
    yield "## Scenarios"
    yield ""
    for name in dict.fromkeys(run["scenario"] for run in runs):
        yield from _scenario_section(name, [run for run in runs if run["scenario"] == name])
    if moved:
        yield "## Against the run committed before"
        yield ""
        for line in moved:
            yield f"- {line}"
        yield ""
    yield from _setting_section(runs)


def write(stem, command, machine, runs, moved):
    RESULTS.mkdir(exist_ok=True)
    results = {"command": command, "machine": machine, "runs": runs}
    (RESULTS / f"{stem}.json").write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n")
    lines = markdown(stem, command, machine, runs, moved)
    (RESULTS / f"{stem}.md").write_text("\n".join(lines).rstrip() + "\n")
    (RESULTS / f"{stem}.svg").write_text(chart.draw(runs))
    return RESULTS / f"{stem}.md"


def write_junit(path, runs, broken):
    """One test case a run, failed when its deliveries were not right; `broken` are lines of text."""
    suite = ElementTree.Element("testsuite", name="bench")
    for run in runs:
        case = ElementTree.SubElement(suite, "testcase", classname="bench", name=run["scenario"])
        if not figures.is_clean(run):
            ElementTree.SubElement(case, "failure", message=_verdict(run).strip("*"))
    for line in broken:
        case = ElementTree.SubElement(suite, "testcase", classname="bench", name=line.split(":")[0])
        ElementTree.SubElement(case, "failure", message=line)
    pathlib.Path(path).parent.mkdir(parents=True, exist_ok=True)
    ElementTree.ElementTree(suite).write(path, encoding="unicode", xml_declaration=True)
