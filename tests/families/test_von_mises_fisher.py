"""Von Mises-Fisher: 2 to 1,000 dimensions, no concentration at all to 1e12."""

import numpy as np
import pytest
from scipy import integrate, stats

from harmonium import Mixture, VonMises, VonMisesFisher
from harmonium.errors import BoundaryError, BoundaryWarning
from harmonium.learning import fit

EPS = float(np.finfo(float).eps)
DIMENSIONS = [2, 3, 4, 10, 100, 1000]
#: Draws of a sampler's test, and the smallest p value that passes: 20 tests together fail a right
#: sampler at a rate of 2e-6. A law whose distribution function is off by 0.04 fails but for 1e-6.
DRAWS, SMALLEST_P = 20_000, 1e-7


def direction(n, seed=0):
    x = np.random.default_rng(seed).normal(size=n)
    return x / np.linalg.norm(x)


@pytest.mark.parametrize("n", DIMENSIONS)
def test_there_and_back(n):
    family = VonMisesFisher(n)
    concentration = np.concatenate([[0.0], np.geomspace(1e-12, 1e12, 49)])
    natural = family.from_parameters(direction=direction(n), concentration=concentration)
    back = family.to_natural(family.to_mean(natural))
    error = np.linalg.norm(back - natural, axis=-1)
    # the length is stored to eps; one less it is what tells the concentration
    bound = np.maximum(1e-14, 16 * EPS * concentration / n)
    assert (error <= bound * concentration).all()
    family.log_partition(back)


def test_two_dimensions_are_the_circle():
    circle, sphere = VonMises(1), VonMisesFisher(2)
    rng = np.random.default_rng(0)
    natural = rng.normal(size=(50, 2)) * np.geomspace(1e-9, 1e11, 50)[:, None]
    angles = rng.uniform(0, 2 * np.pi, (50, 1))
    x = np.concatenate([np.cos(angles), np.sin(angles)], 1)
    for name in ("log_partition", "to_mean"):
        left, right = getattr(circle, name)(natural), getattr(sphere, name)(natural)
        np.testing.assert_allclose(left, right, rtol=1e-12, atol=1e-12)
    moderate = np.linalg.norm(natural, axis=1) < 1e4
    for name in ("entropy", "fisher_information"):
        left = getattr(circle, name)(natural[moderate])
        right = getattr(sphere, name)(natural[moderate])
        np.testing.assert_allclose(left, right, rtol=1e-9, atol=1e-12)
    left, right = circle.log_density(natural, angles), sphere.log_density(natural, x)
    np.testing.assert_allclose(left[moderate], right[moderate], rtol=1e-11)
    np.testing.assert_allclose(left, right, rtol=1e-13, atol=1e-3)
    np.testing.assert_allclose(
        circle.maximum_likelihood(angles[:9]), sphere.maximum_likelihood(x[:9]), rtol=1e-12
    )


@pytest.mark.parametrize("n", [3, 5, 40])
def test_density_is_scipy_s(n):
    family, mu = VonMisesFisher(n), direction(n)
    x = family.sample(np.zeros(n), rng=0, size=20)
    for k in (0.1, 3.0, 200.0):
        natural = family.from_parameters(direction=mu, concentration=k)
        law = stats.vonmises_fisher(mu, k)
        np.testing.assert_allclose(family.log_density(natural, x), law.logpdf(x), rtol=1e-11)
        assert family.entropy(natural) == pytest.approx(law.entropy(), rel=1e-10)


def test_entropy_where_nearly_all_cancels():
    # a normal law on the tangent space, of precision k, but for 1 / k
    for n in (2, 3, 50):
        entropy = VonMisesFisher(n).entropy(1e11 * direction(n))
        assert entropy == pytest.approx(0.5 * (n - 1) * (np.log(2 * np.pi * np.e) - np.log(1e11)))


