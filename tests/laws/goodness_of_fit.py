"""Chi-squared of draws of counts against their masses."""

import numpy as np
from scipy import stats

from harmonium.validation import FloatArray

#: A test on its own fails a right sampler once in a thousand million runs; all such tests of the
#: families together, fewer than a thousand, once in a million. With 20,000 draws in 50 cells, a
#: law off by 8 % in half of the cells passes once in a million.
SMALLEST_P = 1e-9
CELLS = 50


def chi_squared_p(draws: FloatArray, low: int, masses: FloatArray) -> float:
    """The p value of counts, of which those from ``low`` on have these masses, one in all."""
    masses = masses / masses.sum()
    cumulative = np.cumsum(masses)
    # cells of about equal mass, ends of cells by their last count
    ends = np.unique(np.searchsorted(cumulative, np.arange(1, CELLS) / CELLS))
    cells = np.concatenate([ends, [len(masses) - 1]]) if ends[-1] < len(masses) - 1 else ends
    expected = np.diff(np.concatenate([[0.0], cumulative[cells]])) * len(draws)
    at = draws - low
    assert (at >= 0).all()
    observed = np.bincount(
        np.minimum(np.searchsorted(cells, at), len(cells) - 1), minlength=len(cells)
    )
    keep = expected >= 5
    if not keep.all():
        expected = np.append(expected[keep], expected[~keep].sum())
        observed = np.append(observed[keep], observed[~keep].sum())
        if expected[-1] < 5:
            expected[0], observed[0] = expected[0] + expected[-1], observed[0] + observed[-1]
            expected, observed = expected[:-1], observed[:-1]
    if len(expected) == 1:
        return 1.0 if observed[0] == len(draws) else 0.0
    statistic = ((observed - expected) ** 2 / expected).sum()
    return float(stats.chi2.sf(statistic, len(expected) - 1))
