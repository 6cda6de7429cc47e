"""Exact draws of counts whose masses are log-concave, by rejection (Devroye 1986, X.2)."""

from typing import Any

import numpy as np

from harmonium.numerics.count_sums import LogMass
from harmonium.validation import FloatArray

_Indices = np.ndarray[Any, np.dtype[np.intp]]


def draw_log_concave_counts(
    log_mass: LogMass, centre: FloatArray, which: _Indices, rng: np.random.Generator
) -> FloatArray:
    """Return one count for each entry of ``which``, of any shape: the number of its law.

    ``log_mass`` is relative to the ``centre`` (n,), a count at or next to the mode. About it the
    hat is level as far as masses fall to 1 / e, beyond it is geometric: log-concave masses never
    rise above the line through their last two. Two draws in three are accepted.
    """
    laws = np.arange(len(centre))

    def at(members: _Indices, x: FloatArray) -> FloatArray:
        return np.asarray(log_mass(members, x[:, None])[:, 0])

    right = centre + _reach(lambda d: at(laws, centre + d), np.full(len(centre), 2.0**62))
    left = centre - _reach(lambda d: at(laws, np.maximum(centre - d, 0.0)), centre)
    # log masses next to the level part, and how they fall from there
    first = [at(laws, right + 1.0), at(laws, np.maximum(left - 1.0, 0.0))]
    fall = [first[0] - at(laws, right), first[1] - at(laws, left)]
    tail = [
        np.exp(first[0]) / -np.expm1(fall[0]),
        np.where(left > 0, np.exp(first[1]) / -np.expm1(np.where(left > 0, fall[1], -1.0)), 0.0),
    ]
    width = right - left + 1.0
    area = width + tail[0] + tail[1]
    flat = which.ravel()
    out = np.empty(len(flat))
    todo = np.arange(len(flat))
    while len(todo):
        law = flat[todo]
        place, uniform, trial = rng.random((3, len(todo)))
        place = place * area[law]
        level = place < width[law]
        rightward = place < (width + tail[0])[law]
        slope = np.where(rightward, fall[0][law], np.where(left[law] > 0, fall[1][law], -1.0))
        # uniforms are above zero, so that steps are finite
        steps = np.floor(np.log1p(-uniform) / slope)
        x = np.where(rightward, right[law] + 1.0 + steps, left[law] - 1.0 - steps)
        x = np.where(level, left[law] + np.floor(uniform * width[law]), x)
        hat = np.where(rightward, first[0][law], first[1][law]) + steps * slope
        hat = np.where(level, 0.0, hat)
        possible = x >= 0
        ratio = _looked_up(log_mass, len(centre), law, np.where(possible, x, centre[law])) - hat
        accepted = possible & (trial < np.exp(np.minimum(ratio, 0.0)))
        out[todo[accepted]] = x[accepted]
        todo = todo[~accepted]
    return out.reshape(which.shape)


def _looked_up(log_mass: LogMass, n_laws: int, law: _Indices, x: FloatArray) -> FloatArray:
    """Log masses of counts (n,), each of its law: from a table where that is the smaller."""
    least = x.min()
    span = x.max() - least + 1.0
    if 2.0 * span * n_laws > len(x):
        return np.asarray(log_mass(law, x[:, None])[:, 0])
    counts = np.broadcast_to(least + np.arange(int(span)), (n_laws, int(span)))
    table = log_mass(np.arange(n_laws), counts)
    return np.asarray(table[law, (x - least).astype(np.intp)])


def _reach(drop: Any, most: FloatArray) -> FloatArray:
    """The largest distance, at most ``most``, at which ``drop`` is not below -1."""
    low = np.zeros_like(most)
    high = np.minimum(1.0, most)
    growing = np.ones(len(most), dtype=bool)
    while growing.any():
        growing = (drop(high) >= -1.0) & (high < most)
        low = np.where(growing, high, low)
        high = np.where(growing, np.minimum(2.0 * high, most), high)
    low = np.where(drop(high) >= -1.0, high, low)
    while (high - low > 1.0).any():
        middle = np.floor(0.5 * (low + high))
        inside = drop(middle) >= -1.0
        # beyond 2**53 neighbouring counts have no middle
        stuck = (middle <= low) | (middle >= high)
        low, high = (
            np.where(inside & ~stuck, middle, low),
            np.where(inside | stuck, np.where(stuck, low, high), middle),
        )
    return low
