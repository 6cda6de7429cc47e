"""What estimators take for a table, and what they refuse: by name, with place and remedy."""

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy import sparse
from sklearn.base import clone

from estimators.tables import (
    assert_same_bits,
    every_estimator,
    name_of,
    quietly,
    table,
    two_clusters,
    with_missing,
)
from harmonium.errors import BoundaryWarning, DataWarning
from harmonium.estimators import GaussianMixture
from harmonium.validation import FloatArray

every = pytest.mark.parametrize("estimator", every_estimator(), ids=name_of)

Layout = Callable[[FloatArray], Any]


def strided(x: FloatArray) -> Any:
    wide = np.zeros((2 * x.shape[0], 3 * x.shape[1]))
    wide[::2, 1::3] = x
    return wide[::2, 1::3]


def read_only(x: FloatArray) -> Any:
    x = x.copy()
    x.flags.writeable = False
    return x


LAYOUTS: dict[str, Layout] = {
    "Fortran": np.asfortranarray,
    "strided": strided,
    "reversed": lambda x: x[::-1, ::-1].copy()[::-1, ::-1],
    "read-only": read_only,
    "big-endian": lambda x: x.astype(">f8"),
    "lists": lambda x: x.tolist(),
    "tuples": lambda x: tuple(map(tuple, x.tolist())),
    "objects": lambda x: x.astype(object),
    "broadcast": lambda x: np.broadcast_to(x, (1, *x.shape))[0],
    "pandas": pd.DataFrame,
    "polars": lambda x: pl.DataFrame(x, schema=[f"c{j}" for j in range(x.shape[1])]),
    "matrix": np.asmatrix,
    "unmasked": np.ma.MaskedArray,
    "memory": memoryview,
}


def used(estimator: Any, x: Any) -> bytes:
    """Everything that is predicted, to the last bit."""
    shares = getattr(estimator, "predict_proba", None) or estimator.transform
    return bytes(estimator.score_samples(x).tobytes() + np.ascontiguousarray(shares(x)).tobytes())


@every
class TestLayouts:
    @pytest.mark.filterwarnings("ignore:the matrix subclass:PendingDeprecationWarning")
    @pytest.mark.parametrize("layout", LAYOUTS)
    def test_the_same_bits(self, estimator: Any, layout: str) -> None:
        x = two_clusters(40)
        plain = clone(estimator).fit(x)
        same = LAYOUTS[layout](x)
        fitted = clone(estimator).fit(same)
        assert_same_bits(fitted, plain)
        assert used(fitted, same) == used(plain, x)

    def test_memory_map(self, estimator: Any, tmp_path: Path) -> None:
        x = two_clusters(40)
        np.save(tmp_path / "x.npy", x)
        mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
        assert_same_bits(clone(estimator).fit(mapped), clone(estimator).fit(x))

    @pytest.mark.parametrize("dtype", ["f4", "f2", "i1", "u2", "i4", "i8", ">i2", "?"])
    def test_computed_in_float64(self, estimator: Any, dtype: str) -> None:
        x = np.round(two_clusters(40) * 5)
        narrow = (x > 7 * np.arange(1, 4) / 2) if dtype == "?" else np.abs(x).astype(dtype)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", BoundaryWarning)  # clusters of equal binary rows
            fitted = clone(estimator).fit(narrow)
            assert_same_bits(fitted, clone(estimator).fit(narrow.astype(float)))

    def test_long_doubles_are_rounded(self, estimator: Any) -> None:
        x = two_clusters(40)
        long = x.astype(np.longdouble) + np.longdouble("1e-19")
        with pytest.warns(DataWarning, match="float64"):
            fitted = clone(estimator).fit(long)
        assert_same_bits(fitted, clone(estimator).fit(x))

    def test_input_is_never_written_to(self, estimator: Any) -> None:
        for x in (two_clusters(40), with_missing(two_clusters(100))):
            before, weights = x.tobytes(), np.linspace(0, 1, len(x))
            fitted = clone(estimator).fit(x, sample_weight=weights)
            used(fitted, x)
            fitted.score(x), fitted.bic(x)
            assert x.tobytes() == before
            assert np.array_equal(weights, np.linspace(0, 1, len(x)))

    def test_what_is_fitted_is_the_estimators_own(self, estimator: Any) -> None:
        x = two_clusters(40)
        fitted = clone(estimator).fit(x)
        expected = used(fitted, two_clusters(40))
        x[:] = 0.0
        assert used(fitted, two_clusters(40)) == expected


