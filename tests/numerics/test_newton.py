"""Newton's method on convex duals."""

import numpy as np
import pytest

from harmonium.numerics.newton import match_mean


def log_sum(theta):
    """Of a categorical with theta_0 = 0."""
    logits = np.concatenate([[0.0], theta])
    top = logits.max()
    p = np.exp(logits - top)
    p /= p.sum()
    value = top + np.log(np.exp(logits - top).sum())
    return float(value), p[1:], np.diag(p[1:]) - np.outer(p[1:], p[1:])


def exponential(theta):
    """A log-partition function whose Newton step overshoots from far away, to infinity."""
    with np.errstate(over="ignore"):
        rates = np.exp(theta)
    return float(rates.sum()), rates, np.diag(rates)


@pytest.mark.parametrize("seed", range(10))
def test_matches_means(seed):
    rng = np.random.default_rng(seed)
    p = rng.dirichlet(np.full(6, 0.3))
    p = (p + 1e-12) / (p + 1e-12).sum()
    theta = match_mean(log_sum, p[1:], np.zeros(5))
    np.testing.assert_allclose(log_sum(theta)[1], p[1:], rtol=1e-9, atol=1e-13)


@pytest.mark.parametrize("start", [-30.0, 0.0, 20.0])
def test_from_far_away(start):
    theta = match_mean(exponential, np.array([3.0, 1e-5, 1e8]), np.full(3, start))
    np.testing.assert_allclose(theta, np.log([3.0, 1e-5, 1e8]), rtol=1e-12)


def test_a_mean_outside_goes_no_further_than_the_largest():
    theta = match_mean(exponential, np.array([-1.0]), np.zeros(1), largest=50.0)
    assert np.isfinite(theta).all()
    assert theta[0] < -50


@pytest.mark.parametrize("least", [1e-3, 1e-8, 1e-12])
def test_stops_where_rounding_allows_no_progress(least):
    # a tolerance that no arithmetic can meet
    calls = []

    def counted(theta):
        calls.append(theta)
        return log_sum(theta)

    p = np.array([least, 2 * least, 0.3, 0.1, least**1.2])
    theta = match_mean(counted, p, np.zeros(5), tolerance=1e-30)
    np.testing.assert_allclose(log_sum(theta)[1], p, rtol=1e-6, atol=1e-15)
    assert len(calls) < 150


def test_start_at_the_answer():
    start = np.log([2.0, 3.0])
    np.testing.assert_array_equal(match_mean(exponential, np.exp(start), start), start)


@pytest.mark.parametrize("start", [0.0, -30.0])
@pytest.mark.parametrize("short", [0.0, 10.0, 20.0])
def test_rare_means_are_met_relatively(start, short):
    # from means e**70 times too large, and e**-20 of what they are
    p = np.array([1e-40, 1e-44, 1e-13, 0.3])
    answer = np.log(p) - np.log1p(-p.sum())
    theta = match_mean(log_sum, p, np.array([start, answer[1] - short, start, 0.0]))
    np.testing.assert_allclose(theta, answer, rtol=1e-12)
