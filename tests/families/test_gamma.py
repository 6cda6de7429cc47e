"""Gamma: shapes from 1e-8 to 1e12."""

import mpmath
import numpy as np
import pytest
from mpmath import mpf
from scipy import special, stats

from harmonium.errors import BoundaryError, BoundaryWarning
from harmonium.families import Gamma
from laws.goodness_of_fit import SMALLEST_P

EPS = float(np.finfo(float).eps)
SHAPES = np.concatenate(
    [np.geomspace(1e-8, 1e12, 61), [1.0, 1.4616321449683622, 2.0, 11.999, 12.001]]
)
DRAWS = 20_000


@pytest.mark.parametrize("rate", [1e-8, 1.0, 1e12])
def test_mappings_against_high_precision(rate):
    family = Gamma()
    natural = np.column_stack([SHAPES, np.full_like(SHAPES, -rate)])
    psi, mean, fisher = (
        getattr(family, f)(natural) for f in ("log_partition", "to_mean", "fisher_information")
    )
    entropy = family.entropy(natural)
    with mpmath.workdps(50):
        b = mpf(rate)
        for i, shape in enumerate(SHAPES):
            a = mpf(float(shape))
            digamma, trigamma = mpmath.digamma(a), mpmath.psi(1, a)
            exact = mpmath.loggamma(a) - a * mpmath.log(b)
            largest = abs(mpmath.loggamma(a)) + abs(a * mpmath.log(b))
            assert abs(mpf(float(psi[i])) - exact) <= 8 * EPS * max(
                largest, a * abs(digamma - mpmath.log(b)) + a
            )
            log_mean = digamma - mpmath.log(b)
            condition = a * trigamma + 1 + abs(log_mean)
            assert abs(mpf(float(mean[i, 0])) - log_mean) <= 8 * EPS * condition
            assert abs(mpf(float(mean[i, 1])) - a / b) <= 2 * EPS * a / b
            for found, value in zip(
                fisher[i].ravel(), (trigamma, 1 / b, 1 / b, a / b**2), strict=True
            ):
                assert abs(mpf(float(found)) - value) <= 8 * EPS * value
            exact = a - mpmath.log(b) + mpmath.loggamma(a) + (1 - a) * digamma
            size = 1 + abs(mpmath.log(b)) + abs(mpmath.log(a)) + 1 / a
            assert abs(mpf(float(entropy[i])) - exact) <= 8 * EPS * size


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_there_and_back(scale):
    family = Gamma()
    natural = family.from_parameters(shape=SHAPES[:, None], rate=scale)
    back = family.to_parameters(family.to_natural(family.to_mean(natural)))
    # what the rounding of both means does to log E[x] - E[log x], about one over twice the shape
    condition = 1 + SHAPES * (1 + np.abs(family.to_mean(natural)[:, 0]))
    assert (np.abs(back.shape[:, 0] / SHAPES - 1) <= 8 * EPS * condition).all()
    assert (np.abs(back.rate[:, 0] / scale - 1) <= 8 * EPS * condition).all()


@pytest.mark.parametrize("shape", [0.01, 0.3, 1.0, 7.0, 1e6, 1e12])
def test_draws(shape):
    draws = Gamma().sample([shape, -2.0], rng=1, size=DRAWS)[:, 0]
    cdf = stats.gamma(shape, scale=0.5).cdf(draws)
    assert stats.kstest(cdf, "uniform").pvalue >= SMALLEST_P


@pytest.mark.parametrize("shape", [1e-8, 1e-4, 1e-2, 0.5, 5.0, 1e8])
def test_logs_of_draws(shape):
    logs = Gamma().sample_log([shape, -3.0], rng=1, size=DRAWS)
    assert logs.shape == (DRAWS, 1)
    # of small x, the probability below is x**shape / Gamma(shape + 1)
    t = logs[:, 0] + np.log(3.0)
    series = np.exp(np.minimum(shape * t, 0.0) - special.gammaln(shape + 1))
    cdf = np.where(t < -30, series, special.gammainc(shape, np.exp(np.maximum(t, -700))))
    assert stats.kstest(cdf, "uniform").pvalue >= SMALLEST_P


def test_draws_that_underflow_stay_above_zero():
    draws = Gamma().sample([1e-6, -1.0], rng=1, size=1000)
    assert (draws > 0).all()
    Gamma().check_data(draws)


@pytest.mark.parametrize(("shape", "scale"), [(0.4, 3.0), (5.0, 0.01), (200.0, 1e4)])
def test_maximum_likelihood_is_that_of_scipy(shape, scale):
    x = np.random.default_rng(0).gamma(shape, scale, (400, 1))
    found = Gamma().to_parameters(Gamma().maximum_likelihood(x))
    a, _, s = stats.gamma.fit(x, floc=0)
    assert found.shape[0] == pytest.approx(a, rel=1e-6)
    assert found.rate[0] == pytest.approx(1 / s, rel=1e-6)
    own = stats.gamma(found.shape[0], scale=1 / found.rate[0]).logpdf(x).sum()
    assert own >= stats.gamma(a, scale=s).logpdf(x).sum() - 1e-9


@pytest.mark.parametrize("value", [1e-90, 1e-3, 1.0, 12345.678, 1e90])
def test_a_constant_column_is_bounded_and_warned_of(value):
    family = Gamma()
    with pytest.warns(BoundaryWarning, match="Gamma"):
        estimate = family.maximum_likelihood(np.full((4, 1), value))
    shape, rate = family.to_parameters(estimate)
    assert shape[0] == pytest.approx(1e12, rel=0.2)
    assert shape[0] / rate[0] == pytest.approx(value, rel=1e-12)
    assert np.isfinite(family.log_density(estimate, [[value]])).all()


def test_location_is_the_rate():
    np.testing.assert_array_equal(Gamma(2).location, [2, 3])
    np.testing.assert_array_equal(Gamma(2).shape, [0, 1])


@pytest.mark.parametrize(
    ("mean", "rule"),
    [([0.0, 1.0], "below the logarithms"), ([1.0, 1.0], "below the logarithms"),
     ([0.0, -1.0], "above zero"), ([0.0, 1e101], "rescale"), ([-1e101, 1.0], "-1e100")],
)  # fmt: skip
def test_means_outside(mean, rule):
    with pytest.raises(BoundaryError, match=rule):
        Gamma().to_natural(mean)


def test_what_is_refused():
    with pytest.raises(ValueError, match=r"shape\[0\]: must be above zero"):
        Gamma().from_parameters(shape=-1.0, rate=1.0)
    with pytest.raises(ValueError, match="rate"):
        Gamma().from_parameters(shape=1.0, rate=0.0)
    with pytest.raises(ValueError, match=r"row 1, column 0 is 0\.0"):
        Gamma().maximum_likelihood([[1.0], [0.0]])
