"""Exact expectation-maximisation (Eq. 27) as a generator: the caller owns the loop."""

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from harmonium.expectation import Learned, Prepared, Source, expectation
from harmonium.expectation.passes import Totals
from harmonium.learning.factor_analysis import (
    CompletedMoments,
    boundary_notes,
    is_factor_analysis,
    residual,
)
from harmonium.learning.floating_point import steady
from harmonium.validation import FloatArray

#: What is added to the (1, size) sums of a pass before they are met: a regularisation asked for.
Adjust = Callable[[FloatArray], FloatArray]


@dataclass(frozen=True, eq=False)
class Step:
    """A point on the way: its log-likelihood a row (nats), and how far it is from stationary.

    ``residual`` is the largest standardised difference between average and model expectation.
    """

    prepared: Learned
    log_likelihood: float
    residual: float
    iteration: int
    notes: frozenset[str]
    sums: FloatArray

    @steady
    def all_notes(self) -> frozenset[str]:
        """What was, and from here would be, moved inside its domain."""
        notes = set(self.notes) | boundary_notes(self.prepared)
        self.prepared.maximise(self.sums, notes)
        return frozenset(notes)


def em(
    prepared: Learned,
    source: Source,
    adjust: Adjust | None = None,
    *,
    accelerate: bool = False,
) -> Iterator[Step]:
    """Yield the starting point, then the point after each iteration, without end.

    ``adjust`` maps the (1, size) sums of each pass to those that are met instead. Data that a model
    needs only in summary (a linear Gaussian model with a normal latent: two moments) are read once;
    where they have missing values, the moments of the completed rows take their place, and the
    M-step is direct. Otherwise, with ``accelerate``, every two iterations are followed by a step
    along their trend (SQUAREM: Varadhan and Roland, 2008), kept only where the likelihood is at
    least that of the second iteration.
    """
    work = _Work(source, prepared, adjust)
    if accelerate and not work.is_direct:
        yield from _accelerated(work, prepared)
        return
    notes: frozenset[str] = frozenset()
    for iteration in itertools.count():
        step = work.look(prepared, iteration, notes)
        yield step
        prepared, notes = work.move(step)


class _Work:
    """One model's expectation and maximisation steps over one source."""

    @steady
    def __init__(self, source: Source, prepared: Learned, adjust: Adjust | None) -> None:
        self._source = source
        self._summary = prepared.summarise(source)
        self._adjust = adjust
        self._completed: CompletedMoments | None = None
        if self._summary is None and adjust is None and is_factor_analysis(prepared):
            self._summary = self._completed = CompletedMoments(source)

    @property
    def is_direct(self) -> bool:
        """Whether the M-step leaves no trend to follow."""
        return self._completed is not None

    @steady
    def look(self, prepared: Learned, iteration: int, notes: frozenset[str]) -> Step:
        """The E-step: the point with its likelihood, residual and sums."""
        return self._look(prepared, iteration, notes)

    def _look(self, prepared: Learned, iteration: int, notes: frozenset[str]) -> Step:
        if self._summary is not None:
            totals: Totals = self._summary.expectation(prepared)
        else:
            assert isinstance(prepared, Prepared)
            totals = expectation(prepared, self._source)
        if totals.weight <= 0:
            raise ValueError("x: no rows with positive weight")
        mean = totals.log_likelihood / totals.weight
        sums = totals.sums if self._adjust is None else self._adjust(totals.sums)
        return Step(prepared, mean, self._residual(prepared, sums), iteration, notes, sums)

    def _residual(self, prepared: Learned, sums: FloatArray) -> float:
        summary = self._summary if self._completed is None else self._completed.summary
        if self._adjust is None and summary is not None and is_factor_analysis(prepared):
            return residual(prepared, summary)
        return prepared.residual(sums)

    # a step too far may overflow, which is one more reason not to take it
    @np.errstate(all="ignore")
    def jump(self, step: Step, coordinates: FloatArray) -> Step | None:
        """The point at these coordinates, if there is one and it is at least as likely."""
        if not np.isfinite(coordinates).all():
            return None
        try:
            moved = self._look(step.prepared.at(coordinates), step.iteration + 1, step.notes)
        except (ValueError, np.linalg.LinAlgError):
            return None
        return moved if moved.log_likelihood >= step.log_likelihood else None

    @steady
    def move(self, step: Step) -> tuple[Learned, frozenset[str]]:
        """The M-step, and what was said about it."""
        notes: set[str] = set()
        moved = step.prepared.maximise(step.sums, notes)
        if self._completed is not None:
            assert isinstance(step.prepared, Prepared)
            assert isinstance(moved, Prepared)
            moved = self._completed.maximise(step.prepared, moved)
        return moved, frozenset(notes)


def _accelerated(work: _Work, prepared: Learned) -> Iterator[Step]:
    """Squared iterative methods, scheme S3, with the steplength bounded by what has succeeded."""
    longest = 4.0
    step = work.look(prepared, 0, frozenset())
    yield step
    while True:
        trail = [_coordinates(step)]
        for _ in range(2):
            prepared, notes = work.move(step)
            step = work.look(prepared, step.iteration + 1, notes)
            yield step
            trail.append(_coordinates(step))
        length, ahead = _ahead(trail, longest)
        if length <= 1.0:
            continue
        jumped = work.jump(step, ahead)
        if jumped is None:
            longest = max(longest / 2, 2.0)
            continue
        if length == longest:
            longest *= 4.0
        step = jumped
        yield step


@steady
def _coordinates(step: Step) -> FloatArray:
    return step.prepared.coordinates


@steady
def _ahead(trail: list[FloatArray], longest: float) -> tuple[float, FloatArray]:
    """How far along the trend of three points to step, and where that leads."""
    first, second = trail[1] - trail[0], trail[2] - 2 * trail[1] + trail[0]
    bend = float(np.linalg.norm(second))
    length = float(np.linalg.norm(first)) / bend if bend > 0 else 1.0
    length = min(max(length, 1.0), longest)
    return length, trail[0] + 2 * length * first + length**2 * second
