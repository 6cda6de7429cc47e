"""The backward mapping of beta laws."""

import numpy as np

from harmonium.numerics.gamma_functions import (
    digamma_difference,
    trigamma,
    trigamma_difference,
)
from harmonium.validation import FloatArray

#: Newton steps at most, and the largest of a logarithm in one.
_MOST_STEPS, _LONGEST = 100, 8.0
#: Parameters are sought between these.
_LEAST, _MOST = 1e-100, 1e100


def match_beta(log_mean: FloatArray, log_rest: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return (a, b), (n,) each, with ``E[log X]`` and ``E[log(1 - X)]`` as given, below zero.

    Newton's method for the logarithms of a and b on the logarithms of both means' sizes, which
    are nearly lines at all limits; steps are bounded. It stops where rounding allows no progress.
    """
    one, other = -log_mean, -log_rest
    x = np.log(np.stack(_start(one, other)))
    target = np.log(np.stack([one, other]))
    found = x.copy()
    best = np.full(x.shape[1], np.inf)
    active = np.arange(x.shape[1])
    for _ in range(_MOST_STEPS):
        a, b = np.exp(x[:, active])
        step, residual = _newton_step(a, b, target[:, active])
        better = residual < best[active]
        found[:, active[better]] = x[:, active[better]]
        done = (residual <= 2e-16) | ((best[active] < 1e-8) & ~(residual < 0.5 * best[active]))
        best[active] = np.minimum(best[active], residual)
        moved = np.clip(x[:, active] + step, np.log(_LEAST), np.log(_MOST))
        x[:, active] = moved
        active = active[~done]
        if not len(active):
            break
    a, b = np.exp(found)
    return a, b


def _start(one: FloatArray, other: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Johnson and Kotz's approximation for large parameters, poles of digammas for small ones."""
    # 1 - exp(-one) - exp(-other), relative to the lesser exponential
    least, most = np.minimum(one, other), np.minimum(np.maximum(one, other), 600.0)
    gap = np.maximum(-np.expm1(-least) * np.exp(most) - 1.0, 1e-16) * np.exp(-most)
    a, b = 0.5 + 0.5 * np.exp(-one) / gap, 0.5 + 0.5 * np.exp(-other) / gap
    small_a, small_b = (one > 4.0) & (a < 0.7), (other > 4.0) & (b < 0.7)
    a, b = np.where(small_a, 1.0 / one, a), np.where(small_b, 1.0 / other, b)
    # next to a small parameter, the other's mean is nearly linear in it
    b = np.where(small_a & ~small_b, _partner(a, other), b)
    a = np.where(small_b & ~small_a, _partner(b, one), a)
    return np.clip(a, _LEAST, _MOST), np.clip(b, _LEAST, _MOST)


def _partner(small: FloatArray, size: FloatArray) -> FloatArray:
    """The parameter at which trigamma is ``size / small``, to a few percent."""
    ratio = small / size
    return np.where(ratio > 0.5, ratio + 0.5, np.sqrt(ratio))


def _newton_step(a: FloatArray, b: FloatArray, target: FloatArray) -> tuple[FloatArray, FloatArray]:
    one, other = digamma_difference(a, b), digamma_difference(b, a)
    # dx / d log a and dx / d log b of the logarithms of both
    shared = trigamma(a + b)
    aa, bb = -a * trigamma_difference(a, b) / one, -b * trigamma_difference(b, a) / other
    ab, ba = b * shared / one, a * shared / other
    short = target - np.log(np.stack([one, other]))
    # of numbers near one: trigammas themselves, and their products, pass the largest double
    determinant = np.maximum(aa * bb - ab * ba, 1e-300)
    step = np.stack(
        [
            (bb * short[0] - ab * short[1]) / determinant,
            (aa * short[1] - ba * short[0]) / determinant,
        ]
    )
    length = np.abs(step).max(0)
    return step * np.minimum(1.0, _LONGEST / np.maximum(length, 1e-300)), np.abs(short).max(0)
