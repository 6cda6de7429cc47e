"""Factor analysis beyond plain EM: rows with missing values, and noise that vanishes.

Ordinary EM treats the factors as missing too, and where a noise variance tends to zero it crawls
for tens of thousands of iterations. Here only values that are missing are completed, by the model's
own normal law, and to the two moments of the completed rows factors are fitted directly.
"""

from typing import TypeGuard

import numpy as np

from harmonium.expectation import Learned, Prepared, Source, expectation
from harmonium.expectation.passes import Totals
from harmonium.families.normal_stack import NormalPrepared
from harmonium.learning.factors import Factors, maximum_likelihood_factors, principal_factors
from harmonium.rules.linear_stack import NOISE_FLOOR, LinearPrepared, LinearSummary
from harmonium.validation import FloatArray

#: What still counts as the floor of the noise variance, and as noise that is all but zero.
_JUST_ABOVE = 1 + 1e-3
_ALL_BUT_ZERO = 4 * NOISE_FLOOR**2
_HEYWOOD = (
    "a noise variance reached zero (a Heywood case, or too many factors) and was held at "
    "1e-12 of its column's variance"
)


def is_factor_analysis(prepared: Learned) -> TypeGuard[LinearPrepared]:
    """Whether factors of this point can be fitted to two moments directly."""
    return (
        isinstance(prepared, LinearPrepared)
        and isinstance(prepared.prior, NormalPrepared)
        and prepared.count == 1
        and prepared.observable.covariance != "full"
    )


def residual(prepared: Prepared, summary: LinearSummary) -> float:
    """Return :meth:`~harmonium.expectation.Prepared.residual` at these moments, to more digits.

    With Sigma the model's covariance, S the data's about the model's mean and
    ``D = Sigma**-1 (S - Sigma) Sigma**-1`` the average differs from the model's expectation by
    ``Psi D Psi`` in what the factors leave, ``Psi D W`` in how it goes with the factors and
    ``WT D W`` in these: no difference of large numbers where Psi is all but zero.
    """
    assert isinstance(prepared, LinearPrepared)
    assert isinstance(prepared.prior, NormalPrepared)
    law = prepared.as_normal()
    assert law is not None
    observable, n = prepared.observable, prepared.observable.n
    moved = summary._mean - prepared.references[0]
    second = summary._scatter / summary.weight + np.outer(moved, moved)
    factor = law.factors[0]
    gap = factor.T @ (factor @ second @ factor.T - np.eye(n)) @ factor
    pulled = factor.T @ (factor @ moved)
    root = np.linalg.cholesky(prepared.prior.matrices[0])
    loadings = prepared.loadings[0] @ root
    across = loadings.T @ gap @ loadings
    noise = observable._shape.variances(prepared.noise.covariances[0], n)
    left = noise * np.diagonal(gap)
    variances = np.diagonal(second) - moved**2
    floor = NOISE_FLOOR**2 * np.maximum(variances, (1e-6 * prepared.noise.scale) ** 2)
    if observable.covariance == "isotropic":
        left, floor = np.full(n, left.mean()), np.full(n, floor.mean())
    # noise that is held from below is where it can be
    left = np.where(noise <= _JUST_ABOVE * floor, np.maximum(left, 0.0), left)
    slopes = np.sqrt(noise)[:, None] * (gap @ loadings @ root.T)
    spread = np.diagonal(root @ (np.eye(len(root)) + across) @ root.T)
    slopes /= np.sqrt(np.maximum(spread, np.finfo(float).tiny))
    parts = (loadings.T @ pulled, across, np.sqrt(noise) * pulled, left, slopes)
    return float(max(np.abs(part).max(initial=0.0) for part in parts))


def boundary_notes(prepared: Learned) -> set[str]:
    """What to say of a factor analysis one of whose noise variances is all but zero."""
    if not is_factor_analysis(prepared):
        return set()
    law = prepared.as_normal()
    assert law is not None
    total = np.diagonal(law.covariances[0])
    noise = prepared.observable._shape.variances(prepared.noise.covariances[0], len(total))
    return {_HEYWOOD} if (noise <= _ALL_BUT_ZERO * total).any() else set()


class CompletedMoments:
    """The first two moments of a source whose missing values a model completes."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self.summary: LinearSummary | None = None
        self._covariance: FloatArray | None = None
        self._mean: FloatArray | None = None

    def expectation(self, prepared: Prepared) -> Totals:
        """Return what a pass over the rows gives: the moments are kept for the M-step."""
        assert isinstance(prepared, LinearPrepared)
        law = prepared.as_normal()
        assert law is not None
        totals = expectation(law, self._source)
        means, covariances = law.central(totals.sums)
        self._mean, self._covariance = means[0], covariances[0]
        scatter = totals.weight * covariances[0]
        self.summary = LinearSummary(totals.weight, means[0], scatter)
        return Totals(totals.log_likelihood, totals.weight, self.summary.expectation(prepared).sums)

    def maximise(self, prepared: Prepared, ordinary: Prepared) -> Prepared:
        """Return the best factors for the moments kept, or the ordinary M-step where it is better."""
        assert isinstance(prepared, LinearPrepared)
        assert self.summary is not None
        direct = self._direct(prepared)
        # how likely the completed rows are: what a step must not lower
        gained = [
            self.summary.expectation(candidate).log_likelihood for candidate in (direct, ordinary)
        ]
        return direct if gained[0] >= gained[1] else ordinary

    def _direct(self, prepared: LinearPrepared) -> LinearPrepared:
        assert self._covariance is not None
        assert self._mean is not None
        n, observable = prepared.observable.n, prepared.observable
        variances = np.diagonal(self._covariance)
        scale = np.sqrt(np.where(variances > 0, variances, 1.0))
        values, vectors = np.linalg.eigh(self._covariance / np.outer(scale, scale))
        # n rows with these moments
        rows = (vectors * np.sqrt(n * np.maximum(values, 0.0))).T * scale
        noise = observable._shape.variances(prepared.noise.covariances[0], n)
        if observable.covariance == "diagonal":
            found = maximum_likelihood_factors(rows, prepared.width, guesses=[noise])
        else:
            found = principal_factors(rows, prepared.width)
        return self._prepared(prepared, found, NOISE_FLOOR * scale)

    def _prepared(
        self, prepared: LinearPrepared, found: Factors, floor: FloatArray
    ) -> LinearPrepared:
        assert self._mean is not None
        observable, prior = prepared.observable, prepared.prior
        assert isinstance(prior, NormalPrepared)
        spread = np.sqrt(np.maximum(found.noise, floor**2))
        noise = NormalPrepared(
            observable,
            self._mean[None],
            observable._shape.of_scale(spread)[None],
            prepared.noise.scale,
        )
        unit = prior.family._shape.of_scale(np.ones(prepared.width))
        standard = NormalPrepared(prior.family, np.zeros((1, prepared.width)), unit[None])
        return LinearPrepared(
            observable, prepared.latent_family, found.loadings[None], noise, standard
        )
