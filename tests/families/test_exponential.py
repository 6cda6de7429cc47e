"""Exponential: rates of all sizes."""

import numpy as np
import pytest
from scipy import stats

from harmonium.errors import BoundaryError, BoundaryWarning
from harmonium.families import Exponential
from laws.goodness_of_fit import SMALLEST_P

EPS = float(np.finfo(float).eps)
RATES = np.geomspace(1e-100, 1e100, 41)


def test_there_and_back():
    family = Exponential(len(RATES))
    natural = family.from_parameters(rate=RATES)
    np.testing.assert_allclose(family.to_natural(family.to_mean(natural)), natural, rtol=2 * EPS)
    np.testing.assert_array_equal(family.to_parameters(natural).rate, RATES)
    fisher = np.diagonal(family.fisher_information(natural))
    np.testing.assert_allclose(fisher, RATES**-2.0, rtol=4 * EPS)


@pytest.mark.parametrize("rate", [1e-100, 1.0, 1e100])
def test_draws(rate):
    draws = Exponential().sample([-rate], rng=1, size=20_000)[:, 0]
    assert stats.kstest(draws * rate, "expon").pvalue >= SMALLEST_P


def test_maximum_likelihood_is_that_of_scipy():
    x = np.random.default_rng(0).exponential(3.0, (200, 1))
    _, scale = stats.expon.fit(x, floc=0)
    assert Exponential().maximum_likelihood(x)[0] == pytest.approx(-1 / scale, rel=1e-12)


def test_entropy():
    assert float(Exponential().entropy([-4.0])) == pytest.approx(1 - np.log(4.0), rel=1e-15)


@pytest.mark.parametrize("change", [1e-9, 1e-4, -0.5, 3.0])
def test_relative_entropy_keeps_its_digits(change):
    ratio = 1 + change
    exact = ratio - 1
    series = 0.5 * change**2 - change**3 / 3 + change**4 / 4
    expected = series if abs(change) < 1e-3 else exact - np.log(ratio)
    rounding = EPS / abs(change)
    found = float(Exponential().relative_entropy([-2.0], [-2.0 * ratio]))
    assert found == pytest.approx(expected, rel=1e-12 + 10 * rounding)


def test_data_of_absurd_units_are_held_inside():
    with pytest.warns(BoundaryWarning):
        assert Exponential().maximum_likelihood([[1e-200]])[0] == pytest.approx(-1e100)


def test_what_is_refused():
    with pytest.raises(ValueError, match=r"rate\[0\]: must be above zero"):
        Exponential().from_parameters(rate=0.0)
    with pytest.raises(ValueError, match="between -1e100"):
        Exponential().from_parameters(rate=1e120)
    with pytest.raises(BoundaryError, match="above zero"):
        Exponential().to_natural([0.0])
    with pytest.raises(ValueError, match="positive"):
        Exponential().maximum_likelihood([[1.0], [0.0]])
