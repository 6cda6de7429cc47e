"""The kernels of hidden Markov models against every path summed, and against logarithms."""

import itertools
import signal
import subprocess
import sys
import time
from typing import Any

import numpy as np
import pytest
from chains import Answers, by_paths, in_logs, random_chain
from hypothesis import given, settings
from hypothesis import strategies as st

from harmonium import _kernels
from harmonium.validation import FloatArray

INF = np.inf


def one(n: int) -> Any:
    return np.array([0, n])


def assert_right(
    initial: FloatArray, transition: FloatArray, logs: FloatArray, right: Answers, path: bool
) -> None:
    """Everything that the kernels say of one sequence."""
    chain = _kernels.Chain(initial, transition)
    offsets = one(len(logs))
    states, predictive, transitions, pairs, _ = chain.smooth(logs, offsets, 1, pairs=True)
    # sums of n log densities of magnitude m carry a rounding of eps n m
    largest = np.abs(logs[np.isfinite(logs)]).max(initial=0.0)
    atol = 1e-12 + 4 * np.finfo(float).eps * len(logs) * largest
    np.testing.assert_allclose(predictive, right.log_predictive, rtol=1e-12, atol=atol)
    np.testing.assert_allclose(states, right.smoothed, rtol=0, atol=atol)
    assert pairs is not None
    np.testing.assert_allclose(pairs[:-1], right.pairs, rtol=0, atol=atol)
    np.testing.assert_allclose(transitions, right.pairs.sum(0), rtol=1e-9, atol=atol * len(logs))
    filtered, again = chain.filter(logs, offsets, 1)
    np.testing.assert_allclose(filtered, right.filtered, rtol=0, atol=atol)
    assert np.array_equal(again, predictive)
    best, log_probability = chain.most_probable_paths(logs, offsets, 1)
    np.testing.assert_allclose(log_probability, [right.log_probability], rtol=1e-12, atol=atol)
    if path:
        assert best.tolist() == right.path


@settings(max_examples=150)
@given(
    st.integers(0, 10**6),
    st.integers(1, 4),
    st.integers(1, 6),
    st.sampled_from([0.0, 0.4, 0.7]),
    st.sampled_from([1.0, 30.0, 800.0, 1e5]),
    st.sampled_from([0.0, 0.2]),
)
def test_against_every_path(
    seed: int, k: int, n: int, zeros: float, scale: float, impossible: float
) -> None:
    rng = np.random.default_rng(seed)
    initial, transition = random_chain(rng, k, zeros)
    logs = scale * rng.normal(size=(n, k))
    logs[rng.random((n, k)) < impossible] = -INF
    right = by_paths(initial, transition, logs)
    if right.log_likelihood > -INF:
        assert_right(initial, transition, logs, right, path=True)
        return
    # the first row that can not be
    row = int(np.argmax(right.log_predictive == -INF))
    chain = _kernels.Chain(initial, transition)
    for method in (chain.smooth, chain.filter, chain.predict, chain.most_probable_paths):
        with pytest.raises(ValueError, match=f"row {row} has density zero in every state"):
            method(logs, one(n), 1)


@pytest.mark.parametrize("k", [1, 2, 3, 5, 6, 7, 8, 9, 17])
@pytest.mark.parametrize("kind", ["dense", "left to right", "tiny", "never"])
def test_against_logarithms(k: int, kind: str) -> None:
    rng = np.random.default_rng([k, len(kind)])
    initial, transition = random_chain(rng, k)
    if kind == "left to right":
        initial = np.eye(k)[0]
        transition = np.triu(transition) + 1e-12 * np.eye(k)
    elif kind == "tiny":
        transition = np.where(rng.random((k, k)) < 0.5, 1e-300, transition)
    elif kind == "never":
        transition = np.eye(k)
    transition = transition / transition.sum(-1, keepdims=True)
    # several blocks; the first rows favour one state by far, the last bring another back
    logs = 20 * rng.normal(size=(300, k))
    logs[:150, 0] += 40
    logs[150:, k - 1] += 45
    assert_right(initial, transition, logs, in_logs(initial, transition, logs), path=False)


