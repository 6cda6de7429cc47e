"""What draws of several chains are worth."""

import numpy as np
import pytest

from harmonium.numerics.markov_chains import effective_sample_size, gibbs_sample, split_ratio


def test_effective_sample_size_of_independent_and_of_repeated_draws():
    rng = np.random.default_rng(9)
    independent = (rng.random((4, 1000, 3)) < 0.5).astype(float)
    assert np.allclose(effective_sample_size(independent), 4000, rtol=0.15)
    repeated = np.repeat(independent[:, :100], 10, axis=1)
    assert np.allclose(effective_sample_size(repeated), 400, rtol=0.35)


def test_autoregressive_chains_are_worth_what_theory_says():
    # n (1 - a) / (1 + a) independent draws, for a correlation of a from draw to draw
    rng = np.random.default_rng(0)
    chains = np.empty((4, 20_000, 2))
    chains[:, 0] = rng.normal(size=(4, 2))
    share = np.array([0.5, 0.9])
    for t in range(1, 20_000):
        chains[:, t] = share * chains[:, t - 1] + np.sqrt(1 - share**2) * rng.normal(size=(4, 2))
    found = effective_sample_size(chains)
    assert found == pytest.approx(80_000 * (1 - share) / (1 + share), rel=0.1)


def test_split_ratio_by_hand():
    # halves [0, 2], [2, 4] of one chain and [0, 2], [0, 2] of the other
    values = np.array([[0.0, 2.0, 2.0, 4.0], [0.0, 2.0, 0.0, 2.0]])[..., None]
    within, means = 2.0, np.array([1.0, 3.0, 1.0, 1.0])
    expected = np.sqrt((0.5 * within + means.var(ddof=1)) / within)
    assert split_ratio(values) == pytest.approx([expected])
    assert gibbs_sample(values).split_ratio == pytest.approx([expected])


def test_chains_that_never_move():
    apart = np.repeat([[[0.0]], [[1.0]]], 10, 1)
    assert np.isinf(split_ratio(apart)).all()
    assert split_ratio(np.ones((3, 10, 1))) == 1
    assert np.isnan(split_ratio(np.ones((3, 3, 1)))).all()
    assert effective_sample_size(np.ones((3, 10, 1))) == 30
