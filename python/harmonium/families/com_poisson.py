"""Conway-Maxwell-Poisson counts."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from scipy.special import gammaln

from harmonium.families.base import LOG_FLOOR, Indices, distinct
from harmonium.families.independent import IndependentFamily
from harmonium.families.parameters import not_negative, positive, side_by_side
from harmonium.families.tied import average
from harmonium.numerics.com_poisson import (
    ComPoissonMasses,
    ComPoissonMoments,
    com_poisson_moments,
    geometric_log_factorial,
    least_log_factorial,
    match_com_poisson,
    match_tied_com_poisson,
)
from harmonium.numerics.log_concave_draws import draw_log_concave_counts
from harmonium.validation import FloatArray, as_count, check_counts

#: Modes up to here, so that counts are whole numbers to double precision; shapes likewise.
_LOG_MOST = float(np.log(1e15))
_LEAST_GAP = 1e-15
_MOST_MEAN = 9e14
_MOST_SHAPE = 1e18
#: Where an estimate of the mean log factorial is held: this far from its least value, relative to
#: what lies between that and the geometric law's.
_LEAST_SHARE = 1e-12


class CoMPoissonParameters(NamedTuple):
    """People's parameters: modes, up to rounding, and shapes, (..., n) each."""

    mode: FloatArray
    shape: FloatArray


class CoMPoissonRates(NamedTuple):
    """People's parameters: rates, ``mode**shape``, and shapes, (..., n) each."""

    rate: FloatArray
    shape: FloatArray


