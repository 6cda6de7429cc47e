"""What is refused, in what words, and what is taken."""

import pickle
import signal
import threading
import time
from typing import Any

import numpy as np
import pytest

from harmonium import LinearStateSpace
from harmonium.sequences import LinearStateSpaceProcess

MODEL = LinearStateSpace(2, 2)
GOOD: dict[str, Any] = {
    "transition": 0.5 * np.eye(2),
    "transition_noise": np.eye(2),
    "loadings": np.eye(2),
    "noise": [1.0, 2.0],
    "initial_covariance": 1.0,
}


def at(**changes: object) -> LinearStateSpaceProcess:
    return MODEL.at(**(GOOD | changes))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"transition": np.eye(3)}, r"transition: of shape \(2, 2\)"),
        ({"transition": [[np.nan, 0], [0, 1]]}, "transition contains NaN"),
        ({"transition_noise": [[1, 2], [2, 1]]}, "transition_noise must be positive semidefinite"),
        ({"transition_noise": [[1, 0.5], [0.1, 1]]}, "transition_noise must be symmetric"),
        ({"noise": -1}, "noise: a negative variance"),
        ({"noise": [1, 1, 1]}, "noise: 3 variances for 2 columns"),
        ({"noise": [[1, 0.5], [0.5, 1]]}, 'noise: correlated, but the model says "diagonal"'),
        ({"initial_covariance": [np.inf, -1]}, "initial_covariance"),
        ({"initial_covariance": np.nan}, "unknown, diffuse start is infinite"),
        ({"initial_covariance": [[np.inf, 1], [1, 1]]}, "no finite covariances: write 0"),
        ({"initial_covariance": "steady"}, '"stationary"'),
        (
            {"initial_covariance": "stationary", "transition": np.eye(2)},
            "largest eigenvalue is 1 in magnitude",
        ),
        ({"diffuse": [[1, 2], [1, 2]]}, "combinations of others"),
        ({"mean": [1, 2, 3]}, r"mean: of shape \(2,\)"),
    ],
)
def test_parameters_outside_their_domain(changes: dict[str, object], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        at(**changes)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"noise": "banded"}, "noise: one of"),
        ({"n_states": 0}, "n_states must be at least 1"),
        ({"n_inputs": -1}, "n_inputs"),
    ],
)
def test_models_that_are_none(arguments: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        LinearStateSpace(**({"n_observed": 2, "n_states": 2} | arguments))


def test_tied_noise_is_isotropic() -> None:
    model = LinearStateSpace(2, 1, noise="tied")  # type: ignore[arg-type]  # the other word for it
    assert model == LinearStateSpace(2, 1, noise="isotropic")
    assert hash(model) == hash(LinearStateSpace(2, 1, noise="isotropic"))


@pytest.mark.parametrize(
    ("x", "options", "words"),
    [
        (np.zeros((0, 2)), {}, "minimum of 1 is required"),
        (np.zeros((4, 3)), {}, "x has 3 features"),
        (np.zeros(4), {}, "Expected 2D array"),
        ([[np.inf, 0.0]], {}, "infinity"),
        (np.zeros((4, 2)), {"lengths": [2, 3]}, "add up to 5, but x has 4"),
        (np.zeros((4, 2)), {"lengths": [4, 0]}, "empty sequence"),
        (np.zeros((4, 2)), {"inputs": np.zeros((4, 1))}, "inputs: the model has none"),
    ],
)
def test_data_that_can_not_be_read(x: object, options: dict[str, Any], words: str) -> None:
    process = at()
    for method in (process.filter, process.smooth, process.log_likelihood, process.predict):
        with pytest.raises(ValueError, match=words):
            method(x, **options)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"learn": "drift"}, 'learn: of "transition"'),
        ({"learn": ()}, "learn: nothing"),
        ({"learn": "observation_inputs"}, "the model has no inputs"),
        ({"weights": [1.0, 2.0]}, "weights must have 1 entries"),
        ({"weights": [0.0]}, "at least one non-zero"),
        ({"max_iter": -1}, "max_iter"),
        ({"tol": -1.0}, "tol"),
        ({"initial": LinearStateSpace(2, 1).at(**(GOOD | {
            "transition": 1, "transition_noise": 1, "loadings": 1}))}, "another model"),
        ({"initial": at(initial_covariance=np.inf), "learn": "initial"}, "diffuse start"),
        ({"initial": at(noise=0, transition_noise=0, initial_covariance=0)}, "impossible"),
    ],
)  # fmt: skip
def test_fits_that_are_refused(options: dict[str, Any], words: str) -> None:
    x = np.random.default_rng(0).normal(size=(20, 2))
    with pytest.raises(ValueError, match=words):
        MODEL.fit(x, **options)


