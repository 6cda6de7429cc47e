"""Many members of a stack over the same rows: log densities of each, sums under weights of each."""

from typing import Any

import numpy as np

from harmonium.expectation.passes import OVERFLOW, QUIET, kernel_of, patterns, restricted
from harmonium.expectation.prepared import Prepared
from harmonium.expectation.sources import BLOCK_ROWS
from harmonium.expectation.threads import get_threads
from harmonium.validation import FloatArray


def member_log_densities(
    prepared: Prepared, x: FloatArray, *, engine: str = "auto", origin: int = 0
) -> FloatArray:
    """Return log densities (n, count) of rows under every member: log marginals where NaN.

    ``engine`` as in :func:`~harmonium.expectation.expectation`; rows of messages are counted from
    ``origin``. Raises ValueError where squares of the data overflow.
    """
    kernel = kernel_of(prepared, engine)
    if kernel is not None:
        try:
            out = np.asarray(kernel.member_log_densities(x, get_threads()))
        except NotImplementedError:  # missing values that only the plain pass can complete
            kernel = None
    if kernel is None:
        out = np.empty((len(x), prepared.count))
        for start in range(0, len(x), BLOCK_ROWS):
            block = slice(start, start + BLOCK_ROWS)
            _plain_log_densities(prepared, x[block], out[block])
    broken = np.isnan(out).any(-1)
    if broken.any():
        raise ValueError(f"{OVERFLOW} (row {origin + int(broken.argmax())})")
    return out


def member_sums(
    prepared: Prepared, x: FloatArray, weights: FloatArray, *, engine: str = "auto"
) -> FloatArray:
    """Return the sums (count, size) of rows under weights (n, count), the missing as expected.

    Rows without weight are left out, whatever they hold. ``engine`` and errors as in
    :func:`member_log_densities`.
    """
    heavy = weights.any(-1)
    if not heavy.all():
        x, weights = x[heavy], weights[heavy]
    kernel = kernel_of(prepared, engine)
    sums: Any = None
    if kernel is not None:
        try:
            sums = kernel.accumulate(x, np.ascontiguousarray(weights), get_threads())
        except NotImplementedError:
            kernel = None
    if kernel is None:
        sums = np.zeros((prepared.count, prepared.size))
        with np.errstate(**QUIET):
            for start in range(0, len(x), BLOCK_ROWS):
                block = slice(start, start + BLOCK_ROWS)
                for rows, observed in patterns(x[block]):
                    stack, values = restricted(prepared, x[block], rows, observed)
                    sums += stack.accumulate(values, weights[block][rows])
    if not np.isfinite(sums).all():
        raise ValueError(OVERFLOW)
    return np.asarray(sums)


def _plain_log_densities(prepared: Prepared, x: FloatArray, out: FloatArray) -> None:
    with np.errstate(**QUIET):
        for rows, observed in patterns(x):
            stack, values = restricted(prepared, x, rows, observed)
            out[rows] = stack.evaluate(values) + stack.log_base_measure(values)[:, None]
