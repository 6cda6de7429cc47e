"""Pairs that do not conjugate, ready for the pass."""

from typing import Any

import numpy as np
from scipy.special import logsumexp

from harmonium.errors import NotConjugatedError
from harmonium.expectation.prepared import Restricted
from harmonium.families.base import Indices
from harmonium.families.categorical import Categorical
from harmonium.families.statistic_stack import BOUNDARY_NOTE, StatisticPrepared
from harmonium.rules.enumeration import variances
from harmonium.rules.pair import Pair, PairParts
from harmonium.rules.pair_information import match, matches
from harmonium.validation import FloatArray

#: States that a partly observed row is summed over, one after another.
_MOST_STATES = 1 << 14


class PairPrepared(StatisticPrepared):
    """Points of a model without conjugation. Sums: total weight, and those of (s_X, s_Z, s_X s_Z).

    The latent's part is its expectation given the row, which is exact for every pair; the model's
    own expectation and its normaliser are sums over the states of one side.
    """

    family: Any

    def __init__(self, family: Any, natural: FloatArray) -> None:
        super().__init__(family, natural)
        self.n_observed = family.n_observed
        self._psi: FloatArray | None = None

    @property
    def pair(self) -> Pair:
        """The two families and what of them meets."""
        pair: Pair = self.family.pair
        return pair

    @property
    def psi(self) -> FloatArray:
        """Log-partition functions, (count,)."""
        if self._psi is None:
            self._psi = self.family._log_partition(self._natural)
        return self._psi

    def log_base_measure(self, x: FloatArray) -> FloatArray:
        """Return the (n,) log base measures of the data."""
        return self.pair.observable._log_base_measure(x)

    def _posteriors(self, statistic: FloatArray) -> FloatArray:
        """The latent's natural parameters (n, count, ...)."""
        parts = self.pair.split(self._natural)
        shift = np.einsum(
            "ni,kij->nkj", statistic[:, self.pair.rows], parts.interaction, optimize=True
        )
        out = np.repeat(parts.latent[None], len(statistic), 0)
        out[..., self.pair.columns] += shift
        return out

    def evaluate(self, x: FloatArray) -> FloatArray:
        """Return (n, count) log densities relative to the base measure (Eq. 14 with psi_XZ summed)."""
        statistic = self.pair.observable._statistic(x)
        own = statistic @ self.pair.split(self._natural).observable.T
        return np.asarray(
            own + self.pair.latent._log_partition(self._posteriors(statistic)) - self.psi
        )

    def accumulate(self, x: FloatArray, weights: FloatArray) -> FloatArray:
        """Return the (count, 1 + dimension) sums."""
        pair = self.pair
        statistic = pair.observable._statistic(x)
        latent = pair.latent._to_mean(self._posteriors(statistic))
        cross = np.einsum(
            "nk,ni,nkj->kij",
            weights,
            statistic[:, pair.rows],
            latent[..., pair.columns],
            optimize=True,
        )
        expected = self.pair.join(
            weights.T @ statistic, np.einsum("nk,nkj->kj", weights, latent), cross
        )
        return np.column_stack([weights.sum(0), expected])

    def restrict(self, observed: Indices) -> Restricted:
        """Return the stack for rows of which only these columns are known."""
        return _PartlyObserved(self, observed)

    def latent(self, x: FloatArray) -> FloatArray:
        """Return (n, width) posterior means of the latent's location, or shares of categories."""
        if np.isnan(x).any():
            raise NotConjugatedError(
                "x: the posterior given part of a row is not in the latent's family; "
                "`gibbs` with `given` draws what is missing"
            )
        latent = self.pair.latent
        posterior = self._posteriors(self.pair.observable._statistic(x))[:, 0]
        if isinstance(latent, Categorical):
            return np.exp(latent._log_probabilities(posterior))
        return latent._to_mean(posterior)[:, latent.location]

    def maximise(self, sums: FloatArray, notes: set[str]) -> "PairPrepared":
        """Return the maximum-likelihood points, by Newton from where they are."""
        natural = self._natural.copy()
        for k in np.flatnonzero(sums[:, 0] > 0):
            mean = sums[k, 1:] / sums[k, 0]
            natural[k] = match(self.pair, mean, natural[k])
            if not matches(self.pair, natural[k], mean):
                notes.add(BOUNDARY_NOTE.format(self.family))
        return PairPrepared(self.family, natural)

    def residual(self, sums: FloatArray) -> float:
        """Return the largest standardised difference of average and model expectation."""
        total = sums[:, 0].sum()
        if total <= 0:
            return 0.0
        expected = self.family._to_mean(self._natural)
        spread = np.sqrt(variances(self.pair, self._natural))
        floor = np.sqrt(np.finfo(float).eps) * np.maximum(np.abs(expected), 1e-300)
        gap = np.abs(self.mean(sums) - expected) / np.maximum(spread, floor)
        return float((gap * np.sqrt(sums[:, :1] / total)).max(initial=0.0))

    def take(self, members: Indices) -> "PairPrepared":
        """Return the stack of these members."""
        return PairPrepared(self.family, self._natural[members])


