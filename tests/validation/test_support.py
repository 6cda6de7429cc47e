"""Data off the support of a family."""

import re
import warnings
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from harmonium.errors import DataWarning
from harmonium.validation import (
    check_angles,
    check_binary,
    check_categories,
    check_counts,
    check_open_unit_interval,
    check_positive_data,
)

NAN = np.nan
NAMES = ["age", "spikes"]


def table(*rows: Any) -> Any:
    return np.array(rows, float)


class TestCounts:
    def test_good(self) -> None:
        check_counts(table([0, 1], [3.0, 1e18], [NAN, 1.7e308]))

    @pytest.mark.parametrize("value", [-1.0, 0.5, -0.5, 2**51 + 0.5])
    def test_negative_or_fractional(self, value: float) -> None:
        words = (
            "X: every entry must be a count, that is a whole number, zero or more, but row 1, "
            f"column 1 ('spikes') is {value}."
        )
        with pytest.raises(ValueError, match=re.escape(words)):
            check_counts(table([0, NAN], [3, value], [-7, 1]), feature_names=NAMES)

    def test_maximum(self) -> None:
        check_counts(table([0, 10], [NAN, 3]), "X", 10)
        with pytest.raises(ValueError, match="a count of at most 10, but row 0, column 1 is 11"):
            check_counts(table([0, 11]), "X", 10)

    def test_maximum_of_each_column(self) -> None:
        maximum = np.array([5, 20])
        check_counts(table([5, 20]), "X", maximum)
        with pytest.raises(ValueError, match="a count of at most 5, but row 1, column 0 is 6"):
            check_counts(table([5, 20], [6, 20]), "X", maximum)

    @pytest.mark.parametrize("row", [0, 32_767, 32_768, 99_999])
    def test_everywhere_in_a_large_table(self, row: int) -> None:
        x = np.full((100_000, 2), NAN)
        x[:, 0] = 3.0
        check_counts(x)
        x[row, 0] = 0.5
        with pytest.raises(ValueError, match=f"row {row}, column 0 is 0.5"):
            check_counts(x)

    @given(
        x=hnp.arrays(
            np.float64,
            hnp.array_shapes(min_dims=2, max_dims=2, max_side=5),
            elements=st.sampled_from([0.0, 1.0, 7.0, NAN, -1.0, 0.5]),
        )
    )
    def test_against_a_loop(self, x: Any) -> None:
        bad = [
            (row, column)
            for (row, column), value in np.ndenumerate(x)
            if not np.isnan(value) and (value < 0 or value != int(value))
        ]
        with np.errstate(all="raise"):
            if not bad:
                check_counts(x)
                return
            with pytest.raises(ValueError, match=f"row {bad[0][0]}, column {bad[0][1]} is"):
                check_counts(x)


class TestBinary:
    def test_good(self) -> None:
        check_binary(table([0, 1], [NAN, 1], [-0.0, 0]))

    def test_two_other_values_get_their_mapping(self) -> None:
        words = "X: every entry must be 0 or 1, but row 0, column 0 is -1.0. For 1.0 as 1 and -1.0"
        with pytest.raises(ValueError, match=rf"{re.escape(words)} as 0, pass X == 1\.0\."):
            check_binary(table([-1, 1], [NAN, 1]))
        with pytest.raises(ValueError, match=r"row 0, column 1 is 2\.0\. .* pass X == 2\.0\."):
            check_binary(table([1, 2], [1, 1]))

    def test_many_other_values_get_a_threshold(self) -> None:
        words = r"row 1, column 1 \('spikes'\) is 0\.5\. .* pass X > 0 or another threshold"
        with pytest.raises(ValueError, match=words):
            check_binary(table([0, 1], [1, 0.5]), feature_names=NAMES)


