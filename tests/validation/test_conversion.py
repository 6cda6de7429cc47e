"""Data types, objects, masked arrays, lists and protocols on their way to float64."""

import array
import datetime as dt
from collections import deque
from contextlib import AbstractContextManager, nullcontext
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from harmonium.errors import DataWarning
from harmonium.validation import as_floats, as_table

TABLE = np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])

INTEGERS = [f"{sign}{size}" for sign in "iu" for size in (1, 2, 4, 8)]


def objects(rows: Any) -> Any:
    return np.array(rows, dtype=object)


def masked(values: Any, mask: Any = False, dtype: Any = None) -> Any:
    return np.ma.array(values, mask=np.asarray(mask, bool), dtype=dtype)


class TestDataTypes:
    @pytest.mark.parametrize("order", "<>")
    @pytest.mark.parametrize("dtype", ["f2", "f4", "f8", *INTEGERS])
    def test_every_numerical_type_in_both_byte_orders(self, dtype: str, order: str) -> None:
        result = as_table(TABLE.astype(order + dtype))
        assert result.dtype == np.float64
        assert result.dtype.isnative
        assert result.flags.c_contiguous
        np.testing.assert_array_equal(result, TABLE)

    @pytest.mark.parametrize("dtype", INTEGERS)
    def test_extreme_integers(self, dtype: str) -> None:
        limits = np.iinfo(dtype)
        x = np.array([[limits.min, limits.max]], dtype)
        if limits.bits < 64:
            np.testing.assert_array_equal(as_table(x), x)
        else:
            with pytest.raises(ValueError, match=r"integers of at most 2\*\*53"):
                as_table(x)

    def test_booleans(self) -> None:
        np.testing.assert_array_equal(as_table([[True, False]]), [[1.0, 0.0]])
        np.testing.assert_array_equal(as_table(np.array([[True, False]])), [[1.0, 0.0]])

    def test_single_precision_is_exact(self) -> None:
        x = np.array([[0.1, 1e-45, 3e38]], np.float32)
        np.testing.assert_array_equal(as_table(x), x.astype(np.float64))

    @pytest.mark.parametrize("container", [np.array, objects, list])
    def test_long_double_is_rounded_with_a_warning(self, container: Any) -> None:
        expected: AbstractContextManager[Any] = nullcontext()
        if np.dtype(np.longdouble).itemsize > 8:
            expected = pytest.warns(DataWarning, match="X holds extended-precision floats")
        with expected:
            result = as_table(container([[np.longdouble(1) / 3, np.longdouble(2)]]))
        np.testing.assert_array_equal(result, [[1 / 3, 2.0]])

    @pytest.mark.filterwarnings("ignore::harmonium.errors.DataWarning")
    def test_long_double_beyond_float64(self) -> None:
        x = np.array([[1, 2]], np.longdouble) * np.longdouble("1e400")
        with (
            np.errstate(all="raise"),
            pytest.raises(ValueError, match="infinity or a value too large for float64: 2 of 2"),
        ):
            as_table(x)

    @pytest.mark.parametrize("sign", [1, -1])
    def test_integers_up_to_two_to_the_53(self, sign: int) -> None:
        exact = [[sign * 2**53, 1]]
        for x in (exact, np.array(exact), objects(exact), [[sign * 2**53, 0.5]]):
            assert as_table(x)[0, 0] == sign * 2.0**53

    @pytest.mark.parametrize("value", [2**53 + 1, -(2**53) - 1, 2**63, 10**30])
    def test_larger_integers_are_refused_with_their_place(self, value: int) -> None:
        words = rf"2\*\*53, which float64 represents exactly, but row 0, column 1 is {value}\."
        for x in ([[1, value]], [[0.5, value]], [[True, value]], objects([[1, value]])):
            with pytest.raises(ValueError, match=words):
                as_table(x)

    def test_unsigned_integers_with_negative_ones(self) -> None:
        with pytest.raises(ValueError, match=r"row 0, column 0 is 9223372036854775808"):
            as_table([[2**63, -1]])

    def test_an_integer_too_long_to_print(self) -> None:
        with pytest.raises(ValueError, match="column 0 is an integer of 33220 bits"):
            as_table([[10**10_000]])

    @pytest.mark.parametrize(
        "x", [np.zeros((2, 2), complex), [[1j, 2.0]], objects([[1j, 2.0]]), [[np.complex64(1)]]]
    )
    def test_complex(self, x: Any) -> None:
        words = "Complex data not supported: X must hold real numbers, but row 0, column 0 is"
        with pytest.raises(ValueError, match=words):
            as_table(x)

    @pytest.mark.parametrize(
        "x",
        [
            [["a", "b"]],
            [["1.5", 2.0]],
            objects([["1.5", 2.0]]),
            np.array([["1.5", "2"]]),
            np.array([[b"1.5"]]),
            np.array([["1.5"]], dtype=np.dtypes.StringDType()),
            [[b"1.5", 2]],
        ],
    )
    def test_text_is_never_read_as_numbers(self, x: Any) -> None:
        words = r"X must hold numbers, but row 0, column 0 is the text b?'(a|1\.5)'\."
        with pytest.raises(TypeError, match=words):
            as_table(x)

    def test_long_text_is_cut(self) -> None:
        with pytest.raises(TypeError) as caught:
            as_table([["a" * 10_000]])
        assert len(str(caught.value)) < 300

    @pytest.mark.parametrize("x", ["text", b"bytes", np.str_("text")])
    def test_bare_text(self, x: Any) -> None:
        with pytest.raises(TypeError, match="the value is the text"):
            as_table(x)

    def test_empty_text(self) -> None:
        with pytest.raises(TypeError, match="its data type is the text '<U3'"):
            as_table(np.empty((0, 2), "U3"))

    @pytest.mark.parametrize(
        "x",
        [
            np.zeros((2, 2), "M8[s]"),
            np.zeros((2, 2), "m8[s]"),
            [[dt.datetime(2020, 1, 1), 1.0]],
            [[dt.date(2020, 1, 1)]],
            [[dt.timedelta(1)]],
            [[dt.time(12)]],
            [[np.datetime64("2020-01-01"), 2.0]],
            [[pd.Timestamp("2020-01-01")]],
            [[pd.NaT, 1.0]],
        ],
    )
    def test_dates_times_and_durations(self, x: Any) -> None:
        words = "X must hold numbers, but row 0, column 0 is the date, time or duration"
        with pytest.raises(TypeError, match=words):
            as_table(x)

    def test_structured(self) -> None:
        with pytest.raises(TypeError, match="structured_to_unstructured"):
            as_table(np.zeros((2, 2), "f8,f8"))


