"""Sums over all counts of a unimodal law, however long, from a few hundred terms.

A narrow law is summed count by count. A wide one is smooth, and a rule of far fewer nodes than
counts is exact to double precision: the trapezoid rule in steps of half a standard deviation
where both tails end before the limits of the support, and Gauss rules for sums (those of the
discrete Chebyshev polynomials) on blocks of doubling length where mass reaches to zero. Where
two rules serve they agree to rounding, so no step is seen between them.
"""

from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from scipy.linalg import eigh_tridiagonal

from harmonium.validation import FloatArray

#: Unnormalised log masses, at most zero or so, of some points (m,) at nodes (m, k).
LogMass = Callable[["_Members", FloatArray], FloatArray]
#: Statistics of some points (m,) at nodes (m, k): (statistics, m, k).
Statistics = Callable[["_Members", FloatArray], FloatArray]

_Members = np.ndarray[Any, np.dtype[np.intp]]

#: A law is summed count by count if so many hold it: as few of these as do.
_WINDOWS = (24, 48, 96, 192)
#: Log masses so far below the mode do not count.
_NEGLIGIBLE = 42.0
#: The trapezoid rule needs standard deviations of this many counts at least ...
_WIDE = 3.0
#: ... and limits of the support this many of them away: e**(-8**2) of a gamma law lies beyond.
_CLEAR = 8.0
#: The trapezoid rule's nodes on either side, in steps of half a standard deviation.
_SIDE = 30
#: Counts below this are summed one by one where mass reaches to zero, and nodes of a block beyond.
_HEAD, _NODES = 64, 24
#: Blocks of doubling length: they reach to 1e19.
_BLOCKS = 58
#: Numbers held at a time.
_MOST = 2_000_000


class CountMoments(NamedTuple):
    """Logs of sums (n,), means (n, f) and covariances (n, f, f) of statistics."""

    log_sum: FloatArray
    mean: FloatArray
    covariance: FloatArray


def count_moments(
    log_mass: LogMass,
    statistics: Statistics,
    mode: FloatArray,
    spread: FloatArray,
    highest: float = np.inf,
) -> CountMoments:
    """Return log sums, and means and covariances of statistics, of n laws on 0, 1, ..., ``highest``.

    ``log_mass`` must be smooth between counts beyond 64, nearly concave, and zero or so at the
    ``mode`` (n,); ``spread`` (n,) is the law's width about it. Statistics should be small about
    the mode, so that covariances lose nothing.
    """
    n = len(mode)
    size = len(statistics(np.arange(0), np.empty((0, 1))))
    out = CountMoments(np.empty(n), np.empty((n, size)), np.empty((n, size, size)))
    for members, x, log_weight in _nodes(log_mass, mode, spread, highest):
        inside = np.isfinite(log_weight)
        log_terms = np.where(inside, log_mass(members, x) + log_weight, -np.inf)
        largest = log_terms.argmax(-1)
        top = np.take_along_axis(log_terms, largest[:, None], -1)
        terms = np.exp(log_terms - top)
        # all but the largest: of a sum next to one, the logarithm keeps its digits
        others = terms.copy()
        np.put_along_axis(others, largest[:, None], 0.0, -1)
        rest = others.sum(-1, keepdims=True)
        share = terms / (1.0 + rest)
        values = statistics(members, x)
        mean = (values * share).sum(-1)
        centred = values - mean[..., None]
        out.log_sum[members] = (top + np.log1p(rest))[:, 0]
        out.mean[members] = mean.T
        out.covariance[members] = np.einsum("fmk,gmk,mk->mfg", centred, centred, share)
    return out


def _nodes(
    log_mass: LogMass, mode: FloatArray, spread: FloatArray, highest: float
) -> Iterator[tuple[_Members, FloatArray, FloatArray]]:
    """Points by their rule, with nodes and log weights (m, k); weightless nodes lie anywhere."""
    smooth = (spread >= _WIDE) & (mode >= _CLEAR * spread) & (highest - mode >= _CLEAR * spread)
    for members in _parts(np.flatnonzero(smooth), 2 * _SIDE + 1):
        yield members, *_trapezoid(mode[members], spread[members], highest)
    rest = np.flatnonzero(~smooth)
    for width in _WINDOWS:
        long = []
        for members in _parts(rest, width):
            short = _holds(log_mass, members, mode, highest, width)
            if short.any():
                x = _lowest(mode[members[short]], highest, width)[:, None] + np.arange(float(width))
                inside = x <= highest
                x = np.where(inside, x, highest)
                yield members[short], x, np.where(inside, 0.0, -np.inf)
            long.append(members[~short])
        rest = np.concatenate([*long, np.arange(0)])
    if len(rest):
        yield from _doubling(log_mass, rest, mode)


