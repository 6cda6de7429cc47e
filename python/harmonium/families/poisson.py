"""Poisson counts."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from scipy.special import gammaln

from harmonium import _kernels
from harmonium.families.base import LOG_FLOOR
from harmonium.families.independent import IndependentFamily
from harmonium.validation import FloatArray, as_count, as_floats, check_counts


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

    def _log_partitions(self, natural: FloatArray) -> FloatArray:
        return np.exp(natural)

    def _to_mean(self, natural: FloatArray) -> FloatArray:
        return np.exp(natural)

    def _to_natural(self, mean: FloatArray) -> FloatArray:
        return np.log(mean)

    def _fisher_information(self, natural: FloatArray) -> FloatArray:
        return np.exp(natural)[..., None] * np.eye(self.n)

    def _sample(self, natural: FloatArray, rng: np.random.Generator) -> FloatArray:
        rate = np.exp(natural)
        # numpy's sampler stops at 2**63; there the normal law is exact to double precision
        large = rate > 1e18
        counts = rng.poisson(np.where(large, 1.0, rate)).astype(float)
        if large.any():
            normal = np.rint(rate + np.sqrt(rate) * rng.standard_normal(rate.shape))
            counts = np.where(large, normal, counts)
        return counts

    def _expected_log_base_measure(self, natural: FloatArray) -> FloatArray:
        return np.asarray(-_expected_log_factorial(np.exp(natural)).sum(-1))

    def _outside(self, natural: FloatArray) -> tuple[Any, str] | None:
        mask = ((natural < -745.0) | (natural > 700.0)).any(-1)
        return (mask, "log rates must lie between -745 and 700") if mask.any() else None

    def _on_boundary(self, mean: FloatArray) -> tuple[Any, str] | None:
        mask = (mean <= 0).any(-1)
        return (mask, "rates must be above zero") if mask.any() else None

    def _inside(self, mean: FloatArray) -> FloatArray:
        return np.maximum(mean, np.exp(LOG_FLOOR))

    def _check_support(self, x: FloatArray, name: str) -> None:
        check_counts(x, name)

    def _kernel(self, natural: FloatArray) -> Any:
        return _kernels.statistic_stack("poisson", self.n, *self._kernel_tables(natural))

    def from_parameters(self, *, rate: object) -> FloatArray:  # type: ignore[override]
        """Return natural parameters of ``rate`` (..., n), above zero."""
        rates = as_floats(rate, name="rate")
        return np.log(self.check_mean(np.atleast_1d(rates), "rate"))

    def to_parameters(self, natural: object) -> PoissonParameters:
        """Return the rates, (..., n)."""
        return PoissonParameters(self.to_mean(natural))


def _expected_log_factorial(rate: FloatArray) -> FloatArray:
    """E[log X!] of Poisson counts, by summing the law over 12 standard deviations."""
    out = np.empty(rate.shape)
    for place in np.ndindex(rate.shape):
        r = float(rate[place])
        if r > 1e6:
            # from the entropy's asymptotic series: relative error below 1e-13 here
            out[place] = r * np.log(r) - r + 0.5 * np.log(2 * np.pi * np.e * r) - 1 / (12 * r)
            continue
        width = 12 * np.sqrt(r) + 40
        x = np.arange(max(0.0, np.floor(r - width)), np.ceil(r + width) + 1)
        log_factorial = gammaln(x + 1.0)
        out[place] = np.exp(x * np.log(r) - r - log_factorial) @ log_factorial if r > 0 else 0.0
    return out
