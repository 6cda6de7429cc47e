"""Dirichlet laws of weights that sum to one."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from scipy.special import digamma, gammaln, logsumexp

from harmonium.families.base import ExponentialFamily
from harmonium.numerics.gamma_draws import plainly_drawn
from harmonium.numerics.gamma_entropy import gamma_entropy
from harmonium.numerics.gamma_functions import (
    digamma_difference,
    log_gamma_difference,
    trigamma,
    trigamma_difference,
)
from harmonium.numerics.match_dirichlet import LEAST, match_dirichlet, total_reaches
from harmonium.validation import (
    FloatArray,
    as_count,
    as_floats,
    as_generator,
    as_shape,
    check_simplex,
)


class DirichletParameters(NamedTuple):
    """People's parameters of a Dirichlet law: the concentrations, (..., n)."""

    concentration: FloatArray


@dataclass(frozen=True)
class Dirichlet(ExponentialFamily):
    """Laws of ``n`` weights above zero that sum to one, with densities in all of them but the last.

    ``s(x) = log x``, base measure ``1 / prod x``, ``psi = sum log Gamma(theta_i) -
    log Gamma(sum theta_i)``, ``theta`` the concentrations (Minka, 2000): each at least 1e-100,
    their average at most 1e14. Maximum likelihood of rows so alike that the average would pass
    1e13 is held there.

    Parameters
    ----------
    n : int
        Number of weights, at least 2.
    """

    n: int

    #: Largest average concentration of a point.
    MAX_AVERAGE = 1e14
    #: And of an estimate: beyond, rounding alone tells how alike rows are.
    MAX_ESTIMATE = 1e13

    def __post_init__(self) -> None:
        object.__setattr__(self, "n", as_count(self.n, name="n", minimum=2))

    @property
    def dimension(self) -> int:
        """Length of natural and mean vectors: n."""
        return self.n

    @property
    def n_features(self) -> int:
        """Columns of an observation: n."""
        return self.n

    def _statistic(self, x: FloatArray) -> FloatArray:
        # einsum adds up short rows several times as fast as a sum over the last axis
        return np.asarray(np.log(x) - np.log(np.einsum("...i->...", x))[..., None])

    def _log_base_measure(self, x: FloatArray) -> FloatArray:
        return np.asarray(-np.einsum("...i->...", self._statistic(x)))

    def _kernel_family(self) -> tuple[str, float]:
        return "dirichlet", 0.0

    def _expected_log_base_measure(self, natural: FloatArray) -> FloatArray:
        return np.asarray(-self._to_mean(natural).sum(-1))

    def _log_partition(self, natural: FloatArray) -> FloatArray:
        # the largest log-gamma and that of the total cancel: their difference is taken as one
        largest = natural.argmax(-1)[..., None]
        others = natural.copy()
        np.put_along_axis(others, largest, 0.0, -1)
        logs = gammaln(np.where(others > 0, others, 1.0)).sum(-1)
        top = np.take_along_axis(natural, largest, -1)[..., 0]
        return np.asarray(logs - log_gamma_difference(top, others.sum(-1)))

    def _rest(self, natural: FloatArray) -> FloatArray:
        """The sum of all concentrations but each, (..., n): exact where one is almost all."""
        largest = natural.argmax(-1)[..., None]
        others = natural.copy()
        np.put_along_axis(others, largest, 0.0, -1)
        rest = natural.sum(-1, keepdims=True) - natural
        np.put_along_axis(rest, largest, others.sum(-1, keepdims=True), -1)
        return np.asarray(rest)

    def _to_mean(self, natural: FloatArray) -> FloatArray:
        return -digamma_difference(natural, self._rest(natural))

    def _to_natural(self, mean: FloatArray) -> FloatArray:
        flat = mean.reshape(-1, self.n)
        return match_dirichlet(flat, self.n * self.MAX_AVERAGE).reshape(mean.shape)

    def _fisher_information(self, natural: FloatArray) -> FloatArray:
        matrix = np.empty((*natural.shape, self.n))
        matrix[...] = -trigamma(natural.sum(-1))[..., None, None]
        i = np.arange(self.n)
        matrix[..., i, i] = trigamma_difference(natural, self._rest(natural))
        return matrix

    def _entropy(self, natural: FloatArray) -> FloatArray:
        # entropies of gamma laws: nothing as large as a concentration cancels
        total = natural.sum(-1)
        spare = gamma_entropy(natural).sum(-1) - gamma_entropy(total)
        return np.asarray(spare - (self.n - 1) * digamma(total))

    def _sample(self, natural: FloatArray, rng: np.random.Generator) -> FloatArray:
        if plainly_drawn(natural):
            draws = rng.standard_gamma(natural + 1.0)
            draws *= np.exp(-rng.standard_exponential(natural.shape) / natural)
            return np.asarray(draws / np.einsum("...i->...", draws)[..., None])
        # weights too small for a double are its smallest: zero lies outside the open simplex
        return np.maximum(
            np.exp(self._sample_log(natural, rng)), np.finfo(float).smallest_subnormal
        )

    def _sample_log(self, natural: FloatArray, rng: np.random.Generator) -> FloatArray:
        # log Gamma(a) = log Gamma(a + 1) + log(U) / a, in which nothing underflows
        logs = np.log(rng.standard_gamma(natural + 1.0))
        logs = logs - rng.standard_exponential(natural.shape) / natural
        return np.asarray(logs - logsumexp(logs, -1, keepdims=True))

    def sample_log(self, natural: object, rng: object = None, size: object = None) -> FloatArray:
        """Return logs of independent draws, as :meth:`sample` does the draws: same seed, same draws.

        Below a concentration of 1e-2 weights underflow, which their logs do not.
        """
        point = self.check_natural(natural)
        many = np.broadcast_to(point, (*as_shape(size, name="size"), *point.shape))
        return self._sample_log(many, as_generator(rng, name="rng"))

    def _outside(self, natural: FloatArray) -> tuple[Any, str] | None:
        mask = (natural < LEAST).any(-1)
        if np.any(mask):
            return mask, "concentrations must be above zero, and at least 1e-100"
        mask = natural.mean(-1) > self.MAX_AVERAGE * (1 + 1e-12)
        return (mask, "concentrations must be at most 1e14 on average") if np.any(mask) else None

    def _on_boundary(self, mean: FloatArray) -> tuple[Any, str] | None:
        mask = (mean >= 0).any(-1)
        if np.any(mask):
            return mask, "expected log weights must be below zero"
        mask = (mean < -1 / LEAST).any(-1)
        if np.any(mask):
            return mask, "expected log weights must be above -1e100"
        mask = total_reaches(mean.reshape(-1, self.n), self.n * self.MAX_AVERAGE)
        mask = mask.reshape(mean.shape[:-1])
        rule = "expected log weights must leave room below one: sum exp(mean) < 1"
        return (mask, rule) if np.any(mask) else None

    def _inside(self, mean: FloatArray) -> FloatArray:
        flat = mean.reshape(-1, self.n)
        below = np.minimum(flat, -np.finfo(float).tiny)
        alike = (flat >= 0).any(-1) | total_reaches(below, self.n * self.MAX_ESTIMATE)
        if not alike.any():
            return mean
        shares = flat[alike] - logsumexp(flat[alike], -1, keepdims=True)
        held = np.maximum(self.n * self.MAX_ESTIMATE * np.exp(shares), LEAST)
        inside = flat.copy()
        inside[alike] = self._to_mean(held)
        return inside.reshape(mean.shape)

    def _check_support(self, x: FloatArray, name: str) -> None:
        check_simplex(x, name)

    def from_parameters(self, *, concentration: object) -> FloatArray:  # type: ignore[override]
        """Return natural parameters of ``concentration`` (..., n), above zero."""
        return self.check_natural(as_floats(concentration, name="concentration"), "concentration")

    def to_parameters(self, natural: object) -> DirichletParameters:
        """Return the concentrations, (..., n)."""
        return DirichletParameters(self.check_natural(natural))
