"""Differences of logarithms that would cancel: ``x - log(1 + x)`` and the Poisson deviance."""

import numpy as np

from harmonium.validation import FloatArray


def log1p_remainder(x: FloatArray) -> FloatArray:
    """Return ``x - log(1 + x)`` for x > -1, to full relative accuracy near zero too."""
    x = np.asarray(x, dtype=float)
    near = np.abs(x) < 0.5
    t = np.where(near, x, 0.0)
    # log(1 + t) = 2 artanh(r)
    r = t / (2.0 + t)
    square = r * r
    tail = np.zeros_like(r)
    for k in range(18, 0, -1):
        tail = (tail + 1.0 / (2 * k + 1)) * square
    far = np.where(near, 1.0, x)
    return np.where(near, r * (t - 2.0 * tail), far - np.log1p(far))


def poisson_deviance(x: FloatArray, mean: FloatArray) -> FloatArray:
    """Return ``x log(x / mean) + mean - x`` for x >= 0, mean > 0: Loader's (2000) saddle-point term.

    Half the deviance of a Poisson count; no digits are lost where x is near the mean.
    """
    difference = x - mean
    total = x + mean
    near = np.abs(difference) < 0.5 * total
    v = np.where(near, difference / total, 0.0)
    square = v * v
    tail = np.zeros_like(v)
    for k in range(24, 0, -1):
        tail = (tail + 1.0 / (2 * k + 1)) * square
    positive = np.where(x > 0, x, 1.0)
    # a ratio may leave the range of doubles
    far = np.maximum(positive, 1e-100) * 1e-150 > np.minimum(mean, 1e100) * 1e150
    ratio = np.where(
        far, np.log(positive) - np.log(mean), np.log(positive / np.where(far, positive, mean))
    )
    plain = x * ratio - difference
    return np.where(near, difference * v + 2.0 * x * v * tail, plain)
