"""Gamma functions where differences would cancel, against mpmath at 60 digits."""

import mpmath
import numpy as np
import pytest
from mpmath import mpf

from harmonium.numerics import gamma_functions

RNG = np.random.default_rng(0)
X = np.concatenate([np.exp(RNG.uniform(np.log(1e-8), np.log(1e12), 150)), RNG.uniform(0.5, 30, 50)])
BY = np.exp(RNG.uniform(np.log(1e-8), np.log(1e12), 200))

OF_ONE = {
    "stirling_remainder": lambda x: (
        mpmath.loggamma(x) - (x - 0.5) * mpmath.log(x) + x - mpmath.log(2 * mpmath.pi) / 2
    ),
    "log_less_digamma": lambda x: mpmath.log(x) - mpmath.digamma(x),
    "log_less_digamma_slope": lambda x: 1 / x - mpmath.psi(1, x),
    "trigamma": lambda x: mpmath.psi(1, x),
}
OF_TWO = {
    "log_gamma_difference": lambda x, by: mpmath.loggamma(x + by) - mpmath.loggamma(x),
    "digamma_difference": lambda x, by: mpmath.digamma(x + by) - mpmath.digamma(x),
    "trigamma_difference": lambda x, by: mpmath.psi(1, x) - mpmath.psi(1, x + by),
    "log_beta": lambda a, b: mpmath.loggamma(a) + mpmath.loggamma(b) - mpmath.loggamma(a + b),
}


@pytest.mark.parametrize("name", OF_ONE)
def test_functions_of_one_argument(name):
    found = getattr(gamma_functions, name)(X)
    with mpmath.workdps(60):
        for x, value in zip(X, found, strict=True):
            exact = OF_ONE[name](mpf(float(x)))
            assert abs(mpf(float(value)) - exact) <= 4e-15 * abs(exact)


@pytest.mark.parametrize("name", OF_TWO)
def test_functions_of_two_arguments(name):
    found = getattr(gamma_functions, name)(X, BY)
    with mpmath.workdps(60):
        for x, by, value in zip(X, BY, found, strict=True):
            exact = OF_TWO[name](mpf(float(x)), mpf(float(by)))
            # log Gamma passes through zero: what is left there is the rounding of its parts
            bound = 5e-15 * abs(exact) + (1e-15 if name.startswith("log") else 0)
            assert abs(mpf(float(value)) - exact) <= bound


def test_inverse_of_log_less_digamma():
    value = np.exp(np.linspace(np.log(1e-14), np.log(1e90), 500))
    x = gamma_functions.inverse_log_less_digamma(value)
    np.testing.assert_allclose(gamma_functions.log_less_digamma(x), value, rtol=1e-13)


def test_shapes_broadcast_and_arguments_are_not_written_to():
    x, by = np.array([[1.0], [2.0]]), np.array([0.5, 20.0, 3.0])
    assert gamma_functions.digamma_difference(x, by).shape == (2, 3)
    np.testing.assert_array_equal(x, [[1.0], [2.0]])
    assert gamma_functions.trigamma(np.array(3.0)).shape == ()
