"""Derivatives by Richardson's extrapolation, at all points in one call."""

from collections.abc import Callable

import numpy as np

from harmonium.validation import FloatArray


def derivative(
    function: Callable[[FloatArray], FloatArray], at: FloatArray, step: float = 2e-4
) -> FloatArray:
    """Return the derivatives (n, ...) of a function of (..., n) along each coordinate of ``at``.

    Central differences at three step lengths, extrapolated twice: the error is of order
    ``step**6``, and the function's rounding over ``step``.
    """
    lengths = step * np.maximum(1, np.abs(at))
    table = []
    for halving in range(3):
        steps = np.diag(lengths / 2**halving)
        difference = function(at + steps) - function(at - steps)
        table.append((difference.T / (2 * np.diagonal(steps))).T)
    first = [(4 * table[i + 1] - table[i]) / 3 for i in range(2)]
    return np.asarray((16 * first[1] - first[0]) / 15)
