"""What the writer and the reader of model files agree on: see `harmonium.io.container`."""

import importlib.metadata
import struct

import numpy as np

FORMAT_VERSION = 1
"""The format version that is written, and the latest that is read."""

PREFIX = struct.Struct("<8sIQQ")
"""Signature, format version, the header's length and the file's."""

CHECKSUM_LENGTH = 32

DTYPES = {
    "bool": np.dtype("|b1"),
    "float64": np.dtype("<f8"),
    "int64": np.dtype("<i8"),
    "uint8": np.dtype("|u1"),
}
"""The element types, as they are stored."""


def align(position: int) -> int:
    """Return the least multiple of 8 that is not below ``position``."""
    return -(-position // 8) * 8


def library_version() -> str:
    """Return the version of harmonium that runs, ``unknown`` if it is not installed."""
    try:
        return importlib.metadata.version("harmonium")
    except importlib.metadata.PackageNotFoundError:  # run from its sources
        return "unknown"


def check_word(word: object, name: str) -> None:
    """Raise TypeError or ValueError, calling it ``name``, unless ``word`` is a string not empty."""
    if not isinstance(word, str):
        raise TypeError(f"{name} must be a string, not {type(word).__name__}")
    if not word:
        raise ValueError(f"{name} must not be empty")


def describe_nonfinite(data: bytes | memoryview, dtype: str, shape: tuple[int, ...]) -> str | None:
    """How many NaN and infinities there are, and where the first is; None if there is none."""
    if dtype != "float64":
        return None
    values = np.frombuffer(data, DTYPES[dtype])
    (where,) = np.nonzero(~np.isfinite(values))
    if where.size == 0:
        return None
    index = [int(i) for i in np.unravel_index(where[0], shape)]
    return (
        f"{where.size:,} non-finite among its {values.size:,} values, the first "
        f"({values[where[0]]}) at index {index}"
    )
