"""Arrays of Python objects: which are numbers, which are missing, which are neither."""

import datetime as dt
import math
import numbers
import reprlib
import sys
from typing import Literal, NoReturn, TypeAlias

import numpy as np
from numpy.typing import NDArray

from harmonium.validation.positions import Where, unravel
from harmonium.validation.typing import FloatArray
from harmonium.validation.warning import warn_caller

# Above it neighbouring integers share a float64.
MAX_EXACT_INTEGER = 2**53

_REPRESENTATION = reprlib.Repr()
_REPRESENTATION.maxstring = _REPRESENTATION.maxother = 60

Kind: TypeAlias = Literal[
    "real", "integer", "long", "missing", "none", "text", "date", "complex", "nested", "other"
]
_GOOD: frozenset[Kind] = frozenset({"real", "integer", "long", "missing"})


def from_objects(
    array: NDArray[np.object_], name: str, where: Where, *, in_frame: bool = False
) -> FloatArray:
    """Convert an array of Python numbers to float64, without reading numbers out of text.

    Parameters
    ----------
    array
        Any shape; its entries may be anything with a real value (``int``, ``Decimal``, numpy
        scalars), numpy's masked constant or pandas' NA, which become NaN.
    name, where
        The argument's name, and how to name an entry by its index.
    in_frame
        Whether this is a column of a frame, where None is a missing value, not an error.

    Raises
    ------
    TypeError
        For text, dates, None or any other object that is not a number.
    ValueError
        For complex numbers, rows of unequal length, integers beyond 2**53.
    """
    elements = array.ravel().tolist()
    kinds = {kind: _kind_of(kind, in_frame) for kind in set(map(type, elements))}
    found = set(kinds.values())
    if not found <= _GOOD:
        _refuse(array, elements, kinds, name, where, in_frame)
    if "integer" in found:
        for place, element in enumerate(elements):
            if kinds[type(element)] == "integer" and abs(element) > MAX_EXACT_INTEGER:
                refuse_large_integer(name, where(unravel(place, array.shape)), element)
    if "long" in found:
        warn_long_double(name)
    if "missing" in found:
        elements = [math.nan if kinds[type(e)] == "missing" else e for e in elements]
    try:
        values = np.fromiter(map(float, elements), np.float64, len(elements))
    except (TypeError, ValueError, ArithmeticError):
        _refuse_unconvertible(array, elements, name, where)
        raise
    return values.reshape(array.shape)


def refuse_large_integer(name: str, place: str, value: object) -> NoReturn:
    """Raise for an integer that float64 cannot hold exactly."""
    raise ValueError(
        f"{name} must hold integers of at most 2**53, which float64 represents exactly, but "
        f"{place} is {_words(value)}. "
        "Convert to floating point yourself if rounding does no harm."
    )


def refuse_text(name: str, place: str, value: object) -> NoReturn:
    """Raise for text, which is never read as a number."""
    raise TypeError(
        f"{name} must hold numbers, but {place} is the text {_words(value)}. "
        "Convert or encode text as numbers first."
    )


def refuse_date(name: str, place: str, value: object) -> NoReturn:
    """Raise for a date, a time or a duration, whose unit only its owner knows."""
    raise TypeError(
        f"{name} must hold numbers, but {place} is the date, time or duration {value!s}. "
        "Convert it to a number in a unit of your choice first."
    )


def refuse_complex(name: str, place: str, value: object) -> NoReturn:
    """Raise for a complex number."""
    raise ValueError(
        f"Complex data not supported: {name} must hold real numbers, but {place} is {value}. "
        "Pass its real and imaginary parts, or modulus and angle, as columns."
    )


def warn_long_double(name: str) -> None:
    """Warn that digits beyond float64 are dropped."""
    warn_caller(
        f"{name} holds extended-precision floats (long double), which are rounded to float64; "
        "convert them yourself to avoid this warning."
    )


def _words(value: object) -> str:
    """Write a value out, however long, in a few words."""
    if isinstance(value, int) and value.bit_length() > 128:
        return f"an integer of {value.bit_length()} bits"
    return _REPRESENTATION.repr(value)


