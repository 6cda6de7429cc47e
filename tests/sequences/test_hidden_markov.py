"""Hidden Markov models at parameters: emissions of every family, and what they say together."""

import itertools
from typing import Any

import numpy as np
import pytest
from chains import by_paths, random_chain
from scipy import stats

from harmonium import (
    Categorical,
    HiddenMarkovModel,
    Mixture,
    Normal,
    Poisson,
    Product,
    VonMises,
)
from harmonium.errors import DataWarning
from harmonium.sequences import HiddenMarkovChain
from harmonium.validation import FloatArray
from laws import family_cases, harmonium_cases
from laws.random_points import random_point

FAMILIES = [(case.name, case.model) for case in harmonium_cases.CASES] + [
    (repr(case.family), case.family) for case in family_cases.CASES
]
every_family = pytest.mark.parametrize(
    "observable", [family for _, family in FAMILIES], ids=[name for name, _ in FAMILIES]
)


def random_model(observable: Any, k: int, seed: int = 0, zeros: float = 0.0) -> HiddenMarkovChain:
    rng = np.random.default_rng(seed)
    initial, transition = random_chain(rng, k, zeros)
    emissions = np.stack([random_point(observable, rng) for _ in range(k)])
    return HiddenMarkovModel(observable, k).at(
        initial=initial, transition=transition, emissions=emissions
    )


def log_marginals(chain: HiddenMarkovChain, x: FloatArray) -> FloatArray:
    """Emission log densities (n, K) from the family's own methods, of what is observed."""
    family = chain.observable
    if hasattr(family, "log_observable_density"):
        columns = [family.log_observable_density(point, x) for point in chain.emissions]
    else:
        columns = [family.complete(point, x).log_marginal for point in chain.emissions]
    return np.stack(columns, -1)


@every_family
def test_every_path_with_every_family(observable: Any) -> None:
    chain = random_model(observable, 3)
    x, states = chain.sample(5, 1)
    assert x.shape == (5, observable.n_observed)
    assert set(states.tolist()) <= {0, 1, 2}
    holes = x.copy()
    holes[2] = np.nan
    for table in (x, holes):
        right = by_paths(chain.initial, chain.transition, log_marginals(chain, table))
        near = {"rtol": 1e-7, "atol": 1e-8}
        np.testing.assert_allclose(chain.log_likelihood(table), [right.log_likelihood], **near)
        filtered = chain.filter(table)
        np.testing.assert_allclose(filtered.states, right.filtered, **near)
        np.testing.assert_allclose(filtered.log_predictive, right.log_predictive, **near)
        smoothed = chain.smooth(table, pairs=True)
        np.testing.assert_allclose(smoothed.states, right.smoothed, **near)
        assert smoothed.pairs is not None
        np.testing.assert_allclose(smoothed.pairs, right.pairs, **near)
        path = chain.most_probable_path(table)
        assert path.states.tolist() == right.path
        np.testing.assert_allclose(path.log_probability, [right.log_probability], **near)


def normals(k: int = 3, seed: int = 0, zeros: float = 0.0) -> HiddenMarkovChain:
    return random_model(Normal(2), k, seed, zeros)


