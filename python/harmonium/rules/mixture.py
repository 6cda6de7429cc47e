"""Mixtures: a categorical latent conjugates every observable (Theorem 12, Eq. 18)."""

from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np

from harmonium.errors import BoundaryError
from harmonium.expectation.prepared import Prepared
from harmonium.families.base import Completed, ExponentialFamily, Indices
from harmonium.families.categorical import Categorical
from harmonium.rules.base import ConjugationRule
from harmonium.rules.interaction import Block
from harmonium.rules.likelihood import Completion, Conjugation, Likelihood, Message
from harmonium.rules.mixture_stack import MixturePrepared
from harmonium.validation import FloatArray


class MixtureParameters(NamedTuple):
    """People's parameters of a mixture: weights (..., K) and the components', (..., K, ...) each."""

    weights: FloatArray
    components: Any


@dataclass(frozen=True)
class MixtureRule(ConjugationRule):
    """``rho_k = psi(theta + Theta_k) - psi(theta)``, ``chi = psi(theta)``: exact for all families.

    Parameters
    ----------
    shared : {None, "shape"}
        With "shape" categories move the location statistics only; the rest is common to all
        (§3.3.4: a linear subspace). Families that have no shape share nothing.
    """

    shared: Literal["shape"] | None = None

    def _rows(self, observable: ExponentialFamily) -> Indices:
        if self.shared == "shape":
            return observable.location
        return np.arange(observable.dimension)

    def check(self, observable: ExponentialFamily, latent: ExponentialFamily) -> None:
        """The latent must be a Categorical; with a shared shape, the observable no harmonium."""
        if not isinstance(latent, Categorical):
            raise ValueError(f"latent: a mixture's is a Categorical, not {latent!r}")
        if self.shared not in (None, "shape"):
            raise ValueError(f'shared: None or "shape"; got {self.shared!r}')
        if self.shared and observable.n_observed != observable.n_features:
            raise ValueError(
                f"shared: which statistics of a model with a latent variable of its own place it, "
                f"and which shape it, is not stated; share the shape inside {observable!r}"
            )

    def blocks(self, observable: ExponentialFamily, latent: ExponentialFamily) -> tuple[Block, ...]:
        """Every statistic that categories move, with every category but 0."""
        return (Block(self._rows(observable), np.arange(latent.dimension)),)

    def components(
        self, observable: ExponentialFamily, theta: FloatArray, interaction: FloatArray
    ) -> FloatArray:
        """Return the natural parameters of all components, (..., K, dimension)."""
        return components_of(theta, interaction, self._rows(observable))

    def _from_components(
        self, observable: ExponentialFamily, components: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        theta = components[..., 0, :]
        difference = components[..., 1:, :] - theta[..., None, :]
        return theta, difference[..., self._rows(observable)].swapaxes(-1, -2)

    def conjugation_parameters(
        self,
        observable: ExponentialFamily,
        latent: ExponentialFamily,
        theta: FloatArray,
        interaction: FloatArray,
    ) -> Conjugation:
        """Eq. 18."""
        psi = observable._log_partition(self.components(observable, theta, interaction))
        return Conjugation(psi[..., 1:] - psi[..., :1], psi[..., 0])

    def forward(
        self,
        observable: ExponentialFamily,
        latent: ExponentialFamily,
        theta: FloatArray,
        interaction: FloatArray,
        prior: FloatArray,
    ) -> tuple[FloatArray, FloatArray]:
        """Component means weighted by the prior."""
        assert isinstance(latent, Categorical)
        weights = np.exp(latent._log_probabilities(prior))[..., None]
        means = weights * observable._to_mean(self.components(observable, theta, interaction))
        cross = means[..., 1:, self._rows(observable)].swapaxes(-1, -2)
        return means.sum(-2), cross

    def adjoint(
        self,
        observable: ExponentialFamily,
        latent: ExponentialFamily,
        theta: FloatArray,
        interaction: FloatArray,
        weight: FloatArray,
        latent_mean: FloatArray,
    ) -> tuple[FloatArray, FloatArray]:
        """Component means, each times what its log-partition function counts for."""
        first = weight - latent_mean.sum(-1)
        weights = np.concatenate([np.asarray(first)[..., None], latent_mean], -1)[..., None]
        means = weights * observable._to_mean(self.components(observable, theta, interaction))
        cross = means[..., 1:, self._rows(observable)].swapaxes(-1, -2)
        return means.sum(-2), cross

    def regress(
        self,
        observable: ExponentialFamily,
        latent: ExponentialFamily,
        observable_mean: FloatArray,
        latent_mean: FloatArray,
        cross: FloatArray,
    ) -> tuple[FloatArray, FloatArray]:
        """One maximum-likelihood fit a component; pooled where a part is shared."""
        weights = np.concatenate([1 - latent_mean.sum(-1, keepdims=True), latent_mean], -1)
        if (weights <= 0).any():
            raise BoundaryError("mean: a category without weight has no component parameters")
        rows = self._rows(observable)
        parts = cross.swapaxes(-1, -2)
        rest = observable_mean[..., None, rows] - parts.sum(-2, keepdims=True)
        means = np.concatenate([rest, parts], -2) / weights[..., None]
        if len(rows) < observable.dimension:
            full = np.repeat(observable_mean[..., None, :], means.shape[-2], -2)
            full[..., rows] = means
            components = self._tied(observable, weights, full)
        else:
            components = observable._to_natural(observable.check_mean(means))
        return self._from_components(observable, components)

    def _tied(
        self, observable: ExponentialFamily, weights: FloatArray, means: FloatArray
    ) -> FloatArray:
        """Components with these location means and, all together, this average shape mean."""
        try:
            # outside the domain of means nothing need be a number
            with np.errstate(all="ignore"):
                components = observable._tied_natural(weights, means)
        except np.linalg.LinAlgError:
            components = np.full_like(means, np.nan)
        if not np.isfinite(components).all() or observable._outside(components) is not None:
            raise BoundaryError(
                "mean: no components that share their shape have it: it lies on the boundary or "
                "beyond"
            )
        return components

    def outside(
        self,
        observable: ExponentialFamily,
        latent: ExponentialFamily,
        theta: FloatArray,
        interaction: FloatArray,
    ) -> tuple[Any, str] | None:
        """Every component must be in its family's domain."""
        broken = observable._outside(self.components(observable, theta, interaction))
        if broken is None:
            return None
        mask, rule = broken
        return np.any(mask, -1), f"component {int(np.argwhere(mask)[0][-1])}: {rule}"

    def prepare(
        self,
        observable: ExponentialFamily,
        latent: ExponentialFamily,
        theta: FloatArray,
        interaction: FloatArray,
        prior: FloatArray,
    ) -> MixturePrepared:
        """Weights and a stack of all components."""
        assert isinstance(latent, Categorical)
        components = self.components(observable, theta, interaction)
        stack = observable._prepare(
            components.reshape(components.shape[0] * components.shape[1], observable.dimension)
        )
        return MixturePrepared(
            observable, latent._log_probabilities(prior), stack, self._rows(observable)
        )

    def likelihood(
        self,
        observable: ExponentialFamily,
        latent: ExponentialFamily,
        theta: FloatArray,
        interaction: FloatArray,
    ) -> Likelihood:
        """Return the components as one likelihood, with missing values where the family takes them."""
        return _MixtureLikelihood(self, observable, latent, theta, interaction)

    def posterior_of_partial(
        self,
        observable: ExponentialFamily,
        latent: ExponentialFamily,
        prepared: Prepared,
        prior: FloatArray,
        x: FloatArray,
        observed: Indices,
    ) -> FloatArray:
        """Log marginals of the components take the place of their log densities."""
        assert isinstance(prepared, MixturePrepared)
        logs = prepared.components.restrict(observed).evaluate(x)
        return np.asarray(prior + logs[:, 1:] - logs[:, :1])

    def to_parameters(
        self,
        observable: ExponentialFamily,
        latent: ExponentialFamily,
        theta: FloatArray,
        interaction: FloatArray,
        prior: FloatArray,
    ) -> MixtureParameters:
        """Weights and the components' own parameters."""
        components = self.components(observable, theta, interaction)
        return MixtureParameters(
            latent.to_parameters(prior).probabilities, observable.to_parameters(components)
        )

    def from_parameters(
        self, observable: ExponentialFamily, latent: ExponentialFamily, **parameters: object
    ) -> tuple[FloatArray, FloatArray, FloatArray]:
        """From ``weights`` (..., K), even by default, and the components' parameters.

        These by their names, or as ``components``: natural parameters (..., K, dimension).
        """
        weights = parameters.pop("weights", None)
        assert isinstance(latent, Categorical)
        if weights is None:
            weights = np.full(latent.n_categories, 1 / latent.n_categories)
        prior = latent.from_parameters(probabilities=weights)
        if "components" in parameters:
            components = observable.check_natural(parameters.pop("components"), "components")
        else:
            components = observable.from_parameters(**parameters)
            parameters = {}
        if parameters:
            raise TypeError(f"unknown parameters: {', '.join(sorted(parameters))}")
        if components.ndim < 2 or components.shape[-2] != latent.n_categories:
            raise ValueError(
                f"components: shape {components.shape}, expected (..., {latent.n_categories}, "
                f"{observable.dimension})"
            )
        theta, interaction = self._from_components(observable, components)
        return prior, theta, interaction


def components_of(theta: FloatArray, interaction: FloatArray, rows: Indices) -> FloatArray:
    """Return the natural parameters of all components, (..., K, dimension)."""
    others = np.repeat(theta[..., None, :], interaction.shape[-1], -2)
    others[..., rows] += interaction.swapaxes(-1, -2)
    return np.concatenate([theta[..., None, :], others], -2)


class _MixtureLikelihood(Likelihood):
    """Components: log marginals of what is observed speak, each completes the rest by itself."""

    def _completed(self, x: FloatArray, observed: Indices) -> list[Completed]:
        components = components_of(self.theta, self.interaction, self.shape.rows)
        return [self.observable._complete(point, x, observed) for point in components]

    def _partial_message(self, x: FloatArray, observed: Indices) -> Message:
        logs = np.stack([one.log_marginal for one in self._completed(x, observed)], -1)
        return Message(logs[:, 1:] - logs[:, :1], logs[:, 0])

    def _completion(self, x: FloatArray, observed: Indices, posterior: FloatArray) -> Completion:
        rest = np.zeros((len(posterior), 0)) if not len(observed) else x
        statistics = [one.expected_statistic for one in self._completed(rest, observed)]
        others = self.latent._to_mean(posterior)
        shares = np.concatenate([1 - others.sum(-1, keepdims=True), others], -1)
        joint = shares.T[..., None] * np.stack(statistics)
        return Completion(joint.sum(0), joint[1:, :, self.shape.rows].transpose(1, 2, 0))
