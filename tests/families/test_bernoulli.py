"""Bernoulli: log odds from far below to far above zero."""

import mpmath
import numpy as np
import pytest

from harmonium.errors import BoundaryError, BoundaryWarning
from harmonium.families import Bernoulli

EPS = float(np.finfo(float).eps)
LOG_ODDS = np.concatenate([-np.geomspace(1e-9, 700, 40), [0.0], np.geomspace(1e-9, 700, 40)])


@pytest.mark.parametrize("name", ["log_partition", "entropy", "fisher_information"])
def test_against_high_precision(name):
    found = getattr(Bernoulli(), name)(LOG_ODDS[:, None]).ravel()
    with mpmath.workdps(700):
        for theta, value in zip(LOG_ODDS, found, strict=True):
            t = mpmath.mpf(float(theta))
            p = 1 / (1 + mpmath.exp(-t))
            exact = {
                "log_partition": mpmath.log1p(mpmath.exp(t)),
                "entropy": -p * mpmath.log(p) - (1 - p) * mpmath.log(1 - p),
                "fisher_information": p * (1 - p),
            }[name]
            assert abs(mpmath.mpf(float(value)) - exact) <= 8 * EPS * abs(exact)


def test_relative_entropy_keeps_its_digits():
    points = np.array([-600.0, -40.0, -3.0, -1e-3, 0.0, 0.5, 4.0, 30.0])
    with mpmath.workdps(600):
        for p in points:
            for change in (1e-6, -0.3, 2.0, -35.0, 35.0, 650.0):
                q = p + change
                a, b = mpmath.mpf(float(p)), mpmath.mpf(float(q))
                one = 1 / (1 + mpmath.exp(-a))
                exact = mpmath.log1p(mpmath.exp(b)) - mpmath.log1p(mpmath.exp(a)) - one * (b - a)
                found = float(Bernoulli().relative_entropy([p], [q]))
                # the second order of a small change is known to its first only
                bound = 50 * EPS * (1 + 1 / abs(change)) * abs(exact) + 1e-300
                assert abs(mpmath.mpf(found) - exact) <= bound


def test_probabilities():
    family = Bernoulli(3)
    natural = family.from_parameters(probability=[1e-300, 0.5, 1 - 1e-10])
    np.testing.assert_allclose(
        family.to_parameters(natural).probability, [1e-300, 0.5, 1 - 1e-10], rtol=1e-13
    )


def test_columns_of_one_value_are_held_inside():
    with pytest.warns(BoundaryWarning, match="Bernoulli"):
        estimate = Bernoulli(3).maximum_likelihood([[0, 1, 1], [0, 1, 0]])
    np.testing.assert_allclose(estimate, [-690, np.log(1 / EPS), 0], rtol=1e-3, atol=1e-15)


def test_maximum_likelihood_is_the_log_odds_of_the_share():
    x = (np.arange(1000) < 37)[:, None]
    assert Bernoulli().maximum_likelihood(x)[0] == pytest.approx(np.log(37 / 963), rel=1e-14)


@pytest.mark.parametrize(("log_odds", "expected"), [(-800.0, 0.0), (800.0, 1.0)])
def test_certain_draws(log_odds, expected):
    assert (Bernoulli().sample([log_odds], rng=0, size=1000) == expected).all()


def test_what_is_refused():
    with pytest.raises(ValueError, match=r"probability\[1\]: must be strictly between 0 and 1"):
        Bernoulli(2).from_parameters(probability=[0.5, 1.0])
    with pytest.raises(BoundaryError, match="between 0 and 1"):
        Bernoulli().to_natural([1.0])
    with pytest.raises(ValueError, match=r"0 or 1, but row 1, column 0 is 2"):
        Bernoulli().maximum_likelihood([[1], [2]])