class TestLaws:
    @pytest.mark.parametrize("seed", range(4))
    def test_the_next_row_has_its_predictive_density(self, seed: int) -> None:
        chain = normals(4, seed, 0.3 * (seed % 2))
        x, _ = chain.sample(30, seed)
        whole = chain.filter(x).log_predictive
        for t in (1, 7, 29):
            forecast = chain.predict(x[:t], 1)
            np.testing.assert_allclose(forecast.log_density(x[t : t + 1]), whole[t : t + 1])
        np.testing.assert_allclose(chain.log_likelihood(x), [whole.sum()])

    def test_rows_that_are_missing_are_forecast(self) -> None:
        chain = normals()
        x, _ = chain.sample(12, 3)
        x[8:] = np.nan
        np.testing.assert_allclose(chain.smooth(x).states[8:], chain.predict(x[:8], 4).states)
        np.testing.assert_allclose(chain.log_likelihood(x), chain.log_likelihood(x[:8]))

    def test_smoothing_adds_up(self) -> None:
        chain = normals(4, 1, 0.4)
        lengths = [1, 40, 2, 17]
        x, _ = chain.sample(60, 0, lengths)
        smoothed = chain.smooth(x, lengths, pairs=True)
        np.testing.assert_allclose(smoothed.states.sum(-1), 1)
        assert smoothed.pairs is not None
        assert smoothed.pairs.shape == (56, 4, 4)
        np.testing.assert_allclose(smoothed.pairs.sum(0), smoothed.transitions)
        first, last = np.ones(60, bool), np.ones(60, bool)
        first[np.cumsum([0, *lengths[:-1]])] = last[np.cumsum(lengths) - 1] = False
        np.testing.assert_allclose(smoothed.pairs.sum(1), smoothed.states[first], atol=1e-12)
        np.testing.assert_allclose(smoothed.pairs.sum(2), smoothed.states[last], atol=1e-12)
        # the last row of a sequence is smoothed by being filtered
        filtered = chain.filter(x, lengths).states
        np.testing.assert_allclose(filtered[~last], smoothed.states[~last])

    def test_sequences_of_unequal_length(self) -> None:
        chain = normals()
        lengths = [3, 1, 30]
        x, _ = chain.sample(34, 0, lengths)
        parts = np.split(x, np.cumsum(lengths)[:-1])
        each = np.concatenate([chain.log_likelihood(part) for part in parts])
        np.testing.assert_allclose(chain.log_likelihood(x, lengths), each)
        states = np.concatenate([chain.filter(part).states for part in parts])
        np.testing.assert_allclose(chain.filter(x, lengths).states, states)
        paths = np.concatenate([chain.most_probable_path(part).states for part in parts])
        assert np.array_equal(chain.most_probable_path(x, lengths).states, paths)
        forecast = chain.predict(x, 5, lengths)
        assert forecast.states.shape == (3, 5, 3)
        for own, part in zip(forecast.states, parts, strict=True):
            np.testing.assert_allclose(own, chain.predict(part, 5).states)

    def test_one_state_is_independent_rows(self) -> None:
        chain = random_model(Normal(2), 1)
        x, states = chain.sample(50, 0)
        assert not states.any()
        density = Normal(2).log_density(chain.emissions[0], x)
        np.testing.assert_allclose(chain.filter(x).log_predictive, density)

    def test_equal_rows_are_a_mixture(self) -> None:
        # without memory a hidden Markov model is a mixture of its rows
        chain = normals()
        even = HiddenMarkovModel(Normal(2), 3).at(
            initial=chain.initial,
            transition=np.tile(chain.initial, (3, 1)),
            emissions=chain.emissions,
        )
        x, _ = chain.sample(20, 0)
        mixture = Mixture(Normal(2), 3)
        point = mixture.from_parameters(weights=chain.initial, components=chain.emissions)
        density = mixture.log_observable_density(point, x)
        np.testing.assert_allclose(even.filter(x).log_predictive, density)
        np.testing.assert_allclose(even.filter(x).states, even.smooth(x).states)


