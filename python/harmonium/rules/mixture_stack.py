"""Mixtures ready for the pass: weights and one stack of components."""

from typing import Any

import numpy as np
from scipy.special import logsumexp

from harmonium import _kernels
from harmonium.expectation.passes import patterns
from harmonium.expectation.prepared import Moments, Prepared, Restricted, Tilted
from harmonium.families.base import LOG_FLOOR, ExponentialFamily, Indices
from harmonium.validation import FloatArray


class MixturePrepared(Prepared):
    """A stack of mixtures: member j mixes components ``j K .. (j + 1) K`` of one stack.

    Its sums are its components', one after another: every category has its own, so a category
    of weight 1e-15 is as exact as any, category 0 too.
    """

    def __init__(
        self,
        observable: ExponentialFamily,
        log_weights: FloatArray,
        components: Prepared,
        rows: Indices,
    ) -> None:
        self.observable = observable
        self.log_weights = log_weights
        self.components = components
        self.rows = rows
        self.count, self.n_components = log_weights.shape
        self.n_observed = components.n_observed
        self.size = self.n_components * components.size

    @property
    def is_tied(self) -> bool:
        """Whether components share the shape of their laws."""
        return len(self.rows) < self.observable.dimension

    @property
    def natural(self) -> FloatArray:
        """The (count, dimension) natural parameters: observable, latent, interaction."""
        points = self.components.natural.reshape(self.count, self.n_components, -1)
        theta, others = points[:, 0], points[:, 1:]
        interaction = (others - theta[:, None])[..., self.rows].swapaxes(-1, -2)
        psi = self.observable._log_partition(points)
        rho = psi[:, 1:] - psi[:, :1]
        prior = self.log_weights[:, 1:] - self.log_weights[:, :1]
        return np.concatenate([theta, prior - rho, interaction.reshape(self.count, -1)], -1)

    def log_base_measure(self, x: FloatArray) -> FloatArray:
        """The components' common one."""
        return self.components.log_base_measure(x)

    def evaluate(self, x: FloatArray) -> FloatArray:
        """Return (n, count) log densities."""
        return np.asarray(logsumexp(self._joint(self.components.evaluate(x)), -1))

    def _joint(self, logs: FloatArray) -> FloatArray:
        return self.log_weights + logs.reshape(len(logs), self.count, self.n_components)

    def shares(self, logs: FloatArray) -> FloatArray:
        """Return responsibilities (n, count, K) from the components' log densities."""
        joint = self._joint(logs)
        top = joint.max(-1, keepdims=True)
        weights = np.exp(joint - np.where(np.isfinite(top), top, 0.0))
        total = weights.sum(-1, keepdims=True)
        return np.asarray(
            np.where(total > 0, weights / np.where(total > 0, total, 1), 1 / self.n_components)
        )

    def accumulate(self, x: FloatArray, weights: FloatArray) -> FloatArray:
        """Return the components' sums under their responsibilities."""
        shares = self.shares(self.components.evaluate(x)) * weights[..., None]
        return self.components.accumulate(x, shares.reshape(len(x), -1)).reshape(self.count, -1)

    def latent(self, x: FloatArray) -> FloatArray:
        """Return (n, count K) responsibilities; rows may be partly observed."""
        out = np.empty((len(x), self.count * self.n_components))
        for rows, observed in patterns(x):
            if observed is None:
                logs = self.components.evaluate(x[rows])
            else:
                logs = self.components.restrict(observed).evaluate(x[rows][:, observed])
            out[rows] = self.shares(logs).reshape(len(logs), -1)
        return out

    def restrict(self, observed: Indices) -> Restricted:
        """Return the mixtures of the components' marginals."""
        return _ObservedMixtures(self, self.components.restrict(observed))

    def _split(self, sums: FloatArray) -> FloatArray:
        return sums.reshape(self.count * self.n_components, self.components.size)

    def weights(self, sums: FloatArray) -> FloatArray:
        """Return the (count,) total weights."""
        parts = self.components.weights(self._split(sums))
        return np.asarray(parts.reshape(self.count, self.n_components).sum(-1))

    def maximise(self, sums: FloatArray, notes: set[str]) -> "MixturePrepared":
        """Return the weights and components that fit the sums; an empty component stays as it is."""
        parts = self._split(sums)
        heavy = self.components.weights(parts).reshape(self.count, self.n_components)
        total = heavy.sum(-1, keepdims=True)
        if (heavy <= 0).any():
            empty = np.unique(np.argwhere(heavy <= 0)[:, 1])
            notes.add(
                f"component {', '.join(map(str, empty))} emptied: its weight is held at e**-690 "
                "and its parameters where they were"
            )
        with np.errstate(divide="ignore", invalid="ignore"):
            log_weights = np.maximum(np.log(heavy / total), LOG_FLOOR)
        log_weights = np.where(total > 0, log_weights, self.log_weights)
        log_weights = log_weights - logsumexp(log_weights, -1, keepdims=True)
        if self.is_tied:
            components = self.components.maximise_tied(parts, self.n_components, notes)
        else:
            components = self.components.maximise(parts, notes)
        return MixturePrepared(self.observable, log_weights, components, self.rows)

    def mean(self, sums: FloatArray) -> FloatArray:
        """Return the (count, dimension) averages of (s_X, s_Z, s_X s_Z)."""
        parts = self._split(sums)
        shares = self._shares_of(parts)
        means = self.components.mean(parts).reshape(self.count, self.n_components, -1)
        joint = shares[..., None] * means
        cross = joint[:, 1:, self.rows].swapaxes(-1, -2)
        return np.concatenate([joint.sum(1), shares[:, 1:], cross.reshape(self.count, -1)], -1)

    def sums_of(self, weights: FloatArray, totals: FloatArray) -> FloatArray:
        """Return the components' sums; category 0 has what the others leave.

        Statistics that categories do not move are shared out by weight: only their sum matters.
        """
        d, k = self.observable.dimension, self.n_components
        observable, others = totals[:, :d], np.maximum(totals[:, d : d + k - 1], 0.0)
        cross = totals[:, d + k - 1 :].reshape(self.count, len(self.rows), k - 1)
        first = np.maximum(weights - others.sum(-1), 0.0)
        heavy = np.concatenate([first[:, None], others], -1)
        safe = np.where(weights > 0, weights, 1.0)
        parts = (heavy / safe[:, None])[..., None] * observable[:, None]
        parts[:, 1:, self.rows] = cross.swapaxes(-1, -2)
        parts[:, 0, self.rows] = observable[:, self.rows] - cross.sum(-1)
        sums = self.components.sums_of(heavy.ravel(), parts.reshape(-1, d))
        return sums.reshape(self.count, -1)

    def _shares_of(self, parts: FloatArray) -> FloatArray:
        """The components' shares (count, K) of the weight; the model's own where there is none."""
        heavy = self.components.weights(parts).reshape(self.count, self.n_components)
        total = heavy.sum(-1, keepdims=True)
        empty = total <= 0
        return np.where(empty, np.exp(self.log_weights), heavy / np.where(empty, 1.0, total))

    def residual(self, sums: FloatArray) -> float:
        """Return the largest standardised difference, over weights and components."""
        parts = self._split(sums)
        heavy = self.components.weights(parts).reshape(self.count, self.n_components)
        total = heavy.sum()
        if total <= 0:
            return 0.0
        weights = np.exp(self.log_weights)
        gap = np.abs(self._shares_of(parts) - weights)
        spread = np.sqrt(np.maximum(weights * (1 - weights), np.finfo(float).eps * weights))
        share = np.sqrt(heavy.sum(-1, keepdims=True) / total)
        own = (
            float((share * gap / np.maximum(spread, 1e-300)).max())
            if self.n_components > 1
            else 0.0
        )
        if self.is_tied:
            return max(own, self.components.residual_tied(parts, self.n_components))
        return max(own, self.components.residual(parts))

    @property
    def coordinates(self) -> FloatArray:
        """Log weights, then the components' coordinates."""
        inner = self.components.coordinates.reshape(self.count, -1)
        return np.concatenate([self.log_weights, inner], -1)

    def at(self, coordinates: FloatArray) -> "MixturePrepared":
        """Return the stack at other coordinates."""
        log_weights = coordinates[:, : self.n_components]
        log_weights = log_weights - logsumexp(log_weights, -1, keepdims=True)
        inner = coordinates[:, self.n_components :].reshape(self.components.count, -1)
        return MixturePrepared(self.observable, log_weights, self.components.at(inner), self.rows)

    def take(self, members: Indices) -> "MixturePrepared":
        """Return the stack of these members."""
        inner = (
            np.asarray(members)[:, None] * self.n_components + np.arange(self.n_components)
        ).ravel()
        return MixturePrepared(
            self.observable, self.log_weights[members], self.components.take(inner), self.rows
        )

    def affine(self, shift: FloatArray, scale: FloatArray) -> "MixturePrepared":
        """Return the stack of the laws of ``shift + scale * X``."""
        components = self.components.affine(shift, scale)
        return MixturePrepared(self.observable, self.log_weights, components, self.rows)

    def sample(self, members: Indices, rng: np.random.Generator) -> FloatArray:
        """Return one observation of each member named: the component's, then its number."""
        cumulative = np.exp(self.log_weights).cumsum(-1)[members]
        uniform = rng.random(len(members)) * cumulative[:, -1]
        labels = (uniform[:, None] >= cumulative[:, :-1]).sum(-1)
        inner = self.components.sample(members * self.n_components + labels, rng)
        return np.column_stack([inner, labels.astype(float)])

    def kernel(self) -> Any:
        """Return the compiled twin, where the components have one."""
        inner = self.components.kernel()
        if inner is None:
            return None
        return _kernels.mixture_stack(np.ascontiguousarray(self.log_weights), inner)

    # ---------------------------------------------------------- behind a linear likelihood

    def tilted(self, delta: FloatArray, columns: slice) -> Tilted:
        """Return the mixtures of the tilted components."""
        return _TiltedMixtures(self, self.components.tilted(delta, columns))

    def location_mean(self) -> FloatArray:
        """Return the mixtures' means of the leading location."""
        means = self.components.location_mean().reshape(self.count, self.n_components, -1)
        return np.asarray(np.einsum("jk,jki->ji", np.exp(self.log_weights), means))

    def location_moments(self, member: int, sums: FloatArray, centre: FloatArray) -> Moments:
        """Return the moments about ``centre``, summed over the components."""
        parts = self._split(sums)
        total = Moments(0.0, np.zeros(len(centre)), np.zeros((len(centre), len(centre))))
        for k in range(member * self.n_components, (member + 1) * self.n_components):
            part = self.components.location_moments(k, parts, centre)
            total = Moments(
                total.weight + part.weight, total.first + part.first, total.second + part.second
            )
        return total

    def latent_kernel(self) -> list[Any] | None:
        """Return each member's compiled twin, where the components have one."""
        inner = self.components.latent_kernel()
        if inner is None:
            return None
        k = self.n_components
        return [
            _kernels.mixture_latent(np.ascontiguousarray(w), inner[j * k : (j + 1) * k])
            for j, w in enumerate(self.log_weights)
        ]


