"""Symmetric and positive definite matrices."""

import warnings
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harmonium.errors import DataWarning
from harmonium.validation import check_positive_definite, check_square_symmetric


def covariance(seed: int, d: int, *stack: int) -> Any:
    factor = np.random.default_rng(seed).normal(size=(*stack, d, 2 * d))
    return factor @ factor.swapaxes(-1, -2)


class TestSymmetric:
    def test_symmetric_is_not_copied(self) -> None:
        x = np.array([[1.0, 2.0], [2.0, -3.0]])
        assert check_square_symmetric(x, name="couplings") is x

    def test_conversion(self) -> None:
        result = check_square_symmetric([[1, 2], [2, 1]], name="couplings")
        assert result.dtype == np.float64

    @pytest.mark.parametrize("shape", [(3,), (2, 3), (0, 0), (4, 2, 3), ()])
    def test_not_square(self, shape: tuple[int, ...]) -> None:
        words = r"covariance must be a square matrix or a stack of them, of shape \(\.\.\., d, d\)"
        with pytest.raises(ValueError, match=words):
            check_square_symmetric(np.ones(shape), name="covariance")

    def test_not_symmetric(self) -> None:
        x = np.eye(3)
        x[0, 2] = 0.25
        words = (
            r"covariance must be symmetric, but entry \(0, 2\) is 0\.25 and entry \(2, 0\) is "
            r"0\.0\. If that is rounding, pass \(covariance \+ covariance\.T\) / 2"
        )
        with pytest.raises(ValueError, match=words):
            check_square_symmetric(x, name="covariance")

    def test_not_symmetric_in_a_stack(self) -> None:
        x = np.array([np.eye(2)] * 3)
        x[2, 1, 0] = 1.0
        with pytest.raises(ValueError, match=r"in matrix 2 of the stack entry \(0, 1\) is 0\.0"):
            check_square_symmetric(x, name="covariance")
        with pytest.raises(ValueError, match=r"in matrix \(0, 2\) of the stack"):
            check_square_symmetric(x[np.newaxis], name="covariance")

    @pytest.mark.parametrize("scale", [1e-300, 1e-8, 1.0, 1e8, 1e300])
    def test_the_tolerance_is_relative(self, scale: float) -> None:
        x = np.array([[1.0, 0.5], [0.5, 1.0]]) * scale
        x[0, 1] *= 1 + 5e-11
        result = check_square_symmetric(x, name="covariance")
        np.testing.assert_array_equal(result, result.T)
        np.testing.assert_allclose(result, x, rtol=5e-11)
        x[0, 1] *= 1 + 1e-9
        with pytest.raises(ValueError, match="must be symmetric"):
            check_square_symmetric(x, name="covariance")

    def test_columns_of_small_scale_are_not_judged_by_those_of_large(self) -> None:
        x = np.diag([1e-16, 1e-16, 1e16])
        x[0, 1] = 5e-17
        with pytest.raises(ValueError, match=r"entry \(0, 1\)"):
            check_square_symmetric(x, name="covariance")

    def test_rounding_of_entries_near_zero_is_allowed(self) -> None:
        x = np.array([[1.0, 1e-17], [-1e-17, 1.0]])
        np.testing.assert_array_equal(check_square_symmetric(x, name="covariance"), np.eye(2))
        y = np.array([[0.0, 1e-17, 1.0], [-1e-17, 0.0, 1.0], [1.0, 1.0, 0.0]])
        assert check_square_symmetric(y, name="couplings")[0, 1] == 0.0

    def test_opposite_extremes(self) -> None:
        with np.errstate(all="raise"), pytest.raises(ValueError, match="must be symmetric"):
            check_square_symmetric([[1.0, 1.7e308], [-1.7e308, 1.0]], name="covariance")

    def test_not_finite(self) -> None:
        with pytest.raises(ValueError, match=r"Input covariance contains NaN: 1 of 4 .* row 0"):
            check_square_symmetric([[np.nan, 1], [1, 1]], name="covariance")

    def test_the_input_is_left_alone(self) -> None:
        x = covariance(0, 4)
        x[0, 1] *= 1 + 1e-12
        before = x.copy()
        check_square_symmetric(x, name="covariance")
        np.testing.assert_array_equal(x, before)