class _PartlyObserved(Restricted):
    """Rows of which some columns are known: sums over what is not."""

    def __init__(self, stack: PairPrepared, observed: Indices) -> None:
        self._stack, self._observed = stack, observed
        pair = stack.pair
        counts = {family: family.n_states for family in (pair.latent, pair.observable)}
        finite = [n for n in counts.values() if n is not None]
        if not finite or min(finite) > _MOST_STATES:
            raise NotConjugatedError(
                "x: a partly observed row is a sum over the states of one side, at most 2**14; "
                "`gibbs` with `given` draws what is missing"
            )
        self._by_latent = counts[pair.latent] == min(finite)

    def log_base_measure(self, x: FloatArray) -> FloatArray:
        """Zero: the log marginals of :meth:`evaluate` hold it."""
        return np.zeros(len(x))

    def evaluate(self, x: FloatArray) -> FloatArray:
        """Return (n, count) log marginal densities."""
        return np.stack([self._completed(x, k)[0] for k in range(self._stack.count)], -1)

    def accumulate(self, x: FloatArray, weights: FloatArray) -> FloatArray:
        """Return the sums, the missing at their conditional expectation."""
        rows = [w @ self._completed(x, k)[1] for k, w in enumerate(weights.T)]
        return np.column_stack([weights.sum(0), np.stack(rows)])

    def _completed(self, x: FloatArray, member: int) -> tuple[FloatArray, FloatArray]:
        """Log marginals (n,) and expected statistics (n, dimension) under one member."""
        stack = self._stack
        parts = stack.pair.split(stack.natural[member])
        psi = float(stack.psi[member])
        return self._over_latent(x, parts, psi) if self._by_latent else self._over_x(x, parts, psi)

    def _over_latent(
        self, x: FloatArray, parts: PairParts, psi: float
    ) -> tuple[FloatArray, FloatArray]:
        pair = self._stack.pair
        states = pair.latent.states()
        statistic = pair.latent._statistic(states)
        given = np.repeat(parts.observable[None], len(states), 0)
        given[:, pair.rows] += statistic[:, pair.columns] @ parts.interaction.T
        prior = (
            statistic @ parts.latent
            + pair.latent._log_base_measure(states)
            + pair.observable._log_partition(given)
            - psi
        )
        completed = [pair.observable._complete(point, x, self._observed) for point in given]
        logs = np.stack([c.log_marginal for c in completed], -1) + prior
        total = logsumexp(logs, -1)
        share = np.exp(logs - total[:, None])
        sums = np.zeros((len(x), pair.observable.dimension))
        cross = np.zeros((len(x), len(pair.rows), len(pair.columns)))
        for own, one, z in zip(share.T, completed, statistic, strict=True):
            weighted = own[:, None] * one.expected_statistic
            sums += weighted
            cross += weighted[:, pair.rows, None] * z[pair.columns]
        return total, pair.join(sums, share @ statistic, cross)

    def _over_x(self, x: FloatArray, parts: PairParts, psi: float) -> tuple[FloatArray, FloatArray]:
        stack, pair = self._stack, self._stack.pair
        observable, latent = pair.observable, pair.latent
        states = observable.states()
        statistic = observable._statistic(states)
        posterior = np.repeat(parts.latent[None], len(states), 0)
        posterior[:, pair.columns] += statistic[:, pair.rows] @ parts.interaction
        logs = (
            statistic @ parts.observable
            + observable._log_base_measure(states)
            + latent._log_partition(posterior)
            - psi
        )
        # states that agree in the observed columns share a number
        numbers, which = np.unique(
            np.concatenate([states[:, self._observed], x]), axis=0, return_inverse=True
        )
        state_of, row_of = np.split(which.ravel(), [len(states)])
        top = np.full(len(numbers), -np.inf)
        np.maximum.at(top, state_of, logs)
        weights = np.exp(logs - top[state_of])
        expected = np.zeros((len(numbers), 1 + stack.family.dimension))
        means = latent._to_mean(posterior)
        cross = statistic[:, pair.rows, None] * means[:, None, pair.columns]
        whole = pair.join(statistic, means, cross)
        np.add.at(
            expected, state_of, weights[:, None] * np.column_stack([np.ones(len(whole)), whole])
        )
        logs_of = top + np.log(expected[:, 0])
        return logs_of[row_of], expected[row_of, 1:] / expected[row_of, :1]
