"""Binary variables."""

from dataclasses import dataclass

import numpy as np
from scipy.special import expit

from harmonium.families.trials import TrialsFamily
from harmonium.validation import FloatArray, as_count, check_binary


@dataclass(frozen=True)
class Bernoulli(TrialsFamily):
    """Independent binary variables.

    ``s(x) = x`` of 0 or 1, base measure 1, ``psi = sum log(1 + exp(theta))``, ``theta`` the log
    odds of one, any real number. Maximum likelihood of columns of zeros is held at log odds of
    -690; that of columns of ones, whose mean is one, at the rounding of one (log odds of 36).

    Parameters
    ----------
    n : int
        Number of variables.
    """

    n: int = 1

    def __post_init__(self) -> None:
        object.__setattr__(self, "n", as_count(self.n, name="n"))

    @property
    def _trials(self) -> int:
        return 1

    def _copies(self, n: int) -> "Bernoulli":
        return Bernoulli(n)

    def _kernel_family(self) -> tuple[str, float]:
        return "bernoulli", 0.0

    def _entropy(self, natural: FloatArray) -> FloatArray:
        one, zero = expit(natural), expit(-natural)
        surprise = one * np.logaddexp(0.0, -natural) + zero * np.logaddexp(0.0, natural)
        return np.asarray(surprise.sum(-1))

    def _check_support(self, x: FloatArray, name: str) -> None:
        check_binary(x, name)
