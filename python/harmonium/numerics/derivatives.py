"""Derivatives of functions that come without."""

from collections.abc import Callable

import numpy as np

from harmonium.validation import FloatArray


def jacobian(
    function: Callable[[FloatArray], FloatArray], at: FloatArray, steps: FloatArray | None = None
) -> FloatArray:
    """Return the (..., m, n) Jacobian of ``function`` from (..., n) to (..., m).

    Central differences at three step lengths, extrapolated twice (Richardson): the error is of
    order ``steps**6`` and of the function's rounding over ``steps``. ``steps``, (..., n), are the
    longest of each coordinate, 1e-3 of its size or of one unless given.
    """
    n = at.shape[-1]
    if n == 0:
        return np.empty((*function(at).shape, 0))
    longest = 1e-3 * np.maximum(1.0, np.abs(at)) if steps is None else steps
    columns = []
    for i in range(n):
        direction = np.zeros(n)
        direction[i] = 1.0
        scale = longest[..., i : i + 1]
        table = []
        for halving in range(3):
            h = scale / 2**halving
            forward = function(at + h * direction)
            backward = function(at - h * direction)
            table.append((forward - backward) / (2 * h))
        first = [(4 * table[i + 1] - table[i]) / 3 for i in range(2)]
        columns.append((16 * first[1] - first[0]) / 15)
    return np.stack(columns, -1)


def jacobian_at_once(
    function: Callable[[FloatArray], FloatArray], at: FloatArray, steps: FloatArray
) -> FloatArray:
    """Return the (m, n) Jacobian at one point (n,) by central differences, from a single call.

    ``function`` takes points (2 n, n) to (2 n, m); the error is of order ``steps**2``: enough for
    a Newton step, at a fraction of the price of :func:`jacobian`.
    """
    moved = np.diag(steps)
    values = function(np.concatenate([at + moved, at - moved]))
    n = len(at)
    return np.asarray((values[:n] - values[n:]).T / (2 * steps))
