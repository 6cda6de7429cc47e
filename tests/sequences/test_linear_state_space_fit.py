"""EM: the M-step, monotone likelihoods, honest convergence, what is learned and what is not."""

import warnings

import numpy as np
import pytest
from scipy.optimize import minimize

from harmonium import LinearStateSpace
from harmonium.errors import BoundaryWarning, ConvergenceWarning
from harmonium.learning.em import Step
from harmonium.sequences import LinearStateSpaceProcess
from harmonium.sequences.linear_state_space_data import as_driven
from harmonium.sequences.linear_state_space_point import LinearStateSpacePoint, as_parts
from sequences.state_space_cases import Case, nile

DYNAMICS = np.array([[0.9, 0.35], [-0.35, 0.9]])
EVERYTHING = (
    "transition",
    "offset",
    "transition_noise",
    "loadings",
    "mean",
    "noise",
    "initial",
)


def truth(noise: object = (0.3, 0.5, 0.2), structure: str = "diagonal") -> LinearStateSpaceProcess:
    return LinearStateSpace(3, 2, noise=structure).at(  # type: ignore[arg-type]  # one of three
        transition=DYNAMICS,
        transition_noise=np.diag([0.2, 0.3]),
        loadings=[[1.0, 0.0], [0.5, 1.0], [-1.0, 1.0]],
        noise=noise,
        mean=[1.0, 2.0, 3.0],
        initial_covariance=np.eye(2),
    )


def test_the_nile_at_its_published_estimates() -> None:
    """Durbin and Koopman (2012), section 2.10: 15099 and 1469.1 maximise the diffuse likelihood."""
    model = LinearStateSpace(1, 1)
    start = model.at(
        transition=1, transition_noise=1e4, loadings=1, noise=1e4, initial_covariance=np.inf
    )
    found = model.fit(nile(), initial=start, learn=("noise", "transition_noise"), tol=1e-7)
    assert found.converged
    own = found.parameters
    assert own.noise[0] == pytest.approx(15099, abs=1)
    assert own.transition_noise[0, 0] == pytest.approx(1469.1, abs=0.3)
    assert own.transition == 1
    assert own.loadings == 1
    assert own.mean == 0


@pytest.mark.parametrize("noise", ["full", "diagonal", "isotropic"])
@pytest.mark.parametrize("missing", [0.0, 0.3])
def test_moments_are_the_gradient_of_the_likelihood(noise: str, missing: float) -> None:
    """Fisher's identity, against differences of the likelihood along random directions."""
    rng = np.random.default_rng(3)
    case = Case.of(20, d=2, p=2, n=60, k=1, noise=noise)
    own, inputs = case.process.parameters, rng.normal(size=(60, 1))
    lengths, weights = [15, 25, 19, 1], np.array([1.0, 2.0, 0.5, 1.0])
    x = case.process.sample(60, 4, lengths, inputs=inputs)[0] + rng.normal(size=(60, 2))
    x[rng.random(x.shape) < missing] = np.nan
    x[3] = np.nan
    data = as_driven(x, lengths, inputs, n_observed=2, n_inputs=1, weights=weights)
    point = LinearStateSpacePoint(own, as_parts("noise"))
    moments = point.moments(point.summarise(data).expectation(point).sums)

    # derivatives with respect to coefficients, and to covariances
    q, r = np.linalg.inv(own.transition_noise), np.linalg.inv(case.noise())
    p = np.linalg.inv(own.initial_covariance)
    onto_z = q @ moments.transition_cross
    onto_x = r @ moments.cross
    gradient = {
        "transition": onto_z[:, :2],
        "offset": onto_z[:, 2],
        "transition_inputs": onto_z[:, 3:],
        "loadings": onto_x[:, :2],
        "mean": onto_x[:, 2],
        "observation_inputs": onto_x[:, 3:],
        "initial_mean": p @ moments.initial,
        "transition_noise": q @ (moments.disturbance @ q - moments.transitions * np.eye(2)) / 2,
        "initial_covariance": p @ (moments.initial_square @ p - 4.5 * np.eye(2)) / 2,
    }
    rows = moments.column_rows(2)
    if own.noise.ndim == 2:
        gradient["noise"] = r @ (moments.noise @ r - rows[0] * np.eye(2)) / 2
    else:
        each = (moments.noise / np.diagonal(case.noise()) - rows) / np.diagonal(case.noise()) / 2
        gradient["noise"] = each if own.noise.ndim == 1 else each.sum()

    def log_likelihood(name: str, value: np.ndarray) -> float:
        process = LinearStateSpaceProcess(own._replace(**{name: value}))
        return float(process.log_likelihood(x, lengths, inputs=inputs) @ weights)

    for name, slope in gradient.items():
        value = np.asarray(getattr(own, name))
        for _ in range(2):
            direction = rng.normal(size=value.shape)
            if name in ("noise", "transition_noise", "initial_covariance") and value.ndim == 2:
                direction = direction + direction.T
            step = 1e-5
            ahead = log_likelihood(name, value + step * direction)
            behind = log_likelihood(name, value - step * direction)
            expected = (ahead - behind) / (2 * step)
            assert np.sum(slope * direction) == pytest.approx(expected, rel=1e-6, abs=1e-6), name


