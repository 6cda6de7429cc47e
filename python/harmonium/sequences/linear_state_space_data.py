"""Sequences with inputs, as linear state-space models read them."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from harmonium.expectation.sources import BLOCK_ROWS, Block
from harmonium.sequences.lengths import (
    Offsets,
    as_offsets,
    row_weights,
    rows_of,
    sequence_weights,
)
from harmonium.validation import FloatArray, as_table

#: Bytes of steps that are held at once: covariances at every row, where values are missing.
_HELD = 1 << 26
#: Fewest rows between two checkpoints.
_LEAST_ROWS = 256


@dataclass(frozen=True, eq=False)
class DrivenSequences:
    """Sequences (n, p) one below the other, NaN where missing, and their inputs (n, k).

    A block source: to what needs rows alone, each row has its sequence's weight.
    """

    x: FloatArray
    inputs: FloatArray
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

    def heavy(self) -> "DrivenSequences":
        """Return the sequences that have weight: the others influence not even a rounding."""
        if self.weights is None or self.weights.all():
            return self
        kept = self.weights > 0
        rows, offsets = rows_of(kept, self.offsets)
        return replace(
            self,
            x=np.ascontiguousarray(self.x[rows]),
            inputs=np.ascontiguousarray(self.inputs[rows]),
            offsets=offsets,
            weights=self.weights[kept],
        )

    def weight_of_rows(self) -> float:
        """Total weight of all rows."""
        if self.weights is None:
            return float(len(self.x))
        return float(self.weights @ np.diff(self.offsets))

    def held_rows(self, n_states: int) -> int:
        """How many rows' steps are held at once; the rest is filtered again on the way back."""
        n = len(self.x)
        if self.checkpoint:
            return max(_LEAST_ROWS, int(np.ceil(np.sqrt(n))))
        step = 8 * (16 * n_states**2 + 4 * n_states * self.n_features + 64)
        return max(_LEAST_ROWS, min(n, _HELD // step))


def as_driven(
    x: object,
    lengths: object,
    inputs: object,
    *,
    n_observed: int,
    n_inputs: int,
    weights: object = None,
    checkpoint: bool = False,
    empty_columns: bool = True,
) -> DrivenSequences:
    """Return sequences from what people pass; errors as of `as_table` and `as_offsets`."""
    table = as_table(x, name="x", missing=True, empty_columns=empty_columns, n_features=n_observed)
    offsets = as_offsets(lengths, len(table))
    return DrivenSequences(
        table,
        as_inputs(inputs, len(table), n_inputs),
        offsets,
        sequence_weights(weights, offsets),
        checkpoint,
    )


def as_inputs(inputs: object, n_rows: int, n_inputs: int, name: str = "inputs") -> FloatArray:
    """Return inputs (n_rows, n_inputs); ValueError where they lack or are too many."""
    if n_inputs == 0:
        if inputs is not None:
            raise ValueError(f"{name}: the model has none; make it with n_inputs=")
        return np.zeros((n_rows, 0))
    if inputs is None:
        raise ValueError(f"{name}: the model has {n_inputs}: pass a table of {n_rows} rows")
    table = as_table(inputs, name=name, n_features=n_inputs)
    if len(table) != n_rows:
        raise ValueError(f"{name}: {len(table)} rows, but there must be {n_rows}")
    return table
