"""Filtering, smoothing and forecasting against the joint normal, exactly."""

import itertools

import numpy as np
import pytest

import harmonium
from harmonium import LinearStateSpace
from harmonium.sequences import LinearStateSpaceProcess
from sequences.state_space_cases import Case, cases, nile

CASES = cases()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_smoothing_is_that_of_the_joint_normal(case: Case) -> None:
    exact = case.exact()
    found = case.process.smooth(case.x, inputs=case.inputs)
    scale = max(1.0, np.abs(exact.covariance).max())
    assert found.log_predictive.sum() == pytest.approx(exact.log_likelihood, rel=1e-12, abs=1e-11)
    np.testing.assert_allclose(found.means, exact.means, rtol=1e-11, atol=1e-11 * scale)
    np.testing.assert_allclose(found.covariances, exact.covariances(), rtol=0, atol=1e-11 * scale)
    np.testing.assert_allclose(found.lag_one, exact.lag_one(), rtol=0, atol=1e-11 * scale)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_filtering_is_smoothing_of_the_rows_so_far(case: Case) -> None:
    found = case.process.filter(case.x, inputs=case.inputs)
    for t in range(case.rows_that_settle() - 1, len(case.x)):
        exact = case.exact(rows=t + 1)
        np.testing.assert_allclose(found.means[t], exact.means[t], rtol=1e-10, atol=1e-10)
        np.testing.assert_allclose(
            found.covariances[t], exact.covariances()[t], rtol=1e-10, atol=1e-10
        )
        if t + 1 < len(case.x):
            after = exact.means[t + 1]
            np.testing.assert_allclose(found.predicted_means[t + 1], after, rtol=1e-10, atol=1e-10)
    log_likelihood = case.process.log_likelihood(case.x, inputs=case.inputs)
    assert log_likelihood == pytest.approx(found.log_predictive.sum(), rel=1e-14)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_forecasts_are_those_of_the_joint_normal(case: Case) -> None:
    steps, own = 2, case.process.parameters
    rows = len(case.x) - steps
    if rows < case.rows_that_settle():
        pytest.fail("a case must settle its start before the forecast")
    exact = case.exact(rows=rows)
    inputs = None if case.inputs is None else case.inputs[:rows]
    future = None if case.inputs is None else case.inputs[rows:]
    found = case.process.forecast(case.x[:rows], steps, inputs=inputs, future_inputs=future)
    effect = 0 if future is None else future @ own.observation_inputs.T
    means = own.mean + exact.means[rows:] @ own.loadings.T + effect
    np.testing.assert_allclose(found.mean, means, rtol=1e-10, atol=1e-10)
    spread = own.loadings @ exact.covariances()[rows:] @ own.loadings.T + case.noise()
    np.testing.assert_allclose(found.covariance, spread, rtol=1e-10, atol=1e-10)


def test_predictions_have_the_log_densities_that_the_filter_reports() -> None:
    process = simple()
    x = process.sample(40, 0)[0]
    x[5, 0] = np.nan
    predicted = process.predict(x)
    found = process.filter(x).log_predictive
    for t in range(40):
        seen = ~np.isnan(x[t])
        residual = (x[t] - predicted.mean[t])[seen]
        spread = predicted.covariance[t][np.ix_(seen, seen)]
        expected = -0.5 * (
            residual @ np.linalg.solve(spread, residual) + np.linalg.slogdet(2 * np.pi * spread)[1]
        )
        assert found[t] == pytest.approx(expected, rel=1e-12)


# --------------------------------------------------------------------------- published numbers


