"""Numpy arrays of any data type and layout to C-contiguous, aligned, native float64."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from harmonium.validation.objects import (
    MAX_EXACT_INTEGER,
    from_objects,
    refuse_complex,
    refuse_date,
    refuse_large_integer,
    refuse_text,
    warn_long_double,
)
from harmonium.validation.positions import Where, first_index
from harmonium.validation.typing import FloatArray


def from_numpy(
    array: NDArray[Any], name: str, where: Where, *, in_frame: bool = False
) -> FloatArray:
    """Convert an array of numbers to float64.

    Parameters
    ----------
    array
        Any shape, data type, byte order and strides; masked entries become NaN. Never written
        to; returned as it is, without a copy, only if nothing has to be done.
    name, where
        The argument's name, and how to name an entry by its index.
    in_frame
        Whether this is a column of a frame, where None is a missing value, not an error.

    Raises
    ------
    TypeError
        For text, dates, records and objects that are not numbers.
    ValueError
        For complex numbers and integers beyond 2**53.
    """
    if isinstance(array, np.ma.MaskedArray):
        return _from_masked(array, name, where)
    array = np.asarray(array)
    match array.dtype.kind:
        case "f":
            return _from_floats(array, name)
        case "b":
            return _cast(array)
        case "i" | "u":
            return _from_integers(array, name, where)
        case "O":
            return from_objects(array, name, where, in_frame=in_frame)
        case _:
            return _refuse(array, name, where)


def _cast(array: NDArray[Any]) -> FloatArray:
    # Overflow becomes infinity, which is refused later with its position; a caller's
    # np.errstate must not turn it into another error here.
    with np.errstate(all="ignore"):
        result = np.array(array, dtype=np.float64, order="C", copy=None)
    return result if result.flags.aligned else result.copy()


def _from_floats(array: NDArray[Any], name: str) -> FloatArray:
    if array.dtype.itemsize > 8:
        warn_long_double(name)
    return _cast(array)


def _from_integers(array: NDArray[Any], name: str, where: Where) -> FloatArray:
    if array.dtype.itemsize == 8 and array.size:
        too_large = int(array.max()) > MAX_EXACT_INTEGER or int(array.min()) < -MAX_EXACT_INTEGER
        if too_large:
            index = first_index((array > MAX_EXACT_INTEGER) | (array < -MAX_EXACT_INTEGER))
            refuse_large_integer(name, where(index), int(array[index]))
    return _cast(array)


def _from_masked(array: "np.ma.MaskedArray[Any, Any]", name: str, where: Where) -> FloatArray:
    mask = np.ma.getmaskarray(array)
    data = np.asarray(np.ma.getdata(array))
    if data.dtype.kind not in "fbiuO" or not mask.any():
        return from_numpy(data, name, where)
    # What lies under the mask is arbitrary: it must neither be refused nor seen.
    data = data.copy()
    data[mask] = 0
    result = from_numpy(data, name, where)
    result = result.copy() if np.may_share_memory(result, data) else result
    result[mask] = np.nan
    return result


def _refuse(array: NDArray[Any], name: str, where: Where) -> FloatArray:
    """Raise for a data type that holds no real numbers."""
    kind = array.dtype.kind
    if kind == "V":
        raise TypeError(
            f"{name} must hold numbers, but it is a structured array of {array.dtype}; pass "
            "numpy.lib.recfunctions.structured_to_unstructured of its numeric fields."
        )
    place, value = "its data type", str(array.dtype)
    if array.size:
        index: tuple[int, ...] = (0,) * array.ndim
        place, value = where(index), array[index]
        value = value.item() if kind in "US" else value
    if kind == "c":
        refuse_complex(name, place, value)
    if kind in "mM":
        refuse_date(name, place, value)
    refuse_text(name, place, value)
