"""The pseudo-likelihood: each column given all others, which needs no normaliser (Besag, 1975)."""

import numpy as np
from scipy.special import logsumexp

from harmonium.harmonium import Harmonium
from harmonium.learning.floating_point import steady
from harmonium.validation import FloatArray


@steady
def pseudo_log_likelihood(model: Harmonium, natural: object, x: object) -> FloatArray:
    """Return the sums (n,) over columns of log q(x_i | all other columns), in nats.

    For observables of finitely many values a column; of one column it is the log density itself.

    Parameters
    ----------
    model : Harmonium
        Conjugated or not.
    natural : (dimension,) array
        Its natural parameters.
    x : (n, columns) table
        Whole rows.

    Raises
    ------
    ValueError
        For columns without end of values.
    """
    levels = model.observable.levels
    if levels is None:
        raise ValueError(
            f"model: columns of {model.observable!r} have no end of values to compare with"
        )
    point = model.check_natural(natural)
    table = model.observable.check_data(x)
    own = model.log_unnormalised_density(point, table)
    out = np.zeros(len(table))
    for column, count in enumerate(levels):
        logs = np.empty((len(table), count))
        changed = table.copy()
        for value in range(count):
            changed[:, column] = value
            logs[:, value] = model.log_unnormalised_density(point, changed)
        out += own - logsumexp(logs, -1)
    return out
