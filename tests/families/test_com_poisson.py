"""Conway-Maxwell-Poisson: modes from 1e-6 to 1e15, shapes from none to 1e5."""

import mpmath
import numpy as np
import pytest
from mpmath import mpf
from scipy import optimize, special

from harmonium.errors import BoundaryError, BoundaryWarning
from harmonium.families import CoMPoisson, Geometric, Poisson
from laws.goodness_of_fit import SMALLEST_P, chi_squared_p
from laws.scales import mean_condition, natural_condition

EPS = float(np.finfo(float).eps)
DRAWS = 20_000


def exact(rate, power, digits=40):
    """Psi and the means by the sum from the mode outward, psi from what its largest term leaves."""
    with mpmath.workdps(digits):
        r, p = mpf(float(rate)), mpf(float(power))
        mode = int(mpmath.floor(mpmath.exp(r / -p))) if power and rate > 0 else 0
        top = mpmath.loggamma(mode + 1)
        rest, first, second = mpf(0), mpf(mode), top
        for step in (1, -1):
            j, log_factorial = mode, top
            while True:
                log_factorial += mpmath.log(j + 1) if step > 0 else -mpmath.log(max(j, 1))
                j += step
                if j < 0:
                    break
                term = mpmath.exp((j - mode) * r + p * (log_factorial - top))
                rest += term
                first += term * j
                second += term * log_factorial
                if term < mpf(10) ** (-digits + 8) * rest:
                    break
        return mode * r + p * top + mpmath.log1p(rest), first / (1 + rest), second / (1 + rest)


GRID = [
    (mode, shape)
    for mode in (1e-6, 1e-3, 0.4, 0.99, 1.0, 1.5, 3.7, 7.9, 8.1, 20.0, 90.0, 700.0, 5e3)
    for shape in (0.02, 0.08, 0.3, 1.0, 2.5, 10.0, 50.0, 4e3)
    if shape * mode > 0 and np.sqrt(max(mode, 1) / shape) * 10 + 40 / shape < 6000
]


@pytest.mark.parametrize(("mode", "shape"), GRID)
def test_mappings_against_the_sum(mode, shape):
    family = CoMPoisson()
    natural = np.array([shape * np.log(mode), -shape])
    psi, first, second = exact(*natural)
    found = family.log_partition(natural)
    sensitivity = abs(natural[0]) * first + shape * second
    # relative to psi itself unless its arguments' rounding is more
    assert abs(mpf(float(found)) - psi) <= 1e-14 * abs(psi) + 4 * EPS * sensitivity + 1e-307
    mean, bound = family.to_mean(natural), mean_condition(family, natural)
    for value, target, condition in zip(mean, (first, second), bound, strict=True):
        # subnormal numbers have few digits
        assert abs(mpf(float(value)) - target) <= 1e-14 * condition + 1e-307


@pytest.mark.parametrize(("mode", "shape"), [(1e5, 1e-3), (1e5, 50.0), (2e4, 4e-3), (1.0, 1e-3)])
def test_long_sums_against_all_terms(mode, shape):
    x = np.arange(600_000.0)
    natural = np.array([shape * np.log(mode), -shape])
    log_mass = natural[0] * x + natural[1] * special.gammaln(x + 1)
    psi = special.logsumexp(log_mass)
    mass = np.exp(log_mass - psi)
    family = CoMPoisson()
    assert float(family.log_partition(natural)) == pytest.approx(psi, rel=1e-12)
    expected = [mass @ x, mass @ special.gammaln(x + 1)]
    np.testing.assert_allclose(family.to_mean(natural), expected, rtol=1e-8)
    variance = mass @ (x - expected[0]) ** 2
    assert family.fisher_information(natural)[0, 0] == pytest.approx(variance, rel=1e-7)


def between_rules():
    """Where one rule of summing gives way to another: points on both sides, next to each other."""
    for mode in (70.0, 500.0, 1e4, 1e5):
        yield mode, 64 / mode  # the trapezoid rule, and blocks of doubling length
    for mode in (7.9999, 8.0):
        yield mode, 0.7  # the plain and the curved form
    for mode in (90.0, 575.0, 577.0, 1e5):
        yield mode, mode / 9.0  # counts one by one, and the trapezoid rule
    for shape in (0.2, 0.3, 0.4):
        yield 2.0, shape  # a window of counts, and blocks


