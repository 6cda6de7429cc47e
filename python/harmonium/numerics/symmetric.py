"""Symmetric matrices: packing, factorising, and moving a singular covariance inside."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from harmonium.validation import FloatArray

#: Smallest eigenvalue left to a correlation matrix: above the rounding of a sum of products.
CORRELATION_FLOOR = 1e-13


def unpack_lower(entries: FloatArray, n: int, off_diagonal: float = 1.0) -> FloatArray:
    """Return symmetric (..., n, n) matrices from lower triangles (..., n (n + 1) / 2), row by row.

    Entries off the diagonal are multiplied by ``off_diagonal``: one half turns coefficients of
    ``x_i x_j`` into the symmetric matrix of the quadratic form.
    """
    i, j = np.tril_indices(n)
    scaled = entries * np.where(i == j, 1.0, off_diagonal)
    matrix = np.zeros((*entries.shape[:-1], n, n))
    matrix[..., i, j] = scaled
    matrix[..., j, i] = scaled
    return matrix


def pack_lower(matrix: FloatArray, off_diagonal: float = 1.0) -> FloatArray:
    """Return the lower triangles of (..., n, n) matrices, off the diagonal times ``off_diagonal``."""
    i, j = np.tril_indices(matrix.shape[-1])
    return matrix[..., i, j] * np.where(i == j, 1.0, off_diagonal)


def outer(left: FloatArray, right: FloatArray) -> FloatArray:
    """Return the outer products (..., n, m) of vectors (..., n) and (..., m)."""
    return left[..., :, None] * right[..., None, :]


def whitening(covariance: FloatArray) -> FloatArray:
    """Return the inverse Cholesky factors of (..., n, n) covariances; LinAlgError if there is none.

    Factorised as correlations, so that columns of very different scale cost no digits.
    """
    scale = np.sqrt(np.diagonal(covariance, axis1=-2, axis2=-1))
    root = np.linalg.cholesky(covariance / outer(scale, scale))
    identity = np.broadcast_to(np.eye(root.shape[-1]), root.shape)
    return np.tril(np.linalg.solve(root, identity)) / scale[..., None, :]


def log_determinant(matrix: FloatArray) -> FloatArray:
    """Return the log determinants (...) of positive definite (..., n, n) matrices."""
    scale = np.sqrt(np.diagonal(matrix, axis1=-2, axis2=-1))
    root = np.linalg.cholesky(matrix / outer(scale, scale))
    diagonal = np.diagonal(root, axis1=-2, axis2=-1)
    return np.asarray(2 * (np.log(diagonal) + np.log(scale)).sum(-1))


def positive_definite(matrix: FloatArray) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Return (...), whether :func:`whitening` has a factor of each of (..., n, n) matrices."""
    diagonal = np.diagonal(matrix, axis1=-2, axis2=-1)
    above = np.asarray((diagonal > 0).all(-1))
    scale = np.sqrt(np.where(above[..., None], diagonal, np.inf))
    correlation = np.where(
        above[..., None, None], matrix / outer(scale, scale), np.eye(matrix.shape[-1])
    )
    try:
        np.linalg.cholesky(correlation)
    except np.linalg.LinAlgError:
        each = correlation.reshape(-1, *matrix.shape[-2:])
        above &= np.array([_has_root(one) for one in each]).reshape(above.shape)
    return np.asarray(above)


def _has_root(correlation: FloatArray) -> bool:
    try:
        np.linalg.cholesky(correlation)
    except np.linalg.LinAlgError:
        return False
    return True


def inverse(matrix: FloatArray) -> FloatArray:
    """Return the inverses of symmetric positive definite (..., n, n) matrices."""
    factor = whitening(matrix)
    return factor.swapaxes(-1, -2) @ factor


@dataclass(frozen=True)
class Floored:
    """Covariances moved inside their domain, and whether any had to be."""

    covariance: FloatArray
    moved: bool


def floor_variances(variances: FloatArray, floor: FloatArray) -> Floored:
    """Return variances raised to at least ``floor`` (broadcast against them)."""
    low = variances < floor
    if not low.any():
        return Floored(variances, False)
    return Floored(np.where(low, floor, variances), True)


def floor_covariances(covariance: FloatArray, floor: FloatArray) -> Floored:
    """Return (K, n, n) covariances with variances of at least ``floor`` and no singular direction.

    The eigenvalues of the correlation matrix are raised to :data:`CORRELATION_FLOOR`: a bound
    relative to each matrix's own scale, so the result does not depend on units.
    """
    n = covariance.shape[-1]
    diagonal = floor_variances(np.diagonal(covariance, axis1=-2, axis2=-1), floor)
    out = covariance.copy()
    out[..., np.arange(n), np.arange(n)] = diagonal.covariance
    scale = np.sqrt(diagonal.covariance)
    correlation = out / outer(scale, scale)
    moved = diagonal.moved
    for k in range(len(out)):
        if _well_conditioned(correlation[k]):
            continue
        moved = True
        values, vectors = np.linalg.eigh(correlation[k])
        inside = (vectors * np.maximum(values, CORRELATION_FLOOR)) @ vectors.T
        out[k] = 0.5 * (inside + inside.T) * np.outer(scale[k], scale[k])
    return Floored(out, moved)


def _well_conditioned(correlation: FloatArray) -> bool:
    try:
        root = np.linalg.cholesky(correlation)
    except np.linalg.LinAlgError:
        return False
    pivots = np.diagonal(root) ** 2
    # the smallest pivot bounds the smallest eigenvalue from above
    if pivots.min() > 1e-6:
        return True
    return bool(np.linalg.eigvalsh(correlation)[0] >= CORRELATION_FLOOR)


def semidefinite_root(matrix: FloatArray, tolerance: float = 1e-14) -> FloatArray:
    """Return a root (n, rank) of a positive semidefinite (n, n) matrix: ``root @ root.T`` is it.

    Cholesky's factorisation with pivoting, of the correlations: directions whose share of a
    column's variance is below ``tolerance`` are rounding, and zero.
    """
    n = len(matrix)
    scale = np.sqrt(np.maximum(np.diagonal(matrix), 0.0))
    safe = np.where(scale > 0, scale, 1.0)
    left = matrix / outer(safe, safe)
    root = np.zeros((n, n))
    for rank in range(n):
        diagonal = np.diagonal(left)
        pivot = int(diagonal.argmax())
        if diagonal[pivot] <= tolerance * n:
            return np.ascontiguousarray(root[:, :rank] * scale[:, None])
        column = left[:, pivot] / np.sqrt(diagonal[pivot])
        root[:, rank] = column
        left = left - outer(column, column)
        # what has been explained exactly stays so
        left[pivot] = left[:, pivot] = 0.0
    return np.asarray(root * scale[:, None])


def lower_root(root: FloatArray) -> FloatArray:
    """Return the lower triangular (n, n) matrix, diagonal not negative, with the same product."""
    n, rank = root.shape
    wide = np.concatenate([root, np.zeros((n, max(0, n - rank)))], 1)
    lower = np.linalg.qr(wide.T)[1].T
    signs = np.where(np.diagonal(lower) < 0, -1.0, 1.0)
    return np.asarray(lower * signs)
