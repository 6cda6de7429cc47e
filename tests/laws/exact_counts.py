"""Conway-Maxwell-Poisson counts in mpmath: the sum itself, term by term where it is not long.

Long sums of laws that are clear of zero are taken by the trapezoid rule in whole steps, whose error
for smooth terms falls like ``exp(-2 (pi sd / step)**2)``; every such sum is held against the one in
steps twice as long, and summed term by term unless the two agree.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import mpmath
from mpmath import mpf

from laws.exact import DIGITS, Value, copies

#: Terms below this share of their sum are left out: tails are 10**4 of them at most.
_NEGLIGIBLE = mpf(10) ** -40
#: The two trapezoid sums agree to this: the error of the finer is the square of the coarser's.
_AGREE = mpf(10) ** -25
#: Longer sums are taken by the trapezoid rule: standard deviations from zero, and their length.
_CLEAR, _LONG = 11, 60
#: Most logarithms kept.
_KEPT = 400_000

_LOGS: list[Any] = [mpf(0), mpf(0)]


def _log(count: int) -> Any:
    if count > _KEPT:
        return mpmath.log(count)
    if count >= len(_LOGS):
        with mpmath.workdps(DIGITS + 10):
            _LOGS.extend(mpmath.log(x) for x in range(len(_LOGS), 2 * count))
    return _LOGS[count]


class _Sums(NamedTuple):
    """Of the terms but the largest, and of x - mode and log x! - log mode! over all terms."""

    rest: Any
    away: Any
    logs: Any


def _one_by_one(rate: Any, power: Any, mode: int) -> _Sums:
    """Outwards from the mode, every term from the logarithm of the one before."""
    rest, away, logs = mpf(0), mpf(0), mpf(0)
    for sign in (-1, 1):
        x, log_term, log_change = mode, mpf(0), mpf(0)
        while x + sign >= 0:
            log = _log(x if sign < 0 else x + 1)
            x += sign
            log_change += sign * log
            log_term += sign * (rate + power * log)
            term = mpmath.exp(log_term)
            rest += term
            away += (x - mode) * term
            change = log_change * term
            logs += change
            # from zero on, log x! is told by the third term alone
            if (abs(change) + term if mode else change) < abs(logs) * _NEGLIGIBLE:
                break
    return _Sums(rest, away, logs)


def _in_steps(rate: Any, power: Any, mode: int, deviation: float) -> _Sums | None:
    step, top = int(deviation / 4), mpmath.loggamma(mode + 1)
    fine, coarse = [mpf(step - 1), mpf(0), mpf(0)], [mpf(2 * step - 1), mpf(0), mpf(0)]
    for sign in (1, -1):
        for k in range(1, 200):
            x = mode + sign * k * step
            if x < 0:
                return None
            change = mpmath.loggamma(x + 1) - top
            term = mpmath.exp((x - mode) * rate + power * change)
            for sums, width in ((fine, step), (coarse, 2 * step)):
                if k % (width // step) == 0:
                    sums[0] += width * term
                    sums[1] += width * term * (x - mode)
                    sums[2] += width * term * change
            if term < _NEGLIGIBLE:
                break
    for a, b, size in zip(fine, coarse, (1.0, deviation, deviation), strict=True):
        if abs(a - b) > _AGREE * size * fine[0]:
            return None
    return _Sums(*fine)


def _com_poisson(theta: Sequence[Any]) -> Value:
    rate, power = theta
    mode, sums = 0, None
    if rate > 0:
        exact_mode = mpmath.exp(-rate / power)
        mode = int(mpmath.floor(exact_mode))
        deviation = float(mpmath.sqrt(exact_mode / -power))
        if deviation > _LONG and exact_mode > _CLEAR * deviation:
            sums = _in_steps(rate, power, mode, deviation)
    if sums is None:
        sums = _one_by_one(rate, power, mode)
    top = mpmath.loggamma(mode + 1)
    psi = mode * rate + power * top + mpmath.log1p(sums.rest)
    total = 1 + sums.rest
    return psi, [mode + sums.away / total, top + sums.logs / total]


com_poisson = copies(_com_poisson, 2)
