"""Derivatives of functions that come without."""

from collections.abc import Callable

import numpy as np

from harmonium.validation import FloatArray


def jacobian(
    function: Callable[[FloatArray], FloatArray], at: FloatArray, step: float = 1e-3
) -> FloatArray:
    """Return the (..., m, n) Jacobian of ``function`` from (..., n) to (..., m).

    Central differences at three step lengths, extrapolated twice (Richardson): the error is of
    order ``step**6`` and of the function's rounding over ``step``.
    """
    n = at.shape[-1]
    columns = []
    for i in range(n):
        direction = np.zeros(n)
        direction[i] = 1.0
        scale = step * np.maximum(1.0, np.abs(at[..., i : i + 1]))
        table = []
        for halving in range(3):
            h = scale / 2**halving
            forward = function(at + h * direction)
            backward = function(at - h * direction)
            table.append((forward - backward) / (2 * h))
        first = [(4 * table[i + 1] - table[i]) / 3 for i in range(2)]
        columns.append((16 * first[1] - first[0]) / 15)
    return np.stack(columns, -1)