def test_converged_means_a_small_gradient() -> None:
    own = truth()
    x = own.sample(400, 1, [40] * 10)[0]
    learn = ("transition", "transition_noise", "loadings", "noise", "mean")
    found = LinearStateSpace(3, 2).fit(
        x, [40] * 10, learn=learn, initial=own, tol=1e-6, max_iter=3000
    )
    assert found.converged
    assert found.residual <= 1e-6
    point = LinearStateSpacePoint(found.parameters, as_parts(learn))
    at = point.coordinates

    def log_likelihood(coordinates: np.ndarray) -> float:
        process = LinearStateSpaceProcess(point.at(coordinates).parameters)
        return float(process.log_likelihood(x, [40] * 10).sum())

    for i in range(at.shape[1]):
        step = np.zeros_like(at)
        step[0, i] = 1e-4
        slope = (log_likelihood(at + step) - log_likelihood(at - step)) / 2e-4
        assert abs(slope) < 1e-6 * 400 * 10


@pytest.mark.parametrize("structure", ["full", "diagonal", "isotropic"])
@pytest.mark.parametrize("accelerate", [False, True])
def test_the_likelihood_never_falls(structure: str, accelerate: bool) -> None:
    own = truth(structure=structure, noise=0.3 * np.eye(3))
    x = own.sample(300, 1, [100, 150, 50])[0]
    x[::5, 0] = np.nan
    x[40:45] = np.nan
    model = LinearStateSpace(3, 2, noise=structure, transition_noise=structure)  # type: ignore[arg-type]
    seen: list[Step] = []
    found = model.fit(
        x,
        [100, 150, 50],
        learn=EVERYTHING,
        accelerate=accelerate,
        max_iter=60,
        warn=False,
        callback=seen.append,
    )
    history = found.history
    assert len(seen) == len(history) == found.n_iterations + 1
    assert (np.diff(history) <= 1e-10 * np.abs(history[:-1])).all()
    assert history[-1] < history[0] - 0.01
    # the last step's likelihood is what the fitted model says of the data
    total = found.log_likelihood(x, [100, 150, 50]).sum()
    assert -total / 300 == pytest.approx(history[-1], rel=1e-10)


