"""The entropy of gamma laws, of which those of Dirichlet and Wishart laws are made."""

import numpy as np

from harmonium.numerics.gamma_functions import log_less_digamma, stirling_remainder
from harmonium.validation import FloatArray


def gamma_entropy(shape: FloatArray) -> FloatArray:
    """Return the entropy of the gamma law of rate one, whose terms of the shape's size cancel."""
    # (1 - a) digamma + log Gamma + a, with digamma = log a - gap and Stirling's formula
    gap = log_less_digamma(shape)
    known = 0.5 * np.log(shape) + 0.5 * np.log(2 * np.pi)
    return np.asarray(known + (shape - 1.0) * gap + stirling_remainder(shape))
