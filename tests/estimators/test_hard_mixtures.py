"""Mixtures where others lose their digits: each answer is known exactly."""

from contextlib import nullcontext
from typing import Any

import numpy as np
import pytest
from scipy import stats
from scipy.special import logsumexp

from estimators.tables import COVARIANCE_TYPES, assert_finite, table, two_clusters
from harmonium.errors import BoundaryWarning, DataWarning
from harmonium.estimators import GaussianMixture
from harmonium.validation import FloatArray

every_type = pytest.mark.parametrize("kind", COVARIANCE_TYPES)


def precisions(kind: str, k: int, d: int, variance: float = 1.0) -> FloatArray:
    """Precisions of round components, in the shape that the type asks for."""
    eye = np.eye(d) / variance
    return {
        "full": np.stack([eye] * k),
        "tied": eye,
        "diag": np.full((k, d), 1 / variance),
        "spherical": np.full(k, 1 / variance),
    }[kind]


def spread_of(fitted: GaussianMixture, k: int) -> FloatArray:
    """Standard deviations (d,) of a component's columns."""
    d = fitted.means_.shape[1]
    covariance = fitted.covariances_
    if fitted.covariance_type == "full":
        return np.sqrt(np.diagonal(covariance[k]))
    if fitted.covariance_type == "tied":
        return np.sqrt(np.diagonal(covariance))
    return np.sqrt(np.broadcast_to(covariance[k], d))


def far_clusters(n: int = 200) -> tuple[FloatArray, FloatArray]:
    """Two clusters so far apart that no row belongs to both."""
    rng = np.random.default_rng(3)
    return rng.normal(size=(n, 2)) - 50.0, rng.normal(size=(n, 2)) * 0.5 + 50.0


class TestComponentsOfNoWeight:
    """A weight of 1e-15, in whichever place, is as exact as any other."""

    @pytest.mark.parametrize("light", [0, 1, 2])
    def test_one_step(self, light: int) -> None:
        # three overlapping components: the M-step by definition, in logs
        x = two_clusters(100, 2)
        weights = np.full(3, 0.5 - 5e-16)
        weights[light] = 1e-15
        means = np.array([[3.0, 3], [0, 0], [1, -1]])
        joint = np.log(weights) + np.stack(
            [stats.multivariate_normal(m, np.eye(2)).logpdf(x) for m in means], -1
        )
        shares = np.exp(joint - logsumexp(joint, axis=1, keepdims=True))
        mass = shares.sum(0)
        expected = (shares.T @ x) / mass[:, None]
        fitted = GaussianMixture(
            3,
            weights_init=weights,
            means_init=means,
            precisions_init=precisions("full", 3, 2),
            max_iter=1,
        )
        with pytest.warns(match="not converged after 1 iterations"):
            fitted.fit(x)
        assert mass[light] < 0.01
        np.testing.assert_allclose(fitted.weights_, mass / len(x), rtol=1e-11)
        np.testing.assert_allclose(fitted.means_, expected, rtol=1e-11)
        for k in range(3):
            deviation = x - expected[k]
            covariance = (shares[:, k, None] * deviation).T @ deviation / mass[k]
            np.testing.assert_allclose(fitted.covariances_[k], covariance, rtol=1e-10)

    @every_type
    @pytest.mark.parametrize("light", [0, 1])
    def test_by_its_starting_weight(self, kind: str, light: int) -> None:
        # it is the only one near its rows, so it gets them all
        clusters = far_clusters()
        x = np.concatenate(clusters)
        weights = np.array([1e-15, 1 - 1e-15])[:: 1 if light == 0 else -1]
        fitted = GaussianMixture(
            2,
            covariance_type=kind,
            weights_init=weights,
            means_init=[[-50.0, -50], [50, 50]],
            precisions_init=precisions(kind, 2, 2),
        ).fit(x)
        np.testing.assert_allclose(fitted.weights_, [0.5, 0.5], rtol=1e-14)
        np.testing.assert_allclose(fitted.means_, [c.mean(0) for c in clusters], rtol=1e-14)

    @every_type
    @pytest.mark.parametrize("light", [0, 1])
    def test_by_the_weights_of_its_rows(self, kind: str, light: int) -> None:
        clusters = far_clusters()
        x = np.concatenate(clusters)
        weights = np.ones(400)
        weights[200 * light : 200 * light + 200] = 1e-15
        fitted = GaussianMixture(
            2,
            covariance_type=kind,
            means_init=[[-50.0, -50], [50, 50]],
            precisions_init=precisions(kind, 2, 2),
            weights_init=[0.5, 0.5],
        ).fit(x, sample_weight=weights)
        assert fitted.converged_
        np.testing.assert_allclose(fitted.weights_[light], 1e-15 / (1 + 1e-15), rtol=1e-12)
        np.testing.assert_allclose(fitted.means_, [c.mean(0) for c in clusters], rtol=1e-13)
        if kind == "full":
            for k in (0, 1):
                covariance = np.cov(clusters[k].T, bias=True)
                np.testing.assert_allclose(fitted.covariances_[k], covariance, rtol=1e-11)


