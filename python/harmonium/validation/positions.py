"""Words for where in an array an entry stands."""

from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from harmonium.validation.typing import FloatArray

Index: TypeAlias = tuple[int, ...]
Where: TypeAlias = Callable[[Index], str]


def column_words(column: int, feature_names: Sequence[str] | None) -> str:
    """Name a column by its number and, where it has one, its name."""
    if feature_names is None or column >= len(feature_names):
        return f"column {column}"
    return f"column {column} ({str(feature_names[column])!r})"


def index_words(index: Index, feature_names: Sequence[str] | None = None) -> str:
    """Name an entry: of a vector, of a table, or of an array of more axes.

    Parameters
    ----------
    index
        One number per axis, from 0.
    feature_names
        The names of the columns (last axis), if they have any.
    """
    match index:
        case ():
            return "the value"
        case (entry,):
            return f"entry {entry}"
        case (row, column):
            return f"row {row}, {column_words(column, feature_names)}"
        case _:
            return f"index {index}"


def places(feature_names: Sequence[str] | None) -> Where:
    """Return the function that names an entry by its index."""
    return lambda index: index_words(index, feature_names)


def first_index(flags: NDArray[np.bool_]) -> Index:
    """Return the index of the first true entry in C order; one must be true."""
    return unravel(int(np.argmax(flags)), flags.shape)


def unravel(place: int, shape: tuple[int, ...]) -> Index:
    """Return the index of the entry that comes `place` entries after the first in C order."""
    return tuple(int(i) for i in np.unravel_index(place, shape))


def row_blocks(table: FloatArray, entries: int = 1 << 16) -> list[slice]:
    """Cut the rows of a table so that a block's temporaries stay in cache."""
    rows = len(table)
    step = max(1, entries // max(1, table[:1].size))
    return [slice(start, min(start + step, rows)) for start in range(0, rows, step)]
