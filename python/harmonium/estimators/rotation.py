"""Rotations of factor loadings: which of equally likely solutions to show."""

import numpy as np

from harmonium.validation import FloatArray


def rotate(loadings: FloatArray, noise: FloatArray, method: str | None) -> FloatArray:
    """Return loadings (d, m) as components (m, d), turned and signed in one definite way.

    None turns them along the principal axes of what they explain relative to the noise (so that
    the factors are independent given the data); "varimax" and "quartimax" then turn them towards
    few large entries (Kaiser, 1958). Each factor's largest loading is positive.
    """
    weighted = loadings / np.sqrt(noise)[:, None]
    _, _, turn = np.linalg.svd(weighted, full_matrices=False)
    turned = loadings @ turn.T
    if method is not None:
        turned = turned @ _orthomax(turned, 1.0 if method == "varimax" else 0.0)
    largest = np.abs(turned).argmax(0)
    signs = np.where(turned[largest, np.arange(turned.shape[1])] < 0, -1.0, 1.0)
    return np.asarray((turned * signs).T)


def _orthomax(loadings: FloatArray, gamma: float, max_iter: int = 500) -> FloatArray:
    """The rotation that maximises the orthomax criterion, by projected singular value steps."""
    d, m = loadings.shape
    turn = np.eye(m)
    previous = 0.0
    for _ in range(max_iter):
        turned = loadings @ turn
        pull = turned**3 - gamma / d * turned * (turned**2).sum(0)
        left, singular, right = np.linalg.svd(loadings.T @ pull)
        turn = left @ right
        total = float(singular.sum())
        if total <= previous * (1 + 1e-12):
            break
        previous = total
    return np.asarray(turn)
