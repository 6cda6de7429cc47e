"""The gate for tables: shapes, column counts, missing and infinite values, and what it says."""

import re
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest

from harmonium.validation import as_table, check_finite, check_missing

TABLE = np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])


def with_entry(value: float, row: int = 1, column: int = 1) -> Any:
    table = TABLE.copy()
    table[row, column] = value
    return table


class TestShape:
    @pytest.mark.parametrize("x", [[1.0, 2.0], np.zeros(3), [], pl.Series([1.0])])
    def test_one_axis_is_refused_with_a_reshape_hint(self, x: Any) -> None:
        words = (
            r"X: Expected 2D array, got 1D array instead of shape \(\d,\)\. Reshape your data "
            r"either using array\.reshape\(-1, 1\) if your data has a single feature or "
            r"array\.reshape\(1, -1\) if it contains a single sample\."
        )
        with pytest.raises(ValueError, match=words):
            as_table(x)

    def test_a_series_gets_a_hint_of_its_own(self) -> None:
        with pytest.raises(ValueError, match=r"Reshape your data.* X\.to_frame\(\)"):
            as_table(pd.Series([1.0, 2.0]))

    def test_scalar(self) -> None:
        with pytest.raises(ValueError, match=r"Expected 2D array, got scalar array instead, 3\.0"):
            as_table(3.0)

    def test_three_axes(self) -> None:
        words = r"Y: Found array with dim 3 \(shape=\(2, 2, 2\)\), while dim <= 2 is required"
        with pytest.raises(ValueError, match=words):
            as_table(np.zeros((2, 2, 2)), name="Y")

    def test_no_rows(self) -> None:
        words = "Found array with 0 sample(s) (shape=(0, 2)) while a minimum of 1 is required."
        with pytest.raises(ValueError, match=re.escape(words)):
            as_table(np.zeros((0, 2)))

    def test_no_columns(self) -> None:
        words = "0 feature(s) (shape=(3, 0)) while a minimum of 1 is required."
        with pytest.raises(ValueError, match=re.escape(words)):
            as_table(np.zeros((3, 0)))

    def test_one_row_is_enough_unless_more_are_asked_for(self) -> None:
        assert as_table(TABLE[:1]).shape == (1, 2)
        words = r"1 sample\(s\) \(shape=\(1, 2\)\) while a minimum of 2 is required"
        with pytest.raises(ValueError, match=words):
            as_table(TABLE[:1], min_rows=2)

    def test_no_rows_on_request(self) -> None:
        assert as_table(np.zeros((0, 2)), min_rows=0).shape == (0, 2)

    def test_wrong_number_of_columns_in_the_words_of_scikit_learn(self) -> None:
        words = "X has 3 features, but GaussianMixture is expecting 2 features as input."
        with pytest.raises(ValueError, match=re.escape(words)):
            as_table(np.zeros((2, 3)), n_features=2, owner="GaussianMixture")
        assert as_table(TABLE, n_features=2).shape == (3, 2)

    @pytest.mark.parametrize(
        "x", [[[1.0, 2.0], [3.0]], [[1, 2], [3]], ([1, 2, 3], (4, 5)), [np.ones(2), np.ones(3)]]
    )
    def test_ragged(self, x: Any) -> None:
        with pytest.raises(ValueError, match="X is ragged: its rows must all have the same length"):
            as_table(x)

    def test_ragged_names_the_rows(self) -> None:
        with pytest.raises(ValueError, match="row 0 has length 2 and row 2 has length 1"):
            as_table([[1.0, 2.0], [3.0, 4.0], [5.0]])

    def test_a_number_among_rows(self) -> None:
        with pytest.raises(ValueError, match="row 0 has length 2 and row 1 has no length"):
            as_table([[1.0, 2.0], 3.0])

    def test_arrays_of_unequal_trailing_shape(self) -> None:
        with pytest.raises(ValueError, match="X is ragged"):
            as_table([np.zeros((2, 2)), np.zeros((2, 3))])

    def test_an_array_of_rows_is_told_to_stack(self) -> None:
        rows = np.empty(2, dtype=object)
        rows[:] = [np.ones(2), np.ones(2)]
        with pytest.raises(ValueError, match=r"pass numpy\.stack\(X\)"):
            as_table(rows)

    def test_a_list_that_holds_itself(self) -> None:
        x: list[Any] = []
        x.append(x)
        with pytest.raises(ValueError, match="X is ragged"):
            as_table(x)


class TestAnyAxes:
    @pytest.mark.parametrize("shape", [(4,), (3, 4), (2, 3, 4)])
    def test_the_last_axis_is_the_columns(self, shape: tuple[int, ...]) -> None:
        assert as_table(np.ones(shape), ensure_2d=False, n_features=4).shape == shape

    def test_the_others_are_rows(self) -> None:
        with pytest.raises(ValueError, match=r"Found array with 0 sample\(s\)"):
            as_table(np.ones((2, 0, 4)), ensure_2d=False)
        with pytest.raises(ValueError, match=r"Found array with 6 sample\(s\)"):
            as_table(np.ones((2, 3, 4)), ensure_2d=False, min_rows=7)

    def test_scalar(self) -> None:
        with pytest.raises(ValueError, match="at least one axis, got a scalar"):
            as_table(1.0, ensure_2d=False)

    def test_place_of_an_entry(self) -> None:
        x = np.ones((2, 3, 4))
        x[1, 2, 3] = np.nan
        with pytest.raises(ValueError, match=r"first at index \(1, 2, 3\)"):
            as_table(x, ensure_2d=False)
        with pytest.raises(ValueError, match="first at entry 1"):
            as_table([1.0, np.nan], ensure_2d=False)

    def test_empty_column(self) -> None:
        x = np.ones((2, 3, 2))
        x[..., 1] = np.nan
        with pytest.raises(ValueError, match="no value at all, in column 1"):
            as_table(x, ensure_2d=False, missing=True)


