"""What people's parameters share: checks by name, and arrays side by side."""

import numpy as np

from harmonium.validation import FloatArray, as_floats


def positive(value: object, name: str) -> FloatArray:
    """Return a parameter as float64, (..., n), if all of it is above zero and finite."""
    array = np.atleast_1d(as_floats(value, name=name))
    return _require(array, np.isfinite(array) & (array > 0), name, "above zero and finite")


def not_negative(value: object, name: str) -> FloatArray:
    """Return a parameter as float64, (..., n), if all of it is zero or above, and finite."""
    array = np.atleast_1d(as_floats(value, name=name))
    return _require(array, np.isfinite(array) & (array >= 0), name, "zero or above, and finite")


def probability(value: object, name: str = "probability") -> FloatArray:
    """Return a parameter as float64, (..., n), if all of it lies strictly between 0 and 1."""
    array = np.atleast_1d(as_floats(value, name=name))
    return _require(array, (array > 0) & (array < 1), name, "strictly between 0 and 1")


def side_by_side(*parts: FloatArray) -> FloatArray:
    """Return the parts, broadcast against each other, joined along the last axis."""
    return np.concatenate(np.broadcast_arrays(*parts), -1)


def _require(array: FloatArray, holds: object, name: str, rule: str) -> FloatArray:
    broken = np.argwhere(~np.asarray(holds))
    if len(broken):
        place = tuple(int(i) for i in broken[0])
        raise ValueError(f"{name}{list(place)}: must be {rule}; got {array[place]}")
    return array
