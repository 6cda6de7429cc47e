"""Negative binomial: from rare successes to rare failures."""

import mpmath
import numpy as np
import pytest
from scipy import optimize, stats

from harmonium.errors import BoundaryError, BoundaryWarning
from harmonium.families import Geometric, NegativeBinomial
from laws.goodness_of_fit import SMALLEST_P, chi_squared_p

EPS = float(np.finfo(float).eps)
DRAWS = 20_000
FAILURES = [1e-8, 0.3, 1.0, 2.5, 1e6]


@pytest.mark.parametrize("failures", FAILURES)
def test_mappings_against_high_precision(failures):
    natural = -np.geomspace(1e-15, 700, 60)[:, None]
    family = NegativeBinomial(failures)
    psi, mean = family.log_partition(natural), family.to_mean(natural)[:, 0]
    variance = family.fisher_information(natural)[:, 0, 0]
    with mpmath.workdps(700):
        r = mpmath.mpf(failures)
        for i, theta in enumerate(natural[:, 0]):
            t = mpmath.mpf(float(theta))
            gap = -mpmath.expm1(t)
            exact = (-r * mpmath.log(gap), r * mpmath.exp(t) / gap, r * mpmath.exp(t) / gap**2)
            for found, value in zip((psi[i], mean[i], variance[i]), exact, strict=True):
                condition = max(1.0, -theta)
                assert abs(mpmath.mpf(float(found)) - value) <= 8 * EPS * condition * value
    back = family.to_natural(family.to_mean(natural))
    np.testing.assert_allclose(back, natural, rtol=8 * EPS * 2)


def exact_expectations(failures, log_success):
    """Entropy and expected log base measure by the sum itself, from twelve deviations below."""
    with mpmath.workdps(30):
        r, t = mpmath.mpf(failures), mpmath.mpf(log_success)
        gap = -mpmath.expm1(t)
        mean, deviation = r * mpmath.exp(t) / gap, mpmath.sqrt(r * mpmath.exp(t)) / gap
        x = int(max(0, mean - 12 * deviation))
        log_base = mpmath.loggamma(x + r) - mpmath.loggamma(r) - mpmath.loggamma(x + 1)
        entropy = expected = mpmath.mpf(0)
        while True:
            log_mass = log_base + x * t + r * mpmath.log(gap)
            mass = mpmath.exp(log_mass)
            entropy -= mass * log_mass
            expected += mass * log_base
            if x > mean and mass * (1 - log_mass) < 1e-18 * entropy:
                return entropy, expected
            log_base += mpmath.log((x + r) / (x + 1))
            x += 1


@pytest.mark.parametrize(
    ("failures", "log_success"),
    [(r, t) for r in FAILURES[1:] for t in (-30.0, -3.0, -0.5)]
    + [(0.3, -0.003), (1.0, -0.02), (2.5, -0.003), (70.0, -0.02)],
)
def test_entropy_and_expected_base_measure(failures, log_success):
    entropy, expected = exact_expectations(failures, log_success)
    family = NegativeBinomial(failures)
    found = float(family.entropy([log_success]))
    assert abs(mpmath.mpf(found) - entropy) <= 1e-12 * entropy
    found = float(family._expected_log_base_measure(np.array([log_success])))
    assert abs(mpmath.mpf(found) - expected) <= 2e-12 * max(abs(expected), mpmath.mpf("1e-3"))


@pytest.mark.parametrize("failures", [0.3, 1.0, 2.5])
def test_entropy_of_wide_laws_is_that_of_a_gamma(failures):
    log_success = -1e-12
    scale = 1 / -np.expm1(log_success)
    expected = stats.gamma(failures, scale=scale).entropy()
    assert float(NegativeBinomial(failures).entropy([log_success])) == pytest.approx(
        expected, abs=1e-2 if failures < 1 else 1e-9
    )


def test_geometric_is_one_failure():
    natural = -np.geomspace(1e-12, 500, 30)[:, None]
    for name in ("log_partition", "to_mean", "fisher_information", "entropy"):
        one, other = (
            getattr(NegativeBinomial(1), name)(natural),
            getattr(Geometric(), name)(natural),
        )
        np.testing.assert_allclose(one, other, rtol=1e-12)


@pytest.mark.parametrize(
    ("failures", "log_success"), [(0.3, -0.1), (2.5, -1.0), (2.5, -1e-3), (1e4, -0.5), (50, -9.0)]
)
def test_draws(failures, log_success):
    family = NegativeBinomial(failures)
    draws = family.sample([log_success], rng=1, size=DRAWS)[:, 0]
    masses = stats.nbinom.pmf(np.arange(2 * draws.max() + 1000), failures, -np.expm1(log_success))
    assert chi_squared_p(draws, 0, masses) >= SMALLEST_P


@pytest.mark.parametrize("failures", [0.5, 3.0])
def test_draws_of_rare_failures_are_gamma(failures):
    log_success = -1e-13
    draws = NegativeBinomial(failures).sample([log_success], rng=2, size=DRAWS)[:, 0]
    law = stats.gamma(failures, scale=1 / -np.expm1(log_success))
    assert stats.kstest(law.cdf(draws), "uniform").pvalue >= SMALLEST_P


def test_maximum_likelihood_against_an_optimiser():
    x = NegativeBinomial(2.5).sample([-0.4], rng=3, size=500)
    found = NegativeBinomial(2.5).maximum_likelihood(x)
    best = optimize.minimize_scalar(
        lambda p: -stats.nbinom.logpmf(x, 2.5, p).sum(), bounds=(0.01, 0.99), method="bounded",
        options={"xatol": 1e-12},
    )  # fmt: skip
    assert -np.expm1(found[0]) == pytest.approx(best.x, rel=1e-6)


def test_a_column_of_zeros_is_held_at_a_probability_above_zero():
    with pytest.warns(BoundaryWarning, match="NegativeBinomial"):
        estimate = NegativeBinomial(2.0).maximum_likelihood([[0], [0]])
    assert estimate[0] == pytest.approx(-690)


@pytest.mark.parametrize("mean", [0.0, -1.0, 1e20])
def test_means_outside(mean):
    with pytest.raises(BoundaryError, match="means must be"):
        NegativeBinomial(2.0).to_natural([mean])


def test_relative_entropy_of_neighbours():
    for theta in (-50.0, -1.0, -1e-3, -1e-10):
        p = np.array([theta])
        q = p * (1 + 1e-4)
        fisher = NegativeBinomial(3.0).fisher_information(p)[0, 0]
        expected = 0.5 * fisher * (q - p)[0] ** 2
        assert float(NegativeBinomial(3.0).relative_entropy(p, q)) == pytest.approx(
            expected, rel=1e-2
        )


def test_what_is_refused():
    for failures in (0, -1.0, np.nan):
        with pytest.raises(ValueError, match="failures"):
            NegativeBinomial(failures)
    with pytest.raises(TypeError, match="failures"):
        NegativeBinomial("two")
    with pytest.raises(ValueError, match="probability"):
        NegativeBinomial(2.0).from_parameters(probability=1.0)
