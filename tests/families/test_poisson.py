"""Poisson: rates from 1e-300 to 1e15, and counts to match."""

import mpmath
import numpy as np
import pytest
from mpmath import mpf

from harmonium import Mixture
from harmonium.errors import BoundaryError, BoundaryWarning
from harmonium.expectation import as_source, log_densities
from harmonium.families import Poisson

EPS = float(np.finfo(float).eps)
RATES = np.array([1e-300, 1e-100, 1e-10, 0.1, 1.0, 49.9, 50.1, 1e3, 1e6, 1e9, 1e15])


def test_rates_there_and_back():
    family = Poisson(len(RATES))
    natural = family.from_parameters(rate=RATES)
    # the rounding of a log rate is that of the rate times its size
    condition = np.maximum(1.0, np.abs(natural))
    assert (np.abs(family.to_parameters(natural).rate / RATES - 1) <= 2 * EPS * condition).all()
    back = family.to_natural(family.to_mean(natural))
    assert (np.abs(back - natural) <= 2 * EPS * condition).all()


@pytest.mark.parametrize("log_rate", [-690.0, -30.0, -1.0, 0.0, 2.0, 3.9, 3.92, 5.0, 7.0])
def test_entropy_against_the_sum(log_rate):
    with mpmath.workdps(60):
        theta = mpf(log_rate)
        rate = mpmath.exp(theta)
        width = int(40 * mpmath.sqrt(rate)) + 60
        counts = range(max(0, int(rate) - width), int(rate) + width)
        logs = [x * theta - rate - mpmath.loggamma(x + 1) for x in counts]
        exact = -mpmath.fsum(mpmath.exp(p) * p for p in logs)
        assert abs(mpf(float(Poisson().entropy([log_rate]))) - exact) <= 2e-13 * abs(exact)


@pytest.mark.parametrize("rate", [1e4, 1e6, 1e7, 1e12, 1e15, 1e300])
def test_entropy_of_large_rates_is_that_of_a_normal(rate):
    normal = 0.5 * np.log(2 * np.pi * np.e) + 0.5 * np.log(rate)
    assert Poisson().entropy(np.log([rate])) == pytest.approx(normal - 1 / (12 * rate), abs=1e-9)


@pytest.mark.parametrize("rate", [1e-10, 1.0, 1e6, 1e15])
def test_relative_entropy_of_neighbours(rate):
    # half the squared difference of log rates times the rate, to first order
    delta = 1e-4
    p = np.log([rate])
    found = Poisson().relative_entropy(p, p + delta)
    delta = float((p + delta - p)[0])
    assert found == pytest.approx(rate * delta**2 / 2 * (1 + delta / 3), rel=1e-6)


@pytest.mark.parametrize("rate", RATES)
def test_draws(rate):
    n = 4000
    draws = Poisson().sample(np.log([rate]), rng=0, size=n)[:, 0]
    assert (draws == np.floor(draws)).all()
    assert (draws >= 0).all()
    # 1e-6 on either side; below one event in all draws, none is expected
    assert abs(draws.mean() - rate) <= 5 * np.sqrt(rate / n) + (rate * n < 1e-3)


def test_counts_of_any_size():
    family = Poisson()
    counts = np.array([[0.0], [1.0], [255.0], [256.0], [1e6], [1e18]])
    for x in counts:
        rate = max(x[0], 1.0)
        log_density = family.log_density(np.log([rate]), x[None])[0]
        bound = 1e3 * EPS * rate * max(1.0, np.log(rate))
        normal = -0.5 * np.log(2 * np.pi * rate)
        assert abs(log_density - normal) <= 0.1 + bound


def test_a_column_of_zeros_is_held_at_a_rate_above_zero():
    family = Poisson(2)
    with pytest.warns(BoundaryWarning, match="Poisson"):
        estimate = family.maximum_likelihood([[0, 1], [0, 4], [0, 1]])
    np.testing.assert_allclose(estimate, [-690, np.log(2)])
    assert np.isfinite(family.log_density(estimate, [[0, 1]])).all()


def test_counts_beyond_the_domain_are_held_at_its_edge():
    with pytest.warns(BoundaryWarning):
        estimate = Poisson().maximum_likelihood([[1e305]])
    assert estimate[0] == 700
    Poisson().log_partition(estimate)


