"""Counts and positive numbers."""

from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from harmonium.validation import as_count, as_positive


class TestCount:
    @pytest.mark.parametrize("value", [3, np.int8(3), np.uint64(3), np.array(3)])
    def test_integers_of_every_type(self, value: Any) -> None:
        result = as_count(value, name="n_components")
        assert type(result) is int
        assert result == 3

    @pytest.mark.parametrize("value", [0, -1, np.int16(-7)])
    def test_too_small(self, value: Any) -> None:
        with pytest.raises(ValueError, match=f"n_components must be at least 1, not {value}"):
            as_count(value, name="n_components")

    def test_minimum(self) -> None:
        assert as_count(0, name="max_iter", minimum=0) == 0
        with pytest.raises(ValueError, match="n must be at least 5, not 4"):
            as_count(4, name="n", minimum=5)

    @pytest.mark.parametrize(
        "value", [True, np.True_, 2.5, 3.0, np.float64(3), "3", None, [3], np.array([1, 2]), 1j]
    )
    def test_all_else(self, value: Any) -> None:
        with pytest.raises(TypeError, match=r"n_components must be an integer, not .* of type"):
            as_count(value, name="n_components")


class TestPositive:
    @pytest.mark.parametrize(
        "value", [2, 2.0, np.float32(2), np.uint8(2), Fraction(2), Decimal(2), np.array(2.0)]
    )
    def test_real_numbers_of_every_type(self, value: Any) -> None:
        result = as_positive(value, name="tol")
        assert type(result) is float
        assert result == 2.0

    def test_zero(self) -> None:
        assert as_positive(0, name="concentration", allow_zero=True) == 0.0
        with pytest.raises(ValueError, match="tol must be a positive finite number, not 0"):
            as_positive(0, name="tol")

    @pytest.mark.parametrize(
        "value", [-1, -1e-300, float("nan"), float("inf"), -float("inf"), 10**400, Decimal("sNaN")]
    )
    @pytest.mark.parametrize("allow_zero", [False, True])
    def test_outside(self, value: Any, allow_zero: bool) -> None:
        rule = "zero or a positive" if allow_zero else "a positive"
        with pytest.raises(ValueError, match=f"tol must be {rule} finite number, not"):
            as_positive(value, name="tol", allow_zero=allow_zero)

    def test_positive_but_zero_in_float64(self) -> None:
        with pytest.raises(ValueError, match="a positive finite number"):
            as_positive(Fraction(1, 10**400), name="tol")

    @pytest.mark.parametrize("value", [True, np.True_, "1", None, 1j, [1.0], np.array([1.0])])
    def test_all_else(self, value: Any) -> None:
        with pytest.raises(TypeError, match=r"tol must be a number, not .* of type"):
            as_positive(value, name="tol")
