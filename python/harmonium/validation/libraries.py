"""Recognising frames, series and sparse matrices without importing the libraries they are from."""

import sys
from typing import Any, TypeGuard

import numpy as np


def is_from(library: str, kind: str, x: object) -> bool:
    """Tell whether `x` is an instance of a class of a library that may not be installed."""
    # An object of the library exists only if the library has been imported.
    cls = getattr(sys.modules.get(library), kind, None)
    return cls is not None and isinstance(x, cls)


def is_pandas_frame(x: object) -> TypeGuard[Any]:
    """Tell whether `x` is a pandas DataFrame."""
    return is_from("pandas", "DataFrame", x)


def is_pandas_series(x: object) -> TypeGuard[Any]:
    """Tell whether `x` is a pandas Series."""
    return is_from("pandas", "Series", x)


def is_polars_frame(x: object) -> TypeGuard[Any]:
    """Tell whether `x` is a polars DataFrame."""
    return is_from("polars", "DataFrame", x)


def is_polars_series(x: object) -> TypeGuard[Any]:
    """Tell whether `x` is a polars Series."""
    return is_from("polars", "Series", x)


def speaks_interchange(x: object) -> TypeGuard[Any]:
    """Tell whether `x` is a frame of another library that has the interchange protocol."""
    return hasattr(x, "__dataframe__") and not is_pandas_frame(x)


def is_sparse(x: object) -> bool:
    """Tell whether `x` is a sparse matrix or array of scipy or a library that follows it."""
    return hasattr(x, "nnz") and (hasattr(x, "toarray") or hasattr(x, "todense"))


def column_labels(x: object) -> list[object] | None:
    """Return the labels of the columns of a frame, of any type, or None for anything else."""
    if isinstance(x, (np.ndarray, list, tuple)):
        return None
    if is_pandas_frame(x) or is_polars_frame(x):
        return list(x.columns)
    if speaks_interchange(x):
        return list(x.__dataframe__().column_names())
    # Wrappers such as narwhals' have neither class nor protocol, but these two attributes.
    labels = getattr(x, "columns", None)
    return labels if isinstance(labels, list) and hasattr(x, "__array__") else None
