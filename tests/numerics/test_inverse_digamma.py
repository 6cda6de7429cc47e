"""The inverse of the digamma function."""

import mpmath
import numpy as np
import pytest
from scipy.special import digamma

from harmonium.numerics.inverse_digamma import inverse_digamma


@pytest.mark.parametrize("value", [-1e100, -1e9, -50.0, -3.0, -2.22, -1.0, 0.0, 1.0, 30.0, 200.0])
def test_is_the_inverse(value):
    found = float(inverse_digamma(np.array(value)))
    with mpmath.workdps(50):
        slope = mpmath.psi(1, found)
        error = abs(mpmath.digamma(found) - mpmath.mpf(value)) / slope
        assert error <= 4e-16 * found + 4e-16 * max(1, abs(value)) / slope


def test_there_and_back():
    x = np.geomspace(1e-90, 1e80, 500)
    # where it is large, the digamma function tells no more than a logarithm
    bound = 4e-15 * np.maximum(1.0, np.abs(np.log(x)))
    assert (np.abs(inverse_digamma(digamma(x)) / x - 1) <= bound).all()
