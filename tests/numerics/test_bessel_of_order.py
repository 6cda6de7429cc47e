"""Bessel functions of any order against mpmath at 60 digits."""

import mpmath
import numpy as np
import pytest

from harmonium.numerics.bessel import bessel_ratio, bessel_ratio_slope, log_bessel_zero
from harmonium.numerics.bessel_of_order import (
    bessel_ratio_of_order,
    inverse_bessel_ratio_of_order,
    log_hypergeometric,
    log_hypergeometric_less_argument,
)

#: Half-integral and integral orders of the spheres in 2 to 1,000 dimensions, and beyond.
ORDERS = [0.0, 0.5, 1.0, 1.5, 4.0, 9.5, 14.0, 19.5, 20.0, 21.5, 49.0, 149.0, 499.0, 2499.0]


def arguments(order):
    """From 1e-9 to 1e12, and on either side of where one expansion takes over from the other."""
    rng = np.random.default_rng(int(2 * order))
    join = np.sqrt(16 * (order + 1))
    seams = np.array([29.999, 30.001, join * 0.9999, join * 1.0001])
    return np.concatenate([10 ** rng.uniform(-9, 12, 15), 10 ** rng.uniform(0, 3.5, 25), seams])


@pytest.mark.parametrize("order", ORDERS)
def test_against_high_precision(order):
    k = arguments(order)
    value, less = log_hypergeometric(order, k), log_hypergeometric_less_argument(order, k)
    found = bessel_ratio_of_order(order, k)
    with mpmath.workdps(60):
        for i, argument in enumerate(k):
            at, nu = mpmath.mpf(argument), mpmath.mpf(order)
            bessel = mpmath.besseli(nu, at)
            exact = mpmath.log(bessel) - nu * mpmath.log(at / 2) + mpmath.loggamma(nu + 1)
            assert abs(value[i] - exact) <= 2e-15 * abs(exact)
            assert abs(less[i] - (exact - at)) <= 4e-15 * max(1, abs(exact - at), nu)
            ratio = mpmath.besseli(nu + 1, at) / bessel
            assert abs(found.ratio[i] - ratio) <= 2e-15 * ratio
            assert abs(found.over_argument[i] - ratio / at) <= 2e-15 * ratio / at
            assert abs(found.one_less[i] - (1 - ratio)) <= 4e-14 * (1 - ratio)
            slope = 1 - ratio**2 - (2 * nu + 1) * ratio / at
            assert abs(found.slope[i] - slope) <= 2e-12 * slope


@pytest.mark.parametrize("order", ORDERS)
def test_zero(order):
    at = bessel_ratio_of_order(order, np.array(0.0))
    assert log_hypergeometric(order, np.array(0.0)) == 0
    assert (at.ratio, at.one_less) == (0, 1)
    assert at.over_argument == at.slope == pytest.approx(0.5 / (order + 1))
    assert inverse_bessel_ratio_of_order(order, np.array(0.0)) == 0


@pytest.mark.parametrize("order", ORDERS)
def test_there_and_back(order):
    k = np.geomspace(1e-9, 1e12, 400)
    at = bessel_ratio_of_order(order, k)
    back = inverse_bessel_ratio_of_order(order, at.ratio)
    condition = at.ratio / (k * at.slope)
    assert (np.abs(back - k) <= 4e-15 * np.maximum(1.0, condition) * k).all()


def test_order_zero_is_the_circle_s():
    k = np.concatenate([[0.0], np.geomspace(1e-12, 1e12, 300)])
    at = bessel_ratio_of_order(0.0, k)
    np.testing.assert_allclose(log_hypergeometric(0.0, k), log_bessel_zero(k), rtol=2e-15)
    np.testing.assert_allclose(at.ratio, bessel_ratio(k), rtol=2e-15)
    np.testing.assert_allclose(at.slope, bessel_ratio_slope(k), rtol=1e-11)


def test_order_one_half_is_elementary():
    k = np.geomspace(1e-3, 700, 200)
    np.testing.assert_allclose(log_hypergeometric(0.5, k), np.log(np.sinh(k) / k), rtol=1e-9)
    np.testing.assert_allclose(
        bessel_ratio_of_order(0.5, k).ratio, 1 / np.tanh(k) - 1 / k, rtol=1e-9
    )
