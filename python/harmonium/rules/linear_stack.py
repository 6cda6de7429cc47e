"""Linear Gaussian models ready for the pass: offset, loadings, noise and whatever is behind."""

from typing import Any

import numpy as np

from harmonium import _kernels
from harmonium.expectation.passes import Totals, patterns
from harmonium.expectation.prepared import Moments, Prepared, Restricted, Tilted
from harmonium.expectation.sources import Source
from harmonium.families.base import ExponentialFamily, Indices
from harmonium.families.normal import Normal
from harmonium.families.normal_stack import NormalPrepared, whitened_gaps
from harmonium.numerics.symmetric import (
    Floored,
    floor_covariances,
    floor_variances,
    inverse,
    pack_lower,
    unpack_lower,
    whitening,
)
from harmonium.validation import FloatArray

#: Smallest noise standard deviation relative to the column's: keeps posteriors well conditioned.
NOISE_FLOOR = 1e-6
#: The same where posteriors are worked out in natural coordinates, which lose twice the digits.
NATURAL_NOISE_FLOOR = 1e-3


class LinearPrepared(Prepared):
    """A stack of models ``x | z ~ N(offset + loadings z, noise)`` with any prior of z.

    Sums of a member: total weight, ``sum w (x - r)`` and its second moments as the noise holds
    them, the prior's sums, and ``sum w (x - r) E[z - c]T``; c is the prior mean of z, r of x.
    """

    noise_floor: float = NOISE_FLOOR

    def __init__(
        self,
        observable: Normal,
        latent: ExponentialFamily,
        loadings: FloatArray,
        noise: NormalPrepared,
        prior: Prepared,
    ) -> None:
        self.observable = observable
        self.latent_family = latent
        self.loadings = loadings
        self.noise = noise
        self.prior = prior
        self.count, self.n_observed, self.width = loadings.shape
        self._own = 1 + observable.n + observable._shape.second_moments(observable.n)
        self.size = self._own + prior.size + loadings[0].size
        self.centres = prior.location_mean()
        self.references = noise.means + np.einsum("kij,kj->ki", loadings, self.centres)

    def _pulls(self) -> tuple[FloatArray, FloatArray]:
        """``WT Psi**-1`` and ``WT Psi**-1 W``."""
        pull = self.loadings.swapaxes(-1, -2) @ inverse(self.noise.matrices)
        return pull, pull @ self.loadings

    @property
    def natural(self) -> FloatArray:
        """The (count, dimension) natural parameters: observable, latent, interaction."""
        theta = self.noise.natural
        pull, precision = self._pulls()
        location = np.einsum("kij,kj->ki", pull, self.noise.means)
        leading: Any = self.latent_family.leading
        rho = leading.pack_quadratic(location, 0.25 * (precision + precision.swapaxes(-1, -2)))
        prior = self.prior.natural.copy()
        prior[:, : rho.shape[-1]] -= rho
        return np.concatenate([theta, prior, pull.swapaxes(-1, -2).reshape(self.count, -1)], -1)

    def _tilted(self, member: int, precision: FloatArray) -> Tilted:
        leading: Any = self.latent_family.leading
        delta = leading.pack_quadratic(np.zeros(self.width), -0.25 * (precision + precision.T))
        return self.prior.take(np.array([member])).tilted(delta, slice(0, self.width))

    def _members(self) -> list["_Member"]:
        pull, precision = self._pulls()
        return [_Member(self, k, pull[k], self._tilted(k, precision[k])) for k in range(self.count)]

    def log_base_measure(self, x: FloatArray) -> FloatArray:
        """Zero: within the noise's log density."""
        return np.zeros(len(x))

    def evaluate(self, x: FloatArray) -> FloatArray:
        """Return (n, count) log densities."""
        evidence = [m.tilted.evaluate(m.shifts(x))[:, 0] for m in self._members()]
        own = self.noise.evaluate(x)
        # where squares overflow the evidence does too, but never as fast as the noise
        return np.where(np.isneginf(own), own, own + np.stack(evidence, -1))

    def latent(self, x: FloatArray) -> FloatArray:
        """Return (n, count m) posterior means of z; rows may be partly observed."""
        out = np.empty((len(x), self.count * self.width))
        for rows, observed in patterns(x):
            if observed is not None and not len(observed):
                out[rows] = self.centres.ravel()
                continue
            model = self if observed is None else self.marginal(observed)
            values = x[rows] if observed is None else x[rows][:, observed]
            means = [m.tilted.leading_mean(m.shifts(values))[:, 0] for m in model._members()]
            out[rows] = np.concatenate(means, -1)
        return out

    def accumulate(self, x: FloatArray, weights: FloatArray) -> FloatArray:
        """Return the (count, size) sums."""
        sums = np.empty((self.count, self.size))
        for k, member in enumerate(self._members()):
            w = weights[:, k]
            deviation = x - self.references[k]
            shifts = member.shifts(x)
            z = member.tilted.leading_mean(shifts)[:, 0] - self.centres[k]
            scaled = deviation * w[:, None]
            shape = self.observable._shape
            if shape.name == "full":
                second = pack_lower(scaled.T @ deviation)
            else:
                second = w @ shape.squares(deviation)
            latent = member.tilted.accumulate(shifts, w[:, None])[0]
            sums[k] = np.concatenate(
                [[w.sum()], w @ deviation, second, latent, (scaled.T @ z).ravel()]
            )
        return sums

    def marginal(self, observed: Indices) -> "LinearPrepared":
        """Return the models of some of the columns; at least one."""
        noise = self.noise.marginal(observed)
        family: Any = noise.family
        return LinearPrepared(
            family, self.latent_family, self.loadings[:, observed], noise, self.prior
        )

    def restrict(self, observed: Indices) -> Restricted:
        """Return the models for rows of which only these columns are known."""
        return _ObservedLinear(self, observed)

    def _split(self, sums: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        own = sums[:, : self._own]
        latent = sums[:, self._own : self._own + self.prior.size]
        cross = sums[:, self._own + self.prior.size :].reshape(self.loadings.shape)
        return own, latent, cross

    def maximise(self, sums: FloatArray, notes: set[str]) -> "LinearPrepared":
        """Return the regression of x on z, and the prior that fits z: the M-step, exactly."""
        own, latent, cross = self._split(sums)
        n, shape = self.observable.n, self.observable._shape
        loadings, means = self.loadings.copy(), self.noise.means.copy()
        covariances = self.noise.covariances.copy()
        for k in np.flatnonzero(own[:, 0] > 0):
            weight = own[k, 0]
            z = self.prior.location_moments(int(k), latent, self.centres[k])
            x_moved, z_moved = own[k, 1 : 1 + n] / weight, z.first / weight
            zz = z.second / weight - np.outer(z_moved, z_moved)
            xz = cross[k] / weight - np.outer(x_moved, z_moved)
            loading = _regression(xz, zz, notes)
            second = shape.from_sums(own[k : k + 1, 1 + n :], weight[None], n)[0]
            left = second - shape.square_of(x_moved) - _explained(shape.name, loading, xz, zz)
            loadings[k] = loading
            means[k] = self.references[k] + x_moved - loading @ (self.centres[k] + z_moved)
            floored = _floored_noise(shape.name, left, self._noise_floor(own[k]))
            covariances[k] = floored.covariance[0]
            if floored.moved:
                notes.add(
                    "a noise variance reached zero (a Heywood case, or too many factors) and was "
                    f"held at {self.noise_floor**2:.0e} of its column's variance"
                )
        noise = NormalPrepared(self.observable, means, covariances, self.noise.scale)
        prior = self.prior.maximise(latent, notes)
        return LinearPrepared(self.observable, self.latent_family, loadings, noise, prior)

    def maximise_prior(self, sums: FloatArray, notes: set[str]) -> "LinearPrepared":
        """Return the same lines and noise with the priors that fit z."""
        prior = self.prior.maximise(self._split(sums)[1], notes)
        return LinearPrepared(self.observable, self.latent_family, self.loadings, self.noise, prior)

    def _noise_floor(self, own: FloatArray) -> FloatArray:
        """Least standard deviations (n,) of the noise: relative to those of the columns."""
        n, shape = self.observable.n, self.observable._shape
        second = shape.from_sums(own[None, 1 + n :], own[:1], n)[0]
        total = second - shape.square_of(own[1 : 1 + n] / own[0])
        variances = np.maximum(shape.variances(total, n), (1e-6 * self.noise.scale) ** 2)
        return np.asarray(self.noise_floor * np.sqrt(variances))

    def mean(self, sums: FloatArray) -> FloatArray:
        """Return the (count, dimension) averages of (s_X, s_Z, x zT), about the origin."""
        own, latent, cross = self._split(sums)
        centred = NormalPrepared(
            self.observable, self.references, self.noise.covariances, self.noise.scale
        )
        observable_mean, latent_mean = centred.mean(own), self.prior.mean(latent)
        out = []
        for k in range(self.count):
            weight = own[k, 0]
            if weight <= 0:
                observable_mean[k], across = self._own_mean(k, latent_mean[k])
                out.append(across)
                continue
            z = self.prior.location_moments(k, latent, self.centres[k]).first / weight
            x = own[k, 1 : 1 + self.observable.n] / weight
            r, c = self.references[k], self.centres[k]
            full = cross[k] / weight + np.outer(x, c) + np.outer(r, z) + np.outer(r, c)
            out.append(full.ravel())
        return np.concatenate([observable_mean, latent_mean, np.stack(out)], -1)

    def sums_of(self, weights: FloatArray, totals: FloatArray) -> FloatArray:
        """Return the sums about references and centres of totals about the origin."""
        d, e = self.observable.dimension, self.prior.natural.shape[-1]
        leading: Any = self.latent_family.leading
        centred = NormalPrepared(
            self.observable, self.references, self.noise.covariances, self.noise.scale
        )
        x = totals[:, : self.observable.n]
        z = leading.location_moments(totals[:, d : d + leading.dimension])[0]
        cross = totals[:, d + e :].reshape(self.loadings.shape)
        r, c = self.references[:, :, None], self.centres[:, None, :]
        cross = cross - r * z[:, None, :] - x[:, :, None] * c + weights[:, None, None] * r * c
        return np.concatenate(
            [
                centred.sums_of(weights, totals[:, :d]),
                self.prior.sums_of(weights, totals[:, d : d + e]),
                cross.reshape(self.count, -1),
            ],
            -1,
        )

    def _own_mean(self, k: int, latent_mean: FloatArray) -> tuple[FloatArray, FloatArray]:
        """A member's own means of s_X and of x zT, from those of its prior."""
        leading: Any = self.latent_family.leading
        z, zz = leading.location_moments(latent_mean[: leading.dimension])
        loading = self.loadings[k]
        x = self.noise.means[k] + loading @ z
        mixed = loading @ (zz - np.outer(z, z))
        second = self.noise.matrices[k] + mixed @ loading.T + np.outer(x, x)
        return self.observable.pack_moments(x, second), (mixed + np.outer(x, z)).ravel()

    def residual(self, sums: FloatArray) -> float:
        """Return the largest standardised difference: of the regression, and of the prior."""
        own, latent, cross = self._split(sums)
        total = own[:, 0].sum()
        if total <= 0:
            return 0.0
        worst = self.prior.residual(latent)
        n, shape = self.observable.n, self.observable._shape
        for k in np.flatnonzero(own[:, 0] > 0):
            weight = own[k, 0]
            share = float(np.sqrt(weight / total))
            z = self.prior.location_moments(int(k), latent, self.centres[k])
            # residuals u = (x - r) - W (z - c): zero mean, uncorrelated with z, covariance Psi
            loading = self.loadings[k]
            first = (own[k, 1 : 1 + n] - loading @ z.first) / weight
            across = (cross[k] - loading @ z.second) / weight
            second = shape.from_sums(own[k : k + 1, 1 + n :], weight[None], n)[0]
            left = second - _explained(shape.name, loading, cross[k] / weight, z.second / weight)
            factor = self.noise.factors[k]
            spread = np.sqrt(np.maximum(np.diagonal(z.second) / weight, 1e-300))
            if shape.name == "full":
                slopes = factor @ across / spread
            else:
                slopes = across * factor[0][:, None] / spread
            noise = _floored_noise(shape.name, left, self._noise_floor(own[k])).covariance[0]
            gap = whitened_gaps(shape.name, factor, first, noise)
            worst = max(worst, share * max(gap, float(np.abs(slopes).max(initial=0.0))))
        return worst

    @property
    def coordinates(self) -> FloatArray:
        """Loadings, the noise's coordinates, the prior's."""
        flat = self.loadings.reshape(self.count, -1)
        return np.concatenate([flat, self.noise.coordinates, self.prior.coordinates], -1)

    def at(self, coordinates: FloatArray) -> "LinearPrepared":
        """Return the stack at other coordinates."""
        a = self.loadings[0].size
        b = a + self.noise.coordinates.shape[-1]
        loadings = coordinates[:, :a].reshape(self.loadings.shape)
        noise, prior = self.noise.at(coordinates[:, a:b]), self.prior.at(coordinates[:, b:])
        return LinearPrepared(self.observable, self.latent_family, loadings, noise, prior)

    def take(self, members: Indices) -> "LinearPrepared":
        """Return the stack of these members."""
        return LinearPrepared(
            self.observable,
            self.latent_family,
            self.loadings[members],
            self.noise.take(members),
            self.prior.take(members),
        )

    def affine(self, shift: FloatArray, scale: FloatArray) -> "LinearPrepared":
        """Return the stack of the laws of ``shift + scale * X``; z stays as it is."""
        return LinearPrepared(
            self.observable,
            self.latent_family,
            self.loadings * scale[:, None],
            self.noise.affine(shift, scale),
            self.prior,
        )

    def sample(self, members: Indices, rng: np.random.Generator) -> FloatArray:
        """Return one observation of each member named: x, then the latent's."""
        latent = self.prior.sample(members, rng)
        z = latent[:, : self.width]
        x = self.noise.sample(members, rng) + np.einsum("nij,nj->ni", self.loadings[members], z)
        return np.concatenate([x, latent], -1)

    def kernel(self) -> Any:
        """Return the compiled twin, where the prior has one."""
        priors = self.prior.latent_kernel()
        if priors is None:
            return None
        return _kernels.linear_stack(
            self.observable._shape.name,
            np.ascontiguousarray(self.noise.means),
            np.ascontiguousarray(self.loadings),
            np.ascontiguousarray(self.noise.factors),
            priors,
        )

    # ----------------------------------------- with a normal prior, two moments of x suffice

    def as_normal(self) -> NormalPrepared | None:
        """Return the marginal law of x as normals, where the prior is one."""
        if not isinstance(self.prior, NormalPrepared):
            return None
        explained = self.loadings @ self.prior.matrices @ self.loadings.swapaxes(-1, -2)
        return NormalPrepared(
            Normal(self.observable.n), self.references, self.noise.matrices + explained
        )

    def summarise(self, blocks: Source) -> "LinearSummary | None":
        """Return the first two moments of the data, where every pass needs no more of them."""
        if not isinstance(self.prior, NormalPrepared) or self.count != 1:
            return None
        n = self.observable.n
        weight, first, second = 0.0, np.zeros(n), np.zeros((n, n))
        centre = None
        for x, weights in blocks.blocks():
            if np.isnan(x).any():
                return None
            if centre is None:
                centre = x.mean(0)
            deviation = x - centre
            scaled = deviation if weights is None else deviation * weights[:, None]
            weight += len(x) if weights is None else float(weights.sum())
            first += scaled.sum(0)
            second += scaled.T @ deviation
        if centre is None or weight <= 0:
            return None
        shift = first / weight
        return LinearSummary(weight, centre + shift, second - weight * np.outer(shift, shift))

    # -------------------------------------------------------- behind a linear likelihood

    def tilted(self, delta: FloatArray, columns: slice) -> Tilted:
        """Return the priors over (x, z) times ``exp(delta . s_X)``, for shifts of x."""
        if self.observable._shape.name != "full" and self.observable.n > 1:
            return super().tilted(delta, columns)
        n = self.observable.n
        return _TiltedLinear(self, -2 * unpack_lower(delta[..., n:], n, 0.5))

    def location_mean(self) -> FloatArray:
        """Return the means of x."""
        return np.asarray(self.references)

    def location_moments(self, member: int, sums: FloatArray, centre: FloatArray) -> Moments:
        """Return the moments of x about ``centre``."""
        n = self.observable.n
        own = Moments(
            float(sums[member, 0]),
            sums[member, 1 : 1 + n],
            unpack_lower(sums[member, 1 + n : self._own], n),
        )
        return own.about(self.references[member] - centre)

    def latent_kernel(self) -> list[Any] | None:
        """Return each member's compiled twin, where the prior has one."""
        inner = self.prior.latent_kernel()
        if inner is None or (self.observable._shape.name != "full" and self.observable.n > 1):
            return None
        return [
            _kernels.linear_latent(
                np.ascontiguousarray(self.noise.means[k]),
                np.ascontiguousarray(self.loadings[k]),
                np.ascontiguousarray(self.noise.matrices[k]),
                inner[k],
            )
            for k in range(self.count)
        ]


class LinearSummary:
    """Weight, mean and scatter of the data: all that factor analysis asks of them."""

    def __init__(self, weight: float, mean: FloatArray, scatter: FloatArray) -> None:
        self.weight = weight
        self._mean = mean
        self._scatter = scatter

    def expectation(self, prepared: Prepared) -> Totals:
        """Return what a pass over the data would give, from their moments."""
        assert isinstance(prepared, LinearPrepared)
        prior = prepared.prior
        law = prepared.as_normal()
        assert law is not None
        assert isinstance(prior, NormalPrepared)
        n, weight = prepared.observable.n, self.weight
        moved = self._mean - prepared.references[0]
        second = self._scatter + weight * np.outer(moved, moved)
        factor = law.factors[0]
        log_root = np.log(np.diagonal(factor)).sum()
        white = factor @ second @ factor.T
        log_likelihood = weight * (log_root - 0.5 * n * np.log(2 * np.pi)) - 0.5 * np.trace(white)
        loading, spread = prepared.loadings[0], prior.matrices[0]
        # posterior mean of z: gain (x - r); what is left: C = (Sigma**-1 + WT Psi**-1 W)**-1
        root = np.linalg.cholesky(spread)
        pull = loading.T @ inverse(prepared.noise.matrices)[0]
        inner = np.eye(len(root)) + root.T @ (pull @ loading) @ root
        half = whitening(inner[None])[0] @ root.T
        left = half.T @ half
        gain = left @ pull
        cross = second @ gain.T
        zz = gain @ cross + weight * left
        shape = prepared.observable._shape.name
        if shape == "full":
            own = pack_lower(second)
        else:
            own = np.diagonal(second) if shape == "diagonal" else np.trace(second)[None]
        sums = np.concatenate(
            [
                [weight],
                weight * moved,
                own,
                [weight],
                weight * (gain @ moved),
                pack_lower(0.5 * (zz + zz.T)),
                cross.ravel(),
            ]
        )
        return Totals(float(log_likelihood), weight, sums[None])


class _Member:
    """One model of a stack with its tilted prior."""

    def __init__(self, stack: LinearPrepared, k: int, pull: FloatArray, tilted: Tilted) -> None:
        self._offset = stack.noise.means[k]
        self._pull = pull
        self.tilted = tilted

    def shifts(self, x: FloatArray) -> FloatArray:
        """What the rows say about z."""
        return np.asarray((x - self._offset) @ self._pull.T)


class _ObservedLinear(Restricted):
    """Linear Gaussian models of which only some columns of x are observed."""

    def __init__(self, full: LinearPrepared, observed: Indices) -> None:
        self._full = full
        self._observed = observed
        self._missing, self._regression, self._left = full.noise.conditional(observed)
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
        """Sums of the observed columns, carried over to the missing through z."""
        full, observed, missing = self._full, self._observed, self._missing
        n, m, o = full.observable.n, full.width, len(observed)
        shape = full.observable._shape
        sums = np.zeros((full.count, full.size))
        for k in range(full.count):
            w = weights[:, k]
            centre = full.centres[k]
            deviation = x - full.references[k, observed]
            if self._marginal is None:
                tilted = full._tilted(k, np.zeros((m, m)))
                shifts = np.zeros((len(x), m))
            else:
                member = self._marginal._members()[k]
                tilted, shifts = member.tilted, member.shifts(x)
            latent = tilted.accumulate(shifts, w[:, None])
            z = full.prior.take(np.array([k])).location_moments(0, latent, centre)
            mean = tilted.leading_mean(shifts)[:, 0] - centre
            through = full.loadings[k, missing] - self._regression[k] @ full.loadings[k, observed]
            first, cross, second = np.zeros(n), np.zeros((n, m)), np.zeros((n, n))
            scaled = deviation * w[:, None]
            first[observed] = scaled.sum(0)
            cross[observed] = scaled.T @ mean
            inner = scaled.T @ deviation
            first[missing] = self._regression[k] @ first[observed] + through @ z.first
            cross[missing] = self._regression[k] @ cross[observed] + through @ z.second
            across = self._regression[k] @ inner + through @ cross[observed].T
            second[np.ix_(observed, observed)] = inner
            second[np.ix_(missing, observed)] = across
            second[np.ix_(observed, missing)] = across.T
            second[np.ix_(missing, missing)] = (
                across @ self._regression[k].T
                + cross[missing] @ through.T
                + self._left[k] * w.sum()
            )
            assert inner.shape == (o, o)
            if shape.name == "full":
                own = pack_lower(second)
            else:
                own = np.diagonal(second)
                if shape.name == "isotropic":
                    own = own.sum(keepdims=True)
            sums[k] = np.concatenate([[w.sum()], first, own, latent[0], cross.ravel()])
        return sums


class _TiltedLinear(Tilted):
    """Linear Gaussian priors over (y, z) times ``exp(h . y - y . P y / 2)``.

    Given z, y stays normal with covariance ``C = (Psi**-1 + P)**-1``; what h and P say about z is
    a factor of the same kind, with ``D = (1 + P Psi)**-1``: shift ``WT D (h - P b)``, precision
    ``WT D P W``.
    """

    def __init__(self, prior: LinearPrepared, precision: FloatArray) -> None:
        self._prior = prior
        self._parts = [self._part(k, precision) for k in range(prior.count)]

    def _part(self, k: int, precision: FloatArray) -> dict[str, Any]:
        prior = self._prior
        root = np.linalg.cholesky(prior.noise.matrices[k])
        spread = root.T @ precision @ root
        inner = np.eye(len(root)) + 0.5 * (spread + spread.T)
        gain = inverse(inner[None])[0]
        covariance = root @ gain @ root.T
        damping = np.linalg.solve(root.T, gain @ root.T)
        damped = np.linalg.solve(root.T, np.linalg.solve(root.T, gain @ spread).T)
        loading, offset = prior.loadings[k], prior.noise.means[k]
        inner_precision = loading.T @ damped @ loading
        pulled = precision @ offset
        return {
            "offset": offset,
            "pulled": pulled,
            "covariance": covariance,
            "inward": loading.T @ damping,
            "outward": damping.T @ loading,
            "constant": -0.5 * np.linalg.slogdet(inner)[1] - 0.5 * offset @ pulled,
            "tilted": prior._tilted(k, 0.5 * (inner_precision + inner_precision.T)),
        }

    def evaluate(self, shifts: FloatArray) -> FloatArray:
        """Return (n, count) log expectations of the factor."""
        out = []
        for part in self._parts:
            pulled = shifts - part["pulled"]
            own = 0.5 * np.einsum("ni,ij,nj->n", pulled, part["covariance"], pulled)
            inner = part["tilted"].evaluate(pulled @ part["inward"].T)[:, 0]
            out.append(part["constant"] + shifts @ part["offset"] + own + inner)
        return np.stack(out, -1)

    def leading_mean(self, shifts: FloatArray) -> FloatArray:
        """Return (n, count, width) posterior means of y."""
        out = []
        for part in self._parts:
            pulled = shifts - part["pulled"]
            z = part["tilted"].leading_mean(pulled @ part["inward"].T)[:, 0]
            out.append(part["offset"] + pulled @ part["covariance"].T + z @ part["outward"].T)
        return np.stack(out, 1)

    def accumulate(self, shifts: FloatArray, weights: FloatArray) -> FloatArray:
        """Return the sums: y follows z by a known line, with covariance C around it."""
        prior = self._prior
        sums = np.empty((prior.count, prior.size))
        for k, part in enumerate(self._parts):
            w = weights[:, k]
            pulled = shifts - part["pulled"]
            inner = pulled @ part["inward"].T
            centre, outward = prior.centres[k], part["outward"]
            latent = part["tilted"].accumulate(inner, w[:, None])
            z = prior.prior.take(np.array([k])).location_moments(0, latent, centre)
            mean = part["tilted"].leading_mean(inner)[:, 0] - centre
            known = (
                part["offset"]
                + pulled @ part["covariance"].T
                + outward @ centre
                - prior.references[k]
            )
            scaled = known * w[:, None]
            mixed = scaled.T @ mean
            second = scaled.T @ known + mixed @ outward.T + outward @ mixed.T
            second += outward @ z.second @ outward.T + part["covariance"] * w.sum()
            first = scaled.sum(0) + outward @ z.first
            cross = mixed + outward @ z.second
            sums[k] = np.concatenate(
                [[w.sum()], first, pack_lower(second), latent[0], cross.ravel()]
            )
        return sums


def _regression(across: FloatArray, within: FloatArray, notes: set[str]) -> FloatArray:
    """Loadings of x on z; where z does not vary in some direction, the least ones."""
    scale = np.sqrt(np.maximum(np.diagonal(within), np.finfo(float).tiny))
    scaled = within / np.outer(scale, scale)
    try:
        root = np.linalg.cholesky(scaled)
        if np.diagonal(root).min() > 1e-6:
            white = np.linalg.solve(root, (across / scale).T)
            return np.asarray(np.linalg.solve(root.T, white).T / scale)
    except np.linalg.LinAlgError:
        pass
    notes.add("latent coordinates do not vary independently; the least loadings were taken")
    return np.asarray(
        (across / scale) @ np.linalg.pinv(scaled, rcond=1e-12, hermitian=True) / scale
    )


def _explained(
    shape: str, loading: FloatArray, across: FloatArray, within: FloatArray
) -> FloatArray:
    """``W SzxT + ... - W Szz WT``: second moments less those of the residual, as stored."""
    if shape == "full":
        mixed = loading @ across.T
        return mixed + mixed.T - loading @ within @ loading.T
    diagonal = 2 * (loading * across).sum(-1) - ((loading @ within) * loading).sum(-1)
    return np.asarray(diagonal if shape == "diagonal" else diagonal.mean(keepdims=True))


def _floored_noise(shape: str, left: FloatArray, floor: FloatArray) -> Floored:
    """Noise covariances with variances of at least ``floor`` squared, and positive definite."""
    limits = floor**2
    if shape == "full":
        return floor_covariances(left[None], limits[None])
    limits = limits if shape == "diagonal" else limits.mean(keepdims=True)
    return floor_variances(left[None], limits[None])
