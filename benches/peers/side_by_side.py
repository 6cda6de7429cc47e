"""Functions of arrays beside a peer's: in turn, on one thread, with how far results agree.

Times are the processor's: of calls as short as these, wall time on a busy machine says mostly
whether another process was given its turn in the middle.
"""

import gc
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from statistics import median, quantiles
from typing import Any

import numpy as np
from interleave import threads
from numpy.typing import NDArray
from rich.table import Table

#: Agreement that is asked of the two sides: relative differences, and standard errors of means.
MOST_DIFFERENCE = 1e-7
MOST_ERRORS = 6.0


@dataclass(frozen=True)
class Case:
    """Two callables; ``draws`` when they return samples of one law and not the same numbers.

    Each is given the number of the pair, so that no side can answer from memory.
    """

    title: str
    peer: str
    ours: Callable[[int], Any]
    theirs: Callable[[int], Any]
    draws: bool = False


@dataclass(frozen=True)
class Result:
    """Processor seconds of each pair of neighbours, and how far the results were apart."""

    case: Case
    seconds: tuple[tuple[float, float], ...]
    apart: float

    @property
    def ratios(self) -> list[float]:
        """The peer's time in units of ours, one for each pair."""
        return [theirs / ours for ours, theirs in self.seconds]


def difference(ours: Any, theirs: Any) -> float:
    """Return the largest difference relative to the values' scale."""
    one, other = np.broadcast_arrays(np.asarray(ours, float), np.asarray(theirs, float))
    return float((np.abs(one - other) / np.maximum(np.abs(other), 1.0)).max())


def standard_errors(ours: NDArray[np.float64], theirs: NDArray[np.float64]) -> float:
    """Return how many standard errors means and mean squares of two samples are apart, at most."""
    one, other = (np.asarray(x, float).reshape(len(x), -1) for x in (ours, theirs))
    one, other = (np.hstack([x, x**2]) for x in (one, other))
    error = np.sqrt(one.var(0) / len(one) + other.var(0) / len(other))
    apart = np.abs(one.mean(0) - other.mean(0))
    return float((apart / np.where(error > 0, error, 1.0)).max())


def run(case: Case, pairs: int) -> Result:
    """Run both sides in turn; ValueError when they do not agree."""
    with threads(1):
        measure = standard_errors if case.draws else difference
        apart = measure(case.ours(0), case.theirs(0))
        if not apart <= (MOST_ERRORS if case.draws else MOST_DIFFERENCE):
            raise ValueError(f"{case.title}: {case.peer} is {apart:g} apart")
        gc.collect()
        seconds = []
        for pair in range(1, pairs + 1):
            clock = [time.process_time()]
            for side in (case.ours, case.theirs):
                side(pair)
                clock.append(time.process_time())
            seconds.append((clock[1] - clock[0], clock[2] - clock[1]))
    return Result(case, tuple(seconds), apart)


def table(title: str, results: Iterable[Result]) -> Table:
    """Return medians, ratios with their quartiles, and agreement; what is slower says so."""
    out = Table(title=title)
    for name in ("", "peer", "ours, ms", "peer, ms", "ratio", "", "apart"):
        out.add_column(name, justify="left" if name in ("", "peer") else "right")
    for result in results:
        ours, theirs = (1e3 * median(side) for side in zip(*result.seconds, strict=True))
        ratio = median(result.ratios)
        low, _, high = quantiles(result.ratios, n=4)
        unit = " s.e." if result.case.draws else ""
        out.add_row(
            result.case.title,
            result.case.peer,
            f"{ours:.2f}",
            f"{theirs:.2f}",
            f"{ratio:.2f} ({low:.2f}–{high:.2f})",
            "slower" if ratio < 1.0 else "",
            f"{result.apart:.1f}{unit}" if result.case.draws else f"{result.apart:.0e}",
        )
    return out
