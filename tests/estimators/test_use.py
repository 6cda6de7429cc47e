"""What a fitted estimator answers: predictions, samples, covariances, rotations."""

from typing import Any

import numpy as np
import pytest
from scipy import stats
from scipy.special import logsumexp
from sklearn.base import clone

from estimators.tables import (
    COVARIANCE_TYPES,
    every_estimator,
    name_of,
    quietly,
    table,
    two_clusters,
    with_missing,
)
from harmonium.estimators import PPCA, FactorAnalysis, GaussianMixture
from harmonium.estimators.rotation import rotation
from harmonium.validation import FloatArray

every = pytest.mark.parametrize("estimator", every_estimator(), ids=name_of)

#: Draws, and the rate at which all tests of samplers here fail a right one.
DRAWS, FALSE_FAIL = 20_000, 1e-6


def matrices_of(fitted: GaussianMixture) -> FloatArray:
    """Covariance matrices (k, d, d) of any type."""
    k, d = fitted.means_.shape
    covariance = fitted.covariances_
    if fitted.covariance_type == "full":
        return covariance
    if fitted.covariance_type == "tied":
        return np.stack([covariance] * k)
    return np.stack([np.diag(np.broadcast_to(c, d)) for c in covariance])


@pytest.mark.parametrize("kind", COVARIANCE_TYPES)
class TestMixtures:
    def test_densities_are_those_of_the_parameters(self, kind: str) -> None:
        x = with_missing(two_clusters(100), 0.3)
        fitted = GaussianMixture(2, covariance_type=kind, random_state=0).fit(x)
        joint = np.empty((len(x), 2))
        for k, (mean, covariance) in enumerate(
            zip(fitted.means_, matrices_of(fitted), strict=True)
        ):
            for i, row in enumerate(x):
                seen = np.flatnonzero(~np.isnan(row))
                law = stats.multivariate_normal(mean[seen], covariance[np.ix_(seen, seen)])
                joint[i, k] = np.log(fitted.weights_[k]) + law.logpdf(row[seen])
        logs = logsumexp(joint, axis=1)
        np.testing.assert_allclose(fitted.score_samples(x), logs, rtol=1e-10, atol=1e-10)
        np.testing.assert_allclose(fitted.score(x), logs.mean(), rtol=1e-12)
        np.testing.assert_allclose(
            fitted.predict_proba(x), np.exp(joint - logs[:, None]), rtol=1e-9, atol=1e-300
        )
        np.testing.assert_array_equal(fitted.predict(x), joint.argmax(1))

    def test_precisions_are_the_inverses(self, kind: str) -> None:
        fitted = GaussianMixture(2, covariance_type=kind, random_state=0).fit(table("iris"))
        if kind in ("full", "tied"):
            product = fitted.covariances_ @ fitted.precisions_
            np.testing.assert_allclose(
                product, np.broadcast_to(np.eye(4), product.shape), atol=1e-9
            )
            cholesky = fitted.precisions_cholesky_
            # upper triangular, as scikit-learn's
            np.testing.assert_array_equal(cholesky, np.triu(cholesky))
            square = cholesky @ cholesky.swapaxes(-1, -2)
        else:
            np.testing.assert_allclose(fitted.covariances_ * fitted.precisions_, 1, rtol=1e-14)
            square = fitted.precisions_cholesky_**2
        np.testing.assert_allclose(square, fitted.precisions_, rtol=1e-9)

    def test_fit_predict(self, kind: str) -> None:
        x = two_clusters(60)
        model = GaussianMixture(2, covariance_type=kind, random_state=0)
        labels = model.fit_predict(x)
        np.testing.assert_array_equal(labels, model.predict(x))
        assert labels.dtype == np.intp
        same = labels[:60] == labels[0]
        assert same.mean() > 0.9

    def test_samples(self, kind: str) -> None:
        fitted = GaussianMixture(2, covariance_type=kind, random_state=0).fit(two_clusters(100))
        draws, labels = fitted.sample(DRAWS)
        assert draws.shape == (DRAWS, 3)
        assert labels.dtype == np.intp
        limit = stats.norm.isf(FALSE_FAIL / 100)
        shares = np.bincount(labels, minlength=2) / DRAWS
        spread = np.sqrt(fitted.weights_ * (1 - fitted.weights_) / DRAWS)
        assert (np.abs(shares - fitted.weights_) < limit * spread).all()
        for k, covariance in enumerate(matrices_of(fitted)):
            own = draws[labels == k]
            error = (own.mean(0) - fitted.means_[k]) / np.sqrt(np.diagonal(covariance) / len(own))
            assert np.abs(error).max() < limit
            np.testing.assert_allclose(np.cov(own.T), covariance, atol=0.1 * covariance.max())
        again, _ = fitted.sample(DRAWS)
        assert np.array_equal(draws, again)


