"""Normal laws: full, diagonal and isotropic covariance."""

from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np

from harmonium.families.base import ColumnUnits, Completed, ExponentialFamily, Indices, distinct
from harmonium.families.normal_stack import NormalPrepared, Shape, natural_scale, overall_scale
from harmonium.families.tied import average
from harmonium.numerics.symmetric import (
    cholesky,
    inverse,
    outer,
    pack_lower,
    positive_definite,
    unpack_lower,
    whitening,
)
from harmonium.validation import (
    FloatArray,
    as_count,
    as_floats,
    check_finite,
    check_positive_definite,
)

_LOG_2PI = float(np.log(2 * np.pi))
#: Largest mean, standard deviation and observation: fourth powers of it are still numbers.
LARGEST = 1e75


class NormalParameters(NamedTuple):
    """People's parameters: means (..., n) and covariance matrices (..., n, n)."""

    mean: FloatArray
    covariance: FloatArray


@dataclass(frozen=True)
class Normal(ExponentialFamily):
    """Multivariate normal laws.

    ``s(x) = (x, low(x xT))`` for a full covariance, the lower triangle row by row; ``(x, x**2)``
    for a diagonal one; ``(x, |x|**2)`` for an isotropic one. Base measure ``(2 pi)**(-n/2)``,
    ``psi = -1/4 m . S**-1 m - 1/2 log det(-2 S)`` where ``x . m + x . S x`` is the exponent.
    Off the diagonal a natural parameter is twice the entry of S. Means, standard deviations and
    observations lie within 1e75. Far from the origin natural coordinates lose digits: a mean of
    1e7 standard deviations costs 0.003 nats of a log density.

    Parameters
    ----------
    n : int
        Dimension.
    covariance : {"full", "diagonal", "isotropic"}
        Shape of the covariance matrix.
    """

    n: int = 1
    covariance: Literal["full", "diagonal", "isotropic"] = "full"

    def __post_init__(self) -> None:
        object.__setattr__(self, "n", as_count(self.n, name="n"))
        if self.covariance not in ("full", "diagonal", "isotropic"):
            raise ValueError(
                f'covariance: "full", "diagonal" or "isotropic"; got {self.covariance!r}'
            )

    @property
    def _shape(self) -> Shape:
        return Shape(self.covariance)

    @property
    def dimension(self) -> int:
        """Length of natural and mean vectors."""
        return self.n + self._shape.second_moments(self.n)

    @property
    def n_features(self) -> int:
        """Columns of an observation: n."""
        return self.n

    @property
    def location(self) -> Indices:
        """The coordinates themselves."""
        return np.arange(self.n)

    @property
    def holds_products(self) -> bool:
        """Whether every product x_i x_j is in the statistic: for full covariances."""
        return self.covariance == "full" or self.n == 1

    @property
    def independent_columns(self) -> bool:
        """Whether the covariance is diagonal."""
        return self.covariance != "full" or self.n == 1

    @property
    def standardisation(self) -> tuple[ColumnUnits, ...]:
        """Each column has its scale, but for isotropic covariances."""
        return (ColumnUnits("common" if self.covariance == "isotropic" else "each", self.n),)

    # ------------------------------------------------- the quadratic form, what linear rules ask for

    def quadratic(self, natural: FloatArray) -> FloatArray:
        """The symmetric S of the exponent ``x . S x``, (..., n, n)."""
        return self._matrix(natural[..., self.n :], 0.5)

    def _matrix(self, entries: FloatArray, off_diagonal: float) -> FloatArray:
        if self.covariance == "full":
            return unpack_lower(entries, self.n, off_diagonal)
        return entries[..., None, :] * np.eye(self.n)

    def pack_quadratic(self, location: FloatArray, quadratic: FloatArray) -> FloatArray:
        """Natural parameters of the exponent ``location . x + x . quadratic x``."""
        if self.covariance == "full":
            entries = pack_lower(quadratic, 2.0)
        else:
            entries = np.diagonal(quadratic, axis1=-2, axis2=-1)
            if self.covariance == "isotropic":
                entries = entries.mean(-1, keepdims=True)
        batch = np.broadcast_shapes(location.shape[:-1], entries.shape[:-1])
        return np.concatenate(
            [
                np.broadcast_to(location, (*batch, self.n)),
                np.broadcast_to(entries, (*batch, entries.shape[-1])),
            ],
            -1,
        )

    def location_moments(self, mean: FloatArray) -> tuple[FloatArray, FloatArray]:
        """E[x] and the second moments that the statistic holds, as (..., n, n) matrices.

        Isotropic: the sum of squares spread evenly over the diagonal.
        """
        entries = mean[..., self.n :]
        if self.covariance == "isotropic":
            entries = entries / self.n
        return mean[..., : self.n], self._matrix(entries, 1.0)

    def pack_moments(self, first: FloatArray, second: FloatArray) -> FloatArray:
        """Mean parameters of first moments and (..., n, n) second moments."""
        return np.concatenate([first, self._pack_second(second)], -1)

    def _pack_second(self, second: FloatArray) -> FloatArray:
        if self.covariance == "full":
            return pack_lower(second)
        diagonal = np.diagonal(second, axis1=-2, axis2=-1)
        if self.covariance == "isotropic":
            return np.asarray(diagonal.sum(-1, keepdims=True))
        return np.asarray(diagonal)

    # ------------------------------------------------------------------------------ the family

    def _statistic(self, x: FloatArray) -> FloatArray:
        return np.concatenate([x, self._shape.squares(x)], -1)

    def _log_base_measure(self, x: FloatArray) -> FloatArray:
        return np.full(len(x), -0.5 * self.n * _LOG_2PI)

    def _expected_log_base_measure(self, natural: FloatArray) -> FloatArray:
        return np.full(natural.shape[:-1], -0.5 * self.n * _LOG_2PI)

    def _log_partition(self, natural: FloatArray) -> FloatArray:
        location = natural[..., : self.n]
        if self.covariance == "full":
            # of the precision P = L LT: |L**-1 m|**2 / 2 - log det L
            factor = whitening(-2 * self.quadratic(natural))
            white = np.einsum("...ij,...j->...i", factor, location)
            log_root = np.log(np.diagonal(factor, axis1=-2, axis2=-1)).sum(-1)
            return np.asarray(0.5 * (white**2).sum(-1) + log_root)
        precision = np.broadcast_to(-2 * natural[..., self.n :], location.shape)
        return np.asarray(0.5 * (location**2 / precision - np.log(precision)).sum(-1))

    def _log_density(self, natural: FloatArray, x: FloatArray) -> FloatArray:
        if self.covariance != "full" or natural.ndim > 1:
            return super()._log_density(natural, x)
        # one law, of the precision P = L LT: log det L - |LT (x - P**-1 m)|**2 / 2
        root = cholesky(-2 * self.quadratic(natural))
        mean = self._mean_and_covariance(natural)[0]
        white = (x - mean) @ root
        log_norm = np.log(np.diagonal(root)).sum() - 0.5 * self.n * _LOG_2PI
        return np.asarray(log_norm - 0.5 * np.einsum("ni,ni->n", white, white))

    def _mean_and_covariance(self, natural: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Means (..., n) and covariances as the shape stores them: (..., n, n), (..., n), (..., 1)."""
        location = natural[..., : self.n]
        if self.covariance == "full":
            covariance = inverse(-2 * self.quadratic(natural))
            return np.einsum("...ij,...j->...i", covariance, location), covariance
        variance = -0.5 / natural[..., self.n :]
        return location * variance, variance

    def _from_mean_and_covariance(self, mean: FloatArray, covariance: FloatArray) -> FloatArray:
        if self.covariance == "full":
            precision = inverse(covariance)
            location = np.einsum("...ij,...j->...i", precision, mean)
            return np.concatenate([location, pack_lower(-0.5 * precision, 2.0)], -1)
        return np.concatenate([mean / covariance, -0.5 / covariance], -1)

    def _to_mean(self, natural: FloatArray) -> FloatArray:
        mean, covariance = self._mean_and_covariance(natural)
        if self.covariance == "full":
            return np.concatenate([mean, pack_lower(covariance + outer(mean, mean))], -1)
        if self.covariance == "diagonal":
            return np.concatenate([mean, covariance + mean**2], -1)
        total = self.n * covariance + (mean**2).sum(-1, keepdims=True)
        return np.concatenate([mean, total], -1)

    def _central(self, mean: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Means and covariances of mean parameters, as the shape stores them."""
        first, second = mean[..., : self.n], mean[..., self.n :]
        if self.covariance == "full":
            return first, unpack_lower(second, self.n) - outer(first, first)
        if self.covariance == "diagonal":
            return first, second - first**2
        return first, (second - (first**2).sum(-1, keepdims=True)) / self.n

    def _to_natural(self, mean: FloatArray) -> FloatArray:
        return self._from_mean_and_covariance(*self._central(mean))

    def _tied_natural(
        self, weights: FloatArray, mean: FloatArray, start: FloatArray | None = None
    ) -> FloatArray:
        # the covariance within components, NaN where it is none
        centre = mean[..., : self.n]
        between = average(weights, self._shape.squares(centre))
        second = average(weights, mean[..., self.n :]) - between
        pooled = np.concatenate([np.zeros_like(centre[..., 0, :]), second], -1)
        broken = self._on_boundary(pooled)
        none = np.zeros(pooled.shape[:-1], dtype=bool) if broken is None else broken[0]
        standard = self._to_mean(self._standard())
        within = self._central(np.where(none[..., None], standard, pooled))[1]
        batch = (*centre.shape[:-1], *within.shape[centre.ndim - 2 :])
        covariance = np.broadcast_to(np.expand_dims(within, centre.ndim - 2), batch)
        natural = self._from_mean_and_covariance(centre, covariance)
        return np.where(none[..., None, None], np.nan, natural)

    def _standard(self) -> FloatArray:
        """Natural parameters of independent standard normals."""
        covariance = self._shape.of_scale(np.ones(self.n))
        return self._from_mean_and_covariance(np.zeros(self.n), covariance)

    def _fisher_information(self, natural: FloatArray) -> FloatArray:
        # covariance of (x, x xT): Isserlis' theorem
        mean, covariance = self._mean_and_covariance(natural)
        if self.covariance != "full":
            covariance = np.broadcast_to(covariance, mean.shape)[..., None] * np.eye(self.n)
        i, j = np.tril_indices(self.n)
        if self.covariance != "full":
            i = j = np.arange(self.n)
        c, m = covariance, mean

        def pick(a: Any, b: Any) -> FloatArray:
            return np.asarray(c[..., a[:, None], b[None, :]])

        cross = (
            pick(np.arange(self.n), i) * m[..., None, j]
            + pick(np.arange(self.n), j) * m[..., None, i]
        )
        square = (
            pick(i, i) * pick(j, j)
            + pick(i, j) * pick(j, i)
            + m[..., i, None] * m[..., None, i] * pick(j, j)
            + m[..., i, None] * m[..., None, j] * pick(j, i)
            + m[..., j, None] * m[..., None, i] * pick(i, j)
            + m[..., j, None] * m[..., None, j] * pick(i, i)
        )
        square = 0.5 * (square + square.swapaxes(-1, -2))
        if self.covariance == "isotropic":
            cross = cross.sum(-1, keepdims=True)
            square = square.sum((-1, -2), keepdims=True)
        top = np.concatenate([c, cross], -1)
        bottom = np.concatenate([cross.swapaxes(-1, -2), square], -1)
        return np.concatenate([top, bottom], -2)

    def _sample(self, natural: FloatArray, rng: np.random.Generator) -> FloatArray:
        noise = rng.standard_normal((*natural.shape[:-1], self.n))
        natural = distinct(natural)
        if self.covariance != "full":
            mean, variance = self._mean_and_covariance(natural)
            return mean + np.sqrt(variance) * noise
        # with P = L LT, L**-T noise has covariance P**-1
        factor = whitening(-2 * self.quadratic(natural))
        white = np.einsum("...ij,...j->...i", factor, natural[..., : self.n])
        if factor.size == self.n**2:  # one law: a product of matrices
            return np.asarray((noise + white) @ factor.reshape(self.n, self.n))
        return np.asarray(np.einsum("...ji,...j->...i", factor, noise + white))

    def _complete(self, natural: FloatArray, x: FloatArray, observed: Indices) -> Completed:
        stack = self._prepare(natural[None])
        missing, regression, left = stack.conditional(observed)
        part = stack.restrict(observed)
        means, seen = stack.means[0], x - stack.means[0][observed]
        full = np.empty((len(x), self.n))
        full[:, observed] = x
        full[:, missing] = means[missing] + seen @ regression[0].T
        spread = np.zeros((self.n, self.n))
        spread[np.ix_(missing, missing)] = left[0]
        statistic = self._statistic(full)
        statistic[:, self.n :] += self._pack_second(spread)
        return Completed(part.evaluate(x)[:, 0], statistic)

    def _outside(self, natural: FloatArray) -> tuple[Any, str] | None:
        location, half = natural[..., : self.n], -natural[..., self.n :]
        if self.covariance == "full":
            i = np.arange(self.n)
            half = half[..., i * (i + 3) // 2]
        # reduced over statistics only where a point is outside: short axes are slow
        huge = np.abs(half) > 0.25 * np.finfo(float).max
        if np.any(huge):
            return huge.any(-1), "the precision -2 S must be below 9e307: choose other units"
        full = self.covariance == "full" and self.n > 1
        mask: Any = ~positive_definite(-2 * self.quadratic(natural)) if full else half <= 0
        if np.any(mask):
            mask = mask if full else mask.any(-1)
            return mask, "the precision -2 S must be positive definite"
        # a bound on the mean of each column given that all others are zero, and on its square
        size = np.abs(location) / LARGEST
        far = (size > half) | (size > LARGEST * np.sqrt(half))
        far = far | (half < 0.5 / LARGEST**2)
        rule = f"means and standard deviations must be within {LARGEST}: choose other units"
        return (far.any(-1), rule) if np.any(far) else None

    def _on_boundary(self, mean: FloatArray) -> tuple[Any, str] | None:
        covariance = self._central(mean)[1]
        full = self.covariance == "full"
        mask: Any = ~(positive_definite(covariance) if full else (covariance > 0).all(-1))
        return (mask, "the covariance must be positive definite") if np.any(mask) else None

    def _inside(self, mean: FloatArray) -> FloatArray:
        notes: set[str] = set()
        first, covariance = self._central(np.atleast_2d(mean))
        scale = np.sqrt(np.maximum(self._shape.variances(covariance, self.n), 0.0)).max(0)
        inside = self._shape.inside(covariance, first, np.zeros_like(first), scale, notes)
        if not notes:
            return mean
        if self.covariance == "isotropic":
            second = self.n * inside + (first**2).sum(-1, keepdims=True)
        elif self.covariance == "diagonal":
            second = inside + first**2
        else:
            second = pack_lower(inside + outer(first, first))
        return np.concatenate([first, second], -1).reshape(mean.shape)

    def _maximum_likelihood(
        self, x: FloatArray, weights: FloatArray | None, notes: set[str]
    ) -> FloatArray:
        shares = np.ones(len(x)) if weights is None else weights
        centre = shares @ (x - x[0]) / shares.sum() + x[0]
        spread = np.sqrt(shares @ (x - centre) ** 2 / shares.sum())
        covariance = self._shape.of_scale(np.where(spread > 0, spread, 1.0))
        start = NormalPrepared(self, centre[None], covariance[None], spread)
        return np.asarray(start.maximise(start.accumulate(x, shares[:, None]), notes).natural[0])

    def _check_support(self, x: FloatArray, name: str) -> None:
        """Every row is in the support; beyond 1e75 squares would not be numbers."""
        far = np.abs(x) > LARGEST
        if far.any():
            row, column = (int(i) for i in np.argwhere(far)[0])
            raise ValueError(
                f"{name}: values must be within {LARGEST}, but row {row}, column {column} is "
                f"{x[row, column]}: choose other units"
            )

    def _entropy(self, natural: FloatArray) -> FloatArray:
        # of the precision alone: far from the origin the general formula loses all digits
        centred = natural.copy()
        centred[..., : self.n] = 0.0
        return np.asarray(self._log_partition(centred) + 0.5 * self.n * (1 + _LOG_2PI))

    def _relative_entropy(self, p: FloatArray, q: FloatArray) -> FloatArray:
        p, q = np.broadcast_arrays(p, q)
        (first, inner), (second, outer_) = map(self._mean_and_covariance, (p, q))
        half_log = self._entropy(q) - self._entropy(p)
        if self.covariance == "full":
            factor = whitening(outer_)
            white = np.einsum("...ij,...j->...i", factor, first - second)
            trace = np.einsum("...ij,...jk,...ik->...", factor, inner, factor)
        else:
            white = (first - second) / np.sqrt(outer_)
            trace = np.broadcast_to(inner / outer_, first.shape).sum(-1)
        return np.asarray(half_log + 0.5 * (trace - self.n + (white**2).sum(-1)))

    def _prepare(self, natural: FloatArray) -> NormalPrepared:
        means, covariances = self._mean_and_covariance(natural)
        return NormalPrepared(self, means, covariances)

    def affine(self, natural: object, shift: object, scale: object) -> FloatArray:
        """Return the natural parameters of ``shift + scale * X``; isotropic: one scale for all."""
        point = self.check_natural(natural)
        move = np.broadcast_to(as_floats(shift, name="shift"), (self.n,))
        factor = np.broadcast_to(as_floats(scale, name="scale"), (self.n,))
        if not (np.isfinite(factor) & (factor != 0)).all():
            raise ValueError(f"scale: must be finite and not zero; got {factor}")
        location, quadratic = point[..., : self.n] / factor, point[..., self.n :]
        if self.covariance == "full":
            i, j = np.tril_indices(self.n)
            quadratic = quadratic / (factor[i] * factor[j])
        elif self.covariance == "diagonal":
            quadratic = quadratic / factor**2
        else:
            natural_scale(factor)
            quadratic = quadratic / factor[0] ** 2
        moved = np.concatenate([location, quadratic], -1)
        pull = -2 * np.einsum("...ij,j->...i", self._full_quadratic(moved), move)
        return np.concatenate([location + pull, quadratic], -1)

    def _full_quadratic(self, natural: FloatArray) -> FloatArray:
        if self.covariance == "isotropic":
            return natural[..., self.n :, None] * np.eye(self.n)
        return self.quadratic(natural)

    def from_parameters(self, *, mean: object, covariance: object) -> FloatArray:  # type: ignore[override]
        """Return natural parameters of means (..., n) and covariance matrices (..., n, n).

        Diagonal families also take variances (..., n), isotropic ones a variance (...).
        Raises ValueError where a matrix is not symmetric or not positive definite.
        """
        centre = np.atleast_1d(as_floats(mean, name="mean"))
        if centre.shape[-1] != self.n:
            raise ValueError(f"mean: shape {centre.shape}, expected (..., {self.n})")
        check_finite(centre, "mean")
        spread = as_floats(covariance, name="covariance")
        if self.covariance == "full":
            if self.n == 1 and (spread.ndim == 0 or spread.shape[-2:] != (1, 1)):
                spread = spread[..., None, None] if spread.ndim == 0 else spread[..., None]
            matrix = check_positive_definite(spread, name="covariance")
            if matrix.shape[-1] != self.n:
                raise ValueError(
                    f"covariance: shape {matrix.shape}, expected (..., {self.n}, {self.n})"
                )
            batch = np.broadcast_shapes(centre.shape[:-1], matrix.shape[:-2])
            centre = np.broadcast_to(centre, (*batch, self.n))
            point = self._from_mean_and_covariance(
                centre, np.broadcast_to(matrix, (*batch, self.n, self.n))
            )
            return self.check_natural(point, "mean, covariance")
        variances = self._variances(spread, centre)
        if not (np.isfinite(variances) & (variances > 0)).all():
            raise ValueError(f"covariance: variances must be above zero; got {variances}")
        batch = np.broadcast_shapes(centre.shape[:-1], variances.shape[:-1])
        point = self._from_mean_and_covariance(
            np.broadcast_to(centre, (*batch, self.n)),
            np.broadcast_to(variances, (*batch, variances.shape[-1])),
        )
        return self.check_natural(point, "mean, covariance")

    def _variances(self, spread: FloatArray, centre: FloatArray) -> FloatArray:
        """Variances (..., n) or (..., 1) from what a person may give."""
        if spread.ndim >= 2 and spread.shape[-2:] == (self.n, self.n) and spread.ndim > centre.ndim:
            diagonal = np.diagonal(spread, axis1=-2, axis2=-1)
            if np.any(spread - diagonal[..., None] * np.eye(self.n)):
                raise ValueError("covariance: entries off the diagonal must be zero")
            spread = diagonal
            if self.covariance == "isotropic":
                if np.any(spread != spread[..., :1]):
                    raise ValueError("covariance: an isotropic family has one variance")
                return spread[..., :1]
        if self.covariance == "isotropic":
            return spread[..., None]
        if spread.ndim == 0 or spread.shape[-1] != self.n:
            raise ValueError(f"covariance: shape {spread.shape}, expected (..., {self.n})")
        return spread

    def to_parameters(self, natural: object) -> NormalParameters:
        """Return means (..., n) and covariance matrices (..., n, n)."""
        mean, covariance = self._mean_and_covariance(self.check_natural(natural))
        return NormalParameters(mean, self._shape.matrices(covariance, self.n))


__all__ = ["Normal", "NormalParameters", "overall_scale"]
