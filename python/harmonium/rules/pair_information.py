"""The Fisher information of a pair by enumeration, and the backward mapping that it drives."""

import numpy as np

from harmonium.errors import BoundaryError
from harmonium.families.base import Indices
from harmonium.numerics.newton import match_mean
from harmonium.rules.enumeration import blocks, flat_points, log_partition, to_mean
from harmonium.rules.pair import Pair
from harmonium.validation import FloatArray, check_memory

#: Beyond this a parameter is on its way to infinity.
_LARGEST = 1e5
#: Largest gap, relative to means above one, between the mean asked for and that reached.
_GAP = 1e-8


def fisher_information(pair: Pair, natural: FloatArray) -> FloatArray:
    """Return the covariance of (s_X, s_Z, products), (..., dimension, dimension).

    The expected covariance given the state, plus the covariance of expectations given it.
    """
    size = natural.shape[-1]
    flat = flat_points(natural)
    check_memory(8 * (len(flat) + 2) * size**2, "the Fisher information")
    out = np.empty((len(flat), size, size))
    for point, matrix in zip(flat, out, strict=True):
        matrix[:] = _information(pair, point)
    return out.reshape(*natural.shape, size)


def _information(pair: Pair, natural: FloatArray) -> FloatArray:
    side, other, _ = pair.sides(pair.split(natural))
    d, m, k = other.family.dimension, side.family.dimension, len(side.at)
    size = len(natural)
    # in the order (other, enumerated, products (other's, enumerated's))
    order = _order(pair, d, m)
    psi, centre = log_partition(pair, natural), to_mean(pair, natural)[order]
    within = np.zeros((1 + k, 1 + k, d, d))
    between = np.zeros((size, size))
    for _, _, block in blocks(pair, natural[None], max(d * d, size)):
        share, points = np.exp(block.log_weights[0] - psi), block.points[0]
        met = block.statistic[:, side.at]
        factors = np.column_stack([np.ones(len(share)), met])
        spread = other.family._fisher_information(points)
        within += np.einsum("s,sa,sb,sij->abij", share, factors, factors, spread, optimize=True)
        expected = other.family._to_mean(points)
        cross = np.einsum("si,sj->sij", expected[:, other.at], met).reshape(len(share), -1)
        gap = np.concatenate([expected, block.statistic, cross], -1) - centre
        between += (share[:, None] * gap).T @ gap
    whole = between + _spread_within(within, other.at, m)
    fisher = np.empty_like(whole)
    fisher[np.ix_(order, order)] = 0.5 * (whole + whole.T)
    return fisher


def _order(pair: Pair, d: int, m: int) -> Indices:
    """Where (other, enumerated, products by the other's statistics) stand in a model's vector."""
    products = np.arange(len(pair.rows) * len(pair.columns))
    if pair.sums_latent:
        return np.arange(d + m + len(products))
    products = products.reshape(len(pair.rows), len(pair.columns)).T.ravel()
    return np.concatenate([np.arange(m, m + d), np.arange(m), d + m + products])


def _spread_within(within: FloatArray, at: Indices, m: int) -> FloatArray:
    """Covariances given the state, of (other, enumerated, products): none of the second."""
    d, k = within.shape[-1], within.shape[0] - 1
    size = d + m + len(at) * k
    out = np.zeros((size, size))
    out[:d, :d] = within[0, 0]
    edge = within[0, 1:][:, :, at].transpose(1, 2, 0).reshape(d, -1)
    out[:d, d + m :] = edge
    out[d + m :, :d] = edge.T
    inner = within[1:, 1:][:, :, at][:, :, :, at]
    out[d + m :, d + m :] = inner.transpose(2, 0, 3, 1).reshape(len(at) * k, -1)
    return out


def to_natural(pair: Pair, mean: FloatArray) -> FloatArray:
    """Return the natural parameters (..., dimension) of means: Newton, from independent X and Z.

    Raises BoundaryError for means that no law, or only one on the boundary, has.
    """
    out = np.empty_like(mean)
    for place in np.ndindex(mean.shape[:-1]):
        parts = pair.split(mean[place])
        start = pair.join(
            pair.observable._to_natural(parts.observable),
            pair.latent._to_natural(parts.latent),
            np.zeros(parts.interaction.shape),
        )
        out[place] = match(pair, mean[place], start)
        if not matches(pair, out[place], mean[place]):
            raise BoundaryError(
                f"mean{list(place) or ''}: no law of {pair.observable!r} and {pair.latent!r} has "
                "these expectations, or only one on the boundary"
            )
    return out


def match(pair: Pair, mean: FloatArray, start: FloatArray) -> FloatArray:
    """Return the natural parameters (dimension,) whose means are as near as Newton comes."""

    def oracle(natural: FloatArray) -> tuple[float, FloatArray, FloatArray]:
        if not np.isfinite(natural).all() or pair.outside(natural) is not None:
            nothing = np.zeros(len(natural))
            return np.inf, nothing, np.diag(nothing)
        fisher = fisher_information(pair, natural)
        return float(log_partition(pair, natural)), to_mean(pair, natural), fisher

    return match_mean(oracle, mean, start, largest=_LARGEST)


def matches(pair: Pair, natural: FloatArray, mean: FloatArray) -> bool:
    """Whether a point (dimension,) has these means."""
    gap = np.abs(to_mean(pair, natural) - mean)
    return bool((gap <= _GAP * np.maximum(1.0, np.abs(mean))).all())
