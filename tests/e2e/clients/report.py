"""What the clients did, as a table in Markdown."""

from checks import CHECKS
from programs import LIBRARIES, MISSING

TEXT_MAX = 70


def cell(name, check, well, text):
    text = " ".join((text if well else LIBRARIES[name].flaws.get(check, text)).replace("|", "/").split())
    return f"{'✓' if well else '✗'} {text if len(text) <= TEXT_MAX else text[:TEXT_MAX] + '…'}"


def markdown(cells):
    lines = ["# Clients as people have them", "", "✗: what the library gets wrong; docs/clients.md says what to do.", "",
             "| library | " + " | ".join(CHECKS) + " |", "|---" * (len(CHECKS) + 1) + "|"]
    for name in LIBRARIES:
        if (name, next(iter(CHECKS))) in cells:
            row = (cell(name, check, *cells[name, check]) for check in CHECKS)
            lines.append(f"| **{name}** | " + " | ".join(row) + " |")
    return "\n".join([*lines, "", *(f"- skipped: **{name}**: {why}" for name, why in MISSING.items())]) + "\n"


def write(folder, cells):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "clients.md").write_text(markdown(cells))
