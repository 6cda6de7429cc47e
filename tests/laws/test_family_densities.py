"""Laws of densities: they sum to one, and what is an expectation is one."""

import numpy as np
from scipy.special import logsumexp

from laws.family_cases import families_with
from laws.scales import spread

with_support = families_with("support")


def weighed(case, natural):
    """Nodes, and the law's weight on each of them."""
    nodes = case.support.nodes(case.family, natural)
    return nodes, np.exp(nodes.log_weight + case.family.log_density(natural, nodes.x))


@with_support
def test_densities_integrate_to_one(case):
    for natural in case.points(11, 3):
        nodes = case.support.nodes(case.family, natural)
        total = logsumexp(nodes.log_weight + case.family.log_density(natural, nodes.x))
        assert abs(total) <= 1e-10


@with_support
def test_mean_is_expected_statistic(case):
    for natural in case.points(12, 2):
        nodes, weight = weighed(case, natural)
        expected = weight @ case.family.sufficient_statistic(nodes.x)
        scale = spread(case.family, natural)
        mean = case.family.to_mean(natural)
        assert (np.abs(expected - mean) <= 1e-9 * (scale + np.abs(mean))).all()


@with_support
def test_density_is_base_measure_times_exponential(case):
    natural = case.points(13)
    x = case.rows(natural, 20)
    family = case.family
    exponent = family.sufficient_statistic(x) @ natural
    np.testing.assert_allclose(
        family.log_density(natural, x),
        exponent + family.log_base_measure(x) - family.log_partition(natural),
        rtol=1e-12,
        atol=1e-12,
    )


@with_support
def test_entropy_is_expected_surprise(case):
    for natural in case.points(14, 2):
        nodes, weight = weighed(case, natural)
        log_density = case.family.log_density(natural, nodes.x)
        expected = -weight @ np.where(weight > 0, log_density, 0.0)
        assert abs(case.family.entropy(natural) - expected) <= 1e-9


@with_support
def test_relative_entropy_is_expected_log_ratio(case):
    p, q = case.points(15), case.points(16)
    nodes, weight = weighed(case, p)
    ratio = case.family.log_density(p, nodes.x) - case.family.log_density(q, nodes.x)
    expected = weight @ np.where(weight > 0, ratio, 0.0)
    assert abs(case.family.relative_entropy(p, q) - expected) <= 1e-9 * (1 + expected)


@with_support
def test_relative_entropy_is_a_divergence(case):
    points = case.points(17, 6)
    between = case.family.relative_entropy(points[:, None], points)
    assert between.shape == (6, 6)
    assert (between >= 0).all()
    scale = np.abs(case.family.log_partition(points))
    assert (np.diagonal(between) <= 1e-14 * (1 + scale)).all()
    if case.family.dimension:
        assert (between[~np.eye(6, dtype=bool)] > 0).all()


@families_with("marginals")
def test_density_is_that_of_scipy(case):
    for natural in case.points(18, 3):
        x = case.rows(natural, 30)
        parameters = case.family.to_parameters(natural)
        if case.joint is not None:
            expected = np.atleast_1d(log_density(case.joint(parameters), x))
        else:
            laws = zip(case.marginals(parameters), x.T, strict=True)
            expected = sum(log_density(law, column) for law, column in laws)
        found = case.family.log_density(natural, x)
        np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-10)


def log_density(law, x):
    """Of scipy's laws, whichever kind they are."""
    return law.logpmf(x) if hasattr(law, "logpmf") else law.logpdf(x)
