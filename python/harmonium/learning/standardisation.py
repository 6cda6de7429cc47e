"""Shifted, scaled coordinates in which models are fitted, kept and evaluated."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from harmonium.expectation import ArraySource, Source
from harmonium.expectation.sources import Block
from harmonium.families.base import ExponentialFamily
from harmonium.learning.floating_point import steady
from harmonium.validation import FloatArray

#: Rows from which medians and quartiles are taken.
_SAMPLE_ROWS = 20_000
#: Squares of smaller scales would not be normal numbers.
_SMALLEST_SCALE = 1e-75
#: Interquartile range of a standard normal.
_NORMAL_RANGE = 1.3489795003921634


@dataclass(frozen=True, eq=False)
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

    @steady
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


@dataclass(frozen=True, eq=False)
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


@dataclass(frozen=True, eq=False)
class Sample:
    """Distinct rows of the data and their total weights: repetition and weight are one thing."""

    x: FloatArray
    weights: FloatArray

    def take(self, rows: np.ndarray[Any, Any]) -> "Sample":
        """Return some of the rows."""
        return Sample(self.x[rows], self.weights[rows])


@steady
def sample_rows(source: Source, most: int = _SAMPLE_ROWS) -> Sample:
    """Return distinct rows, in order, of at most ``most`` evenly spaced ones, the same of any source.

    Rows without weight are left out, so they influence nothing; a column that is missing in all
    rows taken is represented by the first row that has it.

    Raises
    ------
    ValueError
        Where there are no rows with weight, and for a column that has no value in any of them.
    """
    taken, first = _Spaced(most), _FirstSeen(source.n_features)
    for x, weights in source.blocks():
        heavy = slice(None) if weights is None else np.flatnonzero(weights > 0)
        rows, shares = x[heavy], np.ones(len(x)) if weights is None else weights[heavy]
        first.look(rows, shares)
        taken.add(rows, shares)
    x, shares = taken.rows()
    if not len(x):
        raise ValueError("x: no rows with positive weight")
    lacking = np.flatnonzero(np.isnan(x).all(0))
    if len(lacking):
        more, their = first.rows(lacking)
        x, shares = np.concatenate([x, more]), np.concatenate([shares, their])
    # NaN never equals NaN, infinity does; data hold none of the latter
    marked = np.where(np.isnan(x), np.inf, x)
    distinct, which = np.unique(marked, axis=0, return_inverse=True)
    totals = np.zeros(len(distinct))
    np.add.at(totals, which.ravel(), shares)
    return Sample(np.where(np.isinf(distinct), np.nan, distinct), totals)


class _Spaced:
    """Every 2**k-th of the rows that come, k the least that leaves no more than ``most``."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._step = 1
        self._seen = self._held = 0
        self._parts: list[tuple[FloatArray, FloatArray]] = []

    def add(self, x: FloatArray, weights: FloatArray) -> None:
        """Take what is due of the next rows."""
        due = slice(-self._seen % self._step, None, self._step)
        self._seen += len(x)
        self._parts.append((x[due].copy(), weights[due].copy()))
        self._held += len(self._parts[-1][0])
        while self._held > self._most:
            x, weights = self.rows()
            self._parts = [(x[::2], weights[::2])]
            self._held = len(self._parts[0][0])
            self._step *= 2

    def rows(self) -> tuple[FloatArray, FloatArray]:
        """Return the rows taken so far, and their weights."""
        if not self._parts:
            return np.empty((0, 0)), np.empty(0)
        return (
            np.concatenate([x for x, _ in self._parts]),
            np.concatenate([weights for _, weights in self._parts]),
        )


class _FirstSeen:
    """The first row that has a value in each column, and its weight."""

    def __init__(self, n_features: int) -> None:
        self._rows: list[tuple[FloatArray, float] | None] = [None] * n_features
        self._unseen = np.arange(n_features)

    def look(self, x: FloatArray, weights: FloatArray) -> None:
        """Note the columns that the next rows are the first to have."""
        if not len(self._unseen):
            return
        has = ~np.isnan(x[:, self._unseen])
        for column, values in zip(self._unseen[has.any(0)], has.T[has.any(0)], strict=True):
            row = int(values.argmax())
            self._rows[column] = x[row].copy(), float(weights[row])
        self._unseen = self._unseen[~has.any(0)]

    def rows(self, columns: np.ndarray[Any, Any]) -> tuple[FloatArray, FloatArray]:
        """Return the rows noted for these columns; ValueError where there is none."""
        found = [(column, self._rows[column]) for column in columns.tolist()]
        for column, row in found:
            if row is None:
                raise ValueError(
                    f"x: column {column} has no value in any row of positive weight: drop it"
                )
        kept = [row for _, row in found if row is not None]
        return np.stack([x for x, _ in kept]), np.array([weight for _, weight in kept])


def quantiles(values: FloatArray, weights: FloatArray, at: tuple[float, ...]) -> FloatArray:
    """Return weighted quantiles: the first value at which that share of the weight is reached."""
    order = np.argsort(values, kind="stable")
    cumulative = weights[order].cumsum()
    places = np.searchsorted(cumulative, np.asarray(at) * cumulative[-1] * (1 - 1e-12))
    return np.asarray(values[order][np.minimum(places, len(values) - 1)])


@steady
def standardisation_of(family: ExponentialFamily, sample: Sample) -> Standardisation:
    """Return the coordinates in which ``family`` is fitted to data with these rows.

    Medians and interquartile ranges where these are positive (an outlier must not flatten the
    rest), else standard deviations; a column that does not vary is in units of its value. Columns
    of counts, angles or categories are fitted as they are.
    """
    n = sample.x.shape[1]
    shift, scale = np.zeros(n), np.ones(n)
    start = 0
    for kind, width in family.standardisation:
        columns = np.arange(start, start + width)
        start += width
        if kind == "none":
            continue
        for f in columns:
            seen = ~np.isnan(sample.x[:, f])
            shift[f], scale[f] = (
                _centre_and_scale(sample.x[seen, f], sample.weights[seen])
                if seen.any()
                else (0.0, 0.0)
            )
        _refuse_tiny(columns, scale[columns])
        if kind == "common":
            scale[columns] = np.sqrt(np.mean(scale[columns] ** 2))
        if not scale[columns].any() and kind == "common":
            scale[columns] = np.abs(shift[columns]).max()
        scale[columns] = np.where(scale[columns] > 0, scale[columns], np.abs(shift[columns]))
    return Standardisation(shift, np.where(scale > 0, scale, 1.0))


def _refuse_tiny(columns: np.ndarray[Any, Any], scale: FloatArray) -> None:
    small = np.flatnonzero((scale > 0) & (scale < _SMALLEST_SCALE))
    if len(small):
        raise ValueError(
            f"x: column {columns[small[0]]} varies by {scale[small[0]]:.2g}, and its square would "
            "underflow: choose other units"
        )


def _centre_and_scale(values: FloatArray, weights: FloatArray) -> tuple[float, float]:
    """Median, and interquartile range or standard deviation, 0 where rounding leaves no more."""
    low, centre, high = quantiles(values, weights, (0.25, 0.5, 0.75))
    rounding = 4 * np.finfo(float).eps * abs(centre)
    spread = (high - low) / _NORMAL_RANGE
    if spread <= rounding:
        spread = float(np.sqrt(np.average((values - centre) ** 2, weights=weights)))
    return float(centre), float(spread) if spread > rounding else 0.0
