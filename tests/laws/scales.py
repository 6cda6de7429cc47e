"""How large an error may be: condition numbers, and the size of sampling errors."""

import numpy as np
from scipy import stats

from harmonium.families import ExponentialFamily
from harmonium.validation import FloatArray

#: One in a million: the rate at which the tests of all samplers together fail a right sampler.
FALSE_FAIL = 1e-6
#: More comparisons than all of them make; a test holds that.
COMPARISONS = 20_000
#: The largest z score: |z| passes it by chance with probability FALSE_FAIL / COMPARISONS. With
#: n draws a moment that is wrong by (LARGEST_Z + 4.9) / sqrt(n) standard deviations of what is
#: averaged, 0.082 for 20,000 draws, passes with probability 1e-6 at most.
LARGEST_Z = float(stats.norm.isf(FALSE_FAIL / COMPARISONS / 2))
#: The smallest p value, likewise.
SMALLEST_P = FALSE_FAIL / COMPARISONS

_TINY = 5e-324


def spread(family: ExponentialFamily, natural: FloatArray) -> FloatArray:
    """Standard deviations of the statistics, (dimension,)."""
    fisher = family.fisher_information(natural)
    return np.sqrt(np.diagonal(fisher, axis1=-2, axis2=-1))


def mean_condition(family: ExponentialFamily, natural: FloatArray) -> FloatArray:
    """Change of each mean, per relative change of every natural parameter and of itself."""
    fisher = np.abs(family.fisher_information(natural))
    return np.asarray(fisher @ np.abs(natural) + np.abs(family.to_mean(natural)))


def natural_condition(family: ExponentialFamily, natural: FloatArray) -> FloatArray:
    """Change of each natural parameter, per relative change of every mean and of itself.

    Infinite where the Fisher information is singular to double precision.
    """
    fisher = family.fisher_information(natural)
    scale = np.sqrt(np.diagonal(fisher))
    if not (scale > 0).all():
        return np.full(len(natural), np.inf)
    values, vectors = np.linalg.eigh(fisher / np.outer(scale, scale))
    if len(values) and values[0] <= 16 * len(values) * np.finfo(float).eps:
        return np.full(len(natural), np.inf)
    inverse = np.abs((vectors / values) @ vectors.T) / np.outer(scale, scale)
    mean = np.abs(family.to_mean(natural))
    # a subnormal mean is rounded by more than its relative unit
    condition = inverse @ np.maximum(mean, _TINY / np.finfo(float).eps) + np.abs(natural)
    # the inverse itself knows entries only to the rounding of the largest
    return np.maximum(condition, 16 * np.finfo(float).eps * condition.max(initial=0.0))
