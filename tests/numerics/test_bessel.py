"""Circular Bessel functions against 80 digits."""

import mpmath
import numpy as np
import pytest
from mpmath import mpf

from harmonium.numerics.bessel import (
    bessel_ratio,
    bessel_ratio_slope,
    inverse_bessel_ratio,
    log_bessel_zero,
)

EPS = float(np.finfo(float).eps)
# every decade, the seams of the formulas, and a dense stretch where the functions bend
CONCENTRATIONS = np.concatenate(
    [
        np.geomspace(1e-12, 1e12, 97),
        np.linspace(0.05, 60, 120),
        np.nextafter([2.0, 50.0], 0),
        [2.0, 50.0],
        np.nextafter([2.0, 50.0], 100),
    ]
)


def exact(function, values):
    with mpmath.workdps(80):
        return [function(mpf(float(v))) for v in values]


def ratio(k):
    return mpmath.besseli(1, k) / mpmath.besseli(0, k)


def slope(k):
    return 1 - ratio(k) / k - ratio(k) ** 2


def relative_errors(found, truth):
    with mpmath.workdps(80):
        pairs = zip(found, truth, strict=True)
        return np.array([float(abs(mpf(float(f)) - t) / abs(t)) for f, t in pairs])


def test_log_bessel_zero():
    truth = exact(lambda k: mpmath.log(mpmath.besseli(0, k)), CONCENTRATIONS)
    assert relative_errors(log_bessel_zero(CONCENTRATIONS), truth).max() <= 4 * EPS


def test_ratio():
    truth = exact(ratio, CONCENTRATIONS)
    assert relative_errors(bessel_ratio(CONCENTRATIONS), truth).max() <= 8 * EPS


def test_slope_of_the_ratio():
    truth = exact(slope, CONCENTRATIONS)
    assert relative_errors(bessel_ratio_slope(CONCENTRATIONS), truth).max() <= 1e-11


@pytest.mark.parametrize(
    "lengths",
    [
        np.geomspace(1e-300, 0.1, 40),
        np.linspace(0.1, 0.999, 80),
        1 - np.geomspace(1e-3, 5e-13, 60),
    ],
    ids=["near zero", "between", "near one"],
)
def test_inverse_ratio(lengths):
    k = inverse_bessel_ratio(lengths)
    with mpmath.workdps(320):
        # one Newton step from the answer leads to the truth, to twice its digits
        for found, length in zip(k, lengths, strict=True):
            at = mpf(float(found))
            truth = at - (ratio(at) - mpf(float(length))) / slope(at)
            bound = max(1e-12, 16 * EPS * found)
            assert abs(at - truth) <= bound * truth


def test_limits():
    zero = np.zeros(1)
    assert log_bessel_zero(zero)[0] == 0
    assert bessel_ratio(zero)[0] == 0
    assert bessel_ratio_slope(zero)[0] == 0.5
    assert inverse_bessel_ratio(zero)[0] == 0
    assert bessel_ratio_slope(np.array([1e300]))[0] == 0  # underflows, without a warning
