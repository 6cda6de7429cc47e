"""Factor analysis and principal components where the noise vanishes, rows lack, or units differ."""

from contextlib import nullcontext
from typing import Any

import numpy as np
import pytest

from estimators.tables import assert_finite, quietly, table, two_clusters, with_missing
from harmonium.errors import BoundaryWarning, DataWarning
from harmonium.estimators import PPCA, FactorAnalysis
from harmonium.validation import FloatArray

both = pytest.mark.parametrize("model", [FactorAnalysis(1), PPCA(1)], ids=["factors", "components"])


def one_factor(n: int, noise: FloatArray, seed: int = 0) -> FloatArray:
    """Rows of one factor and noise whose sample correlations are exactly those of the model."""
    rng = np.random.default_rng(seed)
    drawn = rng.normal(size=(n, 1 + len(noise)))
    whole, _ = np.linalg.qr(drawn - drawn.mean(0))
    whole *= np.sqrt(n)
    return np.asarray(whole[:, :1] * np.linspace(1, 2, len(noise)) + noise * whole[:, 1:])


class TestHeywood:
    """A column that the factor explains wholly: its noise is held at 1e-12 of its variance."""

    def test_a_column_that_is_the_factor(self) -> None:
        x = one_factor(500, np.array([0.0, 0.5, 0.7, 0.9]))
        with pytest.warns(BoundaryWarning, match="Heywood"):
            fitted = FactorAnalysis(1).fit(x)
        assert_finite(fitted, x)
        np.testing.assert_allclose(fitted.noise_variance_[0], 1e-12 * x[:, 0].var(), rtol=1e-6)
        np.testing.assert_allclose(fitted.noise_variance_[1:], [0.25, 0.49, 0.81], rtol=1e-6)
        np.testing.assert_allclose(fitted.components_, [np.linspace(1, 2, 4)], rtol=1e-6)
        np.testing.assert_allclose(fitted.transform(x)[:, 0], x[:, 0], atol=1e-6)

    def test_said(self) -> None:
        x = table("iris")
        with (
            pytest.warns(BoundaryWarning, match="Heywood"),
            pytest.warns(DataWarning, match="4 columns determine at most 1 factors"),
        ):
            fitted = FactorAnalysis(2, tol=1e-4).fit(x)
        assert_finite(fitted, x)

    @pytest.mark.parametrize("m", [1, 2])
    def test_with_missing_values(self, m: int) -> None:
        # ordinary EM needs thousands of iterations
        x = with_missing(table("iris"))
        with quietly():
            fitted = FactorAnalysis(m).fit(x)
        assert_finite(fitted, x)
        assert fitted.n_iter_ < 100
        assert fitted.noise_variance_.min() < 1e-11
        gains = np.diff(fitted.loglike_)
        assert (gains > -1e-10 * np.abs(fitted.loglike_[1:])).all()

    def test_more_factors_than_the_columns_determine(self) -> None:
        x = table("iris")
        with pytest.warns(DataWarning, match="n_components=3"):
            fitted = FactorAnalysis(3).fit(x)
        # enough for any covariance: the likelihood is that of the normal
        normal = -0.5 * (4 * np.log(2 * np.pi) + np.linalg.slogdet(np.cov(x.T, bias=True))[1] + 4)
        assert abs(fitted.score(x) - normal) < 1e-6

    def test_as_many_factors_as_columns(self) -> None:
        x = table("iris")
        with quietly():
            fitted = FactorAnalysis().fit(x)
        assert fitted.components_.shape == (4, 4)
        assert_finite(fitted, x)
        normal = -0.5 * (4 * np.log(2 * np.pi) + np.linalg.slogdet(np.cov(x.T, bias=True))[1] + 4)
        assert abs(fitted.score(x) - normal) < 1e-6


