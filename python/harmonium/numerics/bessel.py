"""The Bessel functions of circular statistics: log I0, A = I1 / I0, its slope and its inverse."""

import numpy as np
from scipy.special import i0e, i1e

from harmonium.validation import FloatArray

#: Above this the asymptotic series of A is exact to double precision.
_LARGE = 50.0
#: Below this the power series of I0 is summed: log(I0 exp(-k)) + k would cancel.
_SMALL = 2.0


def _series() -> tuple[float, ...]:
    """Coefficients of ``1 - A(k) = sum c_j / k**j``, from ``A' = 1 - A / k - A**2``."""
    c = [0.5]
    for m in range(2, 13):
        products = sum(c[i] * c[m - 2 - i] for i in range(m - 1))
        c.append(0.5 * ((m - 2) * c[-1] + products))
    return tuple(c)


_COEFFICIENTS = _series()


def log_bessel_zero(k: FloatArray) -> FloatArray:
    """Return log I0(k) for k >= 0, without overflow and without loss where k is small."""
    small = k < _SMALL
    q = np.where(small, 0.25 * np.minimum(k, _SMALL) ** 2, 0.0)
    # I0 - 1 = q (1 + q/4 (1 + q/9 (1 + q/16 (...)))): nothing cancels
    tail = np.ones_like(q)
    for i in range(14, 1, -1):
        tail = 1.0 + q / i**2 * tail
    return np.where(small, np.log1p(q * tail), np.log(i0e(k)) + k)


def bessel_ratio(k: FloatArray) -> FloatArray:
    """Return A(k) = I1(k) / I0(k) for k >= 0: the mean resultant length."""
    return np.asarray(i1e(k) / i0e(k))


def bessel_ratio_slope(k: FloatArray) -> FloatArray:
    """Return A'(k) = 1 - A(k) / k - A(k)**2 for k >= 0, to a relative 1e-11 for large k too."""
    large = k > _LARGE
    near = np.where(large, _LARGE, np.where(k > 0, k, 1.0))
    ratio = bessel_ratio(near)
    direct = np.where(k > 0, 1 - ratio / near - ratio**2, 0.5)
    u = 1.0 / np.where(large, k, _LARGE)
    slope = np.zeros_like(u)
    for j in range(len(_COEFFICIENTS), 0, -1):
        slope = (slope + j * _COEFFICIENTS[j - 1]) * u
    return np.where(large, slope * u, direct)


def _one_less_ratio(k: FloatArray) -> FloatArray:
    """1 - A(k) for large k, by its asymptotic series (Mardia and Jupp, A.4)."""
    u = 1.0 / k
    total = np.zeros_like(u)
    for c in reversed(_COEFFICIENTS):
        total = (total + c) * u
    return total


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
        step = np.where(near, 0.0, (bessel_ratio(k) - r) / bessel_ratio_slope(k))
        k = np.maximum(k - step, 0.5 * k)
    large = np.where(near, k, _LARGE)
    for _ in range(4):
        # Newton for u = 1 / k on 1 - A(u) = gap, whose slope is one half to first order
        u = 1.0 / large
        excess = _one_less_ratio(large) - np.where(near, gap, _one_less_ratio(large))
        u = u - excess / (0.5 + 0.25 * u)
        large = 1.0 / u
    return np.where(near, large, k)
