"""Wishart laws of positive definite matrices."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from harmonium.families.base import ExponentialFamily, Indices, distinct
from harmonium.numerics.multivariate_gamma import (
    inverse_log_less_multivariate_digamma,
    least_argument,
    log_less_multivariate_digamma,
    log_multivariate_gamma,
    multivariate_gamma_entropy,
    multivariate_trigamma,
)
from harmonium.numerics.symmetric import (
    CORRELATION_FLOOR,
    floor_covariances,
    inverse,
    log_determinant,
    pack_lower,
    positive_definite,
    unpack_lower,
    whitening,
)
from harmonium.validation import FloatArray, as_count, as_floats, check_positive_definite

#: Entries on the diagonal of the inverse scale lie between one over this and this.
LARGEST_SCALE = 1e100


class WishartParameters(NamedTuple):
    """People's parameters: scale matrices (..., n, n) and degrees of freedom (...)."""

    scale: FloatArray
    degrees_of_freedom: FloatArray


@dataclass(frozen=True)
class Wishart(ExponentialFamily):
    """Laws of positive definite n x n matrices, given as their lower triangles row by row.

    ``s(W) = (low(W), log det W)``, base measure ``det(W)**(-(n + 1) / 2)``,
    ``theta = (-V**-1 / 2, twice that off the diagonal; nu / 2)`` with scale V and nu degrees of
    freedom, ``psi = nu/2 (n log 2 + log det V) + log Gamma_n(nu/2)`` (Muirhead, 1982, 3.2); nu
    from above n - 1 to 2e13. The mean is ``nu V``. Maximum likelihood of matrices so alike that
    nu would pass 2e12 is held there.

    Parameters
    ----------
    n : int
        Rows of a matrix.
    """

    n: int = 1

    #: Most halves of degrees of freedom of a point ...
    MAX_HALF = 1e13
    #: ... and of an estimate: beyond, rounding alone tells how alike matrices are.
    MAX_ESTIMATE = 1e12

    def __post_init__(self) -> None:
        object.__setattr__(self, "n", as_count(self.n, name="n"))

    @property
    def dimension(self) -> int:
        """Length of natural and mean vectors: n (n + 1) / 2 + 1."""
        return self.n_features + 1

    @property
    def n_features(self) -> int:
        """Columns of an observation: n (n + 1) / 2."""
        return self.n * (self.n + 1) // 2

    @property
    def location(self) -> Indices:
        """The entries of the matrix."""
        return np.arange(self.n_features)

    def _inverse_scale(self, natural: FloatArray) -> FloatArray:
        return -2 * unpack_lower(natural[..., :-1], self.n, 0.5)

    def _statistic(self, x: FloatArray) -> FloatArray:
        return np.concatenate([x, log_determinant(unpack_lower(x, self.n))[..., None]], -1)

    def _log_base_measure(self, x: FloatArray) -> FloatArray:
        return -0.5 * (self.n + 1) * log_determinant(unpack_lower(x, self.n))

    def _expected_log_base_measure(self, natural: FloatArray) -> FloatArray:
        return -0.5 * (self.n + 1) * self._to_mean(natural)[..., -1]

    def _log_partition(self, natural: FloatArray) -> FloatArray:
        half = natural[..., -1]
        bulk = self.n * np.log(2) - log_determinant(self._inverse_scale(natural))
        return np.asarray(half * bulk + log_multivariate_gamma(half, self.n))

    def _to_mean(self, natural: FloatArray) -> FloatArray:
        half = natural[..., -1:]
        expected = 2 * half[..., None] * inverse(self._inverse_scale(natural))
        # log det of the mean, less what the logarithm's bend costs
        spare = log_less_multivariate_digamma(half[..., 0], self.n)
        log_det = log_determinant(expected) - spare
        return np.concatenate([pack_lower(expected), log_det[..., None]], -1)

    def _spare(self, mean: FloatArray) -> FloatArray:
        """Log det of the mean, less the mean log det: falls from infinity to zero as nu grows."""
        return log_determinant(unpack_lower(mean[..., :-1], self.n)) - mean[..., -1]

    def _spare_at(self, half: float) -> float:
        return float(log_less_multivariate_digamma(np.array(half), self.n))

    def _to_natural(self, mean: FloatArray) -> FloatArray:
        half = inverse_log_less_multivariate_digamma(self._spare(mean), self.n)
        half = np.minimum(half, self.MAX_HALF)[..., None]
        inverse_mean = inverse(unpack_lower(mean[..., :-1], self.n))
        return np.concatenate([pack_lower(-half[..., None] * inverse_mean, 2.0), half], -1)

    def _fisher_information(self, natural: FloatArray) -> FloatArray:
        # cov(W_ij, W_kl) = nu (V_ik V_jl + V_il V_jk), cov(W_ij, log det W) = 2 V_ij
        half = natural[..., -1]
        scale = inverse(self._inverse_scale(natural))
        i, j = np.tril_indices(self.n)
        matrix = np.empty((*natural.shape, self.dimension))

        def pick(a: Any, b: Any) -> FloatArray:
            return np.asarray(scale[..., a[:, None], b[None, :]])

        pairs = pick(i, i) * pick(j, j) + pick(i, j) * pick(j, i)
        matrix[..., :-1, :-1] = half[..., None, None] * (pairs + pairs.swapaxes(-1, -2))
        matrix[..., :-1, -1] = matrix[..., -1, :-1] = 2 * pack_lower(scale)
        matrix[..., -1, -1] = multivariate_trigamma(half, self.n)
        return matrix

    def _entropy(self, natural: FloatArray) -> FloatArray:
        n = self.n
        bulk = n * np.log(2) - log_determinant(self._inverse_scale(natural))
        return np.asarray(0.5 * (n + 1) * bulk + multivariate_gamma_entropy(natural[..., -1], n))

    def _roots(self, natural: FloatArray, rng: np.random.Generator) -> FloatArray:
        """Roots R (..., n, n) of draws R RT, by Bartlett's (1933) decomposition."""
        shape = natural.shape[:-1]
        bartlett = np.tril(rng.standard_normal((*shape, self.n, self.n)), -1)
        i = np.arange(self.n)
        chi_squared = 2 * rng.standard_gamma(natural[..., -1:] - 0.5 * i)
        # with next to no freedom they underflow, and zero lies off the support
        bartlett[..., i, i] = np.sqrt(np.maximum(chi_squared, np.finfo(float).tiny))
        factor = whitening(self._inverse_scale(distinct(natural)))
        return np.asarray(factor.swapaxes(-1, -2) @ bartlett)

    def _sample(self, natural: FloatArray, rng: np.random.Generator) -> FloatArray:
        return self._from_roots(self._roots(natural, rng))

    def _from_roots(self, roots: FloatArray) -> FloatArray:
        """Draws (..., n_features); what rounding leaves singular is moved inside by 1e-13."""
        x = pack_lower(roots @ roots.swapaxes(-1, -2))
        flat = x.reshape(-1, self.n_features)
        i, j = np.tril_indices(self.n)
        shifted = unpack_lower(flat * np.where(i == j, 1 - CORRELATION_FLOOR, 1.0), self.n)
        singular = np.flatnonzero(~positive_definite(shifted))
        if len(singular):
            floor = np.array(np.finfo(float).tiny)
            moved = floor_covariances(unpack_lower(flat[singular], self.n), floor)
            flat[singular] = pack_lower(moved.covariance)
        return flat.reshape(x.shape)

    def _outside(self, natural: FloatArray) -> tuple[Any, str] | None:
        mask = natural[..., -1] < least_argument(self.n)
        if np.any(mask):
            return mask, f"degrees of freedom must be above n - 1 = {self.n - 1}"
        mask = natural[..., -1] > self.MAX_HALF * (1 + 1e-12)
        if np.any(mask):
            return mask, "degrees of freedom must be at most 2e13"
        return scale_outside(self._inverse_scale(natural))

    def _on_boundary(self, mean: FloatArray) -> tuple[Any, str] | None:
        mask = ~positive_definite(unpack_lower(mean[..., :-1], self.n))
        if np.any(mask):
            return mask, "the mean must be positive definite"
        spare = self._spare(mean)
        mask = spare < 0.5 * self._spare_at(self.MAX_HALF)
        if np.any(mask):
            return mask, "the mean log determinant must be below the log determinant of the mean"
        mask = spare > 2 * self._spare_at(least_argument(self.n))
        rule = "the mean log determinant must not be so low: degrees of freedom would be n - 1"
        return (mask, rule) if np.any(mask) else None

    def _definite(self, mean: FloatArray) -> FloatArray:
        """Means whose matrices are moved off the singular ones."""
        flat = mean.reshape(-1, self.dimension)
        floor = np.array(np.finfo(float).tiny)
        floored = floor_covariances(unpack_lower(flat[:, :-1], self.n), floor)
        inside = flat.copy()
        if floored.moved:
            inside[:, :-1] = pack_lower(floored.covariance)
        return inside.reshape(mean.shape)

    def _held(self, spare: FloatArray) -> FloatArray:
        """What the mean log determinant may lie below that of the mean: some, but not too far."""
        least, most = self._spare_at(self.MAX_ESTIMATE), self._spare_at(least_argument(self.n))
        return np.clip(spare, least, most)

    def _inside(self, mean: FloatArray) -> FloatArray:
        inside = self._definite(mean)
        spare = self._spare(inside)
        inside[..., -1] += spare - self._held(spare)
        return inside

    def _tied_natural(
        self, weights: FloatArray, mean: FloatArray, start: FloatArray | None = None
    ) -> FloatArray:
        spare = (weights * self._spare(mean)).sum(-1)
        known = spare >= 0.5 * self._spare_at(self.MAX_HALF)
        half = inverse_log_less_multivariate_digamma(np.where(known, spare, 1.0), self.n)
        half = np.where(known, np.minimum(half, self.MAX_HALF), np.nan)[..., None, None]
        inverse_mean = inverse(unpack_lower(mean[..., :-1], self.n))
        triangle = pack_lower(-half[..., None] * inverse_mean, 2.0)
        return np.concatenate([triangle, np.broadcast_to(half, (*triangle.shape[:-1], 1))], -1)

    def _tied_inside(self, weights: FloatArray, mean: FloatArray) -> FloatArray:
        inside = self._definite(mean)
        spare = (weights * self._spare(inside)).sum(-1, keepdims=True)
        inside[..., -1] += spare - self._held(spare)
        return inside

    def _check_support(self, x: FloatArray, name: str) -> None:
        check_triangles(x, self.n, name)

    def from_parameters(self, *, scale: object, degrees_of_freedom: object) -> FloatArray:  # type: ignore[override]
        """Return natural parameters of scales (..., n, n) and degrees of freedom (...), above n - 1."""
        matrix = check_positive_definite(scale, name="scale")
        if matrix.shape[-2:] != (self.n, self.n):
            raise ValueError(f"scale: shape {matrix.shape}, expected (..., {self.n}, {self.n})")
        freedom = as_floats(degrees_of_freedom, name="degrees_of_freedom")
        triangle = pack_lower(-0.5 * inverse(matrix), 2.0)
        batch = np.broadcast_shapes(freedom.shape, triangle.shape[:-1])
        triangle = np.broadcast_to(triangle, (*batch, self.n_features))
        half = np.broadcast_to(0.5 * freedom[..., None], (*batch, 1))
        return self.check_natural(np.concatenate([triangle, half], -1), "degrees_of_freedom")

    def to_parameters(self, natural: object) -> WishartParameters:
        """Return scales (..., n, n) and degrees of freedom (...)."""
        point = self.check_natural(natural)
        return WishartParameters(inverse(self._inverse_scale(point)), 2 * point[..., -1])


