"""Wishart: singular limits, high degrees of freedom, scales far apart."""

import numpy as np
import pytest
from scipy import optimize, stats
from scipy.special import multigammaln

from harmonium import Gamma, Mixture, Wishart
from harmonium.errors import BoundaryError, BoundaryWarning
from harmonium.learning import fit
from harmonium.numerics.symmetric import pack_lower, unpack_lower
from laws import formulas
from laws.scales import mean_condition, natural_condition

#: Draws of a sampler's test, and the smallest p value that passes: 20 tests together fail a right
#: sampler at a rate of 2e-6. A law whose distribution function is off by 0.04 fails but for 1e-6.
DRAWS, SMALLEST_P = 20_000, 1e-7


def scale(n, seed=0, spread=0.5):
    rng = np.random.default_rng(seed)
    factor = np.eye(n) + 0.4 * np.tril(rng.normal(size=(n, n)), -1)
    units = np.exp(spread * rng.normal(size=n))
    return np.outer(units, units) * (factor @ factor.T)


def point(n, freedom, seed=0, spread=0.5):
    return Wishart(n).from_parameters(scale=scale(n, seed, spread), degrees_of_freedom=freedom)


@pytest.mark.parametrize("n", [1, 2, 4])
@pytest.mark.parametrize("excess", [1e-6, 0.3, 5.0, 1e4, 1e8, 1e12])
def test_against_high_precision(n, excess):
    family = Wishart(n)
    natural = point(n, n - 1 + excess, seed=n, spread=3.0)
    psi, mean = family.log_partition(natural), family.to_mean(natural)
    formula = formulas.wishart
    exact = float(formulas.evaluate(formula, natural))
    assert abs(psi - exact) <= 1e-14 * max(abs(exact), np.abs(natural) @ np.abs(mean))
    gradient = np.array([float(g) for g in formulas.gradient(formula, natural)])
    assert (np.abs(mean - gradient) <= 1e-13 * mean_condition(family, natural)).all()
    back = family.to_natural(mean)
    assert (np.abs(back - natural) <= 1e-12 * natural_condition(family, natural)).all()


@pytest.mark.parametrize("n", [1, 2, 3, 5])
def test_density_and_entropy_are_scipy_s(n):
    family, v = Wishart(n), scale(n, 1)
    for freedom in (n + 0.5, n + 3.0, 200.0):
        natural = family.from_parameters(scale=v, degrees_of_freedom=freedom)
        x = family.sample(natural, rng=0, size=20)
        law = stats.wishart(freedom, v)
        expected = law.logpdf(np.moveaxis(unpack_lower(x, n), 0, -1))
        np.testing.assert_allclose(family.log_density(natural, x), expected, rtol=1e-9, atol=1e-9)
        assert family.entropy(natural) == pytest.approx(law.entropy(), rel=1e-11, abs=1e-11)


def test_one_dimension_is_gamma():
    natural = point(1, 3.0)
    x = Wishart(1).sample(natural, rng=0, size=50)
    found = Wishart(1).log_density(natural, x)
    np.testing.assert_allclose(found, Gamma(1).log_density(natural[::-1], x), rtol=1e-13)


def test_entropy_where_nearly_all_cancels():
    # of many degrees of freedom the law is normal: covariance nu (V_ik V_jl + V_il V_jk)
    n, freedom = 3, 1e11
    natural = point(n, freedom)
    fisher = Wishart(n).fisher_information(natural)[:-1, :-1]
    normal = 0.5 * np.linalg.slogdet(2 * np.pi * np.e * fisher)[1]
    assert Wishart(n).entropy(natural) == pytest.approx(normal, rel=1e-9)


@pytest.mark.parametrize("n", [1, 2, 4])
@pytest.mark.parametrize("excess", [0.5, 3.0, 1e3, 1e9])
def test_draws(n, excess):
    family, freedom = Wishart(n), n - 1 + excess
    v = scale(n, 2, spread=3.0)
    natural = family.from_parameters(scale=v, degrees_of_freedom=freedom)
    matrices = unpack_lower(family.sample(natural, rng=1, size=DRAWS), n)
    # quadratic forms are chi-squared, and so is det W / det V by steps of freedom
    a = np.random.default_rng(3).normal(size=n)
    forms = np.einsum("i,nij,j->n", a, matrices, a) / (a @ v @ a)
    assert stats.kstest(forms, stats.chi2(freedom).cdf).pvalue >= SMALLEST_P
    inverse_forms = (a @ np.linalg.inv(v) @ a) / np.einsum(
        "i,nij,j->n", a, np.linalg.inv(matrices), a
    )
    assert stats.kstest(inverse_forms, stats.chi2(excess).cdf).pvalue >= SMALLEST_P


def test_draws_that_are_nearly_singular_are_on_the_support():
    family = Wishart(3)
    natural = point(3, 2 + 1e-6)
    x = family.sample(natural, rng=2, size=500)
    family.check_data(x)
    values = np.linalg.eigvalsh(unpack_lower(x, 3))
    assert (values[:, 0] > 0).all()
    assert np.median(values[:, 0] / values[:, 2]) < 1e-12
    assert (Wishart(1).sample([-1.0, 1e-8], rng=3, size=500) > 0).all()


