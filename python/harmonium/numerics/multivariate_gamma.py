"""The multivariate gamma function's logarithm and its derivatives (Muirhead, 1982, 2.1.2)."""

import numpy as np
from scipy.special import gammaln

from harmonium.numerics.bracketing import find_root
from harmonium.numerics.gamma_entropy import gamma_entropy
from harmonium.numerics.gamma_functions import (
    log_less_digamma,
    log_less_digamma_slope,
    trigamma,
)
from harmonium.validation import FloatArray


def _steps(h: FloatArray, n: int) -> FloatArray:
    """``h - i / 2`` for i = 0 ... n - 1, (..., n): the arguments of n plain functions."""
    return np.asarray(np.asarray(h, dtype=float)[..., None] - 0.5 * np.arange(n))


def log_multivariate_gamma(h: FloatArray, n: int) -> FloatArray:
    """Return ``log Gamma_n(h)`` for h > (n - 1) / 2."""
    return np.asarray(0.25 * n * (n - 1) * np.log(np.pi) + gammaln(_steps(h, n)).sum(-1))


def multivariate_trigamma(h: FloatArray, n: int) -> FloatArray:
    """Return the second derivative of ``log Gamma_n``."""
    return np.asarray(trigamma(_steps(h, n)).sum(-1))


def log_less_multivariate_digamma(h: FloatArray, n: int) -> FloatArray:
    """Return ``n log h`` less the derivative of ``log Gamma_n`` at h: above zero, falling.

    One over ``h - (n - 1) / 2`` where that is small, ``n (n + 1) / 4 h`` far away.
    """
    h = np.asarray(h, dtype=float)
    shares = 0.5 * np.arange(n) / h[..., None]
    return np.asarray((log_less_digamma(_steps(h, n)) - np.log1p(-shares)).sum(-1))


def _slope(h: FloatArray, n: int) -> FloatArray:
    at = _steps(h, n)
    pulls = 0.5 * np.arange(n) / h[..., None] / at
    return np.asarray((log_less_digamma_slope(at) - pulls).sum(-1))


def least_argument(n: int) -> float:
    """Return the least h that counts as above (n - 1) / 2: the next double, 1e-100 for n = 1."""
    return float(max(np.nextafter(0.5 * (n - 1), np.inf), 1e-100))


def inverse_log_less_multivariate_digamma(value: FloatArray, n: int) -> FloatArray:
    """Return the h > (n - 1) / 2 at which :func:`log_less_multivariate_digamma` is ``value`` > 0.

    Where that is nearer to (n - 1) / 2 than doubles tell, :func:`least_argument`.
    """
    target = np.asarray(value, dtype=float).ravel()
    least, first = 0.5 * (n - 1), least_argument(n)

    def excess(log_t: FloatArray, rows: np.ndarray) -> FloatArray:
        found = log_less_multivariate_digamma(np.maximum(least + np.exp(log_t), first), n)
        return np.asarray(np.log(found) - np.log(target[rows]))

    # above 1 / 2 t and below n (n + 1) / 2 t, t what h has above its least
    low, high = np.log(0.5 / target), np.log(0.5 * n * (n + 1) / target)
    t = np.exp(find_root(excess, low, high))
    # what the logarithm rounds off
    h = np.maximum(least + t, first)
    h = h - (log_less_multivariate_digamma(h, n) - target) / _slope(h, n)
    return np.asarray(np.maximum(h, first).reshape(np.shape(value)))


def multivariate_gamma_entropy(h: FloatArray, n: int) -> FloatArray:
    """Return ``log Gamma_n(h) - (h - (n + 1) / 2) digamma_n(h) + n h``, without cancellation."""
    at = _steps(h, n)
    spare = 0.5 * np.arange(n - 1, -1, -1.0)
    # log Gamma - (a - 1) digamma + a for every step, and what the steps leave
    digammas = np.log(at) - log_less_digamma(at)
    constant = 0.25 * n * (n - 1) * (np.log(np.pi) + 1)
    return np.asarray((gamma_entropy(at) + spare * digammas).sum(-1) + constant)
