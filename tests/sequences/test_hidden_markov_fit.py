"""EM of hidden Markov models: what each step promises, and what fits find."""

import itertools
import warnings
from typing import Any

import numpy as np
import pytest
from chains import in_logs

from harmonium import (
    Categorical,
    Exponential,
    HiddenMarkovModel,
    LinearGaussian,
    Mixture,
    Normal,
    Poisson,
    Product,
    VonMises,
    set_threads,
)
from harmonium.errors import BoundaryWarning, ConvergenceWarning
from harmonium.learning import Step
from harmonium.sequences import HiddenMarkovChain, HiddenMarkovFit
from harmonium.validation import FloatArray
from laws.random_points import random_point, with_missing

#: A likelihood is not lowered by more than this, relative to it.
PROMISE = 1e-10

OBSERVABLES = {
    "normals": Normal(2),
    "diagonal normals": Normal(2, "diagonal"),
    "isotropic normals": Normal(2, "isotropic"),
    "counts": Poisson(2),
    "categories": Categorical(4),
    "angles": VonMises(1),
    "waits": Exponential(1),
    "columns of two kinds": Product(Normal(2), Poisson(1)),
    "mixtures": Mixture(Normal(1), 2),
    "factors": LinearGaussian(Normal(4, "diagonal"), Normal(1)),
    "clustered factors": LinearGaussian(Normal(3, "diagonal"), Mixture(Normal(1), 2)),
}
every_observable = pytest.mark.parametrize("name", OBSERVABLES)
LENGTHS = [1, 70, 2, 57]


def sticky(observable: Any, k: int, seed: int = 0) -> HiddenMarkovChain:
    """States that last, with random emissions."""
    rng = np.random.default_rng(seed)
    transition = 0.85 * np.eye(k) + 0.15 * rng.dirichlet(np.ones(k), k)
    emissions = np.stack([random_point(observable, rng) for _ in range(k)])
    return HiddenMarkovModel(observable, k).at(transition=transition, emissions=emissions)


def fit(chain: HiddenMarkovChain, x: FloatArray, *args: Any, **options: Any) -> HiddenMarkovFit:
    model = HiddenMarkovModel(chain.observable, chain.n_states)
    return model.fit(x, *args, **{"seed": 0, "warn": False, "max_iter": 12, **options})


def assert_same(one: HiddenMarkovFit, other: HiddenMarkovFit, rtol: float = 1e-8) -> None:
    np.testing.assert_allclose(one.history, other.history, rtol=rtol)
    np.testing.assert_allclose(one.transition, other.transition, rtol=1e-5, atol=1e-9)
    np.testing.assert_allclose(one.emissions, other.emissions, rtol=1e-5, atol=1e-7)


@every_observable
class TestEveryObservable:
    def data(self, name: str, missing: bool = False) -> tuple[HiddenMarkovChain, FloatArray]:
        chain = sticky(OBSERVABLES[name], 2)
        x, _ = chain.sample(130, 1, LENGTHS)
        if missing:
            partial = name not in ("angles", "waits", "categories")
            share = 0.15 if partial else 0.0
            x = with_missing(x, share, np.random.default_rng(2))
            x[40:44] = np.nan
        return chain, x

    @pytest.mark.parametrize("missing", [False, True])
    @pytest.mark.parametrize("accelerate", [False, True])
    def test_the_likelihood_never_falls(self, name: str, missing: bool, accelerate: bool) -> None:
        chain, x = self.data(name, missing)
        fitted = fit(chain, x, LENGTHS, accelerate=accelerate)
        gains = -np.diff(fitted.history)
        assert (gains >= -PROMISE * np.maximum(1, np.abs(fitted.history[1:]))).all()
        assert fitted.n_iterations == len(fitted.history) - 1 > 1
        # what the history says is what the fit says
        total = fitted.log_likelihood(x, LENGTHS).sum()
        np.testing.assert_allclose(fitted.cross_entropy, -total / len(x), rtol=1e-10)

    def test_memory_makes_no_difference(self, name: str, monkeypatch: Any) -> None:
        monkeypatch.setattr("harmonium.sequences.hidden_markov_source._SEGMENT_ROWS", 8)
        chain, x = self.data(name, True)
        assert_same(
            fit(chain, x, LENGTHS, max_iter=4), fit(chain, x, LENGTHS, max_iter=4, checkpoint=True)
        )

    def test_weights_are_repetitions(self, name: str) -> None:
        chain, x = self.data(name)
        weights = [2, 1, 0, 3]
        parts = np.split(x, np.cumsum(LENGTHS)[:-1])
        repeated = [part for part, n in zip(parts, weights, strict=True) for _ in range(n)]
        again = fit(
            chain, np.concatenate(repeated), [len(p) for p in repeated], initial=chain, max_iter=3
        )
        assert_same(fit(chain, x, LENGTHS, weights=weights, initial=chain, max_iter=3), again)