class TestObjects:
    def test_numbers_of_every_kind(self) -> None:
        x = objects([[1, 2.5, True], [Decimal("0.1"), Fraction(1, 4), np.float32(3)]])
        np.testing.assert_array_equal(as_table(x), [[1, 2.5, 1], [0.1, 0.25, 3]])
        y = objects([[np.int8(1), np.uint64(2), np.bool_(True)]])
        np.testing.assert_array_equal(as_table(y), [[1, 2, 1]])

    def test_any_memory_order(self) -> None:
        x = objects([[1, 2.5], [3, 4]])
        np.testing.assert_array_equal(as_table(np.asfortranarray(x)), x.astype(float))
        np.testing.assert_array_equal(as_table(x[::-1]), x[::-1].astype(float))

    def test_an_object_that_is_no_number_in_the_words_scikit_learn_looks_for(self) -> None:
        x = objects(TABLE)
        x[1, 0] = {"foo": "bar"}
        with pytest.raises(TypeError, match=r"argument must be .* string.* number") as caught:
            as_table(x)
        assert "row 1, column 0 is {'foo': 'bar'} of type dict" in str(caught.value)

    @pytest.mark.parametrize("x", [[[1.0, None]], objects([[1.0, None]])])
    def test_none(self, x: Any) -> None:
        words = (
            r"X must hold numbers, but row 0, column 1 is None\. "
            r"Write float\('nan'\) for a missing value"
        )
        with pytest.raises(TypeError, match=words):
            as_table(x, missing=True)

    def test_none_itself(self) -> None:
        with pytest.raises(TypeError, match="X must be an array of numbers, but it is None"):
            as_table(None)

    @pytest.mark.parametrize("x", [{}, {1, 2}, (i for i in range(3)), object(), len])
    def test_what_is_no_array(self, x: Any) -> None:
        with pytest.raises(TypeError, match="X must be an array of numbers, but it is of type"):
            as_table(x)

    def test_numbers_whose_conversion_fails(self) -> None:
        with pytest.raises(ValueError, match=r"row 0, column 1, Decimal\('sNaN'\), is none that"):
            as_table([[1.0, Decimal("sNaN")]])
        with pytest.raises(ValueError, match=r"row 0, column 0, Fraction.*too large"):
            as_table([[Fraction(10**400, 3)]])

    def test_a_type_that_only_looks_like_a_number(self) -> None:
        class Odd:
            def __float__(self) -> float:
                raise TypeError("no value yet")

        with pytest.raises(TypeError, match=r"row 0, column 0, .* is none that .* no value yet"):
            as_table([[Odd()]])

    def test_an_error_that_comes_once_only(self) -> None:
        class Fickle:
            calls = 0

            def __float__(self) -> float:
                self.calls += 1
                if self.calls == 1:
                    raise ValueError("not yet")
                return 1.0

        with pytest.raises(ValueError, match="not yet"):
            as_table([[Fickle()]])

    def test_records_among_objects(self) -> None:
        record = np.zeros(1, "f8,f8")[0]
        with pytest.raises(TypeError, match=r"row 0, column 1 is .* of type void"):
            as_table([[1.0, record]])

    def test_an_exact_number_beyond_float64(self) -> None:
        with pytest.raises(ValueError, match="contains infinity or a value too large for float64"):
            as_table([[Decimal("1e400")]])


