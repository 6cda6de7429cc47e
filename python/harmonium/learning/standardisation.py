"""Shifted, scaled coordinates in which models are fitted, kept and evaluated."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from harmonium.expectation import ArraySource, Source
from harmonium.expectation.sources import Block
from harmonium.families.base import ExponentialFamily
from harmonium.validation import FloatArray

#: Rows from which medians and quartiles are taken.
_SAMPLE_ROWS = 20_000
#: Interquartile range of a standard normal.
_NORMAL_RANGE = 1.3489795003921634


@dataclass(frozen=True)
class Standardisation:
    """``z = (x - shift) / scale``, column by column.

    Natural coordinates far from the origin lose digits: an offset of 1e7 standard deviations
    costs 0.003 nats a row. In these coordinates there is no offset to lose them to.
    """

    shift: FloatArray
    scale: FloatArray

    @property
    def log_scale(self) -> float:
        """What a row's log density in x lacks from that in z: the sum of log scales."""
        return float(np.log(self.scale).sum())

    @property
    def is_identity(self) -> bool:
        """Whether nothing is shifted or scaled."""
        return bool((self.shift == 0).all() and (self.scale == 1).all())

    def apply(self, x: FloatArray) -> FloatArray:
        """Return a table in standard coordinates."""
        return x if self.is_identity else (x - self.shift) / self.scale

    def source(self, source: Source) -> Source:
        """Return a source in standard coordinates; tables in memory are converted once."""
        if self.is_identity:
            return source
        if isinstance(source, ArraySource) and not isinstance(source.x, np.memmap):
            return ArraySource(self.apply(source.x), source.weights)
        return _Standardised(source, self)


@dataclass(frozen=True)
class _Standardised:
    """Blocks converted as they are read."""

    inner: Source
    standardisation: Standardisation

    @property
    def n_features(self) -> int:
        """How many columns."""
        return self.inner.n_features

    def blocks(self) -> Iterator[Block]:
        """Yield converted blocks."""
        for x, weights in self.inner.blocks():
            yield self.standardisation.apply(x), weights


def standardisation_of(family: ExponentialFamily, source: Source) -> Standardisation:
    """Return the coordinates in which ``family`` is fitted to the data of ``source``.

    Medians and interquartile ranges where these are positive (an outlier must not flatten the
    rest), else standard deviations, else one. Families of counts, angles or categories are
    fitted as they are.
    """
    n = source.n_features
    kind = family.standardisation
    if kind == "none":
        return Standardisation(np.zeros(n), np.ones(n))
    sample = first_rows(source)
    finite = ~np.isnan(sample)
    shift, scale = np.zeros(n), np.ones(n)
    for f in range(n):
        column = sample[finite[:, f], f]
        if len(column):
            low, shift[f], high = np.quantile(column, [0.25, 0.5, 0.75])
            spread = (high - low) / _NORMAL_RANGE
            # differences of equal numbers that rounding has left are not a scale
            if spread <= 4 * np.finfo(float).eps * np.abs(shift[f]):
                spread = float(np.std(column - shift[f]))
            if spread <= 4 * np.finfo(float).eps * np.abs(shift[f]):
                spread = 0.0
            scale[f] = spread
    positive = scale > 0
    if kind == "common":
        common = np.sqrt(np.mean(scale**2)) if positive.any() else 1.0
        scale = np.full(n, common if common > 0 else 1.0)
    return Standardisation(shift, np.where(scale > 0, scale, 1.0))


def first_rows(source: Source, most: int = _SAMPLE_ROWS) -> FloatArray:
    """Return at most ``most`` rows: evenly spaced of a table, the first of a stream."""
    if isinstance(source, ArraySource):
        step = max(1, -(-len(source.x) // most))
        return np.asarray(source.x[::step])
    for x, _ in source.blocks():
        return x[:most]
    raise ValueError("x: no rows")