def one_step(chain: HiddenMarkovChain, x: FloatArray) -> tuple[Any, ...]:
    """Baum and Welch's step for Poisson counts, from its textbook formulas."""
    rates = chain.parameters.emissions.rate
    logs = np.stack([Poisson(x.shape[1]).log_density(np.log(rate), x) for rate in rates], -1)
    found = in_logs(chain.initial, chain.transition, logs)
    pairs = found.pairs.sum(0)
    rate = found.smoothed.T @ x / found.smoothed.sum(0)[:, None]
    return found.smoothed[0], pairs / pairs.sum(1, keepdims=True), rate


def test_a_step_is_baum_and_welch_s() -> None:
    chain = sticky(Poisson(2), 3)
    x, _ = chain.sample(200, 0)
    initial, transition, rate = one_step(chain, x)
    found = fit(chain, x, initial=chain, max_iter=1).parameters
    np.testing.assert_allclose(found.initial, initial, atol=1e-12)
    np.testing.assert_allclose(found.transition, transition)
    np.testing.assert_allclose(found.emissions.rate, rate)


class TestWhatIsLearned:
    def test_the_truth_is_found(self) -> None:
        chain = sticky(Normal(2), 3, 4)
        x, states = chain.sample(20_000, 0)
        fitted = HiddenMarkovModel(Normal(2), 3).fit(x, seed=0)
        assert fitted.converged
        assert fitted.cross_entropy <= -chain.log_likelihood(x)[0] / len(x)
        means, right = fitted.parameters.emissions.mean, chain.parameters.emissions.mean
        order = [int(np.abs(means - mean).sum(-1).argmin()) for mean in right]
        np.testing.assert_allclose(means[order], right, atol=0.1)
        np.testing.assert_allclose(
            fitted.transition[np.ix_(order, order)], chain.transition, atol=0.03
        )
        agreement = np.array(order)[chain.most_probable_path(x).states]
        assert (fitted.most_probable_path(x).states == agreement).mean() > 0.98
        assert (chain.most_probable_path(x).states == states).mean() > 0.8

    @pytest.mark.parametrize("accelerate", [False, True])
    @pytest.mark.parametrize(
        "learn", [("initial",), ("transition",), ("emissions",), ("initial", "emissions"), ()]
    )
    def test_only_what_is_asked_for(self, learn: tuple[str, ...], accelerate: bool) -> None:
        chain = sticky(Normal(2), 3)
        x, _ = chain.sample(300, 0, [100] * 3)
        start = sticky(Normal(2), 3, 9)
        fitted = fit(chain, x, [100] * 3, learn=learn, initial=start, accelerate=accelerate)
        kept = {
            "initial": np.allclose(fitted.initial, start.initial, rtol=1e-13),
            "transition": np.allclose(fitted.transition, start.transition, rtol=1e-13),
            "emissions": np.allclose(fitted.emissions, start.emissions, rtol=1e-9),
        }
        assert {part for part, same in kept.items() if not same} == set(learn)
        assert (np.diff(fitted.history) <= 1e-12).all()

    def test_zeros_stay_zero(self) -> None:
        model = HiddenMarkovModel(Poisson(1), 3)
        start = model.at(
            initial=[1, 0, 0],
            transition=[[0.9, 0.1, 0], [0, 0.9, 0.1], [0, 0, 1]],
            rate=[[1.0], [5.0], [20.0]],
        )
        x, _ = start.sample(600, 0, [60] * 10)
        for accelerate in (False, True):
            fitted = model.fit(x, [60] * 10, initial=start, accelerate=accelerate)
            assert fitted.converged
            assert fitted.initial.tolist() == [1, 0, 0]
            assert ((fitted.transition == 0) == (start.transition == 0)).all()

    def test_converged_is_stationary(self) -> None:
        chain = sticky(Poisson(2), 2)
        x, _ = chain.sample(500, 0)
        fitted = fit(chain, x, max_iter=1000, tol=1e-9)
        assert fitted.converged
        initial, transition, rate = one_step(fitted, x)
        np.testing.assert_allclose(fitted.initial, initial, atol=1e-7)
        np.testing.assert_allclose(fitted.transition, transition, atol=1e-7)
        np.testing.assert_allclose(fitted.parameters.emissions.rate, rate, rtol=1e-7)

    def test_acceleration_pays(self) -> None:
        # overlapping states, where EM crawls
        model = HiddenMarkovModel(Normal(1), 2)
        chain = model.at(
            transition=[[0.8, 0.2], [0.3, 0.7]], mean=[[0.0], [1.5]], covariance=[[1.0]]
        )
        x, _ = chain.sample(1000, 0)
        plain = fit(chain, x, max_iter=2000)
        fast = fit(chain, x, max_iter=2000, accelerate=True)
        assert plain.converged
        assert fast.converged
        assert fast.n_iterations < 0.5 * plain.n_iterations
        np.testing.assert_allclose(fast.cross_entropy, plain.cross_entropy, rtol=1e-9)

    def test_restarts_keep_the_best(self) -> None:
        chain = sticky(Normal(1), 4, 1)
        x, _ = chain.sample(300, 0)
        ends = [
            fit(chain, x, seed=rng, sharing="random", max_iter=40).cross_entropy
            for rng in [np.random.default_rng(3)]
            for _ in range(4)
        ]
        best = fit(chain, x, seed=3, n_init=4, sharing="random", max_iter=40)
        np.testing.assert_allclose(best.cross_entropy, min(ends))


