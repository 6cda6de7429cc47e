"""The backward mapping of Conway-Maxwell-Poisson laws converges from everywhere."""

import numpy as np
import pytest
from scipy.special import gammaln

from harmonium.numerics import com_poisson as module


def test_means_are_met_over_the_whole_domain(monkeypatch):
    rng = np.random.default_rng(0)
    log_mode = np.concatenate(
        [rng.uniform(np.log(1e-6), np.log(1e5), 1500), rng.uniform(0, 30, 500)]
    )
    shape = np.exp(rng.uniform(np.log(1e-4), np.log(1e3), 2000))
    mean = module.com_poisson_moments(shape * log_mode, -shape).mean
    excess = mean[:, 1] - module.least_log_factorial(mean[:, 0])
    # what the rounding of means leaves to be known: of small ones all, until they underflow
    small = (mean[:, 0] < 0.9) & (mean[:, 1] > 1e-290)
    known = small | (excess > 1e-12 * np.maximum(mean[:, 1], 1.0))
    steps = []
    step = module._next
    monkeypatch.setattr(module, "_next", lambda *args: steps.append(1) or step(*args))
    rate, power = module.match_com_poisson(*mean[known].T)
    again = module.com_poisson_moments(rate, power).mean
    chord = np.maximum(excess[known], 1e-300)
    np.testing.assert_allclose(again[:, 0], mean[known, 0], rtol=1e-13)
    # to the rounding of the mean log factorial
    assert (np.abs(again[:, 1] - mean[known, 1]) <= 1e-13 * mean[known, 1] + 1e-9 * chord).all()
    assert known.mean() > 0.8
    assert len(steps) <= 30


@pytest.mark.parametrize("shape", [1e-3, 0.3, 1.0, 1.7, 40.0])
def test_bounds_of_rates_hold(shape):
    rate = shape * np.log(np.geomspace(1e-3, 1e4, 200))
    mean = module.com_poisson_moments(rate, np.full(200, -shape)).mean[:, 0]
    low, high = module._rate_bounds(mean, np.full(200, shape))
    assert (rate >= low - 1e-12 * np.abs(rate)).all()
    assert (rate <= high + 1e-12 * np.abs(rate)).all()


def test_least_log_factorials_interpolate():
    np.testing.assert_allclose(module.least_log_factorial(np.array([0.0, 0.5, 1.0])), 0)
    found = module.least_log_factorial(np.array([2.0, 2.5, 3.0]))
    np.testing.assert_allclose(found, [np.log(2), np.log(2) + 0.5 * np.log(3), np.log(6)])


def test_geometric_log_factorials_are_the_most():
    mean = np.geomspace(1e-3, 1e6, 20)
    most = module.geometric_log_factorial(mean)
    for shape in (1e-3, 1.0, 5.0):
        near = module.com_poisson_moments(shape * np.log(mean), np.full(20, -shape)).mean
        assert (near[:, 1] < module.geometric_log_factorial(near[:, 0])).all()
    x = np.arange(3000.0)
    mass = (mean[9] / (1 + mean[9])) ** x / (1 + mean[9])
    assert most[9] == pytest.approx(mass @ gammaln(x + 1), rel=1e-10)
