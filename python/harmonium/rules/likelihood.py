"""A likelihood alone, beside whatever prior: what it says of the latent, what it expects of x."""

from functools import cached_property
from typing import NamedTuple, Protocol

import numpy as np

from harmonium.families.base import ExponentialFamily, Indices
from harmonium.rules.interaction import InteractionShape
from harmonium.validation import FloatArray


class Conjugation(NamedTuple):
    """The conjugation parameters of Eq. 10: rho (..., width of the latent's part), chi (...)."""

    rho: FloatArray
    chi: FloatArray


class _Rule(Protocol):
    """What a likelihood asks of the rule that made it."""

    def interaction_shape(
        self, observable: ExponentialFamily, latent: ExponentialFamily
    ) -> InteractionShape: ...

    def conjugation_parameters(
        self,
        observable: ExponentialFamily,
        latent: ExponentialFamily,
        theta: FloatArray,
        interaction: FloatArray,
    ) -> Conjugation: ...

    def forward(
        self,
        observable: ExponentialFamily,
        latent: ExponentialFamily,
        theta: FloatArray,
        interaction: FloatArray,
        prior: FloatArray,
    ) -> tuple[FloatArray, FloatArray]: ...


class Message(NamedTuple):
    """What rows say: shifts (n, width) of the latent's leading parameters, constants (n,) in nats.

    The likelihood of a row is ``exp(shift . s_Z(z) + constant)``, within the residual of Eq. 10.
    """

    shift: FloatArray
    constant: FloatArray


class Completion(NamedTuple):
    """Expectations (n, dimension) of s_X and (n, rows, columns) of s_X s_Z, given what is known."""

    statistic: FloatArray
    cross: FloatArray


class Likelihood:
    """One likelihood at fixed parameters, ready to meet rows and posteriors.

    Complete rows are the same for every rule; a rule whose likelihood takes missing values states
    what observed columns alone say, and what is expected of the others.
    """

    def __init__(
        self,
        rule: _Rule,
        observable: ExponentialFamily,
        latent: ExponentialFamily,
        theta: FloatArray,
        interaction: FloatArray,
    ) -> None:
        self.rule = rule
        self.observable = observable
        self.latent = latent
        self.theta = theta
        self.interaction = interaction
        self.shape = rule.interaction_shape(observable, latent)

    @cached_property
    def conjugation(self) -> Conjugation:
        """Rho and chi (Eq. 10)."""
        return self.rule.conjugation_parameters(
            self.observable, self.latent, self.theta, self.interaction
        )

    def message(self, x: FloatArray, observed: Indices | None = None) -> Message:
        """Return what rows say, of which all columns, or only ``observed`` ones, are given."""
        if observed is not None and len(observed) < self.observable.n_features:
            if not len(observed):
                return Message(np.zeros((len(x), 0)), np.zeros(len(x)))
            return self._partial_message(x, observed)
        rho, chi = self.conjugation
        statistic = self.observable._statistic(x)
        columns = self.shape.columns
        width = max(rho.shape[-1], int(columns.max(initial=-1)) + 1)
        shift = np.zeros((len(x), width))
        shift[:, columns] = statistic[:, self.shape.rows] @ self.interaction
        shift[:, : rho.shape[-1]] -= rho
        base = self.observable._log_base_measure(x)
        return Message(shift, statistic @ self.theta + base - chi)

    def complete(
        self, x: FloatArray, observed: Indices | None, posterior: FloatArray
    ) -> Completion:
        """Return what is expected of rows given the posteriors (n, latent dimension) of z."""
        if observed is not None and len(observed) < self.observable.n_features:
            return self._completion(x, observed, posterior)
        statistic = self.observable._statistic(x)
        latent = self.latent._to_mean(posterior)[:, self.shape.columns]
        return Completion(statistic, statistic[:, self.shape.rows, None] * latent[:, None, :])

    def _partial_message(self, x: FloatArray, observed: Indices) -> Message:
        raise ValueError(f"{self._what} takes missing values in all columns of a row, not in some")

    def _completion(self, x: FloatArray, observed: Indices, posterior: FloatArray) -> Completion:
        if len(observed):
            raise ValueError(
                f"{self._what} takes missing values in all columns of a row, not in some"
            )
        return self.expected(posterior)

    def expected(self, posterior: FloatArray) -> Completion:
        """Return what is expected of rows of which nothing but the posterior of z is known."""
        theta = np.broadcast_to(self.theta, (len(posterior), *self.theta.shape))
        interaction = np.broadcast_to(self.interaction, (len(posterior), *self.interaction.shape))
        return Completion(
            *self.rule.forward(self.observable, self.latent, theta, interaction, posterior)
        )

    @property
    def _what(self) -> str:
        return f"a likelihood of {self.observable!r} by {type(self.rule).__name__}"