def test_a_column_without_a_value_is_no_fit_but_a_filter() -> None:
    x = np.zeros((5, 2))
    x[:, 1] = np.nan
    with pytest.raises(ValueError, match="column 1"):
        MODEL.fit(x)
    assert np.isfinite(at().smooth(x).means).all()


def test_an_improper_posterior_is_no_expectation() -> None:
    x = np.full((3, 2), np.nan)
    x[0] = [1.0, np.nan]
    start = at(initial_covariance=np.inf, transition=np.eye(2))
    filled = np.concatenate([x, np.zeros((4, 2))])
    with pytest.raises(ValueError, match="row 2: the posterior of the state is improper"):
        MODEL.fit(filled, [3, 4], initial=start)


def test_an_unstable_state_is_an_error_that_says_so() -> None:
    x = np.full((20_000, 2), np.nan)
    with pytest.raises(ValueError, match=r"row \d+: the state's mean or variance is beyond"):
        at(transition=2 * np.eye(2), initial_mean=1).filter(x)


def test_a_diffuse_start_is_no_law_to_draw_from() -> None:
    with pytest.raises(ValueError, match="no law to draw from"):
        at(initial_covariance=np.inf).sample(3)


def test_inputs_are_asked_for() -> None:
    driven = LinearStateSpace(2, 2, n_inputs=1).at(**GOOD, observation_inputs=[[1], [0]])
    x = np.zeros((3, 2))
    with pytest.raises(ValueError, match="pass a table of 3 rows"):
        driven.filter(x)
    with pytest.raises(ValueError, match="inputs: 2 rows, but there must be 3"):
        driven.filter(x, inputs=np.zeros((2, 1)))
    with pytest.raises(ValueError, match="future_inputs: the model has 1"):
        driven.forecast(x, 2, inputs=np.zeros((3, 1)))


def test_processes_are_pickled_with_their_parameters() -> None:
    process, x = at(), np.ones((4, 2))
    before = process.smooth(x).means
    again = pickle.loads(pickle.dumps(process))
    np.testing.assert_array_equal(again.smooth(x).means, before)


def test_any_layout_gives_the_same_bits_and_nothing_is_written() -> None:
    process = at()
    x = process.sample(50, 0)[0]
    expected = process.smooth(x).means
    wide = np.asfortranarray(np.repeat(x, 2, 0))[::2]
    wide.flags.writeable = False
    np.testing.assert_array_equal(process.smooth(wide).means, expected)
    np.testing.assert_array_equal(process.smooth(x.tolist()).means, expected)


def test_interruption_is_prompt_and_leaves_the_process_whole() -> None:
    process = at()
    x = process.sample(400_000, 0)[0]
    x[np.random.default_rng(0).random(x.shape) < 0.3] = np.nan
    small = x[:1000]
    before = process.smooth(small).means
    sent = [0.0]

    def interrupt() -> None:
        sent[0] = time.monotonic()
        signal.raise_signal(signal.SIGINT)

    timer = threading.Timer(0.05, interrupt)
    timer.start()

    def work() -> None:
        for _ in range(1000):
            process.smooth(x)

    with pytest.raises(KeyboardInterrupt):
        work()
    assert time.monotonic() - sent[0] < 0.5
    timer.join()
    np.testing.assert_array_equal(process.smooth(small).means, before)
