"""Categorical: one category, unseen categories, and many."""

import numpy as np
import pytest

from harmonium.errors import BoundaryError, BoundaryWarning
from harmonium.expectation import as_source, expectation
from harmonium.families import Categorical
from laws.exact import categorical, evaluate


def test_one_category_tells_nothing():
    family = Categorical(1)
    nothing = np.zeros(0)
    x = np.zeros((5, 1))
    assert family.dimension == 0
    assert family.log_partition(nothing) == 0
    assert family.entropy(nothing) == 0
    assert family.relative_entropy(nothing, nothing) == 0
    assert family.fisher_information(nothing).shape == (0, 0)
    assert family.maximum_likelihood(x).shape == (0,)
    np.testing.assert_array_equal(family.log_density(nothing, x), np.zeros(5))
    np.testing.assert_array_equal(family.sample(nothing, rng=0, size=5), x)
    np.testing.assert_array_equal(family.to_parameters(nothing).probabilities, [1.0])
    assert family.from_parameters(probabilities=[1.0]).shape == (0,)
    total = expectation(family.prepare(nothing), as_source(x))
    assert (total.log_likelihood, total.weight) == (0, 5)
    with pytest.raises(ValueError, match="row 1"):
        family.log_density(nothing, [[0], [1]])


def test_probabilities():
    p = np.array([[0.2, 0.3, 0.5], [1e-300, 0.5, 0.5]])
    family = Categorical(3)
    natural = family.from_parameters(probabilities=p)
    np.testing.assert_allclose(natural, np.log(p[:, 1:] / p[:, :1]), rtol=1e-13)
    np.testing.assert_allclose(family.to_parameters(natural).probabilities, p, rtol=1e-12)
    np.testing.assert_allclose(np.exp(family.log_probabilities(natural)), p, rtol=1e-12)


def test_log_probabilities_of_the_most_unlikely():
    logs = Categorical(3).log_probabilities([-700.0, 700.0])
    np.testing.assert_allclose(logs, [-700, -1400, 0], atol=1e-12)


def test_unseen_categories_are_held_above_zero():
    family = Categorical(4)
    x = np.array([0.0, 0, 2, 2])[:, None]
    with pytest.warns(BoundaryWarning, match="Categorical"):
        estimate = family.maximum_likelihood(x)
    logs = family.log_probabilities(estimate)
    np.testing.assert_allclose(logs, [np.log(0.5), -690, np.log(0.5), -690], rtol=1e-12)


def test_the_warning_points_at_the_caller():
    with pytest.warns(BoundaryWarning) as warned:
        Categorical(2).maximum_likelihood([[1]])
    assert [warning.filename for warning in warned] == [__file__]


@pytest.mark.parametrize("seed", range(200))
def test_an_unseen_category_zero(seed):
    # its mean is one less the others', which sum to one but for rounding
    rng = np.random.default_rng(seed)
    k = int(rng.integers(2, 40))
    x = rng.integers(1, k, (int(rng.integers(1, 60)), 1))
    weights = rng.random(len(x)) + 0.1
    family = Categorical(k)
    with pytest.warns(BoundaryWarning):
        estimate = family.maximum_likelihood(x, weights=weights)
    p = family.to_parameters(estimate).probabilities
    assert 0 < p[0] < 1e-13
    seen = np.bincount(x[:, 0], weights, k) / weights.sum()
    np.testing.assert_allclose(p, seen, atol=1e-13)
    assert np.isfinite(family.log_density(estimate, x)).all()


@pytest.mark.parametrize("mean", [[0.5, 0.5], [0.0, 0.5], [-0.1, 0.5], [0.7, 0.7]])
def test_means_outside(mean):
    with pytest.raises(BoundaryError, match="probabilities"):
        Categorical(3).to_natural(mean)


def test_a_thousand_categories():
    family = Categorical(1000)
    rng = np.random.default_rng(0)
    p = rng.dirichlet(np.full(1000, 0.5))
    natural = family.from_parameters(probabilities=p)
    np.testing.assert_allclose(family.to_natural(family.to_mean(natural)), natural, rtol=1e-9)
    draws = family.sample(natural, rng=0, size=20_000)
    counts = np.bincount(draws[:, 0].astype(int), minlength=1000)
    assert abs(counts - 20_000 * p).max() <= 7 * np.sqrt(20_000 * p.max())


def test_what_is_refused():
    family = Categorical(3)
    with pytest.raises(ValueError, match="probabilities"):
        family.from_parameters(probabilities=[0.5, 0.5])
    with pytest.raises(ValueError, match="probabilities"):
        family.from_parameters(probabilities=[0.5, 0.4, 0.2])
    with pytest.raises(ValueError, match="probabilities"):
        family.from_parameters(probabilities=[0.5, 0.5, 0.0])
    with pytest.raises(ValueError, match="probabilities"):
        family.from_parameters(probabilities=[0.5, np.nan, 0.5])
    with pytest.raises(ValueError, match=r"x: .*0 to 2.*row 1"):
        family.log_density([0, 0], [[0], [3]])
    with pytest.raises(ValueError, match=r"numbered from 1"):
        family.log_density([0, 0], [[1], [3]])
    for n in (0, -1, 2.5, "3", True):
        with pytest.raises((ValueError, TypeError), match="n_categories"):
            Categorical(n)


def test_means_of_large_logits_against_high_precision():
    family, rng = Categorical(5), np.random.default_rng(0)
    for natural in rng.uniform(-700, 700, (50, 4)):
        _, exact = evaluate(categorical, natural)
        # a relative change of 8 eps in every logit, and of the mean itself
        mean = np.array([float(p) for p in exact])
        fisher = np.abs(np.diag(mean) - np.outer(mean, mean))
        bound = 8 * np.finfo(float).eps * np.maximum(mean, fisher @ np.abs(natural))
        assert (np.abs(family.to_mean(natural) - mean) <= bound + 1e-307).all()


def test_entropy_of_a_category_that_is_all_but_certain():
    family = Categorical(3)
    expected = 300 * np.exp(-300) + np.exp(-300)
    np.testing.assert_allclose(family.entropy([-300.0, -1e5]), expected, rtol=1e-13)
    np.testing.assert_allclose(family.entropy([300.0, -1e5]), expected, rtol=1e-13)


def test_fisher_information_of_a_category_that_is_all_but_certain():
    # variances and covariances keep their digits, so that its inverse does
    fisher = Categorical(3).fisher_information([40.0, 10.0])
    p = np.exp([-40.0, -30.0])
    np.testing.assert_allclose(fisher[0, 0], p.sum(), rtol=1e-12)
    np.testing.assert_allclose(fisher[0, 1], -p[1], rtol=1e-12)
    np.testing.assert_allclose(fisher[1, 1], p[1], rtol=1e-12)
