"""The container of saved models: named arrays and metadata in one file that cannot lie.

Every truncation and every change of a byte is detected; reading runs no code from the file and
allocates in proportion to the bytes that are there, whatever these claim; the same content gives
the same bytes.

Format, version 1. Integers are unsigned and little-endian, ``align(n)`` is the least multiple of 8
that is not below n:

======================  =====  ==================================================================
position                bytes  content
======================  =====  ==================================================================
0                       8      signature ``89 48 52 4D 0D 0A 1A 0A`` (hexadecimal)
8                       4      format version: 1
12                      8      H, length of the header
20                      8      L, length of the whole file
28                      H      header: canonical JSON (see `harmonium.io.canonical_json`)
28 + H                  < 8    zeros up to D = align(28 + H)
D                       ...    the arrays, each followed by zeros up to a multiple of 8
L - 32                  32     SHA-256 of all bytes before
======================  =====  ==================================================================

The header is an object with exactly these keys:

- ``arrays``: a list of objects, sorted by ``name``, with exactly the keys ``name`` (a string, not
  empty, occurring once), ``dtype``, ``shape`` (a list of at most 64 lengths), ``offset`` (of the
  first byte, from D), ``length`` (in bytes, without padding) and ``allow_nonfinite`` (a boolean);
- ``kind``: a string, not empty, saying what is stored;
- ``library_version``: a string, not empty, the version of harmonium that wrote the file;
- ``metadata``: an object with any content that canonical JSON has.

Arrays lie in the order of the list without gaps: the first at offset 0, each other one at
``align(offset + length)`` of the one before; after the last and its padding comes the checksum.
Elements are in C order, little-endian. ``dtype`` is ``float64`` (IEEE 754), ``int64`` (two's
complement), ``uint8`` or ``bool`` (one byte, 0 or 1). A ``float64`` array holds NaN or an infinity
only if its ``allow_nonfinite`` is true.

In every version, present and future, the first 28 bytes mean the same and the last 32 are the
checksum, so that an old reader tells a newer file from a damaged one.
"""

import os
from collections.abc import Collection, Mapping
from typing import Any, BinaryIO

from numpy.typing import NDArray

from harmonium.errors import ModelFileError
from harmonium.io.atomic import write_atomically
from harmonium.io.decoding import Container, decode, parse_prefix
from harmonium.io.encoding import to_bytes
from harmonium.io.layout import FORMAT_VERSION, PREFIX, check_word

__all__ = [
    "FORMAT_VERSION",
    "Container",
    "from_bytes",
    "read_container",
    "to_bytes",
    "write_container",
]

_BLOCK = 1 << 20  # bytes read at a time: what a file claims is not allocated ahead


def write_container(
    path: str | os.PathLike[str],
    kind: str,
    arrays: Mapping[str, NDArray[Any]],
    metadata: Mapping[str, object],
    *,
    allow_nonfinite: Collection[str] = (),
) -> None:
    """Write a model file, replacing an older one at once or not at all.

    Takes and raises what `to_bytes` does; nothing on disk is touched before all of it is checked.

    Parameters
    ----------
    path
        File to write. Symbolic links are followed; permissions are as for ``open(path, "wb")``.
    kind, arrays, metadata, allow_nonfinite
        Content: see `to_bytes`.

    Raises
    ------
    OSError
        If the file cannot be written. After any exception, KeyboardInterrupt included, an older
        file at ``path`` is whole.
    """
    write_atomically(path, to_bytes(kind, arrays, metadata, allow_nonfinite=allow_nonfinite))


def read_container(
    source: str | os.PathLike[str] | BinaryIO | bytes | bytearray | memoryview,
    kind: str | None = None,
) -> Container:
    """Read a model file, checking all of it.

    Parameters
    ----------
    source
        Path, binary file (read from where it stands; nothing may follow the container), or bytes.
    kind
        The kind that is wanted; None for any.

    Raises
    ------
    ModelFileError
        If it is not a harmonium file, truncated, damaged, of a newer format, of another kind than
        asked for, or contradicts itself; the message says which.
    OSError
        If the file cannot be opened or read.
    """
    if isinstance(source, bytes | bytearray | memoryview):
        return from_bytes(source, kind)
    if isinstance(source, str | os.PathLike):
        with open(source, "rb") as file:
            return _decode(_read(file, repr(os.fspath(source))), kind, repr(os.fspath(source)))
    if hasattr(source, "read"):
        name = getattr(source, "name", None)
        called = repr(name) if isinstance(name, str) else "the file given"
        return _decode(_read(source, called), kind, called)
    raise TypeError(f"source must be a path, a binary file or bytes, not {type(source).__name__}")


def from_bytes(data: bytes | bytearray | memoryview, kind: str | None = None) -> Container:
    """Container whose model file's content is ``data``: the inverse of `to_bytes`.

    Raises
    ------
    ModelFileError
        As `read_container`.
    """
    if not isinstance(data, bytes | bytearray | memoryview):
        raise TypeError(f"data must be bytes, not {type(data).__name__}")
    return _decode(bytes(data), kind, "the data given")


def _read(file: BinaryIO, called: str) -> bytearray:
    """Bytes of the file up to the length that it claims, and one more, if it has so many."""
    data = bytearray()

    def extend(length: int) -> None:
        while len(data) < length:
            block = file.read(min(length - len(data), _BLOCK))
            if not isinstance(block, bytes):
                raise TypeError(
                    f"{called} must be a blocking file opened in binary mode: reading gave "
                    f"{type(block).__name__}, not bytes"
                )
            if not block:
                return
            data.extend(block)

    extend(PREFIX.size)
    try:
        _, _, length = parse_prefix(data)
    except ModelFileError as error:
        raise ModelFileError(f"{called} {error}") from None
    extend(length + 1)
    return data


def _decode(data: bytes | bytearray, kind: str | None, called: str) -> Container:
    if kind is not None:
        check_word(kind, "kind")
    try:
        return decode(data, kind)
    except ModelFileError as error:
        raise ModelFileError(f"{called} {error}") from None
