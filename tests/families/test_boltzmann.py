"""Boltzmann machines: the way back from moments, and sizes that are refused."""

import tracemalloc
import warnings
from itertools import product

import mpmath
import numpy as np
import pytest

from harmonium.errors import BoundaryError, BoundaryWarning, DataWarning
from harmonium.expectation import as_source, expectation
from harmonium.families import Boltzmann
from harmonium.families.boltzmann import BOUNDARY_SHARE
from laws.exact import boltzmann, evaluate


def states(n):
    return np.array(list(product((0.0, 1.0), repeat=n)))


@pytest.mark.parametrize("n", range(1, 9))
@pytest.mark.parametrize("evenness", [1.0, 0.05])
def test_to_natural_of_random_moments(n, evenness):
    family = Boltzmann(n)
    rng = np.random.default_rng(n)
    statistic = family.sufficient_statistic(states(n))
    for _ in range(5):
        # every distribution over the states has moments that are those of one machine
        mean = (rng.dirichlet(np.full(2**n, evenness)) + 1e-9) / (1 + 1e-9 * 2**n) @ statistic
        natural = family.to_natural(mean)
        np.testing.assert_allclose(family.to_mean(natural), mean, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("n", range(1, 7))
@pytest.mark.parametrize("size", [5.0, 10.0, 15.0])
def test_nearly_deterministic_machines(n, size):
    family = Boltzmann(n)
    rng = np.random.default_rng(n)
    for _ in range(5):
        natural = rng.choice([-size, size], family.dimension)
        mean = family.to_mean(natural)
        try:
            back = family.to_natural(mean)
        except BoundaryError:
            # activities round to one, or pairs to their bounds, before a machine is certain
            first, second = family.location_moments(mean)
            slack = [
                1 - first,
                second[~np.eye(n, dtype=bool)],
                (first[:, None] - second)[~np.eye(n, dtype=bool)],
                (1 - first[:, None] - first + second)[~np.eye(n, dtype=bool)],
            ]
            assert min(s.min(initial=1.0) for s in slack) < 1e-13
        else:
            np.testing.assert_allclose(family.to_mean(back), mean, rtol=1e-7, atol=1e-11)


def test_batches_of_means_go_back_one_by_one():
    family = Boltzmann(3)
    natural = np.random.default_rng(0).standard_normal((2, 4, 6))
    np.testing.assert_allclose(family.to_natural(family.to_mean(natural)), natural, atol=1e-10)


def test_moments_that_contradict_each_other():
    # each pair is possible, the three together are not: at least two of three units agree
    mean = np.array([0.5, 0.5, 0.5, 0.1, 0.1, 0.1])
    good = np.array([0.5, 0.5, 0.5, 0.25, 0.25, 0.25])
    with pytest.raises(BoundaryError, match=r"^mean\[1\]: .*contradict"):
        Boltzmann(3).to_natural([good, mean])


@pytest.mark.parametrize("pair", [0.0, 0.5, 0.6])
def test_pairs_on_their_bounds(pair):
    with pytest.raises(BoundaryError, match="pairs must be"):
        Boltzmann(2).to_natural([0.5, 0.5, pair])


def test_a_unit_that_never_changes():
    family = Boltzmann(2)
    x = np.array([[0, 1], [0, 0], [0, 1], [0, 0.0]])
    with pytest.warns(BoundaryWarning, match="Boltzmann"):
        estimate = family.maximum_likelihood(x)
    mean = family.to_mean(estimate)
    assert mean[0] == pytest.approx(BOUNDARY_SHARE / 2, rel=1e-6)
    assert mean[1] == pytest.approx(0.5)


def test_a_face_beyond_pairs():
    # of three units one or two are active: every pair is possible, all or none never happens
    x = states(3)[1:-1]
    family = Boltzmann(3)
    with pytest.warns(BoundaryWarning, match="Boltzmann"):
        estimate = family.maximum_likelihood(x)
    assert np.abs(estimate).max() < 40
    p = np.exp(family.log_density(estimate, states(3)))
    assert p[0] + p[-1] < 1e-9
    np.testing.assert_allclose(p[1:-1], 1 / 6, rtol=1e-8)


def test_all_states_equally_often_need_no_warning():
    estimate = Boltzmann(4).maximum_likelihood(states(4))
    np.testing.assert_allclose(estimate, np.zeros(10), atol=1e-12)


def test_energies_count_units_from_the_lowest_bit():
    family = Boltzmann(12)
    natural = np.random.default_rng(0).standard_normal(family.dimension)
    x = states(12)
    energies = family.sufficient_statistic(x) @ natural
    top = energies.max()
    weights = np.exp(energies - top)
    psi = top + np.log(weights.sum())
    assert family.log_partition(natural) == pytest.approx(psi, rel=1e-14)
    mean = weights / weights.sum() @ family.sufficient_statistic(x)
    np.testing.assert_allclose(family.to_mean(natural), mean, rtol=1e-11)


def test_large_batches_are_cut_into_blocks():
    family = Boltzmann(12)
    natural = np.random.default_rng(0).standard_normal((1500, family.dimension))
    one_by_one = [family.log_partition(point) for point in natural[::300]]
    np.testing.assert_array_equal(family.log_partition(natural)[::300], one_by_one)


def test_parameters():
    family = Boltzmann(3)
    biases = np.array([0.1, 0.2, 0.3])
    couplings = np.array([[0, 1, 2], [1, 0, 3], [2, 3, 0.0]])
    natural = family.from_parameters(biases=biases, couplings=couplings)
    np.testing.assert_array_equal(natural, [0.1, 0.2, 0.3, 1, 2, 3])
    x = np.array([1.0, 1, 0])
    energy = family.sufficient_statistic(x[None])[0] @ natural
    assert energy == pytest.approx(biases @ x + 0.5 * x @ couplings @ x)
    np.testing.assert_array_equal(family.from_parameters(biases=biases)[3:], np.zeros(3))
    with pytest.raises(ValueError, match="diagonal must be zero"):
        family.from_parameters(biases=biases, couplings=couplings + np.eye(3))
    with pytest.raises(ValueError, match="couplings"):
        family.from_parameters(biases=biases, couplings=np.triu(couplings))


@pytest.mark.parametrize("n", [26, 30, 31, 10**9])
def test_dense_machines_that_are_too_large_are_refused_before_they_allocate(n):
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match=r"enumerated to 25 \(enumerate_to=30"):
            Boltzmann(n)
        assert tracemalloc.get_traced_memory()[1] < 1e6
    finally:
        tracemalloc.stop()