@pytest.mark.parametrize("n", DIMENSIONS)
def test_fisher_information_along_and_across(n):
    for k in (1e-9, 3.0, 1e3, 1e6, 1e11):
        mu = direction(n, 1)
        family = VonMisesFisher(n)
        fisher = family.fisher_information(k * mu)
        np.testing.assert_array_equal(fisher, fisher.T)
        along = mu @ fisher @ mu
        across = (np.trace(fisher) - along) / (n - 1)
        length = np.linalg.norm(family.to_mean(k * mu))
        assert across == pytest.approx(length / k, rel=1e-12)
        if k >= 1e6:
            # along, rounding is that of the entries across
            assert along == pytest.approx(0.5 * (n - 1) / k**2, rel=1e-3, abs=8 * EPS * across)


@pytest.mark.parametrize("n", [2, 3, 10, 1000])
def test_uniform_draws(n):
    x = VonMisesFisher(n).sample(np.full(n, 1e-9 / np.sqrt(n)), rng=1, size=DRAWS)
    for u in (np.eye(n)[0], np.eye(n)[-1], direction(n)):
        half = stats.beta(0.5 * (n - 1), 0.5 * (n - 1))
        assert stats.kstest(0.5 * (1 + x @ u), half.cdf).pvalue >= SMALLEST_P


@pytest.mark.parametrize("n", [2, 3, 10, 1000])
@pytest.mark.parametrize("k", [1e9, 1e12])
def test_draws_of_large_concentration(n, k):
    # twice k times one less the cosine is chi-squared, but for 1 / k; it is the square of the way
    mu = direction(n, 2)
    x = VonMisesFisher(n).sample(k * mu, rng=2, size=DRAWS)
    square = ((x - mu) ** 2).sum(-1)
    # rounding moves the end points by eps, and the way by that many of its 1 / sqrt(k)
    assert stats.kstest(k * square, stats.chi2(n - 1).cdf).pvalue >= SMALLEST_P
    np.testing.assert_allclose(np.linalg.norm(x, axis=1), 1, atol=8 * EPS)


@pytest.mark.parametrize(("n", "k"), [(2, 1.5), (3, 4.0), (10, 0.5), (10, 30.0), (500, 700.0)])
def test_draws(n, k):
    mu = direction(n, 3)
    x = VonMisesFisher(n).sample(k * mu, rng=3, size=DRAWS)
    angle = np.linspace(0, np.pi, 20_001)
    logs = k * np.cos(angle) + (n - 2) * np.log(np.maximum(np.sin(angle), 1e-300))
    below = integrate.cumulative_trapezoid(np.exp(logs - logs.max()), angle, initial=0)
    found = np.arccos(np.clip(x @ mu, -1, 1))
    uniform = np.interp(found, angle, below / below[-1])
    assert stats.kstest(uniform, "uniform").pvalue >= SMALLEST_P
    # about the mean direction all directions are alike
    across = x - (x @ mu)[:, None] * mu
    across /= np.linalg.norm(across, axis=1, keepdims=True)
    v = direction(n, 4)
    v = v - (v @ mu) * mu
    v /= np.linalg.norm(v)
    if n == 2:
        heads = int((across @ v > 0).sum())
        assert stats.binomtest(heads, DRAWS).pvalue >= SMALLEST_P
    else:
        half = stats.beta(0.5 * (n - 2), 0.5 * (n - 2))
        assert stats.kstest(0.5 * (1 + across @ v), half.cdf).pvalue >= SMALLEST_P


@pytest.mark.parametrize("n", [2, 3, 12])
@pytest.mark.parametrize("k", [0.3, 8.0, 500.0])
def test_maximum_likelihood_is_scipy_s(n, k):
    family = VonMisesFisher(n)
    x = family.sample(k * direction(n), rng=5, size=500)
    mu, kappa = stats.vonmises_fisher.fit(x)
    found = family.to_parameters(family.maximum_likelihood(x))
    np.testing.assert_allclose(found.direction, mu, atol=1e-9)
    assert found.concentration == pytest.approx(kappa, rel=1e-6)


