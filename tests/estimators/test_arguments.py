"""Constructor arguments: bad ones fail when a fit begins, by name."""

import warnings
from typing import Any

import numpy as np
import pytest

from estimators.tables import COVARIANCE_TYPES, quietly, two_clusters
from harmonium.errors import ConvergenceWarning
from harmonium.estimators import PPCA, FactorAnalysis, GaussianMixture
from harmonium.estimators.arguments import as_choice, as_flag

X = two_clusters(40)
EYE = np.stack([np.eye(3)] * 2)

MIXTURE: list[tuple[str, Any, type[Exception]]] = [
    *(("n_components", value, ValueError) for value in (0, -1)),
    *(("n_components", value, TypeError) for value in (2.0, 1.5, "2", True, None, [2])),
    *(("covariance_type", value, ValueError) for value in ("round", None, ["full"], 1)),
    *(("init_params", value, ValueError) for value in ("median", None, ["kmeans"])),
    *(("tol", value, ValueError) for value in (-1e-9, np.nan, np.inf)),
    *(("tol", value, TypeError) for value in ("1e-3", None, True, [1e-3])),
    *(("reg_covar", value, ValueError) for value in (-1e-9, np.nan, np.inf)),
    *(("reg_covar", value, TypeError) for value in ("1e-3", None, False)),
    *(("max_iter", value, ValueError) for value in (-1,)),
    *(("max_iter", value, TypeError) for value in (1.0, "1", None, True)),
    *(("n_init", value, ValueError) for value in (0, -2)),
    *(("n_init", value, TypeError) for value in (1.0, "auto", None)),
    ("random_state", -1, ValueError),
    *(("random_state", value, TypeError) for value in ("seed", 1.5, [1])),
    *(("accelerate", value, TypeError) for value in ("yes", None, 1)),
    *(("warm_start", value, TypeError) for value in ("no", None, 0)),
    ("verbose", -1, ValueError),
    *(("verbose", value, TypeError) for value in ("x", None, 1.5)),
    ("verbose_interval", 0, ValueError),
    *(("verbose_interval", value, TypeError) for value in ("x", None)),
    ("weights_init", [0.5, 0.6], ValueError),
    ("weights_init", [0.0, 1.0], ValueError),
    ("weights_init", [-0.5, 1.5], ValueError),
    ("weights_init", [np.nan, 1.0], ValueError),
    ("weights_init", [1.0], ValueError),
    ("weights_init", [[0.5, 0.5]], ValueError),
    ("weights_init", 0.5, ValueError),
    ("weights_init", ["a", "b"], TypeError),
    ("means_init", X[:3], ValueError),
    ("means_init", X[:2, :2], ValueError),
    ("means_init", X[0], ValueError),
    ("means_init", np.where(np.eye(2, 3) > 0, np.nan, 1.0), ValueError),
    ("means_init", np.where(np.eye(2, 3) > 0, np.inf, 1.0), ValueError),
    ("means_init", X[:2] * 1e80, ValueError),
    ("means_init", [["a", 1, 2], [1, 2, 3]], TypeError),
    ("precisions_init", np.eye(3), ValueError),
    ("precisions_init", -EYE, ValueError),
    ("precisions_init", 0 * EYE, ValueError),
    ("precisions_init", EYE + np.triu(np.ones((3, 3)), 1), ValueError),
    ("precisions_init", np.nan * EYE, ValueError),
    ("precisions_init", 1e300 * EYE, ValueError),
    ("precisions_init", 1e-200 * EYE, ValueError),
    ("precisions_init", [["a"]], TypeError),
]

FACTORS: list[tuple[str, Any, type[Exception]]] = [
    *(("n_components", value, ValueError) for value in (0, -1, 4)),
    *(("n_components", value, TypeError) for value in (2.0, "2", True, [2])),
    *(("tol", value, ValueError) for value in (-1e-9, np.nan)),
    ("tol", "1e-3", TypeError),
    ("max_iter", -1, ValueError),
    *(("max_iter", value, TypeError) for value in (1.0, None)),
    ("random_state", -1, ValueError),
    ("random_state", "seed", TypeError),
]


def assert_refused(estimator: Any, name: str, error: type[Exception]) -> None:
    """The fit fails by name, and leaves nothing."""
    before = dict(vars(estimator))
    with pytest.raises(error, match=rf"^(Input )?{name}\b"):
        estimator.fit(X)
    assert vars(estimator) == before


@pytest.mark.parametrize(("name", "value", "error"), MIXTURE, ids=str)
def test_mixtures(name: str, value: Any, error: type[Exception]) -> None:
    assert_refused(GaussianMixture(**{"n_components": 2, name: value}), name, error)


