"""Families with an end of states: how many there are, and which."""

import itertools

import numpy as np
import pytest

from harmonium import (
    Bernoulli,
    Binomial,
    Boltzmann,
    Categorical,
    Harmonium,
    Mixture,
    Normal,
    Poisson,
    Product,
)

FINITE = [
    (Bernoulli(3), (2, 2, 2)),
    (Binomial(4, 2), (5, 5)),
    (Categorical(5), (5,)),
    (Categorical(1), (1,)),
    (Boltzmann(3), (2, 2, 2)),
    (Boltzmann(3, ((0, 1),)), (2, 2, 2)),
    (Product(Binomial(2), Categorical(3), Bernoulli(2)), (3, 3, 2, 2)),
    (Mixture(Bernoulli(2), 3), (2, 2, 3)),
    (Harmonium(Bernoulli(2), Categorical(2)), (2, 2, 2)),
]


@pytest.mark.parametrize(("family", "levels"), FINITE)
def test_states_are_all_combinations_the_first_column_fastest(family, levels):
    assert family.levels == levels
    assert family.n_states == np.prod(levels)
    expected = [row[::-1] for row in itertools.product(*(range(k) for k in levels[::-1]))]
    assert np.array_equal(family.states(), np.array(expected, dtype=float))
    last = family.n_states
    assert np.array_equal(family.states(last // 2, last), np.array(expected)[last // 2 :])
    family.check_data(family.states())


@pytest.mark.parametrize(("family", "levels"), FINITE)
def test_probabilities_of_all_states_sum_to_one(family, levels):
    natural = np.linspace(-0.7, 0.9, family.dimension)
    total = np.exp(family.log_density(natural, family.states())).sum()
    assert total == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize(
    "family", [Poisson(2), Normal(1), Product(Bernoulli(1), Poisson(1)), Mixture(Normal(1), 2)]
)
def test_families_without_end(family):
    assert family.levels is None
    assert family.n_states is None
    with pytest.raises(ValueError, match="no end of states"):
        family.states()


def test_limits():
    assert Bernoulli(1000).n_states == 2**1000
    with pytest.raises(ValueError, match="bytes"):
        Bernoulli(1000).states()
    with pytest.raises(ValueError, match="states 3 to 9 of"):
        Bernoulli(3).states(3, 9)
    assert Bernoulli(40).states(2**39, 2**39 + 1)[0, 39] == 1
