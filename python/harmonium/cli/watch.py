"""How far a command of several parts is."""

import sys
from collections.abc import Callable
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

#: Says what is being done, for whoever watches.
Tell = Callable[[str], None]


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
