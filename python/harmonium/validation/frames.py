"""Frames and series of pandas, polars and other libraries to float64."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from harmonium.validation.dtypes import from_numpy
from harmonium.validation.interchange import Column, interchange_columns
from harmonium.validation.libraries import (
    is_pandas_frame,
    is_pandas_series,
    is_polars_frame,
    speaks_interchange,
)
from harmonium.validation.positions import Index, Where, index_words, places
from harmonium.validation.typing import FloatArray


def is_frame(x: object) -> bool:
    """Tell whether `from_frame` reads `x`."""
    return is_pandas_frame(x) or is_polars_frame(x) or speaks_interchange(x)


def from_frame(x: Any, name: str, feature_names: Sequence[str] | None) -> FloatArray:
    """Convert a frame to a new float64 table; null, None and NA become NaN.

    Columns are converted one by one, since a data type common to all of them would round large
    integers silently.

    Raises
    ------
    TypeError, ValueError
        As `from_numpy`, naming the column.
    """
    if is_pandas_frame(x):
        if _is_plain(x):
            return from_numpy(np.array(x, order="C"), name, places(feature_names))
        columns: Iterable[Column] = (_pandas_column(column) for _, column in x.items())
        return _assemble(columns, x.shape, name, feature_names)
    if is_polars_frame(x):
        columns = (_polars_column(column) for column in x.get_columns())
        return _assemble(columns, x.shape, name, feature_names)
    frame = x.__dataframe__()
    shape = frame.num_rows(), frame.num_columns()
    return _assemble(interchange_columns(frame, name, feature_names), shape, name, feature_names)


def from_series(x: Any, name: str, where: Where) -> FloatArray:
    """Convert a pandas or polars series to a new float64 vector, as a column of a frame."""
    column = _pandas_column(x) if is_pandas_series(x) else _polars_column(x)
    vector = np.empty(len(x))
    _fill(vector, column, name, where)
    return vector


def _is_plain(frame: Any) -> bool:
    """Tell whether all columns have one and the same data type, a numerical one of numpy's."""
    dtypes = set(frame.dtypes)
    dtype = dtypes.pop() if len(dtypes) == 1 else None
    return isinstance(dtype, np.dtype) and dtype.kind in "bfiu"


def _assemble(
    columns: Iterable[Column],
    shape: tuple[int, int],
    name: str,
    feature_names: Sequence[str] | None,
) -> FloatArray:
    table = np.empty(shape)
    for place, column in enumerate(columns):

        def where(index: Index, place: int = place) -> str:
            return index_words((*index, place), feature_names)

        _fill(table[:, place], column, name, where)
    return table


def _fill(vector: FloatArray, column: Column, name: str, where: Where) -> None:
    values, mask = column
    if values.ndim != 1:
        raise TypeError(f"{name} must hold numbers, but {where((0,))} is an array.")
    vector[:] = from_numpy(values, name, where, in_frame=True)
    if mask is not None:
        vector[mask] = np.nan


def _pandas_column(series: Any) -> Column:
    # Nullable data types say which of numpy's they extend; through it integers stay exact.
    dtype = getattr(series.dtype, "numpy_dtype", None)
    if isinstance(dtype, np.dtype) and dtype.kind in "bfiu":
        filler = {"b": False, "f": np.nan}.get(dtype.kind, 0)
        return series.to_numpy(dtype=dtype, na_value=filler), series.isna().to_numpy()
    return np.asarray(series), None


def _polars_column(series: Any) -> Column:
    if series.dtype.is_integer() and series.null_count():
        return series.fill_null(0).to_numpy(), series.is_null().to_numpy()
    return series.to_numpy(), None
