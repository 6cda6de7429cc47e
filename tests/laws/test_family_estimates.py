"""Laws of maximum likelihood."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from laws.family_cases import every_family
from laws.scales import spread

ROWS = 1000


def likelihood(case, natural, x, weights=None):
    return np.average(case.family.log_density(natural, x), weights=weights)


@every_family
@settings(max_examples=6)
@given(data=st.data())
def test_estimate_meets_the_average_statistic(case, data):
    natural = data.draw(case.any_point(0.7 * case.easy))
    x = case.rows(natural, ROWS)
    estimate = case.family.maximum_likelihood(x)
    average = case.family.sufficient_statistic(x).mean(0)
    mean = case.family.to_mean(estimate)
    scale = spread(case.family, estimate) + np.abs(mean)
    assert (np.abs(mean - average) <= 1e-9 * scale).all()
    assert likelihood(case, estimate, x) >= likelihood(case, natural, x) - 1e-12


@every_family
def test_no_neighbour_is_better(case):
    x = case.rows(case.points(41), ROWS)
    estimate = case.family.maximum_likelihood(x)
    best = likelihood(case, estimate, x)
    step = 0.02 / np.maximum(spread(case.family, estimate), 0.02)
    for i in range(case.family.dimension):
        for sign in (-1, 1):
            neighbour = estimate.copy()
            neighbour[i] += sign * step[i]
            assert likelihood(case, neighbour, x) < best


@every_family
def test_weights_are_repetitions(case):
    x = case.rows(case.points(42), ROWS)
    weights = np.random.default_rng(0).integers(0, 4, len(x))
    weighted = case.family.maximum_likelihood(x, weights=weights)
    repeated = case.family.maximum_likelihood(np.repeat(x, weights, 0))
    scale = 1 / np.maximum(spread(case.family, repeated), 1e-6) + np.abs(repeated)
    assert (np.abs(weighted - repeated) <= 1e-9 * scale).all()


@every_family
def test_scale_of_weights_and_order_of_rows_do_not_matter(case):
    x = case.rows(case.points(43), ROWS)
    rng = np.random.default_rng(0)
    weights, order = rng.random(len(x)), rng.permutation(len(x))
    plain = case.family.maximum_likelihood(x, weights=weights)
    other = case.family.maximum_likelihood(x[order], weights=1e6 * weights[order])
    scale = 1 / np.maximum(spread(case.family, plain), 1e-6) + np.abs(plain)
    assert (np.abs(plain - other) <= 1e-9 * scale).all()


@every_family
def test_estimates_come_near_the_truth(case):
    natural = case.points(44)
    x = case.rows(natural, 20_000)
    estimate = case.family.maximum_likelihood(x)
    # twice the log-likelihood ratio is a chi-squared of as many degrees as parameters: 200 passes
    # its 1e-10 quantile for up to 60 of them
    assert 2 * len(x) * (likelihood(case, estimate, x) - likelihood(case, natural, x)) < 200


@every_family
@pytest.mark.parametrize("weights", [[-1.0, 1.0], [0.0, 0.0], [np.nan, 1.0], [1.0], "ab"])
def test_weights_that_are_none(case, weights):
    x = case.rows(case.points(45), 2)
    with pytest.raises((ValueError, TypeError), match="weights"):
        case.family.maximum_likelihood(x, weights=weights)
