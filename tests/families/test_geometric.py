"""Geometric: counts of successes, by the probability of a success."""

import mpmath
import numpy as np
import pytest
from scipy import stats

from harmonium.errors import BoundaryWarning
from harmonium.families import Geometric
from laws.goodness_of_fit import SMALLEST_P, chi_squared_p

EPS = float(np.finfo(float).eps)


def test_probability_is_that_of_a_success():
    family = Geometric()
    natural = family.from_parameters(probability=0.8)
    assert natural[0] == np.log(0.8)
    assert float(family.to_mean(natural)[0]) == pytest.approx(4.0, rel=1e-14)
    x = np.arange(20.0)[:, None]
    expected = stats.geom.logpmf(x[:, 0] + 1, 0.2)
    np.testing.assert_allclose(family.log_density(natural, x), expected, rtol=1e-12)


def test_entropy_against_high_precision():
    natural = -np.geomspace(1e-15, 700, 40)[:, None]
    found = Geometric().entropy(natural)
    with mpmath.workdps(700):
        for theta, value in zip(natural[:, 0], found, strict=True):
            p = mpmath.exp(mpmath.mpf(float(theta)))
            exact = -mpmath.log1p(-p) - p * mpmath.log(p) / (1 - p)
            assert abs(mpmath.mpf(float(value)) - exact) <= 8 * EPS * max(1, -theta) * exact


@pytest.mark.parametrize("log_success", [-5.0, -0.2, -1e-3])
def test_draws(log_success):
    draws = Geometric().sample([log_success], rng=1, size=20_000)[:, 0]
    x = np.arange(2 * draws.max() + 100)
    assert chi_squared_p(draws, 0, np.exp(x * log_success)) >= SMALLEST_P


def test_draws_of_rare_failures_are_exponential():
    draws = Geometric().sample([-1e-14], rng=1, size=20_000)[:, 0]
    assert stats.kstest(draws * 1e-14, "expon").pvalue >= SMALLEST_P


def test_maximum_likelihood():
    x = np.array([[0.0], [3.0], [5.0], [0.0]])
    assert Geometric().maximum_likelihood(x)[0] == pytest.approx(np.log(2 / 3), rel=1e-14)
    with pytest.warns(BoundaryWarning, match="Geometric"):
        assert Geometric().maximum_likelihood([[0.0]])[0] == pytest.approx(-690)


def test_probability_of_one_is_refused():
    with pytest.raises(ValueError, match="strictly between 0 and 1"):
        Geometric().from_parameters(probability=1.0)