def test_em_finds_what_a_general_optimiser_finds() -> None:
    process = LinearStateSpace(1, 1).at(
        transition=0.8, transition_noise=1, loadings=1, noise=0.5, initial_covariance=1
    )
    x = process.sample(300, 2)[0]
    learn = ("transition", "transition_noise", "noise")
    found = LinearStateSpace(1, 1).fit(x, initial=process, learn=learn, tol=1e-8, max_iter=5000)
    assert found.converged

    def loss(logs: np.ndarray) -> float:
        own = LinearStateSpace(1, 1).at(
            transition=np.tanh(logs[0]),
            transition_noise=np.exp(logs[1]),
            loadings=1,
            noise=np.exp(logs[2]),
            initial_covariance=1,
        )
        return -own.log_likelihood(x)[0] / 300

    best = minimize(
        loss,
        [1.0, 0.0, -1.0],
        method="Nelder-Mead",
        options={"xatol": 1e-8, "fatol": 1e-14, "maxiter": 2000},
    )
    assert found.cross_entropy == pytest.approx(best.fun, abs=1e-9)
    assert found.parameters.transition[0, 0] == pytest.approx(np.tanh(best.x[0]), abs=1e-4)


def test_only_what_is_asked_for_is_learned() -> None:
    own = truth()
    x = own.sample(120, 3)[0]
    for part in (
        "transition",
        "loadings",
        "mean",
        "offset",
        "noise",
        "transition_noise",
        "initial_mean",
    ):
        found = LinearStateSpace(3, 2).fit(
            x * 2 + 10, initial=own, learn=part, max_iter=3, warn=False
        )
        for name in own.parameters._fields:
            before, after = getattr(own.parameters, name), getattr(found.parameters, name)
            if name == part:
                assert not np.allclose(before, after, rtol=1e-3)
            else:
                np.testing.assert_allclose(after, before, rtol=1e-12, atol=1e-12)


def test_a_fit_recovers_the_dynamics() -> None:
    own = truth()
    x = own.sample(20_000, 5)[0]
    found = LinearStateSpace(3, 2).fit(x, max_iter=300, tol=1e-4, warn=False)
    # what a change of the state's coordinates leaves
    ours = np.sort_complex(np.linalg.eigvals(found.parameters.transition))
    np.testing.assert_allclose(ours, np.sort_complex(np.linalg.eigvals(DYNAMICS)), atol=0.03)
    np.testing.assert_allclose(found.parameters.noise, [0.3, 0.5, 0.2], atol=0.05)
    assert found.cross_entropy < -own.log_likelihood(x)[0] / 20_000 + 1e-4


@pytest.mark.parametrize("scale", [1e-8, 1e8])
def test_units_do_not_matter(scale: float) -> None:
    x = truth().sample(400, 6)[0]
    a = np.array([scale, 1.0, 1 / scale])
    model = LinearStateSpace(3, 2)
    one = model.fit(x, max_iter=20, warn=False)
    other = model.fit(a * x + 1e7 * a, max_iter=20, warn=False)
    assert other.cross_entropy - np.log(a).sum() == pytest.approx(one.cross_entropy, abs=1e-6)


def test_weights_are_repetitions_and_zero_is_absence() -> None:
    x = truth().sample(90, 7, [30, 30, 30])[0]
    x[60:] += 100
    model, learn = LinearStateSpace(3, 2), EVERYTHING
    options = {"learn": learn, "max_iter": 5, "warn": False}
    twice = model.fit(np.concatenate([x[:30], x[:60]]), [30, 30, 30], **options)  # type: ignore[arg-type]
    heavy = model.fit(x, [30, 30, 30], weights=[2, 1, 0], **options)  # type: ignore[arg-type]
    assert heavy.cross_entropy == pytest.approx(twice.cross_entropy, rel=1e-9)
    alone = model.fit(x[:60], [30, 30], weights=[2, 1], **options)  # type: ignore[arg-type]
    for a, b in zip(heavy.parameters, alone.parameters, strict=True):
        np.testing.assert_array_equal(a, b)


