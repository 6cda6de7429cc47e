"""Factor analysis of rows with missing values: EM over these alone.

Ordinary EM treats the factors as missing too, and where a noise variance tends to zero it crawls
for tens of thousands of iterations. Here the missing values are completed by the model's own normal
law, and to the two moments of the completed rows factors are fitted directly.
"""

import numpy as np

from harmonium.expectation import Prepared, Source, expectation
from harmonium.expectation.passes import Totals
from harmonium.families.normal_stack import NormalPrepared
from harmonium.learning.factors import Factors, maximum_likelihood_factors, principal_factors
from harmonium.rules.linear_stack import NOISE_FLOOR, LinearPrepared, LinearSummary
from harmonium.validation import FloatArray


def is_factor_analysis(prepared: Prepared) -> bool:
    """Whether factors of this point can be fitted to two moments directly."""
    return (
        isinstance(prepared, LinearPrepared)
        and isinstance(prepared.prior, NormalPrepared)
        and prepared.count == 1
        and prepared.observable.covariance != "full"
    )


class CompletedMoments:
    """The first two moments of a source whose missing values a model completes."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._summary: LinearSummary | None = None
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
        self._summary = LinearSummary(totals.weight, means[0], scatter)
        return Totals(
            totals.log_likelihood, totals.weight, self._summary.expectation(prepared).sums
        )

    def maximise(self, prepared: Prepared, ordinary: Prepared) -> Prepared:
        """Return the best factors for the moments kept, or the ordinary M-step where it is better."""
        assert isinstance(prepared, LinearPrepared)
        assert self._summary is not None
        direct = self._direct(prepared)
        # how likely the completed rows are: what a step must not lower
        gained = [
            self._summary.expectation(candidate).log_likelihood for candidate in (direct, ordinary)
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
