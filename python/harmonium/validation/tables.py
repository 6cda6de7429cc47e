"""The gate for tables: rows of observations, columns of features."""

import math
from collections.abc import Sequence
from typing import NoReturn

from harmonium.validation.convert import as_floats, is_ready
from harmonium.validation.feature_names import feature_names_of
from harmonium.validation.finite import all_finite, check_finite, check_missing
from harmonium.validation.libraries import is_pandas_series, is_polars_series
from harmonium.validation.typing import FloatArray


def as_table(
    x: object,
    *,
    name: str = "X",
    missing: bool = False,
    empty_columns: bool = False,
    n_features: int | None = None,
    feature_names: Sequence[str] | None = None,
    min_rows: int = 1,
    ensure_2d: bool = True,
    owner: str = "the model",
) -> FloatArray:
    """Convert anything tabular to a float64 array of shape (rows, columns), and check it.

    Parameters
    ----------
    x
        Nested lists, a numpy array of any layout and data type, a pandas, polars or other frame,
        a tensor in main memory.
    name
        The argument's name, for messages.
    missing
        Whether NaN is a missing value (as are masked entries, null and NA) or an error.
    empty_columns
        With `missing`, whether a column may have no value at all: not in a fit, but in a prediction
        for a few rows.
    n_features
        The number of columns that there must be.
    feature_names
        The columns' names, for messages; by default the frame's own.
    min_rows
        The least number of rows.
    ensure_2d
        With False any number of axes from 1 on is allowed; the last one is the columns, and all
        others together count as rows, so that a vector is a single row.
    owner
        Who expects `n_features` columns, for the message.

    Returns
    -------
    FloatArray
        C-contiguous, aligned and native; `x` itself, or sharing its memory, only if that already
        is such an array. `x` is never written to.

    Raises
    ------
    TypeError
        For sparse matrices, text, dates, None in a list and whatever else holds no numbers.
    ValueError
        For the wrong number of axes, rows or columns, ragged rows, complex numbers, integers beyond
        2**53, infinity, and NaN unless `missing`; then for columns of NaN only.

    Warns
    -----
    DataWarning
        If long doubles are rounded to float64.
    """
    table = x if is_ready(x) else as_floats(x, name=name, feature_names=feature_names)
    shape = table.shape
    if len(shape) != 2 and (ensure_2d or not shape):
        _refuse_axes(x, table, name, ensure_2d)
    rows = shape[0] if len(shape) == 2 else math.prod(shape[:-1])
    columns = shape[-1]
    if rows < min_rows or columns < 1:
        _refuse_size(rows, shape, name, min_rows)
    if n_features is not None and columns != n_features:
        # scikit-learn's words.
        raise ValueError(
            f"{name} has {columns} features, but {owner} is expecting {n_features} features "
            "as input."
        )
    if not all_finite(table):
        names = feature_names_of(x) if feature_names is None else feature_names
        if missing:
            check_missing(table, name, names, empty_columns=empty_columns)
        else:
            check_finite(table, name, names)
    return table


def _refuse_axes(x: object, table: FloatArray, name: str, ensure_2d: bool) -> NoReturn:
    """Raise for the wrong number of axes, with the words that scikit-learn's checks look for."""
    if table.ndim > 2:
        raise ValueError(
            f"{name}: Found array with dim {table.ndim} (shape={table.shape}), while dim <= 2 is "
            "required: one row per observation, one column per feature."
        )
    found = "1D" if table.ndim == 1 else "scalar"
    if not ensure_2d:
        raise ValueError(f"{name}: Expected an array of at least one axis, got a scalar.")
    series = is_pandas_series(x) or is_polars_series(x)
    shape = f" of shape {table.shape}" if table.ndim else f", {table.item()!r}"
    frame = f" {name}.to_frame() is a table of a single feature." if series else ""
    raise ValueError(
        f"{name}: Expected 2D array, got {found} array instead{shape}. Reshape your data either "
        "using array.reshape(-1, 1) if your data has a single feature or array.reshape(1, -1) if "
        f"it contains a single sample.{frame}"
    )


def _refuse_size(rows: int, shape: tuple[int, ...], name: str, min_rows: int) -> NoReturn:
    """Raise for too few rows or no columns, in scikit-learn's words."""
    if rows < min_rows:
        raise ValueError(
            f"{name}: Found array with {rows} sample(s) (shape={shape}) while a minimum of "
            f"{min_rows} is required."
        )
    raise ValueError(
        f"{name}: Found array with 0 feature(s) (shape={shape}) while a minimum of 1 is required."
    )
