"""What the demo says on the terminal: how far it is, and the runs side by side."""

import sys
from types import TracebackType

from rich.console import Console, RenderableType
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from harmonium.cli.demo.section import Comparison, Run, Section


class Watch:
    """Progress on standard error: a bar on a terminal, else a line for each part."""

    def __init__(self, parts: int) -> None:
        self._console = Console(stderr=True, markup=False, highlight=False)
        self._live = sys.stderr.isatty()
        self._progress = Progress(
            SpinnerColumn(),
            BarColumn(bar_width=20),
            TextColumn("{task.description}"),
            TimeElapsedColumn(),
            console=self._console,
            transient=True,
            disable=not self._live,
        )
        self._parts = parts
        self._done = 0
        self._task = self._progress.add_task("starting", total=parts)

    def __enter__(self) -> "Watch":
        self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._progress.stop()

    def part(self, title: str) -> None:
        """Begin a part."""
        self._progress.update(self._task, completed=self._done, description=title)
        self._done += 1
        if not self._live:
            self._console.print(f"{self._done}/{self._parts} {title}")

    def tell(self, what: str) -> None:
        """Say what is being done."""
        self._progress.update(self._task, description=what)


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
