"""Factors along which clusters lie apart, which need not be those that explain most."""

import numpy as np

from harmonium.learning.factors import Factors, principal_factors
from harmonium.learning.kmeans import kmeans
from harmonium.validation import FloatArray

#: What of the variance along a factor is the factor's: some is left to the noise.
_SHARE = 0.9


def separating_factors(
    deviation: FloatArray,
    weights: FloatArray,
    width: int,
    n_clusters: int,
    rng: np.random.Generator,
) -> Factors | None:
    """Return factors of centred rows (n, p) along the differences of their clusters' means.

    Clusters are found by k-means where all directions vary alike, so that what sets one apart is
    that rows gather, not how far it spreads (Fisher's discriminants of them). Factors beyond the
    differences are principal ones of what is left. None where a direction does not vary.
    """
    shares = weights / weights.sum()
    covariance = (deviation * shares[:, None]).T @ deviation
    scale = np.sqrt(np.diagonal(covariance))
    if not (scale > 0).all():
        return None
    values, vectors = np.linalg.eigh(covariance / np.outer(scale, scale))
    if values[0] <= 1e-10 * values[-1]:
        return None
    white = (deviation / scale) @ (vectors / np.sqrt(values))
    labels = kmeans(white, weights, n_clusters, rng)
    mass = np.bincount(labels, weights=shares, minlength=n_clusters)
    sums = np.stack(
        [np.bincount(labels, weights=shares * column, minlength=n_clusters) for column in white.T],
        -1,
    )
    root_mass = np.sqrt(np.where(mass > 0, mass, 1.0))[:, None]
    apart = np.linalg.svd(sums / root_mass, full_matrices=False)
    n_found = min(width, int((apart[1] > 1e-8).sum()))
    found = apart[2][:n_found]
    if n_found < width:
        left = white - white @ found.T @ found
        rest = principal_factors(left * np.sqrt(shares * len(shares))[:, None], width - n_found)
        length = np.linalg.norm(rest.loadings, axis=0)
        directions = rest.loadings / np.where(length > 0, length, 1.0)
        found = np.concatenate([found, directions.T])
    root = scale[:, None] * (vectors * np.sqrt(values))
    loadings = np.sqrt(_SHARE) * root @ found.T
    return Factors(loadings, np.maximum(scale**2 - (loadings**2).sum(-1), 0.0))
