"""Gamma variables."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from scipy.special import digamma, gammaln

from harmonium.families.base import Indices
from harmonium.families.independent import IndependentFamily
from harmonium.families.parameters import positive, side_by_side
from harmonium.families.tied import average
from harmonium.numerics.gamma_draws import draw_gamma, draw_log_gamma, plainly_drawn
from harmonium.numerics.gamma_functions import (
    inverse_log_less_digamma,
    log_less_digamma,
    stirling_remainder,
    trigamma,
)
from harmonium.validation import FloatArray, as_count, as_generator, as_shape, check_positive_data

#: Means of all sizes at which squares neither overflow nor underflow.
_LEAST, _MOST = 1e-100, 1e100
#: Shapes: beyond, the logarithm of the mean and the mean logarithm are one to double precision.
_LEAST_SHAPE, _MOST_SHAPE = 1e-100, 1e15
#: The least ``log E[x] - E[log x]`` of an estimate: a shape of 1e12.
_LEAST_GAP = 5e-13
_SLACK = 1 + 1e-12


class GammaParameters(NamedTuple):
    """People's parameters: shapes and rates (one over scales), (..., n) each."""

    shape: FloatArray
    rate: FloatArray


@dataclass(frozen=True)
class Gamma(IndependentFamily):
    """Independent gamma variables.

    ``s(x) = (log x, x)`` of x above zero, logarithms of all variables first, base measure
    ``1 / x``, ``psi = sum log Gamma(theta_1) - theta_1 log(-theta_2)``,
    ``theta = (shape, -rate)``; shapes from 1e-100 to 1e15 and means from 1e-100 to 1e100. The
    backward mapping solves ``log shape - digamma(shape) = log E[x] - E[log x]`` (Minka 2002).
    Maximum likelihood of a constant column is held at a shape of 1e12.

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

    @property
    def location(self) -> Indices:
        """The variables themselves: their natural parameters are the rates."""
        return np.arange(self.n, 2 * self.n)

    def _copies(self, n: int) -> "Gamma":
        return Gamma(n)

    def _kernel_family(self) -> tuple[str, float]:
        return "gamma", 0.0

    def _shape_and_rate(self, natural: FloatArray) -> tuple[FloatArray, FloatArray]:
        return natural[..., : self.n], -natural[..., self.n :]

    def _statistic(self, x: FloatArray) -> FloatArray:
        return np.concatenate([np.log(x), x], -1)

    def _log_base_measure(self, x: FloatArray) -> FloatArray:
        return np.asarray(-np.log(x).sum(-1))

    def _log_partitions(self, natural: FloatArray) -> FloatArray:
        shape, rate = self._shape_and_rate(natural)
        return np.asarray(gammaln(shape) - shape * np.log(rate))

    def _to_mean(self, natural: FloatArray) -> FloatArray:
        shape, rate = self._shape_and_rate(natural)
        return np.concatenate([digamma(shape) - np.log(rate), shape / rate], -1)

    def _gap(self, mean: FloatArray) -> FloatArray:
        return np.log(np.maximum(mean[..., self.n :], 1e-300)) - mean[..., : self.n]

    def _to_natural(self, mean: FloatArray) -> FloatArray:
        shape = np.clip(inverse_log_less_digamma(self._gap(mean)), _LEAST_SHAPE, _MOST_SHAPE)
        return np.concatenate([shape, -shape / mean[..., self.n :]], -1)

    def _fisher_information(self, natural: FloatArray) -> FloatArray:
        shape, rate = self._shape_and_rate(natural)
        matrix = np.zeros((*natural.shape, 2 * self.n))
        i = np.arange(self.n)
        matrix[..., i, i] = trigamma(shape)
        matrix[..., i, i + self.n] = matrix[..., i + self.n, i] = 1.0 / rate
        matrix[..., i + self.n, i + self.n] = shape / rate / rate
        return matrix

    def _sample(self, natural: FloatArray, rng: np.random.Generator) -> FloatArray:
        shape, rate = self._shape_and_rate(natural)
        if plainly_drawn(shape):
            return draw_gamma(shape, rng) / rate
        # a double holds no number below this: sample_log does
        return np.exp(np.maximum(self._sample_log(natural, rng), -708.0))

    def _sample_log(self, natural: FloatArray, rng: np.random.Generator) -> FloatArray:
        shape, rate = self._shape_and_rate(natural)
        return draw_log_gamma(shape, rng) - np.log(rate)

    def sample_log(self, natural: object, rng: object = None, size: object = None) -> FloatArray:
        """Return logarithms of independent draws, shaped as by :meth:`sample`.

        They lose nothing where draws of shapes below 0.01 underflow: :meth:`sample` holds
        those at exp(-708).
        """
        point = self.check_natural(natural)
        many = np.broadcast_to(point, (*as_shape(size, name="size"), *point.shape))
        with np.errstate(under="ignore"):
            return self._sample_log(many, as_generator(rng, name="rng"))

    def _expected_log_base_measure(self, natural: FloatArray) -> FloatArray:
        return np.asarray(-self._to_mean(natural)[..., : self.n].sum(-1))

    def _entropy(self, natural: FloatArray) -> FloatArray:
        shape, rate = self._shape_and_rate(natural)
        wide = 0.5 * np.log(2 * np.pi * shape) + stirling_remainder(shape)
        return np.asarray((wide + (shape - 1.0) * log_less_digamma(shape) - np.log(rate)).sum(-1))

    def _outside(self, natural: FloatArray) -> tuple[Any, str] | None:
        shape, rate = self._shape_and_rate(natural)
        mask = ((shape <= 0) | (rate <= 0)).any(-1)
        if mask.any():
            return mask, "shapes must be above zero, and natural parameters of x below it"
        mask = ((shape < _LEAST_SHAPE / _SLACK) | (shape > _MOST_SHAPE * _SLACK)).any(-1)
        if mask.any():
            return mask, "shapes must lie between 1e-100 and 1e15"
        mask = (shape / _SLACK > _MOST * rate) | (shape * _SLACK < _LEAST * rate)
        return (mask.any(-1), "means must lie between 1e-100 and 1e100") if mask.any() else None

    def _on_boundary(self, mean: FloatArray) -> tuple[Any, str] | None:
        given = mean[..., self.n :]
        mask = ((given < _LEAST / _SLACK) | (given > _MOST * _SLACK)).any(-1)
        if mask.any():
            return mask, "means of x must be above zero, between 1e-100 and 1e100: rescale the data"
        gap = self._gap(mean)
        mask = (gap <= 0.5 / _MOST_SHAPE).any(-1)
        if mask.any():
            return mask, "means of log x must lie below the logarithms of means of x"
        mask = (gap > 1.0 / _LEAST_SHAPE).any(-1)
        return (mask, "means of log x must not lie below -1e100") if mask.any() else None

    def _in_range(self, mean: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Mean logarithms, and means of x that are neither too large nor too small."""
        given = mean[..., self.n :]
        inside = np.clip(given, _LEAST, _MOST)
        # a change of units keeps the shape
        moved = np.log(inside / np.clip(given, 1e-300, None))
        return mean[..., : self.n] + np.where(inside == given, 0.0, moved), inside

    def _inside(self, mean: FloatArray) -> FloatArray:
        log_mean, inside = self._in_range(mean)
        low = np.log(inside) - log_mean < _LEAST_GAP
        return np.concatenate([np.where(low, np.log(inside) - _LEAST_GAP, log_mean), inside], -1)

    def _tied_natural(
        self, weights: FloatArray, mean: FloatArray, start: FloatArray | None = None
    ) -> FloatArray:
        # rates follow the shape, which meets the average gap
        gap = average(weights, self._gap(mean))[..., None, :]
        known = gap > 0.5 / _MOST_SHAPE
        shape = inverse_log_less_digamma(np.where(known, gap, 1.0))
        shape = np.where(known, np.clip(shape, _LEAST_SHAPE, _MOST_SHAPE), np.nan)
        rate = shape / mean[..., self.n :]
        return np.concatenate([np.broadcast_to(shape, rate.shape), -rate], -1)

    def _tied_inside(self, weights: FloatArray, mean: FloatArray) -> FloatArray:
        log_mean, inside = self._in_range(mean)
        gap = average(weights, np.log(inside) - log_mean)[..., None, :]
        log_mean = np.where(gap < _LEAST_GAP, log_mean - (_LEAST_GAP - gap), log_mean)
        return np.concatenate([log_mean, inside], -1)

    def _check_support(self, x: FloatArray, name: str) -> None:
        check_positive_data(x, name)

    def from_parameters(self, *, shape: object, rate: object) -> FloatArray:  # type: ignore[override]
        """Return natural parameters of ``shape`` and ``rate``, (..., n) each, above zero."""
        point = side_by_side(positive(shape, "shape"), -positive(rate, "rate"))
        return self.check_natural(point, "shape and rate")

    def to_parameters(self, natural: object) -> GammaParameters:
        """Return shapes and rates, (..., n) each."""
        return GammaParameters(*self._shape_and_rate(self.check_natural(natural)))
