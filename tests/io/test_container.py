import dataclasses
import errno
import gzip
import hashlib
import io
import itertools
import json
import os
import pickle
import re
import struct
import tracemalloc
import warnings
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from harmonium.errors import ModelFileError
from harmonium.io import (
    FORMAT_VERSION,
    decoding,
    encoding,
    from_bytes,
    read_container,
    to_bytes,
    write_container,
)

MAGIC = b"\x89HRM\r\n\x1a\n"
DTYPES = [np.float64, np.int64, np.uint8, np.bool_]
ARRAYS = {
    "mean": np.array([[0.5, -0.0, 1e-310], [1.0, 2.0, 3.0]]),
    "steps": np.array([-1, 2**62]),
    "used": np.array([True, False, True]),
    "bytes": np.arange(5, dtype=np.uint8),
    "one": np.array(7.25),
}
METADATA = {"name": "étude", "tolerance": 1e-6, "nested": {"list": [1, None, False, "x"]}}


def set_library_version(monkeypatch, version):
    monkeypatch.setattr(encoding, "library_version", lambda: version)
    monkeypatch.setattr(decoding, "library_version", lambda: version)


@pytest.fixture(autouse=True)
def library_version(monkeypatch):
    set_library_version(monkeypatch, "0.1.0")


def align(n):
    return (n + 7) // 8 * 8


def row(name="a", dtype="uint8", shape=(8,), offset=0, length=8, allow_nonfinite=False):
    return {
        "name": name,
        "dtype": dtype,
        "shape": shape,
        "offset": offset,
        "length": length,
        "allow_nonfinite": allow_nonfinite,
    }


def header_of(*rows, **changes):
    return {
        "arrays": list(rows),
        "kind": "test",
        "library_version": "0.1.0",
        "metadata": {},
        **changes,
    }


def build(header, body=b"", *, version=1, header_length=None, length=None, padding=None, more=b""):
    """A file made by hand, with a right checksum, whatever it claims."""
    if not isinstance(header, bytes):
        header = json.dumps(
            header, ensure_ascii=False, sort_keys=True, separators=(",", ":")
        ).encode()
    if padding is None:
        padding = bytes(align(28 + len(header)) - 28 - len(header))
    content = header + padding + body
    prefix = MAGIC + struct.pack(
        "<IQQ",
        version,
        len(header) if header_length is None else header_length,
        28 + len(content) + 32 if length is None else length,
    )
    return prefix + content + hashlib.sha256(prefix + content).digest() + more


def assert_same_arrays(found, expected):
    assert list(found) == sorted(expected)
    for name, array in expected.items():
        native = array.dtype.newbyteorder("=")
        assert found[name].dtype == native
        assert found[name].shape == array.shape
        assert found[name].tobytes() == array.astype(native).tobytes()


def assert_same(container, kind, arrays, metadata):
    assert container.kind == kind
    assert container.format_version == FORMAT_VERSION == 1
    assert container.library_version == "0.1.0"
    assert repr(container.metadata) == repr(metadata)  # tells 1 from 1.0, and 0.0 from -0.0
    assert_same_arrays(container.arrays, arrays)


# Round trips


NAMES = st.text(min_size=1, max_size=8)
SHAPES = hnp.array_shapes(min_dims=0, max_dims=5, min_side=0, max_side=5)
ANY_ARRAY = st.sampled_from([np.dtype(t) for t in DTYPES]).flatmap(
    lambda dtype: hnp.arrays(dtype, SHAPES)
)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
)
ANY_METADATA = st.dictionaries(
    st.text(), SCALARS | st.lists(SCALARS, max_size=3) | st.dictionaries(st.text(), SCALARS)
)


@given(st.text(min_size=1), st.dictionaries(NAMES, ANY_ARRAY, max_size=4), ANY_METADATA)
def test_round_trip(kind, arrays, metadata):
    data = to_bytes(kind, arrays, metadata, allow_nonfinite=arrays)
    container = from_bytes(data, kind)
    assert container.kind == kind
    assert container.metadata == metadata
    assert_same_arrays(container.arrays, arrays)
    assert container.allow_nonfinite == set(arrays)
    again = to_bytes(kind, container.arrays, container.metadata, allow_nonfinite=arrays)
    assert again == data


