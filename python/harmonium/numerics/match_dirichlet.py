"""The backward mapping of Dirichlet laws: concentrations whose expected log weights are given."""

import numpy as np
from scipy.special import digamma

from harmonium.numerics.bracketing import find_root
from harmonium.numerics.gamma_functions import digamma_difference, log_less_digamma
from harmonium.numerics.inverse_digamma import inverse_digamma
from harmonium.validation import FloatArray

#: Concentrations are sought above this.
LEAST = 1e-100


def match_dirichlet(mean: FloatArray, largest_total: float) -> FloatArray:
    """Return the concentrations (n, k) at which the expected log weights are ``mean`` (n, k) < 0.

    Given their total a, all concentrations but the largest are inverse digammas (Minka, 2000);
    what they leave of a must have the mean of the largest weight. That is one equation for a,
    which keeps its digits where one weight takes almost all, and where all concentrations are
    large. The total is sought up to ``largest_total``.
    """
    low, high = _bracket(mean, np.log(largest_total))
    log_total = find_root(lambda t, rows: _excess(mean[rows], np.exp(t)), low, high)
    total = np.exp(log_total)
    others, rest = _others(mean, total)
    most = np.argmax(mean, -1)[:, None]
    np.put_along_axis(others, most, np.maximum(total - rest, LEAST)[:, None], -1)
    return np.maximum(others, LEAST)


def _bracket(mean: FloatArray, highest: float) -> tuple[FloatArray, FloatArray]:
    """Logs of totals between which each one is, from a guess outwards."""
    lowest, size = np.log(LEAST), mean.shape[1]
    gap = np.maximum(1 - np.exp(mean).sum(-1), 1e-16)
    # what both ends tell: where all concentrations are large, and where all are small
    guess = np.where(gap < 0.5, 0.5 * (size - 1) / gap, (1 - 1 / size) * (-1 / mean).sum(-1))
    low = high = np.clip(np.log(np.maximum(guess, LEAST)), lowest, highest)
    above = _excess(mean, np.exp(low)) > 0
    low, high = low.copy(), high.copy()
    stride = 1.0
    active = np.arange(len(mean))
    while len(active):
        up = above[active]
        high[active[up]] = np.minimum(high[active[up]] + stride, highest)
        low[active[~up]] = np.maximum(low[active[~up]] - stride, lowest)
        ends = np.where(up, high[active], low[active])
        still = (_excess(mean[active], np.exp(ends)) > 0) == up
        still &= (ends > lowest) & (ends < highest)
        # the end passed is the other bound
        low[active[still & up]] = high[active[still & up]]
        high[active[still & ~up]] = low[active[still & ~up]]
        active = active[still]
        stride *= 4.0
    return low, high


def total_reaches(mean: FloatArray, total: float) -> np.ndarray:
    """Return (n,), whether means (n, k) < 0 need a total concentration of at least ``total``."""
    return np.asarray(_excess(mean, np.full(len(mean), total)) >= 0)


def _others(mean: FloatArray, total: FloatArray) -> tuple[FloatArray, FloatArray]:
    """All concentrations given their total, zero for the largest, and the sum of all but that."""
    others = inverse_digamma(mean + digamma(total)[:, None])
    # where that is large, its share of the total is sharper than it: logarithms of both cancel
    rows, columns = np.nonzero(others > 10.0)
    if len(rows):
        gap = log_less_digamma(others[rows, columns]) - log_less_digamma(total)[rows]
        share = np.exp(np.minimum(mean[rows, columns] + gap, 0.0))
        others[rows, columns] = total[rows] * share
    np.put_along_axis(others, np.argmax(mean, -1)[:, None], 0.0, -1)
    return others, others.sum(-1)


def _excess(mean: FloatArray, total: FloatArray) -> FloatArray:
    """Log of the size of the largest weight's mean, given the total, over what it should be."""
    rest = _others(mean, total)[1]
    fits = rest < total
    largest = np.where(fits, total - rest, 1.0)
    size = digamma_difference(largest, np.where(fits, rest, 1.0))
    with np.errstate(divide="ignore"):
        return np.where(fits, np.log(size) - np.log(-mean.max(-1)), np.inf)
