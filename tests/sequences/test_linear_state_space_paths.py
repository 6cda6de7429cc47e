"""Draws: paths given the data, simulated sequences, and calibration of the one by the other."""

import numpy as np
import pytest
from scipy import stats

from harmonium import LinearStateSpace
from sequences.state_space_cases import Case, cases

#: False alarms of each test of moments, one in a million over all entries.
ERROR = 1e-6


@pytest.mark.parametrize("case", cases()[:9], ids=lambda case: case.name)
def test_paths_have_the_moments_of_the_joint_normal(case: Case) -> None:
    n = 20_000
    exact = case.exact()
    paths = case.process.sample_paths(case.x, 1, n, inputs=case.inputs).reshape(n, -1)
    spread = np.sqrt(np.maximum(np.diagonal(exact.covariance), 0))
    random = spread > 1e-9
    np.testing.assert_allclose(paths[:, ~random], exact.means.ravel()[~random] + np.zeros((n, 1)))
    if not random.any():
        return
    z = (paths[:, random] - exact.means.ravel()[random]) / spread[random]
    entries = z.shape[1]
    bound = stats.norm.isf(ERROR / 2 / (entries + entries**2))
    assert np.abs(z.mean(0)).max() * np.sqrt(n) < bound
    correlation = exact.covariance[np.ix_(random, random)] / np.outer(
        spread[random], spread[random]
    )
    deviation = np.sqrt((1 + correlation**2) / n)
    assert (np.abs(z.T @ z / n - correlation) / deviation).max() < bound


def test_whole_paths_are_normal() -> None:
    """The squared length of standardised paths is chi squared, whatever their correlations."""
    case = cases()[0]
    exact = case.exact()
    paths = case.process.sample_paths(case.x, 2, 5000).reshape(5000, -1) - exact.means.ravel()
    squares = np.einsum("ni,ij,nj->n", paths, np.linalg.inv(exact.covariance), paths)
    assert stats.kstest(squares, stats.chi2(paths.shape[1]).cdf).pvalue > ERROR


def test_simulated_sequences_follow_the_model() -> None:
    """Standardised innovations of simulated data are independent standard normals."""
    rng = np.random.default_rng(8)
    inputs = rng.normal(size=(4000, 1))
    process = LinearStateSpace(2, 2, noise="full", n_inputs=1).at(
        transition=[[0.8, 0.5], [-0.2, 0.7]],
        transition_noise=[[1.0, 0.3], [0.3, 0.5]],
        loadings=[[1.0, -1.0], [0.4, 2.0]],
        noise=[[0.5, 0.2], [0.2, 0.3]],
        mean=[3.0, -1.0],
        offset=[1.0, 0.0],
        transition_inputs=[[2.0], [0.0]],
        observation_inputs=[[0.0], [-3.0]],
        initial_mean=[5.0, 5.0],
        initial_covariance=[[2.0, 1.0], [1.0, 2.0]],
    )
    lengths = [2] * 2000
    x, states = process.sample(4000, 9, lengths, inputs=inputs)
    predicted = process.predict(x, lengths, inputs=inputs)
    root = np.linalg.cholesky(predicted.covariance)
    z = np.linalg.solve(root, (x - predicted.mean)[..., None])[..., 0]
    both = z.reshape(2000, 4)
    assert stats.kstest(both.ravel(), "norm").pvalue > ERROR
    bound = stats.norm.isf(ERROR / 2 / 20)
    assert np.abs(both.mean(0)).max() * np.sqrt(2000) < bound
    gaps = (both.T @ both / 2000 - np.eye(4)) / np.sqrt((1 + np.eye(4)) / 2000)
    assert np.abs(gaps).max() < bound
    first = states[::2]
    assert np.abs(first.mean(0) - 5).max() < bound * np.sqrt(2 / 2000)


@pytest.mark.parametrize("missing", [0.0, 0.3])
def test_calibration_of_paths(missing: float) -> None:
    """Ranks of the true states among draws given their data are uniform (Talts et al., 2018).

    2,000 pairs, 99 draws, 20 bins, four functions of the path; Bonferroni p > 1e-4.
    """
    pairs, draws, bins, length = 2000, 99, 20, 5
    process = LinearStateSpace(1, 2).at(
        transition=[[0.9, 0.4], [-0.3, 0.7]],
        transition_noise=[[0.5, 0.1], [0.1, 0.2]],
        loadings=[[1.0, 0.5]],
        noise=0.4,
        initial_mean=[1.0, -1.0],
        initial_covariance=[[1.0, 0.5], [0.5, 2.0]],
    )
    lengths = [length] * pairs
    x, states = process.sample(pairs * length, 11, lengths)
    if missing:
        x[np.random.default_rng(12).random(x.shape) < missing] = np.nan
    paths = process.sample_paths(x, 13, draws, lengths).reshape(draws, pairs, length, 2)
    true = states.reshape(pairs, length, 2)
    functions = [
        lambda path: path[..., 0, 0],
        lambda path: path[..., -1, 1],
        lambda path: (path[..., 1:, 0] * path[..., :-1, 0]).sum(-1),
        lambda path: (path**2).sum((-2, -1)),
    ]
    p_values = []
    for function in functions:
        ranks = (function(paths) < function(true)).sum(0)
        counts = np.bincount(ranks * bins // (draws + 1), minlength=bins)
        p_values.append(stats.chisquare(counts).pvalue)
    assert min(p_values) * len(functions) > 1e-4


def test_seeds_and_sequences_have_their_own_streams() -> None:
    process = cases()[0].process
    x = process.sample(6, 0, [3, 3])[0]
    x[3:] = x[:3]
    paths = process.sample_paths(x, 5, 3, [3, 3])
    assert len(np.unique(paths[:, [0, 3], 0])) == 6
    np.testing.assert_array_equal(paths, process.sample_paths(x, 5, 3, [3, 3]))
    assert (paths != process.sample_paths(x, 6, 3, [3, 3])).all()
    assert process.sample_paths(x, 5, 0, [3, 3]).shape == (0, 6, 2)
