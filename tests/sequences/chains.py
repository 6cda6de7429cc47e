"""Random chains, and what they should say: every path summed, or logarithms step by step."""

import itertools
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import logsumexp

from harmonium.validation import FloatArray


@dataclass(frozen=True)
class Answers:
    """Of one sequence: what filtering, smoothing and decoding should give."""

    log_likelihood: float
    log_predictive: FloatArray
    filtered: FloatArray
    smoothed: FloatArray
    pairs: FloatArray
    path: list[int]
    log_probability: float


def random_chain(
    rng: np.random.Generator, k: int, zeros: float = 0.0
) -> tuple[FloatArray, FloatArray]:
    """Initial and transition probabilities of k states, this share of them zero."""
    initial, transition = rng.dirichlet(np.ones(k)), rng.dirichlet(np.ones(k), k)
    for row in (initial, *transition):
        row[rng.random(k) < zeros] = 0.0
        if not row.any():
            row[rng.integers(k)] = 1.0
        row /= row.sum()
    return initial, transition


def logs_of(p: FloatArray) -> FloatArray:
    with np.errstate(divide="ignore"):
        return np.log(p)


def _joint(initial: FloatArray, transition: FloatArray, logs: FloatArray) -> Any:
    """Every path, and its log probability together with the sequence."""
    n, k = logs.shape
    paths = np.array(list(itertools.product(range(k), repeat=n)))
    joint = logs_of(initial)[paths[:, 0]] + logs[0, paths[:, 0]]
    for t in range(1, n):
        joint = joint + logs_of(transition)[paths[:, t - 1], paths[:, t]] + logs[t, paths[:, t]]
    return paths, joint


def by_paths(initial: FloatArray, transition: FloatArray, logs: FloatArray) -> Answers:
    """By summing over all paths, K**T of them; log-likelihood -inf where all are impossible."""
    n, k = logs.shape
    each = np.eye(k)
    prefixes = np.zeros(n + 1)
    filtered = np.zeros((n, k))
    for t in range(n):
        paths, joint = _joint(initial, transition, logs[: t + 1])
        prefixes[t + 1] = logsumexp(joint)
        if prefixes[t + 1] == -np.inf:
            prefixes[t + 1 :] = -np.inf
            nothing = np.full((n, k), np.nan)
            pairs = np.full((n - 1, k, k), np.nan)
            return Answers(-np.inf, prefixes[1:], nothing, nothing, pairs, [], -np.inf)
        filtered[t] = np.exp(joint - prefixes[t + 1]) @ each[paths[:, t]]
    weights = np.exp(joint - prefixes[-1])
    states = each[paths]
    smoothed = np.einsum("p,ptk->tk", weights, states)
    pairs = np.einsum("p,pti,ptj->tij", weights, states[:, :-1], states[:, 1:])
    best = int(joint.argmax())
    return Answers(
        float(prefixes[-1]),
        np.diff(prefixes),
        filtered,
        smoothed,
        pairs,
        paths[best].tolist(),
        float(joint[best]),
    )


def in_logs(initial: FloatArray, transition: FloatArray, logs: FloatArray) -> Answers:
    """By the same recursions as the kernels, all in logarithms, one step after another."""
    n, k = logs.shape
    moves = logs_of(transition)
    forwards, backwards = np.empty((n, k)), np.zeros((n, k))
    best, origin = np.empty((n, k)), np.zeros((n, k), dtype=int)
    norms = np.empty(n)
    now = decoded = logs_of(initial)
    for t in range(n):
        forwards[t] = now + logs[t]
        norms[t] = logsumexp(forwards[t])
        forwards[t] -= norms[t]
        best[t] = decoded + logs[t]
        now = logsumexp(forwards[t][:, None] + moves, 0)
        candidates = best[t][:, None] + moves
        if t + 1 < n:
            origin[t + 1], decoded = candidates.argmax(0), candidates.max(0)
    for t in range(n - 2, -1, -1):
        ahead = logs[t + 1] + backwards[t + 1]
        backwards[t] = logsumexp(moves + ahead, 1) - norms[t + 1]
    pairs = np.exp(
        forwards[:-1, :, None] + moves + (logs[1:] + backwards[1:] - norms[1:, None])[:, None, :]
    )
    path = [int(best[-1].argmax())]
    for t in range(n - 1, 0, -1):
        path.append(int(origin[t, path[-1]]))
    return Answers(
        float(norms.sum()),
        norms,
        np.exp(forwards),
        np.exp(forwards + backwards),
        pairs,
        path[::-1],
        float(best[-1].max()),
    )
