"""Conway-Maxwell-Poisson counts: masses about the mode, moments, the backward mapping, draws.

The law of ``exp(x theta_1 + theta_2 log x!)`` on 0, 1, 2, ... with shape ``nu = -theta_2 >= 0``.
Its mode is ``mu = exp(theta_1 / nu)``, up to rounding. From a mode of one on, log masses are taken
as ``-nu w(x)`` with ``w(x) = x log(x / mu) + mu - x + (log x! - x log x + x)``, less its value at
the mode: neither cancels, however large the mode.
"""

from typing import Any, NamedTuple

import numpy as np
from scipy.special import gammaln

from harmonium.numerics.count_sums import count_moments
from harmonium.numerics.deviance import poisson_deviance
from harmonium.numerics.log_factorial import log_factorial, log_factorial_remainder_change
from harmonium.numerics.remembered import remembered
from harmonium.validation import FloatArray

#: From this mode on log masses are taken in the curved way.
_HIGH = 8.0
#: Steps of Newton's method at most; below thirty over the whole domain.
_MOST_STEPS = 100
#: A step changes the shape by this factor at most.
_FACTOR = 8.0
#: Shapes are sought from this, at first, and up to this.
_LEAST_START = 1e-3
_MOST_SHAPE = 1e18
_TINY = 1e-300
#: The least number above zero: averages of log x! may lie below the normal ones.
_LEAST = 5e-324

_Members = np.ndarray[Any, np.dtype[np.intp]]


class ComPoissonMoments(NamedTuple):
    """Log partitions (n,), means (n, 2) and covariances (n, 2, 2) of (x, log x!), entropies (n,)."""

    log_partition: FloatArray
    mean: FloatArray
    covariance: FloatArray
    entropy: FloatArray


class ComPoissonMasses:
    """Log masses of n laws relative to that of a whole number ``centre`` at or next to the mode."""

    def __init__(self, rate: FloatArray, power: FloatArray) -> None:
        self.rate, self.shape = rate, -power
        log_mode = np.where(rate >= 0, rate / np.maximum(self.shape, _TINY), 0.0)
        mode = np.where(rate >= 0, np.exp(log_mode), 0.0)
        self.centre = np.floor(mode)
        self.high = mode >= _HIGH
        self.mode = np.where(self.high, mode, 1.0)
        self.log_mode = np.where(self.high, log_mode, 0.0)
        #: Of a law that is nearly normal; zero where the mode is low.
        self.spread = np.where(self.high, np.sqrt(self.mode / np.maximum(self.shape, _TINY)), 0.0)
        self._deviance = poisson_deviance(self.centre, self.mode)
        self._last: tuple[_Members, FloatArray, FloatArray] | None = None

    def curved(self, members: _Members, x: FloatArray) -> FloatArray:
        """``log x! - log centre!``, less ``(x - centre) log mu`` where the mode is high."""
        # masses and statistics ask in turn for the same nodes
        if self._last is None or self._last[0] is not members or self._last[1] is not x:
            self._last = members, x, self._curved(members, x)
        return self._last[2]

    def _curved(self, members: _Members, x: FloatArray) -> FloatArray:
        high = self.high[members]
        if high.all() or not high.any():
            return (self._curved_high if high.all() else self._curved_low)(members, x)
        out = np.empty(np.broadcast_shapes((len(members), 1), x.shape))
        x = np.broadcast_to(x, out.shape)
        out[high] = self._curved_high(members[high], x[high])
        out[~high] = self._curved_low(members[~high], x[~high])
        return out

    def _curved_high(self, members: _Members, x: FloatArray) -> FloatArray:
        centre = self.centre[members, None]
        deviance = poisson_deviance(x, self.mode[members, None]) - self._deviance[members, None]
        return deviance + log_factorial_remainder_change(x, np.maximum(centre, 1.0))

    def _curved_low(self, members: _Members, x: FloatArray) -> FloatArray:
        return log_factorial(x) - log_factorial(self.centre[members, None])

    def __call__(self, members: _Members, x: FloatArray) -> FloatArray:
        """Return log masses (m, k) of some laws at counts (m, k)."""
        slope = np.where(self.high, 0.0, self.rate)[members, None]
        straight = slope * (x - self.centre[members, None])
        return straight - self.shape[members, None] * self.curved(members, x)

    def statistics(self, members: _Members, x: FloatArray) -> FloatArray:
        """Return ``x - centre`` and :meth:`curved`."""
        return np.stack([x - self.centre[members, None], self.curved(members, x)])


class _Centred(NamedTuple):
    """Moments of ``x - centre`` and of the curved statistic."""

    masses: ComPoissonMasses
    log_sum: FloatArray
    mean: FloatArray
    covariance: FloatArray


def _centred(rate: FloatArray, power: FloatArray) -> _Centred:
    masses = ComPoissonMasses(rate, power)
    centre = np.where(masses.high, masses.mode, masses.centre)
    return _Centred(masses, *count_moments(masses, masses.statistics, centre, masses.spread))


