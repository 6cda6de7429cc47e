"""Frames of pandas, polars and the interchange protocol."""

import datetime as dt
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from numpy.typing import NDArray

from harmonium.validation import as_table, as_vector, feature_names_of

NAN = float("nan")


class TestPandas:
    def test_one_type_for_all_columns(self) -> None:
        frame = pd.DataFrame({"a": [1.0, 2.0], "b": [3.0, 4.0]})
        np.testing.assert_array_equal(as_table(frame), [[1, 3], [2, 4]])

    def test_a_type_for_each_column(self) -> None:
        frame = pd.DataFrame(
            {"a": [1, 2], "b": [True, False], "c": np.array([0.5, 1.5], np.float32)}
        )
        np.testing.assert_array_equal(as_table(frame), [[1, 1, 0.5], [2, 0, 1.5]])

    def test_columns_of_the_same_name(self) -> None:
        frame = pd.DataFrame([[1, 2.5], [3, 4.5]], columns=["a", "a"])
        np.testing.assert_array_equal(as_table(frame), [[1, 2.5], [3, 4.5]])

    @pytest.mark.parametrize("dtype", ["Int64", "UInt8", "Float64", "Float32", "boolean"])
    def test_na_is_missing(self, dtype: str) -> None:
        frame = pd.DataFrame({"a": pd.array([1, None], dtype=dtype), "b": [1, 2]})
        np.testing.assert_array_equal(as_table(frame, missing=True), [[1, 1], [NAN, 2]])
        with pytest.raises(ValueError, match=r"contains NaN: 1 of 4 .* row 1, column 0 \('a'\)"):
            as_table(frame)

    @pytest.mark.parametrize("missing", [None, pd.NA, NAN])
    def test_missing_objects(self, missing: Any) -> None:
        frame = pd.DataFrame({"a": [1, missing], "b": [1, 2]}, dtype=object)
        np.testing.assert_array_equal(as_table(frame, missing=True), [[1, 1], [NAN, 2]])

    def test_sparse_and_categorical_columns_of_numbers(self) -> None:
        frame = pd.DataFrame({"a": pd.arrays.SparseArray([0.0, 1.0]), "b": pd.Categorical([7, 5])})
        np.testing.assert_array_equal(as_table(frame), [[0, 7], [1, 5]])

    @pytest.mark.parametrize("dtype", ["int64", "Int64", "object"])
    def test_large_integers_stay_exact_or_are_refused(self, dtype: str) -> None:
        exact = pd.DataFrame({"a": [2**53 - 1], "b": [0.5]}).astype({"a": dtype})
        assert as_table(exact)[0, 0] == 2**53 - 1
        large = pd.DataFrame({"a": [0.5, 0.5], "b": [1, 2**53 + 1]}).astype({"b": dtype})
        words = r"row 1, column 1 \('b'\) is 9007199254740993"
        with pytest.raises(ValueError, match=words):
            as_table(large)

    @pytest.mark.parametrize(
        ("values", "words"),
        [
            (["Rome", "Oslo"], "the text 'Rome'"),
            (pd.Categorical(["u", "v"]), "the text 'u'"),
            (pd.to_datetime(["2020-01-01", "2020-01-02"]), "the date, time or duration 2020"),
            (pd.to_timedelta([1, 2], unit="s"), "the date, time or duration"),
            (pd.period_range("2020", periods=2, freq="D"), r"Period\(.* of type Period"),
            ([[1], [2, 3]], "a sequence"),
        ],
    )
    def test_other_columns_are_refused_by_name(self, values: Any, words: str) -> None:
        frame = pd.DataFrame({"a": [1.0, 2.0], "city": values})
        with pytest.raises(TypeError, match=rf"row 0, column 1 \('city'\) is {words}"):
            as_table(frame)

    def test_complex(self) -> None:
        with pytest.raises(ValueError, match=r"Complex data not supported.*column 0 \('a'\)"):
            as_table(pd.DataFrame({"a": [1j], "b": [1.0]}))

    def test_empty(self) -> None:
        with pytest.raises(ValueError, match=r"0 sample\(s\) \(shape=\(0, 0\)\)"):
            as_table(pd.DataFrame())
        with pytest.raises(ValueError, match=r"0 feature\(s\) \(shape=\(2, 0\)\)"):
            as_table(pd.DataFrame(index=[0, 1]))

    @pytest.mark.parametrize("columns", [["a"], ["a", "b"]])
    def test_never_shares_memory(self, columns: list[str]) -> None:
        frame = pd.DataFrame(np.ones((3, len(columns))), columns=columns)
        result = as_table(frame)
        result[...] = 2.0
        assert (frame.to_numpy() == 1.0).all()

    def test_series(self) -> None:
        series = pd.Series([1, 2], dtype="Int64")
        np.testing.assert_array_equal(as_vector(series, name="w"), [1, 2])
        with pytest.raises(ValueError, match=r"Input w contains NaN: 1 of 2 .* entry 1"):
            as_vector(pd.Series([1, None], dtype="Int64"), name="w")


