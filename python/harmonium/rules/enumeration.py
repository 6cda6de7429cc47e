"""Two families that do not conjugate, exactly, by summing over the states of the smaller one.

``psi_XZ = log sum_z mu(z) exp(s_Z(z) . theta_Z + psi_X(theta_X + Theta s_Z(z)))``, and the same
with X and Z exchanged. Expectations are those given the state, averaged over states. Everything
here raises NotConjugatedError where neither side has at most 2**25 states.
"""

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from scipy.special import logsumexp

from harmonium.rules.pair import Pair
from harmonium.validation import FloatArray, check_memory

#: Numbers in the tables of a block of states.
_BLOCK = 1 << 19


class Block(NamedTuple):
    """States with their statistics, the other side's parameters given each, and log weights."""

    statistic: FloatArray
    points: FloatArray
    log_weights: FloatArray


def blocks(
    pair: Pair, natural: FloatArray, width: int | None = None
) -> Iterator[tuple[slice, slice, Block]]:
    """Yield (points, states, block) for points (count, dimension).

    ``width`` is how many numbers the caller makes of a state, by default the other side's
    dimension.
    """
    side, other, matrix = pair.sides(pair.split(natural))
    count = len(natural)
    n = side.family.n_states
    assert n is not None
    numbers = max(1, side.family.dimension, other.family.dimension if width is None else width)
    step = min(n, max(1, _BLOCK // numbers))
    points = max(1, _BLOCK // (numbers * step))
    for start in range(0, n, step):
        states = side.family._states(np.arange(start, min(start + step, n)))
        statistic = side.family._statistic(states)
        base = side.family._log_base_measure(states)
        for at in range(0, count, points):
            rows = slice(at, at + points)
            given = np.repeat(other.natural[rows, None], len(states), 1)
            given[..., other.at] += statistic[:, side.at] @ matrix[rows].swapaxes(-1, -2)
            logs = side.natural[rows] @ statistic.T + base + other.family._log_partition(given)
            yield rows, slice(start, start + len(states)), Block(statistic, given, logs)


def flat_points(natural: FloatArray) -> FloatArray:
    """Points with one batch axis, of which there may be none."""
    return natural.reshape(math.prod(natural.shape[:-1]), natural.shape[-1])


def log_partition(pair: Pair, natural: FloatArray) -> FloatArray:
    """Return psi_XZ, (...), of points (..., dimension)."""
    flat = flat_points(natural)
    psi = np.full(len(flat), -np.inf)
    for rows, _, block in blocks(pair, flat):
        psi[rows] = np.logaddexp(psi[rows], logsumexp(block.log_weights, -1))
    return psi.reshape(natural.shape[:-1])


def log_probabilities(pair: Pair, natural: FloatArray) -> FloatArray:
    """Return log marginal probabilities of the enumerated side's states, (states,), at one point."""
    n = pair.sides(pair.split(natural))[0].family.n_states
    assert n is not None
    check_memory(24 * n, "the table of states' probabilities")
    logs = np.empty(n)
    for _, states, block in blocks(pair, natural[None]):
        logs[states] = block.log_weights[0]
    return np.asarray(logs - logsumexp(logs))


def to_mean(pair: Pair, natural: FloatArray) -> FloatArray:
    """Return the means (..., dimension) of s_X, s_Z and of their products where they meet."""
    return _moments(pair, natural, squares=False)


def variances(pair: Pair, natural: FloatArray) -> FloatArray:
    """Return the variances (..., dimension) of the same statistics."""
    mean = _moments(pair, natural, squares=False)
    return np.maximum(_moments(pair, natural, squares=True) - mean**2, 0.0)


def _moments(pair: Pair, natural: FloatArray, *, squares: bool) -> FloatArray:
    flat = flat_points(natural)
    side, other, _ = pair.sides(pair.split(flat))
    count = len(flat)
    top = np.full(count, -np.inf)
    total = np.zeros(count)
    own = np.zeros((count, side.family.dimension))
    theirs = np.zeros((count, other.family.dimension))
    cross = np.zeros((count, len(other.at), len(side.at)))
    width = other.family.dimension ** (2 if squares else 1)
    for rows, _, block in blocks(pair, flat, width):
        # weights relative to the largest so far
        largest = np.maximum(top[rows], block.log_weights.max(-1))
        keep = np.exp(top[rows] - largest)
        top[rows] = largest
        weights = np.exp(block.log_weights - largest[:, None])
        mean, statistic = other.family._to_mean(block.points), block.statistic
        if squares:
            fisher = other.family._fisher_information(block.points)
            mean = mean**2 + np.diagonal(fisher, axis1=-2, axis2=-1)
            statistic = statistic**2
        weighted = weights[..., None] * mean
        meeting = weighted[..., other.at].swapaxes(-1, -2) @ statistic[:, side.at]
        total[rows] = keep * total[rows] + weights.sum(-1)
        own[rows] = keep[:, None] * own[rows] + weights @ statistic
        theirs[rows] = keep[:, None] * theirs[rows] + weighted.sum(1)
        cross[rows] = keep[:, None, None] * cross[rows] + meeting
    out = pair.join_sides(own, theirs, cross) / total[:, None]
    return out.reshape(natural.shape)


def sample(
    pair: Pair, natural: FloatArray, shape: tuple[int, ...], rng: np.random.Generator
) -> FloatArray:
    """Return exact draws ``shape`` + (columns of X, then of Z).

    A batch axis of ``natural`` is as long as that of ``shape``, or one where points repeat.
    """
    batch = natural.shape[:-1]
    out = np.empty((*shape, pair.observable.n_features + pair.latent.n_features))
    if batch == shape:
        return _sample_each(pair, flat_points(natural), rng).reshape(out.shape)
    for place in np.ndindex(*batch):
        rows = tuple(slice(None) if n == 1 else at for at, n in zip(place, batch, strict=True))
        wanted = out[rows].shape
        many = int(np.prod(wanted[:-1]))
        # one table of probabilities serves all draws of a point
        cumulative = np.exp(log_probabilities(pair, natural[place])).cumsum()
        uniform = rng.random(many) * cumulative[-1]
        numbers = np.searchsorted(cumulative, uniform, side="right")
        point = np.broadcast_to(natural[place], (many, natural.shape[-1]))
        out[rows] = _given_states(pair, point, numbers, rng).reshape(wanted)
    return out


def _sample_each(pair: Pair, natural: FloatArray, rng: np.random.Generator) -> FloatArray:
    """One draw of each point (count, dimension): the first state whose cumulated share passes."""
    n = pair.sides(pair.split(natural))[0].family.n_states
    assert n is not None
    check_memory(24 * n, "the table of states' probabilities")
    step = max(1, _BLOCK // n)
    numbers = np.empty(len(natural), dtype=np.intp)
    for start in range(0, len(natural), step):
        points = natural[start : start + step]
        logs = np.empty((len(points), n))
        for rows, states, block in blocks(pair, points):
            logs[rows, states] = block.log_weights
        cumulative = np.exp(logs - logs.max(-1, keepdims=True)).cumsum(-1)
        uniform = rng.random((len(points), 1)) * cumulative[:, -1:]
        numbers[start : start + step] = (uniform >= cumulative).sum(-1)
    return _given_states(pair, natural, numbers, rng)


def _given_states(
    pair: Pair,
    natural: FloatArray,
    numbers: np.ndarray[Any, np.dtype[np.intp]],
    rng: np.random.Generator,
) -> FloatArray:
    """Rows (n, columns) of the enumerated side's states by number, and draws of the other given them."""
    side, other, matrix = pair.sides(pair.split(natural))
    assert side.family.n_states is not None
    # a uniform number may round up to the whole
    states = side.family._states(np.minimum(numbers, side.family.n_states - 1))
    met = side.family._statistic(states)[:, side.at]
    given = np.array(other.natural)
    given[:, other.at] += np.einsum("nij,nj->ni", matrix, met)
    others = other.family._sample(given, rng)
    return np.concatenate([others, states] if pair.sums_latent else [states, others], -1)
