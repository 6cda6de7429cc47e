"""Exact expectation-maximisation (Eq. 27) as a generator: the caller owns the loop."""

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from harmonium.expectation import Learned, Prepared, Source, expectation
from harmonium.expectation.passes import Totals
from harmonium.learning.acceleration import accelerated
from harmonium.learning.factor_analysis import (
    CompletedMoments,
    boundary_notes,
    is_factor_analysis,
    residual,
)
from harmonium.learning.floating_point import steady
from harmonium.learning.standardisation import Standardisation
from harmonium.validation import FloatArray

#: What is added to the (1, size) sums of a pass before they are met: a regularisation asked for.
Adjust = Callable[[FloatArray], FloatArray]


@dataclass(frozen=True, eq=False)
class Step:
    """A point on the way: its log-likelihood a row (nats), and how far it is from stationary.

    ``residual`` is the largest standardised difference between average and model expectation, of
    what is free to move; ``penalty`` what parameters cost, in nats a row. The point is in
    standardised coordinates, which ``standardisation`` tells once a fit has passed it on.
    """

    #: A Prepared, or what else is learned by the same loop: a Markov chain.
    prepared: Any
    log_likelihood: float
    residual: float
    iteration: int
    notes: frozenset[str]
    sums: FloatArray
    penalty: float = 0.0
    #: Whether the next point comes from these sums in closed form, which may be moved inside.
    in_closed_form: bool = True
    standardisation: Standardisation | None = None

    @property
    def objective(self) -> float:
        """What learning raises: the log-likelihood less the penalty, in nats a row."""
        return self.log_likelihood - self.penalty

    @steady
    def all_notes(self) -> frozenset[str]:
        """What was, and from here would be, moved inside its domain."""
        if not self.in_closed_form:
            return self.notes
        notes = set(self.notes) | boundary_notes(self.prepared)
        self.prepared.maximise(self.sums, notes)
        return frozenset(notes)

    @property
    def in_units(self) -> Any:
        """The point in the data's own units."""
        standard = self.standardisation
        if standard is None or standard.is_identity:
            return self.prepared
        assert isinstance(self.prepared, Prepared)
        return self.prepared.affine(standard.shift, standard.scale)


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
    M-step is direct. Otherwise, with ``accelerate``, iterations are mixed with those before them
    (:mod:`harmonium.learning.acceleration`) wherever that raises the likelihood.
    """
    yield from climb(Work(source, prepared, adjust), prepared, accelerate=accelerate)


def climb(work: "Work", prepared: Learned, *, accelerate: bool = False) -> Iterator[Step]:
    """Yield the starting point, then the point after each iteration, whatever an iteration is."""
    if accelerate and not work.is_direct:
        yield from accelerated(work, prepared)
        return
    notes: frozenset[str] = frozenset()
    for iteration in itertools.count():
        step = work.look(prepared, iteration, notes)
        yield step
        prepared, notes = work.move(step)


class Work:
    """One model's expectation and maximisation steps over one source.

    ``direct`` lets factors of rows with missing values be fitted to completed moments at once.
    """

    @steady
    def __init__(
        self,
        source: Source,
        prepared: Learned,
        adjust: Adjust | None = None,
        *,
        direct: bool = True,
    ) -> None:
        self._source = source
        #: Total weight of the rows, once they have been looked at.
        self.weight = 0.0
        self._summary = prepared.summarise(source)
        self._adjust = adjust
        self._completed: CompletedMoments | None = None
        plain = direct and adjust is None
        if self._summary is None and plain and is_factor_analysis(prepared):
            self._summary = self._completed = CompletedMoments(source)

    @property
    def is_direct(self) -> bool:
        """Whether the M-step leaves no trend to follow."""
        return self._completed is not None

    def totals(self, prepared: Learned) -> Totals:
        """Return what one pass over the rows, or their summary, says of a point."""
        if self._summary is not None:
            totals: Totals = self._summary.expectation(prepared)
            return totals
        assert isinstance(prepared, Prepared)
        return expectation(prepared, self._source)

    @steady
    def look(self, prepared: Learned, iteration: int, notes: frozenset[str]) -> Step:
        """The E-step: the point with its likelihood, residual and sums."""
        return self._look(prepared, iteration, notes)

    def _look(self, prepared: Any, iteration: int, notes: frozenset[str]) -> Step:
        totals = self.totals(prepared)
        if totals.weight <= 0:
            raise ValueError("x: no rows with positive weight")
        self.weight = totals.weight
        mean = totals.log_likelihood / totals.weight
        sums = totals.sums if self._adjust is None else self._adjust(totals.sums)
        return Step(prepared, mean, self._residual(prepared, sums), iteration, notes, sums)

    def _residual(self, prepared: Any, sums: FloatArray) -> float:
        summary = self._summary if self._completed is None else self._completed.summary
        if self._adjust is None and summary is not None and is_factor_analysis(prepared):
            return residual(prepared, summary)
        return float(prepared.residual(sums))

    # a step too far may overflow, which is one more reason not to take it
    @np.errstate(all="ignore")
    def jump(self, step: Step, coordinates: FloatArray) -> Step | None:
        """The point at these coordinates, if there is one and it is at least as likely."""
        if not np.isfinite(coordinates).all():
            return None
        try:
            moved = self._look(self.at(step, coordinates), step.iteration + 1, step.notes)
        except (ValueError, np.linalg.LinAlgError):
            return None
        return moved if moved.objective >= step.objective else None

    def coordinates_of(self, prepared: Any) -> FloatArray:
        """Return the coordinates in which trends are followed."""
        return np.asarray(prepared.coordinates)

    def point(self, step: Step) -> Any:
        """Return the point of a step."""
        return step.prepared

    def at(self, step: Step, coordinates: FloatArray) -> Any:
        """Return the point at other coordinates; ValueError where there is none."""
        return step.prepared.at(coordinates)

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