class TestSampling:
    @every
    def test_how_many(self, estimator: Any) -> None:
        fitted = clone(estimator).fit(two_clusters(40))

        def drawn(n: Any) -> FloatArray:
            found = fitted.sample(n)
            return found[0] if isinstance(found, tuple) else found

        assert drawn(1).shape == (1, 3)
        assert drawn(np.int64(7)).shape == (7, 3)
        for n, error in ((0, ValueError), (-1, ValueError), (1.5, TypeError), ("3", TypeError)):
            with pytest.raises(error, match=r"^n_samples"):
                fitted.sample(n)

    @pytest.mark.parametrize("kind", [FactorAnalysis, PPCA])
    def test_factors(self, kind: Any) -> None:
        fitted = kind(1).fit(two_clusters(200))
        draws = fitted.sample(DRAWS)
        covariance = fitted.get_covariance()
        error = (draws.mean(0) - fitted.mean_) / np.sqrt(np.diagonal(covariance) / DRAWS)
        assert np.abs(error).max() < stats.norm.isf(FALSE_FAIL / 100)
        np.testing.assert_allclose(np.cov(draws.T), covariance, atol=0.1 * covariance.max())


@pytest.mark.parametrize("kind", [FactorAnalysis, PPCA])
class TestFactors:
    @pytest.mark.parametrize("share", [0.0, 0.25])
    def test_scores_are_posterior_means(self, kind: Any, share: float) -> None:
        x = with_missing(table("wine"), share) if share else table("wine")
        fitted = kind(2).fit(x)
        covariance, expected = fitted.get_covariance(), np.empty((len(x), 2))
        for i, row in enumerate(x):
            seen = np.flatnonzero(~np.isnan(row))
            inverse = np.linalg.inv(covariance[np.ix_(seen, seen)])
            expected[i] = fitted.components_[:, seen] @ inverse @ (row - fitted.mean_)[seen]
        np.testing.assert_allclose(fitted.transform(x), expected, atol=1e-7)

    def test_densities_are_those_of_the_covariance(self, kind: Any) -> None:
        x = with_missing(table("wine"), 0.2)
        fitted = kind(2).fit(x)
        covariance = fitted.get_covariance()
        expected = []
        for row in x:
            seen = np.flatnonzero(~np.isnan(row))
            law = stats.multivariate_normal(fitted.mean_[seen], covariance[np.ix_(seen, seen)])
            expected.append(law.logpdf(row[seen]))
        np.testing.assert_allclose(fitted.score_samples(x), expected, rtol=1e-8)
        np.testing.assert_allclose(fitted.score(x), np.mean(expected), rtol=1e-10)

    def test_back_again(self, kind: Any) -> None:
        fitted = kind(2).fit(table("wine"))
        np.testing.assert_allclose(fitted.inverse_transform(np.zeros((1, 2)))[0], fitted.mean_)
        ahead = fitted.inverse_transform(np.eye(2)) - fitted.mean_
        np.testing.assert_allclose(ahead, fitted.components_, rtol=1e-9, atol=1e-9)
        for bad, error, words in (
            (np.ones((2, 3)), ValueError, "Z has 3 features, but .* is expecting 2 features"),
            (np.ones(2), ValueError, "Z: Expected 2D array"),
            ([[np.nan, 1]], ValueError, "Z contains NaN"),
            ([["a", 1]], TypeError, "Z must hold numbers"),
        ):
            with pytest.raises(error, match=words):
                fitted.inverse_transform(bad)

    def test_in_one_definite_way(self, kind: Any) -> None:
        # strongest first, apart given the data, the largest loading of each positive
        fitted = kind(3).fit(table("wine"))
        noise = np.broadcast_to(fitted.noise_variance_, 13)
        inner = (fitted.components_ / noise) @ fitted.components_.T
        strength = np.diagonal(inner)
        np.testing.assert_allclose(inner, np.diag(strength), atol=1e-7 * strength.max())
        assert (np.diff(strength) < 0).all()
        relative = fitted.components_ / np.sqrt(np.diagonal(fitted.get_covariance()))
        assert (relative[np.arange(3), np.abs(relative).argmax(1)] > 0).all()

    def test_default_width(self, kind: Any) -> None:
        with quietly():
            fitted = kind().fit(table("iris"))
        assert fitted.components_.shape == ((4 if kind is FactorAnalysis else 3), 4)