class TestNotFinite:
    def test_nan_is_counted_and_placed(self) -> None:
        x = with_entry(np.nan)
        x[2, 0] = np.nan
        words = (
            r"Input X contains NaN: 2 of 6 entries are missing .* the first at row 1, column 1\."
        )
        with pytest.raises(ValueError, match=words):
            as_table(x)

    @pytest.mark.parametrize("value", [np.inf, -np.inf])
    @pytest.mark.parametrize("missing", [False, True])
    def test_infinity_is_counted_and_placed(self, value: float, missing: bool) -> None:
        words = (
            "Input weights contains infinity or a value too large for float64: 1 of 6 entries, "
            f"the first at row 1, column 1, which is {value}."
        )
        with pytest.raises(ValueError, match=re.escape(words)):
            as_table(with_entry(value), name="weights", missing=missing)

    def test_nan_and_infinity(self) -> None:
        x = with_entry(np.nan)
        x[0, 0] = np.inf
        with pytest.raises(ValueError, match=r"contains NaN: 1 of 6 .* and 1 more infinite"):
            as_table(x)
        with pytest.raises(ValueError, match=r"contains infinity.* 1 of 6 .* row 0, column 0"):
            as_table(x, missing=True)

    def test_column_names(self) -> None:
        with pytest.raises(ValueError, match=r"row 1, column 1 \('height'\)"):
            as_table(with_entry(np.nan), feature_names=["age", "height"])
        with pytest.raises(ValueError, match=r"row 1, column 1 \('height'\)"):
            as_table(pd.DataFrame(with_entry(np.nan), columns=["age", "height"]))

    def test_finite_values_whose_sum_is_not(self) -> None:
        x = np.full((2, 2), 1.7e308)
        assert as_table(x) is x

    @pytest.mark.parametrize("row", [0, 65_535, 65_536, 199_999])
    def test_everywhere_in_a_large_table(self, row: int) -> None:
        x = np.zeros((200_000, 3))
        x[row, 2] = np.nan
        with pytest.raises(ValueError, match=f"1 of 600000 .* row {row}, column 2"):
            as_table(x)
        assert as_table(x, missing=True) is x
        x[row, 2] = np.inf
        with pytest.raises(ValueError, match=f"row {row}, column 2, which is inf"):
            as_table(x, missing=True)

    def test_on_arrays_that_are_converted_already(self) -> None:
        check_finite(TABLE, "X")
        check_missing(TABLE, "X")
        check_missing(with_entry(np.nan), "X")
        with pytest.raises(ValueError, match="Input mean contains NaN"):
            check_finite(with_entry(np.nan), "mean")
        with pytest.raises(ValueError, match="Input mean contains infinity"):
            check_missing(with_entry(np.inf), "mean")


class TestMissing:
    def test_nan_stays(self) -> None:
        x = with_entry(np.nan)
        assert as_table(x, missing=True) is x

    def test_a_row_may_be_missing_altogether(self) -> None:
        x = TABLE.copy()
        x[1] = np.nan
        assert as_table(x, missing=True) is x

    def test_empty_column_is_refused_by_name(self) -> None:
        x = pd.DataFrame({"age": [1.0, 2.0], "height": [np.nan, np.nan]})
        words = r"contains NaN only, no value at all, in column 1 \('height'\)\. Drop such columns"
        with pytest.raises(ValueError, match=words):
            as_table(x, missing=True)

    def test_many_empty_columns(self) -> None:
        x = np.full((2, 9), np.nan)
        x[:, 0] = 1.0
        words = "in column 1, column 2, column 3, column 4, column 5 and 3 more"
        with pytest.raises(ValueError, match=words):
            as_table(x, missing=True)

    def test_empty_column_on_request(self) -> None:
        x = np.array([[1.0, np.nan]])
        assert as_table(x, missing=True, empty_columns=True) is x

    def test_column_filled_only_far_down(self) -> None:
        x = np.full((100_000, 2), np.nan)
        x[:, 0] = 1.0
        x[-1, 1] = 1.0
        assert as_table(x, missing=True) is x


def test_floating_point_traps_of_the_caller_change_nothing() -> None:
    x = np.array([[1e-320, 1.7e308], [np.nan, 1.7e308]])
    small = np.array([[1e-40]], np.float32)
    with np.errstate(all="raise"):
        assert as_table(x, missing=True) is x
        with pytest.raises(ValueError, match="contains NaN"):
            as_table(x)
        np.testing.assert_array_equal(as_table(small), small.astype(np.float64))
