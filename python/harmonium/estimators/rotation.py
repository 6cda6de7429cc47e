"""Rotations of factor loadings: which of equally likely solutions to show."""

import numpy as np

from harmonium.validation import FloatArray


def rotation(loadings: FloatArray, noise: FloatArray, method: str | None) -> FloatArray:
    """Return the orthogonal (m, m) matrix that turns loadings (d, m) in one definite way.

    None turns them along the principal axes of what they explain relative to the noise (so that
    the factors are independent given the data), the strongest first; "varimax" and "quartimax" then
    turn them towards few large entries (Kaiser, 1958). Each factor's largest loading, in standard
    deviations of its column, is positive.
    """
    relative = loadings / np.sqrt(noise)[:, None]
    _, _, axes = np.linalg.svd(relative, full_matrices=False)
    turn = axes.T
    if method is not None:
        turn = turn @ _orthomax(loadings @ turn, 1.0 if method == "varimax" else 0.0)
    turned = loadings @ turn / np.sqrt(noise + (loadings**2).sum(-1))[:, None]
    largest = np.abs(turned).argmax(0)
    signs = np.where(turned[largest, np.arange(turned.shape[1])] < 0, -1.0, 1.0)
    return np.asarray(turn * signs)


def _orthomax(loadings: FloatArray, gamma: float, max_iter: int = 500) -> FloatArray:
    """The rotation that maximises the orthomax criterion, by projected singular value steps."""
    d, m = loadings.shape
    # cubes of loadings in small or large units would not be numbers
    largest = np.abs(loadings).max(initial=0.0)
    scaled = loadings / largest if largest > 0 else loadings
    turn = np.eye(m)
    previous = 0.0
    for _ in range(max_iter):
        turned = scaled @ turn
        pull = turned**3 - gamma / d * turned * (turned**2).sum(0)
        left, singular, right = np.linalg.svd(scaled.T @ pull)
        turn = left @ right
        total = float(singular.sum())
        if total <= previous * (1 + 1e-12):
            break
        previous = total
    return np.asarray(turn)
