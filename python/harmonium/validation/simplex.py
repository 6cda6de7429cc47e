"""Rows that obey one equation together: probabilities that sum to one, vectors of unit length."""

from collections.abc import Callable, Sequence

import numpy as np

from harmonium.validation.positions import first_index, index_words
from harmonium.validation.typing import FloatArray

# A row is taken as it is up to the first, normalised up to the second, refused beyond.
_EXACT, _ROUNDED = 1e-9, 1e-6


def check_simplex(
    x: FloatArray,
    name: str = "X",
    *,
    allow_zeros: bool = False,
    feature_names: Sequence[str] | None = None,
) -> FloatArray:
    """Check that every row holds proportions: positive numbers whose sum is 1.

    Parameters
    ----------
    x
        Table of shape (rows, columns). Of a row with NaN only the rest is checked: each entry, and
        that their sum does not exceed 1.
    name, feature_names
        The names of the argument and of its columns, for messages.
    allow_zeros
        Whether zero is a proportion, or outside the open simplex, as for a Dirichlet density.

    Returns
    -------
    FloatArray
        `x` itself if all sums are within 1e-9 of 1; else a copy in which the rows that are off by
        more are divided by their sum.

    Raises
    ------
    ValueError
        For negative entries, zeros unless allowed, and sums that are off by more than 1e-6.
    """
    with np.errstate(invalid="ignore"):
        bad = x < 0 if allow_zeros else x <= 0
    if bad.any():
        index = first_index(bad)
        rule = "zero or positive" if allow_zeros else "positive"
        remedy = (
            "" if x[index] < 0 else " Zeros lie outside the open simplex: replace or drop them."
        )
        raise ValueError(
            f"{name}: every proportion must be {rule}, but {index_words(index, feature_names)} is "
            f"{x[index]}.{remedy}"
        )
    return _normalised(x, lambda rows: rows.sum(axis=1), name, "sum to 1", "sum")


def check_unit_vectors(x: FloatArray, name: str = "X") -> FloatArray:
    """Check that every row is a vector of Euclidean length 1.

    Parameters
    ----------
    x
        Table of shape (rows, columns). A row with NaN is checked for not being longer than 1.
    name
        The argument's name, for messages.

    Returns
    -------
    FloatArray
        `x` itself if all lengths are within 1e-9 of 1; else a copy in which the rows that are off
        by more are divided by their length.

    Raises
    ------
    ValueError
        For lengths that are off by more than 1e-6.
    """
    return _normalised(x, _lengths, name, "have length 1", "length")


def _lengths(rows: FloatArray) -> FloatArray:
    # Squares of large entries overflow to infinity, which is as wrong a length as any.
    with np.errstate(over="ignore", under="ignore"):
        lengths: FloatArray = np.sqrt((rows * rows).sum(axis=1))
    return lengths


def _normalised(
    x: FloatArray, measure: Callable[[FloatArray], FloatArray], name: str, rule: str, word: str
) -> FloatArray:
    """Divide the rows whose measure is 1 up to rounding by it, and refuse others."""
    missing = np.isnan(x)
    partial = np.asarray(missing.any(axis=1))
    with np.errstate(over="ignore"):
        sizes = measure(np.where(missing, 0.0, x) if partial.any() else x)
    deviation = sizes - 1.0
    excess = np.where(partial, deviation, np.abs(deviation))
    wrong = np.asarray(excess > _ROUNDED)
    if wrong.any():
        (row,) = first_index(wrong)
        known = " without its missing entries" if partial[row] else ""
        raise ValueError(
            f"{name}: every row must {rule}, but the {word} of row {row}{known} is {sizes[row]}. "
            f"If only proportions matter, divide each row by its {word}."
        )
    rounded = np.asarray((excess > _EXACT) & ~partial)
    if not rounded.any():
        return x
    with np.errstate(under="ignore"):
        return x / np.where(rounded, sizes, 1.0)[:, np.newaxis]
