"""What Stirling's leading terms leave of a log factorial."""

import numpy as np

from harmonium.numerics.gamma_functions import stirling_remainder
from harmonium.validation import FloatArray


def log_factorial_remainder(x: FloatArray) -> FloatArray:
    """Return ``log x! - x log x + x`` for x >= 0: log(2 pi x) / 2 and what is left; 0 at zero."""
    positive = np.where(x > 0, x, 1.0)
    value = 0.5 * np.log(2 * np.pi * positive) + stirling_remainder(positive)
    return np.where(x > 0, value, 0.0)
