"""NaN and infinity: found fast, reported with their place."""

from collections.abc import Sequence
from typing import NoReturn

import numpy as np
from numpy.typing import NDArray

from harmonium.validation.positions import column_words, first_index, index_words, row_blocks
from harmonium.validation.typing import FloatArray

_BLOCK = 1 << 16


def all_finite(array: FloatArray) -> bool:
    """Tell whether a C-contiguous array is free of NaN and infinity."""
    flat = array.reshape(-1)
    # In blocks, so that the flags stay in cache and take no memory to speak of.
    if flat.size <= _BLOCK:
        return bool(np.isfinite(flat).all())
    return all(
        np.isfinite(flat[start : start + _BLOCK]).all() for start in range(0, flat.size, _BLOCK)
    )


def check_finite(array: FloatArray, name: str, feature_names: Sequence[str] | None = None) -> None:
    """Check that a C-contiguous array holds neither NaN nor infinity.

    Raises
    ------
    ValueError
        With the number of such entries and the place of the first.
    """
    if not all_finite(array):
        _refuse(array, np.isnan(array), name, feature_names)


def check_missing(
    array: FloatArray,
    name: str,
    feature_names: Sequence[str] | None = None,
    *,
    empty_columns: bool = False,
) -> None:
    """Check a C-contiguous array in which NaN is a missing value.

    Parameters
    ----------
    array
        Any shape; the last axis is the columns.
    name, feature_names
        The names of the argument and of its columns, for messages.
    empty_columns
        Whether a column may be missing altogether.

    Raises
    ------
    ValueError
        For infinity, and for a column without a single value.
    """
    if all_finite(array):
        return
    table = array.reshape(-1, array.shape[-1])
    observed: NDArray[np.bool_] = np.zeros(table.shape[1], np.bool_)
    for rows in row_blocks(table):
        finite = np.isfinite(table[rows])
        observed |= finite.any(axis=0)
        if not finite.all() and np.isinf(table[rows]).any():
            _refuse(array, np.zeros(array.shape, np.bool_), name, feature_names)
    if not empty_columns and not observed.all():
        _refuse_empty_columns(np.flatnonzero(~observed).tolist(), name, feature_names)


def _refuse(
    array: FloatArray, missing: NDArray[np.bool_], name: str, feature_names: Sequence[str] | None
) -> NoReturn:
    """Raise for the NaN that are flagged as missing, or else for infinity."""
    # "contains NaN", "contains infinity": scikit-learn's words.
    infinite = np.isinf(array)
    n_missing, n_infinite = int(missing.sum()), int(infinite.sum())
    if n_missing:
        place = index_words(first_index(missing), feature_names)
        also = f", and {n_infinite} more infinite" if n_infinite else ""
        raise ValueError(
            f"Input {name} contains NaN: {n_missing} of {array.size} entries are missing (NaN, "
            f"null or masked), the first at {place}{also}. Drop or fill them, or use a model "
            "that takes missing values."
        )
    index = first_index(infinite)
    raise ValueError(
        f"Input {name} contains infinity or a value too large for float64: {n_infinite} of "
        f"{array.size} entries, the first at {index_words(index, feature_names)}, which is "
        f"{array[index]}. Drop or rescale them; only NaN can stand for a missing value."
    )


def _refuse_empty_columns(
    columns: Sequence[int], name: str, feature_names: Sequence[str] | None
) -> NoReturn:
    words = ", ".join(column_words(column, feature_names) for column in columns[:5])
    more = f" and {len(columns) - 5} more" if len(columns) > 5 else ""
    raise ValueError(
        f"Input {name} contains NaN only, no value at all, in {words}{more}. Drop such columns."
    )
