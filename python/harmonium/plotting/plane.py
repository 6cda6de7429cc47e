"""From which side to look at a space of many dimensions."""

import numpy as np
from scipy.optimize import minimize

from harmonium.validation import FloatArray

#: Starting points of the search for a plane.
_STARTS = 6


def widest_plane(places: FloatArray) -> FloatArray:
    """Return the two principal scores (n, 2) of centred places (n, m), each of variance one."""
    scores = places @ _principal(places.T @ places)[:, :2]
    return np.asarray(scores / np.maximum(scores.std(0), np.finfo(float).tiny))


def separating_plane(places: FloatArray, shares: FloatArray) -> FloatArray:
    """Return centred places (n, m) seen from where the groups overlap least, (n, 2).

    The unit is the standard deviation within groups, of which ``shares`` (n, K) says how far each
    row belongs to each. Normals of equal covariance at a distance d overlap by ``exp(-d**2 / 8)``
    (Bhattacharyya); the plane minimises the sum over pairs, weighted by the groups' sizes.
    """
    weights = shares.sum(0)
    held = weights > 0
    weights, shares = weights[held] / weights.sum(), shares[:, held]
    means = shares.T @ places / shares.sum(0)[:, None]
    spread = (places.T @ places) / len(places) - (means.T * weights) @ means
    values, axes = np.linalg.eigh(0.5 * (spread + spread.T))
    kept = values > 1e-12 * values[-1]
    white = axes[:, kept] / np.sqrt(values[kept])
    if white.shape[1] < 2:
        return widest_plane(places)
    centres = means @ white
    # the groups' means span no more dimensions than this
    basis = _principal((centres.T * weights) @ centres)[:, : max(len(weights) - 1, 2)]
    turned = basis @ _least_overlap(centres @ basis, weights)
    across = centres @ turned
    turned = turned @ _principal((across.T * weights) @ across)
    return np.asarray(places @ (white @ turned))


def _least_overlap(centres: FloatArray, weights: FloatArray) -> FloatArray:
    """The orthonormal directions (m, 2) in which centres (K, m) overlap least."""
    m = centres.shape[1]
    i, j = np.triu_indices(len(centres), 1)
    gaps, size = centres[i] - centres[j], np.sqrt(weights[i] * weights[j])

    def overlap(flat: FloatArray) -> float:
        directions = np.linalg.qr(flat.reshape(m, 2))[0]
        return float(size @ np.exp(-((gaps @ directions) ** 2).sum(-1) / 8))

    rng = np.random.default_rng(0)
    starts = [np.eye(m)[:, :2]] + [rng.standard_normal((m, 2)) for _ in range(_STARTS - 1)]
    found = [minimize(overlap, start.ravel(), method="L-BFGS-B") for start in starts]
    best = min(found, key=lambda result: float(result.fun))
    return np.asarray(np.linalg.qr(best.x.reshape(m, 2))[0])


def _principal(matrix: FloatArray) -> FloatArray:
    """Eigenvectors by falling eigenvalue; the largest entry of each is positive."""
    axes = np.linalg.eigh(0.5 * (matrix + matrix.T))[1][:, ::-1]
    largest = np.abs(axes).argmax(0)
    return np.asarray(axes * np.sign(axes[largest, np.arange(axes.shape[1])]))
