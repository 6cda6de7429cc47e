"""Poisson counts."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from scipy.special import gammaln

from harmonium.families.base import LOG_FLOOR
from harmonium.families.independent import IndependentFamily
from harmonium.numerics.deviance import poisson_deviance
from harmonium.numerics.log_factorial import log_factorial_remainder
from harmonium.numerics.poisson_draws import draw_poisson
from harmonium.validation import FloatArray, as_count, as_floats, check_counts

_LARGEST_RATE = float(np.exp(700.0))
#: From this count on densities are taken by saddle points: below, what cancels is less than 1e-10.
_LARGE = 65_536.0
#: Up to this rate the law is summed, beyond an asymptotic series is exact.
_SUMMED_TO = 50.0
#: Coefficients of rate**-1, rate**-2, ... in ``log(2 pi e rate) / 2`` less the entropy.
_ENTROPY_SERIES = (
    1 / 12, 1 / 24, 19 / 360, 9 / 80, 863 / 2520, 1375 / 1008, 33953 / 5040, 57281 / 1440,
)  # fmt: skip


class PoissonParameters(NamedTuple):
    """People's parameters of Poisson counts: the rates, (..., n)."""

    rate: FloatArray


@dataclass(frozen=True)
class Poisson(IndependentFamily):
    """Independent Poisson counts.

    ``s(x) = x``, base measure ``1 / x!``, ``psi = sum exp(theta)``, ``theta = log rate``;
    natural parameters from -745 to 700, rates above zero. Maximum likelihood of columns of zeros
    is held at a log rate of -690.

    Parameters
    ----------
    n : int
        Number of counts.
    """

    n: int = 1

    def __post_init__(self) -> None:
        object.__setattr__(self, "n", as_count(self.n, name="n"))

    @property
    def dimension(self) -> int:
        """Length of natural and mean vectors: n."""
        return self.n

    @property
    def n_features(self) -> int:
        """Columns of an observation: n."""
        return self.n

    def _copies(self, n: int) -> "Poisson":
        return Poisson(n)

    def _statistic(self, x: FloatArray) -> FloatArray:
        return x

    def _log_base_measure(self, x: FloatArray) -> FloatArray:
        return np.asarray(-gammaln(x + 1.0).sum(-1))

    def _log_density(self, natural: FloatArray, x: FloatArray) -> FloatArray:
        plain = super()._log_density(natural, x)
        large = _with_large(x)
        if not large.any():
            return plain
        saddle = -poisson_deviance(x, np.exp(natural)).sum(-1) - _remainder(x)
        return np.where(large, saddle, plain)

    def _evaluate(self, natural: FloatArray, x: FloatArray) -> FloatArray:
        out = super()._evaluate(natural, x)
        large = np.flatnonzero(_with_large(x))
        if len(large):
            out[large] = -poisson_deviance(x[large, None], np.exp(natural)).sum(-1)
        return out

    def _reference(self, x: FloatArray) -> FloatArray:
        return np.where(_with_large(x), -_remainder(x), self._log_base_measure(x))

    def _log_partitions(self, natural: FloatArray) -> FloatArray:
        return np.exp(natural)

    def _to_mean(self, natural: FloatArray) -> FloatArray:
        return np.exp(natural)

    def _to_natural(self, mean: FloatArray) -> FloatArray:
        return np.log(mean)

    def _fisher_information(self, natural: FloatArray) -> FloatArray:
        return np.exp(natural)[..., None] * np.eye(self.n)

    def _sample(self, natural: FloatArray, rng: np.random.Generator) -> FloatArray:
        return draw_poisson(np.exp(natural), rng)

    def _expected_log_base_measure(self, natural: FloatArray) -> FloatArray:
        return np.asarray(-_expected_log_factorial(natural).sum(-1))

    def _entropy(self, natural: FloatArray) -> FloatArray:
        return np.asarray(_entropies(natural).sum(-1))

    def _relative_entropy(self, p: FloatArray, q: FloatArray) -> FloatArray:
        return np.asarray((np.exp(p) * (np.expm1(q - p) - (q - p))).sum(-1))

    def _outside(self, natural: FloatArray) -> tuple[Any, str] | None:
        mask = ((natural < -745.0) | (natural > 700.0)).any(-1)
        return (mask, "log rates must lie between -745 and 700") if mask.any() else None

    def _on_boundary(self, mean: FloatArray) -> tuple[Any, str] | None:
        mask = (mean <= 0).any(-1)
        if mask.any():
            return mask, "rates must be above zero"
        mask = (mean > _LARGEST_RATE).any(-1)
        return (mask, "rates must be at most exp(700)") if mask.any() else None

    def _inside(self, mean: FloatArray) -> FloatArray:
        return np.clip(mean, np.exp(LOG_FLOOR), _LARGEST_RATE)

    def _check_support(self, x: FloatArray, name: str) -> None:
        check_counts(x, name)

    def _kernel_family(self) -> tuple[str, float]:
        return "poisson", 0.0

    def from_parameters(self, *, rate: object) -> FloatArray:  # type: ignore[override]
        """Return natural parameters of ``rate`` (..., n), above zero."""
        rates = as_floats(rate, name="rate")
        return np.log(self.check_mean(np.atleast_1d(rates), "rate"))

    def to_parameters(self, natural: object) -> PoissonParameters:
        """Return the rates, (..., n)."""
        return PoissonParameters(self.to_mean(natural))


def _with_large(x: FloatArray) -> Any:
    """Rows with a count so large that ``x theta - rate`` and ``log x!`` would cancel, (n,).

    Their densities are taken as deviances from each rate and what is common to all (Loader 2000).
    """
    return (x >= _LARGE).any(-1)


def _remainder(x: FloatArray) -> FloatArray:
    """``sum log x! - x log x + x`` of rows, (n,)."""
    return np.asarray(log_factorial_remainder(x).sum(-1))


def _sum_over_counts(log_rate: FloatArray, function: Any) -> FloatArray:
    """E[function(x, log p(x))] for rates of at most 50, by summing the law over all its counts."""
    theta = np.minimum(log_rate, np.log(_SUMMED_TO))[..., None]
    x = np.arange(0.0, 200.0)
    log_p = x * theta - np.exp(theta) - gammaln(x + 1.0)
    return np.asarray((np.exp(log_p) * function(x, log_p)).sum(-1))


def _asymptotic_entropy(log_rate: FloatArray) -> FloatArray:
    """Entropies of rates above 50 by their series (Knessl 1998), to 1e-13."""
    u = np.exp(-np.maximum(log_rate, np.log(_SUMMED_TO)))
    tail = np.zeros_like(u)
    for c in reversed(_ENTROPY_SERIES):
        tail = (tail + c) * u
    return np.asarray(0.5 * (np.log(2 * np.pi * np.e) + log_rate) - tail)


def _entropies(log_rate: FloatArray) -> FloatArray:
    small = _sum_over_counts(log_rate, lambda _, log_p: -log_p)
    return np.where(log_rate > np.log(_SUMMED_TO), _asymptotic_entropy(log_rate), small)


def _expected_log_factorial(log_rate: FloatArray) -> FloatArray:
    """E[log X!] of Poisson counts: their entropy less ``rate - rate log rate``."""
    small = _sum_over_counts(log_rate, lambda x, _: gammaln(x + 1.0))
    rate = np.exp(log_rate)
    large = _asymptotic_entropy(log_rate) - rate + rate * log_rate
    return np.where(log_rate > np.log(_SUMMED_TO), large, small)
