"""What the fronts did, as a table in Markdown."""

from checks import CHECKS
from fronts import FRONTS, MISSING

TEXT_MAX = 60


def cell(well, text):
    text = " ".join(text.replace("|", "/").split())
    return f"{'✓' if well else '✗'} {text if len(text) <= TEXT_MAX else text[:TEXT_MAX] + '…'}"


def markdown(cells):
    lines = ["# Behind proxies and balancers", "",
             "Two gateways on one Redis behind each, with the settings of docs/deploy.", "",
             "| front | " + " | ".join(CHECKS) + " |", "|---" * (len(CHECKS) + 1) + "|"]
    for name in FRONTS:
        if (name, next(iter(CHECKS))) in cells:
            lines.append(f"| **{name}** | " + " | ".join(cell(*cells[name, check]) for check in CHECKS) + " |")
    lines += ["", *(f"- skipped: **{name}**: {why}" for name, why in MISSING.items())]
    return "\n".join(lines) + "\n"


def write(folder, cells):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "fronts.md").write_text(markdown(cells))
