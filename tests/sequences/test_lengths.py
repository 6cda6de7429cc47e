"""Lengths of sequences: what they mean, and what they can not be."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harmonium.sequences.lengths import as_offsets, row_weights, rows_of, sequence_weights

lengths_lists = st.lists(st.integers(1, 9), min_size=1, max_size=8)


@given(lengths_lists)
def test_sequences_tile_the_table(lengths: list[int]) -> None:
    rows = np.arange(sum(lengths))
    offsets = as_offsets(lengths, len(rows))
    parts = [rows[a:b] for a, b in itertools.pairwise(offsets)]
    assert [len(part) for part in parts] == lengths
    assert np.array_equal(np.concatenate(parts), rows)
    for same in (tuple(lengths), np.array(lengths), np.array(lengths, dtype=np.uint8)):
        assert np.array_equal(as_offsets(same, len(rows)), offsets)


def test_none_is_one_sequence() -> None:
    assert as_offsets(None, 7).tolist() == [0, 7]


@pytest.mark.parametrize(
    ("lengths", "error", "words"),
    [
        ([], ValueError, "lengths: empty"),
        ([3, 0, 2], ValueError, r"lengths\[1\] is 0"),
        ([3, -1, 3], ValueError, r"lengths\[1\] must be at least 0, not -1"),
        ([2, 2], ValueError, "the 2 lengths add up to 4, but x has 5 rows"),
        ([2**62, 2**62, 2**62], ValueError, "add up to 13835058055282163712"),
        ([2.0, 3.0], TypeError, r"lengths\[0\] must be an integer"),
        (np.array([2.5, 2.5]), TypeError, r"lengths\[0\] must be an integer"),
        ([True, 4], TypeError, r"lengths\[0\] must be an integer"),
        (5, TypeError, "for a single sequence of 5 rows leave it out"),
        (5.0, TypeError, "must be a list of integers"),
        ("23", TypeError, "must be a list of integers"),
        (np.array([[2, 3]]), ValueError, "one-dimensional"),
    ],
)
def test_what_lengths_are_not(lengths: object, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        as_offsets(lengths, 5)


def test_the_messages_name_the_arguments() -> None:
    with pytest.raises(ValueError, match="spans: the 1 lengths add up to 4, but X has 5 rows"):
        as_offsets([4], 5, name="spans", data="X")


def test_weights() -> None:
    offsets = as_offsets([2, 3], 5)
    weights = sequence_weights([2, 0], offsets)
    assert weights is not None
    repeated = row_weights(weights, offsets)
    assert repeated is not None
    assert repeated.tolist() == [2, 2, 0, 0, 0]
    assert row_weights(sequence_weights(None, offsets), offsets) is None
    with pytest.raises(ValueError, match="weights must have 2 entries"):
        sequence_weights([1, 1, 1], offsets)
    mask, kept = rows_of(weights > 0, offsets)
    assert mask.tolist() == [True, True, False, False, False]
    assert kept.tolist() == [0, 2]
