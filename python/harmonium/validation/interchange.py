"""Frames of libraries that speak the dataframe interchange protocol (``__dataframe__``).

The protocol, https://data-apis.org/dataframe-protocol/latest/, gives the address of a column's
values and of the flags that tell which of them are null.
"""

import ctypes
from collections.abc import Iterator, Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from harmonium.validation.positions import column_words

# The values of a column, and where they are null if any are.
Column: TypeAlias = tuple[NDArray[Any], NDArray[np.bool_] | None]

_LETTERS = {0: "i", 1: "u", 2: "f"}
_BOOL = 20
_WORDS = {21: "text", 22: "dates or times", 23: "categories"}
_SENTINEL, _BITMASK, _BYTEMASK = 2, 3, 4
_MAIN_MEMORY = (1, 3, 11)  # plain, and pinned for CUDA and ROCm


def interchange_columns(
    frame: Any, name: str, feature_names: Sequence[str] | None
) -> Iterator[Column]:
    """Give each column of a frame in turn.

    Parameters
    ----------
    frame
        What ``__dataframe__()`` returned.
    name, feature_names
        The names of the argument and of its columns, for messages.

    Raises
    ------
    TypeError
        For a column that does not hold numbers or does not lie in main memory.
    """
    for place in range(frame.num_columns()):
        try:
            yield _column(frame.get_column(place))
        except (TypeError, ValueError, NotImplementedError) as error:
            words = column_words(place, feature_names)
            raise TypeError(f"{name} must hold numbers, but {words} does not: {error}.") from error


def _column(column: Any) -> Column:
    # The column owns the memory, so it must live until everything is copied.
    chunks = [_chunk(chunk) for chunk in column.get_chunks()]
    if not chunks:
        return np.empty(0), None
    masks = [np.zeros(len(v), np.bool_) if mask is None else mask for v, mask in chunks]
    return np.concatenate([values for values, _ in chunks]), np.concatenate(masks)


def _chunk(column: Any) -> Column:
    """Copy one contiguous piece of a column."""
    _require_numbers(int(column.dtype[0]))
    size, offset = int(column.size()), int(column.offset)
    buffers = column.get_buffers()
    values = _read(buffers["data"], size, offset)
    null_kind, null_value = column.describe_null
    if int(null_kind) == _SENTINEL:
        return values, values == null_value
    if int(null_kind) in (_BITMASK, _BYTEMASK) and buffers["validity"] is not None:
        return values, _read(buffers["validity"], size, offset) == bool(null_value)
    return values, None


def _require_numbers(kind: int) -> None:
    if kind != _BOOL and kind not in _LETTERS:
        raise TypeError(f"it holds {_WORDS.get(kind, 'something else')}")


def _read(data: tuple[Any, tuple[Any, int, str, str]], size: int, offset: int) -> NDArray[Any]:
    """Copy `size` entries from entry `offset` on of a buffer with its data type."""
    buffer, (kind, bits, _, byte_order) = data
    if int(buffer.__dlpack_device__()[0]) not in _MAIN_MEMORY:
        raise TypeError("it lies in the memory of another device; move it to the CPU first")
    memory = ctypes.string_at(int(buffer.ptr), int(buffer.bufsize)) if size else b""
    if bits == 1:
        flags = np.unpackbits(np.frombuffer(memory, np.uint8), bitorder="little")
        return flags[offset : offset + size].astype(np.bool_)
    if int(kind) == _BOOL:
        return np.frombuffer(memory, np.uint8, size, offset if size else 0).astype(np.bool_)
    data_type = np.dtype(f"{byte_order}{_LETTERS[int(kind)]}{bits // 8}")
    values: NDArray[Any] = np.frombuffer(
        memory, data_type, size, offset * data_type.itemsize if size else 0
    )
    return values
