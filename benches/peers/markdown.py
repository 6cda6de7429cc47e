"""Tables on the screen, or as Markdown for the documentation."""

from rich.console import Console
from rich.table import Table
from rich.text import Text


def show(out: Table, *, as_markdown: bool) -> None:
    """Print a table."""
    if not as_markdown:
        Console(width=170).print(out)
        return
    columns = [
        (plain(column.header), column.justify, [plain(cell) for cell in column.cells])
        for column in out.columns
    ]
    print(f"{plain(out.title or '')}:\n")
    print("| " + " | ".join(name for name, _, _ in columns) + " |")
    print("|" + "|".join("---:" if side == "right" else "---" for _, side, _ in columns) + "|")
    for row in zip(*(cells for _, _, cells in columns), strict=True):
        print("| " + " | ".join(row) + " |")
    print(flush=True)


def plain(value: object) -> str:
    """The text of a cell without its markup."""
    return Text.from_markup(str(value)).plain