@dataclass(frozen=True)
class CoMPoisson(IndependentFamily):
    """Independent Conway-Maxwell-Poisson counts: Poisson's with a shape.

    ``s(x) = (x, log x!)``, counts of all variables first, base measure 1,
    ``psi = log sum_j exp(j theta_1 + theta_2 log j!)``,
    ``theta = (log rate, -shape) = (shape log mode, -shape)``. Shapes are zero or above; below one
    counts vary more than Poisson's of the same mean, above it less. At shape zero, which needs a
    rate below one, the law is geometric. Modes go up to 1e15 and shapes to 1e18 (exactly:
    ``theta_1 + log(1e15) theta_2 <= -1e-15``).

    Sums are taken count by count where a few hundred hold the law, and else by rules that are
    exact for smooth terms (:mod:`harmonium.numerics.count_sums`).

    The shape of counts more dispersed than geometric ones is zero at the maximum of the
    likelihood, which is on the boundary; that of a column whose counts are all equal or in
    {k, k + 1} is held where the mean of log x! lies 1e-12 of the way from its least value to the
    geometric one (a standard deviation of a millionth of the mean, where that passes a count),
    and that of a column of zeros is the geometric law of log rate -690.

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
        """Length of natural and mean vectors: 2 n."""
        return 2 * self.n

    @property
    def n_features(self) -> int:
        """Columns of an observation: n."""
        return self.n

    @property
    def location(self) -> Indices:
        """The counts themselves; log factorials meet the shapes."""
        return np.arange(self.n)

    def _copies(self, n: int) -> "CoMPoisson":
        return CoMPoisson(n)

    def _kernel_family(self) -> tuple[str, float]:
        return "com_poisson", 0.0

    def _halves(self, point: FloatArray) -> tuple[FloatArray, FloatArray]:
        return point[..., : self.n], point[..., self.n :]

    def _moments(self, natural: FloatArray) -> ComPoissonMoments:
        """Of every copy of every point: leading axes (...) and n."""
        rate, power = self._halves(natural)
        flat = com_poisson_moments(rate.ravel(), power.ravel())
        return ComPoissonMoments(*(part.reshape(rate.shape + part.shape[1:]) for part in flat))

    def _statistic(self, x: FloatArray) -> FloatArray:
        return np.concatenate([x, gammaln(x + 1.0)], -1)

    def _log_partitions(self, natural: FloatArray) -> FloatArray:
        return self._moments(natural).log_partition

    def _to_mean(self, natural: FloatArray) -> FloatArray:
        mean = self._moments(natural).mean
        return np.concatenate([mean[..., 0], mean[..., 1]], -1)

    def _to_natural(self, mean: FloatArray) -> FloatArray:
        centre, log_factorial = (part.ravel() for part in self._halves(mean))
        rate, power = -np.log1p(1.0 / centre), np.zeros_like(centre)
        peaked = log_factorial < geometric_log_factorial(centre) * (1.0 - 1e-14)
        if peaked.any():
            rate[peaked], power[peaked] = match_com_poisson(centre[peaked], log_factorial[peaked])
        shape = self._halves(mean)[0].shape
        return np.concatenate([rate.reshape(shape), power.reshape(shape)], -1)

    def _fisher_information(self, natural: FloatArray) -> FloatArray:
        covariance = self._moments(natural).covariance
        matrix = np.zeros((*natural.shape, 2 * self.n))
        i = np.arange(self.n)
        for row in range(2):
            for column in range(2):
                matrix[..., row * self.n + i, column * self.n + i] = covariance[..., row, column]
        return matrix

    def _sample(self, natural: FloatArray, rng: np.random.Generator) -> FloatArray:
        once = distinct(natural)
        rate, power = self._halves(once)
        which = np.arange(rate.size).reshape(rate.shape)
        masses = ComPoissonMasses(rate.ravel(), power.ravel())
        which = np.broadcast_to(which, (*natural.shape[:-1], self.n))
        return draw_log_concave_counts(masses, masses.centre, which, rng)

    def _entropy(self, natural: FloatArray) -> FloatArray:
        return np.asarray(self._moments(natural).entropy.sum(-1))

    def _outside(self, natural: FloatArray) -> tuple[Any, str] | None:
        rate, power = self._halves(natural)
        mask = (power > 0).any(-1)
        if mask.any():
            return mask, "shapes must not be negative: natural parameters of log x! not above zero"
        mask = (power < -_MOST_SHAPE).any(-1)
        if mask.any():
            return mask, "shapes must be at most 1e18"
        mask = ((rate > -_LEAST_GAP * (1 - 1e-9)) & (power == 0)).any(-1)
        if mask.any():
            return mask, "where the shape is 0, the rate must be below one"
        mask = (rate > -_LOG_MOST * (1 + 1e-12) * power - _LEAST_GAP * (1 - 1e-9)).any(-1)
        return (mask, "modes must be at most 1e15") if mask.any() else None

    def _on_boundary(self, mean: FloatArray) -> tuple[Any, str] | None:
        centre, log_factorial = self._halves(mean)
        mask = (centre <= 0).any(-1)
        if mask.any():
            return mask, "means of x must be above zero"
        mask = (centre > _MOST_MEAN * (1 + 1e-9)).any(-1)
        if mask.any():
            return mask, "means of x must be at most 9e14"
        # at the least value itself its rounding decides
        mask = (log_factorial <= least_log_factorial(centre) * (1 + 4e-16)).any(-1)
        if mask.any():
            return mask, "means of log x! must lie above log x! interpolated at the mean of x"
        most = geometric_log_factorial(centre.ravel()).reshape(centre.shape)
        mask = (log_factorial > most * (1 + 1e-12)).any(-1)
        return (
            (mask, "means of log x! must not pass that of geometric counts") if mask.any() else None
        )

    def _inside(self, mean: FloatArray) -> FloatArray:
        centre = np.clip(self._halves(mean)[0], np.exp(LOG_FLOOR), _MOST_MEAN)
        least = least_log_factorial(centre)
        most = geometric_log_factorial(centre.ravel()).reshape(centre.shape)
        low = least + _LEAST_SHARE * (most - least)
        return np.concatenate([centre, np.clip(self._halves(mean)[1], low, most)], -1)

    def _tied_natural(
        self, weights: FloatArray, mean: FloatArray, start: FloatArray | None = None
    ) -> FloatArray:
        # groups of copies, (groups, K)
        centre, logs = (np.moveaxis(half, -1, -2) for half in self._halves(mean))
        shares = np.broadcast_to(weights[..., None, :], centre.shape)
        parts = [shares, centre, logs]
        if start is not None:
            parts += [np.moveaxis(half, -1, -2) for half in self._halves(start)]
        rate, power = _tied(*(part.reshape(-1, centre.shape[-1]) for part in parts))
        rate = np.moveaxis(rate.reshape(centre.shape), -1, -2)
        power = power.reshape(*centre.shape[:-2], 1, self.n)
        return np.concatenate([rate, np.broadcast_to(power, rate.shape)], -1)

    def _tied_inside(self, weights: FloatArray, mean: FloatArray) -> FloatArray:
        centre = np.clip(self._halves(mean)[0], np.exp(LOG_FLOOR), _MOST_MEAN)
        least = average(weights, least_log_factorial(centre))
        # by copy, as they are asked for again
        by_copy = np.moveaxis(centre, -1, -2)
        most = geometric_log_factorial(by_copy.ravel()).reshape(by_copy.shape)
        most = (most * weights[..., None, :]).sum(-1)
        given = average(weights, self._halves(mean)[1])
        inside = np.clip(given, least + _LEAST_SHARE * (most - least), most)
        moved = (inside - given)[..., None, :]
        return np.concatenate([centre, self._halves(mean)[1] + moved], -1)

    def _check_support(self, x: FloatArray, name: str) -> None:
        check_counts(x, name)

    def from_parameters(  # type: ignore[override]
        self, *, mode: object = None, rate: object = None, shape: object
    ) -> FloatArray:
        """Return natural parameters of ``mode`` or ``rate``, and ``shape``, (..., n) each.

        ``rate = mode**shape``. Rates and modes are above zero, shapes zero or above; a shape of
        zero needs a rate below one. Raises TypeError unless one of mode and rate is given.
        """
        if (mode is None) == (rate is None):
            raise TypeError("give either mode or rate, and shape")
        form = not_negative(shape, "shape")
        if mode is None:
            log_rate = np.log(positive(rate, "rate"))
        else:
            if (form == 0).any():
                raise ValueError("shape: 0 leaves no mode to choose: give a rate below one instead")
            log_rate = form * np.log(positive(mode, "mode"))
        return self.check_natural(side_by_side(log_rate, -form), "mode, rate or shape")

    def to_parameters(
        self, natural: object, *, rates: bool = False
    ) -> CoMPoissonParameters | CoMPoissonRates:
        """Return modes and shapes, (..., n) each; or with ``rates``, rates and shapes.

        The mode of a geometric law, of shape zero, is zero: there only rates tell which it is.
        """
        log_rate, power = self._halves(self.check_natural(natural))
        if rates:
            return CoMPoissonRates(np.exp(np.minimum(log_rate, 709.0)), -power)
        log_mode = np.where(power < 0, log_rate / np.minimum(power, -1e-300) * -1.0, -np.inf)
        return CoMPoissonParameters(np.exp(log_mode), -power)


def _tied(
    weights: FloatArray, mean: FloatArray, log_factorial: FloatArray, *start: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Rates (groups, K) and one power (groups,) for each; NaN where there are none."""
    rate, power = -np.log1p(1.0 / mean), np.zeros(len(mean))
    given = (weights * log_factorial).sum(-1)
    most = geometric_log_factorial(mean.ravel()).reshape(mean.shape)
    most = (weights * most).sum(-1)
    least = (weights * least_log_factorial(mean)).sum(-1)
    peaked = (given < most * (1.0 - 1e-14)) & (mean > 0).all(-1)
    if peaked.any():
        rate[peaked], power[peaked] = match_tied_com_poisson(
            weights[peaked],
            mean[peaked],
            log_factorial[peaked],
            (start[0][peaked], start[1][peaked, 0]) if start else None,
        )
    known = (given > least * (1 + 4e-16)) & (given <= most * (1 + 1e-12))
    return np.where(known[:, None], rate, np.nan), np.where(known, power, np.nan)
