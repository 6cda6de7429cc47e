"""The exponential integral where it would underflow."""

import numpy as np
from scipy.special import exp1

from harmonium.validation import FloatArray

#: From here on the asymptotic series is exact to double precision.
_LARGE = 50.0


def scaled_exponential_integral(z: FloatArray) -> FloatArray:
    """Return ``exp(z) E1(z)`` for z > 0 (DLMF 6.12.1 where z is large)."""
    large = z > _LARGE
    near = np.where(large, 1.0, z)
    far = np.where(large, z, _LARGE)
    series = np.zeros_like(far)
    for k in range(24, 0, -1):
        series = -k / far * (1.0 + series)
    return np.where(large, (1.0 + series) / far, np.exp(near) * exp1(near))
