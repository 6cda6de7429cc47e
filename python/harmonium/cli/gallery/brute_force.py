"""The other way to each number: sums over all states, without the library's mathematics."""

import numpy as np
from scipy.special import logsumexp
from scipy.stats import multivariate_normal

from harmonium.validation import FloatArray


def all_states(n: int) -> FloatArray:
    """Return all states (2**n, n) of binary units."""
    return (np.arange(2**n)[:, None] >> np.arange(n) & 1).astype(float)


def unit_log_probabilities(
    states: FloatArray, biases: FloatArray, couplings: FloatArray
) -> FloatArray:
    """Return log probabilities of all states of a Boltzmann machine."""
    energies = states @ biases + 0.5 * np.einsum("si,ij,sj->s", states, couplings, states)
    return np.asarray(energies - logsumexp(energies))


def joint_log_densities(
    x: FloatArray,
    states: FloatArray,
    log_prior: FloatArray,
    mean: FloatArray,
    loadings: FloatArray,
    noise: FloatArray,
) -> FloatArray:
    """Return log q(x, z), (n, states), of normals about ``mean + loadings z``."""
    centred = multivariate_normal(np.zeros(len(mean)), noise)
    logs = [centred.logpdf(x - mean - loadings @ state) for state in states]
    return np.asarray(np.transpose(logs) + log_prior)
