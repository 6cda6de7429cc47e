"""Data as a fit reads them: held against a model's support, rows without weight left out."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from harmonium.expectation import ArraySource, Source, as_source
from harmonium.expectation.sources import Block
from harmonium.families.base import ExponentialFamily
from harmonium.harmonium import Harmonium
from harmonium.validation import FloatArray, as_weights


def checked(model: ExponentialFamily, x: object, weights: object = None) -> Source:
    """The data as a source whose rows are on the model's support."""
    source = as_source(x, weights)
    if not isinstance(source, ArraySource):
        return _Checked(source, model)
    table = check_table(model, source.x, "x")
    # a memory map stays one, and is standardised block by block
    mapped = isinstance(source.x, np.memmap) and np.may_share_memory(source.x, table)
    shares = as_weights(source.weights, len(table), name="weights")
    return ArraySource(source.x if mapped else table, shares)


def heavy_rows(model: ExponentialFamily, x: object, weights: object) -> Source:
    """What to fit to: rows without weight are left out, and influence not even a rounding."""
    source = checked(model, x, weights)
    if not isinstance(source, ArraySource):
        return _Heavy(source)
    if source.weights is None or source.weights.all():
        return source
    heavy = np.flatnonzero(source.weights)
    return ArraySource(source.x[heavy], source.weights[heavy])


@dataclass(frozen=True)
class _Checked:
    """Blocks of a source, held against the model's support as they are read."""

    inner: Source
    model: ExponentialFamily

    @property
    def n_features(self) -> int:
        """How many columns."""
        return self.inner.n_features

    def blocks(self) -> Iterator[Block]:
        """Yield the blocks."""
        rows = 0
        for x, weights in self.inner.blocks():
            yield check_table(self.model, x, f"x, rows from {rows} on" if rows else "x"), weights
            rows += len(x)


@dataclass(frozen=True)
class _Heavy:
    """The rows of a source that have weight."""

    inner: Source

    @property
    def n_features(self) -> int:
        """How many columns."""
        return self.inner.n_features

    def blocks(self) -> Iterator[Block]:
        """Yield what is left of the blocks."""
        for x, weights in self.inner.blocks():
            if weights is None or weights.all():
                yield x, weights
            else:
                heavy = np.flatnonzero(weights)
                yield x[heavy], weights[heavy]


def check_table(model: ExponentialFamily, x: object, name: str) -> FloatArray:
    """Return a table on the model's support, NaN where missing."""
    if isinstance(model, Harmonium):
        return model.check_table(x, name)
    return model.check_data(x, name, missing=True)
