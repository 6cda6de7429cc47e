"""Checks that the entries of a table lie on the support of a family; NaN is skipped.

All take float64 tables that passed `as_table`, and name the first entry that breaks the rule.
"""

from collections.abc import Callable, Sequence
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from harmonium.validation.positions import column_words, first_index, index_words, row_blocks
from harmonium.validation.typing import FloatArray
from harmonium.validation.warning import warn_caller

_MAX_ANGLE = 1e15
_MAX_PLAIN_ANGLE = 6.0 * np.pi


def check_counts(
    x: FloatArray,
    name: str = "X",
    maximum: float | NDArray[Any] | None = None,
    *,
    feature_names: Sequence[str] | None = None,
) -> None:
    """Check that every entry is a whole number, zero or more.

    Parameters
    ----------
    x
        Table of shape (rows, columns).
    name, feature_names
        The names of the argument and of its columns, for messages.
    maximum
        The largest count allowed, one for all columns or one for each.

    Raises
    ------
    ValueError
        For counts that are negative, fractional or above the maximum.
    """
    rule = "a count, that is a whole number, zero or more"
    _require(x, lambda block: (block >= 0) & (block == np.floor(block)), name, rule, feature_names)
    if maximum is None:
        return
    index = _first_not(x, lambda block: block <= maximum)
    if index is not None:
        limit = np.broadcast_to(np.asarray(maximum), x.shape)[index]
        _refuse(x, index, name, f"a count of at most {limit}", feature_names)


def check_binary(
    x: FloatArray, name: str = "X", *, feature_names: Sequence[str] | None = None
) -> None:
    """Check that every entry is 0 or 1.

    Parameters
    ----------
    x
        Table of shape (rows, columns).
    name, feature_names
        The names of the argument and of its columns, for messages.

    Raises
    ------
    ValueError
        For any other value, suggesting how to map the values at hand to 0 and 1.
    """
    index = _first_not(x, lambda block: (block == 0) | (block == 1))
    if index is not None:
        _refuse(x, index, name, "0 or 1", feature_names, _binary_remedy(x, name))


def check_categories(
    x: FloatArray,
    n_categories: int | NDArray[Any],
    name: str = "X",
    *,
    feature_names: Sequence[str] | None = None,
) -> None:
    """Check that every entry is the index of a category, from 0 to `n_categories` - 1.

    Parameters
    ----------
    x
        Table of shape (rows, columns).
    n_categories
        The number of categories, one for all columns or one for each.
    name, feature_names
        The names of the argument and of its columns, for messages.

    Raises
    ------
    ValueError
        For any other value.
    """
    limits: NDArray[np.int64] = np.asarray(n_categories, np.int64)
    index = _first_not(
        x, lambda block: (block >= 0) & (block < limits) & (block == np.floor(block))
    )
    if index is not None:
        limit = np.broadcast_to(limits, x.shape)[index]
        rule = f"the index of a category, a whole number from 0 to {limit - 1}"
        from_one = bool(np.nanmin(x) == 1 and x[index] == limit)
        remedy = f" If categories are numbered from 1, pass {name} - 1." if from_one else ""
        _refuse(x, index, name, rule, feature_names, remedy)


def check_angles(
    x: FloatArray, name: str = "X", *, feature_names: Sequence[str] | None = None
) -> None:
    """Check that every entry makes sense as an angle in radians, of any number of turns.

    Parameters
    ----------
    x
        Table of shape (rows, columns).
    name, feature_names
        The names of the argument and of its columns, for messages.

    Raises
    ------
    ValueError
        Beyond 1e15, where neighbouring float64 numbers lie too far apart to tell an angle.

    Warns
    -----
    DataWarning
        For a column of whole numbers only, some of them beyond 6π: these look like degrees.
    """
    rule = f"an angle in radians of at most {_MAX_ANGLE:g} in absolute value, so as to be exact"
    _require(x, lambda block: np.abs(block) <= _MAX_ANGLE, name, rule, feature_names)
    suspects = _columns_of_degrees(x)
    if suspects.size:
        words = ", ".join(column_words(column, feature_names) for column in suspects[:5].tolist())
        more = f" and {suspects.size - 5} more" if suspects.size > 5 else ""
        warn_caller(
            f"{name} has suspected degrees in {words}{more}: whole numbers only, some beyond 6π. "
            f"Angles are in radians; if these are degrees, pass numpy.deg2rad({name})."
        )


