"""Sequences as data: a table that is read again and again, whole or in segments."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from harmonium.expectation.sources import BLOCK_ROWS, Block
from harmonium.learning.standardisation import Standardisation
from harmonium.sequences.lengths import Offsets, row_weights, rows_of
from harmonium.validation import FloatArray

#: Fewest rows of a segment.
_SEGMENT_ROWS = 4096


@dataclass(frozen=True, eq=False)
class Sequences:
    """Sequences one below the other, NaN where missing, with a weight for each sequence.

    A block source: to what needs rows alone, each row has its sequence's weight. With
    ``checkpoint`` expectations take memory in proportion to the square root of the rows.
    """

    x: FloatArray
    offsets: Offsets
    weights: FloatArray | None = None
    checkpoint: bool = False

    @property
    def n_features(self) -> int:
        """How many columns."""
        return int(self.x.shape[1])

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def blocks(self) -> Iterator[Block]:
        """Yield blocks of rows with the weights of their sequences."""
        weights = row_weights(self.weights, self.offsets)
        for start in range(0, len(self.x), BLOCK_ROWS):
            rows = slice(start, start + BLOCK_ROWS)
            yield self.x[rows], None if weights is None else weights[rows]

    def heavy(self) -> "Sequences":
        """Return the sequences that have weight: the others influence not even a rounding."""
        if self.weights is None or self.weights.all():
            return self
        kept = self.weights > 0
        rows, offsets = rows_of(kept, self.offsets)
        return Sequences(self.x[rows], offsets, self.weights[kept], self.checkpoint)

    def standardised(self, standardisation: Standardisation) -> "Sequences":
        """Return the sequences in standard coordinates."""
        x = standardisation.apply(self.x)
        return Sequences(x, self.offsets, self.weights, self.checkpoint)

    def weight_of_rows(self) -> float:
        """Total weight of all rows."""
        if self.weights is None:
            return float(len(self.x))
        return float(self.weights @ np.diff(self.offsets))

    def segment_rows(self) -> int:
        """How many rows are held at once where memory is to be saved."""
        return max(_SEGMENT_ROWS, int(np.ceil(np.sqrt(len(self.x)))))

    def groups(self) -> Iterator[tuple[slice, Offsets, FloatArray | None]]:
        """Yield neighbouring sequences of about a segment's rows: rows, own offsets, weights."""
        most, first = self.segment_rows(), 0
        for last in range(len(self)):
            if self.offsets[last + 1] - self.offsets[first] >= most or last + 1 == len(self):
                # a sequence longer than a segment is on its own
                own = [range(first, last + 1)]
                if last > first and self.offsets[last + 1] - self.offsets[last] > most:
                    own = [range(first, last), range(last, last + 1)]
                for members in own:
                    yield self._group(members)
                first = last + 1

    def _group(self, members: range) -> tuple[slice, Any, FloatArray | None]:
        offsets = self.offsets[members.start : members.stop + 1]
        weights = None if self.weights is None else self.weights[members.start : members.stop]
        return slice(int(offsets[0]), int(offsets[-1])), offsets - offsets[0], weights
