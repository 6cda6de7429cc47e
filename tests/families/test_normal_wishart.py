"""Normal-Wishart: the conjugate prior of normal laws, and a family like any other."""

import numpy as np
import pytest
from scipy import optimize, stats
from scipy.special import multigammaln

from harmonium import Mixture, Normal, NormalWishart, Wishart
from harmonium.errors import BoundaryError, BoundaryWarning
from harmonium.learning import fit
from harmonium.numerics.symmetric import unpack_lower
from laws import formulas
from laws.scales import mean_condition, natural_condition

#: Draws of a sampler's test, and the smallest p value that passes: 10 tests together fail a right
#: sampler at a rate of 1e-6. A law whose distribution function is off by 0.04 fails but for 1e-6.
DRAWS, SMALLEST_P = 20_000, 1e-7


def parameters(n, seed=0, freedom=None, kappa=2.5):
    rng = np.random.default_rng(seed)
    factor = np.eye(n) + 0.4 * np.tril(rng.normal(size=(n, n)), -1)
    return {
        "mean": rng.normal(size=n),
        "precision_scale": kappa,
        "scale": factor @ factor.T / (n + 2),
        "degrees_of_freedom": n + 2.0 if freedom is None else freedom,
    }


def point(n, **changes):
    return NormalWishart(n).from_parameters(**parameters(n, **changes))


def parts(n, x):
    return x[:, :n], unpack_lower(x[:, n:], n)


@pytest.mark.parametrize("n", [1, 2, 4])
def test_the_statistic_is_a_normal_law_and_its_log_partition(n):
    # s_Z = (z, mT Lambda m, log det Lambda), rho = (0, 0, 1/2, -1/2), chi = 0: Lemma 10
    family, normal = NormalWishart(n), Normal(n)
    x = family.sample(point(n), rng=0, size=30)
    statistic = family.sufficient_statistic(x)
    mean, precision = parts(n, x)
    expected = normal.from_parameters(mean=mean, covariance=np.linalg.inv(precision))
    z = statistic[:, :-2]
    np.testing.assert_allclose(z, expected, rtol=1e-8, atol=1e-9)
    rho = np.array([0.5, -0.5])
    np.testing.assert_allclose(
        statistic[:, -2:] @ rho, normal.log_partition(z), rtol=1e-9, atol=1e-9
    )


@pytest.mark.parametrize("n", [1, 3])
def test_bayes_rule_is_an_addition(n):
    # posterior = prior + (sum of s_X, -rho per row): the textbook's update (Murphy 2007, 8)
    family, normal, prior = NormalWishart(n), Normal(n), parameters(n)
    data = np.random.default_rng(1).normal(size=(7, n)) * 2 + 1
    natural = family.from_parameters(**prior)
    posterior = natural.copy()
    posterior[:-2] += normal.sufficient_statistic(data).sum(0)
    posterior[-2:] -= len(data) * np.array([0.5, -0.5])
    found = family.to_parameters(posterior)
    kappa, centre = prior["precision_scale"], data.mean(0)
    deviation = data - centre
    between = np.outer(centre - prior["mean"], centre - prior["mean"])
    inverse_scale = (
        np.linalg.inv(prior["scale"])
        + deviation.T @ deviation
        + kappa * len(data) / (kappa + len(data)) * between
    )
    np.testing.assert_allclose(
        found.mean, (kappa * prior["mean"] + data.sum(0)) / (kappa + len(data)), rtol=1e-12
    )
    assert found.precision_scale == pytest.approx(kappa + len(data))
    assert found.degrees_of_freedom == pytest.approx(prior["degrees_of_freedom"] + len(data))
    np.testing.assert_allclose(found.scale, np.linalg.inv(inverse_scale), rtol=1e-11)
    # and it is Bayes' rule: posterior over prior over likelihood is the same everywhere
    x = family.sample(natural, rng=2, size=20)
    mean, precision = parts(n, x)
    theta = normal.from_parameters(mean=mean, covariance=np.linalg.inv(precision))
    likelihood = normal.log_density(theta[:, None], data).sum(1)
    evidence = likelihood + family.log_density(natural, x) - family.log_density(posterior, x)
    np.testing.assert_allclose(evidence, evidence[0], rtol=1e-9)
    marginal = family.log_partition(posterior) - family.log_partition(natural)
    constant = 0.5 * n * len(data) * np.log(2 * np.pi)
    assert evidence[0] == pytest.approx(marginal - constant, rel=1e-9)


