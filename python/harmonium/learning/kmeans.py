"""Weighted k-means: the same clusters in any number of threads, and beside any outlier.

Distances are sums of squared differences. The usual expansion ``|x|**2 - 2 x . c + |c|**2`` would
lose everything near the origin beside a value of 1e12, and sums made by several threads at once
would differ in their last bits from run to run.
"""

from typing import Any

import numpy as np

from harmonium.validation import FloatArray

#: Most rounds of Lloyd's algorithm: it only starts a fit.
_ROUNDS = 100

_Labels = np.ndarray[Any, np.dtype[np.intp]]


def kmeans(
    points: FloatArray, weights: FloatArray, n_clusters: int, rng: np.random.Generator
) -> _Labels:
    """Return the cluster (n,) of each point (n, p): Lloyd's algorithm from k-means++ seeds.

    Weights (n,) are above zero. Where fewer points differ than there are clusters, some are empty.
    """
    centres = points[seeds(points, weights, n_clusters, rng)]
    heavy = weights / weights.max()
    labels = np.full(len(points), -1)
    for _ in range(_ROUNDS):
        distances = squared_distances(points, centres)
        found = distances.argmin(-1)
        _fill_empty(found, distances, heavy)
        if np.array_equal(found, labels):
            break
        labels = found
        centres = _means(points, heavy, labels, centres)
    return labels


def seeds(
    points: FloatArray, weights: FloatArray, n_clusters: int, rng: np.random.Generator
) -> _Labels:
    """Return which points seed clusters: far apart, at random (Arthur and Vassilvitskii, 2007).

    Of a few candidates for each seed the one that leaves the least distance is taken.
    """
    heavy = weights / weights.max()
    candidates = 2 + int(np.log(n_clusters))
    chosen = [int(_draw(heavy, 1, rng)[0])]
    nearest = squared_distances(points, points[chosen])[:, 0]
    while len(chosen) < n_clusters:
        cost = heavy * nearest
        tried = _draw(cost if cost.sum() > 0 else heavy, candidates, rng)
        left = np.minimum(nearest[:, None], squared_distances(points, points[tried]))
        best = int((heavy @ left).argmin())
        chosen.append(int(tried[best]))
        nearest = left[:, best]
    return np.array(chosen)


def squared_distances(points: FloatArray, centres: FloatArray) -> FloatArray:
    """Return (n, k) squared distances of points (n, p) from centres (k, p)."""
    out = np.empty((len(points), len(centres)))
    difference = np.empty_like(points)
    for k, centre in enumerate(centres):
        np.subtract(points, centre, out=difference)
        np.einsum("ij,ij->i", difference, difference, out=out[:, k])
    return out


def _draw(shares: FloatArray, n: int, rng: np.random.Generator) -> _Labels:
    """Indices drawn with probabilities proportional to the shares, which do not all vanish."""
    cumulative = shares.cumsum()
    drawn = np.searchsorted(cumulative, rng.random(n) * cumulative[-1], side="right")
    # a product that rounds up to the total would be beyond the last share
    return np.asarray(np.minimum(drawn, np.flatnonzero(shares)[-1]))


def _fill_empty(labels: _Labels, distances: FloatArray, weights: FloatArray) -> None:
    """Give each empty cluster, in place, the point that is furthest from its own centre."""
    away = weights * distances[np.arange(len(labels)), labels]
    for empty in np.flatnonzero(np.bincount(labels, minlength=distances.shape[1]) == 0):
        furthest = int(away.argmax())
        if away[furthest] <= 0:
            return
        labels[furthest] = empty
        away[furthest] = 0.0


def _means(
    points: FloatArray, weights: FloatArray, labels: _Labels, centres: FloatArray
) -> FloatArray:
    """Weighted means of the clusters; an empty one stays where it is."""
    mass = np.bincount(labels, weights=weights, minlength=len(centres))
    # about the old centres: far from the origin plain sums would lose the digits of small clusters
    deviation = points - centres[labels]
    sums = np.stack(
        [np.bincount(labels, weights=weights * d, minlength=len(centres)) for d in deviation.T], -1
    )
    return np.asarray(centres + sums / np.where(mass > 0, mass, 1.0)[:, None])
