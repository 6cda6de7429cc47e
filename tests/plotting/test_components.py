"""The normals that a fit is a sum of are its density, for every kind of model."""

import numpy as np
import pytest
from scipy.stats import multivariate_normal

from harmonium import Boltzmann, LinearGaussian, Mixture, Normal, Poisson
from harmonium.estimators import GaussianMixture
from harmonium.learning import Fit, fit
from harmonium.plotting import components_of


def density(parts: object, x: np.ndarray) -> np.ndarray:
    weights, means, covariances = parts  # type: ignore[misc]  # a NamedTuple of three arrays
    laws = [multivariate_normal(m, c).pdf(x) for m, c in zip(means, covariances, strict=True)]
    return weights @ np.array(laws)


def test_their_sum_is_the_density(any_fit: Fit, rows: np.ndarray) -> None:
    parts = components_of(any_fit)
    assert parts.weights.sum() == pytest.approx(1, abs=1e-12)
    expected = np.exp(any_fit.log_density(rows))
    np.testing.assert_allclose(density(parts, rows), expected, rtol=1e-9)


def test_numbers_of_components(rows: np.ndarray, units_fit: Fit, mixture_fit: Fit) -> None:
    assert len(components_of(units_fit).weights) == 8
    assert len(components_of(mixture_fit).weights) == 3


def test_of_an_estimator(rows: np.ndarray) -> None:
    mixture = GaussianMixture(2, random_state=0).fit(rows)
    parts = components_of(mixture)
    np.testing.assert_allclose(parts.means, mixture.means_)
    np.testing.assert_allclose(parts.covariances, mixture.covariances_)


def test_what_has_none() -> None:
    counts = fit(
        Mixture(Poisson(2), 2), [[1.0, 2.0], [5.0, 7.0], [2.0, 2.0]], max_iter=1, warn=False
    )
    with pytest.raises(ValueError, match="no sum of normals"):
        components_of(counts)
    with pytest.raises(TypeError, match="fitted: a Fit"):
        components_of(3)
    many = fit(
        LinearGaussian(Normal(1), Boltzmann(13)), [[0.0], [1.0], [3.0]], max_iter=0, warn=False
    )
    with pytest.raises(ValueError, match="8192 states"):
        components_of(many)
