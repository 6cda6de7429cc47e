"""Successes before a known number of failures: negative binomial and geometric counts."""

from abc import abstractmethod
from typing import Any, NamedTuple

import numpy as np

from harmonium.families.base import LOG_FLOOR
from harmonium.families.independent import IndependentFamily
from harmonium.families.parameters import probability as as_probability
from harmonium.numerics.poisson_draws import draw_poisson
from harmonium.validation import FloatArray, check_counts

_LOWEST = -745.0
#: Means relative to the failures are held below this.
_MOST_ODDS = 1e15


class SuccessesParameters(NamedTuple):
    """People's parameters: the probability of a success, (..., n)."""

    probability: FloatArray


class SuccessesFamily(IndependentFamily):
    """Successes before ``_failures`` failures: ``psi = -failures log(1 - exp(theta))``."""

    n: int

    @property
    @abstractmethod
    def _failures(self) -> float:
        """How many failures end a count."""

    @property
    def dimension(self) -> int:
        """Length of natural and mean vectors: n."""
        return self.n

    @property
    def n_features(self) -> int:
        """Columns of an observation: n."""
        return self.n

    def _statistic(self, x: FloatArray) -> FloatArray:
        return x

    def _log_partitions(self, natural: FloatArray) -> FloatArray:
        return -self._failures * log_failure(natural)

    def _to_mean(self, natural: FloatArray) -> FloatArray:
        # exp(theta) / (1 - exp(theta)), without the overflow of exp(-theta)
        return self._failures * np.exp(natural) / -np.expm1(natural)

    def _to_natural(self, mean: FloatArray) -> FloatArray:
        few = mean < self._failures
        # whichever of the two log odds keeps its digits
        rare = np.log(mean) - np.log(self._failures + mean)
        return np.where(few, rare, -np.log1p(self._failures / mean))

    def _fisher_information(self, natural: FloatArray) -> FloatArray:
        variance = self._to_mean(natural) / -np.expm1(natural)
        return variance[..., None] * np.eye(self.n)

    def _sample(self, natural: FloatArray, rng: np.random.Generator) -> FloatArray:
        odds = np.exp(natural) / -np.expm1(natural)
        return draw_poisson(rng.standard_gamma(self._failures, natural.shape) * odds, rng)

    def _relative_entropy(self, p: FloatArray, q: FloatArray) -> FloatArray:
        p, q = np.broadcast_arrays(p, q)
        change = q - p
        odds = np.exp(p) / -np.expm1(p)
        share = odds * np.expm1(np.minimum(change, 1.0))
        near = (np.abs(change) < 1.0) & (np.abs(share) < 0.5)
        small = np.log1p(-np.where(near, share, 0.0))
        ratio = np.where(near, small, log_failure(q) - log_failure(p))
        return np.asarray((self._failures * (-ratio - odds * change)).sum(-1))

    def _outside(self, natural: FloatArray) -> tuple[Any, str] | None:
        mask = ((natural < _LOWEST) | (natural > -0.5 / _MOST_ODDS)).any(-1)
        rule = "log probabilities of success must lie between -745 and -5e-16"
        return (mask, rule) if mask.any() else None

    def _on_boundary(self, mean: FloatArray) -> tuple[Any, str] | None:
        mask = (mean <= 0).any(-1)
        if mask.any():
            return mask, "means must be above zero"
        mask = (mean > self._failures * _MOST_ODDS * 1.000001).any(-1)
        return (mask, "means must be at most 1e15 times the failures") if mask.any() else None

    def _inside(self, mean: FloatArray) -> FloatArray:
        return np.clip(mean, self._failures * np.exp(LOG_FLOOR), self._failures * _MOST_ODDS)

    def _check_support(self, x: FloatArray, name: str) -> None:
        check_counts(x, name)

    def from_parameters(self, *, probability: object) -> FloatArray:  # type: ignore[override]
        """Return natural parameters of probabilities of success (..., n), between 0 and 1.

        scipy's ``p`` is the probability of a failure: one less this.
        """
        return self.check_natural(np.log(as_probability(probability)), "probability")

    def to_parameters(self, natural: object) -> SuccessesParameters:
        """Return the probabilities of success, (..., n)."""
        return SuccessesParameters(np.exp(self.check_natural(natural)))


def log_failure(log_success: FloatArray) -> FloatArray:
    """Return ``log(1 - exp(theta))`` for theta < 0, to full accuracy on both ends."""
    near = log_success > -np.log(2.0)
    rare = np.log1p(-np.exp(np.where(near, -1.0, log_success)))
    return np.where(near, np.log(-np.expm1(np.where(near, log_success, -1.0))), rare)
