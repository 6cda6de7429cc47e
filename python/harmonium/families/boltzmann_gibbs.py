"""Boltzmann machines by Gibbs sampling: approximate, for graphs that no exact method reaches."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import expit

from harmonium.validation import FloatArray

Indices = np.ndarray[Any, np.dtype[np.intp]]


@dataclass(frozen=True)
class GibbsSample:
    """Draws of several Markov chains: approximate, and correlated.

    Attributes
    ----------
    states : (chains, draws, n) array
        The units' states.
    effective_sample_size : (n,) array
        How many independent draws tell as much about each unit's activity (Geyer's initial
        positive sequence over all chains; Geyer, 1992).
    split_ratio : (n,) array
        Spread between halves of chains over that within (split R-hat); above 1.01 the chains have
        not met, and the draws are not to be trusted.
    """

    states: FloatArray
    effective_sample_size: FloatArray
    split_ratio: FloatArray


def gibbs(
    biases: FloatArray,
    couplings: FloatArray,
    colours: list[Indices],
    rng: np.random.Generator,
    *,
    chains: int,
    draws: int,
    burn_in: int,
) -> GibbsSample:
    """Return draws of a machine with ``couplings`` (n, n); units of a colour share no edge.

    All units of a colour are drawn at once given the rest, colour after colour.
    """
    n = len(biases)
    states = (rng.random((chains, n)) < 0.5).astype(float)
    kept = np.empty((chains, draws, n))
    for sweep in range(burn_in + draws):
        for group in colours:
            field = biases[group] + states @ couplings[:, group]
            states[:, group] = rng.random((chains, len(group))) < expit(field)
        if sweep >= burn_in:
            kept[:, sweep - burn_in] = states
    return GibbsSample(kept, effective_sample_size(kept), split_ratio(kept))


def colour(n: int, edges: tuple[tuple[int, int], ...]) -> list[Indices]:
    """Return groups of vertices without an edge inside, greedily, largest degree first."""
    around: list[set[int]] = [set() for _ in range(n)]
    for i, j in edges:
        around[i].add(j)
        around[j].add(i)
    given: dict[int, int] = {}
    for vertex in sorted(range(n), key=lambda v: -len(around[v])):
        taken = {given[u] for u in around[vertex] if u in given}
        given[vertex] = next(c for c in range(n) if c not in taken)
    count = max(given.values(), default=-1) + 1
    return [np.array([v for v in range(n) if given[v] == c], dtype=np.intp) for c in range(count)]


def effective_sample_size(values: FloatArray) -> FloatArray:
    """Return effective sample sizes (n,) of (chains, draws, n) values; all draws where constant."""
    chains, draws, n = values.shape
    centred = values - values.mean((0, 1))
    size = 1 << (2 * draws - 1).bit_length()
    spectrum = np.fft.rfft(centred, size, axis=1)
    covariance = np.fft.irfft(np.abs(spectrum) ** 2, size, axis=1)[:, :draws].mean(0) / draws
    variance = covariance[0]
    out = np.full(n, float(chains * draws))
    for unit in np.flatnonzero(variance > 0):
        correlation = covariance[:, unit] / variance[unit]
        even = correlation[: 2 * (draws // 2)].reshape(-1, 2).sum(-1)
        positive = np.flatnonzero(even <= 0)
        pairs = np.minimum.accumulate(even[: positive[0] if len(positive) else len(even)])
        out[unit] = chains * draws / max(2 * pairs.sum() - 1, 1 / np.log10(chains * draws + 10))
    return out


def split_ratio(values: FloatArray) -> FloatArray:
    """Return split R-hat (n,) of (chains, draws, n) values; one where all agree."""
    chains, draws, n = values.shape
    half = draws // 2
    if half < 2:
        return np.full(n, np.nan)
    halves = values[:, : 2 * half].reshape(2 * chains, half, n)
    within = halves.var(1, ddof=1).mean(0)
    between = half * halves.mean(1).var(0, ddof=1)
    estimate = (half - 1) / half * within + between / half
    agree = np.where(between > 0, np.inf, 1.0)
    safe = np.where(within > 0, within, 1.0)
    return np.where(within > 0, np.sqrt(estimate / safe), agree)
