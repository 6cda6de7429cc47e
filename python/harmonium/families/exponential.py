"""Exponential waiting times."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from harmonium.families.independent import IndependentFamily
from harmonium.families.parameters import positive
from harmonium.numerics.deviance import log1p_remainder
from harmonium.validation import FloatArray, as_count, check_positive_data

#: Means of all sizes at which squares neither overflow nor underflow.
_LEAST, _MOST = 1e-100, 1e100
_SLACK = 1 + 1e-12


class ExponentialParameters(NamedTuple):
    """People's parameters: the rates, (..., n), one over the means."""

    rate: FloatArray


@dataclass(frozen=True)
class Exponential(IndependentFamily):
    """Independent exponential waiting times.

    ``s(x) = x`` above zero, base measure 1, ``psi = -sum log(-theta)``, ``theta = -rate``; rates
    and means from 1e-100 to 1e100.

    Parameters
    ----------
    n : int
        Number of waiting times.
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

    def _copies(self, n: int) -> "Exponential":
        return Exponential(n)

    def _kernel_family(self) -> tuple[str, float]:
        return "exponential", 0.0

    def _statistic(self, x: FloatArray) -> FloatArray:
        return x

    def _log_partitions(self, natural: FloatArray) -> FloatArray:
        return -np.log(-natural)

    def _to_mean(self, natural: FloatArray) -> FloatArray:
        return -1.0 / natural

    def _to_natural(self, mean: FloatArray) -> FloatArray:
        return -1.0 / mean

    def _fisher_information(self, natural: FloatArray) -> FloatArray:
        return (natural**-2.0)[..., None] * np.eye(self.n)

    def _sample(self, natural: FloatArray, rng: np.random.Generator) -> FloatArray:
        return np.maximum(rng.standard_exponential(natural.shape), 1e-100) / -natural

    def _entropy(self, natural: FloatArray) -> FloatArray:
        return np.asarray((1.0 - np.log(-natural)).sum(-1))

    def _relative_entropy(self, p: FloatArray, q: FloatArray) -> FloatArray:
        return np.asarray(log1p_remainder((q - p) / p).sum(-1))

    def _outside(self, natural: FloatArray) -> tuple[Any, str] | None:
        mask = ((natural > -_LEAST / _SLACK) | (natural < -_MOST * _SLACK)).any(-1)
        rule = "natural parameters must be below zero, between -1e100 and -1e-100"
        return (mask, rule) if mask.any() else None

    def _on_boundary(self, mean: FloatArray) -> tuple[Any, str] | None:
        mask = ((mean < _LEAST / _SLACK) | (mean > _MOST * _SLACK)).any(-1)
        rule = "means must be above zero, between 1e-100 and 1e100: rescale the data"
        return (mask, rule) if mask.any() else None

    def _inside(self, mean: FloatArray) -> FloatArray:
        return np.clip(mean, _LEAST, _MOST)

    def _check_support(self, x: FloatArray, name: str) -> None:
        check_positive_data(x, name)

    def from_parameters(self, *, rate: object) -> FloatArray:  # type: ignore[override]
        """Return natural parameters of ``rate`` (..., n), above zero."""
        return self.check_natural(-positive(rate, "rate"), "rate")

    def to_parameters(self, natural: object) -> ExponentialParameters:
        """Return the rates, (..., n)."""
        return ExponentialParameters(-self.check_natural(natural))
