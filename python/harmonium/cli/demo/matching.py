"""Colours of groups that were found, so that they can be compared with kinds that are known."""

from typing import Any

import numpy as np
from scipy.optimize import linear_sum_assignment

from harmonium.plotting import colours


def matched_colours(labels: Any, kinds: Any, n_groups: int, n_kinds: int) -> list[str]:
    """Return a colour for each group: kind k has colour k, and each group that of its kind.

    Groups and kinds are matched one to one so that as many rows as possible agree; the colours
    of groups beyond the kinds are nobody else's.
    """
    n = max(n_groups, n_kinds)
    shared = np.zeros((n, n))
    np.add.at(shared, (np.asarray(labels, dtype=int), np.asarray(kinds, dtype=int)), 1)
    return [colours(n)[kind] for kind in linear_sum_assignment(-shared)[1][:n_groups]]