def _kind_of(kind: type, in_frame: bool) -> Kind:
    """Classify a type; the order matters, as numpy's scalars all have ``__float__``."""
    if kind is type(None):
        return "missing" if in_frame else "none"
    if kind is type(np.ma.masked) or kind is _type_of_pandas_na():
        return "missing"
    if issubclass(kind, (str, bytes)):
        return "text"
    if issubclass(kind, (list, tuple, np.ndarray)):
        return "nested"
    if issubclass(kind, (dt.date, dt.time, dt.timedelta)):
        return "date"
    if issubclass(kind, (np.datetime64, np.timedelta64)):
        return "date"
    return _kind_of_number(kind)


def _kind_of_number(kind: type) -> Kind:
    if issubclass(kind, (bool, np.bool_)):
        return "real"
    if issubclass(kind, (numbers.Integral, np.integer)):
        return "integer"
    if issubclass(kind, np.longdouble) and np.dtype(np.longdouble).itemsize > 8:
        return "long"
    if issubclass(kind, np.complexfloating):
        return "complex"
    if issubclass(kind, numbers.Complex) and not issubclass(kind, numbers.Real):
        return "complex"
    if issubclass(kind, np.generic) and not issubclass(kind, np.floating):
        return "other"
    return "real" if hasattr(kind, "__float__") or hasattr(kind, "__index__") else "other"


def _type_of_pandas_na() -> type | None:
    missing = getattr(sys.modules.get("pandas"), "NA", None)
    return None if missing is None else type(missing)


def _refuse(
    array: NDArray[np.object_],
    elements: list[object],
    kinds: dict[type, Kind],
    name: str,
    where: Where,
    in_frame: bool,
) -> NoReturn:
    """Raise for the first entry that is not a number, in the words of its kind."""
    flat = next(i for i, e in enumerate(elements) if kinds[type(e)] not in _GOOD)
    value = elements[flat]
    place = where(unravel(flat, array.shape))
    match kinds[type(value)]:
        case "none":
            if array.ndim == 0:
                raise TypeError(f"{name} must be an array of numbers, but it is None.")
            raise TypeError(
                f"{name} must hold numbers, but {place} is None. "
                "Write float('nan') for a missing value."
            )
        case "text":
            refuse_text(name, place, value)
        case "date":
            refuse_date(name, place, value)
        case "complex":
            refuse_complex(name, place, value)
        case "nested" if in_frame:
            raise TypeError(f"{name} must hold numbers, but {place} is a sequence.")
        case "nested":
            raise ValueError(_ragged_words(array, elements, name))
        case _ if array.ndim == 0:
            raise TypeError(
                f"{name} must be an array of numbers, but it is of type {type(value).__name__}."
            )
        case _:
            # scikit-learn's checks look for these words.
            raise TypeError(
                f"{name} must hold numbers, but {place} is {_words(value)} of type "
                f"{type(value).__name__}. Every entry of the argument must be a number, and a "
                "string is never read as a number."
            )


def _ragged_words(array: NDArray[np.object_], elements: list[object], name: str) -> str:
    words = f"{name} is ragged: its rows must all have the same length"
    if array.ndim != 1:
        return f"{words}, with a number in every entry, not a sequence."
    shapes = [_shape_words(element) for element in elements]
    for row, shape in enumerate(shapes):
        if shape != shapes[0]:
            return f"{words}, but row 0 has {shapes[0]} and row {row} has {shape}."
    return f"{name} is an array of sequences, not of numbers: pass numpy.stack({name})."


def _shape_words(row: object) -> str:
    if isinstance(row, np.ndarray):
        return f"shape {row.shape}"
    return f"length {len(row)}" if isinstance(row, (list, tuple)) else "no length"


def _refuse_unconvertible(
    array: NDArray[np.object_], elements: list[object], name: str, where: Where
) -> None:
    """Find the entry whose own conversion failed, and raise in its words."""
    for flat, element in enumerate(elements):
        try:
            float(element)  # type: ignore[arg-type]  # whether it can is the question
        except (TypeError, ValueError, ArithmeticError) as error:
            place = where(unravel(flat, array.shape))
            refusal = TypeError if isinstance(error, TypeError) else ValueError
            raise refusal(
                f"{name} must hold numbers, but {place}, {_words(element)}, "
                f"is none that float64 can hold: {error}."
            ) from error