class TestNumbers:
    def test_shifts_and_scales(self) -> None:
        chain = sticky(Normal(2), 3)
        x, _ = chain.sample(400, 0)
        plain = fit(chain, x, max_iter=30)
        scale, shift = np.array([1e8, 1e-8]), np.array([1e15, -1e-1])
        moved = fit(chain, scale * x + shift, max_iter=30)
        expected = plain.history + np.log(scale).sum()
        np.testing.assert_allclose(moved.history, expected, rtol=0, atol=1e-6)
        np.testing.assert_allclose(moved.transition, plain.transition, atol=1e-4)
        states = moved.smooth(scale * x + shift).states
        np.testing.assert_allclose(states, plain.smooth(x).states, atol=1e-4)
        later, _ = moved.sample(2000, 1)
        assert (np.abs(np.median((later - shift) / scale - np.median(x, 0), 0)) < 1).all()

    def test_the_same_bits_for_any_number_of_threads(self) -> None:
        chain = sticky(Normal(8), 5)
        x, _ = chain.sample(30_000, 0, [20_000, 10_000])
        found = []
        try:
            for threads in (1, 2, 3):
                set_threads(threads)
                found.append(fit(chain, x, [20_000, 10_000], max_iter=2))
        finally:
            set_threads(None)
        for other in found[1:]:
            assert np.array_equal(found[0].history, other.history)
            assert np.array_equal(found[0].emissions, other.emissions)

    def test_a_fit_goes_on_from_a_fit(self) -> None:
        chain = sticky(Normal(2), 3)
        x, _ = chain.sample(300, 0)
        whole = fit(chain, x, max_iter=8)
        half = fit(chain, x, max_iter=4)
        rest = fit(chain, x, initial=half, max_iter=4)
        np.testing.assert_allclose(rest.history, whole.history[4:], rtol=1e-12)

    def test_a_long_sequence_in_segments(self) -> None:
        chain = sticky(Normal(1), 3)
        x, _ = chain.sample(30_000, 0, [20_000, 9_000, 1_000])
        lengths = [20_000, 9_000, 1_000]
        assert_same(
            fit(chain, x, lengths, weights=[1, 2, 3], max_iter=3),
            fit(chain, x, lengths, weights=[1, 2, 3], max_iter=3, checkpoint=True),
            rtol=1e-12,
        )

    @pytest.mark.parametrize("length", [4097, 4098, 8192, 8193, 8194])
    def test_where_segments_end(self, length: int) -> None:
        chain = sticky(Poisson(1), 2)
        x, _ = chain.sample(length, 0)
        whole, cut = (fit(chain, x, max_iter=1, checkpoint=c) for c in (False, True))
        assert_same(whole, cut, rtol=1e-12)

    def test_hmmlearn_s_likelihood(self) -> None:
        # GaussianHMM(2).score of hmmlearn 0.3.3 at these parameters, and after three iterations
        # with min_covar=0 and priors of no weight (covars_prior=0, covars_weight=0)
        t = np.arange(60.0)
        x = np.column_stack([np.sin(t) + (t % 20 > 9) * 1.5, np.cos(3 * t) - (t % 20 > 9)])
        model = HiddenMarkovModel(Normal(2), 2)
        start = model.at(
            initial=[0.6, 0.4],
            transition=[[0.9, 0.1], [0.2, 0.8]],
            mean=[[0.0, 0.0], [1.5, -1.0]],
            covariance=[[1, 0.2], [0.2, 0.8]],
        )
        np.testing.assert_allclose(start.log_likelihood(x), [HMMLEARN[0]], rtol=1e-12)
        np.testing.assert_allclose(start.log_likelihood(x, [25, 35]).sum(), HMMLEARN[1], rtol=1e-12)
        fitted = model.fit(x, initial=start, max_iter=3, tol=0, warn=False)
        np.testing.assert_allclose(fitted.log_likelihood(x), [HMMLEARN[2]], rtol=1e-10)


