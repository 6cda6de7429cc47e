"""Anything that holds numbers to a C-contiguous, aligned, native float64 array."""

from collections.abc import Sequence
from typing import Any, TypeGuard

import numpy as np
from numpy.typing import NDArray

from harmonium.validation.dtypes import from_numpy
from harmonium.validation.feature_names import feature_names_of
from harmonium.validation.frames import from_frame, from_series, is_frame
from harmonium.validation.libraries import is_from, is_pandas_series, is_polars_series, is_sparse
from harmonium.validation.positions import Where, places
from harmonium.validation.typing import FloatArray

_FLOAT64 = np.dtype(np.float64)
_NESTED = frozenset({list, tuple})
_SIMPLE = frozenset({bool, int, float, np.float64})
_MAIN_MEMORY = (1, 3, 11)  # dlpack's numbers of plain memory, and of that pinned for CUDA and ROCm


def is_ready(x: object) -> TypeGuard[FloatArray]:
    """Tell whether `x` can be computed on as it is."""
    if type(x) is not np.ndarray or x.dtype != _FLOAT64:
        return False
    flags = x.flags
    return flags.c_contiguous and flags.aligned


def as_floats(x: object, *, name: str, feature_names: Sequence[str] | None = None) -> FloatArray:
    """Convert anything that holds numbers, of any shape, to float64; missing becomes NaN.

    Parameters
    ----------
    x
        Nested sequences, a numpy array of any layout or data type (masked too), a frame or a
        series, an object with ``__array__``, ``__dlpack__`` or the buffer protocol.
    name
        The argument's name, for messages.
    feature_names
        The names of the columns, for messages; by default the frame's own.

    Returns
    -------
    FloatArray
        C-contiguous, aligned and native. It is `x` itself, or shares its memory, only if that
        already is such an array; `x` is never written to.

    Raises
    ------
    TypeError
        For sparse matrices, text, dates, None in a list and whatever else holds no numbers.
    ValueError
        For complex numbers, rows of unequal length and integers beyond 2**53.

    Warns
    -----
    DataWarning
        If long doubles are rounded to float64.
    """
    if is_ready(x):
        return x
    where = places(feature_names)
    if isinstance(x, np.ndarray):
        return from_numpy(x, name, where)
    if isinstance(x, (list, tuple)):
        return _from_sequence(x, name, where)
    if is_frame(x):
        return from_frame(x, name, feature_names_of(x) if feature_names is None else feature_names)
    if is_sparse(x):
        method = "toarray" if hasattr(x, "toarray") else "todense"
        raise TypeError(
            f"{name} is a sparse {type(x).__name__}, but sparse input is not supported: dense "
            f"data is required. Pass {name}.{method}()."
        )
    if is_pandas_series(x) or is_polars_series(x):
        return from_series(x, name, where)
    if is_from("polars", "LazyFrame", x):
        raise TypeError(f"{name} is a polars LazyFrame: pass {name}.collect().")
    return from_numpy(_from_protocols(x, name), name, where)


def _from_sequence(x: Sequence[object], name: str, where: Where) -> FloatArray:
    kinds = _entry_types(x)
    if kinds <= _SIMPLE:
        try:
            array = np.array(x)
        except ValueError:  # ragged, which the general way below says better
            array = np.empty(0)
        # Mixed with floats or beyond 64 bits, integers may have been rounded without a word.
        if array.size and (array.dtype.kind in "bi" or int not in kinds):
            return from_numpy(array, name, where)
    masked = any(issubclass(kind, np.ma.MaskedArray) for kind in kinds)
    try:
        array = np.array(_unmasked(x) if masked else x, dtype=np.object_)
    except ValueError as error:
        raise ValueError(
            f"{name} is ragged: its rows must all have the same length. ({error})"
        ) from error
    return from_numpy(array, name, where)


def _entry_types(x: Sequence[object], depth: int = 3) -> set[type]:
    """Return the types of the entries of nested lists; deeper ones than any table's stay lists."""
    kinds = set(map(type, x))
    if depth and not kinds.isdisjoint(_NESTED):
        kinds -= _NESTED
        return kinds.union(*(_entry_types(row, depth - 1) for row in x if type(row) in _NESTED))  # type: ignore[arg-type]  # lists and tuples only
    return kinds


def _unmasked(x: object) -> object:
    """Replace masked entries within nested lists by NaN, where numpy would drop the mask."""
    if x is np.ma.masked:
        return np.nan
    if isinstance(x, np.ma.MaskedArray):
        return np.ma.filled(x.astype(np.object_), np.nan)
    return [_unmasked(row) for row in x] if isinstance(x, (list, tuple)) else x


def _from_protocols(x: object, name: str) -> NDArray[Any]:
    """Read an object through whichever of numpy's ways in it offers."""
    try:
        if _has_array_protocol(x):
            return np.asarray(x)
        if hasattr(x, "__dlpack__"):
            return _from_dlpack(x, name)
        return np.array(x, dtype=np.object_)
    except MemoryError:
        raise
    except Exception as error:  # whatever a foreign type raises when asked for its numbers
        raise TypeError(
            f"{name} of type {type(x).__name__} cannot be read as an array of numbers: {error}"
        ) from error


def _has_array_protocol(x: object) -> bool:
    if any(hasattr(x, f"__array{suffix}__") for suffix in ("", "_interface", "_struct")):
        return True
    try:
        memoryview(x)  # type: ignore[arg-type]  # whether it has a buffer is the question
    except (TypeError, BufferError):
        return False
    return True


def _from_dlpack(x: Any, name: str) -> NDArray[Any]:
    if int(x.__dlpack_device__()[0]) not in _MAIN_MEMORY:
        raise TypeError(
            f"it lies in the memory of another device; pass a copy of {name} on the CPU"
        )
    return np.from_dlpack(x)