class TestPolars:
    def test_types(self) -> None:
        frame = pl.DataFrame(
            {"a": [1, 2], "b": [True, False], "c": [0.5, 1.5], "d": [Decimal("1.5"), Decimal(2)]}
        )
        np.testing.assert_array_equal(as_table(frame), [[1, 1, 0.5, 1.5], [2, 0, 1.5, 2]])

    @pytest.mark.parametrize("value", [1, True, 0.5, Decimal("0.5")])
    def test_null_is_missing(self, value: Any) -> None:
        frame = pl.DataFrame({"a": [value, None], "b": [1, 2]})
        np.testing.assert_array_equal(as_table(frame, missing=True), [[float(value), 1], [NAN, 2]])
        with pytest.raises(ValueError, match=r"contains NaN: 1 of 4 .* row 1, column 0 \('a'\)"):
            as_table(frame)

    def test_a_column_of_nulls(self) -> None:
        with pytest.raises(ValueError, match=r"no value at all, in column 0 \('a'\)"):
            as_table(pl.DataFrame({"a": [None, None], "b": [1, 2]}), missing=True)

    @pytest.mark.parametrize("other", [1, None])
    def test_large_integers_stay_exact_or_are_refused(self, other: int | None) -> None:
        exact = pl.DataFrame({"a": [2**53 - 1, other]})
        assert as_table(exact, missing=True)[0, 0] == 2**53 - 1
        with pytest.raises(ValueError, match=r"row 0, column 0 \('a'\) is 9007199254740993"):
            as_table(pl.DataFrame({"a": [2**53 + 1, other]}), missing=True)

    @pytest.mark.parametrize(
        ("values", "words"),
        [
            (["Rome", "Oslo"], "the text 'Rome'"),
            ([dt.date(2020, 1, 1), dt.date(2020, 1, 2)], "the date, time or duration 2020-01-01"),
            ([[1, 2], [3]], "a sequence"),
            ([{"u": 1}, {"u": 2}], "an array"),
            (pl.Series([[1, 2], [3, 4]], dtype=pl.Array(pl.Int64, 2)), "an array"),
        ],
    )
    def test_other_columns_are_refused_by_name(self, values: Any, words: str) -> None:
        frame = pl.DataFrame({"a": [1.0, 2.0], "city": values})
        with pytest.raises(TypeError, match=rf"row 0, column 1 \('city'\) is {words}"):
            as_table(frame)

    def test_lazy(self) -> None:
        with pytest.raises(TypeError, match=r"X is a polars LazyFrame: pass X\.collect\(\)"):
            as_table(pl.DataFrame({"a": [1]}).lazy())

    def test_series(self) -> None:
        np.testing.assert_array_equal(as_vector(pl.Series([1, 2]), name="w"), [1, 2])
        with pytest.raises(ValueError, match=r"Input w contains NaN: 1 of 2 .* entry 1"):
            as_vector(pl.Series([1, None]), name="w")


class Buffer:
    def __init__(self, values: NDArray[Any], device: int = 1) -> None:
        self.values = np.ascontiguousarray(values)
        self.ptr = self.values.ctypes.data
        self.bufsize = self.values.nbytes
        self.device = device

    def __dlpack_device__(self) -> tuple[int, None]:
        return self.device, None


KINDS = {"i": 0, "u": 1, "f": 2, "b": 20}


class Column:
    """A column as the protocol describes it, of one or two chunks."""

    def __init__(
        self,
        values: Any,
        null: tuple[int, Any] = (0, None),
        validity: Any = None,
        *,
        offset: int = 0,
        kind: int | None = None,
        bits: int | None = None,
        size: int | None = None,
        device: int = 1,
        n_chunks: int = 1,
    ) -> None:
        data = np.asarray(values)
        byte_order = ">" if data.dtype.byteorder == ">" else "="
        kind = KINDS[data.dtype.kind] if kind is None else kind
        self.dtype = (kind, bits or 8 * data.itemsize, "", byte_order)
        self.describe_null = null
        self.offset = offset
        self.length = len(data) - offset if size is None else size
        self.data = Buffer(data, device)
        self.validity = validity
        self.n_chunks = n_chunks

    def size(self) -> int:
        return self.length

    def get_chunks(self) -> list["Column"]:
        return [self] * self.n_chunks

    def get_buffers(self) -> dict[str, Any]:
        return {"data": (self.data, self.dtype), "validity": self.validity, "offsets": None}