def test_the_nile_at_its_published_variances() -> None:
    """Durbin and Koopman (2012), section 2.2.5: the local level model of the Nile's flow.

    Its statsmodels twin (``UnobservedComponents(nile, "llevel", use_exact_diffuse=True)``) has
    the same convention: its log-likelihood at these variances is -633.464564 too.
    """
    level = LinearStateSpace(1, 1).at(
        transition=1, transition_noise=1469.1, loadings=1, noise=15099, initial_covariance=np.inf
    )
    x = nile()
    assert level.log_likelihood(x)[0] == pytest.approx(-633.4645636, abs=1e-6)
    filtered = level.filter(x)
    # the first value settles the level: its filtered variance is that of the noise
    assert filtered.means[0, 0] == x[0, 0]
    assert filtered.covariances[0, 0, 0] == pytest.approx(15099, rel=1e-14)
    assert np.isposinf(filtered.predicted_covariances[0, 0, 0])
    assert filtered.log_predictive[0] == pytest.approx(-0.5 * np.log(2 * np.pi), rel=1e-14)
    # steady state: the positive root of q x^2 - q - 1, times the noise
    q = 1469.1 / 15099
    steady = (q + np.sqrt(q**2 + 4 * q)) / 2 * 15099
    assert filtered.predicted_covariances[-1, 0, 0] == pytest.approx(steady, rel=1e-10)


def test_a_diffuse_likelihood_is_the_limit_of_proper_ones() -> None:
    model = LinearStateSpace(1, 2)
    noise = np.diag([0.3, 0.1])
    own = {
        "transition": [[1, 1], [0, 1]],
        "transition_noise": noise,
        "loadings": [[1, 0]],
        "noise": 1,
    }
    x = np.random.default_rng(1).normal(size=(30, 1)).cumsum(0)
    exact = model.at(**own, initial_covariance=np.inf).log_likelihood(x)[0]
    kappa = 1e9
    near = model.at(**own, initial_covariance=kappa).log_likelihood(x)[0] + np.log(kappa)
    assert exact == pytest.approx(near, abs=1e-6)


# ------------------------------------------------------------------------- missing and noise free


def simple(**changes: object) -> LinearStateSpaceProcess:
    own: dict[str, object] = {
        "transition": [[0.9, 0.3], [-0.3, 0.9]],
        "transition_noise": np.diag([0.2, 0.3]),
        "loadings": [[1.0, 0.0], [0.5, 1.0]],
        "noise": [0.5, 0.2],
        "initial_covariance": np.eye(2),
    }
    return LinearStateSpace(2, 2).at(**(own | changes))


def test_rows_of_nothing_are_forecasts() -> None:
    process = simple()
    x = process.sample(20, 3)[0]
    x[12:] = np.nan
    found = process.filter(x)
    forecast = process.forecast(x[:12], 8)
    np.testing.assert_array_equal(found.means[12:], forecast.state_mean)
    assert (found.log_predictive[12:] == 0).all()


def test_a_value_without_noise_is_the_state() -> None:
    process = simple(loadings=np.eye(2), noise=0)
    x = process.sample(15, 1)[0]
    found = process.smooth(x)
    np.testing.assert_allclose(found.means, x, rtol=1e-13, atol=1e-14)
    assert np.abs(found.covariances).max() < 1e-28


def test_what_was_known_beforehand_adds_nothing_and_another_value_is_impossible() -> None:
    # nothing is random but the first state, which two rows settle
    still = simple(transition_noise=0, noise=0, loadings=[[1, 0], [1, 0]])
    x = still.sample(50, 0)[0]
    found = still.filter(x)
    assert (found.log_predictive[2:] == 0).all()
    assert np.isfinite(found.log_predictive[:2]).all()
    np.testing.assert_allclose(still.smooth(x).means @ [[1], [0]], x[:, :1], atol=1e-12)
    x[30, 1] += 1e-3
    assert still.log_likelihood(x)[0] == -np.inf


def test_noise_that_is_almost_zero() -> None:
    """Variances of 1e-12 beside states of variance one."""
    exact = [
        Case.of(seed, d=3, p=2, n=6, noise=noise, tiny=1e-12)
        for seed, noise in [(1, "diagonal"), (2, "full")]
    ]
    for case in exact:
        answer, found = case.exact(), case.process.smooth(case.x)
        assert found.log_predictive.sum() == pytest.approx(answer.log_likelihood, rel=1e-9)
        np.testing.assert_allclose(found.means, answer.means, rtol=1e-8, atol=1e-8)
        variances = np.diagonal(found.covariances, axis1=1, axis2=2)
        expected = np.diagonal(answer.covariances(), axis1=1, axis2=2)
        # a variance of 1e-12 beside terms of one: relative, by square roots
        np.testing.assert_allclose(np.sqrt(variances), np.sqrt(expected), rtol=1e-7, atol=1e-12)