@given(hnp.arrays(np.float64, SHAPES, elements=st.floats(allow_nan=False, allow_infinity=False)))
def test_finite_floats_come_back_bit_by_bit(array):
    assert_same_arrays(from_bytes(to_bytes("test", {"a": array}, {})).arrays, {"a": array})


def test_a_large_file(tmp_path):
    arrays = {"x": np.random.default_rng(0).normal(size=(300, 2000)), "empty": np.empty((0, 3))}
    metadata = {"labels": [str(i) for i in range(10_000)]}
    write_container(tmp_path / "model.hm", "test", arrays, metadata)
    assert_same(read_container(tmp_path / "model.hm"), "test", arrays, metadata)


def test_nothing_but_a_kind():
    assert_same(from_bytes(to_bytes("test", {}, {})), "test", {}, {})


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(), (0,), (3, 0, 2), (1,) * 64, (17,)])
def test_every_dtype_and_shape(dtype, shape):
    arrays = {"a": np.ones(shape, dtype), "b": np.zeros(shape, dtype)}
    assert_same(from_bytes(to_bytes("test", arrays, {})), "test", arrays, {})


def test_arrays_own_their_memory():
    data = to_bytes("test", ARRAYS, {})
    for array in from_bytes(data).arrays.values():
        assert array.flags.owndata or array.base.flags.owndata
        assert array.flags.writeable
        assert array.flags.c_contiguous
        assert array.flags.aligned
        assert array.dtype.isnative
        array[...] = 1
    assert_same_arrays(from_bytes(data).arrays, ARRAYS)


def test_a_container_is_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        from_bytes(to_bytes("test", {}, {})).kind = "other"


# The same content, the same bytes


def test_the_order_of_the_mappings_does_not_matter():
    arrays = dict(reversed(ARRAYS.items()))
    metadata = dict(reversed(METADATA.items()))
    data = to_bytes("test", ARRAYS, METADATA, allow_nonfinite=["one", "mean"])
    assert to_bytes("test", arrays, metadata, allow_nonfinite={"mean", "one"}) == data


@pytest.mark.parametrize(
    "layout",
    [
        np.asfortranarray,
        lambda a: a[:, ::-1].copy()[:, ::-1],
        lambda a: np.repeat(a, 2, axis=0)[::2],
        lambda a: a.astype(a.dtype.newbyteorder(">")),
        lambda a: np.frombuffer(b"x" + a.tobytes(), a.dtype, offset=1).reshape(a.shape),
    ],
)
@pytest.mark.parametrize("dtype", DTYPES)
def test_layout_and_byte_order_do_not_matter(dtype, layout):
    array = np.arange(12).reshape(3, 4).astype(dtype)
    assert to_bytes("test", {"a": layout(array)}, {}) == to_bytes("test", {"a": array}, {})


def test_true_is_one_byte_whatever_the_memory_holds():
    array = np.array([0, 1, 2, 255], np.uint8).view(np.bool_)
    assert to_bytes("t", {"a": array}, {}) == to_bytes("t", {"a": np.arange(4) > 0}, {})


def test_the_bytes_themselves():
    header = header_of(
        row("a", "float64", [2], 0, 16),
        row("b", "bool", [3], 16, 3),
        row("c", "int64", [], 24, 8, True),
        row("é", "uint8", [0, 5], 32, 0),
        metadata={"k": [1.5, "ü"]},
    )
    body = struct.pack("<dd3B5xq", 1.5, -2.0, 1, 0, 1, -3)
    arrays = {
        "é": np.empty((0, 5), np.uint8),
        "b": np.array([True, False, True]),
        "c": np.array(-3),
        "a": np.array([1.5, -2.0]),
    }
    expected = build(header, body)
    assert to_bytes("test", arrays, {"k": [1.5, "ü"]}, allow_nonfinite=["c"]) == expected
    # A change of the format needs a new version, never new bytes for the old one.
    digest = "6d336b0ed762ffbfb5af96a1b289aea7b38f0bf3010d51fbc0746ee754fdc2b3"
    assert hashlib.sha256(expected).hexdigest() == digest


