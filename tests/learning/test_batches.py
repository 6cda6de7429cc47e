"""Lots of rows: every row once an epoch, in an order that the seed decides."""

import itertools
from collections.abc import Iterator

import numpy as np
import pytest

from harmonium.expectation import ArraySource, FunctionSource, Source
from harmonium.expectation.sources import BLOCK_ROWS
from harmonium.learning.batches import Batches
from harmonium.validation import FloatArray


def lots(source: Source, size: int, n: int, seed: int = 0) -> list[ArraySource]:
    found = list(itertools.islice(Batches(source, size, np.random.default_rng(seed)), n))
    assert all(isinstance(lot, ArraySource) for lot in found)
    return found  # type: ignore[return-value]


def rows(n: int) -> FloatArray:
    return np.arange(float(n))[:, None]


class TestTables:
    def test_every_row_once_an_epoch(self) -> None:
        found = lots(ArraySource(rows(10)), 3, 12)
        assert [len(lot.x) for lot in found] == [3, 3, 3, 1] * 3
        epochs = [np.concatenate([lot.x for lot in found[i : i + 4]]).ravel() for i in (0, 4, 8)]
        for epoch in epochs:
            assert sorted(epoch) == list(range(10))
        assert not np.array_equal(epochs[0], epochs[1])

    def test_by_seed(self) -> None:
        first, second, third = (lots(ArraySource(rows(10)), 3, 8, seed) for seed in (1, 1, 2))
        assert all(np.array_equal(a.x, b.x) for a, b in zip(first, second, strict=True))
        assert not all(np.array_equal(a.x, b.x) for a, b in zip(first, third, strict=True))

    def test_weights_go_along(self) -> None:
        weights = np.arange(10.0) + 1
        batches = Batches(ArraySource(rows(10), weights), 5, np.random.default_rng(0))
        first, second = itertools.islice(batches, 2)
        for lot in (first, second):
            assert isinstance(lot, ArraySource)
            np.testing.assert_array_equal(lot.weights, lot.x[:, 0] + 1)
        assert batches.share(first) + batches.share(second) == pytest.approx(2)
        assert batches.share(first) == pytest.approx(first.weights.sum() / (5 * 5.5))

    def test_larger_than_the_table(self) -> None:
        found = lots(ArraySource(rows(4)), 100, 2)
        assert [len(lot.x) for lot in found] == [4, 4]

    def test_the_whole(self) -> None:
        source = ArraySource(rows(4))
        batches = Batches(source, None, np.random.default_rng(0))
        assert batches.is_whole
        assert all(lot is source for lot in itertools.islice(batches, 3))
        assert batches.share(source) == 1.0


class TestStreams:
    def source(self, n: int) -> FunctionSource:
        def read() -> Iterator[FloatArray]:
            yield from np.array_split(rows(n), 7)

        return FunctionSource(read, 1)

    def test_as_tables_where_one_block_holds_all(self) -> None:
        stream, table = lots(self.source(20), 6, 9), lots(ArraySource(rows(20)), 6, 9)
        assert all(np.array_equal(a.x, b.x) for a, b in zip(stream, table, strict=True))

    def test_block_by_block(self) -> None:
        found = lots(self.source(BLOCK_ROWS + 100), 30_000, 4)
        assert [len(lot.x) for lot in found] == [30_000, 30_000, BLOCK_ROWS - 60_000, 100]
        assert found[3].x.min() == BLOCK_ROWS
        epoch = np.concatenate([lot.x for lot in found]).ravel()
        assert np.array_equal(np.sort(epoch), np.arange(BLOCK_ROWS + 100))
