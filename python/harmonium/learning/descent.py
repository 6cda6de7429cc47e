"""Gradient descent on cross-entropy and on EM's M-steps, as a generator: the caller owns the loop."""

import itertools
from collections.abc import Callable, Iterator

import numpy as np

from harmonium.expectation import Prepared
from harmonium.learning.batches import Batches
from harmonium.learning.em import Step
from harmonium.learning.floating_point import steady
from harmonium.learning.oracles import Oracle
from harmonium.learning.paths import Path, Slope
from harmonium.learning.space import Space
from harmonium.learning.within import WorkWithin
from harmonium.validation import FloatArray

#: From what a gradient is asked, the paths: of values and gradients where these are exact, else
#: of gradients alone.
Search = Callable[[Slope | None, Callable[[FloatArray], FloatArray]], Path]


def descend(
    work: WorkWithin,
    space: Space,
    prepared: Prepared,
    search: Search,
    oracle: Oracle,
    batches: Batches,
    *,
    steps: int,
    hold: bool,
) -> Iterator[Step]:
    """Yield the starting point, then the point after every ``steps`` gradient steps, without end.

    The gradient is the model's expectation less the data's (Eq. 28). With ``hold`` the data's are
    those of the posteriors at the last point yielded (EM-GD, EM-MCGD), for which the optimiser
    starts anew; else of those at each step (CE-GD, CE-MCGD). What is held is the posteriors'
    parameters: lots of rows and samples of the latents are drawn anew at each step.
    """
    questions = _Questions(work, space, oracle, batches)
    free = space.free(prepared.natural[0])
    path: Iterator[FloatArray] | None = None
    for iteration in itertools.count():
        step = work.look(prepared, iteration, frozenset())
        yield step
        if hold or path is None:
            path = search(*questions.held(step) if hold else questions.current())(free)
        free, path = _along(path, free, steps)
        prepared = space.prepare(space.natural(free))


@steady
def _along(
    path: Iterator[FloatArray], free: FloatArray, steps: int
) -> tuple[FloatArray, Iterator[FloatArray] | None]:
    """Where so many steps lead, and the path from there; None where it has ended."""
    for _ in range(steps):
        ahead = next(path, None)
        if ahead is None:
            return free, None
        free = ahead
    return free, path


class _Questions:
    """Gradients, and values where they are exact, in the free coordinates."""

    def __init__(self, work: WorkWithin, space: Space, oracle: Oracle, batches: Batches) -> None:
        self._work = work
        self._space = space
        self._oracle = oracle
        self._batches = batches
        self._lots = iter(batches)

    @property
    def _is_exact(self) -> bool:
        return self._oracle.is_exact and self._batches.is_whole

    def held(self, step: Step) -> tuple[Slope | None, Callable[[FloatArray], FloatArray]]:
        """Ask of the M-step: the posteriors are those of a step."""
        if self._is_exact:
            mean = step.prepared.mean(step.sums)[0]
            surrogate = self._work.surrogate(mean, step.prepared.natural[0])
            return surrogate.slope, surrogate.gradient
        natural = step.prepared.natural[0]
        return None, lambda free: self._sampled(free, natural)

    def current(self) -> tuple[Slope | None, Callable[[FloatArray], FloatArray]]:
        """Ask of the cross-entropy: the posteriors are those of each point."""
        if self._is_exact:
            return self._slope, lambda free: self._inside(self._space.natural(free))[1]
        return None, lambda free: self._sampled(free, None)

    def _slope(self, free: FloatArray) -> tuple[float, FloatArray]:
        natural = self._space.place(free)
        if natural is not None:
            value, slope = self._inside(natural)
            if np.isfinite(value) and np.isfinite(slope).all():
                return value, slope
        return np.inf, np.full(len(free), np.inf)

    def _inside(self, natural: FloatArray) -> tuple[float, FloatArray]:
        prepared = self._space.prepare(natural)
        totals = self._work.totals(prepared)
        gradient = self._oracle.of_model(natural) - prepared.mean(totals.sums)[0]
        value = -totals.log_likelihood / totals.weight + self._work.cost(natural)
        return value, self._space.gradient(natural, gradient + self._work.cost_gradient(natural))

    def _sampled(self, free: FloatArray, held: FloatArray | None) -> FloatArray:
        natural = self._space.natural(free)
        lot = next(self._lots)
        data = self._oracle.of_data(natural if held is None else held, lot)
        gradient = self._batches.share(lot) * (self._oracle.of_model(natural) - data)
        return self._space.gradient(natural, gradient + self._work.cost_gradient(natural))