def test_the_reader_in_the_documentation(tmp_path, monkeypatch, capsys):
    text = (Path(__file__).parents[2] / "docs" / "model-files.md").read_text("utf-8")
    example, reader = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    monkeypatch.chdir(tmp_path)
    exec(example, {})
    assert capsys.readouterr().out == "(3, 2) 1e-06\n"
    write_container("model.hm", "test", ARRAYS, METADATA)
    names = {}
    exec(reader, names)
    kind, metadata, arrays = names["read"]("model.hm")
    assert (kind, metadata) == ("test", METADATA)
    assert arrays.keys() == ARRAYS.keys()
    for name, (shape, values) in arrays.items():
        assert np.array_equal(np.reshape(values, shape), ARRAYS[name])


# Damage


SMALL = build(
    header_of(
        row("a", "float64", [1], 0, 8),
        row("b", "bool", [3], 8, 3),
        row("c", "int64", [2], 16, 16),
        metadata={"k": 0.5, "text": "é"},
    ),
    struct.pack("<d3B5xqq", 0.1, 1, 0, 1, -3, 2**40),
)


def test_the_small_file_is_right():
    arrays = {
        "a": np.array([0.1]),
        "b": np.array([True, False, True]),
        "c": np.array([-3, 2**40]),
    }
    assert to_bytes("test", arrays, {"k": 0.5, "text": "é"}) == SMALL


def test_every_truncation_is_detected():
    for length in range(len(SMALL)):
        expected = f"{len(SMALL)} bytes expected" if length >= 28 else "at least 60 bytes expected"
        message = f"^the data given is truncated: {expected}, {length} found$"
        with pytest.raises(ModelFileError, match=message):
            from_bytes(SMALL[:length])


def test_every_truncation_of_a_file_is_detected(tmp_path):
    path = tmp_path / "model.hm"
    path.write_bytes(SMALL)
    for length in reversed(range(len(SMALL))):
        os.truncate(path, length)
        with pytest.raises(ModelFileError, match=f"is truncated: .* {length} found$"):
            read_container(path)


def test_every_corruption_of_a_byte_is_detected():
    damaged = bytearray(SMALL)
    messages = set()
    for position, change in itertools.product(range(len(SMALL)), range(1, 256)):
        damaged[position] ^= change
        with pytest.raises(ModelFileError) as caught:
            from_bytes(damaged)
        damaged[position] ^= change
        reason = str(caught.value)
        if position < 8:
            assert "not a harmonium file" in reason or "signature is damaged" in reason
        elif position >= 28 or position < 20:
            assert reason == ("the data given is damaged: its content does not match its checksum")
        else:
            assert re.search("is truncated|has extra bytes|claims to be", reason)
        messages.add(reason.split(":")[0])
    assert damaged == SMALL
    assert len(messages) == 5


def test_every_swap_of_neighbours_is_detected():
    for i in range(len(SMALL) - 1):
        damaged = SMALL[:i] + SMALL[i + 1 : i + 2] + SMALL[i : i + 1] + SMALL[i + 2 :]
        if damaged != SMALL:
            with pytest.raises(ModelFileError):
                from_bytes(damaged)


def test_there_is_one_file_for_a_content(monkeypatch):
    """Whatever else is accepted, were its checksum right, is what would be written for it."""
    accepted = 0
    content = bytearray(SMALL[:-32])
    for position, change in itertools.product(
        range(8, len(content)), (1, 2, 3, 4, 8, 16, 32, 64, 128, 255)
    ):
        content[position] ^= change
        data = bytes(content) + hashlib.sha256(content).digest()
        content[position] ^= change
        try:
            read = from_bytes(data)
        except ModelFileError:
            continue
        accepted += 1
        set_library_version(monkeypatch, read.library_version)
        again = to_bytes(
            read.kind, read.arrays, read.metadata, allow_nonfinite=read.allow_nonfinite
        )
        assert again == data
    assert accepted > 100


@pytest.mark.parametrize("extra", [b"\0", b"\n", SMALL])
def test_extra_bytes_are_detected(tmp_path, extra):
    path = tmp_path / "model.hm"
    path.write_bytes(SMALL + extra)
    message = f"has extra bytes at its end: {len(SMALL)} bytes expected, more found"
    for source in (path, path.read_bytes(), io.BytesIO(SMALL + extra)):
        with pytest.raises(ModelFileError, match=message):
            read_container(source)


