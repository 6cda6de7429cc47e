"""EM along its trend: Anderson's mixing of past steps, kept only where the likelihood rises."""

from collections import deque
from collections.abc import Iterator
from typing import Protocol, TypeVar

import numpy as np

from harmonium.learning.floating_point import steady
from harmonium.validation import FloatArray

#: Most past steps that are mixed.
_MEMORY = 10
#: Most cycles of squared steps between two attempts at mixing.
_MOST_CYCLES = 64
#: Past steps that agree to this share tell nothing apart.
_RESOLUTION = 1e-8


class Climbed(Protocol):
    """What is asked of a step."""

    @property
    def iteration(self) -> int:
        """How many came before."""


_Step = TypeVar("_Step", bound=Climbed)
_Point = TypeVar("_Point")


class Climbing(Protocol[_Step, _Point]):
    """What is asked of an EM: see :class:`harmonium.learning.em.Work`."""

    def look(self, prepared: _Point, iteration: int, notes: frozenset[str]) -> _Step:
        """The E-step."""

    def move(self, step: _Step) -> tuple[_Point, frozenset[str]]:
        """The M-step."""

    def coordinates_of(self, prepared: _Point) -> FloatArray:
        """The coordinates in which trends are followed."""

    def point(self, step: _Step) -> _Point:
        """The point of a step."""

    def jump(self, step: _Step, coordinates: FloatArray) -> _Step | None:
        """The step at other coordinates, if it is at least as likely."""


def accelerated(work: Climbing[_Step, _Point], prepared: _Point) -> Iterator[_Step]:
    """Yield steps of EM mixed with those before it (Walker and Ni, 2011), monotone.

    The next point is where, to first order, EM's step would vanish, judged by how it changed over
    the last steps: one pass over the data each. Where that is less likely than the present point,
    or no point at all, EM's own step is taken (Henderson and Varadhan, 2019). That happens on the
    way out of a saddle and to a boundary, so for a while the trend is followed forwards only, by
    squared steps (Varadhan and Roland, 2008), for longer the more often it happens.
    """
    step = work.look(prepared, 0, frozenset())
    yield step
    cycles, squared = 1, _Squared()
    while True:
        n_mixed = 0
        past = _Past()
        while True:
            prepared, notes = work.move(step)
            mixed = _mixed(work, past, step, prepared)
            jumped = None if mixed is None else work.jump(step, mixed)
            if jumped is None:
                step = work.look(prepared, step.iteration + 1, notes)
                yield step
                if mixed is not None:
                    break
                continue
            step = jumped
            n_mixed += 1
            yield step
        cycles = 1 if n_mixed >= 1 else min(2 * cycles, _MOST_CYCLES)
        for _ in range(cycles):
            trail = [_here(work, step)]
            for _ in range(2):
                prepared, notes = work.move(step)
                step = work.look(prepared, step.iteration + 1, notes)
                yield step
                trail.append(_here(work, step))
            ahead = squared.ahead(trail)
            if ahead is None:
                continue
            jumped = work.jump(step, ahead)
            squared.learn(jumped is not None)
            if jumped is not None:
                step = jumped
                yield step


@steady
def _here(work: Climbing[_Step, _Point], step: _Step) -> FloatArray:
    return work.coordinates_of(work.point(step))


@steady
def _mixed(
    work: Climbing[_Step, _Point], past: "_Past", step: _Step, ahead: _Point
) -> FloatArray | None:
    return past.mix(_here(work, step), work.coordinates_of(ahead))


class _Squared:
    """Squared iterative methods, scheme S3, with the steplength bounded by what has succeeded."""

    def __init__(self) -> None:
        self._longest = 4.0
        self._length = 1.0

    @steady
    def ahead(self, trail: list[FloatArray]) -> FloatArray | None:
        """Return where the trend of three points leads, None where no further than they do."""
        first, second = trail[1] - trail[0], trail[2] - 2 * trail[1] + trail[0]
        bend = float(np.linalg.norm(second))
        length = float(np.linalg.norm(first)) / bend if bend > 0 else 1.0
        self._length = min(max(length, 1.0), self._longest)
        if self._length <= 1.0:
            return None
        return trail[0] + 2 * self._length * first + self._length**2 * second

    def learn(self, succeeded: bool) -> None:
        """Let steps be longer, or shorter."""
        if not succeeded:
            self._longest = max(self._longest / 2, 2.0)
        elif self._length == self._longest:
            self._longest *= 4.0


class _Past:
    """Where EM led from the last few points."""

    def __init__(self) -> None:
        self._points: deque[FloatArray] = deque(maxlen=_MEMORY + 1)
        self._moves: deque[FloatArray] = deque(maxlen=_MEMORY + 1)

    def mix(self, here: FloatArray, ahead: FloatArray) -> FloatArray | None:
        """Return the point to try from one and where EM leads from it, None for want of a past."""
        move = (ahead - here).ravel()
        if not np.isfinite(move).all():
            self._points.clear()
            self._moves.clear()
            return None
        self._points.append(here.ravel())
        self._moves.append(move)
        if len(self._moves) < 2:
            return None
        turned = np.diff(np.stack(self._moves), axis=0).T
        gone = np.diff(np.stack(self._points), axis=0).T
        shares = np.linalg.lstsq(turned, move, rcond=_RESOLUTION)[0]
        return np.asarray((ahead.ravel() - (gone + turned) @ shares).reshape(ahead.shape))