class TestForecasts:
    def test_powers_of_the_transition(self) -> None:
        chain = normals(3, 2)
        x, _ = chain.sample(10, 0)
        forecast = chain.predict(x, 6)
        last = chain.filter(x).states[-1]
        for h in range(6):
            power = np.linalg.matrix_power(chain.transition, h + 1)
            np.testing.assert_allclose(forecast.states[h], last @ power)

    def test_the_mixture_is_the_law(self) -> None:
        chain = normals()
        x, _ = chain.sample(10, 0)
        forecast = chain.predict(x, 4)
        ahead, _ = chain.sample(4, 9)
        ahead[1, 0] = np.nan
        for h, point in enumerate(forecast.natural):
            density = forecast.mixture.log_observable_density(point, ahead[h : h + 1])
            np.testing.assert_allclose(forecast.log_density(ahead)[h], density[0])
        statistic = [forecast.mixture.to_mean(point)[:5] for point in forecast.natural]
        np.testing.assert_allclose(forecast.mean, statistic)

    def test_draws_have_the_mean(self) -> None:
        chain = normals()
        x, _ = chain.sample(10, 0)
        forecast = chain.predict(x, 3)
        draws = forecast.sample(1, 20_000)
        assert draws.shape == (20_000, 3, 2)
        error = draws.std(0) / np.sqrt(20_000)
        assert (np.abs(draws.mean(0) - forecast.mean[:, :2]) < 6 * error).all()

    def test_rows_and_steps(self) -> None:
        chain = normals()
        x, _ = chain.sample(10, 0)
        with pytest.raises(ValueError, match="x: 2 rows for 3 steps"):
            chain.predict(x, 3).log_density(x[:2])
        with pytest.raises(ValueError, match="steps must be at least 1"):
            chain.predict(x, 0)