@pytest.mark.parametrize(
    "convert",
    [
        lambda data: data.replace(b"\n", b"\r\n"),
        lambda data: data.replace(b"\r\n", b"\n"),
        lambda data: data.replace(b"\r", b"\n"),
        lambda data: data.replace(b"\n", b"\r"),
        lambda data: bytes(byte & 127 for byte in data),
        lambda data: data.decode("latin-1").encode(),
        lambda data: data.decode("utf-8", "replace").encode(),
    ],
)
def test_a_transfer_in_text_mode_is_recognised(convert):
    with pytest.raises(ModelFileError, match="transfer it again, in binary mode"):
        from_bytes(convert(SMALL))


# Lies: a right checksum over wrong claims

WIDE = 2**64 - 1
LIES = {
    "a header longer than the file": (
        build(header_of(), header_length=10**6),
        "a header of 1,000,000 bytes",
    ),
    "the longest header": (build(header_of(), header_length=WIDE), "claims a header of"),
    "a header into the checksum": (
        build(header_of(), header_length=len(build(header_of())) - 28),
        "claims a header of",
    ),
    "the longest file": (build(header_of(), length=WIDE), "is truncated: 18,446,744,073,709,551,6"),
    "a file without room": (build(header_of(), length=59), "claims to be 59 bytes long"),
    "no length": (build(header_of(), length=0), "claims to be 0 bytes long"),
    "a file shorter than it is": (build(header_of(), length=100), "extra bytes at its end"),
    "version 0": (build(header_of(), version=0), "no format version 0"),
    "no header": (build(b""), "header is not valid: Expecting value"),
    "a header cut short": (build(header_of(), header_length=20), "header is not valid"),
    "a header not UTF-8": (build(b'"\xff"'), "header is not valid: .*0xff"),
    "a header not canonical": (
        build(json.dumps(header_of()).encode()),
        "its header is not in canonical form",
    ),
    "a header in zeros": (build(header_of() | {"z": 0}), "its header has the unknown entry 'z'"),
    "a header not an object": (build([]), "its header is not an object"),
    "a header twice": (build(b'{"kind":"a","kind":"b"}'), "the key 'kind' occurs twice"),
    "deep metadata": (build(b"[" * 10**6), "nested too deeply"),
    "NaN in the metadata": (build(header_of(metadata={"a": float("nan")})), "NaN is not JSON"),
    "metadata not an object": (build(header_of(metadata=[])), "its metadata is not an object"),
    "no arrays": (build(header_of(arrays={})), "its header's arrays cannot be {}"),
    "a kind not text": (build(header_of(kind=1)), "its header's kind cannot be 1"),
    "an empty kind": (build(header_of(kind="")), "its header's kind cannot be ''"),
    "an empty version": (build(header_of(library_version="")), "library_version cannot be ''"),
    "padding of an array": (
        build(header_of(row(shape=[5], length=5)), b"abcde\0\1\0"),
        "the padding after the array 'a' is not zero",
    ),
    "a row not an object": (build(header_of([])), r"its table of arrays holds \[\], not"),
    "a row without a name": (build(header_of({})), "a row without a name"),
    "an empty name": (build(header_of(row("")), bytes(8)), "a row without a name"),
    "a name not text": (build(header_of(row(1)), bytes(8)), "a row without a name"),
    "no dtype": (
        build(header_of({key: value for key, value in row().items() if key != "dtype"}), bytes(8)),
        "the array 'a' has no dtype",
    ),
    "an entry too many": (
        build(header_of(row() | {"order": "F"}), bytes(8)),
        "the array 'a' has the unknown entry 'order'",
    ),
    **{
        f"dtype {dtype}": (
            build(header_of(row(dtype=dtype)), bytes(8)),
            f"the array 'a' has dtype {re.escape(repr(dtype))}, and only bool, float64, int64",
        )
        for dtype in ("float32", "object", "<f8", "|O", "", "complex128", None, 1, ["float64"])
    },
    **{
        f"shape {shape}": (
            build(header_of(row(shape=shape)), bytes(8)),
            "the array 'a' has the shape ",
        )
        for shape in (8, None, "8", [-8], [8.0], ["8"], [True] * 8, [[8]], [1] * 65, {"0": 8})
    },
    "a shape that overflows": (
        build(header_of(row(shape=[2**32, 2**32], length=0))),
        "too large for this machine",
    ),
    "an empty shape that overflows": (
        build(header_of(row(shape=[0, 2**32, 2**32], length=0))),
        "too large for this machine",
    ),
    "a length beyond 64 bits": (
        build(header_of(row(shape=[2**70], length=2**70))),
        "too large for this machine",
    ),
    "a shape too large for the length": (
        build(header_of(row(shape=[9])), bytes(8)),
        "the array 'a' claims 8 bytes, and uint8 of shape .9. takes 9",
    ),
    "a shape too small for the length": (
        build(header_of(row(dtype="float64", shape=[], length=16)), bytes(16)),
        "claims 16 bytes, and float64 of shape .. takes 8",
    ),
    "an array larger than the file": (
        build(header_of(row(shape=[2**50], length=2**50)), bytes(8)),
        "bytes 0 to 1,125,899,906,842,624 of the 8 bytes",
    ),
    "an array into the checksum": (
        build(header_of(row(shape=[16], length=16)), bytes(8)),
        "claims bytes 0 to 16 of the 8 bytes",
    ),
    "an array beyond the file": (
        build(header_of(row(offset=2**62)), bytes(8)),
        "of the 8 bytes that there are",
    ),
    "a negative offset": (build(header_of(row(offset=-8)), bytes(8)), "has offset -8"),
    "a fractional offset": (build(header_of(row(offset=0.0)), bytes(8)), "has offset 0.0"),
    "a length true": (build(header_of(row(shape=[1], length=True)), bytes(8)), "length True"),
    "an overlap": (
        build(header_of(row("a"), row("b")), bytes(8)),
        "the array 'b' is at offset 0 instead of 8, which overlaps the one before",
    ),
    "an overlap in part": (
        build(header_of(row("a", shape=[16], length=16), row("b", offset=8)), bytes(16)),
        "'b' is at offset 8 instead of 16, which overlaps",
    ),
    "an array not aligned": (
        build(
            header_of(row("a", shape=[3], length=3), row("b", shape=[5], offset=3, length=5)),
            bytes(8),
        ),
        "'b' is at offset 3 instead of 8",
    ),
    "a gap": (build(header_of(row(offset=8)), bytes(16)), "leaves a gap before it"),
    "bytes of no array": (
        build(header_of(row()), bytes(16)),
        "its arrays take 8 bytes, and there are 16",
    ),
    "bytes and no arrays": (build(header_of(), b"x"), "its arrays take 0 bytes, and there are 1"),
    "no padding at the end": (
        build(header_of(row(shape=[7], length=7)), bytes(7)),
        "its arrays take 8 bytes, and there are 7",
    ),
    "a name twice": (
        build(header_of(row("a"), row("a", offset=8)), bytes(16)),
        "the array 'a' occurs twice",
    ),
    "names out of order": (
        build(header_of(row("b"), row("a", offset=8)), bytes(16)),
        "the array 'a' is not in the order of the names",
    ),
    "a long name": (
        build(header_of(row("n" * 10**5, "float32")), bytes(8)),
        r"the array 'n+\.\.\.n+' has dtype 'float32'",
    ),
    "a long key": (
        build(f'{{"{"k" * 10**5}":1e999}}'.encode()),
        r"its header is not valid: its header\['kkk",
    ),
    "a flag not boolean": (
        build(header_of(row(allow_nonfinite=1)), bytes(8)),
        "allow_nonfinite that is not true or false",
    ),
    "NaN": (
        build(
            header_of(row("a", "float64", [2, 2], 0, 32)),
            struct.pack("<4d", 0, 1, float("nan"), float("inf")),
        ),
        r"'a' holds 2 non-finite among its 4 values, the first \(nan\) at index \[1, 0\]",
    ),
    "a single infinity": (
        build(header_of(row("a", "float64", [], 0, 8)), struct.pack("<d", -float("inf"))),
        r"the first \(-inf\) at index \[\]",
    ),
    "a boolean of 2": (
        build(header_of(row("a", "bool", [8], 0, 8)), b"\0\1\2\0\0\0\0\0"),
        "of dtype bool holds bytes above 1",
    ),
}


