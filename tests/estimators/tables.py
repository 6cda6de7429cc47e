"""Tables that every test of estimators uses, and the estimators themselves."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import numpy as np
from sklearn import datasets

from harmonium.estimators import PPCA, FactorAnalysis, GaussianMixture
from harmonium.validation import FloatArray

COVARIANCE_TYPES = ("full", "tied", "diag", "spherical")
SOURCES = ("iris", "wine", "breast_cancer", "digits")


@cache
def table(name: str) -> FloatArray:
    """One of scikit-learn's tables without its constant columns, read-only."""
    x = getattr(datasets, f"load_{name}")().data.astype(float)
    x = np.ascontiguousarray(x[:, x.std(0) > 0])
    x.flags.writeable = False
    return x


def two_clusters(n: int = 150, d: int = 3, seed: int = 0) -> FloatArray:
    """Correlated columns around two centres, half of the rows each."""
    rng = np.random.default_rng(seed)
    mixing = np.eye(d) + np.diag(np.full(d - 1, 0.4), 1)
    x = rng.normal(size=(2 * n, d)) @ mixing
    x[:n] += 4.0
    return x


def with_missing(x: FloatArray, share: float = 0.15, seed: int = 1) -> FloatArray:
    """This share of the values missing, no row without any."""
    rng = np.random.default_rng(seed)
    out = np.where(rng.random(x.shape) < share, np.nan, x)
    empty = np.isnan(out).all(1)
    out[empty, 0] = x[empty, 0]
    return out


def mixtures(k: int = 2, **arguments: Any) -> list[GaussianMixture]:
    """A mixture of each covariance type."""
    return [
        GaussianMixture(k, covariance_type=kind, random_state=0, **arguments)
        for kind in COVARIANCE_TYPES
    ]


def every_estimator(**arguments: Any) -> list[Any]:
    """Mixtures of two components of each covariance type; one factor; one principal component."""
    return [*mixtures(**arguments), FactorAnalysis(1, **arguments), PPCA(1, **arguments)]


def name_of(estimator: Any) -> str:
    """A short name for a test's identifier."""
    return f"{type(estimator).__name__}{getattr(estimator, 'covariance_type', '')}"


def results_of(estimator: Any) -> dict[str, Any]:
    """The arrays and numbers that a fit wrote."""
    return {
        name: np.asarray(value)
        for name, value in vars(estimator).items()
        if name.endswith("_") and name not in ("fit_", "feature_names_in_")
    }


def assert_same_bits(left: Any, right: Any) -> None:
    """Two fits wrote the same to the last bit."""
    first, second = results_of(left), results_of(right)
    assert first.keys() == second.keys()
    assert len(first) > 5
    for name, value in first.items():
        assert value.shape == second[name].shape, name
        assert value.tobytes() == second[name].tobytes(), name


def assert_finite(estimator: Any, x: FloatArray) -> None:
    """Nothing that was fitted or is predicted is NaN or infinite."""
    for name, value in results_of(estimator).items():
        assert np.isfinite(value).all(), name
    assert np.isfinite(estimator.score_samples(x)).all()
    if isinstance(estimator, GaussianMixture):
        shares = estimator.predict_proba(x)
        np.testing.assert_allclose(shares.sum(1), 1, rtol=1e-12)
        assert np.isfinite(estimator.sample(5)[0]).all()
    else:
        assert np.isfinite(estimator.transform(x)).all()
        assert np.isfinite(estimator.sample(5)).all()


@contextmanager
def quietly() -> Iterator[None]:
    """scikit-learn's warnings of fits cut short are none of ours."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
