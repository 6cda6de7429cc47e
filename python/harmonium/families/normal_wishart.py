"""Normal-Wishart laws of a mean and a precision matrix: the conjugate priors of normal laws."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from harmonium.families.base import ExponentialFamily, Indices
from harmonium.families.wishart import Wishart, check_triangles, scale_outside
from harmonium.numerics.symmetric import (
    floor_covariances,
    inverse,
    outer,
    pack_lower,
    positive_definite,
    unpack_lower,
    whitening,
)
from harmonium.validation import FloatArray, as_count, as_floats, check_positive_definite

#: Precisions of the mean lie between one over this and this; means are within it.
_LARGEST = 1e100
#: Farthest that an observed mean may lie, in its standard deviations: its square is a number.
_FARTHEST = 1e150
#: Least part of ``E[m . Lambda m]`` that an estimate leaves about the mean.
_RESOLUTION = 1e-14


class NormalWishartParameters(NamedTuple):
    """People's parameters: means (..., n), precision scales (...), scales (..., n, n), freedom (...)."""

    mean: FloatArray
    precision_scale: FloatArray
    scale: FloatArray
    degrees_of_freedom: FloatArray


class _Parts(NamedTuple):
    """Pseudo-counts kappa, means, and the natural parameters of the Wishart law."""

    kappa: FloatArray
    mean: FloatArray
    wishart: FloatArray