def test_checkpoints_change_memory_alone() -> None:
    x = truth().sample(3000, 8)[0]
    x[::11] = np.nan
    model = LinearStateSpace(3, 2)
    whole = model.fit(x, max_iter=4, warn=False)
    parts = model.fit(x, max_iter=4, checkpoint=True, warn=False)
    np.testing.assert_allclose(parts.history, whole.history, rtol=1e-13)
    data = as_driven(x, None, None, n_observed=3, n_inputs=0, checkpoint=True)
    assert data.held_rows(2) < 300


def test_inputs_are_learned() -> None:
    rng = np.random.default_rng(1)
    u = 50 + rng.normal(size=(3000, 2))
    own = LinearStateSpace(2, 1, n_inputs=2).at(
        transition=0.7,
        transition_noise=0.3,
        loadings=[[1.0], [0.5]],
        noise=0.2,
        mean=[1.0, -1.0],
        transition_inputs=[[1.0, 0.0]],
        observation_inputs=[[0.0, 0.0], [0.0, 2.0]],
        initial_covariance=1,
    )
    x = own.sample(3000, 2, inputs=u)[0]
    found = LinearStateSpace(2, 1, n_inputs=2).fit(x, inputs=u, max_iter=500, tol=1e-5, warn=False)
    got = found.parameters
    assert got.transition[0, 0] == pytest.approx(0.7, abs=0.05)
    # the gain of the path from input to state to columns, whatever the state's coordinates
    np.testing.assert_allclose(got.loadings @ got.transition_inputs, [[1, 0], [0.5, 0]], atol=0.1)
    np.testing.assert_allclose(got.observation_inputs, [[0, 0], [0, 2]], atol=0.1)


def test_restarts_keep_the_best() -> None:
    x = truth().sample(200, 9)[0]
    model = LinearStateSpace(3, 3)
    one = model.fit(x, max_iter=15, warn=False, seed=0)
    best = model.fit(x, max_iter=15, n_init=4, warn=False, seed=0)
    assert best.cross_entropy <= one.cross_entropy
    again = model.fit(x, max_iter=15, n_init=4, warn=False, seed=0)
    np.testing.assert_array_equal(best.history, again.history)


def test_a_column_that_states_explain_exactly_is_held_at_the_floor() -> None:
    rng = np.random.default_rng(0)
    z = np.cumsum(rng.normal(size=(200, 1)), 0)
    x = np.hstack([z, 2 * z])
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found = LinearStateSpace(2, 1).fit(x, max_iter=300)
    assert BoundaryWarning in [w.category for w in caught]
    assert np.isfinite(found.cross_entropy)
    assert (found.parameters.noise > 0).all()


def test_zero_noise_stays_zero_where_it_is_not_learned() -> None:
    """An autoregression: all of the observation is the state."""
    model = LinearStateSpace(1, 1)
    own = model.at(transition=0.6, transition_noise=1, loadings=1, noise=0, initial_covariance=1)
    x = own.sample(500, 3)[0]
    found = model.fit(x, initial=own, learn=("transition", "transition_noise"), tol=1e-9)
    lagged = float((x[1:] * x[:-1]).sum() / (x[:-1] ** 2).sum())
    assert found.parameters.transition[0, 0] == pytest.approx(lagged, rel=1e-8)
    assert found.parameters.noise[0] == 0


def test_no_iterations_return_the_start_and_say_so() -> None:
    x = truth().sample(50, 0)[0]
    with pytest.warns(ConvergenceWarning, match="not converged after 0"):
        found = LinearStateSpace(3, 2).fit(x, max_iter=0)
    assert found.n_iterations == 0
    assert len(found.history) == 1


@pytest.mark.parametrize("n", [1, 2, 3])
def test_short_sequences_have_an_answer(n: int) -> None:
    x = truth().sample(n, 0)[0]
    found = LinearStateSpace(3, 2).fit(x, max_iter=5, warn=False)
    assert np.isfinite(found.cross_entropy)
    for value in found.parameters:
        assert np.isfinite(value).all()
