"""The scaled exponential integral against mpmath."""

import mpmath
import numpy as np
from mpmath import mpf

from harmonium.numerics.exponential_integral import scaled_exponential_integral


def test_against_mpmath():
    z = np.concatenate([np.geomspace(1e-40, 1e5, 90), [0.999, 1.0, 49.9, 50.0, 50.1]])
    with mpmath.workdps(40):
        for at, value in zip(z, scaled_exponential_integral(z), strict=True):
            exact = mpmath.exp(mpf(float(at))) * mpmath.e1(mpf(float(at)))
            assert abs(mpf(float(value)) - exact) <= 2e-14 * exact


def test_far_away():
    np.testing.assert_allclose(scaled_exponential_integral(np.array([1e30])), 1e-30, rtol=1e-15)
