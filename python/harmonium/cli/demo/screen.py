"""What the demo says on the terminal: the runs side by side."""

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from harmonium.cli.demo.section import Comparison, Run, Section


def comparison_table(comparisons: list[Comparison]) -> Table:
    """Return log-likelihoods a row, iterations and seconds of all libraries, model by model."""
    table = Table(title="The same models and data, side by side", title_justify="left", box=None)
    table.add_column("model and data")
    table.add_column("fitted by")
    table.add_column("log-likelihood/row", justify="right", no_wrap=True)
    table.add_column("iterations", justify="right")
    table.add_column("stood still", justify="center")
    table.add_column("seconds", justify="right", no_wrap=True)
    for comparison in comparisons:
        for k, run in enumerate(comparison.runs):
            what = Text("")
            if k == 0:
                what = Text(f"{comparison.model}\n{comparison.data}")
            table.add_row(
                what,
                Text(run.library, style="bold" if k == 0 else ""),
                Text(likelihood_text(run)),
                Text(str(run.iterations)),
                Text("yes" if run.converged else "no"),
                Text(seconds_text(run)),
            )
        table.add_section()
    return table


def likelihood_text(run: Run) -> str:
    """Return a log-likelihood to six decimals."""
    return f"{run.log_likelihood:.6f}"


def seconds_text(run: Run) -> str:
    """Return seconds to the millisecond."""
    return f"{run.seconds:.3f}"


def small_table(section: Section) -> list[RenderableType]:
    """Return a section's own table, where it has one."""
    if not section.table:
        return []
    head, *rows = section.table
    table = Table(title=section.title, title_justify="left", box=None)
    for k, name in enumerate(head):
        table.add_column(name, justify="right" if k else "left")
    for row in rows:
        table.add_row(*row)
    return [table]