class TestMasked:
    @pytest.mark.parametrize("dtype", ["f8", "f4", ">f8", "i8", "u1", "?", "O"])
    def test_masked_entries_are_missing(self, dtype: str) -> None:
        x = masked([[1, 0], [0, 1]], mask=[[0, 1], [0, 0]], dtype=dtype)
        np.testing.assert_array_equal(as_table(x, missing=True), [[1, np.nan], [0, 1]])
        with pytest.raises(ValueError, match=r"contains NaN: 1 of 4 .* row 0, column 1"):
            as_table(x)

    def test_what_lies_under_the_mask_is_not_seen(self) -> None:
        for hidden in (np.inf, 2**60, "text", None):
            x = masked(objects([[1, hidden], [2, 3]]), mask=[[0, 1], [0, 0]])
            np.testing.assert_array_equal(as_table(x, missing=True), [[1, np.nan], [2, 3]])
        x = masked([[1, 2**60]], mask=[[0, 1]])
        with pytest.raises(ValueError, match="no value at all, in column 1"):
            as_table(x, missing=True)

    def test_the_input_is_left_alone(self) -> None:
        x = masked(TABLE.copy(), mask=np.eye(3, 2))
        before = x.copy()
        as_table(x, missing=True)
        np.testing.assert_array_equal(x.data, before.data)
        np.testing.assert_array_equal(x.mask, before.mask)

    def test_nothing_masked(self) -> None:
        np.testing.assert_array_equal(as_table(masked(TABLE)), TABLE)

    def test_masked_dates_and_text_are_refused(self) -> None:
        with pytest.raises(TypeError, match="text"):
            as_table(masked([["a", "b"]], mask=[[0, 1]]))

    @pytest.mark.parametrize(
        "x",
        [
            [[1, np.ma.masked], [3, 4]],
            [masked([1, 2], mask=[0, 1]), [3, 4]],
            [masked([1.0, np.inf], mask=[0, 1]), masked([3, 4])],
            objects([[1, np.ma.masked], [3, 4]]),
        ],
    )
    def test_masks_inside_lists_are_not_dropped(self, x: Any) -> None:
        np.testing.assert_array_equal(as_table(x, missing=True), [[1, np.nan], [3, 4]])


class TestSequences:
    @pytest.mark.parametrize(
        "x",
        [
            [[1, 2], [3, 4]],
            ((1.0, 2.0), [3.0, 4.0]),
            [np.array([1, 2]), np.array([3.0, 4.0])],
            [range(1, 3), range(3, 5)],
            [pd.Series([1, 2]), pd.Series([3, 4])],
            deque([[1, 2], [3, 4]]),
            [[Decimal(1), 2], [np.int8(3), 4.0]],
        ],
    )
    def test_nested_sequences(self, x: Any) -> None:
        np.testing.assert_array_equal(as_table(x), [[1.0, 2.0], [3.0, 4.0]])

    def test_pandas_na_in_a_list(self) -> None:
        x = [[1, pd.NA], [3, 4]]
        np.testing.assert_array_equal(as_table(x, missing=True), [[1, np.nan], [3, 4]])


