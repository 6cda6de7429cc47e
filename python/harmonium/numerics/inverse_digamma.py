"""The inverse of the digamma function."""

import numpy as np
from scipy.special import digamma, zeta

from harmonium.validation import FloatArray


def inverse_digamma(value: FloatArray) -> FloatArray:
    """Return the x > 0 whose digamma is ``value``, for values between -1e100 and 300.

    Newton from Minka's (2000) start, which lies close enough everywhere for five steps.
    """
    y = np.asarray(value, dtype=float)
    far = y < -2.22
    x = np.where(
        far, -1.0 / (np.where(far, y, -3.0) - digamma(1.0)), np.exp(np.maximum(y, -3.0)) + 0.5
    )
    for _ in range(5):
        # the trigamma function is a Hurwitz zeta function
        x = np.maximum(x - (digamma(x) - y) / zeta(2.0, x), 0.1 * x)
    return x
