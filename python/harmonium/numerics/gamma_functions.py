"""The gamma function's logarithm and its derivatives where plain differences of them cancel.

Every function climbs by the recurrence, whose steps all have one sign, to where the asymptotic
series (DLMF 5.11) is exact to double precision.
"""

from collections.abc import Callable

import numpy as np
from scipy.special import gammaln

from harmonium.numerics.deviance import log1p_remainder
from harmonium.validation import FloatArray

#: From here on the series below are exact to double precision.
_LARGE = 12.0
#: Bernoulli numbers B2, B4, ...
_BERNOULLI = (
    1 / 6, -1 / 30, 1 / 42, -1 / 30, 5 / 66, -691 / 2730, 7 / 6, -3617 / 510, 43867 / 798,
)  # fmt: skip


def _climb(
    x: FloatArray, step: Callable[[FloatArray], FloatArray]
) -> tuple[FloatArray, FloatArray]:
    """The argument raised to at least ``_LARGE``, and the sum of ``step`` over those passed."""
    at = np.array(x, dtype=float)
    total = np.zeros_like(at)
    for _ in range(int(_LARGE)):
        low = at < _LARGE
        if not low.any():
            break
        total[low] += step(at[low])
        at[low] += 1.0
    return at, total


def _in_odd_powers(x: FloatArray, coefficients: tuple[float, ...]) -> FloatArray:
    """``sum c_k x**(1 - 2 k)``, k = 1, 2, ..."""
    u = 1.0 / x
    total = np.zeros_like(u)
    for c in reversed(coefficients):
        total = total * u * u + c
    return total * u


_STIRLING = tuple(b / (2 * k * (2 * k - 1)) for k, b in enumerate(_BERNOULLI, 1))
_DIGAMMA = tuple(b / (2 * k) for k, b in enumerate(_BERNOULLI, 1))


def stirling_remainder(x: FloatArray) -> FloatArray:
    """Return ``log Gamma(x) - (x - 1/2) log x + x - log(2 pi) / 2`` for x > 0."""
    at, total = _climb(x, _stirling_step)
    return total + _in_odd_powers(at, _STIRLING)


def _stirling_step(y: FloatArray) -> FloatArray:
    """``(y + 1/2) log(1 + 1/y) - 1``, for y above one as ``artanh(t) / t - 1``, t = 1 / (2 y + 1)."""
    square = (2.0 * np.maximum(y, 1.0) + 1.0) ** -2.0
    series = np.zeros_like(square)
    for k in range(17, 0, -1):
        series = (series + 1.0 / (2 * k + 1)) * square
    return np.where(y < 1.0, (y + 0.5) * np.log1p(1.0 / y) - 1.0, series)


def log_less_digamma(x: FloatArray) -> FloatArray:
    """Return ``log x - digamma(x)`` for x > 0: 1 / x near zero, 1 / 2 x far away."""
    at, total = _climb(x, lambda y: log1p_remainder(1.0 / y))
    return total + 0.5 / at + _in_odd_powers(at, _DIGAMMA) / at


def log_less_digamma_slope(x: FloatArray) -> FloatArray:
    """Return the derivative ``1 / x - trigamma(x)`` of :func:`log_less_digamma`: below zero."""
    at, total = _climb(x, lambda y: 1.0 / (y * y * (y + 1.0)))
    return -(total + 0.5 / at**2 + _in_odd_powers(at, _BERNOULLI) / at**2)


def trigamma(x: FloatArray) -> FloatArray:
    """Return the second derivative of log Gamma at x > 0."""
    at, total = _climb(x, lambda y: y**-2.0)
    return total + (1.0 + 0.5 / at) / at + _in_odd_powers(at, _BERNOULLI) / at**2


def inverse_log_less_digamma(value: FloatArray) -> FloatArray:
    """Return the x > 0 at which :func:`log_less_digamma` is ``value`` > 0.

    Newton on logarithms, in which the function is nearly a line of slope -1 on both ends: six
    steps serve everywhere.
    """
    target = np.asarray(value, dtype=float)
    # Minka (2002), equation 11: within two percent for values below ten
    root = np.sqrt((target - 3.0) ** 2 + 24.0 * target)
    x = np.where(target < 10.0, (3.0 - target + root) / (12.0 * target), 1.0 / target)
    for _ in range(6):
        now = log_less_digamma(x)
        slope = x * log_less_digamma_slope(x) / now
        x = x * np.exp(-(np.log(now) - np.log(target)) / slope)
    return x


def log_gamma_difference(x: FloatArray, by: FloatArray) -> FloatArray:
    """Return ``log Gamma(x + by) - log Gamma(x)`` for x > 0, by >= 0."""
    x, by = np.broadcast_arrays(np.asarray(x, dtype=float), np.asarray(by, dtype=float))
    at, steps = _climb_pair(x, by, lambda y, b: -np.log1p(b / y))
    ratio = by / at
    log_ratio = np.log1p(ratio)
    bulk = by * np.log(at + by) - at * log1p_remainder(ratio) - 0.5 * log_ratio
    for k, c in enumerate(_STIRLING, 1):
        bulk = bulk + c * at ** (1.0 - 2 * k) * np.expm1((1 - 2 * k) * log_ratio)
    return steps + bulk


def digamma_difference(x: FloatArray, by: FloatArray) -> FloatArray:
    """Return ``digamma(x + by) - digamma(x)`` for x > 0, by >= 0: no digits lost."""
    x, by = np.broadcast_arrays(np.asarray(x, dtype=float), np.asarray(by, dtype=float))
    at, steps = _climb_pair(x, by, lambda y, b: b / y / (y + b))
    log_ratio = np.log1p(by / at)
    total = log_ratio + 0.5 * by / at / (at + by)
    for k, c in enumerate(_DIGAMMA, 1):
        total = total - c * at ** (-2.0 * k) * np.expm1(-2 * k * log_ratio)
    return steps + total


def trigamma_difference(x: FloatArray, by: FloatArray) -> FloatArray:
    """Return ``trigamma(x) - trigamma(x + by)`` for x > 0, by >= 0: no digits lost."""
    x, by = np.broadcast_arrays(np.asarray(x, dtype=float), np.asarray(by, dtype=float))
    at, steps = _climb_pair(x, by, lambda y, b: (b / (y + b)) * ((1.0 + y / (y + b)) / y / y))
    log_ratio = np.log1p(by / at)
    total = by / at / (at + by) - 0.5 * np.expm1(-2 * log_ratio) / at**2
    for k, c in enumerate(_BERNOULLI, 1):
        total = total - c * at ** (-2.0 * k - 1) * np.expm1(-(2 * k + 1) * log_ratio)
    return np.asarray(steps + total)


def _climb_pair(
    x: FloatArray, by: FloatArray, step: Callable[[FloatArray, FloatArray], FloatArray]
) -> tuple[FloatArray, FloatArray]:
    at = np.array(x, dtype=float)
    total = np.zeros_like(at)
    for _ in range(int(_LARGE)):
        low = at < _LARGE
        if not low.any():
            break
        total[low] += step(at[low], by[low])
        at[low] += 1.0
    return at, total


def log_beta(a: FloatArray, b: FloatArray) -> FloatArray:
    """Return ``log B(a, b)`` for a, b > 0, without the cancellation of three log-gammas."""
    least, most = np.minimum(a, b), np.maximum(a, b)
    return np.asarray(gammaln(least) - log_gamma_difference(most, least))
