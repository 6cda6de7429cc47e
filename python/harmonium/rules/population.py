"""Population codes: counts whose log rates, or log odds, are linear in the latent's statistic."""

from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any, NamedTuple

import numpy as np

from harmonium.errors import BoundaryError
from harmonium.expectation.prepared import Prepared
from harmonium.families.base import ExponentialFamily, Indices
from harmonium.families.bernoulli import Bernoulli
from harmonium.families.binomial import Binomial
from harmonium.families.poisson import Poisson
from harmonium.rules.base import ConjugationRule
from harmonium.rules.conjugated_stack import ConjugatedPrepared
from harmonium.rules.interaction import Block
from harmonium.rules.likelihood import Completion, Conjugation, Likelihood, Message
from harmonium.rules.population_integrals import IntegralsOverRegion, PoissonIntegrals
from harmonium.rules.population_parameters import (
    PopulationParameters,
    tuning_from_parameters,
    tuning_to_parameters,
)
from harmonium.rules.regions import Region
from harmonium.validation import FloatArray

#: Log rates beyond this overflow.
_LARGEST = 700.0
#: Rates and odds (points, neurons) held at a time while they are regressed.
_BLOCK = 1 << 22


class _Design(NamedTuple):
    """Statistics (points, width) of a region's points and the solution operator of a regression."""

    statistic: FloatArray
    solve: FloatArray


