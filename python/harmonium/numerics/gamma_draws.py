"""Gamma draws whose logarithms are kept where they underflow."""

import numpy as np

from harmonium.validation import FloatArray


def draw_log_gamma(shape: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Return logarithms of gamma draws of rate one, of each shape.

    Below a shape of one, a draw is one of ``shape + 1`` times ``U**(1 / shape)`` (Marsaglia and
    Tsang 2000): a sum of logarithms.
    """
    small = shape < 1.0
    draws = rng.standard_gamma(np.where(small, shape + 1.0, shape))
    # uniforms in (0, 1]
    power = np.log1p(-rng.random(shape.shape)) / np.where(small, shape, 1.0)
    return np.log(np.maximum(draws, 1e-300)) + np.where(small, power, 0.0)