def test_a_state_that_only_the_end_brings_back() -> None:
    # its filtered probability is exp(-70000) half way, and the posterior one
    logs = np.zeros((2000, 2))
    logs[:1000, 0], logs[1000:, 1] = 70.0, 80.0
    chain = _kernels.Chain(np.array([0.5, 0.5]), np.eye(2))
    states, predictive, _, _, _ = chain.smooth(logs, one(2000), 1)
    np.testing.assert_allclose(states[:, 1], 1, rtol=1e-14)
    np.testing.assert_allclose(predictive.sum(), 80_000 + np.log(0.5), rtol=1e-14)


@pytest.mark.parametrize("level", [0.0, -690.0, -1e6, 1e6])
def test_a_million_steps(level: float) -> None:
    # with even rows the likelihood is known: every row adds the same
    n, k = 1_000_000, 3
    chain = _kernels.Chain(np.full(k, 1 / k), np.full((k, k), 1 / k))
    logs = np.tile(level + np.array([0.0, -1.0, -700.0]), (n, 1))
    states, predictive, transitions, _, _ = chain.smooth(logs, one(n), 2)
    each = level + np.log((1 + np.exp(-1) + np.exp(-700)) / 3)
    np.testing.assert_allclose(predictive, each, rtol=1e-13)
    np.testing.assert_allclose(states[:, 1], np.exp(-1) / (1 + np.exp(-1)), rtol=1e-12)
    np.testing.assert_allclose(transitions.sum(), n - 1, rtol=1e-12)


def several(rng: np.random.Generator, k: int, longest: int) -> tuple[FloatArray, Any]:
    lengths = np.concatenate([rng.integers(1, 40, 30), [longest], rng.integers(1, 900, 10)])
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    return 4 * rng.normal(size=(offsets[-1], k)), offsets


def everything(chain: Any, logs: FloatArray, offsets: Any, threads: int) -> list[Any]:
    rng = np.random.default_rng(5)
    weights = rng.uniform(size=len(offsets) - 1)
    predicted, in_logs, _ = chain.predict(logs, offsets, threads)
    uniforms = rng.random((3, len(logs)))
    return [
        *chain.filter(logs, offsets, threads),
        *chain.smooth(logs, offsets, threads, weights, pairs=True)[:4],
        *chain.most_probable_paths(logs, offsets, threads),
        chain.draw_paths(logs, offsets, predicted, in_logs, uniforms, threads),
    ]


@pytest.mark.parametrize("zeros", [0.0, 0.5])
def test_the_same_bits_for_any_number_of_threads(zeros: float) -> None:
    rng = np.random.default_rng(1)
    chain = _kernels.Chain(*random_chain(rng, 6, zeros))
    logs, offsets = several(rng, 6, 180_000)  # enough work to be shared out
    alone = everything(chain, logs, offsets, 1)
    for threads in (2, 3, 8):
        for a, b in zip(alone, everything(chain, logs, offsets, threads), strict=True):
            assert np.array_equal(a, b)


def test_sequences_do_not_know_of_each_other() -> None:
    rng = np.random.default_rng(2)
    chain = _kernels.Chain(*random_chain(rng, 4, 0.3))
    logs, offsets = several(rng, 4, 5000)
    weights = rng.uniform(size=len(offsets) - 1)
    states, predictive, transitions, pairs, _ = chain.smooth(logs, offsets, 2, weights, True)
    paths, log_probabilities = chain.most_probable_paths(logs, offsets, 2)
    total = np.zeros((4, 4))
    for i, (a, b) in enumerate(itertools.pairwise(offsets)):
        part = np.ascontiguousarray(logs[a:b])
        own = chain.smooth(part, one(b - a), 1, pairs=True)
        assert np.array_equal(states[a:b], weights[i] * own[0])
        assert np.array_equal(predictive[a:b], own[1])
        assert pairs is not None
        assert own[3] is not None
        assert np.array_equal(pairs[a : b - 1], own[3][:-1])
        total += weights[i] * own[2]
        path, log_probability = chain.most_probable_paths(part, one(b - a), 1)
        assert np.array_equal(paths[a:b], path)
        assert log_probabilities[i] == log_probability[0]
    np.testing.assert_allclose(transitions, total, rtol=1e-12)


