"""Geometric counts."""

from dataclasses import dataclass

import numpy as np

from harmonium.families.successes import SuccessesFamily, log_failure
from harmonium.validation import FloatArray, as_count


@dataclass(frozen=True)
class Geometric(SuccessesFamily):
    """Independent counts of successes before the first failure.

    ``s(x) = x`` of 0, 1, ..., base measure 1, ``psi = -sum log(1 - exp(theta))``, ``theta < 0``
    the log probability of a success, from -745 to -5e-16. Maximum likelihood of columns of zeros
    is held at a log probability of -690. scipy counts the trial that fails too: its law is that
    of one more.

    Parameters
    ----------
    n : int
        Number of counts.
    """

    n: int = 1

    def __post_init__(self) -> None:
        object.__setattr__(self, "n", as_count(self.n, name="n"))

    @property
    def _failures(self) -> float:
        return 1.0

    def _copies(self, n: int) -> "Geometric":
        return Geometric(n)

    def _kernel_family(self) -> tuple[str, float]:
        return "geometric", 0.0

    def _sample(self, natural: FloatArray, rng: np.random.Generator) -> FloatArray:
        # an exponential variable rounded down
        return np.floor(rng.standard_exponential(natural.shape) / -natural)

    def _entropy(self, natural: FloatArray) -> FloatArray:
        return np.asarray((-log_failure(natural) - natural * self._to_mean(natural)).sum(-1))
