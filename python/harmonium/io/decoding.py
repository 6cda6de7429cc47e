"""From the bytes of a model file to its content, believing nothing: see `harmonium.io.container`.

The message of every error here continues a sentence that starts with the file's name.
"""

import hashlib
import math
import reprlib
import sys
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harmonium.errors import ModelFileError
from harmonium.io import canonical_json
from harmonium.io.layout import (
    CHECKSUM_LENGTH,
    DTYPES,
    FORMAT_VERSION,
    PREFIX,
    align,
    describe_nonfinite,
    library_version,
)
from harmonium.io.signatures import why_foreign

_SMALLEST = PREFIX.size + CHECKSUM_LENGTH
_MAX_AXES = 64  # numpy's own limit
_HEADER_KEYS = frozenset({"arrays", "kind", "library_version", "metadata"})
_ENTRY_KEYS = frozenset({"name", "dtype", "shape", "offset", "length", "allow_nonfinite"})

_short = reprlib.Repr()  # what a file says may be of any length
_short.maxstring = _short.maxother = _short.maxlong = 80


@dataclass(frozen=True, eq=False)
class Container:
    """What a model file holds.

    Attributes
    ----------
    format_version
        Version of the format in which the file was written.
    kind
        What is stored, in the word that its writer gave.
    arrays
        By name, sorted: float64, int64, uint8 or bool, each in memory of its own, writable, in C
        order.
    metadata
        Built of dict, list, str, int, float, bool and None.
    library_version
        Version of harmonium that wrote the file.
    allow_nonfinite
        Names of the arrays in which NaN and the infinities were allowed.
    """

    format_version: int
    kind: str
    arrays: dict[str, NDArray[Any]]
    metadata: dict[str, Any]
    library_version: str
    allow_nonfinite: frozenset[str]


def parse_prefix(data: bytes | bytearray) -> tuple[int, int, int]:
    """Format version, the header's length and the file's."""
    if reason := why_foreign(data[: PREFIX.size]):
        raise ModelFileError(reason)
    if len(data) < PREFIX.size:
        raise ModelFileError(
            f"is truncated: at least {_SMALLEST} bytes expected, {len(data)} found"
        )
    _, version, header_length, length = PREFIX.unpack_from(data)
    if length < _SMALLEST:
        raise ModelFileError(
            f"is damaged: it claims to be {length} bytes long, and no model file is shorter than "
            f"{_SMALLEST}"
        )
    return version, header_length, length


def decode(data: bytes | bytearray, kind: str | None) -> Container:
    """Check everything about the bytes of a file, and build what it holds.

    In this order: signature, length, checksum, format version, header, kind, arrays. So an accident
    is never taken for a newer format, nor for a header that contradicts itself.

    Raises
    ------
    ModelFileError
        If anything is wrong, or the kind is not ``kind``, unless that is None.
    """
    version, header_length, length = parse_prefix(data)
    if len(data) < length:
        raise ModelFileError(f"is truncated: {length:,} bytes expected, {len(data):,} found")
    if len(data) > length:
        raise ModelFileError(f"has extra bytes at its end: {length:,} bytes expected, more found")
    end = length - CHECKSUM_LENGTH
    if hashlib.sha256(memoryview(data)[:end]).digest() != data[end:]:
        raise ModelFileError("is damaged: its content does not match its checksum")
    if version > FORMAT_VERSION:
        raise ModelFileError(
            f"has format version {version}, and harmonium {library_version()} reads up to version "
            f"{FORMAT_VERSION}: upgrade harmonium"
        )
    if version != FORMAT_VERSION:
        raise ModelFileError(f"contradicts itself: there is no format version {version}")
    start = align(PREFIX.size + header_length)
    if start > end:
        raise ModelFileError(
            f"contradicts itself: it claims a header of {header_length:,} bytes, in a file of "
            f"{length:,}"
        )
    header_end = PREFIX.size + header_length
    header = _parse_header(data[PREFIX.size : header_end])
    if any(data[header_end:start]):
        raise ModelFileError("contradicts itself: the padding after its header is not zero")
    if kind is not None and header["kind"] != kind:
        raise ModelFileError(
            f"is of another kind: it holds {_short.repr(header['kind'])}, not the {kind!r} asked "
            "for"
        )
    table = header["arrays"]
    return Container(
        format_version=version,
        kind=header["kind"],
        arrays=_parse_arrays(table, memoryview(data)[start:end]),
        metadata=header["metadata"],
        library_version=header["library_version"],
        allow_nonfinite=frozenset(entry["name"] for entry in table if entry["allow_nonfinite"]),
    )