@remembered
def com_poisson_moments(rate: FloatArray, power: FloatArray) -> ComPoissonMoments:
    """Return log partitions, means, covariances and entropies of n laws.

    ``rate`` and ``power``, (n,) each, are the coefficients of x and of log x!, the latter at most
    zero, with ``rate < 0`` where it is zero.
    """
    masses, log_sum, mean, covariance = _centred(rate, power)
    log_factorial = gammaln(masses.centre + 1.0)
    # log x! = log centre! + curved + (x - centre) log mu
    straighten = np.zeros((len(rate), 2, 2))
    straighten[:, 0, 0] = straighten[:, 1, 1] = 1.0
    straighten[:, 1, 0] = masses.log_mode
    straight = np.einsum("nij,nj->ni", straighten, mean)
    straight += np.stack([masses.centre, log_factorial], -1)
    slope = np.where(masses.high, 0.0, rate)
    expected = slope * mean[:, 0] - masses.shape * mean[:, 1]
    return ComPoissonMoments(
        masses.centre * rate + power * log_factorial + log_sum,
        straight,
        straighten @ covariance @ straighten.swapaxes(-1, -2),
        log_sum - expected,
    )


def least_log_factorial(mean: FloatArray) -> FloatArray:
    """Return the least average log factorial of counts of an average: log factorials interpolated."""
    below = np.floor(mean)
    return np.asarray(gammaln(below + 1.0) + (mean - below) * np.log(below + 1.0))


@remembered
def geometric_log_factorial(mean: FloatArray) -> FloatArray:
    """Return the expected log factorial of geometric counts of means (n,): the limit of shape 0."""
    rate = -np.log1p(1.0 / mean)
    return com_poisson_moments(rate, np.zeros_like(rate)).mean[:, 1]


