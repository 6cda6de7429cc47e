"""The same values give the same bits, whatever the layout; no input is ever written to."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from harmonium.validation import as_table

Layout = Callable[[NDArray[Any]], NDArray[Any]]


def fortran(x: NDArray[Any]) -> NDArray[Any]:
    return np.asfortranarray(x)


def swapped(x: NDArray[Any]) -> NDArray[Any]:
    return x.astype(x.dtype.newbyteorder())


def strided(x: NDArray[Any]) -> NDArray[Any]:
    wide = np.zeros((2 * x.shape[0], 3 * x.shape[1]), x.dtype)
    wide[::2, 1::3] = x
    return wide[::2, 1::3]


def reversed_strides(x: NDArray[Any]) -> NDArray[Any]:
    return x[::-1, ::-1].copy()[::-1, ::-1]


def read_only(x: NDArray[Any]) -> NDArray[Any]:
    x = x.copy()
    x.flags.writeable = False
    return x


def unaligned(x: NDArray[Any]) -> NDArray[Any]:
    memory = np.zeros(x.nbytes + 1, np.uint8)
    result = memory[1:].view(x.dtype).reshape(x.shape)
    result[...] = x
    return result


def as_objects(x: NDArray[Any]) -> NDArray[Any]:
    return x.astype(object)


def unmasked(x: NDArray[Any]) -> NDArray[Any]:
    return x.view(np.ma.MaskedArray)


LAYOUTS: list[Layout] = [
    fortran,
    swapped,
    strided,
    reversed_strides,
    read_only,
    unaligned,
    as_objects,
    unmasked,
]

SHAPES = hnp.array_shapes(min_dims=2, max_dims=2, max_side=7)
FLOATS = st.sampled_from([np.float16, np.float32, np.float64]).flatmap(
    lambda dtype: hnp.arrays(dtype, SHAPES, elements={"allow_nan": False, "allow_infinity": False})
)
INTEGERS = hnp.integer_dtypes(sizes=(8, 16, 32)).flatmap(lambda dtype: hnp.arrays(dtype, SHAPES))


def bits(x: NDArray[Any]) -> bytes:
    return np.ascontiguousarray(x).tobytes()


@pytest.mark.parametrize("layout", LAYOUTS)
@given(x=st.one_of(FLOATS, INTEGERS))
def test_same_bits_in_any_layout(layout: Layout, x: NDArray[Any]) -> None:
    given_table = layout(x)
    before = bits(np.asarray(given_table))
    result = as_table(given_table)
    assert result.dtype == np.float64
    assert result.dtype.isnative
    assert result.flags.c_contiguous
    assert result.flags.aligned
    assert bits(result) == bits(x.astype(np.float64))
    assert bits(np.asarray(given_table)) == before
    ready = (
        given_table.dtype == np.float64
        and given_table.flags.c_contiguous
        and given_table.flags.aligned
    )
    assert np.shares_memory(result, given_table) == ready


@given(x=FLOATS, n_rows=st.integers(2, 5))
def test_broadcast_rows_and_columns(x: NDArray[Any], n_rows: int) -> None:
    for repeated in (
        np.broadcast_to(x[0], (n_rows, x.shape[1])),
        np.broadcast_to(x[:, :1], (x.shape[0], n_rows)),
    ):
        assert 0 in repeated.strides
        result = as_table(repeated)
        assert bits(result) == bits(repeated.astype(np.float64))
        result[...] = 0.5  # a copy with memory of its own for every entry
        assert (result == 0.5).all()


@given(x=hnp.arrays(np.float64, SHAPES, elements={"allow_infinity": False}))
def test_lists_and_missing_values(x: NDArray[np.float64]) -> None:
    from_list = as_table(x.tolist(), missing=True, empty_columns=True)
    masked = np.ma.masked_invalid(x)
    from_mask = as_table(masked, missing=True, empty_columns=True)
    np.testing.assert_array_equal(from_list, x)
    np.testing.assert_array_equal(from_mask, x)
    assert bits(masked.data) == bits(x)


@given(x=hnp.arrays(np.float64, SHAPES))
def test_the_first_of_the_entries_that_are_not_finite_is_named(x: NDArray[np.float64]) -> None:
    finite = np.isfinite(x)
    if finite.all():
        assert as_table(x) is x
        return
    with pytest.raises(ValueError, match="Input X contains") as caught:
        as_table(x)
    kind = np.isnan(x) if np.isnan(x).any() else np.isinf(x)
    row, column = np.argwhere(kind)[0]
    assert f"{kind.sum()} of {x.size} entries" in str(caught.value)
    assert f"the first at row {row}, column {column}" in str(caught.value)


def test_memory_map_in_fortran_order(tmp_path: Path) -> None:
    x = np.asfortranarray(np.arange(12.0).reshape(3, 4))
    np.save(tmp_path / "x.npy", x)
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    assert not mapped.flags.c_contiguous
    assert bits(as_table(mapped)) == bits(np.ascontiguousarray(x))
