"""Boltzmann machines by Gibbs sampling: approximate, for graphs that no exact method reaches."""

from typing import Any

import numpy as np
from scipy.special import expit

from harmonium.numerics.markov_chains import GibbsSample, gibbs_sample
from harmonium.validation import FloatArray

Indices = np.ndarray[Any, np.dtype[np.intp]]


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
    return gibbs_sample(kept)


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
