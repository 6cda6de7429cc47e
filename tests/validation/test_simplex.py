"""Rows that sum to one, rows of unit length."""

import re
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harmonium.validation import check_simplex, check_unit_vectors

NAN = np.nan
NAMES = ["clay", "sand"]


def table(*rows: Any) -> Any:
    return np.array(rows, float)


class TestSimplex:
    @pytest.mark.parametrize("error", [0.0, 1e-12, -9e-10, 9e-10])
    def test_sums_within_1e_9_are_left_as_they_are(self, error: float) -> None:
        x = table([0.25, 0.75], [0.5, 0.5 + error])
        assert check_simplex(x) is x

    @pytest.mark.parametrize("error", [2e-9, -5e-7, 9e-7])
    def test_sums_within_1e_6_are_normalised(self, error: float) -> None:
        x = table([0.3, 0.7], [0.5, 0.5 + error])
        before = x.copy()
        result = check_simplex(x)
        assert abs(result[1].sum() - 1.0) < 1e-15
        np.testing.assert_array_equal(result[0], x[0])
        np.testing.assert_allclose(result[1], x[1], rtol=1e-6)
        np.testing.assert_array_equal(x, before)
        assert result.flags.c_contiguous

    @pytest.mark.parametrize("error", [1.1e-6, -2e-6, 0.5, 1e300])
    def test_other_sums_are_refused_with_row_and_sum(self, error: float) -> None:
        total = np.array([0.5, 0.5 + error]).sum()
        words = f"X: every row must sum to 1, but the sum of row 1 is {total}."
        with pytest.raises(ValueError, match=re.escape(words)):
            check_simplex(table([0.25, 0.75], [0.5, 0.5 + error], [3, 3]))

    def test_sum_beyond_float64(self) -> None:
        with np.errstate(all="raise"), pytest.raises(ValueError, match="sum of row 0 is inf"):
            check_simplex(table([1e308, 1e308]))

    def test_percentages_get_a_remedy(self) -> None:
        with pytest.raises(ValueError, match="divide each row by its sum"):
            check_simplex(table([25, 75]))

    def test_zeros(self) -> None:
        x = table([0, 1])
        words = (
            r"every proportion must be positive, but row 0, column 0 \('clay'\) is 0\.0\. "
            "Zeros lie outside the open simplex"
        )
        with pytest.raises(ValueError, match=words):
            check_simplex(x, feature_names=NAMES)
        assert check_simplex(x, allow_zeros=True) is x

    @pytest.mark.parametrize(("allow_zeros", "rule"), [(True, "zero or positive"), (False, "pos")])
    def test_negative(self, allow_zeros: bool, rule: str) -> None:
        words = rf"every proportion must be {rule}.* but row 1, column 0 is -0\.5\."
        with pytest.raises(ValueError, match=words):
            check_simplex(table([0.5, 0.5], [-0.5, 1.5]), allow_zeros=allow_zeros)

    def test_missing(self) -> None:
        x = table([0.5, NAN, 0.2], [NAN, NAN, NAN], [0.2, 0.3, 0.5])
        assert check_simplex(x) is x
        words = r"the sum of row 0 without its missing entries is 1\.25"
        with pytest.raises(ValueError, match=words):
            check_simplex(table([0.75, NAN, 0.5]))

    @given(
        n=st.integers(1, 20),
        d=st.integers(2, 8),
        seed=st.integers(0, 1000),
        error=st.floats(-9e-7, 9e-7),
    )
    def test_every_row_sums_to_one_afterwards(
        self, n: int, d: int, seed: int, error: float
    ) -> None:
        x = np.random.default_rng(seed).dirichlet(np.full(d, 5.0), n) * (1 + error)
        assert np.abs(check_simplex(x).sum(axis=1) - 1).max() <= 1e-9 + 1e-15


class TestUnitVectors:
    def test_good(self) -> None:
        x = table([0.6, 0.8], [-1, 0], [np.sqrt(0.5), -np.sqrt(0.5)])
        assert check_unit_vectors(x) is x

    def test_rounded(self) -> None:
        x = table([0.6, 0.8], [0.6, 0.8 + 1e-7])
        result = check_unit_vectors(x)
        np.testing.assert_array_equal(result[0], x[0])
        assert abs(np.linalg.norm(result[1]) - 1) < 1e-15

    @pytest.mark.parametrize(
        ("row", "length"),
        [([0, 0], "0.0"), ([3, 4], "5.0"), ([1e200, 0], "inf"), ([1e-200, 0], "0")],
    )
    def test_bad(self, row: list[float], length: str) -> None:
        words = f"Y: every row must have length 1, but the length of row 1 is {length}"
        with np.errstate(all="raise"), pytest.raises(ValueError, match=re.escape(words)):
            check_unit_vectors(table([0.6, 0.8], row), "Y")

    def test_missing(self) -> None:
        x = table([0.6, NAN], [NAN, NAN])
        assert check_unit_vectors(x) is x
        with pytest.raises(ValueError, match=r"length of row 0 without its missing entries is 1.5"):
            check_unit_vectors(table([1.5, NAN]))