class TestCategories:
    def test_good(self) -> None:
        check_categories(table([0, 2], [NAN, 1]), 3)

    @pytest.mark.parametrize("value", [3, -1, 0.5, 1e300])
    def test_bad(self, value: float) -> None:
        words = (
            "X: every entry must be the index of a category, a whole number from 0 to 2, "
            f"but row 0, column 1 is {float(value)}."
        )
        with pytest.raises(ValueError, match=f"{re.escape(words)}$"):
            check_categories(table([0, value]), 3)

    def test_numbered_from_one(self) -> None:
        with pytest.raises(ValueError, match=r"from 0 to 2, .* numbered from 1, pass X - 1\."):
            check_categories(table([1, 3], [2, NAN]), 3)

    def test_a_number_for_each_column(self) -> None:
        check_categories(table([1, 4]), np.array([2, 5]))
        with pytest.raises(ValueError, match="from 0 to 1, but row 0, column 0 is 2"):
            check_categories(table([2, 4]), np.array([2, 5]))


class TestAngles:
    @pytest.mark.parametrize(
        "x",
        [
            table([0.0, -3.1], [7.5, 1e15]),
            table([1, 2], [3, 4]),
            table([NAN, 18], [1, -18]),
            table([90.5], [180]),
        ],
    )
    def test_good(self, x: Any) -> None:
        check_angles(x)

    @pytest.mark.parametrize("value", [1.1e15, -1e300])
    def test_too_large_to_tell(self, value: float) -> None:
        words = r"radians of at most 1e\+15 in absolute value, .* but row 0, column 1 is"
        with pytest.raises(ValueError, match=words):
            check_angles(table([0.5, value]))

    @pytest.mark.parametrize("value", [19, -90, 360])
    def test_suspected_degrees(self, value: float) -> None:
        words = (
            r"X has suspected degrees in column 1 \('spikes'\): whole numbers only, some beyond "
            r"6π\. .* pass numpy\.deg2rad\(X\)"
        )
        with pytest.warns(DataWarning, match=words):
            check_angles(table([0.5, 0], [1, value], [2, NAN]), feature_names=NAMES)

    def test_suspicion_in_many_columns(self) -> None:
        words = "in column 0, column 1, column 2, column 3, column 4 and 2 more"
        with pytest.warns(DataWarning, match=words):
            check_angles(np.full((2, 7), 90.0))

    def test_a_fraction_far_down_clears_a_column(self) -> None:
        x = np.full((200_000, 1), 90.0)
        x[-1] = 0.5
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            check_angles(x)


class TestPositive:
    def test_good(self) -> None:
        check_positive_data(table([5e-324, 1e308], [NAN, 1]))
        check_positive_data(table([0, 1]), allow_zero=True)

    @pytest.mark.parametrize("value", [0.0, -1.0])
    def test_bad(self, value: float) -> None:
        words = f"Y: every entry must be positive, but row 0, column 1 ('spikes') is {value}."
        with pytest.raises(ValueError, match=re.escape(words)):
            check_positive_data(table([1, value]), "Y", feature_names=NAMES)

    def test_negative_where_zero_is_allowed(self) -> None:
        with pytest.raises(ValueError, match="must be zero or positive, but row 1, column 0 is -1"):
            check_positive_data(table([0], [-1]), allow_zero=True)


class TestUnitInterval:
    def test_good(self) -> None:
        check_open_unit_interval(table([5e-324, np.nextafter(1, 0)], [NAN, 0.5]))

    @pytest.mark.parametrize("value", [0.0, 1.0, -0.5, 2.0])
    def test_bad(self, value: float) -> None:
        words = f"every entry must be strictly between 0 and 1, but row 0, column 1 is {value}."
        with pytest.raises(ValueError, match=re.escape(words)):
            check_open_unit_interval(table([0.5, value]))


def test_tables_are_left_alone() -> None:
    x = table([0, 1], [1, NAN])
    x.flags.writeable = False
    check_counts(x)
    check_binary(x)
    check_categories(x, 2)
    check_angles(x)