@pytest.mark.parametrize("zeros", [0.0, 0.5])
def test_a_sequence_in_parts(zeros: float) -> None:
    # the message handed on, in probabilities or in logarithms
    rng = np.random.default_rng(3)
    chain = _kernels.Chain(*random_chain(rng, 5, zeros))
    logs = 30 * rng.normal(size=(700, 5))
    predicted, in_logs, predictive = chain.predict(logs, one(700), 1)
    states = chain.smooth(logs, one(700), 1)[0]
    for cut in (1, 300, 698):
        head, tail = np.ascontiguousarray(logs[: cut + 1]), np.ascontiguousarray(logs[cut:])
        carried = (predicted[cut].copy(), bool(in_logs[cut]))
        later, later_predictive, _, _, left = chain.smooth(tail, one(700 - cut), 1, first=carried)
        assert np.array_equal(later, states[cut:])
        assert np.array_equal(later_predictive, predictive[cut:])
        earlier = chain.smooth(head, one(cut + 1), 1, last=left)[0]
        assert np.array_equal(earlier, states[: cut + 1])


def test_errors_count_rows_from_where_they_are_told() -> None:
    chain = _kernels.Chain(np.array([1.0]), np.array([[1.0]]))
    logs = np.array([[0.0], [-INF]])
    for method in (chain.smooth, chain.predict):
        with pytest.raises(ValueError, match="row 1001 "):
            method(logs, one(2), 1, origin=1000)


def test_what_does_not_fit() -> None:
    chain = _kernels.Chain(np.array([0.5, 0.5]), np.full((2, 2), 0.5))
    logs = np.zeros((4, 2))
    for offsets in ([0, 3], [1, 4], [0, 2, 2, 4], [0, -1, 4], [0]):
        with pytest.raises(ValueError, match="offsets"):
            chain.filter(logs, np.array(offsets), 1)
    with pytest.raises(ValueError, match="states"):
        chain.filter(np.zeros((4, 3)), one(4), 1)
    with pytest.raises(ValueError, match="weights"):
        chain.smooth(logs, one(4), 1, np.ones(2))
    with pytest.raises(ValueError, match="a message"):
        chain.predict(logs, one(4), 1, (np.ones(3), False))
    for initial, transition in (
        ([0.5, np.nan], np.full((2, 2), 0.5)),
        ([1.0], np.full((2, 2), 0.5)),
        ([0.5, 0.5], [[2.0, -1.0], [0.5, 0.5]]),
    ):
        with pytest.raises(ValueError, match="transition"):
            _kernels.Chain(np.array(initial), np.array(transition))


INTERRUPT = """
import sys
import numpy as np
from harmonium import _kernels
method, threads = sys.argv[1], int(sys.argv[2])
k, n = 300, 20_000
chain = _kernels.Chain(np.full(k, 1 / k), np.full((k, k), 1 / k))
logs, offsets = np.random.default_rng(0).normal(size=(n, k)), np.array([0, n])
if method == "draw_paths":
    predicted, in_logs, _ = chain.predict(logs, offsets, 2)
    arguments = (logs, offsets, predicted, in_logs, np.full((2, n), 0.5), threads)
else:
    arguments = (logs, offsets, threads)
print("ready", flush=True)
try:
    while True:
        getattr(chain, method)(*arguments)
except KeyboardInterrupt:
    print("interrupted", flush=True)
"""


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("method", ["filter", "smooth", "most_probable_paths", "draw_paths"])
def test_ctrl_c(method: str, threads: int) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", INTERRUPT, method, str(threads)], stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        try:
            assert child.stdout.readline() == "ready\n"
            time.sleep(0.1)
            sent = time.perf_counter()
            child.send_signal(signal.SIGINT)
            assert child.stdout.readline() == "interrupted\n"
            assert time.perf_counter() - sent < 0.5
        finally:
            child.kill()