@pytest.mark.parametrize("lie", LIES)
def test_lies_are_detected(lie):
    data, message = LIES[lie]
    for source in (data, io.BytesIO(data)):
        with pytest.raises(ModelFileError, match=message) as caught:
            read_container(source)
        assert len(str(caught.value)) < 600


def test_the_padding_of_the_header_is_zero():
    lengths = set()
    for kind in ("k" * n for n in range(1, 9)):
        content = bytearray(to_bytes(kind, {}, {})[:-32])
        padding = range(28 + struct.unpack_from("<Q", content, 12)[0], len(content))
        lengths.add(len(padding))
        for position in padding:
            content[position] = 1
            with pytest.raises(ModelFileError, match="the padding after its header is not zero"):
                from_bytes(content + hashlib.sha256(content).digest())
            content[position] = 0
    assert lengths == set(range(8))


def test_the_builder_of_lies_can_tell_the_truth():
    container = from_bytes(build(header_of(row()), b"12345678"), "test")
    assert container.arrays["a"].tobytes() == b"12345678"


@pytest.mark.parametrize("lie", [lie for lie in LIES if re.search("long|large|beyond|over", lie)])
def test_no_claim_is_allocated(lie, tmp_path):
    (tmp_path / "model.hm").write_bytes(LIES[lie][0])
    tracemalloc.start()
    try:
        with pytest.raises(ModelFileError):
            read_container(tmp_path / "model.hm")
        assert tracemalloc.get_traced_memory()[1] < 4_000_000
    finally:
        tracemalloc.stop()


