"""Exact expectation-maximisation (Eq. 27) as a generator: the caller owns the loop."""

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from harmonium.expectation import Prepared, Source, expectation
from harmonium.expectation.passes import Totals
from harmonium.validation import FloatArray

#: An explicit step after each M-step, such as a regularisation a user asks for.
Adjust = Callable[[Prepared], Prepared]


@dataclass(frozen=True)
class Step:
    """A point on the way: its log-likelihood a row (nats), and how far it is from stationary.

    ``residual`` is the largest standardised difference between average and model expectation.
    """

    prepared: Prepared
    log_likelihood: float
    residual: float
    iteration: int
    notes: frozenset[str]
    sums: FloatArray

    def all_notes(self) -> frozenset[str]:
        """What was, and from here would be, moved inside its domain."""
        notes: set[str] = set(self.notes)
        self.prepared.maximise(self.sums, notes)
        return frozenset(notes)


def em(
    prepared: Prepared,
    source: Source,
    adjust: Adjust | None = None,
    *,
    accelerate: bool = False,
) -> Iterator[Step]:
    """Yield the starting point, then the point after each iteration, without end.

    Data that a model needs only in summary (a linear Gaussian model with a normal latent: two
    moments) are read once. With ``accelerate``, every two iterations are followed by a step along
    their trend (SQUAREM: Varadhan and Roland, 2008), kept only where the likelihood is at least
    that of the second iteration.
    """
    work = _Work(source, prepared, adjust)
    if accelerate:
        yield from _accelerated(work, prepared)
        return
    notes: frozenset[str] = frozenset()
    for iteration in itertools.count():
        step = work.look(prepared, iteration, notes)
        yield step
        prepared, notes = work.move(step)


class _Work:
    """One model's expectation and maximisation steps over one source."""

    def __init__(self, source: Source, prepared: Prepared, adjust: Adjust | None) -> None:
        self._source = source
        self._summary = prepared.summarise(source)
        self._adjust = adjust

    def look(self, prepared: Prepared, iteration: int, notes: frozenset[str]) -> Step:
        """The E-step: the point with its likelihood, residual and sums."""
        if self._summary is not None:
            totals: Totals = self._summary.expectation(prepared)
        else:
            totals = expectation(prepared, self._source)
        if totals.weight <= 0:
            raise ValueError("x: no rows with positive weight")
        mean = totals.log_likelihood / totals.weight
        residual = prepared.residual(totals.sums)
        return Step(prepared, mean, residual, iteration, notes, totals.sums)

    def move(self, step: Step) -> tuple[Prepared, frozenset[str]]:
        """The M-step, and what was said about it."""
        notes: set[str] = set()
        moved = step.prepared.maximise(step.sums, notes)
        if self._adjust is not None:
            moved = self._adjust(moved)
        return moved, frozenset(notes)


def _accelerated(work: _Work, prepared: Prepared) -> Iterator[Step]:
    """Squared iterative methods, scheme S3, with the steplength bounded by what has succeeded."""
    notes: frozenset[str] = frozenset()
    longest = 4.0
    iteration = 0
    step = work.look(prepared, iteration, notes)
    yield step
    while True:
        trail = [step.prepared.coordinates]
        for _ in range(2):
            iteration += 1
            prepared, notes = work.move(step)
            step = work.look(prepared, iteration, notes)
            yield step
            trail.append(step.prepared.coordinates)
        first, second = trail[1] - trail[0], trail[2] - 2 * trail[1] + trail[0]
        bend = float(np.linalg.norm(second))
        length = float(np.linalg.norm(first)) / bend if bend > 0 else 1.0
        length = min(max(length, 1.0), longest)
        if length <= 1.0:
            continue
        jumped = _jump(work, step, trail[0] + 2 * length * first + length**2 * second, iteration)
        if jumped is None:
            longest = max(longest / 2, 2.0)
            continue
        if length == longest:
            longest *= 4.0
        iteration += 1
        step = jumped
        yield step


def _jump(work: _Work, step: Step, coordinates: FloatArray, iteration: int) -> Step | None:
    """The point at these coordinates, if there is one and it is at least as likely."""
    if not np.isfinite(coordinates).all():
        return None
    try:
        moved = work.look(step.prepared.at(coordinates), iteration + 1, step.notes)
    except (ValueError, np.linalg.LinAlgError):
        return None
    return moved if moved.log_likelihood >= step.log_likelihood else None