class TestDegenerate:
    @both
    def test_constant_column(self, model: Any) -> None:
        x = np.column_stack([two_clusters(100), np.full(200, -3.0)])
        held = isinstance(model, FactorAnalysis)
        with pytest.warns(BoundaryWarning, match="zero") if held else nullcontext():
            model.fit(x)
        assert_finite(model, x)
        assert model.mean_[3] == -3.0
        assert np.abs(model.components_[0, 3]) < 1e-6
        if held:
            plain = FactorAnalysis(1).fit(x[:, :3])
            np.testing.assert_allclose(model.components_[0, :3], plain.components_[0], rtol=1e-5)

    @both
    def test_identical_rows(self, model: Any) -> None:
        x = np.full((30, 3), 2.5)
        with pytest.warns(BoundaryWarning, match="zero"):
            model.fit(x)
        assert_finite(model, x)
        np.testing.assert_array_equal(model.mean_, 2.5)
        np.testing.assert_allclose(model.get_covariance(), 0, atol=1e-11)

    @both
    def test_collinear_columns(self, model: Any) -> None:
        base = two_clusters(100)
        x = np.column_stack([base, base @ [1.0, -2.0, 0.5]])
        with quietly():
            model.fit(x)
        assert_finite(model, x)

    @pytest.mark.parametrize("m", [1, 3, 6])
    @pytest.mark.parametrize("kind", [FactorAnalysis, PPCA])
    def test_fewer_rows_than_columns(self, kind: Any, m: int) -> None:
        x = np.random.default_rng(0).normal(size=(8, 20))
        with quietly():
            fitted = kind(m).fit(x)
        assert_finite(fitted, x)
        np.testing.assert_allclose(np.trace(fitted.get_covariance()), x.var(0).sum(), rtol=1e-6)

    @both
    def test_two_rows(self, model: Any) -> None:
        x = np.array([[0.0, 1, 5], [2, 3, 4]])
        with quietly():
            model.fit(x)
        assert_finite(model, x)
        np.testing.assert_allclose(model.mean_, [1, 2, 4.5])

    @both
    def test_one_column(self, model: Any) -> None:
        x = two_clusters(100)[:, :1]
        with quietly():
            model.fit(x)
        assert_finite(model, x)
        np.testing.assert_allclose(model.get_covariance(), [[x.var()]], rtol=1e-9)

    @both
    def test_uncorrelated_columns(self, model: Any) -> None:
        # nothing to explain: the model is the normal of independent columns
        signs = np.array(np.meshgrid([-1, 1], [-1, 1], [-1, 1])).reshape(3, 8).T.astype(float)
        model.fit(signs)
        np.testing.assert_allclose(model.get_covariance(), np.eye(3), atol=1e-6)


class TestRowsWithoutWeight:
    @both
    def test_influence_nothing(self, model: Any) -> None:
        # not even by rounding: the plain moments about a mean of 1e12 would have no digit left
        x = two_clusters(100)
        plain = model.fit(x).get_covariance()
        more = np.concatenate([np.full((5, 3), 1e15), x])
        weights = np.r_[np.zeros(5), np.ones(200)]
        np.testing.assert_array_equal(
            model.fit(more, sample_weight=weights).get_covariance(), plain
        )

    @both
    def test_a_row_of_little_weight(self, model: Any) -> None:
        x = two_clusters(100)
        plain = model.fit(x).get_covariance()
        more = np.concatenate([x, np.full((1, 3), 1e3)])
        weights = np.r_[np.ones(200), 1e-18]
        fitted = model.fit(more, sample_weight=weights)
        np.testing.assert_allclose(fitted.get_covariance(), plain, rtol=1e-7)


class TestUnits:
    @both
    def test_beyond_numbers(self, model: Any) -> None:
        with pytest.raises(ValueError, match=r"^X: values must be within 1e\+75"):
            model.fit(two_clusters() * 1e300)
        with pytest.raises(ValueError, match="underflow: choose other units"):
            model.fit(two_clusters() * 1e-310)

    def test_scores_of_columns_of_very_different_scale(self) -> None:
        # each factor loads on columns of one scale only
        rng = np.random.default_rng(2)
        z = rng.normal(size=(400, 2))
        small = z[:, :1] + 0.5 * rng.normal(size=(400, 4))
        large = z[:, 1:] + 0.5 * rng.normal(size=(400, 4))
        x = np.column_stack([small, large])
        scale = np.r_[np.full(4, 1e-8), np.full(4, 1e8)]
        plain, fitted = FactorAnalysis(2).fit(x), FactorAnalysis(2).fit(x * scale)
        np.testing.assert_allclose(fitted.transform(x * scale), plain.transform(x), atol=1e-5)
        identity = fitted.get_covariance() @ fitted.get_precision()
        root = np.outer(scale, 1 / scale)
        np.testing.assert_allclose(identity / root, np.eye(8), atol=1e-9)
