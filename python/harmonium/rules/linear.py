"""Linear Gaussian models: a normal whose location is moved by the latent (Theorem 13)."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from harmonium.errors import BoundaryError
from harmonium.expectation.prepared import Prepared
from harmonium.families.base import ExponentialFamily, Indices
from harmonium.families.normal import Normal
from harmonium.families.normal_stack import NormalPrepared
from harmonium.numerics.symmetric import inverse, outer
from harmonium.rules.base import ConjugationRule
from harmonium.rules.interaction import Block
from harmonium.rules.likelihood import Completion, Conjugation, Likelihood, Message
from harmonium.rules.linear_stack import NATURAL_NOISE_FLOOR, LinearPrepared
from harmonium.validation import FloatArray, as_floats


class LinearParameters(NamedTuple):
    """People's parameters of ``x | z ~ N(mean + loadings z, noise)`` and of the prior of z."""

    mean: FloatArray
    loadings: FloatArray
    noise: FloatArray
    prior: Any


@dataclass(frozen=True)
class LinearRule(ConjugationRule):
    """``rho = (-1/2 T S**-1 m, -1/4 T S**-1 TT)`` for an interaction TT, ``chi = psi(theta)``.

    The latent's leading statistic must hold every product z_i z_j: full normals, dense
    Boltzmann machines, and harmoniums whose observable is one of those.
    """

    def check(self, observable: ExponentialFamily, latent: ExponentialFamily) -> None:
        """ValueError unless observable and latent are as the theorem asks."""
        if not isinstance(observable, Normal):
            raise ValueError(
                f"observable: a linear Gaussian model's is a Normal, not {observable!r}"
            )
        if not latent.leading.holds_products:
            raise ValueError(
                f"latent: {latent!r} does not hold every product z_i z_j in its statistic, so its "
                "posterior would leave the family; take a full Normal, a dense Boltzmann, or a "
                "harmonium on one of them"
            )

    def blocks(self, observable: ExponentialFamily, latent: ExponentialFamily) -> tuple[Block, ...]:
        """x meets z."""
        return (Block(observable.location, np.arange(latent.leading.n_features)),)

    def conjugation_parameters(
        self,
        observable: ExponentialFamily,
        latent: ExponentialFamily,
        theta: FloatArray,
        interaction: FloatArray,
    ) -> Conjugation:
        """Eq. 20."""
        covariance, mean = self._likelihood(observable, theta)
        # -1/2 S**-1 is the covariance
        location = np.einsum("...ij,...i->...j", interaction, mean)
        quadratic = 0.5 * np.einsum(
            "...ia,...ij,...jb->...ab", interaction, covariance, interaction
        )
        leading: Any = latent.leading
        rho = leading.pack_quadratic(location, 0.5 * (quadratic + quadratic.swapaxes(-1, -2)))
        return Conjugation(rho, observable._log_partition(theta))

    def _likelihood(
        self, observable: ExponentialFamily, theta: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        """Noise covariance matrices (..., n, n) and offsets (..., n)."""
        assert isinstance(observable, Normal)
        mean, covariance = observable._mean_and_covariance(theta)
        return observable._shape.matrices(covariance, observable.n), mean

    def _moments(
        self, latent: ExponentialFamily, mean: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        leading: Any = latent.leading
        first, second = leading.location_moments(mean[..., : leading.dimension])
        return first, second

    def forward(
        self,
        observable: ExponentialFamily,
        latent: ExponentialFamily,
        theta: FloatArray,
        interaction: FloatArray,
        prior: FloatArray,
    ) -> tuple[FloatArray, FloatArray]:
        """Moments of ``offset + loadings z`` under the prior, plus the noise."""
        one = np.ones(prior.shape[:-1])
        mean = latent._to_mean(prior)
        return self.adjoint(observable, latent, theta, interaction, one, mean)

    def adjoint(
        self,
        observable: ExponentialFamily,
        latent: ExponentialFamily,
        theta: FloatArray,
        interaction: FloatArray,
        weight: FloatArray,
        latent_mean: FloatArray,
    ) -> tuple[FloatArray, FloatArray]:
        """Moments of ``offset + loadings z`` and the noise; z of any mass, moments of any sign."""
        assert isinstance(observable, Normal)
        covariance, offset = self._likelihood(observable, theta)
        loadings = covariance @ interaction
        z, zz = self._moments(latent, latent_mean)
        explained = np.einsum("...ij,...j->...i", loadings, z)
        mass = np.asarray(weight)[..., None]
        x = mass * offset + explained
        cross = outer(offset, z) + loadings @ zz
        second = (
            mass[..., None] * (covariance + outer(offset, offset))
            + outer(offset, explained)
            + outer(explained, offset)
            + loadings @ zz @ loadings.swapaxes(-1, -2)
        )
        return observable.pack_moments(x, second), cross

    def regress(
        self,
        observable: ExponentialFamily,
        latent: ExponentialFamily,
        observable_mean: FloatArray,
        latent_mean: FloatArray,
        cross: FloatArray,
    ) -> tuple[FloatArray, FloatArray]:
        """Linear regression of x on z."""
        assert isinstance(observable, Normal)
        x, xx = observable.location_moments(observable_mean)
        z, zz = self._moments(latent, latent_mean)
        try:
            gain = inverse(zz - outer(z, z))
        except np.linalg.LinAlgError:
            raise BoundaryError("mean: the latent's covariance is singular") from None
        across = cross - outer(x, z)
        loadings = across @ gain
        explained = loadings @ across.swapaxes(-1, -2)
        left = xx - outer(x, x) - 0.5 * (explained + explained.swapaxes(-1, -2))
        offset = x - np.einsum("...ij,...j->...i", loadings, z)
        theta = observable._to_natural(
            observable.check_mean(observable.pack_moments(offset, left + outer(offset, offset)))
        )
        precision = -2 * observable._full_quadratic(theta)
        return theta, precision @ loadings

    def outside(
        self,
        observable: ExponentialFamily,
        latent: ExponentialFamily,
        theta: FloatArray,
        interaction: FloatArray,
    ) -> tuple[Any, str] | None:
        """The noise must be a normal."""
        return observable._outside(theta)

    def prepare(
        self,
        observable: ExponentialFamily,
        latent: ExponentialFamily,
        theta: FloatArray,
        interaction: FloatArray,
        prior: FloatArray,
    ) -> LinearPrepared:
        """Offsets, loadings, noise and prior."""
        assert isinstance(observable, Normal)
        matrices, mean = self._likelihood(observable, theta)
        covariance = observable._mean_and_covariance(theta)[1]
        behind = latent._prepare(prior)
        loadings = matrices @ interaction
        noise = NormalPrepared(observable, mean, covariance)
        return LinearPrepared(observable, latent, loadings, noise, behind)

    def likelihood(
        self,
        observable: ExponentialFamily,
        latent: ExponentialFamily,
        theta: FloatArray,
        interaction: FloatArray,
    ) -> Likelihood:
        """Return one likelihood, of which any columns may be missing."""
        return _LinearLikelihood(self, observable, latent, theta, interaction)

    def _stack(
        self,
        observable: ExponentialFamily,
        latent: ExponentialFamily,
        theta: FloatArray,
        interaction: FloatArray,
        prior: FloatArray,
    ) -> Prepared:
        stack = self.prepare(observable, latent, theta[None], interaction[None], prior[None])
        stack.noise_floor = NATURAL_NOISE_FLOOR
        return stack

    def posterior_of_partial(
        self,
        observable: ExponentialFamily,
        latent: ExponentialFamily,
        prepared: Prepared,
        prior: FloatArray,
        x: FloatArray,
        observed: Indices,
    ) -> FloatArray:
        """The observed columns are a linear Gaussian model too: a missing one adds nothing."""
        assert isinstance(prepared, LinearPrepared)
        leading: Any = latent.leading
        points = np.repeat(prior[None], len(x), 0)
        if len(observed):
            loading = prepared.loadings[0][observed]
            gain = inverse(prepared.noise.matrices[0][np.ix_(observed, observed)])
            pull = loading.T @ gain
            shift = (x - prepared.noise.means[0, observed]) @ pull.T
            precision = pull @ loading
            points[:, : leading.dimension] += leading.pack_quadratic(
                shift,
                np.broadcast_to(-0.25 * (precision + precision.T), (len(x), *precision.shape)),
            )
        return points

    def to_parameters(
        self,
        observable: ExponentialFamily,
        latent: ExponentialFamily,
        theta: FloatArray,
        interaction: FloatArray,
        prior: FloatArray,
    ) -> LinearParameters:
        """Offset, loadings, noise covariance, and the prior's own parameters."""
        covariance, offset = self._likelihood(observable, theta)
        return LinearParameters(
            offset, covariance @ interaction, covariance, latent.to_parameters(prior)
        )

    def from_parameters(
        self, observable: ExponentialFamily, latent: ExponentialFamily, **parameters: object
    ) -> tuple[FloatArray, FloatArray, FloatArray]:
        """From ``mean``, ``loadings``, ``noise`` and ``prior`` (natural parameters of the latent).

        Without ``prior`` a normal latent is standard.
        """
        assert isinstance(observable, Normal)
        missing = {"mean", "loadings", "noise"} - set(parameters)
        unknown = set(parameters) - {"mean", "loadings", "noise", "prior"}
        if missing or unknown:
            raise TypeError(f"parameters: mean, loadings, noise, prior; got {sorted(parameters)}")
        theta = observable.from_parameters(mean=parameters["mean"], covariance=parameters["noise"])
        loadings = as_floats(parameters["loadings"], name="loadings")
        expected = (observable.n, latent.leading.n_features)
        if loadings.shape[-2:] != expected:
            rows, columns = expected
            raise ValueError(f"loadings: shape {loadings.shape}, expected (..., {rows}, {columns})")
        prior = parameters.get("prior")
        if prior is None:
            if not isinstance(latent, Normal):
                raise TypeError("prior: natural parameters of the latent are needed")
            prior = latent.from_parameters(mean=np.zeros(latent.n), covariance=np.eye(latent.n))
        precision = -2 * observable._full_quadratic(theta)
        return latent.check_natural(prior, "prior"), theta, precision @ loadings


class _LinearLikelihood(Likelihood):
    """A linear Gaussian likelihood of which some columns are observed."""

    @cached_property
    def _noise(self) -> NormalPrepared:
        assert isinstance(self.observable, Normal)
        mean, covariance = self.observable._mean_and_covariance(self.theta[None])
        return NormalPrepared(self.observable, mean, covariance)

    @cached_property
    def _loadings(self) -> FloatArray:
        return np.asarray(self._noise.matrices[0] @ self.interaction)

    def _partial_message(self, x: FloatArray, observed: Indices) -> Message:
        leading: Any = self.latent.leading
        loading = self._loadings[observed]
        pull = loading.T @ inverse(self._noise.matrices[0][np.ix_(observed, observed)])
        precision = pull @ loading
        quadratic = np.broadcast_to(-0.25 * (precision + precision.T), (len(x), *precision.shape))
        shift = leading.pack_quadratic((x - self._noise.means[0, observed]) @ pull.T, quadratic)
        return Message(shift, self._noise.marginal(observed).evaluate(x)[:, 0])

    def _completion(self, x: FloatArray, observed: Indices, posterior: FloatArray) -> Completion:
        family: Any = self.observable
        leading: Any = self.latent.leading
        means = self.latent._to_mean(posterior)[:, : leading.dimension]
        z, zz = leading.location_moments(means)
        missing, regression, left = self._noise.conditional(observed)
        offset, loadings = self._noise.means[0], self._loadings
        # what is missing follows z and the observed columns: x_m = base + through z + rest
        through = loadings[missing] - regression[0] @ loadings[observed]
        known = x if len(observed) else np.zeros((len(posterior), 0))
        base = offset[missing] + (known - offset[observed]) @ regression[0].T
        mean = np.empty((len(posterior), family.n))
        mean[:, observed] = known
        mean[:, missing] = base + z @ through.T
        cross = mean[:, :, None] * z[:, None, :]
        spread = zz - outer(z, z)
        cross[:, missing] += through @ spread
        second = outer(mean, mean)
        second[:, missing[:, None], missing] += left[0] + through @ spread @ through.T
        return Completion(family.pack_moments(mean, second), cross)
