"""Inverse Gaussian variables."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from harmonium.families.base import Indices
from harmonium.families.independent import IndependentFamily
from harmonium.families.parameters import positive, side_by_side
from harmonium.families.tied import average
from harmonium.numerics.deviance import log1p_remainder
from harmonium.numerics.exponential_integral import scaled_exponential_integral
from harmonium.validation import FloatArray, as_count, check_positive_data

#: Means of all sizes at which squares neither overflow nor underflow.
_LEAST, _MOST = 1e-100, 1e100
#: Shapes relative to means.
_LEAST_RATIO, _MOST_RATIO = 1e-40, 1e30
#: The least ``E[x] E[1 / x] - 1`` of an estimate: mean over shape.
_LEAST_GAP = 1e-12
_SLACK = 1 + 1e-12


class InverseGaussianParameters(NamedTuple):
    """People's parameters: means and shapes, (..., n) each; the variance is mean**3 / shape."""

    mean: FloatArray
    shape: FloatArray


@dataclass(frozen=True)
class InverseGaussian(IndependentFamily):
    """Independent inverse Gaussian (Wald) variables: first passage times of a drifting walk.

    ``s(x) = (x, 1 / x)`` of x above zero, variables first, base measure
    ``(2 pi x**3)**(-1/2)``, ``psi = sum -2 sqrt(theta_1 theta_2) - log(-2 theta_2) / 2``,
    ``theta = (-shape / (2 mean**2), -shape / 2)``; means from 1e-100 to 1e100, ratios shape / mean
    from 1e-40 to 1e30. ``E[1 / x] = 1 / mean + 1 / shape``. Maximum likelihood of a constant
    column is held at a shape of 1e12 means.

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
        """The variables themselves: reciprocals meet the shapes alone."""
        return np.arange(self.n)

    def _copies(self, n: int) -> "InverseGaussian":
        return InverseGaussian(n)

    def _kernel_family(self) -> tuple[str, float]:
        return "inverse_gaussian", 0.0

    def _mean_and_shape(self, natural: FloatArray) -> tuple[FloatArray, FloatArray]:
        first, second = natural[..., : self.n], natural[..., self.n :]
        return np.sqrt(second / first), -2.0 * second

    def _statistic(self, x: FloatArray) -> FloatArray:
        return np.concatenate([x, 1.0 / x], -1)

    def _log_base_measure(self, x: FloatArray) -> FloatArray:
        return np.asarray(-0.5 * (np.log(2 * np.pi) + 3.0 * np.log(x)).sum(-1))

    def _log_partitions(self, natural: FloatArray) -> FloatArray:
        first, second = -natural[..., : self.n], -natural[..., self.n :]
        return np.asarray(-2.0 * np.sqrt(first) * np.sqrt(second) - 0.5 * np.log(2.0 * second))

    def _to_mean(self, natural: FloatArray) -> FloatArray:
        mean, shape = self._mean_and_shape(natural)
        return np.concatenate([mean, 1.0 / mean + 1.0 / shape], -1)

    def _gap(self, mean: FloatArray) -> FloatArray:
        return mean[..., : self.n] * mean[..., self.n :] - 1.0

    def _to_natural(self, mean: FloatArray) -> FloatArray:
        centre = mean[..., : self.n]
        ratio = 1.0 / self._gap(mean)
        return np.concatenate([-0.5 * ratio / centre, -0.5 * ratio * centre], -1)

    def _fisher_information(self, natural: FloatArray) -> FloatArray:
        mean, shape = self._mean_and_shape(natural)
        matrix = np.zeros((*natural.shape, 2 * self.n))
        i = np.arange(self.n)
        ratio = mean / shape
        matrix[..., i, i] = mean * mean * ratio
        matrix[..., i, i + self.n] = matrix[..., i + self.n, i] = -ratio
        matrix[..., i + self.n, i + self.n] = (ratio + 2.0 * ratio * ratio) / mean / mean
        return matrix

    def _sample(self, natural: FloatArray, rng: np.random.Generator) -> FloatArray:
        mean, shape = self._mean_and_shape(natural)
        # Michael, Schucany and Haas (1976), the smaller root in a form that does not cancel
        w = 0.5 * (mean / shape) * rng.standard_normal(mean.shape) ** 2
        large = 1.0 + w + np.sqrt(w * (2.0 + w))
        lower = rng.random(mean.shape) * (1.0 + large) <= large
        return mean * np.where(lower, 1.0 / large, large)

    def _expected_log(self, natural: FloatArray) -> FloatArray:
        mean, shape = self._mean_and_shape(natural)
        return np.log(mean) - scaled_exponential_integral(2.0 * shape / mean)

    def _expected_log_base_measure(self, natural: FloatArray) -> FloatArray:
        logs = self._expected_log(natural)
        return np.asarray(-0.5 * (np.log(2 * np.pi) + 3.0 * logs).sum(-1))

    def _entropy(self, natural: FloatArray) -> FloatArray:
        shape = -2.0 * natural[..., self.n :]
        surprise = 1.0 + np.log(2 * np.pi) - np.log(shape) + 3.0 * self._expected_log(natural)
        return np.asarray(0.5 * surprise.sum(-1))

    def _relative_entropy(self, p: FloatArray, q: FloatArray) -> FloatArray:
        mean_p, shape_p = self._mean_and_shape(p)
        mean_q, shape_q = self._mean_and_shape(q)
        away = (mean_p - mean_q) / mean_q
        shapes = log1p_remainder((shape_q - shape_p) / shape_p)
        return np.asarray((0.5 * shapes + 0.5 * shape_q / mean_p * away * away).sum(-1))

    def _outside(self, natural: FloatArray) -> tuple[Any, str] | None:
        mask = (natural >= 0).any(-1)
        if mask.any():
            return mask, "natural parameters must be below zero"
        first, second = np.log(-natural[..., : self.n]), np.log(-natural[..., self.n :])
        log_mean, log_ratio = 0.5 * (second - first), np.log(2.0) + 0.5 * (first + second)
        mask = (np.abs(log_mean) > np.log(_MOST) + 1e-12).any(-1)
        if mask.any():
            return mask, "means must lie between 1e-100 and 1e100"
        low, high = np.log(_LEAST_RATIO) - 1e-12, np.log(_MOST_RATIO) + 1e-12
        mask = ((log_ratio < low) | (log_ratio > high)).any(-1)
        return (mask, "shape / mean must lie between 1e-40 and 1e30") if mask.any() else None

    def _on_boundary(self, mean: FloatArray) -> tuple[Any, str] | None:
        centre = mean[..., : self.n]
        mask = ((centre < _LEAST / _SLACK) | (centre > _MOST * _SLACK)).any(-1)
        if mask.any():
            return mask, "means of x must be above zero, between 1e-100 and 1e100: rescale the data"
        gap = self._gap(mean)
        mask = (gap <= 0).any(-1)
        if mask.any():
            return mask, "means of 1 / x must lie above one over the means of x"
        mask = (gap > _SLACK / _LEAST_RATIO).any(-1)
        return (mask, "means of x times 1 / x must be at most 1e40") if mask.any() else None

    def _inside(self, mean: FloatArray) -> FloatArray:
        centre, reciprocal = mean[..., : self.n], mean[..., self.n :]
        inside = np.clip(centre, _LEAST, _MOST)
        # a change of units keeps the ratio of shape and mean
        reciprocal = np.where(inside == centre, reciprocal, reciprocal * (centre / inside))
        gap = inside * reciprocal - 1.0
        most = np.where(gap > 1.0 / _LEAST_RATIO, (1.0 + 1.0 / _LEAST_RATIO) / inside, reciprocal)
        least = (1.0 + _LEAST_GAP) / inside
        return np.concatenate([inside, np.where(gap < _LEAST_GAP, least, most)], -1)

    def _tied_natural(
        self, weights: FloatArray, mean: FloatArray, start: FloatArray | None = None
    ) -> FloatArray:
        # E[1 / x] - 1 / E[x] is one over the shape, whatever the mean
        centre = mean[..., : self.n]
        spare = average(weights, self._gap(mean) / centre)[..., None, :]
        half = 0.5 / np.where(spare > 0, spare, np.nan)
        second = np.broadcast_to(-half, centre.shape)
        return np.concatenate([second / centre / centre, second], -1)

    def _tied_inside(self, weights: FloatArray, mean: FloatArray) -> FloatArray:
        given = mean[..., : self.n]
        centre = np.clip(given, _LEAST, _MOST)
        # a change of units keeps the ratio of shape and mean
        reciprocal = mean[..., self.n :]
        reciprocal = np.where(centre == given, reciprocal, reciprocal * (given / centre))
        spare = average(weights, (centre * reciprocal - 1.0) / centre)[..., None, :]
        least = _LEAST_GAP * average(weights, 1.0 / centre)[..., None, :]
        most = 1.0 / (_LEAST_RATIO * centre.max(-2, keepdims=True))
        moved = np.where(spare > most, most, np.where(spare < least, least, spare)) - spare
        return np.concatenate([centre, reciprocal + moved], -1)

    def _check_support(self, x: FloatArray, name: str) -> None:
        check_positive_data(x, name)

    def from_parameters(self, *, mean: object, shape: object) -> FloatArray:  # type: ignore[override]
        """Return natural parameters of ``mean`` and ``shape``, (..., n) each, above zero."""
        centre, form = positive(mean, "mean"), positive(shape, "shape")
        point = side_by_side(-0.5 * form / centre / centre, -0.5 * form)
        return self.check_natural(point, "mean and shape")

    def to_parameters(self, natural: object) -> InverseGaussianParameters:
        """Return means and shapes, (..., n) each."""
        return InverseGaussianParameters(*self._mean_and_shape(self.check_natural(natural)))