def test_an_endless_file_is_not_read_to_its_end():
    class Endless(io.RawIOBase):
        def __init__(self):
            self.given = 0

        def read(self, size=-1):
            assert size >= 0
            block = (SMALL + bytes(size))[self.given : self.given + size]
            self.given += len(block)
            return block

    endless = Endless()
    with pytest.raises(ModelFileError, match="extra bytes"):
        read_container(endless)
    assert endless.given == len(SMALL) + 1


@pytest.mark.parametrize("version", [2, 3, 2**32 - 1])
def test_a_newer_format(version):
    data = build(b"whatever it will be", version=version)
    message = (
        f"^the data given has format version {version}, and harmonium 0.1.0 reads up to version 1: "
        "upgrade harmonium$"
    )
    with pytest.raises(ModelFileError, match=message):
        from_bytes(data)
    with pytest.raises(ModelFileError, match="is damaged: its content does not match"):
        from_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    with pytest.raises(ModelFileError, match="is truncated"):
        from_bytes(data[:-1])


# What is no harmonium file


class Exploding:
    def __reduce__(self):
        return (os._exit, (1,))


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize(
    "content", [{"a": 1}, [1.5, "x"], np.ones(3), np.random.default_rng(), object(), Exploding()]
)
def test_pickles_are_recognised_and_never_loaded(tmp_path, content, protocol):
    path = tmp_path / "model.hm"
    path.write_bytes(pickle.dumps(content, protocol))
    message = "is not a harmonium file"
    if protocol > 1 or not isinstance(content, Exploding):
        message += " but a pickle: harmonium never loads pickles"
    for source in (path, path.read_bytes()):
        with pytest.raises(ModelFileError, match=message):
            read_container(source)


def saved(save):
    buffer = io.BytesIO()
    save(buffer)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (saved(lambda file: np.savez(file, a=np.ones(3))), "but a zip archive"),
        (saved(lambda file: zipfile.ZipFile(file, "w").close()), "but an empty zip archive"),
        (b"PK\x07\x08PK\x03\x04", "but a zip archive in parts"),
        (saved(lambda file: np.save(file, np.ones(3))), "but a NumPy .npy file"),
        (gzip.compress(SMALL), "but a gzip archive"),
        (b"\x89HDF\r\n\x1a\n" + bytes(100), "but an HDF5 file"),
        (b"\x89PNG\r\n\x1a\n" + bytes(100), r"it starts with b'\\x89PNG\\r\\n\\x1a\\n', not b'"),
        (b'{"a": 1}', "it starts with b'{\"a\": 1}'"),
        (b"x", "it starts with b'x'"),
        (bytes(1000), "it starts with"),
        (b"", "is truncated: at least 60 bytes expected, 0 found"),
    ],
)
def test_other_files_are_recognised(tmp_path, data, message):
    path = tmp_path / "model.hm"
    path.write_bytes(data)
    for source, called in (
        (path, repr(str(path))),
        (str(path), repr(str(path))),
        (data, "the data given"),
        (io.BytesIO(data), "the file given"),
    ):
        with pytest.raises(ModelFileError, match=message) as caught:
            read_container(source)
        assert str(caught.value).startswith(f"{called} is ")


