"""The law of rows to come: a mixture of the emissions at each step."""

from dataclasses import dataclass

import numpy as np
from scipy.special import logsumexp

from harmonium.expectation import Prepared, member_log_densities
from harmonium.families.base import LOG_FLOOR, ExponentialFamily
from harmonium.harmonium import Harmonium
from harmonium.learning.data import check_table
from harmonium.learning.floating_point import steady
from harmonium.learning.standardisation import Standardisation
from harmonium.models import Mixture
from harmonium.rules.mixture import MixtureRule
from harmonium.rules.mixture_stack import MixturePrepared
from harmonium.validation import FloatArray, as_count, as_generator


@dataclass(frozen=True, eq=False)
class Forecast:
    """The law of the rows that follow a sequence, or each of several.

    Attributes
    ----------
    observable : ExponentialFamily
        The family of the emissions.
    states : (steps, K) array, or (n_sequences, steps, K)
        Probabilities of the states.
    emissions : Prepared
        The emissions in standardised coordinates.
    standardisation : Standardisation
        Those coordinates.
    """

    observable: ExponentialFamily
    states: FloatArray
    emissions: Prepared
    standardisation: Standardisation

    @property
    def mixture(self) -> Harmonium:
        """The mixtures of K emissions, among which the law of each row is."""
        return Mixture(self.observable, self.states.shape[-1])

    @property
    @steady
    def natural(self) -> FloatArray:
        """Natural parameters in :attr:`mixture` of each row's law, (..., dimension)."""
        flat = self.states.reshape(-1, self.states.shape[-1])
        emissions = self.emissions
        if not self.standardisation.is_identity:
            emissions = emissions.affine(self.standardisation.shift, self.standardisation.scale)
        with np.errstate(divide="ignore"):
            logs = np.maximum(np.log(flat), LOG_FLOOR)
        rule = self.mixture.rule
        assert isinstance(rule, MixtureRule)
        every = np.tile(np.arange(emissions.count), len(flat))
        stack = MixturePrepared(
            self.observable,
            logs - logsumexp(logs, -1, keepdims=True),
            emissions.take(every),
            np.arange(self.observable.dimension),
        )
        return stack.natural.reshape(*self.states.shape[:-1], -1)

    @property
    @steady
    def mean(self) -> FloatArray:
        """Expected statistics of the rows, E[s(x)], (..., dimension) of the observable."""
        emissions = self.emissions
        if not self.standardisation.is_identity:
            emissions = emissions.affine(self.standardisation.shift, self.standardisation.scale)
        return self.states @ self.observable._to_mean(emissions.natural)

    @steady
    def log_density(self, x: object) -> FloatArray:
        """Return the log density in nats of rows to come, (...): each under its own step's law.

        Rows (steps, n_observed), for several sequences one below the other.
        """
        table = check_table(self.observable, x, "x")
        if len(table) != self.states[..., 0].size:
            raise ValueError(
                f"x: {len(table)} rows for {self.states[..., 0].size} steps, all sequences together"
            )
        standard = self.standardisation
        z = standard.apply(table)
        logs = member_log_densities(self.emissions, z)
        with np.errstate(divide="ignore"):
            joint = np.log(self.states.reshape(logs.shape)) + logs
        scales = (~np.isnan(z)) @ np.log(standard.scale)
        out = np.asarray(logsumexp(joint, -1)) - scales
        return np.asarray(out.reshape(self.states.shape[:-1]))

    @steady
    def sample(self, rng: object = None, size: int = 1) -> FloatArray:
        """Return draws of each row by itself, (size, ..., n_observed): steps are not tied together."""
        size, generator = as_count(size, name="size"), as_generator(rng, name="rng")
        cumulative = self.states.cumsum(-1)
        uniform = generator.random((size, *self.states.shape[:-1], 1)) * cumulative[..., -1:]
        members = (uniform >= cumulative[..., :-1]).sum(-1)
        drawn = self.emissions.sample(members.ravel(), generator)
        standard = self.standardisation
        x = standard.shift + standard.scale * drawn[:, : self.emissions.n_observed]
        return np.asarray(x.reshape(*members.shape, -1))