@dataclass(frozen=True)
class PopulationRule(ConjugationRule):
    """Rho and chi by least squares of ``psi(theta + Theta s_Z(z))`` on ``(s_Z(z), 1)`` (Eq. 21).

    Conjugation is within the residual of that regression, over a stated region; prior and
    likelihood are taken as the truth, and posteriors, densities and learning are exact within the
    residual. Each neuron's part of psi is regressed by itself, so that a missing neuron adds
    nothing. Model expectations are not derivatives of the regression but the expectations under
    the prior: exact for Poisson counts (theory: ``E[x_i] = exp(theta_i) E[exp(Theta_i . s_Z)]``),
    integrals over the region for the others.

    Parameters
    ----------
    region : Region
        Where latents may lie: ``Circle(points)`` for angles, ``Grid(lower, upper, points)``.
    """

    region: Region

    def check(self, observable: ExponentialFamily, latent: ExponentialFamily) -> None:
        """ValueError unless counts meet a region of the latent's leading space."""
        if not isinstance(self.region, Region):
            raise TypeError(f"region: a Circle or a Grid, not {self.region!r}")
        if not isinstance(observable, Poisson | Bernoulli | Binomial):
            raise ValueError(
                f"observable: a population code's is Poisson, Bernoulli or Binomial, not "
                f"{observable!r}"
            )
        leading = latent.leading
        if leading.n_features != self.region.n_features:
            raise ValueError(
                f"region: has {self.region.n_features} axes, but {leading!r} has "
                f"{leading.n_features} columns"
            )
        _design(self.region, leading)

    def blocks(self, observable: ExponentialFamily, latent: ExponentialFamily) -> tuple[Block, ...]:
        """Every neuron meets every statistic of the leading variable."""
        return (Block(np.arange(observable.dimension), np.arange(latent.leading.dimension)),)

    def conjugation_parameters(
        self,
        observable: ExponentialFamily,
        latent: ExponentialFamily,
        theta: FloatArray,
        interaction: FloatArray,
    ) -> Conjugation:
        """Eq. 21: the sum of the neurons' own."""
        design = _design(self.region, latent.leading)
        flat = self._flat(theta, interaction)
        batch = np.broadcast_shapes(theta.shape[:-1], interaction.shape[:-2])
        out = np.empty((len(flat), len(design.solve)))
        for k, (own, matrix) in enumerate(flat):
            total = np.zeros(len(design.statistic))
            for neurons in self._some(len(own), len(total)):
                total += self._psi(observable, own, matrix, neurons, design.statistic).sum(-1)
            out[k] = design.solve @ total
        out = out.reshape(*batch, -1)
        return Conjugation(out[..., :-1], out[..., -1])

    def by_neuron(
        self,
        observable: ExponentialFamily,
        latent: ExponentialFamily,
        theta: FloatArray,
        interaction: FloatArray,
    ) -> Conjugation:
        """Each neuron's part of rho (n, width) and of chi (n,)."""
        design = _design(self.region, latent.leading)
        out = np.empty((len(theta), len(design.solve)))
        for neurons in self._some(len(theta), len(design.statistic)):
            psi = self._psi(observable, theta, interaction, neurons, design.statistic)
            out[neurons] = (design.solve @ psi).T
        return Conjugation(out[:, :-1], out[:, -1])

    def statistic(self, latent: ExponentialFamily) -> FloatArray:
        """Return the leading statistic (points, width) at the region's points."""
        return _design(self.region, latent.leading).statistic

    def residuals(
        self,
        observable: ExponentialFamily,
        latent: ExponentialFamily,
        theta: FloatArray,
        interaction: FloatArray,
    ) -> FloatArray:
        """Return ``psi - (s_Z . rho + chi)`` at the region's points: what Eq. 10 lacks, in nats."""
        design = _design(self.region, latent.leading)
        rho, chi = self.conjugation_parameters(observable, latent, theta, interaction)
        total = -(design.statistic @ rho + chi)
        for neurons in self._some(len(theta), len(total)):
            total += self._psi(observable, theta, interaction, neurons, design.statistic).sum(-1)
        return np.asarray(total)

    def _psi(
        self,
        observable: ExponentialFamily,
        theta: FloatArray,
        interaction: FloatArray,
        neurons: slice,
        statistic: FloatArray,
    ) -> FloatArray:
        """The neurons' log-partition functions (points, neurons)."""
        family: Any = observable
        return np.asarray(
            family._log_partitions(theta[neurons] + statistic @ interaction[neurons].T)
        )

    def _some(self, n: int, points: int) -> list[slice]:
        """Neurons a few at a time: all rates at all points at once may be too many."""
        step = max(1, _BLOCK // points)
        return [slice(start, min(start + step, n)) for start in range(0, n, step)]

    def _flat(self, theta: FloatArray, interaction: FloatArray) -> list[tuple[Any, Any]]:
        """The likelihoods of a batch, one by one."""
        batch = np.broadcast_shapes(theta.shape[:-1], interaction.shape[:-2])
        own = np.broadcast_to(theta, (*batch, theta.shape[-1])).reshape(-1, theta.shape[-1])
        matrix = np.broadcast_to(interaction, (*batch, *interaction.shape[-2:]))
        return list(zip(own, matrix.reshape(-1, *interaction.shape[-2:]), strict=True))

    def integrals(
        self, observable: ExponentialFamily, latent: ExponentialFamily
    ) -> PoissonIntegrals | IntegralsOverRegion:
        """Expectations of rates under laws of the latent, and likelihoods that have them."""
        if isinstance(observable, Poisson):
            return PoissonIntegrals(latent)
        statistic = _design(self.region, latent.leading).statistic
        return IntegralsOverRegion(observable, latent, self.region, statistic)

    def forward(
        self,
        observable: ExponentialFamily,
        latent: ExponentialFamily,
        theta: FloatArray,
        interaction: FloatArray,
        prior: FloatArray,
    ) -> tuple[FloatArray, FloatArray]:
        """Expected counts, and counts times s_Z, under prior and likelihood."""
        return self.integrals(observable, latent).forward(theta, interaction, prior)

    def regress(
        self,
        observable: ExponentialFamily,
        latent: ExponentialFamily,
        observable_mean: FloatArray,
        latent_mean: FloatArray,
        cross: FloatArray,
    ) -> tuple[FloatArray, FloatArray]:
        """The likelihood whose expectations under the prior these are: the inverse of `forward`."""
        broken = observable._on_boundary(observable_mean)
        if broken is not None:
            raise BoundaryError(f"mean: {broken[1]}")
        prior = latent._to_natural(latent_mean)
        integrals = self.integrals(observable, latent)
        n, w = cross.shape[-2:]
        batch = cross.shape[:-2]
        theta, interaction = np.empty((*batch, n)), np.empty((*batch, n, w))
        for place in np.ndindex(batch):
            theta[place], interaction[place] = integrals.inverse(
                observable_mean[place], cross[place], prior[place]
            )
        return theta, interaction

    def outside(
        self,
        observable: ExponentialFamily,
        latent: ExponentialFamily,
        theta: FloatArray,
        interaction: FloatArray,
    ) -> tuple[Any, str] | None:
        """Rates must be finite wherever the latent may be."""
        if not isinstance(observable, Poisson):
            return None
        statistic = _design(self.region, latent.leading).statistic
        batch = np.broadcast_shapes(theta.shape[:-1], interaction.shape[:-2])
        mask = np.zeros(int(np.prod(batch)), dtype=bool)
        for k, (own, matrix) in enumerate(self._flat(theta, interaction)):
            for neurons in self._some(len(own), len(statistic)):
                rates = own[neurons] + statistic @ matrix[neurons].T
                mask[k] |= bool((rates > _LARGEST).any())
        if not mask.any():
            return None
        return mask.reshape(batch), f"log rates must be at most {_LARGEST:g} over the region"

    def likelihood(
        self,
        observable: ExponentialFamily,
        latent: ExponentialFamily,
        theta: FloatArray,
        interaction: FloatArray,
    ) -> Likelihood:
        """Return one population, of which any neurons may be missing."""
        return _PopulationLikelihood(self, observable, latent, theta, interaction)

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
        """The tuning curves as they are: expectation-maximisation learns the prior."""
        return theta, interaction

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
        """None: tuning curves are held."""
        return 0.0

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
        """Counts are neither shifted nor scaled."""
        if (shift != 0).any() or (scale != 1).any():
            raise ValueError(f"{observable!r} is not closed under shifts and scales")
        return theta, interaction

    def prepare(
        self,
        observable: ExponentialFamily,
        latent: ExponentialFamily,
        theta: FloatArray,
        interaction: FloatArray,
        prior: FloatArray,
    ) -> Prepared:
        """Likelihoods and priors in natural coordinates."""
        return ConjugatedPrepared(
            self, observable, latent, theta, interaction, latent._prepare(prior)
        )

    def to_parameters(
        self,
        observable: ExponentialFamily,
        latent: ExponentialFamily,
        theta: FloatArray,
        interaction: FloatArray,
        prior: FloatArray,
    ) -> PopulationParameters:
        """Gains, the tuning curves as laws of the latent, and the prior's own parameters."""
        gains, tuning = tuning_to_parameters(latent.leading, theta, interaction)
        return PopulationParameters(gains, tuning, latent.to_parameters(prior))

    def from_parameters(
        self, observable: ExponentialFamily, latent: ExponentialFamily, **parameters: object
    ) -> tuple[FloatArray, FloatArray, FloatArray]:
        """From ``prior`` (natural parameters of the latent), ``gains`` and the tuning curves.

        These as ``preferred`` values with ``concentrations`` (angles), ``widths`` or
        ``covariances`` (real numbers), or as ``tuning``, natural parameters (n, width) of laws of
        the leading variable.
        """
        prior = parameters.pop("prior", None)
        if prior is None:
            raise TypeError("prior: natural parameters of the latent are needed")
        theta, interaction = tuning_from_parameters(
            latent.leading, observable.dimension, **parameters
        )
        return latent.check_natural(prior, "prior"), theta, interaction


class _PopulationLikelihood(Likelihood):
    """A population at fixed tuning curves: neurons are independent given the latent."""

    @cached_property
    def _by_neuron(self) -> Conjugation:
        rule: Any = self.rule
        own: Conjugation = rule.by_neuron(
            self.observable, self.latent, self.theta, self.interaction
        )
        return own

    def _partial_message(self, x: FloatArray, observed: Indices) -> Message:
        family: Any = self.observable
        theta, interaction = self.theta[observed], self.interaction[observed]
        rho, chi = self._by_neuron
        base = family._copies(len(observed))._log_base_measure(x)
        return Message(
            x @ interaction - rho[observed].sum(0), x @ theta + base - chi[observed].sum()
        )

    def _completion(self, x: FloatArray, observed: Indices, posterior: FloatArray) -> Completion:
        rule: Any = self.rule
        n, (rows, columns) = len(posterior), self.interaction.shape
        missing = np.setdiff1d(np.arange(self.observable.dimension), observed)
        statistic, cross = np.empty((n, rows)), np.empty((n, rows, columns))
        statistic[:, observed] = x
        z = self.latent._to_mean(posterior)[:, :columns]
        cross[:, observed] = x[:, :, None] * z[:, None, :]
        integrals = rule.integrals(self.observable, self.latent)
        statistic[:, missing], cross[:, missing] = integrals.forward(
            self.theta[missing], self.interaction[missing], posterior
        )
        return Completion(statistic, cross)


@lru_cache(maxsize=16)
def _design(region: Region, leading: ExponentialFamily) -> _Design:
    """The regression of functions on (s_Z, 1) over a region, once for each pair."""
    points = region.latents()
    leading._check_support(points, "region")
    statistic = leading._statistic(points)
    design = np.column_stack([statistic, np.ones(len(points))])
    scale = np.sqrt((design**2).mean(0))
    if (scale <= 0).any():
        raise ValueError(f"region: a statistic of {leading!r} is zero at all of its points")
    left, singular, right = np.linalg.svd(design / scale, full_matrices=False)
    if len(points) < design.shape[1] or singular[-1] <= 1e-10 * singular[0]:
        raise ValueError(
            f"region: its {len(points)} points do not tell the {design.shape[1]} statistics of "
            f"{leading!r} and the constant apart: take more points, or a wider region"
        )
    solve = ((right.T / singular) @ left.T) / scale[:, None]
    for array in (statistic, solve):
        array.setflags(write=False)
    return _Design(statistic, solve)
