"""The fit of a X + b is the fit of X in other units: nothing in it knows what a unit is."""

import warnings
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone

from estimators.tables import every_estimator, name_of, table, two_clusters, with_missing
from harmonium.errors import BoundaryWarning
from harmonium.estimators import PPCA, GaussianMixture
from harmonium.validation import FloatArray

#: Nats a row that the average log-likelihood may differ by.
PROMISE = 1e-6

TABLES = {
    "iris": table("iris"),
    "wine": table("wine"),
    "iris, missing": with_missing(table("iris")),
    "clusters, missing": with_missing(two_clusters(), 0.3),
}


def common_scale(estimator: Any) -> bool:
    """Whether columns must keep their ratios: noise or variance is the same for all."""
    return isinstance(estimator, PPCA) or getattr(estimator, "covariance_type", "") == "spherical"


def located(x: FloatArray) -> FloatArray:
    """About the columns' means, so that offsets are what they say."""
    return np.asarray(x - np.nanmean(x, 0))


def assert_equivariant(
    estimator: Any, x: FloatArray, scale: FloatArray, offset: FloatArray, row: float = 1e-5
) -> None:
    """Fits of x and of scale x + offset agree: densities, what is predicted, parameters."""
    moved = scale * x + offset
    with warnings.catch_warnings():
        # one factor of iris explains a column wholly
        warnings.filterwarnings("ignore", "a noise variance reached zero", BoundaryWarning)
        plain, other = clone(estimator).fit(x), clone(estimator).fit(moved)
    expected = plain.score_samples(x) - (~np.isnan(x)) @ np.log(scale)
    difference = other.score_samples(moved) - expected
    assert abs(difference.mean()) < PROMISE
    assert np.abs(difference).max() < row
    if isinstance(estimator, GaussianMixture):
        np.testing.assert_array_equal(plain.predict(x), other.predict(moved))
        np.testing.assert_allclose(plain.predict_proba(x), other.predict_proba(moved), atol=row)
        spread = np.nanstd(moved, 0)
        places = scale * plain.means_ + offset
        np.testing.assert_array_less(np.abs(other.means_ - places) / spread, row)
    else:
        np.testing.assert_allclose(plain.transform(x), other.transform(moved), atol=10 * row)
        components = plain.components_ * scale / np.nanstd(moved, 0)
        np.testing.assert_allclose(
            other.components_ / np.nanstd(moved, 0), components, atol=10 * row
        )


@pytest.mark.parametrize("name", TABLES)
@pytest.mark.parametrize("estimator", every_estimator(), ids=name_of)
class TestUnits:
    @pytest.mark.parametrize("unit", [1e-8, 1e8])
    def test_one_scale(self, estimator: Any, name: str, unit: float) -> None:
        x = located(TABLES[name])
        d = x.shape[1]
        assert_equivariant(estimator, x, np.full(d, unit), np.zeros(d))

    def test_columns_of_very_different_scale(self, estimator: Any, name: str) -> None:
        x = located(TABLES[name])
        d = x.shape[1]
        scale = 10.0 ** np.linspace(-8, 8, d)[np.random.default_rng(0).permutation(d)]
        if common_scale(estimator):
            scale[:] = 3e-5
        assert_equivariant(estimator, x, scale, np.zeros(d))

    def test_offsets_of_ten_million_deviations(self, estimator: Any, name: str) -> None:
        x = located(TABLES[name])
        d = x.shape[1]
        signs = np.random.default_rng(1).choice([-1.0, 1.0], d)
        assert_equivariant(estimator, x, np.ones(d), 1e7 * signs * np.nanstd(x, 0))

    def test_scales_and_offsets(self, estimator: Any, name: str) -> None:
        x = located(TABLES[name])
        d = x.shape[1]
        scale = 10.0 ** np.linspace(8, -8, d)
        if common_scale(estimator):
            scale[:] = 1e8
        assert_equivariant(estimator, x, scale, -1e7 * scale * np.nanstd(x, 0))


@pytest.mark.parametrize("estimator", every_estimator(), ids=name_of)
class TestDrawnUnits:
    @settings(max_examples=8)
    @given(
        exponents=st.lists(st.floats(-8, 8), min_size=3, max_size=3),
        offsets=st.lists(st.floats(-1e7, 1e7), min_size=3, max_size=3),
    )
    def test_any(self, estimator: Any, exponents: list[float], offsets: list[float]) -> None:
        x = located(two_clusters(60))
        if common_scale(estimator):
            exponents = exponents[:1] * 3
        scale = 10.0 ** np.array(exponents)
        assert_equivariant(estimator, x, scale, np.array(offsets) * scale * x.std(0))

    def test_powers_of_two_change_no_bit(self, estimator: Any) -> None:
        x = two_clusters(60)
        scale = np.full(3, 2.0**-20)
        plain, other = clone(estimator).fit(x), clone(estimator).fit(scale * x)
        assert plain.n_iter_ == other.n_iter_
        assert np.array_equal(plain.fit_.prepared.natural, other.fit_.prepared.natural)


def test_regularisation_is_in_the_units_of_the_data() -> None:
    x = two_clusters(60)
    plain = GaussianMixture(2, reg_covar=0.1, random_state=0).fit(x)
    other = GaussianMixture(2, reg_covar=0.1 * 1e-10, random_state=0).fit(1e-5 * x)
    np.testing.assert_allclose(other.covariances_, 1e-10 * plain.covariances_, rtol=1e-9)


def test_a_constant_column_too() -> None:
    x = np.column_stack([two_clusters(60), np.full(120, 3.0)])
    with pytest.warns(match="singular"):
        plain = GaussianMixture(2, random_state=0).fit(x)
    for unit in (1e-8, 1e8):
        with pytest.warns(match="singular"):
            other = GaussianMixture(2, random_state=0).fit(unit * x)
        assert abs(other.score(unit * x) - plain.score(x) + 4 * np.log(unit)) < PROMISE
