"""FactorAnalysis and PPCA against scikit-learn's, and against the closed form."""

from typing import Any

import numpy as np
import pytest
from sklearn import decomposition

from estimators.tables import quietly, table
from harmonium.estimators import PPCA, FactorAnalysis
from harmonium.validation import FloatArray

FACTORS = [
    *(("iris", m) for m in (1, 2, 3)),
    *(("wine", m) for m in (1, 2, 3, 5)),
    *(("breast_cancer", m) for m in (1, 2, 3)),
    *(("digits", m) for m in (1, 2, 4)),
]


def standardised(x: FloatArray) -> tuple[FloatArray, float]:
    """The columns in their own units, and what this takes from a row's log density."""
    return (x - x.mean(0)) / x.std(0), float(np.log(x.std(0)).sum())


def theirs(x: FloatArray, m: int, **arguments: Any) -> float:
    """The log-likelihood a row that scikit-learn reaches, in the data's units."""
    scaled, log_scale = standardised(x)
    with quietly():
        model = decomposition.FactorAnalysis(m, svd_method="lapack", **arguments).fit(scaled)
    return float(model.score(scaled)) - log_scale


@pytest.mark.parametrize(("name", "m"), FACTORS)
class TestFactorAnalysis:
    def test_as_likely_as_scikit_learn_or_more(self, name: str, m: int) -> None:
        x = table(name)
        with quietly():
            ours = FactorAnalysis(m).fit(x)
        assert ours.score(x) > theirs(x, m, tol=1e-8, max_iter=200) - 1e-6

    def test_scikit_learn_stays_where_we_end(self, name: str, m: int) -> None:
        # what its iterations make of our solution is as likely as ours, not more
        x = table(name)
        with quietly():
            ours = FactorAnalysis(m).fit(x)
        noise = ours.noise_variance_ / x.var(0)
        other = theirs(x, m, noise_variance_init=noise, tol=1e-12, max_iter=50)
        assert abs(ours.score(x) - other) < 1e-6

    def test_covariance(self, name: str, m: int) -> None:
        x = table(name)
        with quietly():
            ours = FactorAnalysis(m).fit(x)
        covariance = ours.get_covariance()
        np.testing.assert_allclose(ours.mean_, x.mean(0), rtol=1e-12)
        # at a maximum the variances are those of the data, whatever the factors
        np.testing.assert_allclose(np.diagonal(covariance), x.var(0), rtol=1e-5)
        identity = covariance @ ours.get_precision()
        np.testing.assert_allclose(identity, np.eye(x.shape[1]), atol=1e-4)


@pytest.mark.parametrize("name", ["wine", "digits"])
def test_the_same_optimum_where_there_is_one(name: str) -> None:
    x = table(name)
    scaled, _ = standardised(x)
    ours = FactorAnalysis(2, tol=1e-8).fit(x)
    other = decomposition.FactorAnalysis(2, svd_method="lapack", tol=1e-10, max_iter=1000)
    other.fit(scaled)
    assert other.n_iter_ < 1000
    assert abs(ours.score(x) - (other.score(scaled) - standardised(x)[1])) < 1e-6
    spread = x.std(0)
    np.testing.assert_allclose(ours.noise_variance_ / spread**2, other.noise_variance_, atol=1e-4)
    correlation = ours.get_covariance() / np.outer(spread, spread)
    np.testing.assert_allclose(correlation, other.get_covariance(), atol=1e-4)
    # the scores agree up to a rotation: their inner products do
    mine, their = ours.transform(x), other.transform(scaled)
    np.testing.assert_allclose(mine @ mine.T, their @ their.T, atol=1e-3)


@pytest.mark.parametrize("rotation", ["varimax", "quartimax"])
def test_rotated_loadings(rotation: str) -> None:
    # in standardised columns, where scikit-learn's criterion means something
    scaled, _ = standardised(table("wine"))
    ours = FactorAnalysis(3, rotation=rotation).fit(scaled)
    other = decomposition.FactorAnalysis(
        3, rotation=rotation, svd_method="lapack", tol=1e-12, max_iter=5000
    ).fit(scaled)
    # factors in the order and with the sign that fit best: all permutations of three
    matches = np.abs(ours.components_ @ other.components_.T)
    order = matches.argmax(1)
    assert sorted(order) == [0, 1, 2]
    signs = np.sign(np.sum(ours.components_ * other.components_[order], 1, keepdims=True))
    np.testing.assert_allclose(ours.components_, signs * other.components_[order], atol=2e-2)


@pytest.mark.parametrize("m", [1, 2, 3, 8])
@pytest.mark.parametrize("name", ["iris", "wine", "breast_cancer", "digits"])
class TestPrincipalComponents:
    def test_closed_form(self, name: str, m: int) -> None:
        # Tipping and Bishop (1999): the noise is the mean of the discarded variances
        x = table(name)
        n, d = x.shape
        m = min(m, d - 1)
        ours = PPCA(m).fit(x)
        pca = decomposition.PCA(m, svd_solver="full").fit(x)
        # scikit-learn divides by n - 1
        kept = pca.explained_variance_ * (n - 1) / n
        noise = (x.var(0).sum() - kept.sum()) / (d - m)
        log_det = np.log(kept).sum() + (d - m) * np.log(noise)
        maximum = -0.5 * (d * np.log(2 * np.pi) + log_det + d)
        assert abs(ours.score(x) - maximum) < 1e-6
        assert ours.converged_
        assert ours.n_iter_ == 1
        np.testing.assert_allclose(ours.noise_variance_, noise, rtol=1e-8)
        np.testing.assert_allclose(ours.mean_, pca.mean_, rtol=1e-12)
        lengths = np.linalg.norm(ours.components_, axis=1)
        np.testing.assert_allclose(lengths**2, kept - noise, rtol=1e-7, atol=1e-7 * kept[0])
        across = (ours.components_ / lengths[:, None]) @ pca.components_.T
        np.testing.assert_allclose(np.abs(across), np.eye(m), atol=1e-6)
        covariance = pca.get_covariance() * (n - 1) / n
        scale = 1e-8 * np.abs(covariance).max()
        np.testing.assert_allclose(ours.get_covariance(), covariance, rtol=1e-7, atol=scale)


def test_scores_are_those_of_scikit_learn() -> None:
    # posterior means shrink the principal scores by 1 - noise / variance, in units of the loadings
    x = table("iris")
    ours = PPCA(2).fit(x)
    pca = decomposition.PCA(2, svd_solver="full").fit(x)
    kept = pca.explained_variance_ * 149 / 150
    expected = pca.transform(x) * np.sqrt(kept - ours.noise_variance_) / kept
    np.testing.assert_allclose(np.abs(ours.transform(x)), np.abs(expected), rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("m", [1, 2, 3])
def test_parameter_counts(m: int) -> None:
    x = table("wine")
    d = x.shape[1]
    rotations = m * (m - 1) // 2
    factors, components = FactorAnalysis(m).fit(x), PPCA(m).fit(x)
    assert factors.n_parameters() == d + d * m + d - rotations
    assert components.n_parameters() == d + d * m + 1 - rotations
    for model in (factors, components):
        log_likelihood = model.score_samples(x).sum()
        p = model.n_parameters()
        np.testing.assert_allclose(model.bic(x), p * np.log(len(x)) - 2 * log_likelihood)
        np.testing.assert_allclose(model.aic(x), 2 * p - 2 * log_likelihood)
