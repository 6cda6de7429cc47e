"""Block Gibbs sampling against exact laws."""

import numpy as np
import pytest
from scipy import stats

from harmonium import (
    Bernoulli,
    Boltzmann,
    Categorical,
    Gamma,
    Harmonium,
    LinearGaussian,
    Mixture,
    Normal,
    Poisson,
    VonMises,
)
from harmonium.rules import AnyPair
from laws.pairs import PAIRINGS, Pairing, Whole

#: Every 20th sweep of these chains is as good as independent; the thinned draws' own split R-hat
#: is held against one below.
THIN = 20
#: A right sampler fails once in a million runs of this file (about 25 tests of 1e-9 each, and
#: 300 comparisons).
SMALLEST_P, LARGEST_SCORE = 1e-9, 6.0


@pytest.mark.parametrize(
    "case",
    [c for c in PAIRINGS if c.model.levels is not None and c.model.n_states <= 128],
    ids=repr,
)
def test_states_by_chi_squared(case: Pairing) -> None:
    model, natural = case.model, case.point()
    drawn = model.gibbs(natural, 1, chains=400, draws=10, burn_in=40, thin=THIN)
    assert drawn.states.shape == (400, 10, model.n_features)
    numbers = drawn.states.reshape(-1, model.n_features) @ np.cumprod([1, *model.levels[:-1]])
    masses = np.exp(model.log_density(natural, model.states()))
    order = np.argsort(masses)
    groups = np.array_split(order, min(20, len(order)))
    expected = np.array([masses[g].sum() for g in groups]) * 4000
    observed = np.array([np.isin(numbers, g).sum() for g in groups])
    few = expected < 5
    if few.any():
        expected = np.append(expected[~few], expected[few].sum())
        observed = np.append(observed[~few], observed[few].sum())
    p = stats.chi2.sf(
        ((observed - expected) ** 2 / np.maximum(expected, 1)).sum(), len(expected) - 1
    )
    assert p > SMALLEST_P


@pytest.mark.parametrize("case", PAIRINGS, ids=repr)
def test_expectations(case: Pairing) -> None:
    model, natural = case.model, case.point()
    drawn = model.gibbs(natural, 2, chains=200, draws=10, burn_in=40, thin=THIN)
    statistic = model.sufficient_statistic(drawn.states.reshape(-1, model.n_features))
    whole = Whole(model, natural)
    spread = np.sqrt(np.diagonal(whole.covariance()))
    assert np.abs((statistic.mean(0) - whole.mean()) / spread * np.sqrt(2000)).max() < LARGEST_SCORE


def test_conjugated_models_too() -> None:
    mixture = Mixture(Normal(1), 2)
    natural = mixture.from_parameters(
        weights=[0.3, 0.7], mean=[[-1.0], [1.0]], covariance=[[[1.0]], [[1.0]]]
    )
    drawn = mixture.gibbs(natural, 0, chains=500, draws=4, burn_in=50, thin=THIN)
    x, z = drawn.states[..., 0].ravel(), drawn.states[..., 1].ravel()
    assert z.mean() == pytest.approx(0.7, abs=6 * np.sqrt(0.21 / 2000))
    law = lambda q: 0.3 * stats.norm.cdf(q, -1) + 0.7 * stats.norm.cdf(q, 1)  # noqa: E731
    assert stats.kstest(x, law).pvalue > SMALLEST_P
    factors = LinearGaussian(Normal(3, "diagonal"), Mixture(Normal(1), 2))
    point = np.concatenate([[0.1, 0.2, 0.3, -0.5, -0.5, -0.5], [0, -0.8, 0.2, 0.1, 0], [0.3] * 3])
    assert factors.gibbs(point, 0, draws=5, burn_in=1).states.shape == (4, 5, 5)


def test_what_draws_are_worth() -> None:
    model = Harmonium(Bernoulli(2), Bernoulli(2))
    easy = model.gibbs(np.zeros(model.dimension), 0, draws=500)
    assert np.allclose(easy.effective_sample_size, 2000, rtol=0.3)
    assert (easy.split_ratio < 1.01).all()
    # two modes that no sweep leaves
    stuck = np.concatenate([[-20.0, -20.0], [-20.0, -20.0], np.full(4, 20.0)])
    hard = model.gibbs(stuck, 0, chains=8, draws=50, initial=np.repeat([[0, 0], [1, 1]], 4, 0))
    assert (hard.split_ratio > 2).all()


