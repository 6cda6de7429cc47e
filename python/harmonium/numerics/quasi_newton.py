"""Quasi-Newton descent with little memory, for functions that are infinite outside a domain."""

from collections import deque
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from harmonium.validation import FloatArray

#: Value and gradient of a function; both infinite outside its domain.
Slope = Callable[[FloatArray], tuple[float, FloatArray]]

#: Of Armijo's condition and of Wolfe's: how much of the slope a step must gain, may leave.
_GAIN, _LEFT = 1e-4, 0.9
#: Steps in a row without a gain above rounding after which there is none to come.
_LEVEL = 3
#: Most trials of one line search.
_TRIALS = 50


class Place(NamedTuple):
    """A point with the function's value and gradient there."""

    point: FloatArray
    value: float
    gradient: FloatArray


def lbfgs(slope: Slope, start: FloatArray, memory: int = 10) -> Iterator[Place]:
    """Yield the start, then the point after each step (Nocedal, 1980).

    Steps obey the weak Wolfe conditions, found by bisection (Lewis and Overton, 2013), which asks
    nothing of the function where it is infinite. Ends where rounding hides all progress.
    """
    here = Place(start, *slope(start))
    pairs: deque[tuple[FloatArray, FloatArray]] = deque(maxlen=memory)
    level = 0
    while level < _LEVEL:
        yield here
        direction = -_inverse_hessian_times(here.gradient, pairs)
        if not here.gradient @ direction < 0:
            pairs.clear()
            direction = -here.gradient
        first = 1.0 if pairs else min(1.0, 1.0 / max(float(np.abs(direction).max()), 1e-300))
        found = _search(slope, here, direction, first)
        if found is None:
            if not pairs:
                return
            pairs.clear()  # what was remembered may have misled
            continue
        moved, turned = found.point - here.point, found.gradient - here.gradient
        if moved @ turned > 1e-12 * np.linalg.norm(moved) * np.linalg.norm(turned):
            pairs.append((moved, turned))
        gain = here.value - found.value
        level = level + 1 if gain <= 4 * np.finfo(float).eps * max(1.0, abs(here.value)) else 0
        here = found


def _inverse_hessian_times(
    gradient: FloatArray, pairs: deque[tuple[FloatArray, FloatArray]]
) -> FloatArray:
    """The two-loop recursion."""
    out = gradient.copy()
    kept = []
    for moved, turned in reversed(pairs):
        share = (moved @ out) / (moved @ turned)
        out -= share * turned
        kept.append(share)
    if pairs:
        moved, turned = pairs[-1]
        out *= (moved @ turned) / (turned @ turned)
    for (moved, turned), share in zip(pairs, reversed(kept), strict=True):
        out += (share - (turned @ out) / (moved @ turned)) * moved
    return out


def _search(slope: Slope, here: Place, direction: FloatArray, first: float) -> Place | None:
    """A step that gains and that leaves less slope; None where rounding hides every gain."""
    falling = float(here.gradient @ direction)
    low, high, length = 0.0, np.inf, first
    best: Place | None = None
    for _ in range(_TRIALS):
        point = here.point + length * direction
        there = Place(point, *slope(point))
        if not there.value <= here.value + _GAIN * length * falling:
            high = length
        elif there.gradient @ direction < _LEFT * falling:
            low, best = length, there
        else:
            return there
        length = 2 * low if high == np.inf else 0.5 * (low + high)
        if high - low <= 1e-14 * high:
            break
    return best if best is not None and best.value < here.value else None
