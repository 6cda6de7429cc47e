"""Binomial counts."""

from dataclasses import dataclass

import numpy as np

from harmonium.families.trials import TrialsFamily
from harmonium.numerics.binomial import binomial_expectations, log_binomial
from harmonium.validation import FloatArray, as_count, check_counts

_MOST_TRIALS = 2**53


@dataclass(frozen=True)
class Binomial(TrialsFamily):
    """Independent counts of successes among a known number of trials.

    ``s(x) = x`` of 0, ..., trials, base measure ``trials! / (x! (trials - x)!)``,
    ``psi = sum trials log(1 + exp(theta))``, ``theta`` the log odds of a success, any real
    number. Maximum likelihood of columns of zeros is held at log odds of -690; that of columns
    without a failure at the rounding of one (log odds of 36).

    Parameters
    ----------
    trials : int
        How many trials each count is of, at most 2**53.
    n : int
        Number of counts.
    """

    trials: int
    n: int = 1

    def __post_init__(self) -> None:
        trials = as_count(self.trials, name="trials")
        if trials > _MOST_TRIALS:
            raise ValueError(
                f"trials must be at most 2**53, so that counts are exact, not {trials}"
            )
        object.__setattr__(self, "trials", trials)
        object.__setattr__(self, "n", as_count(self.n, name="n"))

    @property
    def _trials(self) -> int:
        return self.trials

    def _copies(self, n: int) -> "Binomial":
        return Binomial(self.trials, n)

    def _kernel_family(self) -> tuple[str, float]:
        return "binomial", float(self.trials)

    def _log_base_measure(self, x: FloatArray) -> FloatArray:
        return np.asarray(log_binomial(self.trials, x).sum(-1))

    def _expected_log_base_measure(self, natural: FloatArray) -> FloatArray:
        expected = binomial_expectations(self.trials, natural.ravel()).log_base_measure
        return np.asarray(expected.reshape(natural.shape).sum(-1))

    def _entropy(self, natural: FloatArray) -> FloatArray:
        entropy = binomial_expectations(self.trials, natural.ravel()).entropy
        return np.asarray(entropy.reshape(natural.shape).sum(-1))

    def _check_support(self, x: FloatArray, name: str) -> None:
        check_counts(x, name, maximum=self.trials)