@pytest.mark.parametrize(("mode", "shape"), list(between_rules()))
def test_no_step_between_rules(mode, shape):
    family = CoMPoisson()
    shapes = shape * (1 + 1e-3 * np.linspace(-1, 1, 41))
    natural = np.column_stack([shapes * np.log(mode), -shapes])
    psi, mean, entropy = (
        getattr(family, f)(natural) for f in ("log_partition", "to_mean", "entropy")
    )
    # differences of the smooth parts vanish: what is left is rounding
    for values, scale in ((psi, 1 + np.abs(psi) + shapes * mean[:, 1]), (entropy, 1 + entropy)):
        assert (np.abs(np.diff(values, 5)) <= 2e-14 * np.max(scale)).all()
    for i in range(2):
        assert (np.abs(np.diff(mean[:, i], 5)) <= 2e-12 * mean[:, i].max()).all()


@pytest.mark.parametrize("rate", [1e-300, 1e-8, 0.5, 1.0, 7.0, 8.0, 50.0, 1e3, 1e8, 1e14])
def test_shape_one_is_poisson(rate):
    natural = np.array([np.log(rate), -1.0])
    family = CoMPoisson()
    near = 8 * EPS * max(1.0, abs(natural[0]))
    assert float(family.log_partition(natural)) == pytest.approx(rate, rel=near)
    assert float(family.to_mean(natural)[0]) == pytest.approx(rate, rel=near)
    assert family.fisher_information(natural)[0, 0] == pytest.approx(rate, rel=1e-12)
    # E[log x!] is less than 1e-300 where the rate is
    entropy = float(Poisson().entropy(natural[:1]))
    assert float(family.entropy(natural)) == pytest.approx(entropy, rel=1e-12)


@pytest.mark.parametrize("rate", [1e-300, 1e-3, 0.5, 0.97, 1 - 1e-6, 1 - 1e-13])
def test_shape_zero_is_geometric(rate):
    family = CoMPoisson()
    natural = family.from_parameters(rate=rate, shape=0.0)
    plain = natural[:1]
    assert float(family.log_partition(natural)) == pytest.approx(
        float(Geometric().log_partition(plain)), rel=1e-13
    )
    mean = float(Geometric().to_mean(plain)[0])
    assert float(family.to_mean(natural)[0]) == pytest.approx(mean, rel=1e-13)
    fisher = Geometric().fisher_information(plain)[0, 0]
    assert family.fisher_information(natural)[0, 0] == pytest.approx(fisher, rel=1e-12)
    entropy = float(Geometric().entropy(plain))
    assert float(family.entropy(natural)) == pytest.approx(entropy, rel=1e-12)
    # and is approached without a step
    near = family.log_partition([natural[0], -1e-16 * (1 - rate)])
    assert float(near) == pytest.approx(float(family.log_partition(natural)), rel=1e-12)
    assert family.to_parameters(natural, rates=True).rate[0] == pytest.approx(rate, rel=1e-13)


@pytest.mark.parametrize("rate", [0.3, 1.0, 20.0])
def test_large_shapes_are_bernoulli(rate):
    family = CoMPoisson()
    natural = family.from_parameters(rate=rate, shape=500.0)
    assert float(family.log_partition(natural)) == pytest.approx(np.log1p(rate), rel=1e-14)
    assert float(family.to_mean(natural)[0]) == pytest.approx(rate / (1 + rate), rel=1e-14)


def spread_points():
    """Modes and shapes all over the domain."""
    rng = np.random.default_rng(0)
    log_mode = np.concatenate(
        [rng.uniform(np.log(1e-6), np.log(1e5), 400), rng.uniform(0, 34, 100)]
    )
    log_shape = np.concatenate(
        [rng.uniform(np.log(1e-3), np.log(50), 400), rng.uniform(np.log(1e-6), np.log(1e5), 100)]
    )
    shape = np.exp(log_shape)
    return np.column_stack([shape * log_mode, -shape])


def test_there_and_back():
    family = CoMPoisson()
    natural = spread_points()
    told = 0
    for point, mean in zip(natural, family.to_mean(natural), strict=True):
        condition = natural_condition(family, point)
        if EPS * condition[1] > 1e-3 * abs(point[1]):
            continue  # both means together do not tell the shape
        told += 1
        back = family.to_natural(mean)
        assert (np.abs(back - point) <= 1e-12 * condition).all()
    assert told > 400


