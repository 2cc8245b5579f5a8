"""Tables of what tests have measured: rows are dicts with the same keys, which are the columns' heads."""

TABLES = {}  # name → rows


def add(name, row):
    TABLES.setdefault(name, []).append(row)


def shown(value):
    if isinstance(value, float):
        return f"{value:,.1f}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def text(rows):
    cells = [list(rows[0])] + [[shown(value) for value in row.values()] for row in rows]
    widths = [max(len(line[column]) for line in cells) for column in range(len(cells[0]))]
    return "\n".join("  ".join(cell.ljust(width) if column == 0 else cell.rjust(width)
                               for column, (cell, width) in enumerate(zip(line, widths)))
                     for line in cells)


def markdown(rows):
    lines = [list(rows[0]), ["---", *["---:"] * (len(rows[0]) - 1)],
             *[[shown(value) for value in row.values()] for row in rows]]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)
