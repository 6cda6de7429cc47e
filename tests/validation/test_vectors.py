"""Vectors and weights of rows."""

from typing import Any

import numpy as np
import pytest

from harmonium.validation import as_vector, as_weights


class TestVector:
    @pytest.mark.parametrize(
        "x", [[1, 2], (1.0, 2.0), np.array([1, 2], np.float32), np.arange(1, 5)[:2]]
    )
    def test_conversion(self, x: Any) -> None:
        result = as_vector(x, name="mean", length=2)
        assert result.dtype == np.float64
        np.testing.assert_array_equal(result, [1.0, 2.0])

    def test_ready_is_not_copied(self) -> None:
        x = np.ones(3)
        assert as_vector(x, name="mean") is x

    def test_column_is_told_to_ravel(self) -> None:
        words = r"mean must be one-dimensional, not of shape \(3, 1\)\. Pass mean\.ravel\(\)\."
        with pytest.raises(ValueError, match=words):
            as_vector(np.ones((3, 1)), name="mean")

    def test_table(self) -> None:
        with pytest.raises(ValueError, match=r"one-dimensional, not of shape \(3, 2\)\.$"):
            as_vector(np.ones((3, 2)), name="mean")

    def test_scalar(self) -> None:
        with pytest.raises(ValueError, match=r"one-dimensional, not the scalar 1\.0"):
            as_vector(1.0, name="mean")

    def test_length(self) -> None:
        with pytest.raises(ValueError, match="mean must have 3 entries, but it has 2"):
            as_vector([1, 2], name="mean", length=3)

    def test_empty(self) -> None:
        with pytest.raises(ValueError, match="mean must have at least one entry"):
            as_vector([], name="mean")
        assert as_vector([], name="mean", length=0).shape == (0,)

    def test_ragged_text_none(self) -> None:
        with pytest.raises(ValueError, match="mean is ragged"):
            as_vector([[1, 2], [3]], name="mean")
        with pytest.raises(TypeError, match="mean must hold numbers, but entry 1 is the text 'a'"):
            as_vector([1, "a"], name="mean")
        with pytest.raises(TypeError, match="mean must hold numbers, but entry 1 is None"):
            as_vector([1, None], name="mean")

    def test_not_finite(self) -> None:
        with pytest.raises(ValueError, match=r"Input mean contains NaN: 1 of 3 .* entry 2"):
            as_vector([1, 2, np.nan], name="mean")
        with pytest.raises(ValueError, match=r"Input mean contains infinity.* entry 0.* is -inf"):
            as_vector([-np.inf, 2], name="mean")


class TestWeights:
    def test_none(self) -> None:
        assert as_weights(None, 3) is None

    def test_zeros_among_others(self) -> None:
        np.testing.assert_array_equal(as_weights([0, 2, 0.5], 3), [0.0, 2.0, 0.5])

    def test_booleans_and_integers(self) -> None:
        np.testing.assert_array_equal(as_weights([True, False], 2), [1.0, 0.0])
        np.testing.assert_array_equal(as_weights(np.array([3, 4], np.uint8), 2), [3.0, 4.0])

    def test_negative(self) -> None:
        words = r"sample_weight must be zero or positive, but entry 1 is -0\.5"
        with pytest.raises(ValueError, match=words):
            as_weights([1, -0.5, -3], 3)

    def test_all_zero(self) -> None:
        with pytest.raises(ValueError, match="sample_weight must contain at least one non-zero"):
            as_weights([0, 0.0, -0.0], 3)

    @pytest.mark.parametrize("length", [2, 6])
    def test_wrong_length(self, length: int) -> None:
        words = f"weights must have 3 entries, but it has {length}"
        with pytest.raises(ValueError, match=words):
            as_weights(np.ones(length), 3, name="weights")

    @pytest.mark.parametrize("w", [np.ones((3, 2)), np.ones((3, 1)), 2.0])
    def test_wrong_axes(self, w: Any) -> None:
        with pytest.raises(ValueError, match="sample_weight must be one-dimensional"):
            as_weights(w, 3)

    @pytest.mark.parametrize(("value", "word"), [(np.nan, "NaN"), (np.inf, "infinity")])
    def test_not_finite(self, value: float, word: str) -> None:
        with pytest.raises(ValueError, match=f"Input sample_weight contains {word}.* entry 1"):
            as_weights([1, value], 2)

    def test_sum_beyond_float64(self) -> None:
        with (
            np.errstate(all="raise"),
            pytest.raises(ValueError, match=r"sum below 1\.8e308: rescale the weights"),
        ):
            as_weights([1e308, 1e308], 2)

    def test_smallest_weights(self) -> None:
        w = np.array([5e-324, 0.0])
        assert as_weights(w, 2) is w
