"""Counts and positive numbers."""

import math
import numbers
import operator
from decimal import Decimal

import numpy as np


def as_count(value: object, *, name: str, minimum: int = 1) -> int:
    """Return a whole number, such as that of components or of iterations, as an ``int``.

    Parameters
    ----------
    value
        An integer of any type; floats are refused even if whole.
    name
        The argument's name, for messages.
    minimum
        The least value allowed.

    Raises
    ------
    TypeError
        For whatever is not an integer, booleans included.
    ValueError
        For an integer below the minimum.
    """
    number = integer_of(value)
    if number is None:
        raise TypeError(f"{name} must be an integer, not {value!r} of type {type(value).__name__}.")
    if number < minimum:
        raise ValueError(f"{name} must be at least {minimum}, not {number}.")
    return number


def as_positive(value: object, *, name: str, allow_zero: bool = False) -> float:
    """Return a positive, finite number as a ``float``.

    Parameters
    ----------
    value
        A real number of any type, or an array of no axes.
    name
        The argument's name, for messages.
    allow_zero
        Whether zero is allowed too.

    Raises
    ------
    TypeError
        For whatever is not a real number, booleans included.
    ValueError
        For NaN, infinity, negative numbers, and zero unless allowed.
    """
    if isinstance(value, np.ndarray) and value.ndim == 0:
        value = value[()]
    real = isinstance(value, (numbers.Real, np.integer, Decimal))
    if not real or isinstance(value, (bool, np.bool_)):
        raise TypeError(f"{name} must be a number, not {value!r} of type {type(value).__name__}.")
    try:
        number = float(value)  # type: ignore[arg-type]  # all of the classes above convert
    except (OverflowError, ValueError):
        number = math.nan
    if not math.isfinite(number) or number < 0 or (number == 0 and not allow_zero):
        rule = "zero or a positive" if allow_zero else "a positive"
        raise ValueError(f"{name} must be {rule} finite number, not {value!s}.")
    return number


def as_shape(value: object, *, name: str) -> tuple[int, ...]:
    """Return how many draws to make along which axes, as numpy's ``size`` says it: None, n or (n, ...).

    Raises TypeError for whatever is no integer, and ValueError for negative ones.
    """
    if value is None:
        return ()
    axes = value if isinstance(value, tuple | list) else (value,)
    return tuple(as_count(n, name=name, minimum=0) for n in axes)


def integer_of(value: object) -> int | None:
    """Return an integer of any type as an ``int``, and None for all else, booleans included."""
    if isinstance(value, (bool, np.bool_)) or not hasattr(value, "__index__"):
        return None
    try:
        return operator.index(value)
    except TypeError:  # arrays have the method but not always an answer
        return None
