"""How a fit is going, on the terminal, while it runs."""

import sys
from types import TracebackType

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from harmonium.learning.em import Step


class FitProgress:
    """A line on standard error that follows a fit; nothing where that is no terminal.

    ``offset`` turns log-likelihoods in the fit's coordinates into cross-entropies in the data's.
    """

    def __init__(self, offset: float, n_init: int, max_iter: int) -> None:
        self._offset = offset
        self._n_init = n_init
        self._max_iter = max_iter
        self._start = 0
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            TimeElapsedColumn(),
            console=Console(stderr=True, markup=False, highlight=False),
            transient=True,
        )
        self._task = self._progress.add_task("starting", total=None)

    @staticmethod
    def is_wanted(quiet: bool) -> bool:
        """Tell whether someone is watching."""
        return not quiet and sys.stderr.isatty()

    def __enter__(self) -> "FitProgress":
        self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._progress.stop()

    def __call__(self, step: Step) -> None:
        """Show a step of the fit."""
        if step.iteration == 0:
            self._start += 1
        start = f"start {self._start}/{self._n_init}  " if self._n_init > 1 else ""
        self._progress.update(
            self._task,
            description=(
                f"{start}iteration {step.iteration}/{self._max_iter}  cross-entropy "
                f"{self._offset - step.log_likelihood:.8g}  residual {step.residual:.2g}"
            ),
        )
