"""The loop around a learning method: when a fit ends, and what is said of it."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from harmonium.errors import BoundaryWarning, ConvergenceWarning
from harmonium.expectation import Source
from harmonium.learning.em import Step
from harmonium.learning.floating_point import steady
from harmonium.learning.standardisation import Standardisation
from harmonium.validation import FloatArray, warn_caller

#: What a fit says that its callback ended.
STOPPED = "stopped by the callback"
#: After so many iterations without a gain above rounding a fit stops.
_STALLED = 25


@dataclass(frozen=True, eq=False)
class End:
    """Where a fit ended: the last step, the cross-entropies (nats a row), and why."""

    step: Step
    history: FloatArray
    converged: bool
    message: str


def iterate(
    steps: Iterable[Step],
    *,
    log_scale: float,
    max_iter: int,
    tol: float,
    rising: bool = True,
    stalls: bool = True,
    callback: Callable[[Step], object] | None = None,
) -> End:
    """Follow the steps of a learning method until the residual is at most ``tol``.

    ``log_scale`` is what a row's log density lacks in the data's units. Where the method promises
    a ``rising`` likelihood the fit also ends when there has been no gain for 25 iterations;
    otherwise, with sums adjusted, when the likelihood has not moved; never where ``stalls`` is
    false, as of a method that is not exact. A callback that returns True ends it.
    """
    history: list[float] = []
    previous = lowest = np.inf
    level = 0
    message = ""
    for step in steps:
        history.append(log_scale - step.log_likelihood)
        if callback is not None and callback(step) is True:
            message = STOPPED
            break
        if step.residual <= tol:
            message = "converged"
            break
        value = -step.objective
        gain = lowest - value if rising else abs(previous - value)
        resolution = 4 * np.finfo(float).eps * max(1.0, abs(step.log_likelihood))
        level = level + 1 if gain <= resolution else 0
        previous, lowest = value, min(lowest, value)
        if level >= _STALLED and stalls:
            message = f"the likelihood has not risen above rounding for {_STALLED} iterations"
            break
        if step.iteration >= max_iter:
            message = f"not converged after {max_iter} iterations"
            break
    return End(step, np.array(history), step.residual <= tol, message)


@steady
def mean_log_scale(source: Source, standard: Standardisation) -> float:
    """Average over rows of the log scales of what is observed of them."""
    if standard.is_identity:
        return 0.0
    logs = np.log(standard.scale)
    total = weight = 0.0
    for x, weights in source.blocks():
        seen = (~np.isnan(x)) @ logs
        total += float(seen.sum() if weights is None else weights @ seen)
        weight += float(len(x) if weights is None else weights.sum())
    return total / weight if weight else 0.0


class Fitted(Protocol):
    """What is said of a fit when it ends."""

    @property
    def converged(self) -> bool:
        """Whether the residual reached the tolerance."""

    @property
    def residual(self) -> float:
        """Largest standardised difference between average and model expectation."""

    @property
    def message(self) -> str:
        """Why the fit ended."""

    @property
    def notes(self) -> frozenset[str]:
        """What was moved inside its domain."""


def give_warnings(fitted: Fitted, tol: float, *, honest: bool = True) -> None:
    """Warn, once each, of a fit that did not converge and of estimates moved off a boundary.

    ``honest`` is whether the fit was to converge: exact, and not stopped by its caller.
    """
    for note in sorted(fitted.notes):
        warn_caller(note, BoundaryWarning)
    if honest and not fitted.converged:
        warn_caller(
            f"{fitted.message}; the largest difference of average and model expectation is "
            f"{fitted.residual:.2g}, tol is {tol:g}: raise max_iter or tol",
            ConvergenceWarning,
        )