def check_positive_data(
    x: FloatArray,
    name: str = "X",
    *,
    allow_zero: bool = False,
    feature_names: Sequence[str] | None = None,
) -> None:
    """Check that every entry is positive.

    Parameters
    ----------
    x
        Table of shape (rows, columns).
    name, feature_names
        The names of the argument and of its columns, for messages.
    allow_zero
        Whether zero is allowed too.

    Raises
    ------
    ValueError
        For negative entries, and for zero unless allowed.
    """
    if allow_zero:
        _require(x, lambda block: block >= 0, name, "zero or positive", feature_names)
    else:
        _require(x, lambda block: block > 0, name, "positive", feature_names)


def check_open_unit_interval(
    x: FloatArray, name: str = "X", *, feature_names: Sequence[str] | None = None
) -> None:
    """Check that every entry lies strictly between 0 and 1.

    Parameters
    ----------
    x
        Table of shape (rows, columns).
    name, feature_names
        The names of the argument and of its columns, for messages.

    Raises
    ------
    ValueError
        For any other value, 0 and 1 included.
    """
    rule = "strictly between 0 and 1"
    _require(x, lambda block: (block > 0) & (block < 1), name, rule, feature_names)


def _require(
    x: FloatArray,
    holds: Callable[[FloatArray], NDArray[np.bool_]],
    name: str,
    rule: str,
    feature_names: Sequence[str] | None,
) -> None:
    index = _first_not(x, holds)
    if index is not None:
        _refuse(x, index, name, rule, feature_names)


def _first_not(
    x: FloatArray, holds: Callable[[FloatArray], NDArray[np.bool_]]
) -> tuple[int, ...] | None:
    """Return the index of the first entry, NaN aside, of which `holds` does not hold."""
    with np.errstate(invalid="ignore"):
        for rows in row_blocks(x):
            block = x[rows]
            fine = holds(block)
            if not fine.all():
                broken = ~(fine | np.isnan(block))
                if broken.any():
                    row, *rest = first_index(broken)
                    return (rows.start + row, *rest)
    return None


def _refuse(
    x: FloatArray,
    index: tuple[int, ...],
    name: str,
    rule: str,
    feature_names: Sequence[str] | None,
    remedy: str = "",
) -> NoReturn:
    place = index_words(index, feature_names)
    raise ValueError(f"{name}: every entry must be {rule}, but {place} is {x[index]}.{remedy}")


def _binary_remedy(x: FloatArray, name: str) -> str:
    values = np.unique(x[~np.isnan(x)])
    if values.size == 2:
        return f" For {values[1]} as 1 and {values[0]} as 0, pass {name} == {values[1]}."
    return f" For larger values as 1, pass {name} > 0 or another threshold."


def _columns_of_degrees(x: FloatArray) -> NDArray[np.intp]:
    """Return the columns that hold whole numbers only, some of them beyond 6π."""
    whole = np.ones(x.shape[1], np.bool_)
    beyond = np.zeros(x.shape[1], np.bool_)
    with np.errstate(invalid="ignore"):
        for rows in row_blocks(x):
            block = x[rows]
            whole &= ((block == np.floor(block)) | np.isnan(block)).all(axis=0)
            if not whole.any():
                break
            beyond |= (np.abs(block) > _MAX_PLAIN_ANGLE).any(axis=0)
    return np.flatnonzero(whole & beyond)