class _ObservedMixtures(Restricted):
    """Mixtures for rows of which only some columns are observed."""

    def __init__(self, full: MixturePrepared, components: Restricted) -> None:
        self._full = full
        self._components = components

    def log_base_measure(self, x: FloatArray) -> FloatArray:
        """The components' common one."""
        return self._components.log_base_measure(x)

    def evaluate(self, x: FloatArray) -> FloatArray:
        """Return (n, count) log marginal densities."""
        return np.asarray(logsumexp(self._full._joint(self._components.evaluate(x)), -1))

    def accumulate(self, x: FloatArray, weights: FloatArray) -> FloatArray:
        """Responsibilities come from log marginals, sums from the completed components."""
        shares = self._full.shares(self._components.evaluate(x)) * weights[..., None]
        sums = self._components.accumulate(x, shares.reshape(len(x), -1))
        return sums.reshape(self._full.count, -1)


class _TiltedMixtures(Tilted):
    """Mixtures of tilted components."""

    def __init__(self, prior: MixturePrepared, components: Tilted) -> None:
        self._prior = prior
        self._components = components

    def evaluate(self, shifts: FloatArray) -> FloatArray:
        """Return (n, count) log expectations of the likelihood factor."""
        return np.asarray(logsumexp(self._prior._joint(self._components.evaluate(shifts)), -1))

    def _shares(self, shifts: FloatArray) -> FloatArray:
        return self._prior.shares(self._components.evaluate(shifts))

    def leading_mean(self, shifts: FloatArray) -> FloatArray:
        """Return (n, count, width) posterior means."""
        shares = self._shares(shifts)
        means = self._components.leading_mean(shifts)
        means = means.reshape(*shares.shape, means.shape[-1])
        return np.asarray(np.einsum("njk,njki->nji", shares, means))

    def accumulate(self, shifts: FloatArray, weights: FloatArray) -> FloatArray:
        """Return the components' sums under their posterior shares."""
        shares = self._shares(shifts) * weights[..., None]
        sums = self._components.accumulate(shifts, shares.reshape(len(shifts), -1))
        return sums.reshape(self._prior.count, -1)
