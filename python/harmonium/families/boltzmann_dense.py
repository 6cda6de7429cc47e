"""Boltzmann machines with every pair coupled: enumeration of all states.

A state is a number whose bit i is unit i. Second moments and the Fisher information come from one
transform of the distribution, the sums over supersets: a product of units is the indicator of
their bits.
"""

from functools import lru_cache
from typing import Any

import numpy as np
from scipy.special import logsumexp

from harmonium.numerics.discrete_entropy import discrete_entropy
from harmonium.numerics.newton import match_mean
from harmonium.validation import FloatArray

_Masks = np.ndarray[Any, np.dtype[np.int64]]


class Enumeration:
    """All states of n units, for batches of natural parameters (batch, n (n + 1) / 2)."""

    def __init__(self, n: int) -> None:
        self.n = n

    def _energies(self, natural: FloatArray) -> FloatArray:
        """s(z) . theta of every state, (..., 2**n)."""
        energies = np.zeros((*natural.shape[:-1], 1))
        at = self.n
        for i in range(self.n):
            field = natural[..., i : i + 1]
            for j in range(i):
                field = np.concatenate([field, field + natural[..., at + j : at + j + 1]], -1)
            at += i
            energies = np.concatenate([energies, energies + field], -1)
        return energies

    def _probabilities(self, natural: FloatArray) -> FloatArray:
        energies = self._energies(natural)
        energies -= energies.max(-1, keepdims=True)
        weights = np.exp(energies, out=energies)
        weights /= weights.sum(-1, keepdims=True)
        return weights

    def log_partition(self, natural: FloatArray) -> FloatArray:
        """Return psi, (batch,)."""
        return self._by_blocks(natural, lambda part: logsumexp(self._energies(part), -1))

    def mean(self, natural: FloatArray) -> FloatArray:
        """Return the mean parameters, (batch, dimension)."""
        masks = _masks(self.n)
        return self._by_blocks(
            natural,
            lambda part: np.minimum(
                _superset_sums(self._probabilities(part), self.n)[:, masks], 1.0
            ),
        )

    def entropy(self, natural: FloatArray) -> FloatArray:
        """Return the entropies, (batch,)."""
        return self._by_blocks(natural, lambda part: discrete_entropy(self._energies(part)))

    def oracle(self, natural: FloatArray) -> tuple[float, FloatArray, FloatArray]:
        """Return psi, its gradient and its Hessian at one point (dimension,)."""
        energies = self._energies(natural)
        top = float(energies.max())
        weights = np.exp(energies - top)
        total = float(weights.sum())
        # a certain pair must not be more than certain: its variance would be negative
        totals = np.minimum(_superset_sums(weights / total, self.n), 1.0)
        masks = _masks(self.n)
        mean = totals[masks]
        hessian = totals[masks[:, None] | masks[None, :]] - np.outer(mean, mean)
        return top + float(np.log(total)), mean, hessian

    def match(self, mean: FloatArray, start: FloatArray, largest: float) -> FloatArray:
        """Return the point (dimension,) with these means, by Newton."""
        return match_mean(self.oracle, mean, start, largest=largest)

    def sample(self, natural: FloatArray, n: int, rng: np.random.Generator) -> FloatArray:
        """Return ``n`` exact draws (n, units) at one point (dimension,)."""
        cumulative = self._probabilities(natural).cumsum()
        drawn = np.searchsorted(cumulative, rng.random(n) * cumulative[-1], side="right")
        return self._bits(np.minimum(drawn, len(cumulative) - 1))

    def sample_each(self, natural: FloatArray, rng: np.random.Generator) -> FloatArray:
        """Return one exact draw (units,) of each of the points (batch, dimension)."""

        def draw(part: FloatArray) -> FloatArray:
            cumulative = self._probabilities(part).cumsum(-1)
            uniform = rng.random((len(part), 1)) * cumulative[:, -1:]
            drawn = (uniform >= cumulative).sum(-1)
            return self._bits(np.minimum(drawn, cumulative.shape[-1] - 1))

        return self._by_blocks(natural, draw)

    def most_probable(self, natural: FloatArray) -> FloatArray:
        """Return the state (units,) of largest probability at one point (dimension,)."""
        return self._bits(np.asarray(self._energies(natural).argmax()))

    def _bits(self, states: Any) -> FloatArray:
        return np.asarray(states[..., None] >> np.arange(self.n) & 1, dtype=float)

    def _by_blocks(self, natural: FloatArray, function: Any) -> FloatArray:
        """Apply to a batch in pieces whose tables of states stay below 2**22 numbers."""
        step = max(1, (1 << 22) >> self.n)
        starts = range(0, max(len(natural), 1), step)
        return np.concatenate([np.asarray(function(natural[at : at + step])) for at in starts])


@lru_cache(maxsize=32)
def _masks(n: int) -> _Masks:
    """The bits of the units in each entry of the statistic."""
    i, j = np.tril_indices(n, -1)
    return np.concatenate([1 << np.arange(n), (1 << i) | (1 << j)])


def _superset_sums(values: FloatArray, n: int) -> FloatArray:
    """Sums over all states that contain each state's units."""
    shape = values.shape
    out = values
    for i in range(n):
        pairs = out.reshape(*shape[:-1], 1 << (n - 1 - i), 2, 1 << i)
        out = np.stack([pairs.sum(-2), pairs[..., 1, :]], -2).reshape(shape)
    return out