class TestSmallAndFar:
    @every_type
    @pytest.mark.parametrize("d", [1, 3])
    def test_clusters_a_hundred_million_times_smaller_than_their_distance(
        self, kind: str, d: int
    ) -> None:
        rng = np.random.default_rng(5)
        first = 1 + 1e-8 * rng.normal(size=(300, d))
        second = -1 + 3e-8 * rng.normal(size=(200, d))
        fitted = GaussianMixture(2, covariance_type=kind, random_state=0)
        fitted.fit(np.concatenate([first, second]))
        order = np.argsort(-fitted.means_[:, 0])
        np.testing.assert_allclose(fitted.weights_[order], [0.6, 0.4], rtol=1e-14)
        for cluster, k in zip((first, second), order, strict=True):
            np.testing.assert_allclose(fitted.means_[k], cluster.mean(0), rtol=1e-15)
            if kind in ("full", "diag"):
                np.testing.assert_allclose(spread_of(fitted, k), cluster.std(0), rtol=1e-6)
            elif kind == "spherical":
                own = np.sqrt(cluster.var(0).mean())
                np.testing.assert_allclose(spread_of(fitted, k), own, rtol=1e-6)
        if kind == "tied":
            pooled = np.sqrt(0.6 * first.var(0) + 0.4 * second.var(0))
            np.testing.assert_allclose(spread_of(fitted, 0), pooled, rtol=1e-6)

    @every_type
    @pytest.mark.parametrize("outlier", [1e6, 1e12, -1e14])
    def test_an_outlier_changes_nothing_for_the_rest(self, kind: str, outlier: float) -> None:
        rng = np.random.default_rng(6)
        x = np.concatenate([rng.normal(size=(300, 2)), rng.normal(size=(300, 2)) + 6])
        given: dict[str, Any] = {"covariance_type": kind, "random_state": 0, "tol": 1e-8}
        plain = GaussianMixture(2, **given).fit(x)
        more = np.concatenate([x, [[outlier, outlier]]])
        with pytest.warns(BoundaryWarning, match="singular") if kind != "tied" else nullcontext():
            beside = GaussianMixture(3, **given).fit(more)
        own = int(np.abs(beside.means_[:, 0]).argmax())
        np.testing.assert_allclose(beside.means_[own], [outlier, outlier], rtol=1e-14)
        np.testing.assert_allclose(beside.weights_[own], 1 / 601, rtol=1e-10)
        rest = [k for k in np.argsort(beside.means_[:, 0] ** 2) if k != own]
        order = np.argsort(plain.means_[:, 0] ** 2)
        np.testing.assert_allclose(beside.means_[rest], plain.means_[order], atol=1e-6)
        if kind != "tied":
            np.testing.assert_allclose(
                beside.covariances_[rest], plain.covariances_[order], rtol=1e-5, atol=1e-6
            )
        else:
            # the outlier's deviation of zero is pooled too
            np.testing.assert_allclose(
                beside.covariances_, plain.covariances_ * 600 / 601, rtol=1e-5, atol=1e-6
            )

    @pytest.mark.parametrize("kind", ["full", "tied", "diag"])
    def test_columns_of_very_different_scale(self, kind: str) -> None:
        x = two_clusters(150)
        scale = np.array([1e-8, 1.0, 1e8])
        given: dict[str, Any] = {"covariance_type": kind, "random_state": 0}
        plain, fitted = (
            GaussianMixture(2, **given).fit(x),
            GaussianMixture(2, **given).fit(x * scale),
        )
        np.testing.assert_allclose(fitted.means_, plain.means_ * scale, rtol=1e-9)
        for k in (0, 1):
            np.testing.assert_allclose(spread_of(fitted, k), spread_of(plain, k) * scale, rtol=1e-9)

    @every_type
    def test_a_component_too_far_for_any_row(self, kind: str) -> None:
        x = two_clusters(100)
        fitted = GaussianMixture(
            2,
            covariance_type=kind,
            weights_init=[0.5, 0.5],
            means_init=[[1e9] * 3, [0.0] * 3],
            precisions_init=precisions(kind, 2, 3),
        )
        with pytest.warns(BoundaryWarning, match="component 0 emptied"):
            fitted.fit(x)
        assert fitted.converged_
        assert fitted.weights_[1] == 1.0
        assert 0 < fitted.weights_[0] < 1e-299
        np.testing.assert_allclose(fitted.means_[1], x.mean(0), rtol=1e-12)
        np.testing.assert_allclose(spread_of(fitted, 1)[0], _overall(x, kind), rtol=1e-9)
        assert_finite(fitted, x)