@pytest.mark.parametrize(
    ("mode", "shape"),
    [(0.3, 0.5), (1.0, 1e-3), (5.0, 0.5), (9.5, 1.0), (1e3, 0.01), (20.0, 50.0), (1e5, 50.0),
     (1e5, 1e-3), (1e9, 2.0), (1e9, 0.01), (40.5, 1e5), (3.0, 400.0)],
)  # fmt: skip
def test_draws(mode, shape):
    natural = CoMPoisson().from_parameters(mode=mode, shape=shape)
    draws = CoMPoisson().sample(natural, rng=1, size=DRAWS)[:, 0]
    reach = 2 * int(np.ptp(draws)) + 100
    low = max(0, int(draws.min()) - reach)
    x = np.arange(float(low), draws.max() + reach)
    log_mass = shape * (x * np.log(mode) - special.gammaln(x + 1))
    assert chi_squared_p(draws, low, np.exp(log_mass - log_mass.max())) >= SMALLEST_P


@pytest.mark.parametrize("rate", [0.2, 0.999, 1 - 1e-6])
def test_draws_without_shape(rate):
    natural = CoMPoisson().from_parameters(rate=rate, shape=0.0)
    draws = CoMPoisson().sample(natural, rng=2, size=DRAWS)[:, 0]
    masses = np.exp(np.arange(2 * draws.max() + 10) * natural[0])
    assert chi_squared_p(draws, 0, masses) >= SMALLEST_P


def test_draws_of_many_points_at_once():
    natural = spread_points()[:50]
    draws = CoMPoisson().sample(natural, rng=3, size=DRAWS)[..., 0]
    mean = CoMPoisson().to_mean(natural)[:, 0]
    deviation = np.sqrt(CoMPoisson().fisher_information(natural)[:, 0, 0])
    # rates at which no event at all is expected have no normal mean
    rare = mean * DRAWS < 100
    assert (np.abs(draws.mean(0) - mean) <= 7 * deviation / np.sqrt(DRAWS))[~rare].all()
    assert (draws.sum(0)[rare] <= 250).all()


@pytest.mark.parametrize(("mode", "shape"), [(5.0, 0.5), (2.0, 3.0), (60.0, 20.0), (0.5, 0.8)])
def test_maximum_likelihood_against_an_optimiser(mode, shape):
    family = CoMPoisson()
    x = family.sample(family.from_parameters(mode=mode, shape=shape), rng=4, size=1000)
    average = family.sufficient_statistic(x).mean(0)
    every = np.arange(2000.0)

    def loss(point):
        log_mass = point[0] * every - np.exp(point[1]) * special.gammaln(every + 1)
        return special.logsumexp(log_mass) - point[0] * average[0] + np.exp(point[1]) * average[1]

    start = [shape * np.log(mode), np.log(shape)]
    options = {"xatol": 1e-9, "fatol": 1e-15, "maxiter": 4000}
    best = optimize.minimize(loss, start, method="Nelder-Mead", options=options)
    found = family.maximum_likelihood(x)
    # the optimiser sees a parabola's bottom to the root of its rounding only
    np.testing.assert_allclose(found, [best.x[0], -np.exp(best.x[1])], rtol=1e-6, atol=1e-6)
    assert loss([found[0], np.log(-found[1])]) <= best.fun + 1e-14 * np.abs(found) @ average


def test_counts_more_dispersed_than_geometric_ones_have_no_shape():
    family = CoMPoisson()
    x = np.array([0.0] * 50 + [1.0] * 5 + [40.0] * 5)[:, None]
    with pytest.warns(BoundaryWarning, match="CoMPoisson"):
        estimate = family.maximum_likelihood(x)
    assert estimate[1] == 0
    assert estimate[0] == pytest.approx(-np.log1p(1 / x.mean()), rel=1e-14)
    # the best there is, though not stationary
    best = family.log_density(estimate, x).mean()
    for shape in (1e-6, 1e-3, 0.1):
        for rate in estimate[0] + np.linspace(-0.2, 0.2, 41):
            if rate < 0:
                assert family.log_density([rate, -shape], x).mean() < best


