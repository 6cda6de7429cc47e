"""The same iterations from the same start as scikit-learn's GaussianMixture, to rounding."""

from typing import Any, NamedTuple

import numpy as np
import pytest
from sklearn import mixture

from estimators.tables import COVARIANCE_TYPES, SOURCES, assert_finite, quietly, table
from harmonium.estimators import GaussianMixture
from harmonium.validation import FloatArray

ITERATIONS = {"iris": 30, "wine": 20, "breast_cancer": 12, "digits": 5}
#: Where scikit-learn gives up, as a component is left with fewer rows than its covariance needs.
GIVES_UP = {
    ("wine", "full", 3),
    *((name, "full", k) for name in ("breast_cancer", "digits") for k in (2, 3, 4)),
    *(("digits", "diag", k) for k in (2, 3, 4)),
}


class Pair(NamedTuple):
    """Ours and theirs, fitted to the same rows."""

    ours: GaussianMixture
    theirs: Any


def start(x: FloatArray, kind: str, k: int) -> dict[str, FloatArray]:
    """Weights, means and precisions to start from: centres at rows, the spread of all rows."""
    rng = np.random.default_rng(k)
    wide = np.cov(x.T) + np.diag(0.1 * x.var(0))
    precisions = {
        "full": np.stack([np.linalg.inv(wide)] * k),
        "tied": np.linalg.inv(wide),
        "diag": 1 / np.stack([x.var(0)] * k),
        "spherical": np.full(k, 1 / x.var()),
    }
    return {
        "weights_init": rng.dirichlet(np.full(k, 5.0)),
        "means_init": x[rng.choice(len(x), k, replace=False)],
        "precisions_init": precisions[kind],
    }


def pair(x: FloatArray, kind: str, k: int, max_iter: int, reg_covar: float = 0.0) -> Pair | None:
    """Both after so many iterations, or None where scikit-learn gives up."""
    same: dict[str, Any] = {
        "covariance_type": kind,
        "max_iter": max_iter,
        "tol": 0,
        "reg_covar": reg_covar,
        **start(x, kind, k),
    }
    with quietly():
        ours = GaussianMixture(k, **same).fit(x)
        try:
            return Pair(ours, mixture.GaussianMixture(k, **same).fit(x))
        except ValueError:
            return None


def assert_agree(found: Pair, x: FloatArray, relative: float) -> None:
    """Scores, shares and parameters agree; means and covariances relative to the columns' spread."""
    ours, theirs = found
    spread = x.std(0)
    np.testing.assert_allclose(ours.score(x), theirs.score(x), rtol=relative)
    np.testing.assert_allclose(ours.weights_, theirs.weights_, rtol=relative)
    np.testing.assert_array_less(np.abs(ours.means_ - theirs.means_) / spread, relative)
    scale = {
        "full": np.outer(spread, spread),
        "tied": np.outer(spread, spread),
        "diag": spread**2,
        "spherical": spread.max() ** 2,
    }[ours.covariance_type]
    assert ours.covariances_.shape == theirs.covariances_.shape
    np.testing.assert_array_less(np.abs(ours.covariances_ - theirs.covariances_) / scale, relative)
    np.testing.assert_allclose(
        ours.predict_proba(x), theirs.predict_proba(x), rtol=relative, atol=relative
    )
    np.testing.assert_array_equal(ours.predict(x), theirs.predict(x))
    per_row = ours.score_samples(x) - theirs.score_samples(x)
    assert np.abs(per_row).max() < 1e3 * relative * max(1, abs(theirs.score(x)))


@pytest.mark.parametrize("k", [1, 2, 3, 4])
@pytest.mark.parametrize("kind", COVARIANCE_TYPES)
@pytest.mark.parametrize("name", SOURCES)
class TestAgreement:
    def test_after_the_same_iterations(self, name: str, kind: str, k: int) -> None:
        x = table(name)
        found = pair(x, kind, k, ITERATIONS[name])
        assert (found is None) == ((name, kind, k) in GIVES_UP)
        if found is None:
            return
        assert_agree(found, x, 1e-8)
        ours, theirs = found
        assert ours.n_parameters() == theirs._n_parameters()
        np.testing.assert_allclose(ours.bic(x), theirs.bic(x), rtol=1e-8)
        np.testing.assert_allclose(ours.aic(x), theirs.aic(x), rtol=1e-8)
        np.testing.assert_allclose(ours.lower_bound_, ours.score(x), rtol=1e-11)


@pytest.mark.parametrize("kind", COVARIANCE_TYPES)
@pytest.mark.parametrize("reg_covar", [1e-6, 1e-2, 1.0])
def test_regularised(kind: str, reg_covar: float) -> None:
    found = pair(table("iris"), kind, 3, 20, reg_covar)
    assert found is not None
    assert_agree(found, table("iris"), 1e-8)


@pytest.mark.parametrize("kind", COVARIANCE_TYPES)
def test_precisions(kind: str) -> None:
    x = table("iris")
    found = pair(x, kind, 3, 10)
    assert found is not None
    ours, theirs = found
    for name in ("precisions_", "precisions_cholesky_"):
        mine, other = getattr(ours, name), getattr(theirs, name)
        assert mine.shape == other.shape
        np.testing.assert_allclose(mine, other, rtol=1e-6, atol=1e-8 * np.abs(other).max())


@pytest.mark.parametrize("kind", COVARIANCE_TYPES)
@pytest.mark.parametrize("init_params", ["kmeans", "k-means++", "random_from_data"])
def test_free_fits_are_as_likely(kind: str, init_params: str) -> None:
    # best of five starting points each
    x = table("iris")
    with quietly():
        ours = GaussianMixture(
            2, covariance_type=kind, init_params=init_params, n_init=5, random_state=0
        ).fit(x)
        theirs = mixture.GaussianMixture(
            2,
            covariance_type=kind,
            init_params=init_params,
            n_init=5,
            random_state=0,
            tol=1e-8,
            max_iter=500,
            reg_covar=1e-9,
        ).fit(x)
    assert ours.score(x) > theirs.score(x) - 1e-5


@pytest.mark.parametrize(("name", "kind", "k"), sorted(GIVES_UP))
def test_answers_where_scikit_learn_gives_up(name: str, kind: str, k: int) -> None:
    x = table(name)
    with quietly():
        fitted = GaussianMixture(
            k, covariance_type=kind, max_iter=ITERATIONS[name], **start(x, kind, k)
        ).fit(x)
    assert_finite(fitted, x)
    assert (np.diff(fitted.lower_bounds_) > -1e-10 * np.abs(fitted.lower_bounds_[1:])).all()
