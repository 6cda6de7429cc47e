"""The other way to each number: sums over all states, without the library's mathematics."""

from typing import Any

import numpy as np
from scipy.special import logsumexp
from scipy.stats import multivariate_normal

from harmonium.validation import FloatArray


def all_states(n: int) -> FloatArray:
    """Return all states (2**n, n) of binary units."""
    return (np.arange(2**n)[:, None] >> np.arange(n) & 1).astype(float)


class LinearByStates:
    """A linear Gaussian model with binary units as a sum over all of their states.

    ``parameters`` are people's: mean, loadings, noise, and the units' biases and couplings.
    """

    def __init__(self, parameters: Any) -> None:
        mean, loadings, noise, (biases, couplings) = parameters
        self._states = all_states(len(biases))
        pairs = np.einsum("si,ij,sj->s", self._states, couplings, self._states)
        energies = self._states @ biases + 0.5 * pairs
        self._log_prior = energies - logsumexp(energies)
        self._centres = mean + self._states @ loadings.T
        self._noise = multivariate_normal(np.zeros(len(mean)), noise)

    def _joint(self, x: FloatArray) -> FloatArray:
        """Log q(x, z), (n, states)."""
        logs = [self._noise.logpdf(x - centre) for centre in self._centres]
        return np.asarray(np.transpose(logs) + self._log_prior)

    def log_density(self, x: FloatArray) -> FloatArray:
        """Return log q(x), (n,), in nats."""
        return np.asarray(logsumexp(self._joint(x), -1))

    def moments(self, x: FloatArray) -> FloatArray:
        """Return E[z zT | x], (n, units, units), by Bayes' rule."""
        joint = self._joint(x)
        shares = np.exp(joint - logsumexp(joint, -1, keepdims=True))
        return np.asarray(np.einsum("ns,si,sj->nij", shares, self._states, self._states))


class PlaneByStates:
    """Linear Gaussian models of the plane with binary units, as sums over all of their states.

    Natural parameters are as the library's: of y (5), of the units and their couplings, and the
    interaction (2, units) row by row.
    """

    def __init__(self, units: int) -> None:
        self._units = units
        self._states = all_states(units)
        i, j = np.tril_indices(units, -1)
        self._statistic = np.column_stack([self._states, self._states[:, i] * self._states[:, j]])

    def to_mean(self, natural: FloatArray) -> FloatArray | None:
        """Return the mean parameters of one point, or None where it has no law."""
        split = 5 + self._statistic.shape[1]
        a, c, b = -2 * natural[2], -natural[3], -2 * natural[4]
        determinant = a * b - c * c
        if not (a > 0 and determinant > 0):
            return None
        covariance = np.array([[b, -c], [-c, a]]) / determinant
        pulls = natural[:2] + self._states @ natural[split:].reshape(2, self._units).T
        means = pulls @ covariance
        energies = self._statistic @ natural[5:split] + 0.5 * (pulls * means).sum(-1)
        shares = np.exp(energies - energies.max())
        shares /= shares.sum()
        weighted = means.T * shares
        second = covariance + weighted @ means
        return np.concatenate(
            [
                weighted.sum(-1),
                (second[0, 0], second[1, 0], second[1, 1]),
                shares @ self._statistic,
                (weighted @ self._states).ravel(),
            ]
        )
