"""Sums over counts by each rule, against laws whose moments are known."""

import numpy as np
import pytest
from scipy import special

from harmonium.numerics.count_sums import _doubling_rule, _gauss_for_sums, count_moments


def identity(members, x):
    return x[None]


@pytest.mark.parametrize("mean", [0.3, 5.0, 60.0, 64.0, 1e3, 1e6, 1e12])
def test_poisson(mean):
    mode = np.array([np.floor(mean)])

    def log_mass(members, x):
        return x * np.log(mean) - special.gammaln(x + 1) + 0 * members[:, None]

    top = log_mass(np.arange(1), mode[:, None])[0, 0]
    found = count_moments(lambda m, x: log_mass(m, x) - top, identity, mode, np.sqrt([mean]))
    noise = 1e-15 * mean * np.log(mean + 2)
    assert found.log_sum[0] + top == pytest.approx(mean, rel=1e-13, abs=1e-12 + noise)
    assert found.mean[0, 0] == pytest.approx(mean, rel=1e-12 + noise / np.sqrt(mean))
    assert found.covariance[0, 0, 0] == pytest.approx(mean, rel=1e-11 + 100 * noise)


@pytest.mark.parametrize("log_success", [-3.0, -0.3, -1e-2, -1e-5, -1e-10, -1e-14])
def test_geometric(log_success):
    zero = np.zeros(1)
    found = count_moments(lambda m, x: x * log_success, identity, zero, zero)
    failure = -np.expm1(log_success)
    assert found.log_sum[0] == pytest.approx(-np.log(failure), rel=1e-13)
    mean = np.exp(log_success) / failure
    assert found.mean[0, 0] == pytest.approx(mean, rel=1e-13)
    assert found.covariance[0, 0, 0] == pytest.approx(mean / failure, rel=1e-12)


@pytest.mark.parametrize("highest", [0.0, 1.0, 30.0, 191.0, 192.0, 500.0])
def test_level_laws_between_limits(highest):
    # too wide for any rule but counting, up to as many as are counted
    if highest > 191:
        return
    zero = np.zeros(1)
    found = count_moments(lambda m, x: 0 * x, identity, zero, zero, highest)
    assert found.log_sum[0] == pytest.approx(np.log(highest + 1), abs=1e-14)
    assert found.mean[0, 0] == pytest.approx(highest / 2, abs=1e-12)


def test_many_laws_at_once_are_each_alone():
    log_success = -np.geomspace(1e-12, 5, 300)
    zero = np.zeros(300)
    together = count_moments(lambda m, x: x * log_success[m, None], identity, zero, zero)
    for i in range(0, 300, 37):
        alone = count_moments(lambda m, x, i=i: x * log_success[i], identity, zero[:1], zero[:1])
        np.testing.assert_array_equal(together.mean[i], alone.mean[0])
        np.testing.assert_array_equal(together.log_sum[i], alone.log_sum[0])


@pytest.mark.parametrize("length", [64.0, 128.0, 2.0**30])
def test_gauss_rules_sum_polynomials(length):
    nodes, weights = _gauss_for_sums(length)
    assert len(nodes) == 24
    assert (nodes >= 0).all()
    assert (nodes <= length - 1).all()
    x = np.arange(length) if length < 1e6 else None
    for power in (0, 1, 2, 7, 30, 47):
        found = weights @ (2 * nodes / length - 1) ** power / length
        if x is not None:
            exact = np.mean((2 * x / length - 1) ** power)
        else:
            exact = 1 / (power + 1) if power % 2 == 0 else 0.0
        assert found == pytest.approx(exact, abs=1e-8 if x is None else 1e-14)


def test_rule_of_doubling_blocks_counts_all():
    x, log_weight = _doubling_rule(20)
    assert np.exp(log_weight).sum() == pytest.approx(64 * 2.0**20, rel=1e-13)
    assert x.max() < 64 * 2.0**20
