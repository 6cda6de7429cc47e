"""Column names and their agreement with those seen at fit."""

import re
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.base import BaseEstimator
from sklearn.utils.validation import validate_data

from harmonium.errors import DataWarning
from harmonium.validation import check_feature_names, feature_names_of


class TestNames:
    @pytest.mark.parametrize("library", [pd, pl])
    def test_of_a_frame(self, library: Any) -> None:
        assert feature_names_of(library.DataFrame({"b": [1], "a": [2]})) == ("b", "a")

    def test_of_a_wrapper_of_frames(self) -> None:
        class Wrapper:
            def __init__(self) -> None:
                self.columns = ["b", "a"]

            def __array__(self) -> Any:
                return np.zeros((1, 2))

        assert feature_names_of(Wrapper()) == ("b", "a")

    @pytest.mark.parametrize(
        "x",
        [
            np.zeros((2, 2)),
            [[1, 2]],
            None,
            "text",
            pd.Series([1.0]),
            pd.DataFrame(np.zeros((1, 2))),
            pd.DataFrame(np.zeros((1, 2)), columns=["a", 1]),
            pd.DataFrame(np.zeros((1, 1)), columns=pd.MultiIndex.from_tuples([("a", "b")])),
            pd.DataFrame(),
        ],
    )
    def test_of_all_else(self, x: Any) -> None:
        assert feature_names_of(x) is None


def frame(*names: str) -> Any:
    return pd.DataFrame(np.zeros((2, len(names))), columns=list(names))


class Peer(BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """The scikit-learn estimator whose words ours must be."""

    def fit(self, X: Any) -> "Peer":
        validate_data(self, X)
        return self

    def check(self, X: Any) -> None:
        validate_data(self, X, reset=False)


class TestAgreement:
    def test_same_names(self) -> None:
        check_feature_names(["a", "b"], frame("a", "b"), "Mixture")
        check_feature_names(None, np.zeros((2, 2)), "Mixture")

    @pytest.mark.parametrize(
        "names",
        [
            ("b", "a", "c", "d", "e", "f", "g"),
            ("u", "v", "w", "x", "y", "z", "t"),
            ("a", "b"),
            ("a", "b", "c", "d", "e", "f", "g", "h"),
        ],
    )
    def test_the_words_are_those_of_scikit_learn(self, names: tuple[str, ...]) -> None:
        seen = ("a", "b", "c", "d", "e", "f", "g")
        with pytest.raises(ValueError, match="feature names") as theirs:
            Peer().fit(frame(*seen)).check(frame(*names))
        with pytest.raises(ValueError, match=f"^{re.escape(str(theirs.value))}$"):
            check_feature_names(seen, frame(*names), "Peer")

    def test_order(self) -> None:
        words = "Feature names must be in the same order as they were in fit."
        with pytest.raises(ValueError, match=words):
            check_feature_names(["a", "b"], frame("b", "a"), "Mixture")

    def test_names_only_now(self) -> None:
        words = "X has feature names, but Mixture was fitted without feature names"
        with pytest.warns(DataWarning, match=words):
            check_feature_names(None, frame("a"), "Mixture")

    def test_names_only_then(self) -> None:
        words = "X does not have valid feature names, but Mixture was fitted with feature names"
        with pytest.warns(DataWarning, match=words):
            check_feature_names(["a"], np.zeros((1, 1)), "Mixture")