@pytest.mark.parametrize(("n", "freedom"), [(1, 0.7), (2, 1.5), (3, 9.0), (3, 300.0)])
def test_maximum_likelihood_is_that_of_an_optimiser(n, freedom):
    family = Wishart(n)
    x = family.sample(point(n, freedom, seed=5), rng=4, size=1000)
    matrices = unpack_lower(x, n)
    mean, log_det = matrices.mean(0), np.linalg.slogdet(matrices)[1].mean()

    def cost(log_excess):
        # at its best scale, the mean over the degrees of freedom
        nu = n - 1 + np.exp(log_excess)
        normaliser = 0.5 * nu * (n * np.log(2 / nu) + np.linalg.slogdet(mean)[1])
        return 0.5 * nu * n - 0.5 * nu * log_det + normaliser + multigammaln(0.5 * nu, n)

    best = optimize.minimize_scalar(cost, (-2.0, 8.0), options={"xtol": 1e-10})
    found = family.to_parameters(family.maximum_likelihood(x))
    assert found.degrees_of_freedom == pytest.approx(n - 1 + np.exp(best.x), rel=1e-6)
    np.testing.assert_allclose(found.scale, mean / found.degrees_of_freedom, rtol=1e-10)
    assert cost(np.log(found.degrees_of_freedom - n + 1)) <= best.fun + 1e-11


@pytest.mark.parametrize("n", [1, 2, 5])
@pytest.mark.parametrize("repeats", [1, 7])
@pytest.mark.parametrize("unit", [1.0, 1e-60, 1e60])
def test_identical_matrices_are_bounded_and_warned_of(n, repeats, unit):
    family, v = Wishart(n), scale(n, 6) * unit
    x = np.repeat(pack_lower(v)[None], repeats, 0)
    with pytest.warns(BoundaryWarning, match="boundary"):
        estimate = family.maximum_likelihood(x)
    found = family.to_parameters(estimate)
    assert found.degrees_of_freedom == pytest.approx(2e12, rel=0.3)
    np.testing.assert_allclose(found.scale * found.degrees_of_freedom, v, rtol=1e-9)
    assert np.isfinite(family.log_density(estimate, x)).all()


def test_a_mixture_is_learned():
    scales = np.array([scale(2, 7), scale(2, 8) * 4])
    model = Mixture(Wishart(2), 2)
    natural = model.from_parameters(
        weights=[0.6, 0.4], scale=scales, degrees_of_freedom=[12.0, 6.0]
    )
    x = model.sample(natural, rng=9, size=4000)[:, :3]
    found = model.to_parameters(fit(model, x, seed=0).natural)
    order = np.argsort(-found.weights)
    np.testing.assert_allclose(found.weights[order], [0.6, 0.4], atol=0.05)
    np.testing.assert_allclose(found.components.degrees_of_freedom[order], [12, 6], rtol=0.1)


def test_rows_that_are_missing_altogether():
    family, natural = Wishart(2), point(2, 4.0)
    completed = family.complete(natural, [[np.nan] * 3, [1.0, 0.2, 2.0]])
    assert completed.log_marginal[0] == 0
    np.testing.assert_array_equal(completed.expected_statistic[0], family.to_mean(natural))
    with pytest.raises(ValueError, match="missing"):
        family.complete(natural, [[1.0, np.nan, 2.0]])


def test_what_is_refused():
    family = Wishart(2)
    with pytest.raises(ValueError, match="scale must be positive definite"):
        family.from_parameters(scale=[[1, 2], [2, 1]], degrees_of_freedom=3)
    with pytest.raises(ValueError, match=r"scale: shape \(3, 3\)"):
        family.from_parameters(scale=np.eye(3), degrees_of_freedom=3)
    with pytest.raises(
        ValueError, match="degrees_of_freedom: degrees of freedom must be above n - 1"
    ):
        family.from_parameters(scale=np.eye(2), degrees_of_freedom=1.0)
    with pytest.raises(ValueError, match="at most 2e13"):
        family.from_parameters(scale=np.eye(2), degrees_of_freedom=1e14)
    with pytest.raises(ValueError, match="choose other units"):
        family.from_parameters(scale=1e101 * np.eye(2), degrees_of_freedom=4)
    with pytest.raises(ValueError, match=r"x: every row .*eigenvalue of row 1 is -1"):
        family.log_density(point(2, 4.0), [[1, 0, 1], [1, 2, 1]])
    with pytest.raises(ValueError, match=r"x: every row .*diagonal of row 1 is \[ 1. -1.\]"):
        family.log_density(point(2, 4.0), [[1, 0, 1], [1, 0, -1]])
    with pytest.raises(BoundaryError, match="mean must be positive definite"):
        family.to_natural([1.0, 2.0, 1.0, -5.0])
    with pytest.raises(BoundaryError, match="below the log determinant of the mean"):
        family.to_natural([1.0, 0.0, 1.0, 0.1])
    with pytest.raises(BoundaryError, match="must not be so low"):
        family.to_natural([1.0, 0.0, 1.0, -1e20])
    # as low as doubles tell
    family.log_partition(family.to_natural([1.0, 0.0, 1.0, -1e15]))
    for n in (0, -1, 2.5, "3", True):
        with pytest.raises((ValueError, TypeError), match="n must"):
            Wishart(n)