def _lowest(mode: FloatArray, highest: float, width: int) -> FloatArray:
    """The first count of a window about each mode."""
    lowest = np.maximum(np.floor(mode) - width // 2, 0.0)
    if np.isfinite(highest):
        lowest = np.maximum(np.minimum(lowest, highest - width + 1), 0.0)
    return np.asarray(lowest)


def _holds(
    log_mass: LogMass, members: _Members, mode: FloatArray, highest: float, width: int
) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Which laws (m,) have all their mass in a window of ``width`` counts."""
    lowest = _lowest(mode[members], highest, width)
    last = np.minimum(lowest + (width - 1.0), highest)
    ends = log_mass(members, np.stack([lowest, last], -1))
    short = (ends[:, 0] < -_NEGLIGIBLE) | (lowest == 0)
    return np.asarray(short & ((ends[:, 1] < -_NEGLIGIBLE) | (last == highest)))


def _parts(members: _Members, width: int) -> Iterator[_Members]:
    step = max(1, _MOST // width)
    for start in range(0, len(members), step):
        yield members[start : start + step]


def _trapezoid(
    mode: FloatArray, spread: FloatArray, highest: float
) -> tuple[FloatArray, FloatArray]:
    # whole numbers, or eighths: nodes are then exact
    step = np.where(spread > 16.0, np.rint(0.5 * spread), np.rint(4.0 * spread) / 8.0)[:, None]
    centre = np.floor(mode)[:, None]
    x = centre + step * np.arange(-float(_SIDE), _SIDE + 1.0)
    inside = (x > 0) & (x < highest)
    return np.where(inside, x, centre), np.where(inside, np.log(step), -np.inf)


def _doubling(
    log_mass: LogMass, members: _Members, mode: FloatArray
) -> Iterator[tuple[_Members, FloatArray, FloatArray]]:
    edges = _HEAD * 2.0 ** np.arange(_BLOCKS + 1)
    values = np.empty((len(members), _BLOCKS + 1))
    for part in _parts(np.arange(len(members)), _BLOCKS + 1):
        nodes = np.broadcast_to(edges, (len(part), len(edges)))
        values[part] = log_mass(members[part], nodes)
    # a block holds as many terms as its first count
    over = (values + np.log(edges) < -_NEGLIGIBLE) & (edges >= mode[members, None])
    blocks = np.where(over.any(-1), over.argmax(-1), _BLOCKS)
    for count in np.unique(blocks):
        x, log_weight = _doubling_rule(int(count))
        for part in _parts(members[blocks == count], len(x)):
            shape = (len(part), len(x))
            yield part, np.broadcast_to(x, shape), np.broadcast_to(log_weight, shape)


@lru_cache(maxsize=_BLOCKS + 1)
def _doubling_rule(blocks: int) -> tuple[FloatArray, FloatArray]:
    """Nodes and log weights for the counts below ``64 * 2**blocks``."""
    nodes = [np.arange(float(_HEAD))]
    weights = [np.ones(_HEAD)]
    for k in range(blocks):
        length = _HEAD * 2.0**k
        at, weight = _gauss_for_sums(length)
        nodes.append(length + at)
        weights.append(weight)
    return np.concatenate(nodes), np.log(np.concatenate(weights))


def _gauss_for_sums(length: float) -> tuple[FloatArray, FloatArray]:
    """Nodes and weights exact for sums of polynomials over 0, ..., length - 1 (Golub and Welsch).

    The polynomials orthogonal on these are Chebyshev's discrete ones (Szego, 2.8).
    """
    k = np.arange(1.0, _NODES)
    coupling = 0.5 * k * np.sqrt((1.0 - (k / length) ** 2) / (4.0 * k**2 - 1.0))
    nodes, vectors = eigh_tridiagonal(np.zeros(_NODES), coupling)
    weights = length * vectors[0] ** 2
    return np.asarray(0.5 * (length - 1.0) + length * nodes, dtype=float), np.asarray(weights)
