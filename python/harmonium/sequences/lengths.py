"""Several sequences in one table, one below the other, told apart by their lengths."""

from typing import Any

import numpy as np

from harmonium.validation import FloatArray, as_count, as_weights

#: Where sequences begin, and where the last one ends: (n_sequences + 1,) row numbers.
Offsets = np.ndarray[Any, np.dtype[np.intp]]


def as_offsets(lengths: object, n_rows: int, *, name: str = "lengths", data: str = "x") -> Offsets:
    """Return where the sequences of a table begin and end: (n_sequences + 1,) row numbers.

    Parameters
    ----------
    lengths
        How many rows each sequence has, from the first row of the table to the last: a list or an
        array of integers; or None for a single sequence.
    n_rows
        The number of rows of the table.
    name, data
        The names of the argument and of the table, for messages.

    Raises
    ------
    TypeError
        For what is no list of integers; whole floats and booleans are none.
    ValueError
        For an empty list, an empty or negative sequence, and lengths that do not add up.
    """
    if lengths is None:
        return np.array([0, n_rows], dtype=np.intp)
    counts = _as_list(lengths, name)
    if not counts:
        raise ValueError(f"{name}: empty: one length for each sequence, or None for a single one")
    for i, value in enumerate(counts):
        if as_count(value, name=f"{name}[{i}]", minimum=0) == 0:
            raise ValueError(f"{name}[{i}] is 0: an empty sequence says nothing; leave it out")
    offsets = [0]
    for value in counts:
        offsets.append(offsets[-1] + int(value))  # in whole numbers, which do not overflow
    if offsets[-1] != n_rows:
        raise ValueError(
            f"{name}: the {len(counts)} lengths add up to {offsets[-1]}, but {data} has {n_rows} "
            "rows"
        )
    return np.array(offsets, dtype=np.intp)


def _as_list(lengths: object, name: str) -> list[Any]:
    if isinstance(lengths, str | bytes) or not hasattr(lengths, "__len__"):
        remedy = f"; for a single sequence of {lengths} rows leave it out"
        raise TypeError(
            f"{name} must be a list of integers, one for each sequence, not {lengths!r}"
            + (remedy if isinstance(lengths, int | np.integer) else "")
        )
    if isinstance(lengths, list | tuple):
        return list(lengths)
    array = np.asarray(lengths)
    if array.ndim != 1:
        raise ValueError(f"{name} must be one-dimensional, not of shape {array.shape}")
    return list(array)


def sequence_weights(
    weights: object, offsets: Offsets, *, name: str = "weights"
) -> FloatArray | None:
    """Return a weight for each sequence, (n_sequences,), None where all are equal.

    Raises ValueError as `as_weights` does; a weight of 2 is the sequence seen twice.
    """
    return as_weights(weights, len(offsets) - 1, name=name)


def row_weights(weights: FloatArray | None, offsets: Offsets) -> FloatArray | None:
    """Return each sequence's weight on each of its rows, (n_rows,)."""
    return None if weights is None else np.repeat(weights, np.diff(offsets))


def rows_of(kept: np.ndarray[Any, np.dtype[np.bool_]], offsets: Offsets) -> tuple[Any, Offsets]:
    """Return a mask of the rows of the sequences kept, and their offsets without the others."""
    counts = np.diff(offsets)
    return np.repeat(kept, counts), np.concatenate([[0], np.cumsum(counts[kept])]).astype(np.intp)