@dataclass(frozen=True)
class NormalWishart(ExponentialFamily):
    """Laws of a mean m and a precision matrix Lambda: Lambda Wishart, m normal about mu given it.

    An observation is m beside the lower triangle of Lambda row by row. ``s = (Lambda m, -Lambda/2,
    m . Lambda m, log det Lambda)``, the second as the natural parameter of a normal law, so twice
    that off the diagonal: the first two are the natural parameters z of ``Normal(n)``, and half the
    third less half the fourth is its log-partition function at z. Base measure
    ``(2 pi)**(-n/2) det(Lambda)**(-n/2)``, ``theta = (kappa mu, kappa mu muT + V**-1, -kappa/2,
    nu/2)``, ``psi = nu/2 (n log 2 + log det V) + log Gamma_n(nu/2) - n/2 log kappa`` (Murphy, 2007,
    section 8), with precision scale kappa, scale V and nu degrees of freedom above n - 1. Maximum
    likelihood of parameters so alike that nu would pass 2e12, or the part of ``m . Lambda m``
    about mu would be below 1e-14 of it, is held there.

    Parameters
    ----------
    n : int
        Dimension of the mean.
    """

    n: int = 1

    def __post_init__(self) -> None:
        object.__setattr__(self, "n", as_count(self.n, name="n"))

    @property
    def _wishart(self) -> Wishart:
        return Wishart(self.n)

    @property
    def dimension(self) -> int:
        """Length of natural and mean vectors: n (n + 3) / 2 + 2."""
        return self.n_features + 2

    @property
    def n_features(self) -> int:
        """Columns of an observation: n (n + 3) / 2."""
        return self.n * (self.n + 3) // 2

    @property
    def location(self) -> Indices:
        """The natural parameters of the normal law; the rest are what pseudo-counts weigh."""
        return np.arange(self.n_features)

    # -------------------------------------------------------------------- coordinates

    def _split(self, natural: FloatArray) -> _Parts:
        """What may be read off a natural vector, inside the domain or not."""
        pulled, triangle = natural[..., : self.n], natural[..., self.n : -2]
        kappa = -2 * natural[..., -2]
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            mean = pulled / kappa[..., None]
            inverse_scale = unpack_lower(triangle, self.n) - outer(pulled, mean)
        wishart = np.concatenate([pack_lower(-0.5 * inverse_scale, 2.0), natural[..., -1:]], -1)
        return _Parts(kappa, mean, wishart)

    def _join(self, kappa: FloatArray, mean: FloatArray, wishart: FloatArray) -> FloatArray:
        pulled = kappa[..., None] * mean
        inverse_scale = -2 * unpack_lower(wishart[..., :-1], self.n, 0.5)
        triangle = pack_lower(inverse_scale + outer(pulled, mean))
        return np.concatenate([pulled, triangle, -0.5 * kappa[..., None], wishart[..., -1:]], -1)

    def _expected(self, mean: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """E[Lambda], the mean mu that goes with it, and n / kappa, of mean parameters."""
        precision = -2 * unpack_lower(mean[..., self.n : -2], self.n, 0.5)
        # E[Lambda m] = E[Lambda] mu
        factor = whitening(precision)
        white = np.einsum("...ij,...j->...i", factor, mean[..., : self.n])
        centre = np.einsum("...ji,...j->...i", factor, white)
        return precision, centre, mean[..., -2] - (white**2).sum(-1)

    # ----------------------------------------------------------------------- the family

    def _statistic(self, x: FloatArray) -> FloatArray:
        centre, entries = x[..., : self.n], x[..., self.n :]
        precision = unpack_lower(entries, self.n)
        pulled = np.einsum("...ij,...j->...i", precision, centre)
        square = (pulled * centre).sum(-1, keepdims=True)
        log_det = self._wishart._statistic(entries)[..., -1:]
        return np.concatenate([pulled, pack_lower(-0.5 * precision, 2.0), square, log_det], -1)

    def _log_base_measure(self, x: FloatArray) -> FloatArray:
        log_det = self._wishart._statistic(x[..., self.n :])[..., -1]
        return np.asarray(-0.5 * self.n * (np.log(2 * np.pi) + log_det))

    def _expected_log_base_measure(self, natural: FloatArray) -> FloatArray:
        log_det = self._wishart._to_mean(self._split(natural).wishart)[..., -1]
        return np.asarray(-0.5 * self.n * (np.log(2 * np.pi) + log_det))

    def _log_partition(self, natural: FloatArray) -> FloatArray:
        kappa, _, wishart = self._split(natural)
        return self._wishart._log_partition(wishart) - 0.5 * self.n * np.log(kappa)

    def _to_mean(self, natural: FloatArray) -> FloatArray:
        kappa, centre, wishart = self._split(natural)
        expected = self._wishart._to_mean(wishart)
        precision = unpack_lower(expected[..., :-1], self.n)
        pulled = np.einsum("...ij,...j->...i", precision, centre)
        square = self.n / kappa + (pulled * centre).sum(-1)
        return np.concatenate(
            [pulled, pack_lower(-0.5 * precision, 2.0), square[..., None], expected[..., -1:]], -1
        )

    def _to_natural(self, mean: FloatArray) -> FloatArray:
        precision, centre, left = self._expected(mean)
        expected = np.concatenate([pack_lower(precision), mean[..., -1:]], -1)
        kappa = np.clip(self.n / left, 1 / _LARGEST, _LARGEST)
        return self._join(kappa, centre, self._wishart._to_natural(expected))

    def _fisher_information(self, natural: FloatArray) -> FloatArray:
        # given Lambda, the statistic is linear in it but for e = m - mu: cov(Lambda e) = Lambda /
        # kappa, and kappa e . Lambda e is chi-squared of n degrees of freedom
        kappa, centre, wishart = self._split(natural)
        n, columns = self.n, self.n_features - self.n
        covariance = self._wishart._fisher_information(wishart)
        precision = unpack_lower(self._wishart._to_mean(wishart)[..., :-1], n)
        i, j = np.tril_indices(n)
        linear = np.zeros((*natural.shape, columns + 1))
        entry = np.arange(columns)
        # of Lambda mu, -Lambda / 2 as the normal law has it, mu . Lambda mu and log det Lambda
        linear[..., i, entry] = centre[..., j]
        linear[..., j, entry] = centre[..., i]
        linear[..., n + entry, entry] = np.where(i == j, -0.5, -1.0)
        linear[..., -2, :-1] = np.where(i == j, 1.0, 2.0) * centre[..., i] * centre[..., j]
        linear[..., -1, -1] = 1.0
        out = linear @ covariance @ linear.swapaxes(-1, -2)
        pulled = np.einsum("...ij,...j->...i", precision, centre)
        out[..., :n, :n] += precision / kappa[..., None, None]
        out[..., :n, -2] += 2 * pulled / kappa[..., None]
        out[..., -2, :n] += 2 * pulled / kappa[..., None]
        out[..., -2, -2] += 4 * (pulled * centre).sum(-1) / kappa + 2 * n / kappa**2
        return np.asarray(0.5 * (out + out.swapaxes(-1, -2)))

    def _entropy(self, natural: FloatArray) -> FloatArray:
        # that of Lambda, and that of the normal law given it
        kappa, _, wishart = self._split(natural)
        log_det = self._wishart._to_mean(wishart)[..., -1]
        given = 0.5 * self.n * (1 + np.log(2 * np.pi) - np.log(kappa)) - 0.5 * log_det
        return np.asarray(given + self._wishart._entropy(wishart))

    def _sample(self, natural: FloatArray, rng: np.random.Generator) -> FloatArray:
        kappa, centre, wishart = self._split(natural)
        roots = self._wishart._roots(wishart, rng)
        noise = rng.standard_normal((*natural.shape[:-1], self.n, 1))
        # with Lambda = R RT, R**-T noise has precision Lambda
        deviation = np.linalg.solve(roots.swapaxes(-1, -2), noise)[..., 0]
        m = centre + deviation / np.sqrt(kappa)[..., None]
        entries = self._wishart._from_roots(roots)
        # with next to no freedom the tails of m go beyond what squares of doubles hold
        farthest = 0.5 * _FARTHEST / self._deviations(entries)
        return np.concatenate([np.clip(m, -farthest, farthest), entries], -1)

    def _deviations(self, entries: FloatArray) -> FloatArray:
        """Square roots (..., n) of the diagonal of lower triangles."""
        return np.asarray(np.sqrt(entries[..., np.cumsum(np.arange(1, self.n + 1)) - 1]))

    def _outside(self, natural: FloatArray) -> tuple[Any, str] | None:
        mask = natural[..., -2] >= 0
        if np.any(mask):
            return mask, "the precision scale must be above zero: its natural parameter below"
        kappa, centre, wishart = self._split(natural)
        mask = (kappa < 1 / _LARGEST) | (kappa > _LARGEST) | (np.abs(centre) > _LARGEST).any(-1)
        if np.any(mask):
            return mask, f"means and precision scales must be within {_LARGEST}: choose other units"
        broken = scale_outside(self._wishart._inverse_scale(wishart))
        return self._wishart._outside(wishart) if broken is None else broken

    def _on_boundary(self, mean: FloatArray) -> tuple[Any, str] | None:
        triangle = mean[..., self.n : -2]
        mask = ~positive_definite(-2 * unpack_lower(triangle, self.n, 0.5))
        if np.any(mask):
            return mask, "the mean of the precision must be positive definite"
        precision, _, left = self._expected(mean)
        mask = left <= 0
        if np.any(mask):
            return mask, "the mean of m . Lambda m must be above that of its parts"
        return self._wishart._on_boundary(
            np.concatenate([pack_lower(precision), mean[..., -1:]], -1)
        )

    def _definite(self, mean: FloatArray) -> FloatArray:
        """Means whose precisions are moved off the singular ones."""
        flat = mean.reshape(-1, self.dimension)
        precision = -2 * unpack_lower(flat[:, self.n : -2], self.n, 0.5)
        floored = floor_covariances(precision, np.array(np.finfo(float).tiny))
        inside = flat.copy()
        if floored.moved:
            inside[:, self.n : -2] = pack_lower(-0.5 * floored.covariance, 2.0)
        return inside.reshape(mean.shape)

    def _of_precision(self, mean: FloatArray) -> FloatArray:
        """The Wishart law's part of means."""
        precision = -2 * unpack_lower(mean[..., self.n : -2], self.n, 0.5)
        return np.concatenate([pack_lower(precision), mean[..., -1:]], -1)

    def _inside(self, mean: FloatArray) -> FloatArray:
        inside = self._definite(mean)
        left = self._expected(inside)[2]
        least = _RESOLUTION * np.maximum(np.abs(inside[..., -2]), np.finfo(float).tiny)
        inside[..., -2] += np.maximum(least - left, 0.0)
        inside[..., -1] = self._wishart._inside(self._of_precision(inside))[..., -1]
        return inside

    def _tied_natural(
        self, weights: FloatArray, mean: FloatArray, start: FloatArray | None = None
    ) -> FloatArray:
        _, centre, left = self._expected(mean)
        pooled = (weights * left).sum(-1, keepdims=True)
        kappa = np.clip(self.n / np.where(pooled > 0, pooled, np.nan), 1 / _LARGEST, _LARGEST)
        wishart = self._wishart._tied_natural(weights, self._of_precision(mean))
        return self._join(np.broadcast_to(kappa, left.shape), centre, wishart)

    def _tied_inside(self, weights: FloatArray, mean: FloatArray) -> FloatArray:
        inside = self._definite(mean)
        left = (weights * self._expected(inside)[2]).sum(-1, keepdims=True)
        size = (weights * np.abs(inside[..., -2])).sum(-1, keepdims=True)
        least = _RESOLUTION * np.maximum(size, np.finfo(float).tiny)
        inside[..., -2] += np.maximum(least - left, 0.0)
        inside[..., -1] = self._wishart._tied_inside(weights, self._of_precision(inside))[..., -1]
        return inside

    def _check_support(self, x: FloatArray, name: str) -> None:
        """ValueError for the first row whose matrix is not definite, or whose square overflows."""
        check_triangles(x[:, self.n :], self.n, f"{name}: columns {self.n} and up")
        with np.errstate(over="ignore", invalid="ignore"):
            far = (np.abs(x[:, : self.n]) * self._deviations(x[:, self.n :]) > _FARTHEST).any(-1)
        if far.any():
            raise ValueError(
                f"{name}: m . Lambda m must be below 1e300, but row {int(np.argmax(far))} is "
                f"{x[np.argmax(far)]}: choose other units"
            )

    # ---------------------------------------------------------------- people's parameters

    def from_parameters(  # type: ignore[override]
        self, *, mean: object, precision_scale: object, scale: object, degrees_of_freedom: object
    ) -> FloatArray:
        """Return natural parameters of a law of m and Lambda.

        ``mean`` (..., n) is that of m; ``precision_scale`` (...), above zero, the rows of data that
        it is worth; ``scale`` (..., n, n) and ``degrees_of_freedom`` (...), above n - 1, are those of
        Lambda, whose mean is their product.
        """
        centre = as_floats(mean, name="mean")
        if centre.ndim == 0 or centre.shape[-1] != self.n:
            raise ValueError(f"mean: shape {centre.shape}, expected (..., {self.n})")
        kappa = as_floats(precision_scale, name="precision_scale")
        if not (np.isfinite(kappa) & (kappa > 0)).all():
            bad = kappa[~(np.isfinite(kappa) & (kappa > 0))].ravel()[0]
            raise ValueError(f"precision_scale: must be above zero and finite; got {bad}")
        wishart = self._wishart.from_parameters(
            scale=check_positive_definite(scale, name="scale"),
            degrees_of_freedom=degrees_of_freedom,
        )
        batch = np.broadcast_shapes(centre.shape[:-1], kappa.shape, wishart.shape[:-1])
        point = self._join(
            np.broadcast_to(kappa, batch),
            np.broadcast_to(centre, (*batch, self.n)),
            np.broadcast_to(wishart, (*batch, wishart.shape[-1])),
        )
        return self.check_natural(point, "mean")

    def to_parameters(self, natural: object) -> NormalWishartParameters:
        """Return means (..., n), precision scales (...), scales (..., n, n) and freedom (...)."""
        kappa, centre, wishart = self._split(self.check_natural(natural))
        scale = inverse(self._wishart._inverse_scale(wishart))
        return NormalWishartParameters(centre, kappa, scale, 2 * wishart[..., -1])
