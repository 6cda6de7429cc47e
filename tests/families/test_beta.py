"""Beta: parameters from 1e-8 to 1e12, alike and far apart."""

import mpmath
import numpy as np
import pytest
from mpmath import mpf
from scipy import optimize, stats

from harmonium.errors import BoundaryError, BoundaryWarning
from harmonium.families import Beta
from laws.goodness_of_fit import SMALLEST_P
from laws.scales import mean_condition, natural_condition

EPS = float(np.finfo(float).eps)
DRAWS = 20_000
SIZES = np.geomspace(1e-8, 1e12, 11)
GRID = np.array([(a, b) for a in SIZES for b in SIZES] + [(1.0, 1.0), (3.0, 4.0), (11.9, 12.1)])


def test_mappings_against_high_precision():
    family = Beta()
    psi, mean, fisher = (
        getattr(family, f)(GRID) for f in ("log_partition", "to_mean", "fisher_information")
    )
    entropy = family.entropy(GRID)
    with mpmath.workdps(60):
        for i, point in enumerate(GRID):
            a, b = (mpf(float(t)) for t in point)
            exact = mpmath.loggamma(a) + mpmath.loggamma(b) - mpmath.loggamma(a + b)
            one = mpmath.digamma(a) - mpmath.digamma(a + b)
            other = mpmath.digamma(b) - mpmath.digamma(a + b)
            shared = mpmath.psi(1, a + b)
            assert abs(mpf(float(psi[i])) - exact) <= 2e-14 * abs(exact) + 4 * EPS
            # each mean to its own size: no digit is lost however small it is
            assert abs(mpf(float(mean[i, 0])) - one) <= 8 * EPS * abs(one)
            assert abs(mpf(float(mean[i, 1])) - other) <= 8 * EPS * abs(other)
            values = (mpmath.psi(1, a) - shared, -shared, -shared, mpmath.psi(1, b) - shared)
            for found, value in zip(fisher[i].ravel(), values, strict=True):
                assert abs(mpf(float(found)) - value) <= 8 * EPS * abs(value)
            exact = exact - (a - 1) * one - (b - 1) * other
            size = (
                1
                + abs(mpmath.log(a))
                + 3 * abs(mpmath.log(a + b))
                + abs(mpmath.log(b))
                + 1 / a
                + 1 / b
            )
            assert abs(mpf(float(entropy[i])) - exact) <= 8 * EPS * size


def test_there_and_back():
    family = Beta()
    back = family.to_natural(family.to_mean(GRID))
    for point, found in zip(GRID, back, strict=True):
        condition = natural_condition(family, point)
        assert (np.abs(found - point) <= 32 * EPS * condition).all()
    # what comes back has the same means, whatever the condition
    again = family.to_mean(back)
    for point, one, other in zip(GRID, again, family.to_mean(GRID), strict=True):
        assert (np.abs(one - other) <= 100 * EPS * mean_condition(family, point)).all()


@pytest.mark.parametrize(
    ("a", "b"), [(0.01, 0.3), (0.5, 0.5), (1.0, 1.0), (3.0, 200.0), (1e6, 2e6), (1e10, 0.5)]
)
def test_draws(a, b):
    logs = Beta().sample_log([a, b], rng=1, size=DRAWS)
    law, mirrored = stats.beta(a, b), stats.beta(b, a)
    x, rest = np.exp(logs[:, 0]), np.exp(logs[:, 1])
    cdf = np.where(x < rest, law.cdf(x), mirrored.sf(rest))
    assert stats.kstest(cdf, "uniform").pvalue >= SMALLEST_P
    plain = Beta().sample([a, b], rng=1, size=DRAWS)[:, 0]
    np.testing.assert_allclose(plain, np.clip(x, np.exp(-708), 1 - EPS / 2), rtol=1e-12)


@pytest.mark.parametrize(("a", "b"), [(1e-8, 1e-8), (1e-8, 5.0), (1e-5, 3e-5)])
def test_logs_of_draws(a, b):
    logs = Beta().sample_log([a, b], rng=2, size=DRAWS)
    assert (logs <= 0).all()
    assert (logs.min(1) < -1e-5).all()
    mean = Beta().to_mean([a, b])
    deviation = np.sqrt(np.diagonal(Beta().fisher_information([a, b])))
    assert (np.abs(logs.mean(0) - mean) <= 6.2 * deviation / np.sqrt(DRAWS)).all()
    # near zero, x**a is uniform up to the probability of being there
    near = logs[:, 0] < -50
    share = b / (a + b)
    assert abs(near.mean() - share) <= 6.2 * np.sqrt(share * (1 - share) / DRAWS) + 100 * (a + b)
    assert stats.kstest(np.exp(a * logs[near, 0]), "uniform").pvalue >= SMALLEST_P


@pytest.mark.parametrize(("a", "b"), [(0.5, 2.0), (5.0, 5.0), (300.0, 20.0)])
def test_maximum_likelihood_against_an_optimiser(a, b):
    x = np.random.default_rng(0).beta(a, b, (300, 1))
    found = Beta().maximum_likelihood(x)

    def gradient(log_ab):
        one, other = np.exp(log_ab)
        logs = np.log(x).mean(), np.log1p(-x).mean()
        return Beta().to_mean([one, other]) - logs

    solved = np.exp(optimize.root(gradient, np.log([a, b]), tol=1e-13).x)
    np.testing.assert_allclose(found, solved, rtol=1e-6)
    fitted = stats.beta.fit(x, floc=0, fscale=1)[:2]
    own, scipys = (stats.beta(*p).logpdf(x).sum() for p in (found, fitted))
    assert own >= scipys - 1e-9
    np.testing.assert_allclose(found, fitted, rtol=1e-5)


@pytest.mark.parametrize("value", [1e-60, 1e-6, 0.3, 0.5, 1 - 1e-9, 1 - EPS / 2])
def test_a_constant_column_is_bounded_and_warned_of(value):
    family = Beta()
    with pytest.warns(BoundaryWarning, match="Beta"):
        estimate = family.maximum_likelihood(np.full((4, 1), value))
    a, b = (float(p[0]) for p in family.to_parameters(estimate))
    near, far = (a / (a + b), value) if value < 0.5 else (b / (a + b), 1 - value)
    assert near == pytest.approx(far, rel=1e-9)
    assert min(a, b) == pytest.approx(5e11, rel=0.6)
    assert np.isfinite(family.log_density(estimate, [[value]])).all()


@pytest.mark.parametrize(
    ("mean", "rule"),
    [
        ([0.0, -1.0], "below zero"),
        ([-1.0, 0.5], "below zero"),
        ([-0.1, -0.1], "sum to less than one"),
    ],
)
def test_means_outside(mean, rule):
    with pytest.raises(BoundaryError, match=rule):
        Beta().to_natural(mean)


def test_what_is_refused():
    with pytest.raises(ValueError, match=r"a\[0\]: must be above zero"):
        Beta().from_parameters(a=0.0, b=1.0)
    with pytest.raises(ValueError, match="strictly between 0 and 1"):
        Beta().maximum_likelihood([[0.5], [1.0]])
