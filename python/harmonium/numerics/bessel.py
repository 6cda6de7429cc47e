"""The Bessel functions of circular statistics: log I0, A = I1 / I0 and its inverse."""

import numpy as np
from scipy.special import i0e, i1e

from harmonium.validation import FloatArray

#: Above this the asymptotic series of A is exact to double precision with the terms below.
_LARGE = 1e3


def log_bessel_zero(k: FloatArray) -> FloatArray:
    """Return log I0(k) for k >= 0, without overflow and without loss where k is small."""
    small = k < 0.5
    q = np.where(small, 0.25 * k * k, 0.0)
    # I0 - 1 = q (1 + q/4 (1 + q/9 (1 + q/16 (...)))): nothing cancels
    tail = 1.0 + q / 64.0 * (1.0 + q / 81.0)
    for i in (7, 6, 5, 4, 3, 2):
        tail = 1.0 + q / i**2 * tail
    return np.where(small, np.log1p(q * tail), np.log(i0e(k)) + k)


def bessel_ratio(k: FloatArray) -> FloatArray:
    """Return A(k) = I1(k) / I0(k) for k >= 0: the mean resultant length."""
    return np.asarray(i1e(k) / i0e(k))


def _one_less_ratio(k: FloatArray) -> FloatArray:
    """1 - A(k) for large k, by its asymptotic series (Mardia and Jupp, A.4)."""
    r = 1.0 / k
    return np.asarray(r * (0.5 + r * (0.125 + r * (0.125 + r * (25 / 128 + r * (13 / 32))))))


def inverse_bessel_ratio(length: FloatArray) -> FloatArray:
    """Return the k >= 0 with A(k) = ``length``, for lengths in [0, 1).

    Newton from Best and Fisher's approximation, on A where it bends and on 1 - A in the variable
    1 / k where A is near one; four to six steps everywhere.
    """
    r = np.asarray(length, dtype=float)
    gap = 1.0 - r
    near = gap < 0.5 / _LARGE
    with np.errstate(divide="ignore", invalid="ignore"):
        k = np.where(
            r < 0.53,
            2 * r + r**3 + 5 * r**5 / 6,
            np.where(r < 0.85, -0.4 + 1.39 * r + 0.43 / gap, 1 / (r**3 - 4 * r**2 + 3 * r)),
        )
    k = np.where(near, 0.5 / np.where(near, gap, 1.0), k)
    for _ in range(8):
        a = bessel_ratio(k)
        slope = 1 - np.where(k > 1e-8, a / np.where(k > 0, k, 1.0), 0.5) - a * a
        step = np.where(near, 0.0, (a - r) / np.where(near, 1.0, np.maximum(slope, 1e-300)))
        k = np.maximum(k - step, 0.5 * k)
    large = np.where(near, k, _LARGE)
    for _ in range(4):
        # Newton for u = 1 / k on 1 - A(u) = gap, whose slope is one half to first order
        u = 1.0 / large
        excess = _one_less_ratio(large) - np.where(near, gap, _one_less_ratio(large))
        u = u - excess / (0.5 + 0.25 * u)
        large = 1.0 / u
    return np.where(near, large, k)
