"""What a conjugation rule states about a likelihood (Lemma 4, Eq. 10)."""

from abc import ABC, abstractmethod
from typing import Any, NamedTuple

import numpy as np

from harmonium.expectation.prepared import Prepared
from harmonium.families.base import ExponentialFamily, Indices
from harmonium.numerics.derivatives import jacobian
from harmonium.validation import FloatArray


class Block(NamedTuple):
    """Statistics of the observable (rows) that meet statistics of the latent (columns)."""

    rows: Indices
    columns: Indices


class Conjugation(NamedTuple):
    """The conjugation parameters of Eq. 10: rho (..., width of the latent's part), chi (...)."""

    rho: FloatArray
    chi: FloatArray


class ConjugationRule(ABC):
    """How a likelihood conjugates: rho and chi, model expectations, and the M-step.

    Arrays of natural parameters carry any leading batch axes. ``interaction`` is the matrix
    (..., rows, columns) on the statistics that :meth:`blocks` names.
    """

    @abstractmethod
    def check(self, observable: ExponentialFamily, latent: ExponentialFamily) -> None:
        """ValueError, saying why, for a pair of families that the rule does not conjugate."""

    @abstractmethod
    def blocks(self, observable: ExponentialFamily, latent: ExponentialFamily) -> tuple[Block, ...]:
        """Which statistics meet."""

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

    @abstractmethod
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
