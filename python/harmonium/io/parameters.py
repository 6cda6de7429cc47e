"""What arrays of parameters must be: ValueError, naming the array, for those that are not."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harmonium.errors import ModelFileError
from harmonium.families.normal import LARGEST
from harmonium.numerics.symmetric import positive_definite
from harmonium.validation import FloatArray, check_square_symmetric

#: How far log weights may be from summing to one: above the rounding of very many of them.
_NORMALISED = 1e-9


def float_array(arrays: Mapping[str, NDArray[Any]], name: str) -> FloatArray:
    """Return an array of a file by its name; ModelFileError unless there is one of float64."""
    if name not in arrays:
        raise ModelFileError(f"contradicts itself: it has no array {name!r}")
    if arrays[name].dtype != np.float64:
        raise ModelFileError(
            f"contradicts itself: its array {name!r} is of {arrays[name].dtype}, not float64"
        )
    return arrays[name]


def check_shape(name: str, array: FloatArray, shape: tuple[int | None, ...]) -> None:
    """Check the lengths of all axes; None: any length but zero. All values must be finite."""
    fits = array.ndim == len(shape) and all(
        length > 0 if wanted is None else length == wanted
        for length, wanted in zip(array.shape, shape, strict=True)
    )
    if not fits:
        words = str(tuple("any" if n is None else n for n in shape)).replace("'", "")
        raise ValueError(f"{name}: shape {array.shape}, expected {words}")
    check_finite(name, array)


def check_finite(name: str, array: FloatArray) -> None:
    """Check that there is neither NaN nor infinity."""
    if not np.isfinite(array).all():
        raise ValueError(f"{name}: must be finite, but {_first(array, ~np.isfinite(array))}")


def check_above_zero(name: str, array: FloatArray) -> None:
    """Check that every value is above zero."""
    if not (array > 0).all():
        raise ValueError(f"{name}: must be above zero, but {_first(array, ~(array > 0))}")


def check_at_least_zero(name: str, array: FloatArray) -> None:
    """Check that every value is zero or above."""
    if not (array >= 0).all():
        raise ValueError(f"{name}: must be at least zero, but {_first(array, ~(array >= 0))}")


def check_magnitude(name: str, array: FloatArray, most: float = LARGEST) -> None:
    """Check that no value is so large that its square, or that of a sum, would not be a number."""
    beyond = np.abs(array) > most
    if beyond.any():
        raise ValueError(f"{name}: must be within {most:g}, but {_first(array, beyond)}")


def check_covariances(name: str, matrices: FloatArray) -> None:
    """Check that every matrix of a stack (count, n, n) is symmetric and positive definite."""
    check_square_symmetric(matrices, name=name)
    with np.errstate(all="ignore"):
        fine = positive_definite(matrices)
    if not fine.all():
        member = int(np.argmin(fine))
        raise ValueError(f"{name}: must be positive definite, but matrix {member} is not")


def check_log_weights(name: str, log_weights: FloatArray) -> None:
    """Check that every row holds logarithms of weights that sum to one."""
    with np.errstate(over="ignore", under="ignore"):
        totals = np.exp(log_weights).sum(-1)
    wrong = ~(np.abs(totals - 1) <= _NORMALISED)
    if wrong.any():
        row = int(np.argmax(wrong))
        raise ValueError(
            f"{name}: weights must sum to one, but those of row {row} do to {totals[row]}"
        )


def _first(array: FloatArray, wrong: NDArray[np.bool_]) -> str:
    index = tuple(int(i) for i in np.argwhere(wrong)[0])
    return f"entry {list(index)} is {array[index]}" if index else f"it is {array}"
