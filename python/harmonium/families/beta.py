"""Beta variables."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from harmonium.families.independent import IndependentFamily
from harmonium.families.parameters import positive, side_by_side
from harmonium.numerics.gamma_draws import draw_gamma, draw_log_gamma, plainly_drawn
from harmonium.numerics.gamma_functions import (
    digamma_difference,
    log_beta,
    log_less_digamma,
    stirling_remainder,
    trigamma,
    trigamma_difference,
)
from harmonium.numerics.match_beta import match_beta
from harmonium.validation import (
    FloatArray,
    as_count,
    as_generator,
    as_shape,
    check_open_unit_interval,
)

_LEAST, _MOST = 1e-100, 1e100
_SLACK = 1 + 1e-12
#: The least ``1 - exp(E[log x]) - exp(E[log(1 - x)])`` of an estimate, relative to the smaller
#: of the two exponentials: about one over the sum of both parameters.
_LEAST_GAP = 1e-12


class BetaParameters(NamedTuple):
    """People's parameters: the exponents of x and of 1 - x plus one, (..., n) each."""

    a: FloatArray
    b: FloatArray


@dataclass(frozen=True)
class Beta(IndependentFamily):
    """Independent beta variables.

    ``s(x) = (log x, log(1 - x))`` of x between 0 and 1, first statistics of all variables first,
    base measure ``1 / (x (1 - x))``, ``psi = sum log B(a, b)``, ``theta = (a, b)``, both from
    1e-100 to 1e100. Maximum likelihood of a constant column is held where
    ``1 - exp(E[log x]) - exp(E[log(1 - x)])`` is 1e-12 of the lesser exponential:
    a variance of about 1e-12 of the squared distance to the nearer end.

    Parameters
    ----------
    n : int
        Number of variables.
    """

    n: int = 1

    def __post_init__(self) -> None:
        object.__setattr__(self, "n", as_count(self.n, name="n"))

    @property
    def dimension(self) -> int:
        """Length of natural and mean vectors: 2 n."""
        return 2 * self.n

    @property
    def n_features(self) -> int:
        """Columns of an observation: n."""
        return self.n

    def _copies(self, n: int) -> "Beta":
        return Beta(n)

    def _kernel_family(self) -> tuple[str, float]:
        return "beta", 0.0

    def _halves(self, point: FloatArray) -> tuple[FloatArray, FloatArray]:
        return point[..., : self.n], point[..., self.n :]

    def _statistic(self, x: FloatArray) -> FloatArray:
        return np.concatenate([np.log(x), np.log1p(-x)], -1)

    def _log_base_measure(self, x: FloatArray) -> FloatArray:
        return np.asarray(-self._statistic(x).sum(-1))

    def _log_partitions(self, natural: FloatArray) -> FloatArray:
        return log_beta(*self._halves(natural))

    def _to_mean(self, natural: FloatArray) -> FloatArray:
        a, b = self._halves(natural)
        return -np.concatenate([digamma_difference(a, b), digamma_difference(b, a)], -1)

    def _to_natural(self, mean: FloatArray) -> FloatArray:
        one, other = self._halves(mean)
        a, b = match_beta(one.ravel(), other.ravel())
        return np.concatenate([a.reshape(one.shape), b.reshape(one.shape)], -1)

    def _fisher_information(self, natural: FloatArray) -> FloatArray:
        a, b = self._halves(natural)
        matrix = np.zeros((*natural.shape, 2 * self.n))
        i = np.arange(self.n)
        matrix[..., i, i] = trigamma_difference(a, b)
        matrix[..., i + self.n, i + self.n] = trigamma_difference(b, a)
        matrix[..., i, i + self.n] = matrix[..., i + self.n, i] = -trigamma(a + b)
        return matrix

    def _sample(self, natural: FloatArray, rng: np.random.Generator) -> FloatArray:
        # a double holds no number nearer to the ends: sample_log does
        most = 1.0 - 0.5 * np.finfo(float).eps
        if plainly_drawn(natural):
            one, other = (draw_gamma(part, rng) for part in self._halves(natural))
            return np.clip(one / (one + other), None, most)
        logs = self._sample_log(natural, rng)[..., : self.n]
        return np.clip(np.exp(np.maximum(logs, -708.0)), None, most)

    def _sample_log(self, natural: FloatArray, rng: np.random.Generator) -> FloatArray:
        one, other = (draw_log_gamma(part, rng) for part in self._halves(natural))
        total = np.logaddexp(one, other)
        # the logarithm of what is nearly one, from what is not
        logs = (
            np.where(one > other, -np.log1p(np.exp(-np.abs(one - other))), one - total),
            np.where(other > one, -np.log1p(np.exp(-np.abs(one - other))), other - total),
        )
        return np.concatenate(logs, -1)

    def sample_log(self, natural: object, rng: object = None, size: object = None) -> FloatArray:
        """Return ``log x`` and ``log(1 - x)`` of independent draws: size + batch axes + (2 n,).

        They lose nothing where draws of parameters below 0.01 round to 0 or 1: :meth:`sample`
        holds those at exp(-708) and at the number next to one.
        """
        point = self.check_natural(natural)
        many = np.broadcast_to(point, (*as_shape(size, name="size"), *point.shape))
        with np.errstate(under="ignore"):
            return self._sample_log(many, as_generator(rng, name="rng"))

    def _expected_log_base_measure(self, natural: FloatArray) -> FloatArray:
        return np.asarray(-self._to_mean(natural).sum(-1))

    def _entropy(self, natural: FloatArray) -> FloatArray:
        # Stirling's leading terms cancel by hand
        a, b = self._halves(natural)
        total = a + b
        wide = 0.5 * (np.log(2 * np.pi * a) + np.log(b) - 3.0 * np.log(total))
        rest = stirling_remainder(a) + stirling_remainder(b) - stirling_remainder(total)
        slope = log_less_digamma(total)
        tilt = (a - 1.0) * (log_less_digamma(a) - slope) + (b - 1.0) * (log_less_digamma(b) - slope)
        return np.asarray((wide + rest + tilt).sum(-1))

    def _outside(self, natural: FloatArray) -> tuple[Any, str] | None:
        mask = (natural <= 0).any(-1)
        if mask.any():
            return mask, "a and b must be above zero"
        mask = ((natural < _LEAST / _SLACK) | (natural > _MOST * _SLACK)).any(-1)
        return (mask, "a and b must lie between 1e-100 and 1e100") if mask.any() else None

    def _gap(self, mean: FloatArray) -> FloatArray:
        """``1 - exp(E[log x]) - exp(E[log(1 - x)])``, relative to the lesser exponential."""
        one, other = self._halves(mean)
        low, high = np.minimum(one, other), np.maximum(one, other)
        return -np.expm1(np.minimum(high, 0.0)) * np.exp(-np.maximum(low, -600.0)) - 1.0

    def _on_boundary(self, mean: FloatArray) -> tuple[Any, str] | None:
        mask = (mean >= 0).any(-1)
        if mask.any():
            return mask, "means of log x and of log(1 - x) must lie below zero"
        mask = (self._gap(mean) <= 0).any(-1)
        rule = "exp(E[log x]) and exp(E[log(1 - x)]) must sum to less than one"
        return (mask, rule) if mask.any() else None

    def _inside(self, mean: FloatArray) -> FloatArray:
        # the number next to one has a logarithm of -1e-16; a mean of 1e-300 is as good as zero
        one, other = self._halves(np.minimum(mean, -1e-300))
        near = self._gap(np.concatenate([one, other], -1)) < _LEAST_GAP
        # of the two, the lesser gives way
        low = np.minimum(one, other)
        # by more where the larger parameter, one over this and the exponential, would pass 1e99
        least = np.clip(1e-99 * np.exp(-np.maximum(low, -600.0)), _LEAST_GAP, 1.0)
        low = low - np.where(near, least, 0.0)
        lower = one <= other
        return np.concatenate([np.where(lower, low, one), np.where(lower, other, low)], -1)

    def _check_support(self, x: FloatArray, name: str) -> None:
        check_open_unit_interval(x, name)

    def from_parameters(self, *, a: object, b: object) -> FloatArray:  # type: ignore[override]
        """Return natural parameters of ``a`` and ``b``, (..., n) each, above zero."""
        return self.check_natural(side_by_side(positive(a, "a"), positive(b, "b")), "a and b")

    def to_parameters(self, natural: object) -> BetaParameters:
        """Return a and b, (..., n) each."""
        return BetaParameters(*self._halves(self.check_natural(natural)))
