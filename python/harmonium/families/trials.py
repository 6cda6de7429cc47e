"""Successes among a known number of trials: what Bernoulli and binomial variables share."""

from abc import abstractmethod
from typing import Any, NamedTuple

import numpy as np
from scipy.special import expit

from harmonium.families.base import LOG_FLOOR
from harmonium.families.independent import IndependentFamily
from harmonium.families.parameters import probability as as_probability
from harmonium.validation import FloatArray


class TrialsParameters(NamedTuple):
    """People's parameters: the probability of a success, (..., n)."""

    probability: FloatArray


class TrialsFamily(IndependentFamily):
    """Successes among ``_trials`` trials: ``s(x) = x``, ``psi = trials log(1 + exp(theta))``."""

    n: int

    @property
    @abstractmethod
    def _trials(self) -> int:
        """How many trials a count is of."""

    @property
    def dimension(self) -> int:
        """Length of natural and mean vectors: n."""
        return self.n

    @property
    def n_features(self) -> int:
        """Columns of an observation: n."""
        return self.n

    @property
    def levels(self) -> tuple[int, ...]:
        """Each column takes the values 0 to the number of trials."""
        return (self._trials + 1,) * self.n

    def _statistic(self, x: FloatArray) -> FloatArray:
        return x

    def _log_partitions(self, natural: FloatArray) -> FloatArray:
        return np.asarray(self._trials * np.logaddexp(0.0, natural))

    def _to_mean(self, natural: FloatArray) -> FloatArray:
        return np.asarray(self._trials * expit(natural))

    def _to_natural(self, mean: FloatArray) -> FloatArray:
        return np.log(mean / (self._trials - mean))

    def _fisher_information(self, natural: FloatArray) -> FloatArray:
        variance = self._trials * expit(natural) * expit(-natural)
        return variance[..., None] * np.eye(self.n)

    def _sample(self, natural: FloatArray, rng: np.random.Generator) -> FloatArray:
        # drawn for the rarer outcome, whose probability keeps its digits
        rare = rng.binomial(self._trials, expit(-np.abs(natural))).astype(float)
        return np.where(natural > 0, self._trials - rare, rare)

    def _relative_entropy(self, p: FloatArray, q: FloatArray) -> FloatArray:
        p, q = np.broadcast_arrays(p, q)
        # of the rarer outcome under p
        sign = np.where(p > 0, -1.0, 1.0)
        p, q = sign * p, sign * q
        change = q - p
        share = expit(p)
        near = np.abs(change) < 1.0
        small = np.log1p(share * np.expm1(np.where(near, change, 0.0)))
        large = np.logaddexp(0.0, q) - np.logaddexp(0.0, p)
        return np.asarray((self._trials * (np.where(near, small, large) - share * change)).sum(-1))

    def _outside(self, natural: FloatArray) -> tuple[Any, str] | None:
        return None

    def _on_boundary(self, mean: FloatArray) -> tuple[Any, str] | None:
        mask = ((mean <= 0) | (mean >= self._trials)).any(-1)
        rule = f"means must lie strictly between 0 and {self._trials}"
        return (mask, rule) if mask.any() else None

    def _inside(self, mean: FloatArray) -> FloatArray:
        most = self._trials * (1.0 - np.finfo(float).eps)
        return np.clip(mean, self._trials * np.exp(LOG_FLOOR), most)

    def from_parameters(self, *, probability: object) -> FloatArray:  # type: ignore[override]
        """Return natural parameters of probabilities of success (..., n), between 0 and 1."""
        p = as_probability(probability)
        return self.check_natural(np.log(p) - np.log1p(-p), "probability")

    def to_parameters(self, natural: object) -> TrialsParameters:
        """Return the probabilities of success, (..., n)."""
        return TrialsParameters(expit(self.check_natural(natural)))
