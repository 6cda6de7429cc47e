"""Symmetric and positive definite matrices, one or a stack of them."""

from typing import NoReturn

import numpy as np
from numpy.typing import NDArray

from harmonium.validation.convert import as_floats
from harmonium.validation.finite import check_finite
from harmonium.validation.positions import Index, first_index
from harmonium.validation.typing import FloatArray
from harmonium.validation.warning import warn_caller

_SYMMETRY_TOLERANCE = 1e-10
_MAX_CONDITION = 1e12


def check_square_symmetric(matrix: object, *, name: str) -> FloatArray:
    """Convert a matrix or a stack of them, (..., d, d), to float64 and make it exactly symmetric.

    Entries (i, j) and (j, i) may differ by 1e-10 of the larger of them or of √(aᵢᵢ aⱼⱼ), the bound
    of a covariance, so that columns of small scale are not judged by those of large scale.

    Parameters
    ----------
    matrix
        Anything that `as_table` converts, of two or more axes.
    name
        The argument's name, for messages.

    Returns
    -------
    FloatArray
        The mean of the matrix and its transpose; the input itself if that is symmetric.

    Raises
    ------
    TypeError
        For what holds no numbers, as in `as_table`.
    ValueError
        For matrices that are not square, not finite or not symmetric.
    """
    array = as_floats(matrix, name=name)
    if array.ndim < 2 or array.shape[-1] != array.shape[-2] or not array.shape[-1]:
        raise ValueError(
            f"{name} must be a square matrix or a stack of them, of shape (..., d, d), but its "
            f"shape is {array.shape}."
        )
    check_finite(array, name)
    transposed = array.mT
    if np.array_equal(array, transposed):
        return array
    with np.errstate(all="ignore"):
        asymmetric = np.abs(array - transposed) > _SYMMETRY_TOLERANCE * _symmetry_scale(array)
    if asymmetric.any():
        _refuse_asymmetric(array, first_index(asymmetric), name)
    with np.errstate(under="ignore"):
        return np.add(0.5 * array, 0.5 * transposed, order="C")


def check_positive_definite(matrix: object, *, name: str) -> FloatArray:
    """Check that one matrix or every matrix of a stack, (..., d, d), is positive definite.

    Definiteness is judged after scaling to a unit diagonal, which does not change it, but spares a
    covariance of columns of very different scale from being refused for rounding: the smallest
    eigenvalue then must exceed d ε times the largest, ε = 2.2e-16, or the matrix is singular to
    working precision.

    Parameters
    ----------
    matrix
        Anything that `as_table` converts, of two or more axes.
    name
        The argument's name, for messages.

    Returns
    -------
    FloatArray
        As `check_square_symmetric`.

    Raises
    ------
    TypeError
        For what holds no numbers, as in `as_table`.
    ValueError
        As `check_square_symmetric`; for a matrix that is not positive definite, with its smallest
        eigenvalue.

    Warns
    -----
    DataWarning
        If the condition number of a matrix, as it is given, exceeds 1e12.
    """
    array = check_square_symmetric(matrix, name=name)
    if not array.size:
        return array
    diagonal = np.diagonal(array, axis1=-2, axis2=-1)
    within: NDArray[np.bool_]
    with np.errstate(all="ignore"):
        deviation = np.sqrt(np.maximum(diagonal, 0.0))
        scaled = array / deviation[..., :, None] / deviation[..., None, :]
        # |aᵢⱼ| ≤ √(aᵢᵢ aⱼⱼ) is necessary; it fails for NaN too, of a diagonal of zero.
        within = np.asarray((np.abs(scaled) <= 1.0 + 1e-8).all(axis=(-2, -1)))
    if not within.all():
        _refuse_indefinite(array, first_index(~within), name)
    eigenvalues = np.linalg.eigvalsh(scaled)
    smallest, largest = eigenvalues[..., 0], eigenvalues[..., -1]
    singular: NDArray[np.bool_] = np.asarray(
        smallest <= array.shape[-1] * np.finfo(np.float64).eps * largest
    )
    if singular.any():
        _refuse_indefinite(array, first_index(singular), name, float(smallest[singular][0]))
    with np.errstate(over="ignore"):
        bound = (largest / smallest) * (diagonal.max(axis=-1) / diagonal.min(axis=-1))
    if bound.max() > _MAX_CONDITION:  # a bound of the condition number, without its eigenvalues
        _warn_condition(array, largest / smallest, name)
    return array


def _symmetry_scale(array: FloatArray) -> FloatArray:
    magnitude = np.maximum(np.abs(array), np.abs(array.mT))
    diagonal = np.diagonal(magnitude, axis1=-2, axis2=-1)
    # A diagonal of zero, as of couplings, says nothing of the scale of its row.
    root = np.sqrt(np.where(diagonal > 0, diagonal, magnitude.max(axis=-1)))
    scale: FloatArray = np.maximum(magnitude, root[..., :, None] * root[..., None, :])
    return scale


def _refuse_asymmetric(array: FloatArray, index: Index, name: str) -> NoReturn:
    *stack, row, column = index
    mirrored = (*stack, column, row)
    raise ValueError(
        f"{name} must be symmetric, but{_stack_words(tuple(stack))} entry ({row}, {column}) is "
        f"{array[index]} and entry ({column}, {row}) is {array[mirrored]}. If that is rounding, "
        f"pass ({name} + {name}.T) / 2."
    )


def _refuse_indefinite(
    array: FloatArray, stack: Index, name: str, scaled_eigenvalue: float | None = None
) -> NoReturn:
    smallest = _eigenvalues(array[stack])[0]
    words = f"its smallest eigenvalue is {smallest:.6g}"
    if smallest > 0 and scaled_eigenvalue is not None:
        words = (
            f"its smallest eigenvalue, once it is scaled to a unit diagonal, is "
            f"{scaled_eigenvalue:.6g}, zero to working precision"
        )
    raise ValueError(
        f"{name} must be positive definite, but{_stack_words(stack)} {words}. Drop columns that "
        "are combinations of others, or add a small multiple of the diagonal to it."
    )


def _warn_condition(array: FloatArray, scaled_condition: FloatArray, name: str) -> None:
    """Warn of the worst conditioned matrix, given the condition after scaling of each."""
    worst: Index = ()
    condition = 0.0
    for stack in np.ndindex(scaled_condition.shape):
        eigenvalues = _eigenvalues(array[stack])
        with np.errstate(over="ignore"):
            ratio = eigenvalues[-1] / eigenvalues[0] if eigenvalues[0] > 0 else np.inf
        if ratio > condition:
            worst, condition = stack, float(ratio)
    if condition <= _MAX_CONDITION:
        return
    cause = (
        "some columns are almost combinations of others, so digits will be lost"
        if scaled_condition[worst] > _MAX_CONDITION
        else "the columns are of very different scale: consider other units"
    )
    number = f"{condition:.3g}" if np.isfinite(condition) else "more than 1e16"
    warn_caller(
        f"{name}{_stack_words(worst)} has a condition number of {number}, above 1e12: {cause}."
    )


def _stack_words(stack: Index) -> str:
    match stack:
        case ():
            return ""
        case (place,):
            return f" in matrix {place} of the stack"
        case _:
            return f" in matrix {stack} of the stack"


def _eigenvalues(matrix: FloatArray) -> FloatArray:
    """Return the eigenvalues of one matrix of any magnitude, smallest first."""
    with np.errstate(all="ignore"):
        scale = np.abs(matrix).max() or 1.0
        return np.linalg.eigvalsh(matrix / scale) * scale