@every
class TestMissing:
    @pytest.mark.parametrize("kind", ["masked", "pandas", "pandas NA", "polars"])
    def test_every_way_to_say_missing(self, estimator: Any, kind: str) -> None:
        x = with_missing(two_clusters(100))
        names = ["a", "b", "c"]
        plain = clone(estimator).fit(x)
        other: Any
        if kind == "masked":
            # whatever stands under the mask
            other = np.ma.MaskedArray(np.where(np.isnan(x), 1e9, x), np.isnan(x))
        elif kind == "pandas":
            other = pd.DataFrame(x, columns=names)
        elif kind == "pandas NA":
            other = pd.DataFrame(x, columns=names).convert_dtypes()
            assert pd.isna(other.iloc[:, 0]).any()
        else:
            other = pl.DataFrame(x, schema=names).fill_nan(None)
            assert other["a"].null_count() > 0
        fitted = clone(estimator).fit(other)
        assert_same_bits(fitted, plain)
        assert used(fitted, other) == used(plain, x)

    def test_no_value_at_all(self, estimator: Any) -> None:
        # a row that says nothing: density one, the prior, the mean
        fitted = clone(estimator).fit(two_clusters(40))
        nothing = np.full((2, 3), np.nan)
        np.testing.assert_allclose(fitted.score_samples(nothing), 0, atol=1e-15)
        if isinstance(fitted, GaussianMixture):
            np.testing.assert_allclose(fitted.predict_proba(nothing), [fitted.weights_] * 2)
        else:
            np.testing.assert_allclose(fitted.transform(nothing), 0, atol=1e-14)

    def test_rows_that_say_nothing_change_nothing(self, estimator: Any) -> None:
        x = with_missing(two_clusters(60))
        more = np.concatenate([x, np.full((7, 3), np.nan)])
        plain, fitted = clone(estimator).fit(x), clone(estimator).fit(more)
        np.testing.assert_allclose(fitted.score_samples(x), plain.score_samples(x), atol=1e-4)

    def test_a_marginal_is_that_of_the_fit(self, estimator: Any) -> None:
        # the density of some columns integrates the others out: here, on a grid
        fitted = clone(estimator).fit(two_clusters(40))
        grid = np.linspace(-15, 20, 2001)
        rows = np.column_stack([np.full(2001, 1.5), grid, np.full(2001, 0.3)])
        integral = np.trapezoid(np.exp(fitted.score_samples(rows)), grid)
        density = np.exp(fitted.score_samples([[1.5, np.nan, 0.3]]))
        np.testing.assert_allclose(density, integral, rtol=1e-8)

    def test_a_column_without_values(self, estimator: Any) -> None:
        x = two_clusters(40)
        x[:, 1] = np.nan
        with pytest.raises(ValueError, match=r"X contains NaN only.*column 1.*Drop"):
            clone(estimator).fit(x)
        frame = pd.DataFrame(x, columns=["first", "second", "third"])
        with pytest.raises(ValueError, match="second"):
            clone(estimator).fit(frame)

    def test_a_column_whose_values_have_no_weight(self, estimator: Any) -> None:
        x, weights = two_clusters(40), np.ones(80)
        x[:40, 2] = np.nan
        weights[40:] = 0
        with pytest.raises(ValueError, match="column 2 has no value in any row of positive weight"):
            clone(estimator).fit(x, sample_weight=weights)


def _with(value: Any, row: int = 2, column: int = 1) -> Any:
    x = two_clusters(40).astype(object if isinstance(value, str) or value is None else float)
    x[row, column] = value
    return x


OFFENCES: dict[str, tuple[Any, type[Exception], str]] = {
    "vector": (np.ones(5), ValueError, "Reshape your data"),
    "series": (pd.Series(np.ones(5)), ValueError, "to_frame"),
    "scalar": (1.0, ValueError, "Expected 2D array, got scalar"),
    "three axes": (np.ones((2, 3, 4)), ValueError, "Found array with dim 3"),
    "no rows": (np.empty((0, 3)), ValueError, r"0 sample\(s\)"),
    "no columns": (np.empty((5, 0)), ValueError, r"0 feature\(s\)"),
    "one row": (np.ones((1, 3)), ValueError, "n_samples=1.*at least two rows"),
    "infinity": (_with(np.inf), ValueError, "infinity.*row 2, column 1"),
    "minus infinity": (_with(-np.inf), ValueError, "infinity.*row 2, column 1"),
    "ragged": ([[1.0, 2], [3]], ValueError, "ragged"),
    "text": (_with("a"), TypeError, "row 2, column 1.*'a'"),
    "None": (_with(None).tolist(), TypeError, "row 2, column 1"),
    "complex": (two_clusters(40) + 1j, ValueError, "[Cc]omplex"),
    "dates": (
        np.array([["2020-01-01"]] * 4, "datetime64[D]"),
        TypeError,
        "row 0, column 0 is the date",
    ),
    "sparse": (sparse.csr_array(two_clusters(40)), TypeError, "sparse.*toarray"),
    "huge integers": (np.full((4, 2), 2**60 + 1), ValueError, r"2\*\*53"),
    "lazy": (pl.LazyFrame({"a": [1.0, 2]}), TypeError, "collect"),
    "text column": (pd.DataFrame({"a": [1.0, 2], "b": ["x", "y"]}), TypeError, "b"),
}


