"""Where data come from: anything that can be read again, in blocks of rows."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np

from harmonium.validation import FloatArray, as_table, as_vector, as_weights

#: Rows of a block: the same for every source, so that the same rows give the same bits.
BLOCK_ROWS = 65_536

#: A block of rows and their weights (None: one each).
Block = tuple[FloatArray, FloatArray | None]


@runtime_checkable
class Source(Protocol):
    """Data that can be read again and again, in blocks."""

    @property
    def n_features(self) -> int:
        """How many columns."""

    def blocks(self) -> Iterator[Block]:
        """Yield C-contiguous float64 blocks of :data:`BLOCK_ROWS` rows, NaN where missing."""


@dataclass(frozen=True)
class ArraySource:
    """A table in memory (or a memory map), with an optional weight for each row."""

    x: FloatArray
    weights: FloatArray | None = None

    @property
    def n_features(self) -> int:
        """How many columns."""
        return int(self.x.shape[1])

    def blocks(self) -> Iterator[Block]:
        """Yield views of the table."""
        for start in range(0, len(self.x), BLOCK_ROWS):
            rows = slice(start, start + BLOCK_ROWS)
            yield self.x[rows], None if self.weights is None else self.weights[rows]


@dataclass(frozen=True)
class FunctionSource:
    """Rows from a function that returns a fresh iterator of tables (or of (table, weights)).

    Pieces may have any number of rows, none included; they are cut and joined into blocks of
    :data:`BLOCK_ROWS`, so that the result does not depend on how they came. A pass raises
    ValueError when there is no row at all: a spent iterator, most likely.
    """

    read: Callable[[], Iterable[object]]
    n_features: int

    def blocks(self) -> Iterator[Block]:
        """Yield blocks of equal size, the last one excepted."""
        held: list[tuple[FloatArray, FloatArray]] = []
        rows = seen = 0
        weighted = False
        for piece in self.read():
            table, given = piece if isinstance(piece, tuple) else (piece, None)
            x = as_table(
                table,
                name="x",
                missing=True,
                empty_columns=True,
                n_features=self.n_features,
                min_rows=0,
            )
            weights = _piece_weights(given, len(x))
            weighted = weighted or weights is not None
            held.append((x, np.ones(len(x)) if weights is None else weights))
            rows += len(x)
            seen += len(x)
            while rows >= BLOCK_ROWS:
                x, weights = (np.concatenate(part) for part in zip(*held, strict=True))
                yield x[:BLOCK_ROWS], weights[:BLOCK_ROWS] if weighted else None
                held = [(x[BLOCK_ROWS:], weights[BLOCK_ROWS:])]
                rows -= BLOCK_ROWS
        if rows:
            x, weights = (np.concatenate(part) for part in zip(*held, strict=True))
            yield x, weights if weighted else None
        if not seen:
            raise ValueError(
                "x: the source gave no rows; `read` must return a fresh iterator at every call"
            )


def _piece_weights(given: object, rows: int) -> FloatArray | None:
    """Weights of a piece, which may all be zero: other pieces have others."""
    if given is None:
        return None
    weights = as_vector(given, name="weights", length=rows)
    return as_weights(weights, rows, name="weights") if weights.any() else weights


def as_source(x: object, weights: object = None) -> Source:
    """Return ``x`` as a source: a source as it is, anything else as a table in memory."""
    if isinstance(x, Source):
        if weights is not None:
            raise ValueError("weights: a block source brings its own weights with its blocks")
        return x
    table = as_table(x, name="x", missing=True, empty_columns=True)
    return ArraySource(table, as_weights(weights, len(table), name="weights"))
