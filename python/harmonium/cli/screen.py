"""What people read: tables and trees, with colour on a terminal only."""

import io
import sys
from collections.abc import Iterable, Sequence

from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from harmonium.cli.errors import printable
from harmonium.cli.parameters import Grid

_MOST_ROWS = 40
_MOST_COLUMNS = 12
#: Wide enough for the tables above, where there is no terminal to fit into.
_FREE_WIDTH = 200


def show(parts: Iterable[RenderableType]) -> None:
    """Write to standard output, in whatever characters it takes."""
    terminal = sys.stdout.isatty()
    text = io.StringIO()
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    console = Console(
        file=text,
        force_terminal=terminal,
        width=None if terminal else _FREE_WIDTH,
        markup=False,
        highlight=False,
        emoji=False,
    )
    for part in parts:
        console.print(part)
    lines = (line.rstrip() for line in text.getvalue().splitlines())
    out = "\n".join(lines) + "\n"
    sys.stdout.write(out.encode(encoding, "replace").decode(encoding))


def heading(text: str) -> Text:
    """Return a line in bold with a blank one above it."""
    return Text.assemble("\n", (printable(text), "bold"))


def pairs(entries: Sequence[tuple[str, object]]) -> Table:
    """Return names beside values."""
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in entries:
        table.add_row(name, Text(printable(str(value))))
    return table


def of_grid(grid: Grid) -> list[RenderableType]:
    """Return a table of numbers, its head and first rows where it is large."""
    rows, columns, values = list(grid.rows), list(grid.columns), grid.values
    if len(columns) > _MOST_COLUMNS >= len(rows):
        rows, columns, values = columns, rows, values.T
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column("", no_wrap=True)
    for column in columns[:_MOST_COLUMNS]:
        table.add_column(Text(printable(column)), justify="right", no_wrap=True)
    for row, numbers in zip(rows[:_MOST_ROWS], values, strict=False):
        cells = (number_text(float(number)) for number in numbers[:_MOST_COLUMNS])
        table.add_row(Text(printable(row)), *cells)
    left = [
        f"{len(names) - most} more {what}"
        for names, most, what in ((rows, _MOST_ROWS, "rows"), (columns, _MOST_COLUMNS, "columns"))
        if len(names) > most
    ]
    more = (
        [Text(f"and {' and '.join(left)}: see harmonium info --json", style="dim")] if left else []
    )
    return [heading(grid.title), table, *more]


def number_text(value: float) -> str:
    """Return a number in five digits."""
    return f"{value:.5g}"