HMMLEARN = (-152.08484443572436, -152.47516199458835, -134.98567907378379)


class TestHardData:
    def test_one_row(self) -> None:
        fitted = HiddenMarkovModel(Poisson(2), 1).fit([[3, 4]])
        np.testing.assert_allclose(fitted.parameters.emissions.rate, [[3, 4]])
        assert fitted.transition.tolist() == [[1]]

    def test_sequences_of_one_row_are_a_mixture(self) -> None:
        chain = sticky(Normal(1), 2)
        x, _ = chain.sample(200, 0)
        fitted = fit(chain, x, [1] * 200, max_iter=5)
        mixture = Mixture(Normal(1), 2)
        point = mixture.from_parameters(weights=fitted.initial, components=fitted.emissions)
        density = mixture.log_observable_density(point, x)
        np.testing.assert_allclose(fitted.log_likelihood(x, [1] * 200), density)

    def test_what_is_missing_altogether(self) -> None:
        chain = sticky(Normal(2), 2)
        x, _ = chain.sample(200, 0, [100, 100])
        holes = x.copy()
        holes[100:] = np.nan
        # a sequence of which nothing is known says nothing of the emissions
        fitted = fit(chain, holes, [100, 100], initial=chain, learn="emissions", max_iter=1)
        alone = fit(chain, x[:100], initial=chain, learn="emissions", max_iter=1)
        assert fitted.log_likelihood(holes, [100, 100])[1] == pytest.approx(0, abs=1e-12)
        first = [f.parameters.emissions.mean for f in (fitted, alone, chain)]
        assert np.abs(first[0] - first[2]).max() < np.abs(first[1] - first[2]).max()

    def test_a_state_too_many_empties(self) -> None:
        model = HiddenMarkovModel(Poisson(1), 2)
        start = model.at(transition=np.full((2, 2), 0.5), rate=[[2.0], [1e200]])
        with pytest.warns(BoundaryWarning, match="state 1 emptied"):
            fitted = model.fit([[1], [2], [3]], initial=start)
        np.testing.assert_allclose(fitted.parameters.emissions.rate[:, 0], [2, 1e200])

    def test_constant_columns(self) -> None:
        x = np.column_stack([np.full(40, 3.0), np.arange(40) % 2 * 10.0 + np.sin(np.arange(40.0))])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            fitted = HiddenMarkovModel(Normal(2), 2).fit(x, seed=0, max_iter=20)
        assert np.isfinite(fitted.history).all()
        path = fitted.most_probable_path(x).states
        assert np.array_equal(path[::2], np.full(20, path[0]))


