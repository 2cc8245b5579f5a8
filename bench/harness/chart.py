"""The chart of a result: bars on a logarithmic scale, one panel a figure."""

import html
import math

from . import figures
from .scenarios import BY_NAME

PANELS = (("cpu", "Server CPU a delivery, ns"), ("event-cpu", "Server CPU an event, µs"),
          ("memory", "Resident memory a stream, B"))
COLOURS = {"tideway": "#0f766e", "floor": "#94a3b8", "nchan": "#b45309", "mercure": "#7c3aed",
           "centrifugo": "#be123c"}
WIDTH, LABEL, BAR, GAP, HEAD = 860, 260, 18, 5, 44
VALUE = 80  # room for the number behind a bar


def _bars(runs, figure):
    """Each scenario's servers one after the other; scenarios that say nothing of it left out."""
    for run in runs:
        value = figures.value(figure, run)
        if value and figures.is_clean(run) and figure in _figures_of(run):
            yield run, value


def _figures_of(run):
    return BY_NAME[run["scenario"]].figures if run["scenario"] in BY_NAME else ()


def _panel(title, bars, top):
    low = min(value for _, value in bars)
    high = max(value for _, value in bars)
    floor = 10 ** math.floor(math.log10(low / 2))
    span = math.log10(high / floor) or 1
    yield f'<text x="12" y="{top + 24}" class="title">{html.escape(title)} (logarithmic)</text>'
    y = top + HEAD
    for run, value in bars:
        width = max(2, (WIDTH - LABEL - VALUE) * math.log10(value / floor) / span)
        label = f"{run['scenario']} · {run['server']}"
        colour = COLOURS.get(run["server"], "#334155")
        yield (f'<text x="{LABEL - 8}" y="{y + 13}" class="label">{html.escape(label)}</text>'
               f'<rect x="{LABEL}" y="{y}" width="{width:.1f}" height="{BAR}" rx="2" '
               f'fill="{colour}"/>'
               f'<text x="{LABEL + width + 6:.1f}" y="{y + 13}">{value:,.0f}</text>')
        y += BAR + GAP


def draw(runs):
    body, top = [], 0
    for figure, title in PANELS:
        bars = list(_bars(runs, figure))
        if bars:
            body.extend(_panel(title, bars, top))
            top += HEAD + len(bars) * (BAR + GAP) + 16
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {max(top, 40)}" '
            f'width="{WIDTH}" role="img" aria-label="benchmark results">\n'
            "<style>text{font:12px system-ui,sans-serif;fill:#0f172a}"
            ".title{font-weight:600;font-size:14px}.label{text-anchor:end}</style>\n"
            f'<rect width="{WIDTH}" height="{max(top, 40)}" fill="#fff"/>\n'
            + "\n".join(body) + "\n</svg>\n")