@pytest.mark.parametrize("mean", [0.0, -1.0, 1e305])
def test_means_outside(mean):
    with pytest.raises(BoundaryError, match=r"rates must be"):
        Poisson().to_natural([mean])


def test_what_is_refused():
    with pytest.raises(ValueError, match="rate"):
        Poisson().from_parameters(rate=0.0)
    with pytest.raises(ValueError, match=r"x: .*row 1, column 0 is 0\.5"):
        Poisson().log_density([0.0], [[1], [0.5]])
    with pytest.raises(ValueError, match=r"x: .*row 0, column 0 is -1"):
        Poisson().maximum_likelihood([[-1]])
    for n in (0, -1, 1.5, "2", True):
        with pytest.raises((ValueError, TypeError), match="n"):
            Poisson(n)


def test_numpy_integers_make_the_same_family():
    assert Poisson(np.int64(3)) == Poisson(3)
    assert hash(Poisson(np.int64(3))) == hash(Poisson(3))
    assert repr(Poisson(np.int64(3))) == "Poisson(n=3)"


def exact_log_density(natural, x):
    with mpmath.workdps(60):
        rate = mpmath.exp(mpf(natural))
        return float(mpf(x) * mpf(natural) - rate - mpmath.loggamma(mpf(x) + 1))


@pytest.mark.parametrize("log_x", [4.9, 6, 9, 12, 15, 16.5, 18])
@pytest.mark.parametrize("deviations", [-9.0, -1.0, 0.0, 0.3, 5.0, 1e3, None])
def test_densities_of_large_counts_lose_no_digits(log_x, deviations):
    rate = 10.0**log_x
    x = np.rint(3 * rate if deviations is None else max(rate + deviations * np.sqrt(rate), 1.0))
    natural = float(np.log(rate))
    exact = exact_log_density(natural, x)
    # what half an ulp of the rate moves, and of the density itself
    condition = abs(x - rate) + abs(exact)
    family, row = Poisson(2), np.array([[x, 3.0]])
    exact += exact_log_density(0.5, 3.0)
    point = np.array([natural, 0.5])
    model = Mixture(family, 2).from_parameters(components=np.stack([point, point]))
    found = [
        family.log_density(point, row),
        family.complete(point, row).log_marginal,
        log_densities(family.prepare(point), as_source(row)),
        log_densities(family.prepare(point), as_source(row), engine="numpy"),
        Mixture(family, 2).log_observable_density(model, row),
    ]
    for value in found:
        assert abs(value[0] - exact) <= max(1e-12 * abs(exact), 2 * EPS * condition)
    # the family of one count, in a row of which the other is missing
    partial = np.array([[x, np.nan]])
    alone = exact_log_density(natural, x)
    for engine in ("auto", "numpy"):
        value = log_densities(family.prepare(point), as_source(partial), engine=engine)
        assert abs(value[0] - alone) <= max(1e-12 * abs(alone), 2 * EPS * condition)


def test_rows_do_not_depend_on_their_neighbours():
    x = np.array([[3.0, 4.0], [1e6, 2.0], [0.0, 1e17], [5.0, 65_535.0], [65_536.0, 0.0]])
    family = Poisson(2)
    points = np.log([[3.0, 5.0], [1e6, 1e17]])
    model = Mixture(family, 2).from_parameters(components=points)
    for engine in ("auto", "numpy"):
        prepared = Mixture(family, 2).prepare(model)
        together = log_densities(prepared, as_source(x), engine=engine)
        alone = [log_densities(prepared, as_source(row[None]), engine=engine)[0] for row in x]
        np.testing.assert_array_equal(together, alone)
    np.testing.assert_allclose(together, Mixture(family, 2).log_observable_density(model, x))


def test_points_and_rows_broadcast_where_counts_are_large():
    family = Poisson(2)
    points = np.log([[3.0, 5.0], [1e6, 1e9], [1.0, 2.0]])
    x = np.array([[3.0, 4.0], [1e6, 1e9], [1.0, 1e5]])
    table = family.log_density(points[:, None], x)
    assert table.shape == (3, 3)
    for i, point in enumerate(points):
        np.testing.assert_array_equal(table[i], family.log_density(point, x))
    np.testing.assert_array_equal(family.log_density(points, x), np.diagonal(table))
