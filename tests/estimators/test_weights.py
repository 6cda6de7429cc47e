"""Weights of rows: repetition, nothing, and nonsense."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone

from estimators.tables import (
    COVARIANCE_TYPES,
    assert_same_bits,
    every_estimator,
    name_of,
    results_of,
    two_clusters,
    with_missing,
)
from harmonium.estimators import GaussianMixture
from harmonium.validation import FloatArray

every = pytest.mark.parametrize("estimator", every_estimator(), ids=name_of)

TABLES = {"complete": two_clusters(60), "missing": with_missing(two_clusters(60))}


def assert_repetition(estimator: Any, x: FloatArray, counts: FloatArray) -> None:
    """Whole weights are so many rows: the same steps, to rounding."""
    weighted = results_of(clone(estimator).fit(x, sample_weight=counts))
    repeated = results_of(clone(estimator).fit(np.repeat(x, counts, axis=0)))
    assert weighted.keys() == repeated.keys()
    for name, value in weighted.items():
        assert value.shape == repeated[name].shape, name
        np.testing.assert_allclose(value, repeated[name], rtol=1e-9, atol=1e-9, err_msg=name)


@every
class TestRepetition:
    @pytest.mark.parametrize("name", TABLES)
    def test_counts(self, estimator: Any, name: str) -> None:
        x = TABLES[name]
        assert_repetition(estimator, x, np.random.default_rng(0).integers(0, 4, len(x)))

    @settings(max_examples=10)
    @given(seed=st.integers(0, 2**31))
    def test_any_counts(self, estimator: Any, seed: int) -> None:
        x = two_clusters(30)
        assert_repetition(estimator, x, np.random.default_rng(seed).integers(0, 4, len(x)))

    def test_order_of_repetition(self, estimator: Any) -> None:
        x = TABLES["complete"]
        doubled = clone(estimator).fit(np.concatenate([x, x]))
        weighted = clone(estimator).fit(x, sample_weight=np.full(len(x), 2.0))
        np.testing.assert_allclose(doubled.score_samples(x), weighted.score_samples(x), atol=1e-9)


@pytest.mark.parametrize("kind", COVARIANCE_TYPES)
@pytest.mark.parametrize("init_params", ["kmeans", "k-means++", "random", "random_from_data"])
def test_every_start_knows_weights(kind: str, init_params: str) -> None:
    x = TABLES["complete"]
    counts = np.random.default_rng(1).integers(0, 4, len(x))
    estimator = GaussianMixture(
        2, covariance_type=kind, init_params=init_params, random_state=4, max_iter=2000
    )
    assert_repetition(estimator, x, counts)


@every
class TestScale:
    @pytest.mark.parametrize("factor", [1e-250, 1e-3, 1e250])
    def test_only_ratios_matter(self, estimator: Any, factor: float) -> None:
        x = TABLES["complete"]
        weights = np.random.default_rng(0).gamma(2.0, size=len(x))
        plain = clone(estimator).fit(x, sample_weight=weights)
        scaled = clone(estimator).fit(x, sample_weight=factor * weights)
        left, right = results_of(plain), results_of(scaled)
        for name, value in left.items():
            expected = factor * value if name == "loglike_" else value  # of all rows together
            np.testing.assert_allclose(right[name], expected, rtol=1e-7, err_msg=name)

    def test_very_different_weights(self, estimator: Any) -> None:
        # rows of a weight of 1e-300 might as well not be there
        x = TABLES["complete"]
        heavy = np.random.default_rng(0).random(len(x)) < 0.7
        fitted = clone(estimator).fit(x, sample_weight=np.where(heavy, 1.0, 1e-300))
        plain = clone(estimator).fit(x[heavy])
        np.testing.assert_allclose(fitted.score_samples(x), plain.score_samples(x), atol=1e-4)


@every
class TestZeros:
    def test_no_row_at_all(self, estimator: Any) -> None:
        x = TABLES["missing"]
        absurd = np.concatenate([np.full((2, 3), 1e70), x[:50], np.full((1, 3), -1e12), x[50:]])
        weights = np.ones(len(absurd))
        weights[[0, 1, 52]] = 0
        fitted = clone(estimator).fit(absurd, sample_weight=weights)
        assert_same_bits(fitted, clone(estimator).fit(x, sample_weight=np.ones(len(x))))

    def test_ones_are_no_weights(self, estimator: Any) -> None:
        x = TABLES["missing"]
        fitted = results_of(clone(estimator).fit(x, sample_weight=np.ones(len(x))))
        for name, value in results_of(clone(estimator).fit(x)).items():
            np.testing.assert_allclose(fitted[name], value, rtol=1e-9, err_msg=name)


NONSENSE: dict[str, tuple[Any, type[Exception], str]] = {
    "negative": (np.r_[-1.0, np.ones(119)], ValueError, "sample_weight must be zero or positive"),
    "NaN": (np.r_[np.ones(119), np.nan], ValueError, "sample_weight contains NaN"),
    "infinite": (np.r_[np.inf, np.ones(119)], ValueError, "sample_weight contains infinity"),
    "all zero": (np.zeros(120), ValueError, "sample_weight.*all 120 are zero"),
    "too few": (np.ones(3), ValueError, "sample_weight must have 120 entries, but it has 3"),
    "a table": (np.ones((120, 1)), ValueError, "sample_weight must be one-dimensional"),
    "a number": (2.0, ValueError, "sample_weight must be one-dimensional"),
    "text": (["a"] * 120, TypeError, "sample_weight"),
    "too heavy": (np.full(120, 1e308), ValueError, "sample_weight must have a sum below"),
}


@every
@pytest.mark.parametrize("name", NONSENSE)
def test_nonsense(estimator: Any, name: str) -> None:
    weights, error, words = NONSENSE[name]
    fresh = clone(estimator)
    with pytest.raises(error, match=words):
        fresh.fit(TABLES["complete"], sample_weight=weights)
    assert not hasattr(fresh, "fit_")


@every
def test_lists_and_integers(estimator: Any) -> None:
    x = TABLES["complete"]
    counts = np.random.default_rng(0).integers(1, 4, len(x))
    plain = clone(estimator).fit(x, sample_weight=counts.astype(float))
    for same in (counts, counts.tolist(), counts.astype("f4"), counts.astype(">i2")):
        assert_same_bits(clone(estimator).fit(x, sample_weight=same), plain)
