"""Inverse Gaussian: ratios of shape and mean from 1e-40 to 1e15 and beyond."""

import mpmath
import numpy as np
import pytest
from mpmath import mpf
from scipy import stats

from harmonium.errors import BoundaryError, BoundaryWarning
from harmonium.families import InverseGaussian
from laws.goodness_of_fit import SMALLEST_P
from laws.scales import natural_condition

EPS = float(np.finfo(float).eps)
DRAWS = 20_000
RATIOS = np.geomspace(1e-40, 1e30, 36)


@pytest.mark.parametrize("mean", [1e-90, 1e-3, 1.0, 1e80])
def test_mappings_against_high_precision(mean):
    family = InverseGaussian()
    natural = family.from_parameters(mean=mean, shape=(RATIOS * mean)[:, None])
    found = {
        f: getattr(family, f)(natural)
        for f in ("log_partition", "to_mean", "fisher_information", "entropy")
    }
    with mpmath.workdps(60):
        for i, point in enumerate(natural):
            first, second = (mpf(float(t)) for t in point)
            mu, shape = mpmath.sqrt(second / first), -2 * second
            exact = -2 * mpmath.sqrt(first * second) - mpmath.log(shape) / 2
            size = 2 * mpmath.sqrt(first * second) + abs(mpmath.log(shape))
            assert abs(mpf(float(found["log_partition"][i])) - exact) <= 8 * EPS * size
            for value, target in zip(found["to_mean"][i], (mu, 1 / mu + 1 / shape), strict=True):
                assert abs(mpf(float(value)) - target) <= 8 * EPS * target
            fisher = (mu**3 / shape, -mu / shape, -mu / shape, 1 / mu / shape + 2 / shape**2)
            for value, target in zip(found["fisher_information"][i].ravel(), fisher, strict=True):
                assert abs(mpf(float(value)) - target) <= 16 * EPS * abs(target)
            z = 2 * shape / mu
            tail = mpmath.exp(z) * mpmath.e1(z) if z < 1e6 else 1 / z
            log_x = mpmath.log(mu) - tail
            exact = (1 + mpmath.log(2 * mpmath.pi) - mpmath.log(shape) + 3 * log_x) / 2
            size = 2 + abs(mpmath.log(shape)) + 3 * abs(mpmath.log(mu)) + tail
            assert abs(mpf(float(found["entropy"][i])) - exact) <= 1e-12 * size


def test_there_and_back():
    family = InverseGaussian()
    ratios = RATIOS[RATIOS < 1e12]
    natural = family.from_parameters(mean=3.0, shape=3.0 * ratios[:, None])
    back = family.to_natural(family.to_mean(natural))
    for point, found in zip(natural, back, strict=True):
        assert (np.abs(found - point) <= 32 * EPS * natural_condition(family, point)).all()


@pytest.mark.parametrize("ratio", [1e-6, 0.02, 1.0, 30.0, 1e6])
def test_draws(ratio):
    mean = 7.0
    natural = InverseGaussian().from_parameters(mean=mean, shape=mean * ratio)
    draws = InverseGaussian().sample(natural, rng=1, size=DRAWS)[:, 0]
    assert (draws > 0).all()
    if ratio == 1e6:  # nearly normal: scipy's cdf loses its digits
        z = (draws / mean - 1) * 1e3
        assert abs(z.mean()) <= 6.2 / np.sqrt(DRAWS)
        assert abs(z.var() - 1) <= 6.2 * np.sqrt(2 / DRAWS)
        return
    cdf = stats.invgauss(1 / ratio, scale=mean * ratio).cdf(draws)
    assert stats.kstest(cdf, "uniform").pvalue >= SMALLEST_P


@pytest.mark.parametrize("ratio", [1e-40, 1e-20])
def test_draws_of_tiny_ratios_are_reciprocals_of_squares(ratio):
    # shape / x follows a chi-squared law of one degree, but for the rarest draws
    natural = InverseGaussian().from_parameters(mean=1.0, shape=ratio)
    draws = InverseGaussian().sample(natural, rng=1, size=DRAWS)[:, 0]
    assert stats.kstest(ratio / draws, stats.chi2(1).cdf).pvalue >= SMALLEST_P


def test_maximum_likelihood_is_the_closed_form():
    x = np.random.default_rng(0).wald(2.0, 5.0, (300, 1))
    found = InverseGaussian().to_parameters(InverseGaussian().maximum_likelihood(x))
    assert found.mean[0] == pytest.approx(x.mean(), rel=1e-14)
    assert found.shape[0] == pytest.approx(1 / (1 / x - 1 / x.mean()).mean(), rel=1e-12)
    mu, _, scale = stats.invgauss.fit(x, floc=0)
    assert found.shape[0] == pytest.approx(scale, rel=1e-6)
    assert found.mean[0] == pytest.approx(mu * scale, rel=1e-6)


def test_relative_entropy_of_neighbours():
    family = InverseGaussian()
    for ratio in (1e-6, 1.0, 1e9):
        p = family.from_parameters(mean=2.0, shape=2.0 * ratio)
        q = family.from_parameters(mean=2.0, shape=2.0 * ratio * (1 + 1e-7))
        assert float(family.relative_entropy(p, q)) == pytest.approx(0.25e-14, rel=1e-5)


@pytest.mark.parametrize("value", [1e-90, 0.1, 3.0, 1e90])
def test_a_constant_column_is_bounded_and_warned_of(value):
    family = InverseGaussian()
    with pytest.warns(BoundaryWarning, match="InverseGaussian"):
        estimate = family.maximum_likelihood(np.full((3, 1), value))
    mean, shape = family.to_parameters(estimate)
    assert mean[0] == pytest.approx(value, rel=1e-12)
    assert shape[0] == pytest.approx(1e12 * value, rel=1e-2)


@pytest.mark.parametrize(
    ("mean", "rule"),
    [([1.0, 1.0], "above one over"), ([2.0, 0.4], "above one over"), ([-1.0, 1.0], "above zero"),
     ([1.0, 1e41], "at most 1e40"), ([1e101, 1.0], "rescale")],
)  # fmt: skip
def test_means_outside(mean, rule):
    with pytest.raises(BoundaryError, match=rule):
        InverseGaussian().to_natural(mean)


def test_what_is_refused():
    with pytest.raises(ValueError, match=r"mean\[0\]: must be above zero"):
        InverseGaussian().from_parameters(mean=0.0, shape=1.0)
    with pytest.raises(ValueError, match="shape / mean must lie"):
        InverseGaussian().from_parameters(mean=1.0, shape=1e-50)
    with pytest.raises(ValueError, match="positive"):
        InverseGaussian().maximum_likelihood([[0.0]])