@pytest.mark.parametrize("n", [1, 2, 4])
def test_density_is_scipy_s(n):
    family, p = NormalWishart(n), parameters(n)
    natural = family.from_parameters(**p)
    x = family.sample(natural, rng=0, size=20)
    expected = []
    for mean, precision in zip(*parts(n, x), strict=True):
        given = stats.multivariate_normal(
            p["mean"], np.linalg.inv(p["precision_scale"] * precision), allow_singular=True
        )
        law = stats.wishart(p["degrees_of_freedom"], p["scale"])
        expected.append(given.logpdf(mean) + law.logpdf(precision))
    np.testing.assert_allclose(family.log_density(natural, x), expected, rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("n", [1, 3])
@pytest.mark.parametrize("kappa", [1e-6, 1.0, 1e6])
@pytest.mark.parametrize("excess", [1e-4, 2.0, 1e8])
def test_against_high_precision(n, kappa, excess):
    family = NormalWishart(n)
    natural = point(n, kappa=kappa, freedom=n - 1 + excess)
    psi, mean = family.log_partition(natural), family.to_mean(natural)
    formula = formulas.normal_wishart(n)
    exact = float(formulas.evaluate(formula, natural))
    assert abs(psi - exact) <= 1e-13 * max(abs(exact), np.abs(natural) @ np.abs(mean))
    gradient = np.array([float(g) for g in formulas.gradient(formula, natural)])
    assert (np.abs(mean - gradient) <= 1e-12 * mean_condition(family, natural)).all()
    back = family.to_natural(mean)
    assert (np.abs(back - natural) <= 1e-12 * natural_condition(family, natural)).all()


def test_entropy_is_that_of_both_steps():
    p = parameters(3)
    family, wishart = NormalWishart(3), Wishart(3)
    of_matrix = wishart.from_parameters(
        scale=p["scale"], degrees_of_freedom=p["degrees_of_freedom"]
    )
    log_det = wishart.to_mean(of_matrix)[-1]
    given = 0.5 * 3 * np.log(2 * np.pi * np.e / p["precision_scale"]) - 0.5 * log_det
    entropy = family.entropy(family.from_parameters(**p))
    assert entropy == pytest.approx(given + wishart.entropy(of_matrix), rel=1e-13)


@pytest.mark.parametrize("n", [1, 3])
@pytest.mark.parametrize(("kappa", "excess"), [(1e-9, 0.5), (2.0, 4.0), (1e9, 1e9)])
def test_draws(n, kappa, excess):
    family = NormalWishart(n)
    p = parameters(n, kappa=kappa, freedom=n - 1 + excess)
    x = family.sample(family.from_parameters(**p), rng=3, size=DRAWS)
    mean, precision = parts(n, x)
    deviation = mean - p["mean"]
    squares = kappa * np.einsum("ni,nij,nj->n", deviation, precision, deviation)
    assert stats.kstest(squares, stats.chi2(n).cdf).pvalue >= SMALLEST_P
    # alone, m is Student's t
    v = np.linalg.inv(p["scale"])[0, 0] / (kappa * excess)
    student = stats.t(excess, p["mean"][0], np.sqrt(v))
    assert stats.kstest(mean[:, 0], student.cdf).pvalue >= SMALLEST_P


@pytest.mark.parametrize("n", [1, 2])
def test_maximum_likelihood_is_that_of_an_optimiser(n):
    family = NormalWishart(n)
    x = family.sample(point(n, freedom=n + 4.0), rng=4, size=1000)
    mean, precision = parts(n, x)
    expected, log_det = precision.mean(0), np.linalg.slogdet(precision)[1].mean()
    centre = np.linalg.solve(expected, np.einsum("nij,nj->i", precision, mean) / len(x))
    square = np.einsum("ni,nij,nj->n", mean - centre, precision, mean - centre).mean()

    def cost(excess):
        nu = n - 1 + np.exp(excess)
        bulk = n * np.log(2 / nu) + np.linalg.slogdet(expected)[1]
        return 0.5 * nu * (n + bulk - log_det) + multigammaln(0.5 * nu, n)

    best = optimize.minimize_scalar(cost, (-2.0, 8.0), options={"xtol": 1e-10})
    found = family.to_parameters(family.maximum_likelihood(x))
    np.testing.assert_allclose(found.mean, centre, rtol=1e-9, atol=1e-12)
    assert found.precision_scale == pytest.approx(n / square, rel=1e-9)
    assert found.degrees_of_freedom == pytest.approx(n - 1 + np.exp(best.x), rel=1e-6)
    np.testing.assert_allclose(found.scale, expected / found.degrees_of_freedom, rtol=1e-9)


@pytest.mark.parametrize("n", [1, 3])
@pytest.mark.parametrize("repeats", [1, 6])
def test_identical_rows_are_bounded_and_warned_of(n, repeats):
    family = NormalWishart(n)
    x = np.repeat(family.sample(point(n), rng=5, size=1), repeats, 0)
    with pytest.warns(BoundaryWarning, match="boundary"):
        estimate = family.maximum_likelihood(x)
    found = family.to_parameters(estimate)
    mean, precision = parts(n, x[:1])
    np.testing.assert_allclose(found.mean, mean[0], rtol=1e-6)
    product = found.scale * found.degrees_of_freedom
    np.testing.assert_allclose(product, precision[0], rtol=1e-2, atol=1e-3)
    assert found.precision_scale > 1e10
    assert np.isfinite(family.log_density(estimate, x)).all()


def test_a_mixture_is_learned():
    model = Mixture(NormalWishart(2), 2)
    natural = model.from_parameters(
        weights=[0.5, 0.5],
        mean=[[0.0, 0.0], [4.0, -4.0]],
        precision_scale=[5.0, 2.0],
        scale=[np.eye(2) / 8, np.eye(2) / 4],
        degrees_of_freedom=[8.0, 12.0],
    )
    x = model.sample(natural, rng=6, size=4000)[:, :5]
    found = model.to_parameters(fit(model, x, seed=0).natural)
    order = np.argsort(found.components.mean[:, 0])
    np.testing.assert_allclose(found.components.mean[order], [[0, 0], [4, -4]], atol=0.1)
    np.testing.assert_allclose(found.components.precision_scale[order], [5, 2], rtol=0.15)
    np.testing.assert_allclose(found.components.degrees_of_freedom[order], [8, 12], rtol=0.15)


def test_parameters_there_and_back():
    n, family = 3, NormalWishart(3)
    batch = [parameters(n, seed) for seed in (0, 1)]
    stacked = {name: np.stack([p[name] for p in batch]) for name in batch[0]}
    natural = family.from_parameters(**stacked)
    assert natural.shape == (2, 11)
    back = family.to_parameters(natural)._asdict()
    for name, value in stacked.items():
        np.testing.assert_allclose(back[name], value, rtol=1e-11, atol=1e-12)


def test_what_is_refused():
    family, p = NormalWishart(2), parameters(2)
    for changes, message in [
        ({"precision_scale": 0.0}, "precision_scale: must be above zero"),
        ({"precision_scale": np.inf}, "precision_scale: must be above zero and finite"),
        ({"mean": [1.0]}, r"mean: shape \(1,\)"),
        ({"mean": [1.0, np.nan]}, "mean: not finite"),
        ({"scale": [[1, 2], [2, 1]]}, "scale must be positive definite"),
        ({"degrees_of_freedom": 0.9}, "must be above n - 1"),
    ]:
        with pytest.raises(ValueError, match=message):
            family.from_parameters(**{**p, **changes})
    natural = point(2)
    x = family.sample(natural, rng=0, size=2)
    x[1, 2] = -1
    with pytest.raises(ValueError, match=r"x: columns 2 and up: .*row 1"):
        family.log_density(natural, x)
    x[1, 2] = np.nan
    with pytest.raises(ValueError, match="missing"):
        family.complete(natural, x)
    x = family.sample(natural, rng=0, size=2)
    x[1, 0] = 1e200
    with pytest.raises(ValueError, match=r"x: m \. Lambda m must be below 1e300, but row 1"):
        family.log_density(natural, x)
    mean = family.to_mean(natural)
    mean[-2] = 0.0
    with pytest.raises(BoundaryError, match=r"mean of m \. Lambda m"):
        family.to_natural(mean)
    for n in (0, 2.5, "3", True):
        with pytest.raises((ValueError, TypeError), match="n must"):
            NormalWishart(n)