class TestPositiveDefinite:
    @given(seed=st.integers(0, 1000), d=st.integers(1, 6), n=st.integers(0, 3))
    def test_covariances(self, seed: int, d: int, n: int) -> None:
        x = covariance(seed, d, n) if n else covariance(seed, d)
        result = check_positive_definite(x, name="covariance")
        np.testing.assert_allclose(result, x, rtol=1e-12)
        assert result.shape == x.shape

    def test_empty_stack(self) -> None:
        assert check_positive_definite(np.ones((0, 2, 2)), name="covariance").shape == (0, 2, 2)

    def test_the_smallest_eigenvalue_is_told(self) -> None:
        words = (
            r"covariance must be positive definite, but its smallest eigenvalue is -1\. "
            "Drop columns"
        )
        with pytest.raises(ValueError, match=words):
            check_positive_definite([[1.0, 2.0], [2.0, 1.0]], name="covariance")

    def test_a_correlation_of_three_that_is_none(self) -> None:
        x = np.array([[1.0, 0.9, -0.9], [0.9, 1.0, 0.9], [-0.9, 0.9, 1.0]])
        with pytest.raises(ValueError, match=r"smallest eigenvalue is -0\.8"):
            check_positive_definite(x, name="covariance")

    @pytest.mark.parametrize("diagonal", [[1.0, 0.0], [1.0, -2.0], [0.0, 0.0]])
    def test_diagonal_not_positive(self, diagonal: list[float]) -> None:
        words = f"smallest eigenvalue is {min(diagonal):.6g}"
        with np.errstate(all="raise"), pytest.raises(ValueError, match=words):
            check_positive_definite(np.diag(diagonal), name="covariance")

    @pytest.mark.parametrize("d", [2, 5, 30])
    def test_singular(self, d: int) -> None:
        x = covariance(1, d)
        x[-1] = x[0]
        x[:, -1] = x[:, 0]
        with pytest.raises(ValueError, match="must be positive definite, but its smallest"):
            check_positive_definite(x, name="covariance")

    def test_singular_to_working_precision(self) -> None:
        x = np.array([[1.0, 1.0 - 1.2e-16], [1.0 - 1.2e-16, 1.0]]) * [[1.0, 4.0], [4.0, 16.0]]
        # Rounding decides whether the eigenvalue before scaling is positive.
        words = r"smallest eigenvalue(, once it is scaled to a unit diagonal,)? is (-|0|.*e-1[567])"
        with pytest.raises(ValueError, match=words):
            check_positive_definite(x, name="covariance")

    def test_in_a_stack(self) -> None:
        x = np.array([np.eye(2), [[1.0, 2.0], [2.0, 1.0]]])
        with pytest.raises(ValueError, match="but in matrix 1 of the stack its smallest eigenv"):
            check_positive_definite(x, name="covariance")

    def test_not_symmetric(self) -> None:
        with pytest.raises(ValueError, match="must be symmetric"):
            check_positive_definite([[1.0, 0.5], [0.0, 1.0]], name="covariance")

    def test_nearly_collinear_columns_are_warned_of(self) -> None:
        x = np.array([[1.0, 1.0 - 1e-13], [1.0 - 1e-13, 1.0]])
        words = (
            r"covariance has a condition number of 2e\+13, above 1e12: some columns are almost "
            "combinations of others"
        )
        with pytest.warns(DataWarning, match=words):
            check_positive_definite(x, name="covariance")

    @pytest.mark.parametrize(("ratio", "words"), [(1e-13, r"1e\+13"), (1e-32, r"1e\+32")])
    def test_columns_of_very_different_scale_are_warned_of(self, ratio: float, words: str) -> None:
        expected = f"condition number of {words}, above 1e12: the columns are of very different"
        with pytest.warns(DataWarning, match=expected):
            result = check_positive_definite(np.diag([1.0, ratio]), name="covariance")
        assert result[1, 1] == ratio

    def test_correlated_columns_of_very_different_scale_are_not_refused(self) -> None:
        deviation = np.array([1e-8, 1.0, 1e8])
        x = covariance(2, 3) * deviation * deviation[:, np.newaxis]
        with pytest.warns(DataWarning, match="more than 1e16|e\\+3"):
            check_positive_definite(x, name="covariance")

    def test_the_worst_of_a_stack_is_named(self) -> None:
        x = np.array([np.eye(2), np.diag([1.0, 1e-13]), np.diag([1.0, 1e-14])])
        with pytest.warns(DataWarning, match=r"in matrix 2 of the stack has a condition.* 1e\+14"):
            check_positive_definite(x, name="covariance")

    def test_a_condition_beyond_float64(self) -> None:
        words = "condition number of more than 1e16, above 1e12: the columns are of very different"
        with np.errstate(all="raise"), pytest.warns(DataWarning, match=words):
            check_positive_definite(np.diag([1e300, 1e-300]), name="covariance")

    @pytest.mark.parametrize("condition", [1.0, 1e6, 0.9e12])
    def test_no_warning_up_to_1e12(self, condition: float) -> None:
        rotation = np.linalg.qr(np.random.default_rng(0).normal(size=(3, 3)))[0]
        x = rotation @ np.diag([1.0, 0.5, 1.0 / condition]) @ rotation.T
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            check_positive_definite(x, name="covariance")

    @pytest.mark.parametrize("scale", [1e-300, 5e-324, 1e300])
    def test_extreme_units(self, scale: float) -> None:
        x = np.eye(2) * scale
        np.testing.assert_array_equal(check_positive_definite(x, name="covariance"), x)
        with pytest.raises(ValueError, match="positive definite"):
            check_positive_definite([[scale, 2 * scale], [2 * scale, scale]], name="covariance")
