"""Rows in small lots: shuffled, again and again, the same for a seed."""

from collections.abc import Iterator

import numpy as np

from harmonium.expectation import ArraySource, Source
from harmonium.validation import FloatArray


class Batches:
    """Lots of ``size`` rows without end, or the whole source again and again where it is None.

    Each epoch goes through all rows once, in a new order: of a table the order is of all rows; of
    other sources, which are read block by block, of those within a block. The last lot of an epoch,
    or of a block, may be smaller.
    """

    def __init__(self, source: Source, size: int | None, rng: np.random.Generator) -> None:
        self.source = source
        self.size = size
        self._rng = rng
        #: Average weight of a row: with it a lot's sums are unbiased for those of all rows.
        self.weight = 1.0 if size is None else _average_weight(source)

    @property
    def is_whole(self) -> bool:
        """Whether a lot is everything."""
        return self.size is None

    def __iter__(self) -> Iterator[Source]:
        """Yield sources of one lot each."""
        if self.size is None:
            while True:
                yield self.source
        while True:
            for x, weights in self._tables():
                order = self._rng.permutation(len(x))
                for start in range(0, len(x), self.size):
                    rows = np.sort(order[start : start + self.size])
                    yield ArraySource(
                        np.ascontiguousarray(x[rows]), None if weights is None else weights[rows]
                    )

    def _tables(self) -> Iterator[tuple[FloatArray, FloatArray | None]]:
        if isinstance(self.source, ArraySource):
            yield self.source.x, self.source.weights
        else:
            yield from self.source.blocks()

    def share(self, lot: Source) -> float:
        """Return what a lot counts for: its weight over that of as many average rows."""
        if self.size is None or not isinstance(lot, ArraySource) or lot.weights is None:
            return 1.0
        return float(lot.weights.sum()) / (len(lot.x) * self.weight)


def _average_weight(source: Source) -> float:
    total, rows = 0.0, 0
    for x, weights in source.blocks():
        rows += len(x)
        total += float(len(x) if weights is None else weights.sum())
    if total <= 0:
        raise ValueError("x: no rows with positive weight")
    return total / rows