def test_another_kind(tmp_path):
    write_container(tmp_path / "model.hm", "estimator", {}, {})
    assert read_container(tmp_path / "model.hm").kind == "estimator"
    message = r"model.hm' is of another kind: it holds 'estimator', not the 'model' asked for"
    with pytest.raises(ModelFileError, match=message):
        read_container(tmp_path / "model.hm", "model")


# Where it is read from


def test_every_source(tmp_path):
    path = tmp_path / "model.hm"
    write_container(path, "test", ARRAYS, METADATA)
    data = to_bytes("test", ARRAYS, METADATA)
    assert path.read_bytes() == data
    late = io.BytesIO(b"before" + data)
    late.seek(6)
    expected = dict(sorted(METADATA.items()))
    for source in (
        str(path),
        path,
        data,
        bytearray(data),
        memoryview(data),
        io.BytesIO(data),
        late,
    ):
        assert_same(read_container(source, "test"), "test", ARRAYS, expected)
    for buffering in (-1, 0):
        with open(path, "rb", buffering=buffering) as file:
            assert_same(read_container(file), "test", ARRAYS, expected)


def test_a_pipe_that_gives_a_few_bytes_at_a_time():
    class Slow(io.RawIOBase):
        def __init__(self, data):
            self.rest = data

        def read(self, size=-1):
            block, self.rest = self.rest[: min(size, 3)], self.rest[min(size, 3) :]
            return block

    assert from_bytes(SMALL).metadata == read_container(Slow(SMALL)).metadata
    with pytest.raises(ModelFileError, match="is truncated"):
        read_container(Slow(SMALL[:-1]))


def test_the_name_of_a_file_object_is_in_the_message(tmp_path):
    path = tmp_path / "model.hm"
    path.write_bytes(SMALL[:-1])
    with open(path, "rb") as file, pytest.raises(ModelFileError) as caught:
        read_container(file)
    assert str(caught.value).startswith(f"{str(path)!r} is truncated")


@pytest.mark.parametrize("source", [3, None, [SMALL], np.frombuffer(SMALL, np.uint8)])
def test_what_cannot_be_read_from(source):
    with pytest.raises(TypeError, match="source must be a path, a binary file or bytes"):
        read_container(source)
    with pytest.raises(TypeError, match="data must be bytes"):
        from_bytes(source)


def test_a_file_in_text_mode():
    with pytest.raises(TypeError, match="opened in binary mode: reading gave str"):
        read_container(io.StringIO("text"))


def test_ordinary_errors_of_paths(tmp_path):
    with pytest.raises(FileNotFoundError):
        read_container(tmp_path / "missing.hm")
    with pytest.raises(IsADirectoryError):
        read_container(tmp_path)
    with pytest.raises(FileNotFoundError):
        write_container(tmp_path / "missing" / "model.hm", "test", {}, {})
    with pytest.raises(IsADirectoryError):
        write_container(tmp_path, "test", {}, {})


@pytest.mark.parametrize("kind", ["", 3])
def test_a_kind_that_cannot_be_asked_for(kind):
    with pytest.raises((TypeError, ValueError), match="kind must"):
        from_bytes(SMALL, kind)


# What is written


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_non_finite_values_are_refused_unless_allowed(value):
    arrays = {"a": np.array([[0.0, value], [1.0, np.nan]]), "b": np.zeros(1)}
    message = r"arrays\['a'\] holds 2 non-finite among its 4 values, the first .* at index \[0, 1\]"
    for allowed in ((), ["b"]):
        with pytest.raises(ValueError, match=message):
            to_bytes("test", arrays, {}, allow_nonfinite=allowed)
    container = from_bytes(to_bytes("test", arrays, {}, allow_nonfinite=["a"]))
    assert_same_arrays(container.arrays, arrays)
    assert container.allow_nonfinite == {"a"}


