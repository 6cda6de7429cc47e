"""From content to the bytes of a model file: see `harmonium.io.container`."""

import hashlib
from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harmonium.io import canonical_json
from harmonium.io.layout import (
    CHECKSUM_LENGTH,
    DTYPES,
    FORMAT_VERSION,
    PREFIX,
    align,
    check_word,
    describe_nonfinite,
    library_version,
)
from harmonium.io.signatures import MAGIC

_DTYPE_NAMES = {(dtype.kind, dtype.itemsize): name for name, dtype in DTYPES.items()}


def to_bytes(
    kind: str,
    arrays: Mapping[str, NDArray[Any]],
    metadata: Mapping[str, object],
    *,
    allow_nonfinite: Collection[str] = (),
) -> bytes:
    """Content of a model file: the same for the same arguments, whatever the order of the mappings.

    Parameters
    ----------
    kind
        What is stored, in a word that a reader can ask for.
    arrays
        By name: float64, int64, uint8 or bool, of any shape, layout and byte order, of which only
        the shape is kept.
    metadata
        Anything built of dict (with string keys), list, str, int, float, bool and None; numbers
        come back exactly, strings code point by code point.
    allow_nonfinite
        Names of the arrays in which NaN and the infinities mean something.

    Raises
    ------
    TypeError
        For another dtype, a masked array, or metadata of another type.
    ValueError
        For a non-finite value in an array not named in ``allow_nonfinite``, or in the metadata; an
        empty name; metadata nested deeper than 99 levels; text that UTF-8 cannot encode.
    """
    check_word(kind, "kind")
    for argument, name in ((arrays, "arrays"), (metadata, "metadata")):
        if not isinstance(argument, Mapping):
            raise TypeError(f"{name} must be a mapping, not {type(argument).__name__}")
    for name in arrays:
        check_word(name, "a name in arrays")
    if isinstance(allow_nonfinite, str):
        raise TypeError(f"allow_nonfinite must be a collection of names: [{allow_nonfinite!r}]?")
    if unknown := sorted(set(allow_nonfinite) - set(arrays)):
        raise ValueError(f"allow_nonfinite names {unknown[0]!r}, which is not in arrays")

    table: list[dict[str, object]] = []
    body = bytearray()
    for name in sorted(arrays):
        dtype, data = _array_bytes(arrays[name], name)
        entry = {
            "name": name,
            "dtype": dtype,
            "shape": list(arrays[name].shape),
            "offset": len(body),
            "length": len(data),
            "allow_nonfinite": name in allow_nonfinite,
        }
        if name not in allow_nonfinite and (
            fault := describe_nonfinite(data, dtype, arrays[name].shape)
        ):
            raise ValueError(
                f"arrays[{name!r}] holds {fault}: name it in allow_nonfinite if that is meant"
            )
        table.append(entry)
        body += data
        body += bytes(align(len(body)) - len(body))
    # Metadata by itself first, so that a message calls it by its name.
    canonical_json.encode(dict(metadata), "metadata", levels=canonical_json.MAX_DEPTH - 1)
    header = canonical_json.encode(
        {
            "arrays": table,
            "kind": kind,
            "library_version": library_version(),
            "metadata": dict(metadata),
        },
        "header",
    )
    start = align(PREFIX.size + len(header))
    total = start + len(body) + CHECKSUM_LENGTH
    content = b"".join(
        (
            PREFIX.pack(MAGIC, FORMAT_VERSION, len(header), total),
            header,
            bytes(start - PREFIX.size - len(header)),
            body,
        )
    )
    return content + hashlib.sha256(content).digest()


def _array_bytes(array: NDArray[Any], name: str) -> tuple[str, bytes]:
    """Name of the dtype, and the elements' bytes in C order, little-endian."""
    if not isinstance(array, np.ndarray):
        raise TypeError(f"arrays[{name!r}] must be an array, not {type(array).__name__}")
    if isinstance(array, np.ma.MaskedArray):
        raise TypeError(
            f"arrays[{name!r}] is a masked array, whose mask would be lost: store its data and its "
            "mask as two arrays"
        )
    dtype = _DTYPE_NAMES.get((array.dtype.kind, array.dtype.itemsize))
    if dtype is None:
        raise TypeError(
            f"arrays[{name!r}] has dtype {array.dtype}, but only {', '.join(DTYPES)} can be "
            "stored: convert it with astype"
        )
    data = array.astype(DTYPES[dtype], copy=False).tobytes("C")
    if dtype == "bool":  # memory seen as bool may hold other bytes than 0 and 1
        data = (np.frombuffer(data, np.uint8) != 0).tobytes()
    return dtype, data
