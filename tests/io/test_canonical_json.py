import enum
import json
import math
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harmonium.io.canonical_json import MAX_DEPTH, MAX_INTEGER_BITS, decode, encode

TEXT = st.text()  # without surrogates
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**MAX_INTEGER_BITS) + 1, 2**MAX_INTEGER_BITS - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=20,
)


def same(a, b):
    """Equality that tells 1 from 1.0 and True, and 0.0 from -0.0."""
    if type(a) is not type(b):
        return False
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    if isinstance(a, list):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, float):
        return a.hex() == b.hex()
    return a == b


def nested(levels):
    value = []
    for _ in range(levels - 1):
        value = [value]
    return value


@given(VALUES)
def test_round_trip_is_exact(value):
    assert same(decode(encode(value, "value"), "value"), value)


@given(VALUES)
def test_any_other_spelling_is_refused(value):
    canonical = encode(value, "value")
    for text in (
        json.dumps(value),
        json.dumps(value, indent=1),
        json.dumps(value, ensure_ascii=False),
        canonical.decode() + " ",
        "\N{ZERO WIDTH NO-BREAK SPACE}" + canonical.decode(),
    ):
        if (data := text.encode()) != canonical:
            with pytest.raises(ValueError, match=r"not in canonical form|BOM"):
                decode(data, "value")
    assert decode(canonical, "value") == value


@given(st.dictionaries(TEXT, st.integers(), min_size=2, max_size=5), st.randoms())
def test_the_order_of_keys_does_not_matter(mapping, random):
    keys = list(mapping)
    random.shuffle(keys)
    assert encode({key: mapping[key] for key in keys}, "x") == encode(mapping, "x")


def test_the_form_itself():
    value = {"é": [1, -0.0, 1e16, 5e-324, 0.1, True, None], "a": 'tab\t"\\\x01\x7f/\u2028', "B": {}}
    expected = (
        '{"B":{},"a":"tab\\t\\"\\\\\\u0001\x7f/\u2028","é":[1,-0.0,1e+16,5e-324,0.1,true,null]}'
    )
    assert encode(value, "x") == expected.encode()


def test_composed_and_decomposed_letters_stay_apart():
    value = {"\u00e9": 1, "e\u0301": 2}
    assert decode(encode(value, "x"), "x") == value


def test_subclasses_become_their_base():
    class Colour(str, enum.Enum):  # noqa: UP042 - whose str() is not its value
        RED = "red"

    class Level(enum.IntEnum):
        LOW = 1

    value = {Colour.RED: [Colour.RED, Level.LOW, np.float64(0.1), np.str_("text")]}
    assert encode(value, "x") == b'{"red":["red",1,0.1,"text"]}'


@pytest.mark.parametrize(
    ("value", "error", "message"),
    [
        ({"a": [0.0, math.nan]}, ValueError, r"x\['a'\]\[1\] is nan"),
        ([-math.inf], ValueError, r"x\[0\] is -inf"),
        ({"a": (1, 2)}, TypeError, r"x\['a'\] is of type tuple.*pass a list"),
        ({"a": np.ones(2)}, TypeError, r"x\['a'\] is of type ndarray.*store it as an array"),
        ([np.int64(1)], TypeError, r"x\[0\] is of type int64"),
        ([{1}], TypeError, r"x\[0\] is of type set"),
        ([b"text"], TypeError, r"x\[0\] is of type bytes"),
        ({"a": {1: 2}}, TypeError, r"x\['a'\] has the key 1"),
        ({None: 2}, TypeError, "x has the key None"),
        (["a\ud800"], ValueError, r"x\[0\] holds the lone surrogate '\\ud800' at position 1"),
        ({"\udfff": 1}, ValueError, "a key of x holds the lone surrogate"),
        ([2**MAX_INTEGER_BITS], ValueError, r"x\[0\] is an integer of more than 1024 bits"),
        ([-(2**MAX_INTEGER_BITS)], ValueError, "1024 bits"),
        (nested(MAX_DEPTH + 1), ValueError, "deeper than 100 levels"),
    ],
)
def test_what_has_no_canonical_form(value, error, message):
    with pytest.raises(error, match=message):
        encode(value, "x")


def test_depth_up_to_the_limit():
    assert decode(encode(nested(MAX_DEPTH), "x"), "x") == nested(MAX_DEPTH)
    encode(nested(7), "x", levels=7)
    with pytest.raises(ValueError, match="deeper than 7 levels"):
        encode(nested(8), "x", levels=7)


def test_a_list_that_holds_itself_twice_ends():
    value = []
    value += [value, value]
    with pytest.raises(ValueError, match="deeper than 100 levels"):
        encode(value, "x")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "Expecting value"),
        (b"{", "Expecting property name"),
        (b"[1]]", "Extra data"),
        (b'{"a":1,"a":1}', "the key 'a' occurs twice"),
        (b"[NaN]", "NaN is not JSON"),
        (b"[-Infinity]", "-Infinity is not JSON"),
        (b"[1e999]", r"x\[0\] is inf"),
        (b"[1.00]", "not in canonical form"),
        (b"[-0]", "not in canonical form"),
        (b'["\\u00e9"]', "not in canonical form"),
        (b'["\\ud800"]', "lone surrogate"),
        (b'["\xff"]', "can't decode byte 0xff"),
        (b'"\xed\xa0\x80"', "can't decode byte 0xed"),
        ("[1]".encode("utf-16"), "can't decode byte 0xff"),
        (b"[" * 1_000_000, "nested too deeply"),
        (b'{"a":' * 1_000_000, "nested too deeply"),
        (b"[" * 101 + b"]" * 101, "deeper than 100 levels"),
        (b"1" * 10_000_000, "an integer of 10,000,000 characters is too large"),
        (b"9" * 310, "1024 bits"),
    ],
)
def test_what_is_not_canonical(data, message):
    with pytest.raises(ValueError, match=message):
        decode(data, "x")


def test_the_largest_integers_whatever_the_interpreter_allows():
    limit = sys.get_int_max_str_digits()
    try:
        sys.set_int_max_str_digits(640)
        for value in (2**MAX_INTEGER_BITS - 1, 1 - 2**MAX_INTEGER_BITS):
            assert decode(encode(value, "x"), "x") == value
    finally:
        sys.set_int_max_str_digits(limit)