@pytest.mark.parametrize("n", DIMENSIONS)
def test_identical_directions_are_bounded_and_warned_of(n):
    family, mu = VonMisesFisher(n), direction(n, 6)
    x = np.repeat(mu[None], 3, 0)
    with pytest.warns(BoundaryWarning, match="boundary"):
        estimate = family.maximum_likelihood(x)
    found = family.to_parameters(estimate)
    assert found.concentration == pytest.approx(1e12, rel=1e-2)
    assert found.concentration <= 1e12 * (1 + 1e-12)
    np.testing.assert_allclose(found.direction, mu, atol=1e-15)
    assert np.isfinite(family.log_density(estimate, x)).all()


def test_a_mixture_is_learned():
    centres = np.array([direction(5, 7), direction(5, 8)])
    model = Mixture(VonMisesFisher(5), 2)
    natural = model.from_parameters(
        weights=[0.7, 0.3], direction=centres, concentration=[10.0, 40.0]
    )
    x = model.sample(natural, rng=9, size=4000)[:, :5]
    found = model.to_parameters(fit(model, x, seed=0).natural)
    order = np.argsort(-found.weights)
    np.testing.assert_allclose(found.weights[order], [0.7, 0.3], atol=0.03)
    np.testing.assert_allclose(found.components.direction[order], centres, atol=0.03)
    np.testing.assert_allclose(found.components.concentration[order], [10, 40], rtol=0.1)


def test_parameters():
    family = VonMisesFisher(3)
    towards = np.array([[0.0, 0.6, 0.8], [1.0, 0.0, 0.0]])
    natural = family.from_parameters(direction=towards, concentration=[2.0, 0.0])
    np.testing.assert_allclose(natural, [[0, 1.2, 1.6], [0, 0, 0]])
    back = family.to_parameters(natural)
    np.testing.assert_allclose(back.direction, towards, rtol=1e-15)
    np.testing.assert_allclose(back.concentration, [2, 0], rtol=1e-15)
    np.testing.assert_allclose(family.fisher_information(natural[1]), np.eye(3) / 3)


def test_lengths_of_one_up_to_rounding():
    family, x = VonMisesFisher(3), np.array([[0.0, 0.6, 0.8]])
    natural = 1e12 * x[0]
    exact = family.log_density(natural, x)
    np.testing.assert_allclose(family.log_density(natural, x * (1 + 1e-7)), exact, atol=1e-2)


def test_what_is_refused():
    family = VonMisesFisher(3)
    with pytest.raises(
        ValueError, match="concentration: must be zero or above, and finite; got -1"
    ):
        family.from_parameters(direction=[1, 0, 0], concentration=-1)
    with pytest.raises(ValueError, match="concentration: concentrations must not pass 1e12"):
        family.from_parameters(direction=[1, 0, 0], concentration=1e13)
    with pytest.raises(ValueError, match="direction: every row must have length 1"):
        family.from_parameters(direction=[1, 1, 0], concentration=1)
    with pytest.raises(ValueError, match=r"direction: shape \(2,\)"):
        family.from_parameters(direction=[1, 0], concentration=1)
    with pytest.raises(ValueError, match="direction: not finite"):
        family.from_parameters(direction=[1, 0, np.nan], concentration=1)
    with pytest.raises(ValueError, match=r"x: every row must have length 1.*row 1"):
        family.log_density([0, 0, 1], [[1, 0, 0], [1, 1, 0]])
    with pytest.raises(ValueError, match="missing"):
        family.complete([0, 0, 1], [[1, np.nan, 0]])
    with pytest.raises(BoundaryError, match="must be shorter than one"):
        family.to_natural([0.6, 0.8, 0.0])
    for n in (1, 0, 2.5, "3", True):
        with pytest.raises((ValueError, TypeError), match="n must"):
            VonMisesFisher(n)