class TestPaths:
    def test_draws_have_the_posterior(self) -> None:
        chain = normals(3, 5, 0.3)
        x, _ = chain.sample(25, 0)
        smoothed = chain.smooth(x, pairs=True)
        n = 20_000
        paths = chain.sample_paths(x, 1, n)
        assert paths.shape == (n, 25)
        each = np.eye(3)[paths]
        shares, p = each.mean(0), smoothed.states
        # 75 cells and 216 pairs: six standard deviations
        assert (np.abs(shares - p) <= 6 * np.sqrt(p * (1 - p) / n) + 1e-12).all()
        assert smoothed.pairs is not None
        pairs, p = np.einsum("pti,ptj->tij", each[:, :-1], each[:, 1:]) / n, smoothed.pairs
        assert (np.abs(pairs - p) <= 6 * np.sqrt(p * (1 - p) / n) + 1e-12).all()

    def test_draws_of_a_long_sequence_go_in_portions(self, monkeypatch: Any) -> None:
        chain = normals()
        x, _ = chain.sample(50, 0)
        whole = chain.sample_paths(x, 7, 9)
        monkeypatch.setattr("harmonium.sequences.hidden_markov_chain._UNIFORMS", 100)
        assert np.array_equal(chain.sample_paths(x, 7, 9), whole)
        assert chain.sample_paths(x, 7, 0).shape == (0, 50)

    @pytest.mark.parametrize("zeros", [0.0, 0.4])
    def test_calibration(self, zeros: float) -> None:
        """Simulation-based calibration (Talts and others, 2018): ranks of true paths are even."""
        n_pairs, n_rows, n_draws, n_bins = 2_500, 12, 99, 20
        chain = random_model(Product(Normal(1), Poisson(1)), 4, 5, zeros)
        lengths = [n_rows] * n_pairs
        x, states = chain.sample(n_pairs * n_rows, 11, lengths)
        x[np.random.default_rng(12).random(len(x)) < 0.2] = np.nan
        paths = chain.sample_paths(x, 13, n_draws, lengths)
        rng = np.random.default_rng(14)
        statistics = [
            rng.normal(size=(n_rows, 4)),  # a bit of everything
            np.outer(np.ones(n_rows), np.eye(4)[0]),  # visits to state 0
            np.outer(np.eye(n_rows)[0], rng.normal(size=4)),  # the first state
            np.outer(np.eye(n_rows)[-1], rng.normal(size=4)),  # the last one
        ]
        p_values = []
        rows = np.arange(n_rows)

        def assess(true: FloatArray, drawn: FloatArray) -> None:
            below = (drawn < true).sum(0)
            ties = (drawn == true).sum(0)
            ranks = below + rng.integers(0, ties + 1)
            counts = np.bincount(ranks * n_bins // (n_draws + 1), minlength=n_bins)
            p_values.append(stats.chisquare(counts).pvalue)

        true, drawn = states.reshape(n_pairs, n_rows), paths.reshape(n_draws, n_pairs, n_rows)
        for weights in statistics:
            assess(weights[rows, true].sum(-1), weights[rows, drawn].sum(-1))
        changes = [(np.diff(z, axis=-1) != 0).sum(-1).astype(float) for z in (true, drawn)]
        assess(*changes)
        assert min(p_values) > 1e-4 / len(p_values)


class TestSimulation:
    def test_transitions_have_their_probabilities(self) -> None:
        chain = normals(4, 1, 0.4)
        lengths = [3] * 20_000
        x, states = chain.sample(60_000, 0, lengths)
        z = states.reshape(-1, 3)
        counts = np.bincount(z[:, 0], minlength=4)
        assert fits(counts, chain.initial)
        for row, p in enumerate(chain.transition):
            follow = np.concatenate([z[z[:, t] == row, t + 1] for t in (0, 1)])
            assert fits(np.bincount(follow, minlength=4), p)
        means = Normal(2).to_parameters(chain.emissions).mean
        for k in set(states.tolist()):
            own = x[states == k]
            error = own.std(0) / np.sqrt(len(own))
            assert (np.abs(own.mean(0) - means[k]) < 6 * error).all()

    def test_seeds(self) -> None:
        chain = normals()
        for one, other in itertools.pairwise([chain.sample(20, 5), chain.sample(20, 5)]):
            assert np.array_equal(one[0], other[0])
            assert np.array_equal(one[1], other[1])

    def test_latent_columns_are_not_data(self) -> None:
        x, _ = random_model(Mixture(Normal(2), 3), 2).sample(7, 0)
        assert x.shape == (7, 2)


def fits(counts: Any, p: FloatArray) -> bool:
    """Whether counts have these probabilities: wrong once in a million."""
    if counts[p == 0].any():
        return False
    own = p > 0
    return own.sum() == 1 or bool(stats.chisquare(counts[own], p[own] * counts.sum()).pvalue > 1e-6)


class TestParameters:
    def test_people_s_parameters(self) -> None:
        model = HiddenMarkovModel(Poisson(2), 2)
        rate, transition = np.array([[1.0, 2.0], [8.0, 9.0]]), np.array([[0.9, 0.1], [0.3, 0.7]])
        chain = model.at(transition=transition, rate=rate)
        found = chain.parameters
        np.testing.assert_allclose(found.initial, [0.5, 0.5])
        np.testing.assert_allclose(found.transition, transition)
        np.testing.assert_allclose(found.emissions.rate, rate)
        np.testing.assert_allclose(chain.emissions, np.log(rate))

    def test_zeros_stay(self) -> None:
        model = HiddenMarkovModel(Categorical(3), 2)
        p = [[0.2, 0.3, 0.5], [0.5, 0.3, 0.2]]
        chain = model.at(initial=[1, 0], transition=[[0.5, 0.5], [0, 1]], probabilities=p)
        assert chain.initial.tolist() == [1, 0]
        assert chain.transition.tolist() == [[0.5, 0.5], [0, 1]]
        states = chain.sample_paths([[0], [1], [2], [2]], 0, 50)
        assert not states[:, 0].any()
        assert (np.diff(states) >= 0).all()

    def test_models_are_values(self) -> None:
        assert HiddenMarkovModel(Normal(2), 3) == HiddenMarkovModel(Normal(2), 3)
        assert len({HiddenMarkovModel(Normal(2), 3), HiddenMarkovModel(Normal(2), 3)}) == 1

    @pytest.mark.parametrize(
        ("change", "words"),
        [
            ({"initial": [0.5, 0.6]}, "initial: every row must sum to 1"),
            ({"initial": [1.5, -0.5]}, "initial: every proportion must be zero or positive"),
            ({"initial": [1.0]}, "initial must have 2 entries"),
            ({"transition": [[0.5, 0.5], [0, 0]]}, r"row 1 is zero.*transition\[1, 1\] = 1"),
            ({"transition": [[0.5, 0.4], [0, 1]]}, "transition: every row must sum to 1"),
            ({"transition": [[1.1, -0.1], [0, 1]]}, "transition: every proportion"),
            ({"transition": [[np.nan, 0.1], [0, 1]]}, "transition"),
            ({"transition": np.eye(3)}, r"transition: shape \(3, 3\), expected \(2, 2\)"),
            ({"rate": [[1.0], [-2.0]]}, "rate"),
            ({"rate": [[1.0], [2.0], [3.0]]}, "emissions: 3 points of 1 columns for 2 states"),
            ({"rate": [1.0]}, "emissions: one point for each of 2 states"),
        ],
    )
    def test_what_are_no_parameters(self, change: dict[str, Any], words: str) -> None:
        given = {"transition": np.full((2, 2), 0.5), "rate": [[1.0], [2.0]], **change}
        with pytest.raises(ValueError, match=words):
            HiddenMarkovModel(Poisson(1), 2).at(**given)

    def test_other_mistakes(self) -> None:
        with pytest.raises(TypeError, match="observable: an exponential family"):
            HiddenMarkovModel(3, 2)  # type: ignore[arg-type]
        with pytest.raises(ValueError, match="n_states must be at least 1"):
            HiddenMarkovModel(Normal(1), 0)
        model = HiddenMarkovModel(Poisson(1), 2)
        with pytest.raises(TypeError, match="natural parameters or rate, not both"):
            model.at(transition=np.eye(2), emissions=[[0.0], [1.0]], rate=[[1.0], [2.0]])

    def test_an_unreachable_state_is_told(self) -> None:
        model = HiddenMarkovModel(Poisson(1), 3)
        with pytest.warns(DataWarning, match="no path leads to state 2"):
            chain = model.at(
                initial=[1, 0, 0],
                transition=[[0.5, 0.5, 0], [1, 0, 0], [0, 0, 1]],
                rate=[[1.0], [2.0], [3.0]],
            )
        assert not chain.smooth([[1], [2], [7]]).states[:, 2].any()


class TestData:
    @pytest.mark.parametrize(
        "ask",
        [
            lambda chain, x, lengths: chain.log_likelihood(x, lengths),
            lambda chain, x, lengths: chain.filter(x, lengths),
            lambda chain, x, lengths: chain.smooth(x, lengths),
            lambda chain, x, lengths: chain.most_probable_path(x, lengths),
            lambda chain, x, lengths: chain.sample_paths(x, 0, 1, lengths),
            lambda chain, x, lengths: chain.predict(x, 1, lengths),
        ],
    )
    def test_what_is_no_data(self, ask: Any) -> None:
        chain = random_model(Poisson(1), 2)
        with pytest.raises(ValueError, match="x: Found array with 0 sample"):
            ask(chain, np.empty((0, 1)), None)
        with pytest.raises(ValueError, match="x"):
            ask(chain, [1, 2, 3], None)
        with pytest.raises(ValueError, match="row 1"):
            ask(chain, [[1], [-2]], None)
        with pytest.raises(ValueError, match="the 1 lengths add up to 3, but x has 2 rows"):
            ask(chain, [[1], [2]], [3])
        ask(chain, [[1]], None)  # one row is a sequence

    def test_a_model_of_columns_of_several_kinds(self) -> None:
        chain = random_model(Mixture(Product(Normal(2), Poisson(1), VonMises(2)), 2), 2)
        x, _ = chain.sample(40, 0)
        x[3, 1] = x[5, 4] = np.nan
        x[7] = np.nan
        right = log_marginals(chain, x[:9])
        by_hand = by_paths(chain.initial, chain.transition, right)
        np.testing.assert_allclose(chain.log_likelihood(x[:9]), [by_hand.log_likelihood])