SPARSE = [f"{kind}_{form}" for kind in ("csr", "csc", "coo", "lil") for form in ("matrix", "array")]


@pytest.mark.parametrize("kind", SPARSE)
def test_sparse_is_refused_with_the_remedy(kind: str) -> None:
    words = rf"X is a sparse {kind}, but sparse input is not supported.* Pass X\.toarray\(\)\."
    with pytest.raises(TypeError, match=words):
        as_table(getattr(sparse, kind)(np.eye(3)))


class OnlyArray:
    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        return np.array(TABLE, dtype)


class OnlyInterface:
    __array_interface__ = TABLE.__array_interface__


class OnlyDlpack:
    """A tensor of another library: its only way out is dlpack."""

    def __init__(self, values: Any, device: int = 1) -> None:
        self.values = values
        self.device = device

    def __dlpack__(self, **options: Any) -> Any:
        return self.values.__dlpack__(**options)

    def __dlpack_device__(self) -> tuple[int, int]:
        return self.device, 0


class Unreadable:
    def __init__(self, error: Exception) -> None:
        self.error = error

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        raise self.error


class TestProtocols:
    @pytest.mark.parametrize(
        "x", [OnlyArray(), OnlyInterface(), OnlyDlpack(TABLE.copy()), TABLE.data]
    )
    def test_ways_in(self, x: Any) -> None:
        np.testing.assert_array_equal(as_table(x), TABLE)

    def test_dlpack_of_another_type_and_layout(self) -> None:
        x = np.asfortranarray(TABLE.astype(np.float32))
        np.testing.assert_array_equal(as_table(OnlyDlpack(x)), TABLE)

    def test_dlpack_of_another_device(self) -> None:
        words = "OnlyDlpack cannot be read .* memory of another device; pass a copy of X on the CPU"
        with pytest.raises(TypeError, match=words):
            as_table(OnlyDlpack(TABLE, device=2))

    def test_buffers(self) -> None:
        np.testing.assert_array_equal(as_floats(array.array("i", [1, 2]), name="x"), [1.0, 2.0])
        np.testing.assert_array_equal(as_floats(bytearray(b"\x01\x02"), name="x"), [1.0, 2.0])

    def test_the_reason_of_an_unreadable_object_is_kept(self) -> None:
        words = r"X of type Unreadable cannot be read as an array of numbers: call detach\(\)"
        with pytest.raises(TypeError, match=words) as caught:
            as_table(Unreadable(RuntimeError("call detach()")))
        assert isinstance(caught.value.__cause__, RuntimeError)

    def test_lack_of_memory_is_not_disguised(self) -> None:
        with pytest.raises(MemoryError):
            as_table(Unreadable(MemoryError()))


class TestIdentity:
    def test_what_is_ready_is_not_copied(self) -> None:
        assert as_table(TABLE) is TABLE

    def test_read_only(self) -> None:
        x = TABLE.copy()
        x.flags.writeable = False
        assert as_table(x) is x

    def test_memory_map(self, tmp_path: Path) -> None:
        file = tmp_path / "table.npy"
        np.save(file, TABLE)
        mapped = np.load(file, mmap_mode="r")
        result = as_table(mapped)
        assert type(result) is np.ndarray
        assert np.shares_memory(result, mapped)
        np.testing.assert_array_equal(result, TABLE)

    def test_subclasses_become_plain_arrays(self) -> None:
        class Special(np.ndarray[Any, Any]):
            pass

        assert type(as_table(TABLE.view(Special))) is np.ndarray

    @pytest.mark.parametrize(
        "x",
        [
            TABLE.astype(np.float32),
            TABLE.astype(">f8"),
            np.asfortranarray(TABLE),
            TABLE[::2],
            TABLE[:, ::-1],
            np.broadcast_to(TABLE[:1], (3, 2)),
        ],
    )
    def test_all_else_is_copied(self, x: Any) -> None:
        result = as_table(x)
        assert not np.shares_memory(result, x)
        assert result.flags.c_contiguous
        np.testing.assert_array_equal(result, x)
