"""Dirichlet: concentrations from 1e-8 to 1e12, alike and very unlike."""

import mpmath
import numpy as np
import pytest
from scipy import optimize, stats
from scipy.special import digamma, gammaln

from harmonium import Dirichlet, Mixture
from harmonium.errors import BoundaryError, BoundaryWarning
from harmonium.learning import fit
from laws.scales import natural_condition

#: Draws of a sampler's test, and the smallest p value that passes: 12 tests together fail a right
#: sampler at a rate of 1e-6. A law whose distribution function is off by 0.04 fails but for 1e-6.
DRAWS, SMALLEST_P = 20_000, 1e-7


def concentrations(n, k, seed):
    """Points (n, k) spread evenly over 1e-8 to 1e12 on a log scale; a third are nearly alike."""
    rng = np.random.default_rng(seed)
    logs = rng.uniform(np.log(1e-8), np.log(1e12), (n, k))
    alike = logs[:, :1] + rng.uniform(-1, 1, (n, k))
    return np.exp(np.where((np.arange(n) % 3 == 0)[:, None], np.clip(alike, -18.4, 27.6), logs))


@pytest.mark.parametrize("k", [2, 3, 10])
def test_against_high_precision(k):
    family, points = Dirichlet(k), concentrations(200, k, seed=k)
    psi, mean, entropy = (
        family.log_partition(points),
        family.to_mean(points),
        family.entropy(points),
    )
    with mpmath.workdps(60):
        for i, point in enumerate(points):
            alpha = [mpmath.mpf(a) for a in point]
            total = mpmath.fsum(alpha)
            exact = mpmath.fsum(map(mpmath.loggamma, alpha)) - mpmath.loggamma(total)
            means = [mpmath.digamma(a) - mpmath.digamma(total) for a in alpha]
            surprise = exact - mpmath.fsum((a - 1) * m for a, m in zip(alpha, means, strict=True))
            size = max(
                1, abs(exact), mpmath.fsum(abs(a * m) for a, m in zip(alpha, means, strict=True))
            )
            assert abs(psi[i] - exact) <= 1e-13 * size
            for found, true in zip(mean[i], means, strict=True):
                assert abs(found - true) <= 4e-15 * abs(true)
            assert abs(entropy[i] - surprise) <= 1e-14 * max(1, abs(surprise))


@pytest.mark.parametrize("k", [2, 3, 10, 40])
def test_there_and_back(k):
    family, points = Dirichlet(k), concentrations(100, k, seed=10 + k)
    back = family.to_natural(family.to_mean(points))
    family.log_partition(back)
    for found, point in zip(back, points, strict=True):
        assert (np.abs(found - point) <= 1e-13 * natural_condition(family, point)).all()


def test_one_weight_takes_almost_all():
    # no digits are lost where the largest mean is 1e-20
    family, point = Dirichlet(2), np.array([1e12, 1e-8])
    mean = family.to_mean(point)
    assert mean[0] == pytest.approx(-1e-20, rel=1e-11)
    np.testing.assert_allclose(family.to_natural(mean), point, rtol=1e-13)


@pytest.mark.parametrize("alpha", [[0.5, 2.0, 7.0], [3.0, 1e9], [1e9, 2e9, 3e9]])
def test_draws(alpha):
    alpha = np.array(alpha)
    x = Dirichlet(len(alpha)).sample(alpha, rng=1, size=DRAWS)
    for column, a in zip(x.T, alpha, strict=True):
        assert stats.kstest(column, stats.beta(a, alpha.sum() - a).cdf).pvalue >= SMALLEST_P


def test_draws_that_crowd_at_both_ends():
    # from the end that doubles resolve
    a, b = 1e-2, 3e-2
    x, rest = Dirichlet(2).sample([a, b], rng=1, size=DRAWS).T
    uniform = np.where(x < 0.5, stats.beta(a, b).cdf(x), stats.beta(b, a).sf(rest))
    assert stats.kstest(uniform, "uniform").pvalue >= SMALLEST_P


def test_logs_of_draws_that_underflow():
    # with concentrations a and b near zero the log odds are -Exp(a) or Exp(b): a law of Laplace
    a, b = 1e-8, 3e-8
    logs = Dirichlet(2).sample_log([a, b], rng=2, size=DRAWS)
    odds = logs[:, 0] - logs[:, 1]
    below, above = -odds[odds < 0] * a, odds[odds > 0] * b
    assert stats.binomtest(len(below), DRAWS, b / (a + b)).pvalue >= SMALLEST_P
    assert stats.kstest(below, "expon").pvalue >= SMALLEST_P
    assert stats.kstest(above, "expon").pvalue >= SMALLEST_P
    x = Dirichlet(2).sample([a, b], rng=2, size=DRAWS)
    assert (x > 0).all()
    np.testing.assert_array_equal(x, np.maximum(np.exp(logs), 5e-324))