@pytest.mark.parametrize("value", [1.0, 2.0, 7.0, 9.0, 100.0, 1e5, 1e9])
def test_a_constant_column_is_bounded_and_warned_of(value):
    family = CoMPoisson()
    with pytest.warns(BoundaryWarning, match="CoMPoisson"):
        estimate = family.maximum_likelihood(np.full((5, 1), value))
    mean = family.to_mean(estimate)
    assert mean[0] == pytest.approx(value, rel=1e-9)
    # nearly all mass is on the one count, or within a millionth of it
    assert float(family.fisher_information(estimate)[0, 0]) < max(0.1, 1e-12 * value**2)
    assert np.isfinite(family.log_density(estimate, [[value]])).all()


def test_columns_of_two_neighbours():
    family = CoMPoisson()
    x = np.array([3.0] * 7 + [4.0] * 3)[:, None]
    with pytest.warns(BoundaryWarning, match="CoMPoisson"):
        estimate = family.maximum_likelihood(x)
    mass = np.exp(family.log_density(estimate, np.arange(3.0, 5.0)[:, None]))
    np.testing.assert_allclose(mass, [0.7, 0.3], atol=1e-8)


def test_a_column_of_zeros():
    with pytest.warns(BoundaryWarning, match="CoMPoisson"):
        estimate = CoMPoisson(2).maximum_likelihood([[0, 1], [0, 4], [0, 1]])
    assert estimate[0] == pytest.approx(-690)
    assert np.isfinite(CoMPoisson(2).log_density(estimate, [[0, 1]])).all()


@pytest.mark.parametrize(("mode", "shape"), [(1e6, 0.5), (1e12, 3.0), (1e15 / 2, 0.2)])
def test_entropy_of_wide_laws_is_that_of_a_normal(mode, shape):
    found = CoMPoisson().entropy(CoMPoisson().from_parameters(mode=mode, shape=shape))
    normal = 0.5 * np.log(2 * np.pi * np.e * mode / shape)
    assert float(found) == pytest.approx(normal, abs=1e-5)


def test_people_s_parameters():
    family = CoMPoisson(2)
    natural = family.from_parameters(mode=[5.0, 0.2], shape=[0.5, 3.0])
    np.testing.assert_allclose(natural, [0.5 * np.log(5), 3 * np.log(0.2), -0.5, -3], rtol=1e-15)
    by_rate = family.from_parameters(rate=[5**0.5, 0.2**3], shape=[0.5, 3.0])
    np.testing.assert_allclose(by_rate, natural, rtol=1e-14)
    np.testing.assert_allclose(family.to_parameters(natural).mode, [5.0, 0.2], rtol=1e-14)
    np.testing.assert_allclose(family.to_parameters(natural, rates=True).rate, [5**0.5, 0.008])
    np.testing.assert_array_equal(family.location, [0, 1])
    np.testing.assert_array_equal(family.shape, [2, 3])


def test_what_is_refused():
    family = CoMPoisson()
    for given in ({"mode": 1.0, "rate": 1.0}, {}):
        with pytest.raises(TypeError, match="either mode or rate"):
            family.from_parameters(shape=1.0, **given)
    with pytest.raises(ValueError, match="rate below one"):
        family.from_parameters(mode=0.5, shape=0.0)
    with pytest.raises(ValueError, match="rate must be below one"):
        family.from_parameters(rate=1.0, shape=0.0)
    with pytest.raises(ValueError, match=r"shape\[0\]: must be zero or above"):
        family.from_parameters(rate=0.5, shape=-1.0)
    with pytest.raises(ValueError, match=r"mode\[0\]: must be above zero"):
        family.from_parameters(mode=0.0, shape=1.0)
    with pytest.raises(ValueError, match="modes must be at most 1e15"):
        family.from_parameters(mode=1e16, shape=1.0)
    with pytest.raises(ValueError, match="not above zero"):
        family.log_partition([0.0, 0.1])
    with pytest.raises(ValueError, match="row 1, column 0 is -1"):
        family.maximum_likelihood([[1], [-1]])


@pytest.mark.parametrize(
    ("mean", "rule"),
    [([0.0, 0.0], "above zero"), ([2.5, 1.0], "interpolated"), ([2.0, np.log(2.0)], "interpolated"),
     ([2.0, 5.0], "geometric"), ([0.5, 0.0], "interpolated"), ([1e16, 1e18], "at most 9e14")],
)  # fmt: skip
def test_means_outside(mean, rule):
    with pytest.raises(BoundaryError, match=rule):
        CoMPoisson().to_natural(mean)