@pytest.mark.parametrize("kind", [FactorAnalysis, PPCA])
@pytest.mark.parametrize(("name", "value", "error"), FACTORS, ids=str)
def test_factors(kind: Any, name: str, value: Any, error: type[Exception]) -> None:
    assert_refused(kind(**{"n_components": 1, name: value}), name, error)


@pytest.mark.parametrize("value", ["oblimin", "Varimax", 1, ["varimax"], True])
def test_rotation(value: Any) -> None:
    assert_refused(FactorAnalysis(1, rotation=value), "rotation", ValueError)


def test_nothing_is_checked_before_the_fit() -> None:
    assert GaussianMixture("nonsense", tol="x").n_components == "nonsense"
    assert FactorAnalysis(-1, rotation="x").rotation == "x"


@pytest.mark.parametrize("kind", COVARIANCE_TYPES)
@pytest.mark.parametrize("precisions", [np.ones(3), np.ones((2, 2)), np.ones((3, 3, 3)), 1.0])
def test_shapes_of_precisions(kind: str, precisions: Any) -> None:
    estimator = GaussianMixture(2, covariance_type=kind, precisions_init=precisions)
    assert_refused(estimator, "precisions_init", ValueError)


class TestAccepted:
    @pytest.mark.parametrize("k", [2, np.int64(2), np.uint8(2)])
    def test_integers_of_any_type(self, k: Any) -> None:
        same = {"random_state": 0}
        fitted = GaussianMixture(k, max_iter=np.int32(500), n_init=np.int16(1), **same).fit(X)
        expected = GaussianMixture(2, max_iter=500, **same).fit(X)
        assert np.array_equal(fitted.means_, expected.means_)

    def test_seeds_of_any_type(self) -> None:
        def fitted(seed: Any) -> Any:
            estimator = GaussianMixture(3, init_params="random_from_data", random_state=seed)
            return estimator.fit(X).means_

        assert np.array_equal(fitted(5), fitted(np.int64(5)))
        assert np.array_equal(fitted(5), fitted(np.random.default_rng(5)))
        assert np.array_equal(
            fitted(np.random.RandomState(5)),
            fitted(np.random.RandomState(5)),
        )
        assert fitted(None).shape == (3, 3)

    @pytest.mark.parametrize("kind", COVARIANCE_TYPES)
    def test_tolerance_of_zero(self, kind: str) -> None:
        # stops where nothing changes any more
        with quietly():
            fitted = GaussianMixture(2, covariance_type=kind, tol=0, random_state=0).fit(X)
        assert fitted.n_iter_ < 500
        assert fitted.fit_.residual < 1e-9
        assert fitted.converged_ == (fitted.fit_.residual == 0)


class TestStarts:
    """Weights, means and precisions to start from: all of them, or some."""

    def test_max_iter_of_zero_returns_the_start(self) -> None:
        start: dict[str, Any] = {
            "weights_init": [0.3, 0.7],
            "means_init": [[0.0, 1, 2], [4, 5, 3]],
            "precisions_init": EYE * 0.5,
        }
        with pytest.warns(ConvergenceWarning, match="not converged after 0 iterations"):
            fitted = GaussianMixture(2, max_iter=0, **start).fit(X)
        np.testing.assert_allclose(fitted.weights_, start["weights_init"], rtol=1e-14)
        np.testing.assert_allclose(fitted.means_, start["means_init"], atol=1e-14)
        np.testing.assert_allclose(fitted.precisions_, start["precisions_init"], atol=1e-14)
        assert fitted.n_iter_ == 0
        assert not fitted.converged_
        assert len(fitted.lower_bounds_) == 1
        np.testing.assert_allclose(fitted.lower_bound_, fitted.score(X), rtol=1e-14)

    @pytest.mark.parametrize("kind", COVARIANCE_TYPES)
    @pytest.mark.parametrize("given", ["weights_init", "means_init", "precisions_init"])
    def test_what_is_not_given_is_found(self, kind: str, given: str) -> None:
        eye = {"full": EYE, "tied": np.eye(3), "diag": np.ones((2, 3)), "spherical": np.ones(2)}
        values = {
            "weights_init": [0.2, 0.8],
            "means_init": [[0.0, 0, 0], [4, 4, 4]],
            "precisions_init": 3 * eye[kind],
        }
        arguments: dict[str, Any] = {"covariance_type": kind, "random_state": 0}
        with pytest.warns(ConvergenceWarning):
            fitted = GaussianMixture(2, max_iter=0, **arguments, **{given: values[given]}).fit(X)
        with pytest.warns(ConvergenceWarning):
            found = GaussianMixture(2, max_iter=0, **arguments).fit(X)
        for name in ("weights_init", "means_init", "precisions_init"):
            attribute = name.replace("_init", "_")
            expected = values[name] if name == given else getattr(found, attribute)
            np.testing.assert_allclose(getattr(fitted, attribute), expected, rtol=1e-9, atol=1e-13)

    def test_starts_in_the_units_of_the_data(self) -> None:
        scale, offset = np.array([1e-2, 1.0, 1e3]), np.array([1.0, -5, 1e7])
        means = np.array([[0.0, 0, 0], [4, 4, 4]])
        with pytest.warns(ConvergenceWarning):
            plain = GaussianMixture(
                2, max_iter=3, means_init=means, precisions_init=EYE, weights_init=[0.5, 0.5]
            ).fit(X)
        with pytest.warns(ConvergenceWarning):
            moved = GaussianMixture(
                2,
                max_iter=3,
                means_init=means * scale + offset,
                precisions_init=EYE / np.outer(scale, scale),
                weights_init=[0.5, 0.5],
            ).fit(X * scale + offset)
        np.testing.assert_allclose((moved.means_ - offset) / scale, plain.means_, atol=1e-6)

    def test_given_arrays_are_not_changed(self) -> None:
        weights, means, precisions = np.array([0.5, 0.5]), X[:2].copy(), EYE.copy()
        GaussianMixture(2, weights_init=weights, means_init=means, precisions_init=precisions).fit(
            X
        )
        assert np.array_equal(weights, [0.5, 0.5])
        assert np.array_equal(means, X[:2])
        assert np.array_equal(precisions, EYE)