def test_sample_log_takes_sizes_and_batches():
    points = concentrations(3, 4, 0)
    assert Dirichlet(4).sample_log(points, rng=0, size=(2, 5)).shape == (2, 5, 3, 4)
    assert Dirichlet(4).sample_log(points[0], rng=0).shape == (4,)


@pytest.mark.parametrize("alpha", [[0.3, 0.5], [2.0, 5.0, 1.0], [0.05, 20.0, 300.0, 4.0]])
def test_maximum_likelihood_is_that_of_an_optimiser(alpha):
    family = Dirichlet(len(alpha))
    x = family.sample(alpha, rng=3, size=2000)
    mean = np.log(x).mean(0)

    def cost(log_alpha):
        a = np.exp(log_alpha)
        return gammaln(a).sum() - gammaln(a.sum()) - a @ mean

    def slope(log_alpha):
        a = np.exp(log_alpha)
        return a * (digamma(a) - digamma(a.sum()) - mean)

    best = optimize.minimize(
        cost, np.zeros(len(alpha)), jac=slope, method="BFGS", options={"gtol": 1e-10}
    )
    estimate = family.maximum_likelihood(x)
    np.testing.assert_allclose(estimate, np.exp(best.x), rtol=1e-6)
    assert cost(np.log(estimate)) <= best.fun + 1e-12


@pytest.mark.parametrize("row", [[0.5, 0.5], [0.2, 0.3, 0.5], [1e-300, 1.0], np.full(50, 0.02)])
@pytest.mark.parametrize("repeats", [1, 7])
def test_identical_rows_are_bounded_and_warned_of(row, repeats):
    family = Dirichlet(len(row))
    x = np.repeat(np.array(row)[None], repeats, 0)
    with pytest.warns(BoundaryWarning, match="boundary"):
        estimate = family.maximum_likelihood(x)
    assert estimate.mean() == pytest.approx(1e13, rel=0.2)
    np.testing.assert_allclose(estimate / estimate.sum(), row, rtol=1e-6, atol=1e-100)
    assert np.isfinite(family.log_density(estimate, x)).all()


def test_a_mixture_is_learned():
    truth = np.array([[20.0, 2.0, 1.0], [1.0, 5.0, 10.0]])
    model = Mixture(Dirichlet(3), 2)
    natural = model.from_parameters(weights=[0.6, 0.4], concentration=truth)
    x = model.sample(natural, rng=4, size=4000)[:, :3]
    found = model.to_parameters(fit(model, x, seed=0).natural)
    order = np.argsort(-found.weights)
    np.testing.assert_allclose(found.weights[order], [0.6, 0.4], atol=0.03)
    np.testing.assert_allclose(found.components.concentration[order], truth, rtol=0.15)


def test_rows_that_sum_to_one_up_to_rounding():
    family, x = Dirichlet(3), np.array([[0.2, 0.3, 0.5]])
    scaled = family.log_density([1e10, 2e10, 3e10], x * (1 + 1e-7))
    assert scaled == pytest.approx(family.log_density([1e10, 2e10, 3e10], x), rel=1e-6)


def test_rows_that_are_missing_altogether():
    family, natural = Dirichlet(3), np.array([1.0, 2.0, 3.0])
    completed = family.complete(natural, [[np.nan] * 3, [0.2, 0.3, 0.5]])
    assert completed.log_marginal[0] == 0
    np.testing.assert_array_equal(completed.expected_statistic[0], family.to_mean(natural))
    with pytest.raises(ValueError, match="missing"):
        family.complete(natural, [[np.nan, 0.2, 0.3]])


def test_what_is_refused():
    family = Dirichlet(3)
    with pytest.raises(ValueError, match="concentration: concentrations must be above zero"):
        family.from_parameters(concentration=[1.0, 0.0, 2.0])
    with pytest.raises(ValueError, match="at most 1e14 on average"):
        family.log_partition([1.0, 1.0, 4e14])
    with pytest.raises(ValueError, match=r"x: every row must sum to 1.*row 1"):
        family.log_density([1, 1, 1], [[0.2, 0.3, 0.5], [0.2, 0.3, 0.6]])
    with pytest.raises(ValueError, match=r"x: every proportion must be positive.*row 0"):
        family.maximum_likelihood([[0.0, 0.5, 0.5]])
    with pytest.raises(BoundaryError, match="must leave room below one"):
        family.to_natural(np.log([0.2, 0.3, 0.5]))
    with pytest.raises(BoundaryError, match="below zero"):
        family.to_natural([0.0, -1.0, -2.0])
    for n in (1, 0, 2.5, "3", True):
        with pytest.raises((ValueError, TypeError), match="n must"):
            Dirichlet(n)