def test_more_units_on_request():
    with pytest.warns(DataWarning, match=r"2\*\*26|67108864 states"):
        assert Boltzmann(26, enumerate_to=30).dimension == 351
    with pytest.raises(ValueError, match="at most 30"):
        Boltzmann(26, enumerate_to=31)
    with pytest.raises(ValueError, match="n: 31"):
        Boltzmann(31, enumerate_to=30)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert Boltzmann(25).dimension == 325


@pytest.mark.parametrize("n", [0, -1, 1.5, "2", True])
def test_numbers_of_units_that_are_none(n):
    with pytest.raises((ValueError, TypeError), match="n"):
        Boltzmann(n)


def test_data_that_are_not_binary():
    with pytest.raises(ValueError, match=r"x: .*0 or 1.*row 1, column 1 is 2"):
        Boltzmann(2).log_density(np.zeros(3), [[0, 1], [0, 2]])


def test_booleans_are_binary():
    x = states(2)
    np.testing.assert_array_equal(
        Boltzmann(2).log_density([1, 2, 3], x.astype(bool)), Boltzmann(2).log_density([1, 2, 3], x)
    )


def test_the_m_step_goes_on_from_where_it_is():
    family = Boltzmann(3)
    x = family.sample(np.full(6, 0.3), rng=0, size=2000)
    start = family.prepare(np.full((1, 6), -0.5))
    moved = start.maximise(expectation(start, as_source(x)).sums, set())
    np.testing.assert_allclose(moved.natural[0], family.maximum_likelihood(x), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(
    "edges", [None, [(1, 0), (2, 1), (3, 2)], [(1, 0), (2, 1), (3, 2), (3, 0)]]
)
@pytest.mark.parametrize("size", [1.0, 20.0, 200.0])
def test_entropies_against_high_precision(edges, size):
    machine = Boltzmann(4, edges)
    natural = size * np.random.default_rng(3).normal(size=(5, machine.dimension))
    for point, entropy in zip(natural, machine.entropy(natural), strict=True):
        with mpmath.workdps(2000):
            psi, mean = evaluate(boltzmann(4, machine.edges), point, 2000)
            exact = float(psi - mpmath.fdot([mpmath.mpf(float(t)) for t in point], mean))
        # the rounding of an energy moves an entropy by as much, relatively
        assert abs(entropy - exact) <= 1e-15 * (1 + 20 * size) * exact + 1e-307


@pytest.mark.parametrize("n", [1, 2, 5])
def test_rare_states_go_there_and_back(n):
    machine = Boltzmann(n)
    rng = np.random.default_rng(4)
    for rate in (-40.0, -150.0, -300.0):
        natural = np.concatenate([rate + rng.normal(size=n), rng.normal(size=n * (n - 1) // 2)])
        np.testing.assert_allclose(
            machine.to_natural(machine.to_mean(natural)), natural, rtol=1e-9, atol=1e-9
        )


def test_a_rare_pair_that_goes_together():
    machine = Boltzmann(3)
    natural = np.array([-60.0, -1.0, -80.0, 0.5, 40.0, -0.3])
    np.testing.assert_allclose(machine.to_natural(machine.to_mean(natural)), natural, rtol=1e-9)


def test_what_is_certain_does_not_vary_less_than_not_at_all():
    machine = Boltzmann(6)
    natural = 100 * np.random.default_rng(5).normal(size=(300, machine.dimension))
    fisher = machine.fisher_information(natural)
    assert (np.diagonal(fisher, axis1=-2, axis2=-1) >= 0).all()
    assert (machine.to_mean(natural) <= 1).all()


@pytest.mark.parametrize("edges", [None, [(1, 0)]])
def test_a_state_that_rounding_leaves_nothing(edges):
    # all four are above zero in one order of subtraction and not in the other
    mean = [float.fromhex(h) for h in ("0x1.fffffffffe839p-1", "0x1.300a26273a518p-22")]
    mean.append(float.fromhex("0x1.3009f6990d40dp-22"))
    assert mean[0] + mean[1] - mean[2] < 1
    with pytest.raises(BoundaryError, match="strictly inside"):
        Boltzmann(2, edges).to_natural(mean)


def test_machines_without_loops_go_back_to_finite_points():
    rng = np.random.default_rng(6)
    for machine in (Boltzmann(2), Boltzmann(5, [(i, (i - 1) // 2) for i in range(1, 5)])):
        means = machine.to_mean(rng.uniform(-60, 60, (500, machine.dimension)))
        inside = 0
        for mean in means:
            try:
                natural = machine.to_natural(mean)
            except BoundaryError:
                continue
            inside += 1
            np.testing.assert_allclose(machine.to_mean(natural), mean, rtol=0, atol=1e-10)
        assert inside > 50
