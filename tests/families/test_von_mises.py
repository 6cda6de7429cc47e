"""Von Mises: from no concentration at all to 1e12."""

import mpmath
import numpy as np
import pytest
from scipy import stats

from harmonium.errors import BoundaryWarning, DataWarning
from harmonium.families import VonMises
from laws.goodness_of_fit import SMALLEST_P

DRAWS = 20_000
EPS = float(np.finfo(float).eps)
CONCENTRATIONS = np.concatenate([[0.0], np.geomspace(1e-12, 1e12, 49)])
DIRECTIONS = np.linspace(0, 2 * np.pi, 13)[:-1]


def bound(concentration):
    return np.maximum(1e-12, 16 * EPS * concentration)


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_there_and_back(direction):
    family = VonMises()
    natural = family.from_parameters(
        mean=np.full((50, 1), direction), concentration=CONCENTRATIONS[:, None]
    )
    back = family.to_natural(family.to_mean(natural))
    error = np.abs(back - natural).max(-1)
    assert (error <= bound(CONCENTRATIONS) * CONCENTRATIONS).all()
    # what comes back is a point again
    family.log_partition(back)


def test_parameters():
    family = VonMises(2)
    mean, concentration = np.array([0.0, 6.0]), np.array([3.0, 1e12])
    back = family.to_parameters(family.from_parameters(mean=mean, concentration=concentration))
    np.testing.assert_allclose(back.mean, mean, rtol=1e-14, atol=1e-14)
    np.testing.assert_allclose(back.concentration, concentration, rtol=1e-14)


def test_directions_lie_below_a_full_turn():
    for sine in (-1e-20, -5e-324, -0.0, 0.0):
        assert 0 <= VonMises().to_parameters([1.0, sine]).mean[0] < 2 * np.pi


@pytest.mark.parametrize("seed", range(3))
def test_draws_lie_below_a_full_turn(seed):
    draws = VonMises().sample([1e12, -1e-9], rng=seed, size=10_000)
    assert ((draws >= 0) & (draws < 2 * np.pi)).all()
    # a direction of zero is approached from both sides
    assert (draws < 1).any()
    assert (draws > 6).any()


def test_turns_do_not_count():
    x = np.array([[0.5], [0.5 + 2 * np.pi], [0.5 - 20 * np.pi]])
    logs = VonMises().log_density([1.0, 2.0], x)
    np.testing.assert_allclose(logs, logs[0], rtol=1e-13)


def test_uniform_where_there_is_no_concentration():
    family = VonMises()
    np.testing.assert_allclose(family.log_density([0, 0], [[1.0], [4.0]]), -np.log(2 * np.pi))
    np.testing.assert_array_equal(family.fisher_information([0.0, 0.0]), 0.5 * np.eye(2))
    draws = family.sample([0.0, 0.0], rng=1, size=5000)
    assert stats.kstest(draws[:, 0] / (2 * np.pi), "uniform").pvalue > 1e-6


@pytest.mark.parametrize("concentration", [1e-12, 1e-9, 1e-5, 0.1, 2.0, 40.0, 1e4])
def test_draws(concentration):
    draws = VonMises().sample([0.0, concentration], rng=3, size=DRAWS)[:, 0]
    # scipy's angles go on from turn to turn
    below = stats.vonmises(concentration, loc=0.5 * np.pi).cdf(draws)
    assert stats.kstest(np.mod(below, 1.0), "uniform").pvalue >= SMALLEST_P


@pytest.mark.parametrize("concentration", [1e4, 1e6, 1.1e6, 1e9, 1e12])
def test_draws_of_large_concentration(concentration):
    direction = np.array([np.cos(2.0), np.sin(2.0)])
    draws = VonMises().sample(concentration * direction, rng=4, size=DRAWS)[:, 0]
    # 2 k (1 - cos) is the square of a normal number, but for 1 / k; angles are rounded by eps
    square = 4 * concentration * np.sin(0.5 * (draws - 2.0)) ** 2
    assert stats.kstest(square, stats.chi2(1).cdf).pvalue >= SMALLEST_P
    above = int((draws > 2.0).sum())
    assert stats.binomtest(above, DRAWS, 0.5).pvalue >= SMALLEST_P


def test_draws_of_mixed_concentrations():
    natural = np.array([[0.0, 0.0], [1e-9, 0.0], [0.0, 3.0], [1e9, 0.0]])
    draws = VonMises().sample(natural, rng=5, size=DRAWS)[..., 0]
    mean = np.stack([np.cos(draws), np.sin(draws)], -1).mean(0)
    assert (np.abs(mean - VonMises().to_mean(natural)) < 6.5 / np.sqrt(DRAWS)).all()