def match_com_poisson(mean: FloatArray, log_factorial: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the coefficients (rate, power) of n laws with these means of x and of log x!."""
    rate, power = match_tied_com_poisson(
        np.ones((len(mean), 1)), mean[:, None], log_factorial[:, None]
    )
    return rate[:, 0], power


def match_tied_com_poisson(
    weights: FloatArray,
    mean: FloatArray,
    log_factorial: FloatArray,
    start: tuple[FloatArray, FloatArray] | None = None,
) -> tuple[FloatArray, FloatArray]:
    """Return rates (n, K) and powers (n,) of n groups of K laws, each group with one power.

    Every law has its mean of x, (n, K), and every group the average of means of log x!, (n, K), by
    weights (n, K) that add up to one. ``start`` holds rates and powers to start from.

    Newton's method for the logarithms of two positive means, that of x and that of log x! above
    its chord between the two counts next to the mean; along constant means, the latter is
    nearly a convex function of the shape. Shapes change by a factor of eight at most in a step, and
    only where the means are met nearly; the rate for a shape is bracketed by Jensen's inequality.
    """
    target = _Target.of(weights, mean, log_factorial)
    if start is None:
        shape = _first_shape(target)
        rate = _first_rate(mean, shape[:, None])
    else:
        rate, shape = start[0], np.maximum(-start[1], _LEAST_START)
    low, high = _rate_bounds(mean, shape[:, None])
    rate = np.clip(rate, low, high)
    state = _State(rate, low, high, shape, np.zeros_like(shape), np.full_like(shape, np.inf))
    found = rate.copy(), shape.copy()
    best = np.full(len(mean), np.inf)
    active = np.arange(len(mean))
    for _ in range(_MOST_STEPS):
        new, residual = _next(state, target)
        better = residual < best[active]
        for kept, here in zip(found, (state.rate, state.shape), strict=True):
            kept[active[better]] = here[better]
        # within rounding of the solution steps no longer gain
        done = (residual <= 4e-16) | ((best[active] < 1e-9) & ~(residual < 0.5 * best[active]))
        best[active] = np.minimum(best[active], residual)
        active = active[~done]
        if not len(active):
            break
        state = _State(*(field[~done] for field in new))
        target = _Target(*(field[~done] for field in target))
    return found[0], -found[1]


class _State(NamedTuple):
    """Rates (n, K) and bounds of them, shapes (n,) and bounds of them."""

    rate: FloatArray
    low: FloatArray
    high: FloatArray
    shape: FloatArray
    least: FloatArray
    most: FloatArray


class _Target(NamedTuple):
    """Weights, means to be met, the counts below and the chords' slopes, (n, K) each.

    The average of log x! above the chords, and its rounding, (n,) each.
    """

    weights: FloatArray
    mean: FloatArray
    below: FloatArray
    chord: FloatArray
    excess: FloatArray
    rounding: FloatArray

    @classmethod
    def of(cls, weights: FloatArray, mean: FloatArray, log_factorial: FloatArray) -> "_Target":
        below = np.floor(mean)
        excess = (weights * (log_factorial - least_log_factorial(mean))).sum(-1)
        rounding = (weights * np.where(mean < 1.0, 0.0, 4e-16 * log_factorial)).sum(-1)
        chord = np.log(below + 1.0)
        return cls(weights, mean, below, chord, np.maximum(excess, _LEAST), rounding)


def _first_shape(target: _Target) -> FloatArray:
    """From below: of a normal law's variance where that is wide, else of the chance of two counts."""
    mean, excess = target.mean, target.excess[:, None]
    # a law less than half a count wide is not normal
    wide = np.minimum(0.5 / np.maximum(excess, _TINY), 4.0 * np.maximum(mean, 1.0))
    rare = 2.0 * np.log2(mean) + np.log2(np.log(2.0)) - np.log2(excess)
    return np.asarray(np.maximum(np.where(mean < 1.0, rare, wide), _LEAST_START).min(-1))


def _first_rate(mean: FloatArray, shape: FloatArray) -> FloatArray:
    """Of a law wide enough for its mean to be ``mode - 1/2 + 1 / (2 shape)``."""
    mode = np.maximum(mean + 0.5 - 0.5 / shape, 0.5 * mean)
    return np.asarray(shape * np.log(mode))


def _rate_bounds(mean: FloatArray, shape: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Bounds of rates by Jensen's inequality in ``E[X**nu]`` and ``E[X] = rate E[(X+1)**(1-nu)]``."""
    one = shape * np.log(mean)
    other = np.log(mean) + (shape - 1.0) * np.log1p(mean)
    slack = 1e-15 * (np.abs(one) + np.abs(other))
    return np.minimum(one, other) - slack, np.maximum(one, other) + slack


def _next(state: _State, target: _Target) -> tuple[_State, FloatArray]:
    """The next rates and shapes, bounds of both; and how far the means are off, (n,)."""
    rate, low, high, shape, least, most = state
    weights = target.weights
    law = _centred(rate.ravel(), np.repeat(-shape, rate.shape[1]))
    masses = law.masses
    centre, log_mode = (part.reshape(rate.shape) for part in (masses.centre, masses.log_mode))
    of_x, of_curved = law.mean.reshape(*rate.shape, 2).transpose(2, 0, 1)
    covariance = law.covariance.reshape(*rate.shape, 2, 2)
    tilt = log_mode - target.chord
    average = np.maximum(centre + of_x, _TINY)
    # log x! less the chord's line is curved + tilt (x - centre) and a constant
    offset = gammaln(centre + 1.0) - gammaln(target.below + 1.0)
    offset -= (centre - target.below) * target.chord
    above = (weights * np.maximum(offset + of_curved + tilt * of_x, _LEAST)).sum(-1)
    above = np.maximum(above, _LEAST)
    xx = np.maximum(covariance[..., 0, 0], _TINY)
    xc, cc = covariance[..., 0, 1], covariance[..., 1, 1]
    # what x leaves of the curved statistic does not depend on the tilt
    left = np.maximum((weights * np.maximum(cc - xc * (xc / xx), _LEAST)).sum(-1), _LEAST)
    along = xc / xx + tilt
    # the logarithm of the means' ratio, from their difference
    gap = (target.mean - centre) - of_x
    off = np.log1p(np.maximum(gap / average, -1.0 + 1e-15)) * average
    log_lift = np.log(target.excess) - np.log(above)
    pull = (weights * along * off).sum(-1)
    step = np.minimum((pull - log_lift * above) / left, _MOST_SHAPE)
    near = (np.abs(off) <= 0.1 * np.minimum(np.sqrt(xx), xx)).all(-1)
    wanted = np.clip(shape + step, shape / _FACTOR, shape * _FACTOR)
    # along constant means, log x! falls as the shape grows
    doubt = 2.0 * (weights * np.abs(along * off)).sum(-1)
    least = np.where(near & (above - doubt > target.excess), shape, least)
    most = np.where(near & (above + doubt < target.excess), shape, most)
    strayed = (wanted <= least) | (wanted >= most)
    middle = np.sqrt(np.maximum(least, shape / _FACTOR) * np.minimum(most, shape * _FACTOR))
    wanted = np.minimum(np.where(strayed, middle, wanted), _MOST_SHAPE)
    new_shape = np.where(near, wanted, shape)
    # along constant means the rates follow the shape
    new_rate = rate + off / xx + (along + target.chord) * (new_shape - shape)[:, None]
    low, high = np.where(off > 0, rate, low), np.where(off < 0, rate, high)
    bounds = _rate_bounds(target.mean, new_shape[:, None])
    low, high = (np.where(near[:, None], *pair) for pair in zip(bounds, (low, high), strict=True))
    outside = ~((new_rate >= low) & (new_rate <= high))
    new_rate = np.where(outside, 0.5 * (low + high), new_rate)
    lift = np.maximum(np.abs(target.excess - above) - target.rounding, 0.0)
    residual = np.maximum((np.abs(off) / average).max(-1), lift / target.excess)
    return _State(new_rate, low, high, new_shape, least, most), residual
