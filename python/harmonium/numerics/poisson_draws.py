"""Poisson counts of rates of any size."""

import numpy as np

from harmonium.validation import FloatArray

#: numpy's sampler stops at 2**63; here the normal law is exact to double precision.
_LARGE = 1e18


def draw_poisson(rate: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Return a Poisson count of each rate, as floats."""
    large = rate > _LARGE
    counts = rng.poisson(np.where(large, 1.0, rate)).astype(float)
    if large.any():
        normal = np.rint(rate + np.sqrt(rate) * rng.standard_normal(rate.shape))
        counts = np.where(large, normal, counts)
    return counts