@pytest.mark.parametrize("method", ["varimax", "quartimax"])
class TestRotations:
    def criterion(self, loadings: FloatArray, method: str) -> float:
        squares = loadings**2
        fourth = float((squares**2).sum())
        if method == "quartimax":
            return fourth
        return fourth - float((squares.sum(0) ** 2).sum()) / len(loadings)

    def test_nothing_but_turned(self, method: str) -> None:
        x = table("wine")
        plain, turned = FactorAnalysis(3).fit(x), FactorAnalysis(3, rotation=method).fit(x)
        np.testing.assert_array_equal(plain.score_samples(x), turned.score_samples(x))
        np.testing.assert_allclose(plain.get_covariance(), turned.get_covariance(), rtol=1e-9)
        np.testing.assert_allclose(
            turned.transform(x) @ turned.components_,
            plain.transform(x) @ plain.components_,
            rtol=1e-9,
            atol=1e-8,
        )

    def test_no_plane_could_be_turned_further(self, method: str) -> None:
        loadings = np.random.default_rng(0).normal(size=(12, 4)) ** 3
        turn = rotation(loadings, np.ones(12), method)
        np.testing.assert_allclose(turn.T @ turn, np.eye(4), atol=1e-13)
        best = self.criterion(loadings @ turn, method)
        for i in range(4):
            for j in range(i):
                for angle in np.linspace(-np.pi / 4, np.pi / 4, 41):
                    plane = np.eye(4)
                    plane[[i, i, j, j], [i, j, i, j]] = [
                        np.cos(angle), -np.sin(angle), np.sin(angle), np.cos(angle),
                    ]  # fmt: skip
                    assert self.criterion(loadings @ turn @ plane, method) <= best * (1 + 1e-9)

    @pytest.mark.parametrize("unit", [1e-120, 1e-8, 1e70])
    def test_in_any_unit(self, method: str, unit: float) -> None:
        loadings = np.random.default_rng(1).normal(size=(8, 3))
        expected = rotation(loadings, np.ones(8), method)
        found = rotation(unit * loadings, np.full(8, unit**2), method)
        np.testing.assert_allclose(found, expected, atol=1e-6)

    def test_of_nothing(self, method: str) -> None:
        turn = rotation(np.zeros((4, 2)), np.ones(4), method)
        np.testing.assert_allclose(turn.T @ turn, np.eye(2), atol=1e-14)

    def test_of_one_factor(self, method: str) -> None:
        np.testing.assert_array_equal(rotation(np.array([[-2.0], [1]]), np.ones(2), method), [[-1]])