class Frame:
    def __init__(self, **columns: Column) -> None:
        self.columns_by_name = columns

    def __dataframe__(self, **options: Any) -> "Frame":
        return self

    def num_rows(self) -> int:
        return next(c.size() * c.n_chunks for c in self.columns_by_name.values())

    def num_columns(self) -> int:
        return len(self.columns_by_name)

    def column_names(self) -> list[str]:
        return list(self.columns_by_name)

    def get_column(self, place: int) -> Column:
        return list(self.columns_by_name.values())[place]


def bit_mask(*flags: int) -> tuple[Buffer, tuple[int, int, str, str]]:
    packed = np.packbits(np.array(flags, np.uint8), bitorder="little")
    return Buffer(packed), (20, 1, "b", "=")


def byte_mask(*flags: int) -> tuple[Buffer, tuple[int, int, str, str]]:
    return Buffer(np.array(flags, np.uint8)), (20, 8, "b", "=")


class TestInterchange:
    def test_types(self) -> None:
        frame = Frame(
            a=Column(np.array([1, 2], np.int16)),
            b=Column(np.array([3, 4], np.uint64)),
            c=Column(np.array([0.5, 1.5], ">f4")),
            d=Column(np.array([True, False])),
        )
        np.testing.assert_array_equal(as_table(frame), [[1, 3, 0.5, 1], [2, 4, 1.5, 0]])
        assert feature_names_of(frame) == ("a", "b", "c", "d")

    def test_packed_booleans(self) -> None:
        packed = np.array([0b01101], np.uint8)
        column = Column(packed, kind=20, bits=1, size=3, offset=1)
        np.testing.assert_array_equal(as_table(Frame(a=column))[:, 0], [0, 1, 1])

    @pytest.mark.parametrize(
        ("null", "validity"),
        [
            ((1, None), None),
            ((2, 7), None),
            ((3, 0), bit_mask(1, 1, 0, 1)),
            ((3, 1), bit_mask(0, 0, 1, 0)),
            ((4, 0), byte_mask(1, 1, 0, 1)),
            ((4, 1), byte_mask(0, 0, 1, 0)),
        ],
    )
    def test_nulls(self, null: tuple[int, Any], validity: Any) -> None:
        value = NAN if null[0] == 1 else 7
        column = Column([9, 5, value, 6], null, validity, offset=1)
        result = as_table(Frame(a=column), missing=True)
        np.testing.assert_array_equal(result, [[5], [NAN], [6]])

    def test_nulls_without_a_mask(self) -> None:
        np.testing.assert_array_equal(as_table(Frame(a=Column([1, 2], (3, 0), None))), [[1], [2]])

    def test_chunks(self) -> None:
        column = Column([1, 2], (3, 0), bit_mask(1, 0), n_chunks=2)
        result = as_table(Frame(a=column), missing=True)
        np.testing.assert_array_equal(result, [[1], [NAN], [1], [NAN]])

    @pytest.mark.parametrize("n_chunks", [0, 1])
    def test_no_rows(self, n_chunks: int) -> None:
        frame = Frame(a=Column(np.empty(0), n_chunks=n_chunks))
        with pytest.raises(ValueError, match=r"0 sample\(s\) \(shape=\(0, 1\)\)"):
            as_table(frame)

    @pytest.mark.parametrize(
        ("kind", "words"), [(21, "text"), (22, "dates or times"), (23, "categories"), (9, "somet")]
    )
    def test_other_columns_are_refused_by_name(self, kind: int, words: str) -> None:
        frame = Frame(a=Column([1, 2]), city=Column([1, 2], kind=kind))
        with pytest.raises(TypeError, match=rf"column 1 \('city'\) does not: it holds {words}"):
            as_table(frame)

    def test_other_devices(self) -> None:
        with pytest.raises(TypeError, match=r"column 0 \('a'\) .* move it to the CPU first"):
            as_table(Frame(a=Column([1, 2], device=2)))

    def test_large_integers(self) -> None:
        with pytest.raises(ValueError, match=r"row 1, column 0 \('a'\) is 9007199254740993"):
            as_table(Frame(a=Column([1, 2**53 + 1])))
