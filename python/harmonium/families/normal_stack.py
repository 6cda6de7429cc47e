"""Normals ready for the pass, as means and covariances: centred sums lose no digits."""

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from harmonium import _kernels
from harmonium.expectation.prepared import Moments, Prepared, Restricted, Tilted
from harmonium.numerics.symmetric import (
    floor_covariances,
    floor_variances,
    inverse,
    outer,
    pack_lower,
    unpack_lower,
    whitening,
)
from harmonium.validation import FloatArray

_Indices = np.ndarray[Any, np.dtype[np.intp]]
_LOG_2PI = float(np.log(2 * np.pi))

#: Smallest standard deviation, relative to the scale of the data.
SCALE_FLOOR = 1e-12


class NormalFamily(Protocol):
    """What the stack asks of :class:`~harmonium.families.normal.Normal`."""

    @property
    def n(self) -> int:
        """Dimension."""

    @property
    def _shape(self) -> "Shape": ...
    def _from_mean_and_covariance(self, mean: FloatArray, covariance: FloatArray) -> FloatArray: ...
    def location_moments(self, mean: FloatArray) -> tuple[FloatArray, FloatArray]:
        """First and second moments as matrices, of mean parameters."""

    def pack_moments(self, first: FloatArray, second: FloatArray) -> FloatArray:
        """Mean parameters of first and second moments."""


