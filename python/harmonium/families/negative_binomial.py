"""Negative binomial counts."""

from dataclasses import dataclass

import numpy as np

from harmonium.families.successes import SuccessesFamily
from harmonium.numerics.binomial import log_negative_binomial, negative_binomial_expectations
from harmonium.validation import FloatArray, as_count, as_positive


@dataclass(frozen=True)
class NegativeBinomial(SuccessesFamily):
    """Independent counts of successes before a known number of failures.

    ``s(x) = x`` of 0, 1, ..., base measure ``Gamma(x + failures) / (x! Gamma(failures))``,
    ``psi = -sum failures log(1 - exp(theta))``, ``theta < 0`` the log probability of a success,
    from -745 to -5e-16. Maximum likelihood of columns of zeros is held at a log probability of
    -690.

    Parameters
    ----------
    failures : float
        The failures that end a count, above zero; they need not be whole. A Poisson count whose
        rate follows a gamma law of this shape has this law.
    n : int
        Number of counts.
    """

    failures: float
    n: int = 1

    def __post_init__(self) -> None:
        object.__setattr__(self, "failures", as_positive(self.failures, name="failures"))
        object.__setattr__(self, "n", as_count(self.n, name="n"))

    @property
    def _failures(self) -> float:
        return self.failures

    def _copies(self, n: int) -> "NegativeBinomial":
        return NegativeBinomial(self.failures, n)

    def _kernel_family(self) -> tuple[str, float]:
        return "negative_binomial", float(self.failures)

    def _log_base_measure(self, x: FloatArray) -> FloatArray:
        return np.asarray(log_negative_binomial(self.failures, x).sum(-1))

    def _expected_log_base_measure(self, natural: FloatArray) -> FloatArray:
        found = negative_binomial_expectations(self.failures, natural.ravel()).log_base_measure
        return np.asarray(found.reshape(natural.shape).sum(-1))

    def _entropy(self, natural: FloatArray) -> FloatArray:
        found = negative_binomial_expectations(self.failures, natural.ravel()).entropy
        return np.asarray(found.reshape(natural.shape).sum(-1))