def test_an_offset_of_ten_million_standard_deviations() -> None:
    process = simple()
    x = process.sample(200, 4)[0]
    far = simple(mean=[1e7, -1e7])
    assert far.log_likelihood(x + np.array([1e7, -1e7]))[0] == pytest.approx(
        process.log_likelihood(x)[0], abs=1e-5
    )


def test_a_start_stays_diffuse_until_rows_settle_it() -> None:
    process = simple(initial_covariance=np.inf, loadings=[[1, 0], [1, 0]])
    x = np.full((6, 2), np.nan)
    x[2, 0], x[4, 1] = 1.0, -1.0
    found = process.filter(x)
    assert np.isinf(np.diagonal(found.covariances[:4], axis1=1, axis2=2)).any(1).all()
    assert np.isfinite(found.covariances[4:]).all()
    assert np.isfinite(process.smooth(x).covariances).all()
    alone = process.smooth(x[:3])
    assert np.isinf(alone.covariances).any(axis=(1, 2)).all()
    assert not np.isnan(alone.covariances).any()
    with pytest.raises(ValueError, match="improper"):
        process.sample_paths(x[:3], 0)


# ------------------------------------------------------------------------ sequences, threads, length


def test_sequences_are_read_apart() -> None:
    process = simple()
    lengths = [1, 7, 30]
    x = process.sample(38, 5, lengths)[0]
    together = process.smooth(x, lengths)
    likelihoods = process.log_likelihood(x, lengths)
    starts = np.cumsum([0, *lengths])
    for i, (a, b) in enumerate(itertools.pairwise(starts)):
        alone = process.smooth(x[a:b])
        np.testing.assert_array_equal(together.means[a:b], alone.means)
        np.testing.assert_array_equal(together.lag_one[a:b], alone.lag_one)
        assert likelihoods[i] == process.log_likelihood(x[a:b])[0]
        future = process.forecast(x, 3, lengths)
        np.testing.assert_array_equal(future.mean[i], process.forecast(x[a:b], 3).mean)


@pytest.mark.parametrize("n_threads", [2, 3, 8])
def test_threads_do_not_change_a_bit(n_threads: int) -> None:
    process = simple()
    lengths = [6000, 1, 5000, 9000]
    x = process.sample(20_001, 6, lengths)[0]
    x[::7, 0] = np.nan
    one, many = [], []
    for out, n in ((one, 1), (many, n_threads)):
        harmonium.set_threads(n)
        try:
            out += [*process.smooth(x, lengths), *process.filter(x, lengths)]
            out += [process.sample_paths(x, 1, 2, lengths), process.sample(20_001, 6, lengths)[0]]
        finally:
            harmonium.set_threads(None)
    for a, b in zip(one, many, strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_million_steps() -> None:
    """A local level at the limit: what 1e6 steps have summed is right, and nothing underflows."""
    level = LinearStateSpace(1, 1).at(
        transition=1, transition_noise=1e-4, loadings=1, noise=1, initial_covariance=np.inf
    )
    n = 1_000_000
    rng = np.random.default_rng(0)
    z = 0.01 * rng.normal(size=n).cumsum()
    x = (z + rng.normal(size=n))[:, None]
    found = level.smooth(x)
    ratio = 1e-4
    predicted = (ratio + np.sqrt(ratio**2 + 4 * ratio)) / 2
    middle = found.covariances[n // 2, 0, 0]
    # precision of a level from both sides: 1/P = 1/P+ + 1/P- + 1 with P± the predictions
    assert middle == pytest.approx(1 / (2 / predicted + 1), rel=1e-9)
    error = found.means[:, 0] - z
    assert np.mean(error**2) == pytest.approx(middle, rel=0.05)
    per_row = -0.5 * (np.log(2 * np.pi * (predicted + 1)) + 1)
    assert found.log_predictive.mean() == pytest.approx(per_row, abs=0.005)