def test_same_seed_same_bits_and_thinning() -> None:
    model = Harmonium(Bernoulli(3), Bernoulli(2))
    natural = np.linspace(-1, 1, model.dimension)
    first = model.gibbs(natural, 5, draws=12, burn_in=3).states
    assert np.array_equal(first, model.gibbs(natural, 5, draws=12, burn_in=3).states)
    assert np.array_equal(
        first[:, 2::3], model.gibbs(natural, 5, draws=4, burn_in=3, thin=3).states
    )
    assert np.array_equal(first[:, 2:], model.gibbs(natural, 5, draws=10, burn_in=5).states)


class TestPartlyObservedRows:
    def test_the_law_of_what_is_missing(self) -> None:
        model = Harmonium(Bernoulli(3), Bernoulli(2))
        natural = np.random.default_rng(0).normal(size=model.dimension)
        drawn = model.gibbs(
            natural, 1, chains=500, draws=4, burn_in=30, thin=THIN, given=[np.nan, 1, np.nan]
        )
        assert (drawn.states[..., 1] == 1).all()
        states = model.states()
        logs = model.log_density(natural, states)
        masses = np.where(states[:, 1] == 1, np.exp(logs), 0.0)
        numbers = (drawn.states.reshape(-1, 5) @ 2 ** np.arange(5)).astype(int)
        observed = np.bincount(numbers, minlength=32)
        fits = masses > 0
        expected = masses[fits] / masses.sum() * 2000
        p = stats.chi2.sf(((observed[fits] - expected) ** 2 / expected).sum(), fits.sum() - 1)
        assert p > SMALLEST_P

    def test_columns_that_depend_on_each_other(self) -> None:
        model = Harmonium(Boltzmann(3), Bernoulli(2))
        with pytest.raises(ValueError, match="given: columns of Boltzmann"):
            model.gibbs(np.zeros(model.dimension), given=[np.nan, 1, 1])

    @pytest.mark.parametrize(
        ("given", "message"), [([[1, 0, 1]], "given: one row"), ([2, 0, 1], "0 or 1")]
    )
    def test_bad_rows(self, given, message) -> None:
        model = Harmonium(Bernoulli(3), Bernoulli(2))
        with pytest.raises(ValueError, match=message):
            model.gibbs(np.zeros(model.dimension), given=given)


class TestArguments:
    def test_sizes(self) -> None:
        model = Harmonium(Bernoulli(3), Bernoulli(2))
        zero = np.zeros(model.dimension)
        for name, value in (("chains", 1), ("draws", 3), ("burn_in", -1), ("thin", 0)):
            with pytest.raises(ValueError, match=name):
                model.gibbs(zero, **{name: value})
        with pytest.raises(ValueError, match="initial: 2 rows for 4 chains"):
            model.gibbs(zero, initial=np.zeros((2, 3)))
        with pytest.raises(ValueError, match="natural: one point"):
            model.gibbs(np.zeros((2, model.dimension)))

    def test_where_chains_start(self) -> None:
        # neither bias alone is a law
        model = Harmonium(Normal(1), Gamma(1), AnyPair(rows=(1,), columns=(1,)))
        natural = [0.0, 0.0, 2.0, 0.0, -0.5]
        with pytest.raises(ValueError, match="natural parameter"):
            model.gibbs(natural)
        angles = Harmonium(VonMises(1), Categorical(2))
        assert angles.gibbs(np.zeros(5), 0, draws=4).states.shape == (4, 4, 2)

    def test_conditionals_without_a_joint_law(self) -> None:
        model = Harmonium(Poisson(1), Normal(1), AnyPair(columns="location"))
        with pytest.raises(ValueError, match="a chain has come to where the"):
            model.gibbs([2.0, 1.0, -0.5, 1.0], 0, draws=200)
