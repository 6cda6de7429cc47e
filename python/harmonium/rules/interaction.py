"""Where the entries of an interaction lie: blocks of statistics that meet, within one matrix."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from harmonium.families.base import Indices
from harmonium.validation import FloatArray


class Block(NamedTuple):
    """Statistics of the observable (rows) that meet statistics of the latent (columns)."""

    rows: Indices
    columns: Indices


class InteractionShape:
    """The smallest matrix that holds all blocks; entries outside the blocks are zero."""

    def __init__(self, blocks: Sequence[Block]) -> None:
        self.rows: Indices = np.unique(np.concatenate([block.rows for block in blocks]))
        self.columns: Indices = np.unique(np.concatenate([block.columns for block in blocks]))
        places = [
            np.meshgrid(
                np.searchsorted(self.rows, block.rows),
                np.searchsorted(self.columns, block.columns),
                indexing="ij",
            )
            for block in blocks
        ]
        self._i = np.concatenate([place[0].ravel() for place in places])
        self._j = np.concatenate([place[1].ravel() for place in places])
        #: Rows and columns of the entries in the matrix.
        self.places = (self._i, self._j)
        #: How many entries the blocks have.
        self.size = len(self._i)

    def matrix(self, entries: FloatArray) -> FloatArray:
        """Return matrices (..., rows, columns) of the blocks' entries (..., size)."""
        out = np.zeros((*entries.shape[:-1], len(self.rows), len(self.columns)))
        out[..., self._i, self._j] = entries
        return out

    def entries(self, matrix: FloatArray) -> FloatArray:
        """Return the blocks' entries (..., size) of matrices (..., rows, columns)."""
        return matrix[..., self._i, self._j]
