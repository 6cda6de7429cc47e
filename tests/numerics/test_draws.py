"""Samplers that families share."""

import numpy as np
import pytest
from scipy import stats

from harmonium.numerics.gamma_draws import draw_log_gamma
from harmonium.numerics.log_concave_draws import _reach, draw_log_concave_counts
from harmonium.numerics.poisson_draws import draw_poisson
from laws.goodness_of_fit import SMALLEST_P, chi_squared_p

DRAWS = 20_000


@pytest.mark.parametrize("rate", [1e-3, 3.0, 1e7])
def test_poisson(rate):
    draws = draw_poisson(np.full(DRAWS, rate), np.random.default_rng(0))
    low = max(0, int(draws.min()) - 10_000)
    x = np.arange(low, int(draws.max()) + 10_000)
    assert chi_squared_p(draws, low, stats.poisson.pmf(x, rate)) >= SMALLEST_P


def test_poisson_of_rates_beyond_numpys():
    draws = draw_poisson(np.array([[1e20, 1.0]] * DRAWS), np.random.default_rng(1))
    assert stats.kstest((draws[:, 0] - 1e20) / 1e10, "norm").pvalue >= SMALLEST_P
    assert chi_squared_p(draws[:, 1], 0, stats.poisson.pmf(np.arange(30), 1.0)) >= SMALLEST_P


def test_log_gamma_of_mixed_shapes():
    shape = np.array([1e-3, 0.999, 1.0, 40.0])
    logs = draw_log_gamma(np.broadcast_to(shape, (DRAWS, 4)), np.random.default_rng(2))
    for column, a in zip(logs.T, shape, strict=True):
        cdf = stats.gamma(a).cdf(np.exp(np.maximum(column, -700)))
        if a < 0.01:
            # below exp(-700), P(log X < t) = exp(a t) but for 1e-3
            keep = column > -600
            assert abs(keep.mean() - (1 - np.exp(-600 * a))) < 0.02
            cdf = (cdf[keep] - stats.gamma(a).cdf(np.exp(-600))) / (
                1 - stats.gamma(a).cdf(np.exp(-600))
            )
        assert stats.kstest(cdf, "uniform").pvalue >= SMALLEST_P


def test_log_concave_laws_side_by_side():
    # a geometric law, a law on three counts, and a discretised normal one
    def log_mass(members, x):
        laws = [-0.01 * x, np.where(x <= 2, 0.0, -np.inf), -0.5 * ((x - 50) / 7) ** 2]
        return np.select([members[:, None] == i for i in range(3)], laws)

    which = np.broadcast_to(np.arange(3), (DRAWS, 3))
    centre = np.array([0.0, 1.0, 50.0])
    with np.errstate(invalid="ignore"):
        draws = draw_log_concave_counts(log_mass, centre, which, np.random.default_rng(3))
    assert draws.shape == which.shape
    for i, column in enumerate(draws.T):
        x = np.arange(column.max() * 2 + 10)
        masses = np.exp(log_mass(np.array([i]), x[None])[0])
        assert chi_squared_p(column, 0, masses) >= SMALLEST_P


@pytest.mark.parametrize("edge", [0.0, 1.0, 2.0, 1000.0, 1e12])
def test_reach_is_the_largest_distance(edge):
    found = _reach(lambda d: np.where(d <= edge, 0.0, -2.0), np.array([2.0**62]))
    assert found[0] == edge
    assert _reach(np.zeros_like, np.array([5.0]))[0] == 5.0
