r"""JSON with exactly one spelling for every value, so that equal values are equal bytes.

The canonical form is UTF-8 without a byte order mark; no white space; the keys of an object sorted
by code point, each once; integers in decimal; floats as Python's ``repr`` writes them, the shortest
text that reads back as the same float64 and does not look like an integer. Only ``"``, ``\`` and
the control characters below U+0020 are escaped: as ``\"``, ``\\``, ``\b``, ``\t``, ``\n``, ``\f``,
``\r``, or else ``\u00xx`` in lower case. Strings are kept code point by code point, without Unicode
normalisation.

NaN and the infinities, lone surrogates, integers of more than `MAX_INTEGER_BITS` bits and nesting
deeper than `MAX_DEPTH` have no canonical form.
"""

import json
import math
from typing import Any, Never

MAX_DEPTH = 100
MAX_INTEGER_BITS = 1024
_MAX_INTEGER_CHARACTERS = 310  # of -(2**1024 - 1), whose digits number 309


def encode(value: object, name: str, *, levels: int = MAX_DEPTH) -> bytes:
    """Canonical JSON of ``value``, which may hold dict, list, str, int, float, bool and None only.

    Parameters
    ----------
    value
        What to write. Subclasses (an ``IntEnum``, ``numpy.float64``) are written as their base.
    name
        What error messages call ``value``.
    levels
        How many objects and lists may lie in each other.

    Raises
    ------
    TypeError
        For any other type (tuples too: they would come back as lists) and for keys not strings.
    ValueError
        For what has no canonical form.
    """
    text = json.dumps(
        _plain(value, name, levels, levels),
        ensure_ascii=False,
        allow_nan=False,
        sort_keys=True,
        separators=(",", ":"),
    )
    return text.encode()


def decode(data: bytes | bytearray, name: str) -> Any:
    """Value of canonical JSON: the inverse of `encode`.

    Parameters
    ----------
    data
        Text in UTF-8.
    name
        What error messages call the value.

    Raises
    ------
    ValueError
        If ``data`` is not JSON, or not its value's canonical form.
    """
    try:
        value = json.loads(
            data.decode(),  # json.loads itself would guess at the encoding
            object_pairs_hook=_distinct_keys,
            parse_constant=_refuse_constant,
            parse_int=_parse_integer,
        )
    except RecursionError:
        raise ValueError(f"{name} is nested too deeply to be read") from None
    if encode(value, name) != data:
        raise ValueError(f"{name} is not in canonical form")
    return value


def _plain(value: object, where: str, left: int, levels: int) -> object:
    """Copy ``value`` into built-in types, checking all of it."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return _plain_text(value, where)
    if isinstance(value, int):
        integer = int(value)
        if integer.bit_length() > MAX_INTEGER_BITS:
            raise ValueError(f"{where} is an integer of more than {MAX_INTEGER_BITS} bits")
        return integer
    if isinstance(value, float):
        number = float(value)
        if not math.isfinite(number):
            raise ValueError(
                f"{where} is {number}, which JSON does not have: use None or a string, or store an "
                "array"
            )
        return number
    if not isinstance(value, dict | list):
        remedy = {
            "tuple": ": pass a list (a tuple would come back as one)",
            "ndarray": ": store it as an array, or pass .tolist()",
        }.get(type(value).__name__, ": pass built-in Python values")
        raise TypeError(
            f"{where} is of type {type(value).__name__}, but only dict, list, str, int, float, "
            f"bool and None can be written{remedy}"
        )
    if left == 0:  # which also stops a list that contains itself
        raise ValueError(f"{where[:80]}... is nested deeper than {levels} levels: flatten it")
    if isinstance(value, list):
        return [_plain(item, f"{where}[{i}]", left - 1, levels) for i, item in enumerate(value)]
    plain: dict[str, object] = {}
    for key, item in value.items():
        if not isinstance(key, str):
            raise TypeError(f"{where} has the key {key!r}, but keys must be strings")
        text = _plain_text(key, f"a key of {where}")
        plain[text] = _plain(item, f"{where}[{text!r}]", left - 1, levels)
    return plain


def _plain_text(value: str, where: str) -> str:
    text = str.__str__(value)  # str() of an enumeration's member would be its name
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ValueError(
            f"{where} holds the lone surrogate {text[error.start]!r} at position {error.start}, "
            "which UTF-8 cannot encode"
        ) from None
    return text


def _distinct_keys(pairs: list[tuple[str, object]]) -> dict[str, object]:
    mapping = dict(pairs)
    if len(mapping) < len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise ValueError(f"the key {key[:80]!r} occurs twice")
            seen.add(key)
    return mapping


def _refuse_constant(text: str) -> Never:
    raise ValueError(f"{text} is not JSON")


def _parse_integer(text: str) -> int:
    # Before int(), whose time is quadratic and whose own limit is a setting of the interpreter.
    if len(text) > _MAX_INTEGER_CHARACTERS:
        raise ValueError(f"an integer of {len(text):,} characters is too large")
    return int(text)