def test_the_payload_of_a_nan_is_kept():
    array = np.array([0x7FF8000000000001, 0xFFF0DEADBEEF0001], np.uint64).view(np.float64)
    container = from_bytes(to_bytes("test", {"a": array}, {}, allow_nonfinite={"a"}))
    assert container.arrays["a"].tobytes() == array.tobytes()


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (("", {}, {}), ValueError, "kind must not be empty"),
        ((b"test", {}, {}), TypeError, "kind must be a string, not bytes"),
        (("\ud800", {}, {}), ValueError, "lone surrogate"),
        (("t", [np.ones(1)], {}), TypeError, "arrays must be a mapping, not list"),
        (("t", {}, [1]), TypeError, "metadata must be a mapping, not list"),
        (("t", {1: np.ones(1)}, {}), TypeError, "a name in arrays must be a string, not int"),
        (("t", {"": np.ones(1)}, {}), ValueError, "a name in arrays must not be empty"),
        (("t", {"\ud800": np.ones(1)}, {}), ValueError, "lone surrogate"),
        (("t", {"a": [1.0]}, {}), TypeError, r"arrays\['a'\] must be an array, not list"),
        (("t", {"a": 1.0}, {}), TypeError, r"arrays\['a'\] must be an array, not float"),
        (("t", {"a": np.ma.zeros(3)}, {}), TypeError, "mask would be lost"),
        *(
            (("t", {"a": np.zeros(3, dtype)}, {}), TypeError, "has dtype .* convert it with astype")
            for dtype in (
                "f2",
                "f4",
                "g",
                "i4",
                "u8",
                "c16",
                "O",
                "U3",
                "S8",
                "M8[s]",
                "m8[s]",
                "V8",
            )
        ),
        (("t", {"a": np.zeros(3, "f8,i8")}, {}), TypeError, "convert it with astype"),
        (("t", {}, {"a": float("nan")}), ValueError, r"metadata\['a'\] is nan"),
        (("t", {}, {"a": [1, float("inf")]}), ValueError, r"metadata\['a'\]\[1\] is inf"),
        (("t", {}, {"a": (1, 2)}), TypeError, r"metadata\['a'\] is of type tuple"),
        (("t", {}, {"a": {2: 3}}), TypeError, r"metadata\['a'\] has the key 2"),
    ],
)
def test_what_cannot_be_written(tmp_path, arguments, error, message):
    path = tmp_path / "model.hm"
    path.write_bytes(SMALL)
    with pytest.raises(error, match=message) as caught:
        write_container(path, *arguments)
    assert not isinstance(caught.value, ModelFileError)  # nothing is wrong with the file
    assert path.read_bytes() == SMALL
    assert os.listdir(tmp_path) == ["model.hm"]


def test_metadata_as_deep_as_can_be_written_can_be_read():
    def nested(levels):
        value = {}
        for _ in range(levels - 1):
            value = {"a": value}
        return value

    assert from_bytes(to_bytes("t", {}, nested(99))).metadata == nested(99)
    with pytest.raises(ValueError, match=r"metadata.* nested deeper than 99 levels"):
        to_bytes("t", {}, nested(100))


def test_allow_nonfinite_must_name_arrays():
    with pytest.raises(TypeError, match=r"a collection of names: \['a'\]"):
        to_bytes("t", {"a": np.ones(1)}, {}, allow_nonfinite="a")
    with pytest.raises(ValueError, match="names 'b', which is not in arrays"):
        to_bytes("t", {"a": np.ones(1)}, {}, allow_nonfinite=["b"])


def test_strict_floating_point_and_warnings_change_nothing():
    signalling = np.array([0x7FF0000000000001], np.uint64).view(np.float64)
    arrays = {"a": np.array([5e-324, 1.7e308]), "b": signalling}
    data = to_bytes("t", arrays, {}, allow_nonfinite=["b"])
    with np.errstate(all="raise"), warnings.catch_warnings():
        warnings.simplefilter("error")
        assert to_bytes("t", arrays, {}, allow_nonfinite=["b"]) == data
        assert_same_arrays(from_bytes(data).arrays, arrays)


def test_the_version_is_that_of_the_library(monkeypatch):
    monkeypatch.undo()
    version = from_bytes(to_bytes("t", {}, {})).library_version
    assert re.fullmatch(r"unknown|\d+\.\d+.*", version)


# Saving


@pytest.mark.parametrize("function", ["fsync", "replace"])
@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError(errno.ENOSPC, "No space left")])
def test_an_interrupted_save_leaves_the_old_model(tmp_path, monkeypatch, function, error):
    path = tmp_path / "model.hm"
    write_container(path, "test", ARRAYS, METADATA)
    before = path.read_bytes()

    def interrupted(*arguments):
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(os, function, interrupted)
        with pytest.raises((KeyboardInterrupt, OSError)):
            write_container(path, "test", {"other": np.ones(10_000)}, {})
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["model.hm"]
    write_container(path, "test", {"other": np.ones(10_000)}, {})
    assert list(read_container(path).arrays) == ["other"]
