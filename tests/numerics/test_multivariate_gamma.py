"""The multivariate gamma function against mpmath at 50 digits."""

import mpmath
import numpy as np
import pytest
from scipy.special import multigammaln

from harmonium.numerics.gamma_entropy import gamma_entropy
from harmonium.numerics.multivariate_gamma import (
    inverse_log_less_multivariate_digamma,
    log_less_multivariate_digamma,
    log_multivariate_gamma,
    multivariate_gamma_entropy,
    multivariate_trigamma,
)

SIZES = [1, 2, 3, 10, 40]


def above(n):
    """Arguments from 1e-8 to 1e12 above the least."""
    return 0.5 * (n - 1) + np.geomspace(1e-8, 1e12, 41)


@pytest.mark.parametrize("n", SIZES)
def test_against_high_precision(n):
    h = above(n)
    gamma, less = log_multivariate_gamma(h, n), log_less_multivariate_digamma(h, n)
    trigamma, entropy = multivariate_trigamma(h, n), multivariate_gamma_entropy(h, n)
    with mpmath.workdps(50):
        for k, at in enumerate(h):
            steps = [mpmath.mpf(at) - mpmath.mpf(i) / 2 for i in range(n)]
            logs = [mpmath.loggamma(a) for a in steps]
            exact = mpmath.mpf(n * (n - 1)) / 4 * mpmath.log(mpmath.pi) + mpmath.fsum(logs)
            size = n * n + mpmath.fsum(map(abs, logs))
            assert abs(gamma[k] - exact) <= 1e-15 * size
            digamma = mpmath.fsum(map(mpmath.digamma, steps))
            gap = n * mpmath.log(at) - digamma
            assert abs(less[k] - gap) <= 1e-14 * gap
            slope = mpmath.fsum(mpmath.psi(1, a) for a in steps)
            assert abs(trigamma[k] - slope) <= 4e-15 * slope
            surprise = (
                exact - (mpmath.mpf(at) - mpmath.mpf(n + 1) / 2) * digamma + n * mpmath.mpf(at)
            )
            parts = mpmath.fsum(abs(float(mpmath.digamma(a))) for a in steps)
            assert abs(entropy[k] - surprise) <= 4e-15 * n * (parts + n)
    np.testing.assert_allclose(gamma[5:], [multigammaln(a, n) for a in h[5:]], rtol=1e-10)


@pytest.mark.parametrize("n", SIZES)
def test_there_and_back(n):
    h = above(n)
    back = inverse_log_less_multivariate_digamma(log_less_multivariate_digamma(h, n), n)
    # what h has above its least is rounded with it
    rounding = 4e-16 * h
    assert (np.abs(back - h) <= 2e-14 * (h - 0.5 * (n - 1)) + rounding).all()
    assert (back > 0.5 * (n - 1)).all()
    assert inverse_log_less_multivariate_digamma(np.ones((2, 3)), n).shape == (2, 3)


def test_entropy_of_gamma_laws():
    shape = np.geomspace(1e-8, 1e15, 50)
    with mpmath.workdps(50):
        for a, found in zip(shape, gamma_entropy(shape), strict=True):
            exact = a + mpmath.loggamma(a) + (1 - mpmath.mpf(a)) * mpmath.digamma(a)
            assert abs(found - exact) <= 4e-15 * max(1, abs(exact))