class TestArguments:
    x = np.random.default_rng(0).normal(size=(30, 1))
    model = HiddenMarkovModel(Normal(1), 2)

    @pytest.mark.parametrize(
        ("options", "error", "words"),
        [
            ({"learn": ("means",)}, ValueError, "learn: of .*got 'means'"),
            ({"learn": 3}, TypeError, "learn: names of parts"),
            ({"lengths": [10, 10]}, ValueError, "add up to 20, but x has 30"),
            ({"weights": [1, 2]}, ValueError, "weights must have 1 entries"),
            ({"lengths": [10, 20], "weights": [0, 0]}, ValueError, "weights"),
            ({"sharing": "best"}, ValueError, "sharing: one of"),
            ({"n_init": 0}, ValueError, "n_init must be at least 1"),
            ({"max_iter": -1}, ValueError, "max_iter must be at least 0"),
            ({"tol": -1.0}, ValueError, "tol must be zero or a positive"),
            ({"seed": "x"}, TypeError, "seed must be"),
            ({"initial": 3}, TypeError, "initial: a HiddenMarkovChain"),
            ({"initial": sticky(Normal(1), 3)}, ValueError, "initial: 3 states"),
            ({"initial": sticky(Poisson(1), 2)}, ValueError, "initial: 2 states of Poisson"),
        ],
    )
    def test_what_is_wrong(
        self, options: dict[str, Any], error: type[Exception], words: str
    ) -> None:
        with pytest.raises(error, match=words):
            self.model.fit(self.x, **options)

    def test_no_iterations_return_the_start(self) -> None:
        with pytest.warns(ConvergenceWarning, match="not converged after 0 iterations"):
            fitted = self.model.fit(self.x, initial=sticky(Normal(1), 2), max_iter=0)
        np.testing.assert_allclose(fitted.emissions, sticky(Normal(1), 2).emissions)

    def test_callbacks(self) -> None:
        seen: list[Step] = []
        fitted = self.model.fit(self.x, seed=0, max_iter=5, callback=seen.append, warn=False)
        assert [step.iteration for step in seen] == list(range(fitted.n_iterations + 1))

        def stop(step: Step) -> None:
            raise KeyError(step.iteration)

        with pytest.raises(KeyError):
            self.model.fit(self.x, callback=stop)

    def test_seeds(self) -> None:
        for one, other in itertools.pairwise(
            self.model.fit(self.x, seed=s, max_iter=3, warn=False)
            for s in (4, np.random.default_rng(4))
        ):
            assert np.array_equal(one.history, other.history)