def scale_outside(inverse_scale: FloatArray) -> tuple[Any, str] | None:
    """A mask of inverse scales (..., n, n) outside the domain and the rule they break, or None."""
    mask = ~positive_definite(inverse_scale)
    if np.any(mask):
        return mask, "the inverse of the scale must be positive definite"
    diagonal = np.diagonal(inverse_scale, axis1=-2, axis2=-1)
    mask = np.asarray(((diagonal < 1 / LARGEST_SCALE) | (diagonal > LARGEST_SCALE)).any(-1))
    rule = f"scales must be within {LARGEST_SCALE} of one: choose other units"
    return (mask, rule) if np.any(mask) else None


def check_triangles(x: FloatArray, n: int, name: str) -> None:
    """ValueError for the first row that is no lower triangle of a positive definite matrix.

    Of rows with missing entries only the diagonal is looked at.
    """
    i, j = np.tril_indices(n)
    rule = f"every row must be the lower triangle of a positive definite {n} x {n} matrix"
    with np.errstate(invalid="ignore"):
        below = (x[:, i == j] <= 0).any(-1)
    if below.any():
        row = int(np.argmax(below))
        raise ValueError(f"{name}: {rule}, but the diagonal of row {row} is {x[row, i == j]}")
    whole = np.flatnonzero(~np.isnan(x).any(-1))
    broken = ~positive_definite(unpack_lower(x[whole], n))
    if broken.any():
        row = int(whole[np.argmax(broken)])
        smallest = np.linalg.eigvalsh(unpack_lower(x[row], n))[0]
        raise ValueError(f"{name}: {rule}, but the smallest eigenvalue of row {row} is {smallest}")
