"""Boltzmann machines that share their couplings: biases of their own are all that tells them apart."""

import numpy as np

from harmonium.families.tied import average
from harmonium.numerics.newton import Oracle, match_mean
from harmonium.validation import FloatArray

#: Means are met to this, or there is no machine that has them.
_MET = 1e-10


def match_tied_machines(
    oracle: Oracle,
    weights: FloatArray,
    mean: FloatArray,
    start: FloatArray,
    n: int,
    largest: float,
) -> FloatArray:
    """Return natural parameters (K, dimension) with one set of couplings; NaN where none fit.

    ``oracle`` gives psi, its gradient and its Hessian of one machine of ``n`` units; ``weights``
    (K,) add up to one; couplings' means count by their average only. One Newton solve for the
    couplings and all biases, from the couplings of ``start``'s first machine, and then one for each
    machine's biases, so that those of next to no weight are as exact as any.
    """
    k, dimension = mean.shape
    heavy = np.flatnonzero(weights > 0)
    shares, m = weights[heavy], len(heavy)

    def points(free: FloatArray) -> FloatArray:
        biases, couplings = free[: m * n].reshape(m, n), free[m * n :]
        return np.concatenate([biases, np.broadcast_to(couplings, (m, len(couplings)))], -1)

    def together(free: FloatArray) -> tuple[float, FloatArray, FloatArray]:
        value, gradient, shape = 0.0, np.zeros(len(free)), slice(m * n, None)
        hessian = np.zeros((len(free), len(free)))
        for j, (share, point) in enumerate(zip(shares, points(free), strict=True)):
            psi, expected, covariance = oracle(point)
            own = slice(j * n, (j + 1) * n)
            value += share * psi
            gradient[own] = share * expected[:n]
            gradient[shape] += share * expected[n:]
            hessian[own, own] = share * covariance[:n, :n]
            hessian[own, shape] = share * covariance[:n, n:]
            hessian[shape, own] = share * covariance[n:, :n]
            hessian[shape, shape] += share * covariance[n:, n:]
        return value, gradient, hessian

    pooled = average(weights, mean[:, n:])
    target = np.concatenate([(shares[:, None] * mean[heavy, :n]).ravel(), pooled])
    first = np.concatenate([start[heavy, :n].ravel(), start[0, n:]])
    couplings = match_mean(together, target, first, largest=largest)[m * n :]
    natural = np.concatenate([start[:, :n], np.broadcast_to(couplings, (k, dimension - n))], -1)
    for point, own in zip(natural, mean, strict=True):
        point[:n] = _biases(oracle, point, own[:n], largest)
    reached = np.stack([oracle(point)[1] for point in natural])
    gap = np.abs(reached[:, :n] - mean[:, :n]).max()
    gap = max(gap, np.abs(average(weights, reached[:, n:]) - pooled).max(initial=0.0))
    return natural if gap <= _MET else np.full_like(natural, np.nan)


def _biases(oracle: Oracle, point: FloatArray, mean: FloatArray, largest: float) -> FloatArray:
    """Biases with these activities, at the couplings of a point."""
    n = len(mean)

    def alone(biases: FloatArray) -> tuple[float, FloatArray, FloatArray]:
        psi, expected, covariance = oracle(np.concatenate([biases, point[n:]]))
        return psi, expected[:n], covariance[:n, :n]

    return match_mean(alone, mean, point[:n], largest=largest)