class TestRestarts:
    def test_the_most_likely_of_several_is_kept(self) -> None:
        x = np.concatenate([two_clusters(60), two_clusters(60, seed=1) - 9])
        same: dict[str, Any] = {"init_params": "random_from_data", "max_iter": 30, "tol": 1e-3}
        rng = np.random.default_rng(3)
        alone = [GaussianMixture(4, random_state=rng, **same) for _ in range(6)]
        scores = []
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            scores = [model.fit(x).lower_bound_ for model in alone]
            best = GaussianMixture(4, n_init=6, random_state=3, **same).fit(x)
        assert max(scores) > min(scores) + 0.01
        assert best.lower_bound_ == max(scores)
        assert best.n_iter_ == alone[int(np.argmax(scores))].n_iter_

    def test_verbose(self, capsys: pytest.CaptureFixture[str]) -> None:
        fitted = GaussianMixture(2, random_state=0).fit(X)
        assert capsys.readouterr().out == ""
        GaussianMixture(2, random_state=0, verbose=1, verbose_interval=2).fit(X)
        lines = capsys.readouterr().out.splitlines()
        assert len(lines) == fitted.n_iter_ // 2 + 1
        assert lines[0].startswith("iteration 0: log-likelihood")


@pytest.mark.parametrize("kind", COVARIANCE_TYPES)
class TestWarmStart:
    def test_goes_on_where_it_stopped(self, kind: str) -> None:
        same: dict[str, Any] = {"covariance_type": kind, "random_state": 0}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            short = GaussianMixture(2, max_iter=2, warm_start=True, tol=1e-12, **same)
            whole = GaussianMixture(2, max_iter=6, tol=1e-12, **same).fit(X)
            for _ in range(3):
                short.fit(X)
        np.testing.assert_allclose(short.means_, whole.means_, rtol=1e-9)
        np.testing.assert_allclose(short.covariances_, whole.covariances_, rtol=1e-9, atol=1e-12)

    def test_from_a_converged_fit_there_is_nothing_to_do(self, kind: str) -> None:
        model = GaussianMixture(2, covariance_type=kind, random_state=0, warm_start=True).fit(X)
        means = model.means_
        assert model.fit(X).n_iter_ == 0
        np.testing.assert_allclose(model.means_, means, rtol=1e-12)

    def test_another_model_starts_anew(self, kind: str) -> None:
        model = GaussianMixture(2, covariance_type=kind, random_state=0, warm_start=True).fit(X)
        model.set_params(n_components=1).fit(X)
        assert model.means_.shape == (1, 3)
        model.fit(X[:, :2])
        assert model.means_.shape == (1, 2)


def test_small_gates() -> None:
    assert as_choice("a", ("a", "b"), name="letter") == "a"
    with pytest.raises(ValueError, match="letter must be one of 'a', 'b', not 'c'"):
        as_choice("c", ("a", "b"), name="letter")
    assert as_flag(np.True_, name="flag") is True
    with pytest.raises(TypeError, match="flag must be True or False, not 'no' of type str"):
        as_flag("no", name="flag")