def _overall(x: FloatArray, kind: str) -> float:
    return float(np.sqrt(x.var(0).mean()) if kind == "spherical" else x[:, 0].std())


class TestDegenerate:
    """Bounded, finite, and said: never NaN, never numpy's own warnings."""

    @every_type
    def test_constant_column(self, kind: str) -> None:
        x = np.column_stack([two_clusters(100), np.full(200, 7.0)])
        with (
            pytest.warns(BoundaryWarning, match="constant")
            if kind != "spherical"
            else nullcontext()
        ):
            fitted = GaussianMixture(2, covariance_type=kind, random_state=0).fit(x)
        assert_finite(fitted, x)
        np.testing.assert_array_equal(fitted.means_[:, 3], 7.0)
        if kind != "spherical":
            # the other columns' fit is what it is without the constant one
            plain = GaussianMixture(2, covariance_type=kind, random_state=0).fit(x[:, :3])
            order, other = np.argsort(fitted.means_[:, 0]), np.argsort(plain.means_[:, 0])
            np.testing.assert_allclose(fitted.means_[order, :3], plain.means_[other], atol=1e-5)
            assert spread_of(fitted, 0)[3] <= 1e-11 * 7.0

    @every_type
    def test_collinear_columns(self, kind: str) -> None:
        base = two_clusters(100)
        x = np.column_stack([base, base @ [1.0, -2.0, 0.5]])
        singular = kind in ("full", "tied")
        with pytest.warns(BoundaryWarning, match="collinear") if singular else nullcontext():
            # along a direction without variance the residual is rounding
            fitted = GaussianMixture(2, covariance_type=kind, random_state=0, tol=1e-4).fit(x)
        assert_finite(fitted, x)
        if singular:
            smallest = np.linalg.eigvalsh(np.atleast_3d(fitted.covariances_.T).T)[..., 0]
            assert (smallest > 0).all()

    @every_type
    def test_few_distinct_rows(self, kind: str) -> None:
        x = np.repeat(two_clusters(3)[1:5], 50, axis=0)
        with pytest.warns(BoundaryWarning, match="singular"):
            fitted = GaussianMixture(4, covariance_type=kind, random_state=0).fit(x)
        assert_finite(fitted, x)
        # one component for each
        np.testing.assert_allclose(np.sort(fitted.means_, 0), np.sort(x[::50], 0), rtol=1e-7)
        np.testing.assert_allclose(fitted.weights_, 0.25, rtol=1e-7)

    @every_type
    @pytest.mark.parametrize("value", [0.0, 5.0, -1e-9, 1e12])
    def test_identical_rows(self, kind: str, value: float) -> None:
        x = np.full((40, 2), value)
        with (
            pytest.warns(BoundaryWarning, match="singular"),
            pytest.warns(DataWarning, match="1 distinct rows"),
        ):
            fitted = GaussianMixture(2, covariance_type=kind, random_state=0).fit(x)
        assert_finite(fitted, x)
        np.testing.assert_array_equal(fitted.means_, value)

    @every_type
    def test_fewer_rows_than_columns(self, kind: str) -> None:
        x = np.random.default_rng(0).normal(size=(8, 20))
        with (
            pytest.warns(BoundaryWarning, match="singular")
            if kind != "spherical"
            else nullcontext()
        ):
            fitted = GaussianMixture(2, covariance_type=kind, random_state=0).fit(x)
        assert_finite(fitted, x)

    @every_type
    def test_two_rows(self, kind: str) -> None:
        x = np.array([[0.0, 1], [2, 3]])
        with (
            pytest.warns(BoundaryWarning, match="singular")
            if kind in ("full", "tied")
            else nullcontext()
        ):
            fitted = GaussianMixture(covariance_type=kind).fit(x)
        np.testing.assert_allclose(fitted.means_, [[1.0, 2]])
        np.testing.assert_allclose(spread_of(fitted, 0), [1, 1], rtol=1e-6)

    @every_type
    def test_as_many_components_as_rows(self, kind: str) -> None:
        x = two_clusters(5)
        with pytest.warns(BoundaryWarning, match="singular"):
            fitted = GaussianMixture(10, covariance_type=kind, random_state=0).fit(x)
        assert_finite(fitted, x)
        np.testing.assert_allclose(np.sort(fitted.means_, 0), np.sort(x, 0), rtol=1e-6)

    @every_type
    def test_values_that_differ_in_their_last_bit(self, kind: str) -> None:
        x = np.repeat([[1.0], [np.nextafter(1.0, 2)], [5.0]], 50, axis=0)
        with pytest.warns(BoundaryWarning, match="singular"):
            fitted = GaussianMixture(3, covariance_type=kind, random_state=0).fit(x)
        assert_finite(fitted, x)

    @pytest.mark.parametrize("kind", ["full", "diag"])
    def test_bounded_where_the_likelihood_is_not(self, kind: str) -> None:
        # a third component would sit on one row of the table with a variance of zero
        x = table("iris")[:, :2]
        with pytest.warns(BoundaryWarning, match="singular"):
            fitted = GaussianMixture(30, covariance_type=kind, random_state=0).fit(x)
        assert_finite(fitted, x)
        assert spread_of(fitted, int(fitted.weights_.argmin())).min() > 0


class TestUnitsBeyondNumbers:
    @pytest.mark.parametrize("unit", [1e80, 1e300])
    def test_too_large(self, unit: float) -> None:
        with pytest.raises(
            ValueError, match=r"^X: values must be within 1e\+75.*choose other units"
        ):
            GaussianMixture(2).fit(two_clusters() * unit)

    @pytest.mark.parametrize("unit", [1e-80, 1e-310])
    def test_too_small(self, unit: float) -> None:
        with pytest.raises(ValueError, match="underflow: choose other units"):
            GaussianMixture(2).fit(two_clusters() * unit)

    @pytest.mark.parametrize("unit", [1e70, 1e-70])
    def test_just_not(self, unit: float) -> None:
        x = two_clusters()
        plain = GaussianMixture(2, random_state=0).fit(x)
        fitted = GaussianMixture(2, random_state=0).fit(unit * x)
        assert abs(fitted.score(unit * x) - plain.score(x) + 3 * np.log(unit)) < 1e-6
