"""Factor analysis and probabilistic principal components of two moments, solved directly.

Where a noise variance tends to zero (a Heywood case) EM crawls for tens of thousands of
iterations; the likelihood maximised over the loadings for given noise is smooth in the logs of
the noise variances, and quasi-Newton finds its maximum in a few dozen steps.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.optimize import minimize

from harmonium.validation import FloatArray

#: Noise below this share of a column's variance may be on its way to zero.
_VANISHING = 1e-3
#: Nats a row that are rounding.
_FLAT = 1e-10


@dataclass(frozen=True)
class Factors:
    """Loadings (n, m) and noise variances (n,)."""

    loadings: FloatArray
    noise: FloatArray


def principal_factors(deviation: FloatArray, width: int) -> Factors:
    """Return the most likely loadings with one noise variance (Tipping and Bishop, 1999, Eq. 7)."""
    _, singular, directions = np.linalg.svd(deviation, full_matrices=False)
    n = deviation.shape[1]
    values = np.zeros(n)
    values[: len(singular)] = singular**2 / len(deviation)
    kept = min(width, len(singular))
    noise = values[kept:].sum() / (n - kept) if n > kept else 0.0
    noise = max(noise, 1e-12 * values.sum() / n)
    loadings = np.zeros((n, width))
    loadings[:, :kept] = directions[:kept].T * np.sqrt(np.maximum(values[:kept] - noise, 0.0))
    return Factors(loadings, np.full(n, noise))


def maximum_likelihood_factors(
    deviation: FloatArray,
    width: int,
    least: float = 1e-12,
    guesses: Sequence[FloatArray] | None = None,
) -> Factors:
    """Return the most likely loadings and noise variances, each at least ``least`` of its column's.

    Given noise variances psi the best loadings are ``psi^(1/2) V (L - 1)^(1/2)`` with V and L the
    leading right singular vectors and squared singular values of ``X psi^(-1/2) / sqrt(rows)``
    (Joereskog, 1967); L-BFGS-B does the rest in ``log psi``, from guesses of the noise variances
    (n,), by default from two that are found.
    """
    rows, n = deviation.shape
    scale = np.sqrt((deviation**2).mean(0))
    scale = np.where(scale > 0, scale, 1.0)
    # R with RT R the correlation matrix: singular values keep the digits that its products lose
    root: FloatArray = np.asarray(np.linalg.qr(deviation / scale / np.sqrt(rows), mode="r"))

    def decompose(log_noise: FloatArray) -> tuple[FloatArray, FloatArray]:
        _, singular, directions = np.linalg.svd(
            root * np.exp(-0.5 * log_noise), full_matrices=len(root) < n
        )
        values = np.zeros(n)
        values[: len(singular)] = singular**2
        return values, directions

    def objective(log_noise: FloatArray) -> tuple[float, FloatArray]:
        values, directions = decompose(log_noise)
        share = np.where(np.arange(n) < width, np.minimum(values, 1.0), values)
        logs = np.log(np.maximum(values[:width], 1.0)).sum()
        value = 0.5 * (log_noise.sum() + logs + share.sum())
        return float(value), 0.5 * (1.0 - share @ directions**2)

    bounds = [(np.log(least), 1.0)] * n

    def descend(log_noise: FloatArray) -> Any:
        return minimize(
            objective,
            log_noise,
            jac=True,
            method="L-BFGS-B",
            bounds=bounds,
            options={"maxiter": 3000, "maxfun": 6000, "ftol": 1e-16, "gtol": 1e-8, "maxcor": 20},
        )

    best = None
    firsts = _first_guesses(root, width) if guesses is None else [g / scale**2 for g in guesses]
    for first in firsts:
        found = descend(np.log(np.clip(first, least, 1.0)))
        if best is None or found.fun < best.fun:
            best = found
    assert best is not None
    log_noise = _at_bounds(best.x, best.fun, np.log(least), objective)
    noise = np.exp(log_noise)
    values, directions = decompose(log_noise)
    kept = min(width, n)
    strength = np.sqrt(np.maximum(values[:kept] - 1.0, 0.0))
    loadings = np.zeros((n, width))
    loadings[:, :kept] = directions[:kept].T * strength * np.sqrt(noise)[:, None]
    return Factors(loadings * scale[:, None], noise * scale**2)


def _at_bounds(
    log_noise: FloatArray,
    value: float,
    bound: float,
    objective: Callable[[FloatArray], tuple[float, FloatArray]],
) -> FloatArray:
    """Noise on its way to zero at the bound, where that is no worse: the way there is flat."""
    for column in np.flatnonzero((log_noise > bound) & (log_noise < np.log(_VANISHING))):
        moved = log_noise.copy()
        moved[column] = bound
        reached = objective(moved)[0]
        if reached <= value + _FLAT:
            log_noise, value = moved, reached
    return log_noise


def _first_guesses(root: FloatArray, width: int) -> list[FloatArray]:
    """Noise variances from partial correlations, and from principal components."""
    n = root.shape[1]
    correlation = root.T @ root
    loaded = np.linalg.inv(correlation + 1e-6 * np.eye(n))
    partial = (1 - 0.5 * min(width, n) / n) / np.diagonal(loaded)
    _, singular, directions = np.linalg.svd(root, full_matrices=False)
    explained = ((directions[:width].T * singular[:width]) ** 2).sum(-1)
    return [partial, np.maximum(1 - explained, 0.05)]
