"""Each column given all others, against exact densities."""

import numpy as np
import pytest

from harmonium import Bernoulli, Binomial, Categorical, Harmonium, Mixture, Poisson, Product
from harmonium.learning import pseudo_log_likelihood
from laws.tolerances import assert_close


@pytest.mark.parametrize(
    "model",
    [
        Harmonium(Bernoulli(4), Bernoulli(2)),
        Harmonium(Product(Binomial(2, 2), Categorical(3)), Bernoulli(2)),
        Mixture(Bernoulli(3), 2),
    ],
)
def test_against_exact_densities(model):
    natural = np.random.default_rng(0).normal(size=model.dimension)
    x = model.observable.states()
    density = np.exp(model.log_observable_density(natural, x))
    expected = np.zeros(len(x))
    for column in range(x.shape[1]):
        others = np.delete(x, column, 1)
        same = (others[:, None] == others[None]).all(-1)
        expected += np.log(density / (same @ density))
    assert_close(pseudo_log_likelihood(model, natural, x), expected, 1e-11)


def test_of_one_column_it_is_the_density():
    model = Harmonium(Categorical(4), Bernoulli(3))
    natural = np.random.default_rng(1).normal(size=model.dimension)
    x = np.arange(4.0)[:, None]
    density = model.log_observable_density(natural, x)
    assert_close(pseudo_log_likelihood(model, natural, x), density, 1e-12)


def test_columns_without_end():
    model = Harmonium(Poisson(2), Bernoulli(2))
    with pytest.raises(ValueError, match="no end of values"):
        pseudo_log_likelihood(model, np.zeros(model.dimension), [[1, 2]])