@pytest.mark.parametrize("concentration", [1e-3, 1.0, 300.0, 3e3, 1e8, 1e12])
def test_fisher_information_along_and_across(concentration):
    # A' along the mean direction, A / k across; both close to normal laws' where it is large
    fisher = VonMises().fisher_information([concentration, 0.0])
    assert fisher[0, 1] == 0
    if concentration >= 300:
        k = concentration
        series = 0.5 / k**2 + 0.25 / k**3 + 0.375 / k**4 + 25 / 32 / k**5
        assert fisher[0, 0] == pytest.approx(series, rel=1e-10)
        assert fisher[1, 1] == pytest.approx((1 - 0.5 / k) / k, rel=1 / k**2 + 1e-12)


@pytest.mark.parametrize("angles", [[1.0, 1.0, 1.0], [2 * np.pi - 1e-9, 1e-9 - 2 * np.pi], [3.0]])
def test_identical_angles_are_bounded_and_warned_of(angles):
    family = VonMises()
    x = np.array(angles)[:, None]
    with pytest.warns(BoundaryWarning, match="boundary"):
        estimate = family.maximum_likelihood(x)
    mean, concentration = family.to_parameters(estimate)
    assert concentration[0] == pytest.approx(1e12, rel=1e-2)
    assert concentration[0] <= 1e12 * (1 + 1e-12)
    assert np.cos(mean[0] - angles[0]) == pytest.approx(1)
    assert np.isfinite(family.log_density(estimate, x)).all()


def test_one_column_of_many_on_the_boundary():
    family = VonMises(2)
    rng = np.random.default_rng(0)
    x = np.column_stack([rng.vonmises(1, 3, 500), np.full(500, 2.0)])
    with pytest.warns(BoundaryWarning):
        estimate = family.to_parameters(family.maximum_likelihood(x))
    alone = VonMises().maximum_likelihood(x[:, :1])
    single = VonMises().to_parameters(alone)
    assert estimate.concentration[0] == pytest.approx(single.concentration[0], rel=1e-12)


def test_what_is_refused():
    family = VonMises()
    with pytest.raises(ValueError, match="concentration: must be at least 0; got -1"):
        family.from_parameters(mean=0.0, concentration=-1.0)
    with pytest.raises(ValueError, match="mean"):
        family.from_parameters(mean=np.nan, concentration=1.0)
    with pytest.raises(ValueError, match="concentration"):
        family.from_parameters(mean=0.0, concentration=np.inf)
    with pytest.raises(ValueError, match="concentrations must not pass 1e12"):
        family.log_partition([1.1e12, 0.0])
    with pytest.raises(ValueError, match="angle"):
        family.log_density([1.0, 0.0], [[1e16]])
    with pytest.warns(DataWarning, match="degrees"):
        family.log_density([1.0, 0.0], [[90.0], [180.0]])
    with pytest.raises(ValueError, match="n"):
        VonMises(0)


def test_integers_and_lists_are_points():
    assert VonMises().log_partition([3, 4]) == VonMises().log_partition(np.array([3.0, 4.0]))


@pytest.mark.parametrize("log_k", [-300, -8, -1, 0, 0.7, 1.5, 2, 3, 4.5, 5, 6, 8, 10, 12])
def test_entropy_at_any_concentration(log_k):
    k = 10.0**log_k
    with mpmath.workdps(60):
        scaled = [mpmath.besseli(order, k) for order in (0, 1)]
        exact = mpmath.log(2 * mpmath.pi * scaled[0]) - k * scaled[1] / scaled[0]
        found = VonMises().entropy(VonMises().from_parameters(mean=0.7, concentration=k))
        # the length of the natural parameter is rounded
        assert abs(mpmath.mpf(float(found)) - exact) <= 1e-14 * max(1, abs(exact))


def test_entropies_of_angles_add_up():
    points = VonMises(2).from_parameters(
        mean=[[0.1, 4.0]] * 3, concentration=[[0, 2], [1e9, 3], [5, 1]]
    )
    entropies = VonMises(2).entropy(points)
    alone = VonMises(1).entropy(points.reshape(3, 2, 2).swapaxes(-1, -2))
    np.testing.assert_allclose(entropies, alone.sum(-1), rtol=1e-15)