@dataclass(frozen=True)
class Shape:
    """How covariances are stored: (..., n, n) full, (..., n) diagonal, (..., 1) isotropic."""

    name: str

    def second_moments(self, n: int) -> int:
        """How many second moments the statistic holds."""
        return {"full": n * (n + 1) // 2, "diagonal": n, "isotropic": 1}[self.name]

    def squares(self, x: FloatArray) -> FloatArray:
        """The second moments of rows (..., n)."""
        if self.name == "full":
            i, j = np.tril_indices(x.shape[-1])
            return x[..., i] * x[..., j]
        if self.name == "diagonal":
            return x * x
        return np.asarray((x * x).sum(-1, keepdims=True))

    def matrices(self, covariance: FloatArray, n: int) -> FloatArray:
        """Covariance matrices (..., n, n)."""
        if self.name == "full":
            return covariance
        return np.asarray(covariance[..., None] * np.eye(n))

    def variances(self, covariance: FloatArray, n: int) -> FloatArray:
        """Variances (..., n)."""
        if self.name == "full":
            return np.asarray(np.diagonal(covariance, axis1=-2, axis2=-1))
        return np.broadcast_to(covariance, (*covariance.shape[:-1], n))

    def of_scale(self, scale: FloatArray) -> FloatArray:
        """The covariance of independent columns with standard deviations (n,)."""
        if self.name == "full":
            return np.diag(scale**2)
        if self.name == "diagonal":
            return np.asarray(scale**2)
        return np.array([np.mean(scale**2)])

    def from_sums(self, second: FloatArray, weight: FloatArray, n: int) -> FloatArray:
        """Average second moments of centred sums, as covariances are stored."""
        average = second / weight[:, None]
        if self.name == "full":
            return unpack_lower(average, n)
        return average if self.name == "diagonal" else average / n

    def square_of(self, vectors: FloatArray) -> FloatArray:
        """What a shift of the centre by vectors (..., n) adds to covariances."""
        if self.name == "full":
            return outer(vectors, vectors)
        if self.name == "diagonal":
            return np.asarray(vectors**2)
        return np.asarray((vectors**2).mean(-1, keepdims=True))

    def inside(
        self,
        covariance: FloatArray,
        mean: FloatArray,
        moved: FloatArray,
        scale: FloatArray,
        notes: set[str],
    ) -> FloatArray:
        """Covariances moved off the boundary, which is said in ``notes``.

        A standard deviation is at least 1e-12 of the data's scale and above the rounding of the
        sums it came from: that of the mean, and of the square of how far the mean has moved.
        """
        eps = np.finfo(float).eps
        floor = (SCALE_FLOOR * scale) ** 2 + (eps * np.abs(mean)) ** 2 + 4 * eps * moved**2
        floor = np.maximum(floor, np.finfo(float).tiny)
        if self.name == "isotropic":
            floor = floor.mean(-1, keepdims=True)
        floored = (floor_covariances if self.name == "full" else floor_variances)(covariance, floor)
        if floored.moved:
            notes.add(
                "a covariance was singular (a constant or collinear column, or a component on "
                "too few points) and was moved inside by a relative amount: the likelihood has "
                "no maximum there; fewer components or columns would"
            )
        return floored.covariance


def natural_scale(factor: FloatArray) -> None:
    """ValueError unless all scales are equal: what an isotropic family allows."""
    if np.any(factor != factor[0]):
        raise ValueError(f"scale: an isotropic family has one scale; got {factor}")


def overall_scale(means: FloatArray, variances: FloatArray) -> FloatArray:
    """Standard deviations (n,) of the even mixture of a stack: the scale of its data."""
    spread = means - means.mean(0)
    return np.asarray(np.sqrt((variances + spread**2).mean(0)))


def whitened_gaps(
    shape: str, factor: FloatArray, moved: FloatArray, covariance: FloatArray
) -> float:
    """Return how far a mean and a covariance are from a normal's, in its own coordinates.

    ``factor`` whitens the normal; what rounding makes of the second moments does not count.
    """
    eps = np.finfo(float).eps
    if shape == "full":
        first = factor @ moved
        gap = factor @ covariance @ factor.T + np.outer(first, first) - np.eye(len(moved))
        reach = np.abs(factor) @ np.sqrt(np.diagonal(covariance))
        rounding = 8 * eps * len(moved) * np.outer(reach, reach)
    else:
        first = moved * factor[0]
        square = first**2 if shape == "diagonal" else np.mean(first**2)
        gap = covariance * factor[0] ** 2 + square - 1
        rounding = np.full_like(gap, 8 * eps)
    beyond = np.maximum(np.abs(gap) - rounding, 0.0)
    return float(max(np.abs(first).max(initial=0.0), beyond.max(initial=0.0)))


class NormalPrepared(Prepared):
    """A stack of normals. Sums of a member: total weight, ``sum w (x - r)``, and the second
    moments ``sum w (x - r)(x - r)T`` that the statistic holds, r the member's mean.

    ``scale`` (n,) is the scale of the data, to which the smallest variance is relative.
    """  # noqa: D205 - one sentence, too long for one line

    def __init__(
        self,
        family: NormalFamily,
        means: FloatArray,
        covariances: FloatArray,
        scale: FloatArray | None = None,
    ) -> None:
        self.family = family
        self.means = means
        self.covariances = covariances
        self.count, self.n_observed = means.shape
        self.size = 1 + family.n + family._shape.second_moments(family.n)
        variances = family._shape.variances(covariances, family.n)
        self.scale = overall_scale(means, variances) if scale is None else scale
        self._factors: FloatArray | None = None

    @property
    def factors(self) -> FloatArray:
        """Whitening factors: (count, n, n) inverse Cholesky factors, or (count, 1, n or 1)."""
        if self._factors is None:
            if self.family._shape.name == "full":
                self._factors = whitening(self.covariances)
            else:
                self._factors = 1 / np.sqrt(self.covariances[:, None, :])
        return self._factors

    @property
    def matrices(self) -> FloatArray:
        """The covariance matrices, (count, n, n)."""
        return self.family._shape.matrices(self.covariances, self.family.n)

    @property
    def natural(self) -> FloatArray:
        """The (count, dimension) natural parameters."""
        return self.family._from_mean_and_covariance(self.means, self.covariances)

    def log_base_measure(self, x: FloatArray) -> FloatArray:
        """Zero: the constant is within :meth:`evaluate`."""
        return np.zeros(len(x))

    def evaluate(self, x: FloatArray) -> FloatArray:
        """Return (n, count) log densities."""
        n = self.family.n
        out = np.empty((len(x), self.count))
        for k in range(self.count):
            deviation = x - self.means[k]
            factor = self.factors[k]
            if self.family._shape.name == "full":
                white = deviation @ factor.T
                log_root = np.log(np.diagonal(factor)).sum()
            else:
                white = deviation * factor[0]
                log_root = np.log(np.broadcast_to(factor[0], (n,))).sum()
            out[:, k] = log_root - 0.5 * n * _LOG_2PI - 0.5 * (white**2).sum(-1)
        return out

    def accumulate(self, x: FloatArray, weights: FloatArray) -> FloatArray:
        """Return the (count, size) centred sums."""
        sums = np.empty((self.count, self.size))
        for k in range(self.count):
            deviation = x - self.means[k]
            w = weights[:, k]
            first = w @ deviation
            if self.family._shape.name == "full":
                second = pack_lower((deviation * w[:, None]).T @ deviation)
            else:
                second = w @ self.family._shape.squares(deviation)
            sums[k] = np.concatenate([[w.sum()], first, second])
        return sums

    def with_added_variance(self, variances: FloatArray) -> "NormalPrepared":
        """Return the stack with variances (n,) added to every covariance: explicit regularisation."""
        added = self.family._shape.of_scale(np.sqrt(variances))
        return NormalPrepared(self.family, self.means, self.covariances + added, self.scale)

    def conditional(self, observed: _Indices) -> tuple[_Indices, FloatArray, FloatArray]:
        """Missing columns; their regressions (count, m, o) on the observed; what these leave."""
        missing = np.setdiff1d(np.arange(self.family.n), observed)
        every = np.arange(self.count)
        full = self.matrices
        rest = full[np.ix_(every, missing, missing)]
        if self.family._shape.name != "full" or not len(observed):
            return missing, np.zeros((self.count, len(missing), len(observed))), rest
        inner, across = (
            full[np.ix_(every, observed, observed)],
            full[np.ix_(every, missing, observed)],
        )
        regression = across @ inverse(inner)
        return missing, regression, rest - regression @ across.swapaxes(-1, -2)

    def restrict(self, observed: _Indices) -> Restricted:
        """Return the marginals, with what completes their sums."""
        return _ObservedNormals(self, observed)

    def marginal(self, observed: _Indices) -> "NormalPrepared":
        """Return the stack of the marginals over some columns."""
        shape = self.family._shape.name
        covariances = self.covariances
        if shape == "full":
            covariances = covariances[np.ix_(np.arange(self.count), observed, observed)]
        elif shape == "diagonal":
            covariances = covariances[:, observed]
        family: Any = type(self.family)(len(observed), shape)  # type: ignore[call-arg]  # a Normal
        return NormalPrepared(family, self.means[:, observed], covariances, self.scale[observed])

    def maximise(self, sums: FloatArray, notes: set[str]) -> "NormalPrepared":
        """Return the maximum-likelihood normals; members without weight stay as they are."""
        means, covariances = self.means.copy(), self.covariances.copy()
        heavy = sums[:, 0] > 0
        if heavy.any():
            weight, n = sums[heavy, 0], self.family.n
            moved = sums[heavy, 1 : 1 + n] / weight[:, None]
            shape = self.family._shape
            second = shape.from_sums(sums[heavy, 1 + n :], weight, n)
            means[heavy] += moved
            covariances[heavy] = shape.inside(
                second - shape.square_of(moved), means[heavy], moved, self.scale, notes
            )
        return NormalPrepared(self.family, means, covariances, self.scale)

    def maximise_tied(
        self, sums: FloatArray, n_components: int, notes: set[str]
    ) -> "NormalPrepared":
        """Return the best normals of which each group shares one covariance (§3.3.4)."""
        means, covariances = self.means.copy(), self.covariances.copy()
        for group in np.arange(self.count).reshape(-1, n_components):
            if sums[group, 0].sum() > 0:
                fitted = self._tied(group, sums[group], notes)
                means[group], covariances[group] = fitted
        return NormalPrepared(self.family, means, covariances, self.scale)

    def _tied(
        self, group: _Indices, sums: FloatArray, notes: set[str]
    ) -> tuple[FloatArray, FloatArray]:
        """Means and the covariance within one group."""
        n, shape = self.family.n, self.family._shape
        heavy = sums[:, 0] > 0
        weight = sums[heavy, 0]
        moved = np.zeros_like(self.means[group])
        moved[heavy] = sums[heavy, 1 : 1 + n] / weight[:, None]
        second = shape.from_sums(sums[heavy, 1 + n :], weight, n)
        within = np.einsum("k,k...->...", weight, second - shape.square_of(moved[heavy]))
        means = self.means[group] + moved
        furthest = np.abs(moved).max(0, keepdims=True)
        tied = shape.inside(
            within[None] / weight.sum(), np.abs(means).max(0)[None], furthest, self.scale, notes
        )
        return means, tied[0]

    def residual_tied(self, sums: FloatArray, n_components: int) -> float:
        """As :meth:`residual` where a covariance is shared: each mean, and the pooled moments."""
        total, worst = sums[:, 0].sum(), 0.0
        name, still = self.family._shape.name, np.zeros(self.family.n)
        for group in np.arange(self.count).reshape(-1, n_components):
            heavy = sums[group, 0].sum()
            if heavy <= 0:
                continue
            means, covariance = self._tied(group, sums[group], set())
            gap = whitened_gaps(name, self.factors[group[0]], still, covariance)
            worst = max(worst, float(np.sqrt(heavy / total)) * gap)
            for k, mean in zip(group, means, strict=True):
                if sums[k, 0] > 0:
                    moved = mean - self.means[k]
                    gap = whitened_gaps(name, self.factors[k], moved, self.covariances[k])
                    worst = max(worst, float(np.sqrt(sums[k, 0] / total)) * gap)
        return worst

    def mean(self, sums: FloatArray) -> FloatArray:
        """Return the (count, dimension) averages, about the origin."""
        fitted = self.central(sums)
        shape, n = self.family._shape, self.family.n
        second = shape.matrices(fitted[1], n) + outer(fitted[0], fitted[0])
        return self.family.pack_moments(fitted[0], second)

    def sums_of(self, weights: FloatArray, totals: FloatArray) -> FloatArray:
        """Return the sums about the means of totals (count, dimension) about the origin."""
        first, second = self.family.location_moments(totals)
        weight = weights[:, None]
        across = outer(first, self.means)
        second = second - across - across.swapaxes(-1, -2)
        second += weight[..., None] * outer(self.means, self.means)
        moments = self.family.pack_moments(first - weight * self.means, second)
        return np.concatenate([weight, moments], -1)

    def central(self, sums: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Average means and covariances of the sums; the model's own where there is no weight."""
        means, covariances = self.means.copy(), self.covariances.copy()
        heavy = sums[:, 0] > 0
        if heavy.any():
            weight, n, shape = sums[heavy, 0], self.family.n, self.family._shape
            moved = sums[heavy, 1 : 1 + n] / weight[:, None]
            means[heavy] += moved
            covariances[heavy] = shape.from_sums(sums[heavy, 1 + n :], weight, n) - shape.square_of(
                moved
            )
        return means, covariances

    def residual(self, sums: FloatArray) -> float:
        """Return the largest whitened difference of moments, weighted by the member's share.

        Second moments are compared after they were moved inside the domain, and beyond what
        rounding makes of them: at a boundary the point is stationary where it can not improve.
        """
        total = sums[:, 0].sum()
        heavy = np.flatnonzero(sums[:, 0] > 0)
        if total <= 0 or not len(heavy):
            return 0.0
        shape = self.family._shape
        means, covariances = self.central(sums)
        moved = means - self.means
        covariances[heavy] = shape.inside(
            covariances[heavy], means[heavy], moved[heavy], self.scale, set()
        )
        worst = 0.0
        for k in heavy:
            share = float(np.sqrt(sums[k, 0] / total))
            gaps = whitened_gaps(shape.name, self.factors[k], moved[k], covariances[k])
            worst = max(worst, share * gaps)
        return worst

    @property
    def coordinates(self) -> FloatArray:
        """Means, then the covariances' Cholesky factors with the logs of their diagonals."""
        if self.family._shape.name != "full":
            return np.concatenate([self.means, 0.5 * np.log(self.covariances)], -1)
        scale = np.sqrt(self.family._shape.variances(self.covariances, self.family.n))
        root = np.linalg.cholesky(self.covariances / outer(scale, scale))
        i, j = np.tril_indices(self.family.n)
        entries = root[..., i, j]
        entries[..., i == j] = np.log(entries[..., i == j])
        return np.concatenate([self.means, np.log(scale), entries], -1)

    def at(self, coordinates: FloatArray) -> "NormalPrepared":
        """Return the stack at other coordinates; standard deviations stay above the floor."""
        n = self.family.n
        means, rest = coordinates[:, :n], coordinates[:, n:]
        least = np.log(SCALE_FLOOR * np.maximum(self.scale, np.finfo(float).tiny))
        if self.family._shape.name != "full":
            floor = least if self.family._shape.name == "diagonal" else least.max(keepdims=True)
            covariances = np.exp(2 * np.maximum(rest, floor))
            return NormalPrepared(self.family, means, covariances, self.scale)
        i, j = np.tril_indices(n)
        root = np.zeros((len(means), n, n))
        entries = rest[:, n:].copy()
        entries[:, i == j] = np.exp(entries[:, i == j])
        root[:, i, j] = entries
        root *= np.exp(np.maximum(rest[:, :n], least))[:, :, None]
        return NormalPrepared(self.family, means, root @ root.swapaxes(-1, -2), self.scale)

    def take(self, members: _Indices) -> "NormalPrepared":
        """Return the stack of these members."""
        return NormalPrepared(
            self.family, self.means[members], self.covariances[members], self.scale
        )

    def affine(self, shift: FloatArray, scale: FloatArray) -> "NormalPrepared":
        """Return the stack of the laws of ``shift + scale * X``."""
        shape = self.family._shape.name
        if shape == "full":
            covariances = self.covariances * np.outer(scale, scale)
        elif shape == "diagonal":
            covariances = self.covariances * scale**2
        else:
            natural_scale(scale)
            covariances = self.covariances * scale[0] ** 2
        return NormalPrepared(
            self.family, shift + scale * self.means, covariances, np.abs(scale) * self.scale
        )

    def sample(self, members: _Indices, rng: np.random.Generator) -> FloatArray:
        """Return one observation of each member named."""
        noise = rng.standard_normal((len(members), self.family.n))
        if self.family._shape.name != "full":
            return np.asarray(self.means[members] + np.sqrt(self.covariances[members]) * noise)
        scale = np.sqrt(self.family._shape.variances(self.covariances, self.family.n))
        root = np.linalg.cholesky(self.covariances / outer(scale, scale)) * scale[..., None]
        out = self.means[members]
        for k in np.unique(members):
            out[members == k] += noise[members == k] @ root[k].T
        return out

    def kernel(self) -> Any:
        """Return the compiled twin."""
        return _kernels.normal_stack(
            self.family._shape.name,
            np.ascontiguousarray(self.means),
            np.ascontiguousarray(self.factors),
        )

    # ---------------------------------------------------------- behind a linear likelihood

    def tilted(self, delta: FloatArray, columns: slice) -> Tilted:
        """Return the priors times ``exp(delta . s)``, for shifts of the location."""
        n = self.family.n
        if self.family._shape.name != "full" and n > 1:
            return super().tilted(delta, columns)
        precision = -2 * unpack_lower(delta[..., n:], n, 0.5)
        return TiltedNormals(self, np.broadcast_to(precision, (self.count, n, n)))

    def location_mean(self) -> FloatArray:
        """Return the means."""
        return self.means

    def location_moments(self, member: int, sums: FloatArray, centre: FloatArray) -> Moments:
        """Return the moments about ``centre``."""
        n = self.family.n
        own = Moments(
            float(sums[member, 0]),
            sums[member, 1 : 1 + n],
            unpack_lower(sums[member, 1 + n :], n),
        )
        return own.about(self.means[member] - centre)

    def latent_kernel(self) -> list[Any]:
        """Return each member's compiled twin."""
        pairs = zip(self.means, self.matrices, strict=True)
        return [
            _kernels.normal_latent(np.ascontiguousarray(m), np.ascontiguousarray(c))
            for m, c in pairs
        ]


class _ObservedNormals(Restricted):
    """Normals of which only some columns are observed."""

    def __init__(self, full: NormalPrepared, observed: _Indices) -> None:
        self._full = full
        self._observed = observed
        self._missing, self._regression, self._left = full.conditional(observed)
        self._marginal = full.marginal(observed) if len(observed) else None

    def log_base_measure(self, x: FloatArray) -> FloatArray:
        """Zero: within the log densities."""
        return np.zeros(len(x))

    def evaluate(self, x: FloatArray) -> FloatArray:
        """Return (n, count) log marginal densities."""
        if self._marginal is None:
            return np.zeros((len(x), self._full.count))
        return self._marginal.evaluate(x)

    def accumulate(self, x: FloatArray, weights: FloatArray) -> FloatArray:
        """Return the sums of the completed deviations, and of what the missing may still vary."""
        full = self._full
        sums = np.empty((full.count, full.size))
        shape, n = full.family._shape, full.family.n
        for k in range(full.count):
            w = weights[:, k]
            deviation = np.zeros((len(x), n))
            deviation[:, self._observed] = x - full.means[k, self._observed]
            deviation[:, self._missing] = deviation[:, self._observed] @ self._regression[k].T
            second = (deviation * w[:, None]).T @ deviation
            second[np.ix_(self._missing, self._missing)] += w.sum() * self._left[k]
            if shape.name == "full":
                packed = pack_lower(second)
            else:
                packed = np.diagonal(second)
                if shape.name == "isotropic":
                    packed = packed.sum(keepdims=True)
            sums[k] = np.concatenate([[w.sum()], w @ deviation, packed])
        return sums


class TiltedNormals(Tilted):
    """Normal priors times ``exp(h . z - z . P z / 2)``: normals again."""

    def __init__(self, prior: NormalPrepared, precision: FloatArray) -> None:
        self._prior = prior
        root = np.linalg.cholesky(prior.matrices)
        inner = np.eye(root.shape[-1]) + root.swapaxes(-1, -2) @ precision @ root
        factor = whitening(inner)
        half = factor @ root.swapaxes(-1, -2)
        #: Posterior covariances, (count, n, n).
        self.covariance = half.swapaxes(-1, -2) @ half
        self._pulled = np.einsum("kij,kj->ki", precision, prior.means)
        log_root = np.log(np.diagonal(factor, axis1=-2, axis2=-1)).sum(-1)
        self._constant = log_root - 0.5 * (prior.means * self._pulled).sum(-1)

    def _deviation(self, shifts: FloatArray) -> tuple[FloatArray, FloatArray]:
        pulled = shifts[:, None, :] - self._pulled
        return pulled, np.einsum("kij,nkj->nki", self.covariance, pulled)

    def evaluate(self, shifts: FloatArray) -> FloatArray:
        """Return (n, count) log expectations of the factor under the priors."""
        pulled, deviation = self._deviation(shifts)
        return np.asarray(
            self._constant + shifts @ self._prior.means.T + 0.5 * (pulled * deviation).sum(-1)
        )

    def leading_mean(self, shifts: FloatArray) -> FloatArray:
        """Return (n, count, m) posterior means."""
        return self._deviation(shifts)[1] + self._prior.means

    def accumulate(self, shifts: FloatArray, weights: FloatArray) -> FloatArray:
        """Return the sums about the prior means."""
        deviation = self._deviation(shifts)[1]
        weight = weights.sum(0)
        second = np.einsum("nk,nki,nkj->kij", weights, deviation, deviation)
        second += weight[:, None, None] * self.covariance
        first = np.einsum("nk,nki->ki", weights, deviation)
        return np.column_stack([weight, first, pack_lower(second)])
