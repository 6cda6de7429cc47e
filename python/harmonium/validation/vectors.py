"""The gate for vectors and for the weights of rows."""

import numpy as np

from harmonium.validation.convert import as_floats
from harmonium.validation.finite import check_finite
from harmonium.validation.positions import first_index, index_words
from harmonium.validation.typing import FloatArray


def as_vector(x: object, *, name: str, length: int | None = None) -> FloatArray:
    """Convert a sequence of finite numbers to a float64 vector.

    Parameters
    ----------
    x
        A list, an array of one axis, a pandas or polars series.
    name
        The argument's name, for messages.
    length
        The number of entries that there must be; by default at least one.

    Raises
    ------
    TypeError
        For what holds no numbers, as in `as_table`.
    ValueError
        For the wrong number of axes or entries, NaN, infinity, and as in `as_table`.
    """
    vector = as_floats(x, name=name)
    if vector.ndim != 1:
        hint = f" Pass {name}.ravel()." if vector.size == max(vector.shape, default=0) else ""
        raise ValueError(
            f"{name} must be one-dimensional, not of shape {vector.shape}.{hint}"
            if vector.ndim
            else f"{name} must be one-dimensional, not the scalar {vector.item()!r}."
        )
    if length is None and not vector.size:
        raise ValueError(f"{name} must have at least one entry, but it is empty.")
    if length is not None and vector.size != length:
        raise ValueError(f"{name} must have {length} entries, but it has {vector.size}.")
    check_finite(vector, name)
    return vector


def as_weights(w: object, n_rows: int, *, name: str = "sample_weight") -> FloatArray | None:
    """Convert the weights of rows to a float64 vector; None, for equal weights, stays None.

    Parameters
    ----------
    w
        One number per row, zero or more, not all of them zero; or None.
    n_rows
        The number of rows.
    name
        The argument's name, for messages.

    Raises
    ------
    TypeError
        For what holds no numbers, as in `as_table`.
    ValueError
        For the wrong number of weights, weights negative, NaN or infinite, a sum of zero or beyond
        the largest float64.
    """
    if w is None:
        return None
    weights = as_vector(w, name=name, length=n_rows)
    negative = weights < 0
    if negative.any():
        index = first_index(negative)
        raise ValueError(
            f"{name} must be zero or positive, but {index_words(index)} is {weights[index]}."
        )
    with np.errstate(over="ignore"):
        total = weights.sum()
    if total == 0:
        raise ValueError(
            f"{name} must contain at least one non-zero number, but all {n_rows} are zero."
        )
    if not np.isfinite(total):
        raise ValueError(f"{name} must have a sum below 1.8e308: rescale the weights.")
    return weights
