"""Any conjugated model ready for the pass, in natural coordinates: likelihoods and a prior."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from harmonium.expectation.passes import patterns
from harmonium.expectation.prepared import Prepared, Restricted
from harmonium.families.base import ExponentialFamily, Indices
from harmonium.rules.base import ConjugationRule, add_leading
from harmonium.rules.interaction import InteractionShape
from harmonium.rules.likelihood import Completion, Likelihood
from harmonium.validation import FloatArray

#: Numbers of the rows' own matrices that are held at a time.
_BLOCK = 1 << 22


class ConjugatedPrepared(Prepared):
    """A stack of models by any rule. Posteriors are ``prior - rho + s(x) . Theta`` (Eq. 17).

    What mixtures and linear Gaussian models do without a kernel of their own, population codes
    and models of several views do here. Sums of a member: total weight, those of ``s_X`` and of
    the interaction's entries, and the prior's sums.
    """

    def __init__(
        self,
        rule: ConjugationRule,
        observable: ExponentialFamily,
        latent: ExponentialFamily,
        theta: FloatArray,
        interaction: FloatArray,
        prior: Prepared,
        likelihoods: Sequence[Likelihood] = (),
    ) -> None:
        self.rule = rule
        self.observable = observable
        self.latent_family = latent
        self.theta = theta
        self.interaction = interaction
        self.prior = prior
        self.count = len(theta)
        self.n_observed = observable.n_features
        self._shape: InteractionShape = rule.interaction_shape(observable, latent)
        self._own = 1 + observable.dimension + self._shape.size
        self.size = self._own + prior.size
        self._columns = self._shape.columns
        # a likelihood may have a regression behind it, which is not done again while it is held
        self.likelihoods: Sequence[Likelihood] = likelihoods or [
            rule.likelihood(observable, latent, own, matrix)
            for own, matrix in zip(theta, interaction, strict=True)
        ]

    @property
    def natural(self) -> FloatArray:
        """The (count, dimension) natural parameters: observable, latent, interaction."""
        rho = np.stack([likelihood.conjugation.rho for likelihood in self.likelihoods])
        latent = add_leading(self.prior.natural, -rho)
        return np.concatenate([self.theta, latent, self._shape.entries(self.interaction)], axis=-1)

    def log_base_measure(self, x: FloatArray) -> FloatArray:
        """Zero: within the log densities."""
        return np.zeros(len(x))

    def posteriors(
        self, member: int, x: FloatArray, observed: Indices | None
    ) -> tuple[FloatArray, FloatArray]:
        """Return a member's posteriors (n, dimension) of z and its log densities (n,) of rows."""
        prior = self.prior.natural[member]
        shift, constant = self.likelihoods[member].message(x, observed)
        posterior = add_leading(np.broadcast_to(prior, (len(x), len(prior))), shift)
        latent = self.latent_family
        evidence = latent._log_partition(posterior) - latent._log_partition(prior)
        return posterior, evidence + constant

    def _evaluate(self, x: FloatArray, observed: Indices | None) -> FloatArray:
        return np.stack([self.posteriors(k, x, observed)[1] for k in range(self.count)], -1)

    def _accumulate(
        self, x: FloatArray, weights: FloatArray, observed: Indices | None
    ) -> FloatArray:
        own, latent = [], []
        for k, w in enumerate(weights.T):
            posterior = self.posteriors(k, x, observed)[0]
            z = self.latent_family._to_mean(posterior)
            if observed is None:
                statistic = self.observable._statistic(x)
                scaled = statistic * w[:, None]
                first, cross = scaled.sum(0), scaled[:, self._shape.rows].T @ z[:, self._columns]
            else:
                first, cross = self._completed(k, x, w, observed, posterior)
            own.append(np.concatenate([[w.sum()], first, self._shape.entries(cross)]))
            latent.append(w @ z)
        prior = self.prior.sums_of(weights.sum(0), np.stack(latent))
        return np.concatenate([np.stack(own), prior], -1)

    def _completed(
        self, k: int, x: FloatArray, w: FloatArray, observed: Indices, posterior: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        """Weighted totals of s_X and s_X s_Z, a few rows at a time: each has a matrix of its own."""
        d = self.observable.dimension
        first, cross = np.zeros(d), np.zeros(self.interaction.shape[1:])
        step = max(1, _BLOCK // (d * max(len(self._columns), self.n_observed)))
        for start in range(0, len(x), step):
            some = slice(start, start + step)
            known: Completion = self.likelihoods[k].complete(x[some], observed, posterior[some])
            first += w[some] @ known.statistic
            cross += np.tensordot(w[some], known.cross, 1)
        return first, cross

    def evaluate(self, x: FloatArray) -> FloatArray:
        """Return (n, count) log densities."""
        return self._evaluate(x, None)

    def accumulate(self, x: FloatArray, weights: FloatArray) -> FloatArray:
        """Return the (count, size) sums."""
        return self._accumulate(x, weights, None)

    def latent(self, x: FloatArray) -> FloatArray:
        """Return (n, count m) posterior means of the statistics that place the leading latent."""
        location = self.latent_family.leading.location
        out = np.empty((len(x), self.count, len(location)))
        for rows, observed in patterns(x):
            values = x[rows] if observed is None else x[rows][:, observed]
            for k in range(self.count):
                posterior = self.posteriors(k, values, observed)[0]
                out[rows, k] = self.latent_family._to_mean(posterior)[:, location]
        return out.reshape(len(x), -1)

    def restrict(self, observed: Indices) -> Restricted:
        """Return the models for rows of which only these columns are known."""
        return _ObservedConjugated(self, observed)

    def _totals(self, sums: FloatArray) -> FloatArray:
        """Totals (count, dimension) of (s_X, s_Z, s_X s_Z)."""
        d = self.observable.dimension
        latent = self.prior.mean(sums[:, self._own :]) * sums[:, :1]
        return np.concatenate([sums[:, 1 : 1 + d], latent, sums[:, 1 + d : self._own]], -1)

    def maximise(self, sums: FloatArray, notes: set[str]) -> "ConjugatedPrepared":
        """Return likelihoods and prior that fit the sums: two problems, one after the other."""
        totals, natural = self._totals(sums), self.prior.natural
        theta, interaction = self.theta.copy(), self.interaction.copy()
        for k in np.flatnonzero(sums[:, 0] > 0):
            theta[k], interaction[k] = self.rule.refit(
                self.observable,
                self.latent_family,
                self.theta[k],
                self.interaction[k],
                natural[k],
                float(sums[k, 0]),
                totals[k],
                notes,
            )
        prior = self.prior.maximise(sums[:, self._own :], notes)
        return self._with(theta, interaction, prior)

    def maximise_prior(self, sums: FloatArray, notes: set[str]) -> "ConjugatedPrepared":
        """Return the same likelihoods with the priors that fit the sums."""
        prior = self.prior.maximise(sums[:, self._own :], notes)
        return self._with(self.theta, self.interaction, prior)

    def _with(
        self, theta: FloatArray, interaction: FloatArray, prior: Prepared
    ) -> "ConjugatedPrepared":
        same = np.array_equal(theta, self.theta) and np.array_equal(interaction, self.interaction)
        return ConjugatedPrepared(
            self.rule,
            self.observable,
            self.latent_family,
            theta,
            interaction,
            prior,
            self.likelihoods if same else (),
        )

    def mean(self, sums: FloatArray) -> FloatArray:
        """Return the (count, dimension) averages; the model's own where there is no weight."""
        heavy = sums[:, 0] > 0
        averages = self._totals(sums) / np.where(heavy, sums[:, 0], 1.0)[:, None]
        for k in np.flatnonzero(~heavy).tolist():
            prior = self.prior.natural[k]
            statistic, cross = self.likelihoods[k].expected(prior[None])
            latent = self.latent_family._to_mean(prior)
            entries = self._shape.entries(cross[0])
            averages[k] = np.concatenate([statistic[0], latent, entries])
        return averages

    def sums_of(self, weights: FloatArray, totals: FloatArray) -> FloatArray:
        """Return the sums of totals (count, dimension)."""
        d = self.observable.dimension
        e = d + self.latent_family.dimension
        prior = self.prior.sums_of(weights, totals[:, d:e])
        return np.concatenate([weights[:, None], totals[:, :d], totals[:, e:], prior], -1)

    def residual(self, sums: FloatArray) -> float:
        """Return the largest standardised difference: of the likelihoods, and of the prior."""
        total = sums[:, 0].sum()
        if total <= 0:
            return 0.0
        worst = self.prior.residual(sums[:, self._own :])
        totals, natural = self._totals(sums), self.prior.natural
        for k in np.flatnonzero(sums[:, 0] > 0):
            share = float(np.sqrt(sums[k, 0] / total))
            gap = self.rule.misfit(
                self.observable,
                self.latent_family,
                self.theta[k],
                self.interaction[k],
                natural[k],
                float(sums[k, 0]),
                totals[k],
            )
            worst = max(worst, share * gap)
        return worst

    @property
    def coordinates(self) -> FloatArray:
        """Natural parameters of the likelihoods, then the prior's coordinates."""
        entries = self._shape.entries(self.interaction)
        return np.concatenate([self.theta, entries, self.prior.coordinates], -1)

    def at(self, coordinates: FloatArray) -> "ConjugatedPrepared":
        """Return the stack at other coordinates; ValueError outside the domain."""
        d = self.observable.dimension
        e = d + self._shape.size
        theta, interaction = coordinates[:, :d], self._shape.matrix(coordinates[:, d:e])
        broken = self.rule.outside(self.observable, self.latent_family, theta, interaction)
        if broken is not None:
            raise ValueError(f"coordinates: {broken[1]}")
        return self._with(theta, interaction, self.prior.at(coordinates[:, e:]))

    def take(self, members: Indices) -> "ConjugatedPrepared":
        """Return the stack of these members."""
        return self._with(self.theta[members], self.interaction[members], self.prior.take(members))

    def affine(self, shift: FloatArray, scale: FloatArray) -> "ConjugatedPrepared":
        """Return the stack of the laws of ``shift + scale * X``; Z stays as it is."""
        natural = self.prior.natural
        moved = [
            self.rule.moved(
                self.observable,
                self.latent_family,
                self.theta[k],
                self.interaction[k],
                natural[k],
                shift,
                scale,
            )
            for k in range(self.count)
        ]
        theta, interaction = (np.stack(part) for part in zip(*moved, strict=True))
        return self._with(theta, interaction, self.prior)

    def sample(self, members: Indices, rng: np.random.Generator) -> FloatArray:
        """Return one observation of each member named: x, then the latent's columns."""
        latent = self.prior.sample(members, rng)
        leading: Any = self.latent_family.leading
        statistic = leading._statistic(latent[:, : leading.n_features])[:, self._shape.columns]
        points = self.theta[members]
        moved = np.einsum("nij,nj->ni", self.interaction[members], statistic)
        points[:, self._shape.rows] += moved
        return np.concatenate([self.observable._sample(points, rng), latent], -1)


class _ObservedConjugated(Restricted):
    """Models of which only some columns are observed."""

    def __init__(self, full: ConjugatedPrepared, observed: Indices) -> None:
        self._full = full
        self._observed = observed

    def log_base_measure(self, x: FloatArray) -> FloatArray:
        """Zero: within the log densities."""
        return np.zeros(len(x))

    def evaluate(self, x: FloatArray) -> FloatArray:
        """Return (n, count) log marginal densities."""
        return self._full._evaluate(x, self._observed)

    def accumulate(self, x: FloatArray, weights: FloatArray) -> FloatArray:
        """Return the sums, the missing at their conditional expectation."""
        return self._full._accumulate(x, weights, self._observed)
