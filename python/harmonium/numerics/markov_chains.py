"""What draws of several Markov chains are worth: effective sample sizes and split R-hat."""

from dataclasses import dataclass

import numpy as np

from harmonium.validation import FloatArray


@dataclass(frozen=True)
class GibbsSample:
    """Draws of several Markov chains: approximate, and correlated.

    Attributes
    ----------
    states : (chains, draws, n) array
        The states: units of a Boltzmann machine, or the columns of a harmonium's observations.
    effective_sample_size : (n,) array
        How many independent draws tell as much about each column's average (Geyer's initial
        positive sequence over all chains; Geyer, 1992).
    split_ratio : (n,) array
        Spread between halves of chains over that within (split R-hat); above 1.01 the chains have
        not met, and the draws are not to be trusted.
    """

    states: FloatArray
    effective_sample_size: FloatArray
    split_ratio: FloatArray


def gibbs_sample(states: FloatArray) -> GibbsSample:
    """Return (chains, draws, n) draws with what they are worth."""
    return GibbsSample(states, effective_sample_size(states), split_ratio(states))


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
