"""Deviances and what Stirling's terms leave of log factorials, against mpmath."""

import mpmath
import numpy as np
import pytest
from mpmath import mpf

from harmonium.numerics.deviance import log1p_remainder, poisson_deviance
from harmonium.numerics.log_factorial import (
    log_factorial_remainder,
    log_factorial_remainder_change,
)

EPS = float(np.finfo(float).eps)


def test_log1p_remainder():
    sizes = np.geomspace(1e-14, 0.99, 60)
    for x in np.concatenate([sizes, -sizes, [0.0, 0.5, 1.0, 1e3, 1e300]]):
        with mpmath.workdps(60):
            exact = mpf(float(x)) - mpmath.log1p(mpf(float(x)))
            assert abs(mpf(float(log1p_remainder(x))) - exact) <= 4 * EPS * exact


@pytest.mark.parametrize("mean", [1e-240, 1e-3, 1.0, 77.7, 1e5, 1e15])
def test_poisson_deviance(mean):
    for ratio in (0.0, 1e-8, 0.3, 0.34, 0.5, 0.9, 1 - 1e-8, 1.0, 1 + 1e-5, 1.5, 2.9, 3.1, 1e6):
        x = mean * ratio
        with mpmath.workdps(60):
            a, b = mpf(float(x)), mpf(float(mean))
            exact = (a * mpmath.log(a / b) if x else 0) + b - a
            found = mpf(float(poisson_deviance(np.array(x), np.array(mean))))
            assert abs(found - exact) <= 32 * EPS * exact + 1e-315


@pytest.mark.parametrize("centre", [1.0, 8.0, 1e5, 1e14])
def test_log_factorial_remainder(centre):
    for x in (0.0, 0.5, 1.0, 3.0, 12.5, centre, centre + 1, centre * 1.1, 1e12):
        with mpmath.workdps(60):
            exact = [
                mpmath.loggamma(a + 1) - (a * mpmath.log(a) if a else 0) + a
                for a in (mpf(float(x)), mpf(centre))
            ]
            found = mpf(float(log_factorial_remainder(np.array(x))))
            assert abs(found - exact[0]) <= 4 * EPS * max(1, exact[0])
            change = exact[0] - exact[1]
            found = mpf(float(log_factorial_remainder_change(np.array(x), np.array(centre))))
            bound = 8 * EPS * abs(change) + (4 * EPS * exact[1] if x == 0 else EPS / centre)
            assert abs(found - change) <= bound
