"""What Stirling's leading terms leave of a log factorial."""

import numpy as np
from scipy.special import gammaln

from harmonium.numerics.gamma_functions import stirling_remainder
from harmonium.validation import FloatArray

#: Of whole numbers below this the remainder is looked up.
_TABLED = 2048
_TABLE = stirling_remainder(np.maximum(np.arange(float(_TABLED)), 1.0))
_LOG_FACTORIALS = gammaln(np.arange(float(_TABLED)) + 1.0)


def log_factorial(x: FloatArray) -> FloatArray:
    """Return log x! of x >= 0, looked up where all are small and whole."""
    if (x < _TABLED).all() and (x == np.rint(x)).all():
        return np.asarray(_LOG_FACTORIALS[x.astype(np.intp)])
    return np.asarray(gammaln(x + 1.0))


def _stirling_remainder(x: FloatArray) -> FloatArray:
    """As of all numbers above zero, at once where all are small and whole."""
    if (x < _TABLED).all() and (x == np.rint(x)).all():
        return _TABLE[x.astype(np.intp)]
    return stirling_remainder(x)


def log_factorial_remainder(x: FloatArray) -> FloatArray:
    """Return ``log x! - x log x + x`` for x >= 0: log(2 pi x) / 2 and what is left; 0 at zero."""
    positive = np.where(x > 0, x, 1.0)
    value = 0.5 * np.log(2 * np.pi * positive) + _stirling_remainder(positive)
    return np.where(x > 0, value, 0.0)


def log_factorial_remainder_change(x: FloatArray, centre: FloatArray) -> FloatArray:
    """Return the change of :func:`log_factorial_remainder` from ``centre`` > 0 to x >= 0.

    To the accuracy of the change itself where x is near the centre.
    """
    positive = np.where(x > 0, x, centre)
    change = (positive - centre) / centre
    # far below the centre, log(1 + change) would lose what is left of one
    half_log = 0.5 * np.where(change < -0.5, np.log(positive / centre), np.log1p(change))
    value = half_log + (_stirling_remainder(positive) - _stirling_remainder(centre))
    return np.where(x > 0, value, -log_factorial_remainder(centre))
