"""Binomial: trials from one to 2**53."""

import mpmath
import numpy as np
import pytest
from scipy import stats

from harmonium.errors import BoundaryWarning
from harmonium.families import Bernoulli, Binomial
from laws.goodness_of_fit import SMALLEST_P, chi_squared_p

DRAWS = 20_000


def exact_expectations(trials, log_odds):
    """Entropy and expected log coefficient by the sum itself."""
    with mpmath.workdps(40):
        p = 1 / (1 + mpmath.exp(-mpmath.mpf(float(log_odds))))
        entropy = coefficient = mpmath.mpf(0)
        log_c = mpmath.mpf(0)
        for x in range(trials + 1):
            log_mass = log_c + x * mpmath.log(p) + (trials - x) * mpmath.log(1 - p)
            mass = mpmath.exp(log_mass)
            entropy -= mass * log_mass
            coefficient += mass * log_c
            log_c += mpmath.log(trials - x) - mpmath.log(x + 1) if x < trials else 0
        return entropy, coefficient


@pytest.mark.parametrize("trials", [1, 2, 17, 192, 193, 400, 3000])
@pytest.mark.parametrize("log_odds", [-12.0, -4.0, -3.5, -2.0, -1e-3, 0.0, 1.0, 5.0])
def test_entropy_and_expected_base_measure(trials, log_odds):
    entropy, coefficient = exact_expectations(trials, log_odds)
    family = Binomial(trials)
    found = float(family.entropy([log_odds]))
    assert abs(mpmath.mpf(found) - entropy) <= 1e-12 * abs(entropy)
    found = float(family._expected_log_base_measure(np.array([log_odds])))
    assert abs(mpmath.mpf(found) - coefficient) <= 1e-12 * max(abs(coefficient), mpmath.mpf("1e-3"))


@pytest.mark.parametrize("trials", [10**6, 10**12, 2**53])
def test_entropy_of_many_trials_is_that_of_a_normal(trials):
    for p in (0.5, 0.01):
        variance = trials * p * (1 - p)
        found = Binomial(trials).entropy([np.log(p / (1 - p))])
        assert found == pytest.approx(
            0.5 * np.log(2 * np.pi * np.e * variance), abs=2 / variance + 1e-11
        )


def test_one_trial_is_bernoulli():
    natural = np.linspace(-30, 30, 13)[:, None]
    for name in ("log_partition", "to_mean", "fisher_information", "entropy"):
        one, other = getattr(Binomial(1), name)(natural), getattr(Bernoulli(), name)(natural)
        np.testing.assert_allclose(one, other, rtol=1e-13)


@pytest.mark.parametrize(
    ("trials", "log_odds"), [(5, 0.3), (1000, -6.0), (1000, 7.0), (10**6, 0.0), (10**9, -18.0)]
)
def test_draws(trials, log_odds):
    draws = Binomial(trials).sample([log_odds], rng=1, size=DRAWS)[:, 0]
    low, high = max(0, int(draws.min()) - 5000), min(trials, int(draws.max()) + 5000)
    p = 1 / (1 + np.exp(-log_odds))
    masses = stats.binom.pmf(np.arange(low, high + 1), trials, p)
    assert chi_squared_p(draws, low, masses) >= SMALLEST_P


def test_columns_at_the_ends_are_held_inside():
    with pytest.warns(BoundaryWarning, match="Binomial"):
        estimate = Binomial(4, 3).maximum_likelihood([[0, 4, 1], [0, 4, 3]])
    assert estimate[0] == pytest.approx(-690)
    assert 30 < estimate[1] < 40
    assert estimate[2] == 0


def test_what_is_refused():
    with pytest.raises(ValueError, match="at most 4"):
        Binomial(4).log_density([0.0], [[5]])
    with pytest.raises(ValueError, match="trials must be at least 1"):
        Binomial(0)
    with pytest.raises(ValueError, match="trials must be at most"):
        Binomial(2**53 + 1)
    with pytest.raises(TypeError, match="trials"):
        Binomial(2.5)