def _parse_header(text: bytes | bytearray) -> dict[str, Any]:
    try:
        header = canonical_json.decode(text, "its header")
    except ValueError as error:
        raise ModelFileError(
            f"contradicts itself: its header is not valid: {str(error)[:300]}"
        ) from None
    if not isinstance(header, dict):
        raise ModelFileError("contradicts itself: its header is not an object")
    _check_keys(header, _HEADER_KEYS, "its header")
    for key, wanted in (("arrays", list), ("kind", str), ("library_version", str)):
        if not isinstance(header[key], wanted) or header[key] == "":
            raise ModelFileError(
                f"contradicts itself: its header's {key} cannot be {_short.repr(header[key])}"
            )
    if not isinstance(header["metadata"], dict):
        raise ModelFileError("contradicts itself: its metadata is not an object")
    return header


def _check_keys(mapping: dict[str, object], keys: frozenset[str], called: str) -> None:
    if missing := sorted(keys - mapping.keys()):
        raise ModelFileError(f"contradicts itself: {called} has no {missing[0]}")
    if extra := sorted(mapping.keys() - keys):
        raise ModelFileError(
            f"contradicts itself: {called} has the unknown entry {_short.repr(extra[0])}"
        )


def _parse_arrays(table: list[Any], body: memoryview) -> dict[str, NDArray[Any]]:
    arrays: dict[str, NDArray[Any]] = {}
    position = 0  # where the next array must start
    last = ""
    for entry in table:
        called = _check_entry(entry)
        name, offset, length = entry["name"], entry["offset"], entry["length"]
        if name in arrays:
            raise ModelFileError(f"contradicts itself: {called} occurs twice")
        if name < last:
            raise ModelFileError(f"contradicts itself: {called} is not in the order of the names")
        if offset + length > len(body):
            raise ModelFileError(
                f"contradicts itself: {called} claims bytes {offset:,} to {offset + length:,} of "
                f"the {len(body):,} bytes that there are for arrays"
            )
        if offset != position:
            what = "overlaps the one before" if offset < position else "leaves a gap before it"
            raise ModelFileError(
                f"contradicts itself: {called} is at offset {offset:,} instead of {position:,}, "
                f"which {what}"
            )
        position = align(offset + length)
        if any(body[offset + length : position]):
            raise ModelFileError(f"contradicts itself: the padding after {called} is not zero")
        arrays[name] = _parse_array(entry, body[offset : offset + length], called)
        last = name
    if position != len(body):
        raise ModelFileError(
            f"contradicts itself: its arrays take {position:,} bytes, and there are {len(body):,}"
        )
    return arrays


def _check_entry(entry: object) -> str:
    """Check a row of the table by itself; what messages call its array."""
    if not isinstance(entry, dict):
        raise ModelFileError(
            f"contradicts itself: its table of arrays holds {_short.repr(entry)}, not an object"
        )
    name = entry.get("name")
    if not isinstance(name, str) or not name:
        raise ModelFileError("contradicts itself: its table of arrays has a row without a name")
    called = f"the array {_short.repr(name)}"
    _check_keys(entry, _ENTRY_KEYS, called)
    dtype, shape, length = entry["dtype"], entry["shape"], entry["length"]
    if not isinstance(dtype, str) or dtype not in DTYPES:
        raise ModelFileError(
            f"contradicts itself: {called} has dtype {_short.repr(dtype)}, and only "
            f"{', '.join(DTYPES)} exist"
        )
    if not isinstance(shape, list) or len(shape) > _MAX_AXES or not all(map(_is_count, shape)):
        raise ModelFileError(f"contradicts itself: {called} has the shape {_short.repr(shape)}")
    if not _is_count(entry["offset"]) or not _is_count(length):
        raise ModelFileError(
            f"contradicts itself: {called} has offset {_short.repr(entry['offset'])} and length "
            f"{_short.repr(length)}"
        )
    if not isinstance(entry["allow_nonfinite"], bool):
        raise ModelFileError(
            f"contradicts itself: {called} has an allow_nonfinite that is not true or false"
        )
    itemsize = DTYPES[dtype].itemsize
    # With a zero among them the lengths take no bytes, but numpy still wants their product to fit.
    if itemsize * math.prod(n for n in shape if n) > sys.maxsize:
        raise ModelFileError(
            f"contradicts itself: {called} has the shape {_short.repr(shape)}, which is too large "
            "for this machine"
        )
    if length != itemsize * math.prod(shape):
        raise ModelFileError(
            f"contradicts itself: {called} claims {length:,} bytes, and {dtype} of shape "
            f"{_short.repr(shape)} takes {itemsize * math.prod(shape):,}"
        )
    return called


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _parse_array(entry: dict[str, Any], data: memoryview, called: str) -> NDArray[Any]:
    dtype, shape = entry["dtype"], tuple(entry["shape"])
    if not entry["allow_nonfinite"] and (fault := describe_nonfinite(data, dtype, shape)):
        raise ModelFileError(
            f"contradicts itself: {called} holds {fault}, which is not allowed there"
        )
    if dtype == "bool" and np.any(np.frombuffer(data, np.uint8) > 1):
        raise ModelFileError(f"contradicts itself: {called} of dtype bool holds bytes above 1")
    stored = np.frombuffer(data, DTYPES[dtype])
    return stored.astype(DTYPES[dtype].newbyteorder("=")).reshape(shape)
