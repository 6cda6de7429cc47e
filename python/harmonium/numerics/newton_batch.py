"""Damped Newton for many small convex problems at once."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from harmonium.validation import FloatArray

#: Which of the problems.
Members = np.ndarray[Any, np.dtype[np.intp]]

#: A gradient this small, in standard deviations, is zero; one this small may be all there is.
_ZERO, _SMALL = 1e-14, 1e-7


class Local(NamedTuple):
    """Values (m,), gradients (m, p), Hessians (m, p, p), and what rounding makes of gradients (m, p)."""

    value: FloatArray
    gradient: FloatArray
    hessian: FloatArray
    rounding: FloatArray


#: The functions of some of the problems at points (m, p); a value of infinity outside the domain.
Oracle = Callable[[Members, FloatArray], Local]


class Minimum(NamedTuple):
    """Where the functions are least, (n, p), and whether there is such a point, (n,)."""

    point: FloatArray
    found: Any


# a step too far may overflow: it is then halved
@np.errstate(all="ignore")
def minimise(oracle: Oracle, start: FloatArray, max_iter: int = 100) -> Minimum:
    """Return the minima of n convex functions from starting points (n, p) in their domains.

    Each step is halved until it lowers its function (Armijo), or, where that is level to rounding,
    its gradient. A gradient counts in units of the curvature's square root, beyond its rounding.
    """
    point = np.array(start, dtype=float)
    found = np.zeros(len(point), dtype=bool)
    if not point.size:
        return Minimum(point, ~found)
    active = np.arange(len(point))
    here = oracle(active, point)
    for _ in range(max_iter):
        error = _error(here)
        found[active] = error <= _SMALL
        going = (error > _ZERO) & np.isfinite(here.value)
        active, here, error = active[going], _take(here, going), error[going]
        if not len(active):
            break
        step = solve(here.hessian, here.gradient)
        slope = (here.gradient * step).sum(-1)
        new, there, better = _search(oracle, active, point[active], step, here, slope, error)
        point[active[better]] = new[better]
        active, here = active[better], _take(there, better)
    return Minimum(point, found)


def _search(
    oracle: Oracle,
    active: Members,
    point: FloatArray,
    step: FloatArray,
    here: Local,
    slope: FloatArray,
    error: FloatArray,
) -> tuple[FloatArray, Local, Any]:
    """The points after each problem's step, what is there, and whether that is better."""
    resolution = 8 * np.finfo(float).eps * np.maximum(1.0, np.abs(here.value))
    length = np.ones(len(active))
    new = point - step
    there = oracle(active, new)
    better = np.zeros(len(active), dtype=bool)
    open_ = np.arange(len(active))
    while True:
        gain = length * slope
        lower = there.value <= here.value - 1e-4 * gain
        level = (gain <= resolution) & np.isfinite(there.value) & (_error(there) <= 0.5 * error)
        better[open_] = np.where(gain > resolution, lower, level)[open_]
        open_ = open_[~better[open_] & (gain > resolution)[open_]]
        if not len(open_):
            return new, there, better
        length[open_] /= np.where(np.isfinite(there.value[open_]), 2.0, 16.0)
        new[open_] = point[open_] - length[open_, None] * step[open_]
        for field, part in zip(there, oracle(active[open_], new[open_]), strict=True):
            field[open_] = part


def _take(local: Local, members: Any) -> Local:
    return Local(*(field[members] for field in local))


def _error(local: Local) -> FloatArray:
    """The largest gradient (m,) in standard deviations, beyond what rounding makes of it."""
    curvature = np.maximum(np.diagonal(local.hessian, axis1=-2, axis2=-1), 1e-300)
    beyond = np.maximum(np.abs(local.gradient) - local.rounding, 0.0)
    worst = (beyond / np.sqrt(curvature)).max(-1)
    return np.asarray(np.where(np.isfinite(worst), worst, np.inf))


def solve(matrix: FloatArray, vectors: FloatArray) -> FloatArray:
    """Solve for vectors (..., p) or (..., p, q) by positive matrices (..., p, p) of any scales."""
    scale = np.sqrt(np.maximum(np.diagonal(matrix, axis1=-2, axis2=-1), 1e-200))
    loaded = matrix / scale[..., :, None] / scale[..., None, :]
    # what hardly varies must not send the step beyond the largest number
    loaded = loaded + 1e-15 * np.eye(scale.shape[-1])
    columns = vectors if vectors.ndim == matrix.ndim else vectors[..., None]
    right = columns / scale[..., None]
    try:
        solved = np.linalg.solve(loaded, right) / scale[..., None]
    except np.linalg.LinAlgError:  # some are singular to rounding, or no numbers
        values, axes = np.linalg.eigh(np.nan_to_num(loaded, posinf=0.0, neginf=0.0))
        values = np.maximum(values, 1e-14 * np.maximum(values[..., -1:], 1e-14))
        solved = axes @ ((axes.swapaxes(-1, -2) @ right) / values[..., None]) / scale[..., None]
    return np.asarray(solved if vectors.ndim == matrix.ndim else solved[..., 0])