@every
class TestOffences:
    @pytest.mark.parametrize("name", OFFENCES)
    def test_at_fit(self, estimator: Any, name: str) -> None:
        x, error, words = OFFENCES[name]
        fresh = clone(estimator)
        before = dict(vars(fresh))
        with pytest.raises(error, match=words):
            fresh.fit(x)
        assert vars(fresh) == before

    @pytest.mark.parametrize(
        "name", ["vector", "infinity", "text", "sparse", "three axes", "no rows"]
    )
    def test_at_use(self, estimator: Any, name: str) -> None:
        x, error, words = OFFENCES[name]
        fitted = clone(estimator).fit(two_clusters(40))
        for method in ("score_samples", "score", "predict", "predict_proba", "transform", "bic"):
            if hasattr(fitted, method):
                with pytest.raises(error, match=words):
                    getattr(fitted, method)(x)

    def test_other_columns(self, estimator: Any) -> None:
        fitted = clone(estimator).fit(two_clusters(40))
        words = f"X has 2 features, but {type(estimator).__name__} is expecting 3 features as input"
        with pytest.raises(ValueError, match=words):
            fitted.score(two_clusters(40)[:, :2])

    def test_names_of_columns(self, estimator: Any) -> None:
        frame = pd.DataFrame(two_clusters(40), columns=["a", "b", "c"])
        fitted = clone(estimator).fit(frame)
        assert fitted.feature_names_in_.tolist() == ["a", "b", "c"]
        with pytest.raises(ValueError, match="same order"):
            fitted.score(frame[["b", "a", "c"]])
        with pytest.raises(ValueError, match="unseen at fit time:\n- d"):
            fitted.score(frame.rename(columns={"a": "d"}))
        with pytest.warns(DataWarning, match="does not have valid feature names"):
            fitted.score(frame.to_numpy())
        with pytest.warns(DataWarning, match="fitted without feature names"):
            clone(estimator).fit(frame.to_numpy()).score(frame)
        # a later fit without names forgets them
        fitted.fit(frame.to_numpy())
        assert not hasattr(fitted, "feature_names_in_")

    def test_names_of_mixed_types(self, estimator: Any) -> None:
        fresh = clone(estimator)
        with pytest.raises(TypeError, match="string"):
            fresh.fit(pd.DataFrame(two_clusters(40), columns=["a", 1, "c"]))
        assert not hasattr(fresh, "fit_")

    def test_nearly_equal_values_far_from_zero(self, estimator: Any) -> None:
        # an offset of 1e7 deviations is fine; see the tests of equivariance
        x = two_clusters(40) + 1e8
        assert np.isfinite(clone(estimator).fit(x).score(x))


class TestRows:
    def test_fewer_than_components(self) -> None:
        with pytest.raises(
            ValueError, match=r"n_samples >= n_components.*n_components = 5, n_samples = 4"
        ):
            GaussianMixture(5).fit(two_clusters(2))

    def test_fewer_with_weight_than_components(self) -> None:
        with pytest.raises(ValueError, match="n_components = 3, n_samples = 2"):
            GaussianMixture(3).fit(two_clusters(2), sample_weight=[1, 0, 0, 1])

    @pytest.mark.filterwarnings(
        "ignore:a covariance was singular", "ignore:component", "ignore:the likelihood"
    )
    def test_fewer_distinct_than_components(self) -> None:
        x = np.repeat(two_clusters(1), 10, axis=0)
        with pytest.warns(DataWarning, match="n_components=3, but X has 2 distinct rows"):
            GaussianMixture(3, random_state=0).fit(x)
        x[:5, 0] = np.nan
        with pytest.warns(DataWarning, match="n_components=4, but X has 3 distinct rows"):
            GaussianMixture(4, random_state=0).fit(x)

    @every
    def test_two_with_weight(self, estimator: Any) -> None:
        with pytest.raises(ValueError, match=r"n_samples=1.*at least two rows"):
            clone(estimator).fit(two_clusters(2), sample_weight=[0, 0, 1, 0])

    @every
    def test_order_does_not_matter_much(self, estimator: Any) -> None:
        x = table("wine")[:, [0, 5, 6]]
        shuffled = x[np.random.default_rng(0).permutation(len(x))]
        with quietly():
            plain, other = clone(estimator).fit(x), clone(estimator).fit(shuffled)
        np.testing.assert_allclose(other.score_samples(x), plain.score_samples(x), atol=1e-9)
