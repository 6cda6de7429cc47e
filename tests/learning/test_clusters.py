import numpy as np
import pytest
from scipy.stats import multivariate_normal

from harmonium import Boltzmann, Categorical, LinearGaussian, Mixture, Normal, Poisson
from harmonium.learning import fit
from harmonium.learning.clusters import cluster_probabilities, n_clusters
from laws.random_points import with_missing


def table():
    rng = np.random.default_rng(5)
    z = rng.normal(size=(120, 2)) + 4 * rng.integers(0, 2, size=(120, 1))
    return z @ rng.normal(size=(2, 4)) + rng.normal(size=(120, 4)) + [0, 1e3, -1e3, 0]


def test_of_a_mixture_they_are_the_latent():
    fitted = fit(Mixture(Normal(4), 2), table(), seed=0, max_iter=3, warn=False)
    x = with_missing(table(), 0.2, np.random.default_rng(0))
    np.testing.assert_array_equal(cluster_probabilities(fitted, x), fitted.latent(x))


def test_behind_factors_they_are_bayes_rule_on_the_marginals():
    model = LinearGaussian(Normal(4, "diagonal"), Mixture(Normal(2), 3))
    fitted = fit(model, table(), seed=0, max_iter=5, warn=False)
    point = fitted.in_units
    weights = np.exp(point.prior.log_weights[0])
    loadings, parts = point.loadings[0], point.prior.components
    means = point.noise.means[0] + parts.means @ loadings.T
    covariances = point.noise.matrices[0] + loadings @ parts.covariances @ loadings.T
    x = with_missing(table(), 0.2, np.random.default_rng(0))
    probabilities = cluster_probabilities(fitted, x)
    for row, given in zip(x, probabilities, strict=True):
        seen = np.flatnonzero(~np.isnan(row))
        likelihood = np.ones(3)
        if len(seen):
            likelihood = [
                multivariate_normal(m[seen], c[np.ix_(seen, seen)]).pdf(row[seen])
                for m, c in zip(means, covariances, strict=True)
            ]
        joint = weights * likelihood
        np.testing.assert_allclose(given, joint / joint.sum(), rtol=1e-7, atol=1e-12)


def test_two_levels_down():
    # with the middle level's noise and loadings fixed, the same as one level
    model = LinearGaussian(Normal(4, "diagonal"), LinearGaussian(Normal(2), Mixture(Normal(1), 2)))
    fitted = fit(model, table(), seed=0, max_iter=5, warn=False)
    point = fitted.in_units
    inner = point.prior
    flat = Mixture(Normal(4), 2)
    loadings = point.loadings[0]
    means = inner.noise.means[0] + inner.prior.components.means @ inner.loadings[0].T
    spread = inner.noise.matrices[0] + (
        inner.loadings[0] @ inner.prior.components.covariances @ inner.loadings[0].T
    )
    natural = flat.from_parameters(
        weights=np.exp(inner.prior.log_weights[0]),
        mean=point.noise.means[0] + means @ loadings.T,
        covariance=point.noise.matrices[0] + loadings @ spread @ loadings.T,
    )
    expected = flat.latent.to_parameters(flat.posterior(natural, table())).probabilities
    np.testing.assert_allclose(
        cluster_probabilities(fitted, table()), expected, rtol=1e-6, atol=1e-10
    )


@pytest.mark.parametrize(
    ("model", "n"),
    [
        (Mixture(Poisson(2), 3), 3),
        (Mixture(LinearGaussian(Normal(3), Normal(2)), 4), 4),
        (LinearGaussian(Normal(3), Mixture(Boltzmann(2), 5)), 5),
        (LinearGaussian(Normal(3), Normal(2)), None),
        (LinearGaussian(Normal(3), Boltzmann(2)), None),
        (Categorical(3), None),
        (Normal(3), None),
    ],
    ids=repr,
)
def test_how_many(model, n):
    assert n_clusters(model) == n


def test_a_model_without_clusters():
    fitted = fit(LinearGaussian(Normal(4), Normal(1)), table(), seed=0, max_iter=1, warn=False)
    with pytest.raises(ValueError, match="has no clusters"):
        cluster_probabilities(fitted, table())
