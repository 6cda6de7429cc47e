"""What a conjugation rule states about a likelihood (Lemma 4, Eq. 10)."""

from abc import ABC, abstractmethod
from typing import Any, ClassVar

import numpy as np

from harmonium.expectation.prepared import Prepared
from harmonium.families.base import ExponentialFamily, Indices
from harmonium.numerics.derivatives import jacobian
from harmonium.rules.interaction import Block, InteractionShape
from harmonium.rules.likelihood import Conjugation, Likelihood
from harmonium.validation import FloatArray


class ConjugationRule(ABC):
    """How a likelihood conjugates: rho and chi, model expectations, and the M-step.

    Arrays of natural parameters carry any leading batch axes. ``interaction`` is the matrix
    (..., rows, columns) on the statistics that :meth:`blocks` names.
    """

    #: Whether there are rho and chi; a model without sums over the states of one side.
    conjugates: ClassVar[bool] = True

    @abstractmethod
    def check(self, observable: ExponentialFamily, latent: ExponentialFamily) -> None:
        """ValueError, saying why, for a pair of families that the rule does not conjugate."""

    @abstractmethod
    def blocks(self, observable: ExponentialFamily, latent: ExponentialFamily) -> tuple[Block, ...]:
        """Which statistics meet."""

    def interaction_shape(
        self, observable: ExponentialFamily, latent: ExponentialFamily
    ) -> InteractionShape:
        """Where the blocks' entries lie in the interaction matrix."""
        return InteractionShape(self.blocks(observable, latent))

    def likelihood(
        self,
        observable: ExponentialFamily,
        latent: ExponentialFamily,
        theta: FloatArray,
        interaction: FloatArray,
    ) -> Likelihood:
        """Return one likelihood, of vectors without batch axes, ready to meet rows."""
        return Likelihood(self, observable, latent, theta, interaction)

    @abstractmethod
    def conjugation_parameters(
        self,
        observable: ExponentialFamily,
        latent: ExponentialFamily,
        theta: FloatArray,
        interaction: FloatArray,
    ) -> Conjugation:
        """Return rho, on the latent's leading statistics, and chi (Eq. 10)."""

    @abstractmethod
    def forward(
        self,
        observable: ExponentialFamily,
        latent: ExponentialFamily,
        theta: FloatArray,
        interaction: FloatArray,
        prior: FloatArray,
    ) -> tuple[FloatArray, FloatArray]:
        """Return the model's mean of s_X and of s_X s_Z on the interaction's entries."""

    def adjoint(
        self,
        observable: ExponentialFamily,
        latent: ExponentialFamily,
        theta: FloatArray,
        interaction: FloatArray,
        weight: FloatArray,
        latent_mean: FloatArray,
    ) -> tuple[FloatArray, FloatArray]:
        """Return the gradient of ``weight chi + latent_mean . rho`` in theta and interaction.

        ``weight`` (...) and ``latent_mean`` (..., latent dimension) are any numbers. What the chain
        rule asks for between theta_Z and the prior theta_Z + rho; by differences unless a rule
        knows better.
        """
        rows, columns = interaction.shape[-2:]
        size = theta.shape[-1]

        def value(flat: FloatArray) -> FloatArray:
            matrix = flat[..., size:].reshape(*flat.shape[:-1], rows, columns)
            rho, chi = self.conjugation_parameters(observable, latent, flat[..., :size], matrix)
            met = latent_mean[..., : rho.shape[-1]]
            return np.asarray(weight * chi + (met * rho).sum(-1))[..., None]

        batch = interaction.shape[:-2]
        flat = np.concatenate([theta, interaction.reshape(*batch, rows * columns)], -1)
        gradient = jacobian(value, flat)[..., 0, :]
        return gradient[..., :size], gradient[..., size:].reshape(*batch, rows, columns)

    @abstractmethod
    def regress(
        self,
        observable: ExponentialFamily,
        latent: ExponentialFamily,
        observable_mean: FloatArray,
        latent_mean: FloatArray,
        cross: FloatArray,
    ) -> tuple[FloatArray, FloatArray]:
        """Return theta and interaction that fit means best: the likelihood's M-step (Eq. 27)."""

    @abstractmethod
    def outside(
        self,
        observable: ExponentialFamily,
        latent: ExponentialFamily,
        theta: FloatArray,
        interaction: FloatArray,
    ) -> tuple[Any, str] | None:
        """A mask of likelihoods outside their domain and the rule they break, or None."""

    @abstractmethod
    def prepare(
        self,
        observable: ExponentialFamily,
        latent: ExponentialFamily,
        theta: FloatArray,
        interaction: FloatArray,
        prior: FloatArray,
    ) -> Prepared:
        """Return (count, ...) likelihoods and priors ready for the pass."""

    def refit(
        self,
        observable: ExponentialFamily,
        latent: ExponentialFamily,
        theta: FloatArray,
        interaction: FloatArray,
        prior: FloatArray,
        weight: float,
        totals: FloatArray,
        notes: set[str],
    ) -> tuple[FloatArray, FloatArray]:
        """Return the likelihood that fits (dimension,) totals of (s_X, s_Z, s_X s_Z) best.

        The M-step of one likelihood among several, or of one without a kernel: where the rule
        says no better, that of its own stack.
        """
        stack = self._stack(observable, latent, theta, interaction, prior)
        sums = stack.sums_of(np.array([weight]), totals[None])
        natural = stack.maximise(sums, notes).natural[0]
        entries = natural[observable.dimension + latent.dimension :]
        shape = self.interaction_shape(observable, latent)
        return natural[: observable.dimension], shape.matrix(entries)

    def _stack(
        self,
        observable: ExponentialFamily,
        latent: ExponentialFamily,
        theta: FloatArray,
        interaction: FloatArray,
        prior: FloatArray,
    ) -> Prepared:
        """The rule's own stack of one model, for its M-step in natural coordinates."""
        return self.prepare(observable, latent, theta[None], interaction[None], prior[None])

    def misfit(
        self,
        observable: ExponentialFamily,
        latent: ExponentialFamily,
        theta: FloatArray,
        interaction: FloatArray,
        prior: FloatArray,
        weight: float,
        totals: FloatArray,
    ) -> float:
        """Return how far the likelihood is from :meth:`refit`, standardised as in the pass."""
        stack = self._stack(observable, latent, theta, interaction, prior)
        return stack.residual(stack.sums_of(np.array([weight]), totals[None]))

    def moved(
        self,
        observable: ExponentialFamily,
        latent: ExponentialFamily,
        theta: FloatArray,
        interaction: FloatArray,
        prior: FloatArray,
        shift: FloatArray,
        scale: FloatArray,
    ) -> tuple[FloatArray, FloatArray]:
        """Return the likelihood of ``shift + scale * X``."""
        stack = self.prepare(observable, latent, theta[None], interaction[None], prior[None])
        natural = stack.affine(shift, scale).natural[0]
        entries = natural[observable.dimension + latent.dimension :]
        shape = self.interaction_shape(observable, latent)
        return natural[: observable.dimension], shape.matrix(entries)

    def posterior_of_partial(
        self,
        observable: ExponentialFamily,
        latent: ExponentialFamily,
        prepared: Prepared,
        prior: FloatArray,
        x: FloatArray,
        observed: Indices,
    ) -> FloatArray:
        """Return posteriors (n, latent dimension) of rows of which some columns are observed."""
        natural = prepared.natural[0]
        shape = self.interaction_shape(observable, latent)
        entries = natural[observable.dimension + latent.dimension :]
        likelihood = self.likelihood(
            observable, latent, natural[: observable.dimension], shape.matrix(entries)
        )
        return add_leading(prior, likelihood.message(x, observed).shift)

    @abstractmethod
    def to_parameters(
        self,
        observable: ExponentialFamily,
        latent: ExponentialFamily,
        theta: FloatArray,
        interaction: FloatArray,
        prior: FloatArray,
    ) -> Any:
        """Return people's parameters of the model."""

    @abstractmethod
    def from_parameters(
        self, observable: ExponentialFamily, latent: ExponentialFamily, **parameters: object
    ) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Return prior, theta and interaction from people's parameters."""


def add_leading(base: FloatArray, shift: FloatArray) -> FloatArray:
    """Return ``base`` with ``shift`` added to its first coordinates, broadcasting batches."""
    batch = np.broadcast_shapes(base.shape[:-1], shift.shape[:-1])
    out = np.array(np.broadcast_to(base, (*batch, base.shape[-1])))
    out[..., : shift.shape[-1]] += shift
    return out
