"""Models of any two families against sums over all (x, z)."""

import numpy as np
import pytest

from harmonium import Bernoulli, Categorical, Exponential, Harmonium, Mixture, Normal, Poisson
from harmonium.errors import BoundaryError, NotConjugatedError
from harmonium.numerics.derivatives import jacobian
from harmonium.rules import AnyPair
from laws.goodness_of_fit import SMALLEST_P, chi_squared_p
from laws.pairs import PAIRINGS, Pairing, Whole
from laws.tolerances import assert_close

every_pairing = pytest.mark.parametrize("case", PAIRINGS, ids=repr)


@every_pairing
class TestAgainstTheWholeTable:
    def test_log_partition_means_and_fisher_information(self, case: Pairing) -> None:
        model, natural = case.model, case.point()
        whole = Whole(model, natural)
        assert_close(model.log_partition(natural), whole.psi, 1e-11)
        assert_close(model.to_mean(natural), whole.mean(), 1e-10)
        assert_close(model.fisher_information(natural), whole.covariance(), 1e-9)

    def test_marginals(self, case: Pairing) -> None:
        model, natural = case.model, case.point(1)
        whole = Whole(model, natural)
        # where the densities are not so small that the nodes lose them
        x = whole.p.sum(1) > 1e-30
        expected = np.log(whole.p[x].sum(1)) - whole.x_weight[x]
        found = model.log_observable_density(natural, whole.x[x])
        assert_close(found, expected, 1e-9)
        unnormalised = model.log_unnormalised_density(natural, whole.x[x])
        assert_close(unnormalised - model.log_partition(natural), expected, 1e-9)
        z = whole.p.sum(0) > 1e-30
        expected = np.log(whole.p[:, z].sum(0)) - whole.z_weight[z]
        assert_close(model.log_latent_density(natural, whole.z[z]), expected, 1e-9)

    def test_posterior_and_likelihood(self, case: Pairing) -> None:
        model, natural = case.model, case.point(2)
        whole = Whole(model, natural)
        k, j = (int(v) for v in np.unravel_index(whole.p.argmax(), whole.p.shape))
        log_posterior = model.latent.log_density(
            model.posterior(natural, whole.x[k : k + 1])[0], whole.z
        )
        expected = whole.logs[k] - np.logaddexp.reduce(whole.logs[k])
        assert_close(log_posterior + whole.z_weight, expected, 1e-9)
        log_likelihood = model.observable.log_density(
            model.likelihood(natural, whole.z[j : j + 1])[0], whole.x
        )
        expected = whole.logs[:, j] - np.logaddexp.reduce(whole.logs[:, j])
        assert_close(log_likelihood + whole.x_weight, expected, 1e-9)

    def test_expectation_given_rows_and_its_gradient(self, case: Pairing) -> None:
        # the gradient of the log-likelihood is data's less model's expectation (Eq. 28)
        model, natural = case.model, case.point(3)
        x = model.split_observation(model.sample(natural, 1, size=6))[0]
        x = np.ascontiguousarray(x)
        weights = np.array([1, 2, 0, 1, 3, 0.5])
        slope = jacobian(
            lambda points: (
                np.array(
                    [[model.log_observable_density(p, x) @ weights / weights.sum()] for p in points]
                )
                if points.ndim == 2
                else np.array([model.log_observable_density(points, x) @ weights / weights.sum()])
            ),
            natural,
        )[0]
        exact = model.expectation(natural, x, weights) - model.to_mean(natural)
        assert_close(exact, slope, 1e-7)

    def test_there_and_back(self, case: Pairing) -> None:
        natural = case.point(4)
        assert_close(case.model.to_natural(case.model.to_mean(natural)), natural, 1e-7)

    def test_batches_are_loops(self, case: Pairing) -> None:
        model = case.model
        points = np.stack([case.point(s) for s in range(4)]).reshape(2, 2, -1)
        psi, means = model.log_partition(points), model.to_mean(points)
        assert psi.shape == (2, 2)
        for place in np.ndindex(2, 2):
            assert_close(psi[place], model.log_partition(points[place]), 1e-13)
            assert_close(means[place], model.to_mean(points[place]), 1e-12)
        assert model.sample(points, 0, size=3).shape == (3, 2, 2, model.n_features)

    def test_exact_samples(self, case: Pairing) -> None:
        # z scores of all statistics; seventeen models of at most 20 statistics each
        model, natural = case.model, case.point(5)
        draws = model.sample(natural, 7, size=20_000)
        whole = Whole(model, natural)
        spread = np.sqrt(np.diagonal(whole.covariance()))
        error = model.sufficient_statistic(draws).mean(0) - whole.mean()
        assert np.abs(error / spread * np.sqrt(len(draws))).max() < 6.2  # 1e-6 in 2000 comparisons


def numbers_of(states: np.ndarray, levels: tuple[int, ...]) -> np.ndarray:
    return (states @ np.cumprod([1, *levels[:-1]])).astype(int)


@pytest.mark.parametrize("case", [c for c in PAIRINGS if c.model.levels is not None], ids=repr)
def test_exact_samples_by_chi_squared(case: Pairing) -> None:
    model, natural = case.model, case.point(6)
    draws = model.sample(natural, 3, size=20_000)
    masses = np.exp(
        model.log_density(natural, model.states())  # Eq. 2, every (x, z)
    )
    assert masses.sum() == pytest.approx(1, abs=1e-12)
    assert chi_squared_p(numbers_of(draws, model.levels), 0, masses) > SMALLEST_P


class TestMissingValues:
    @pytest.mark.parametrize(
        "name", ["binary and binary", "few binary and Boltzmann", "binary and normal"]
    )
    def test_the_density_is_the_sum_over_what_is_missing(self, name: str) -> None:
        case = next(c for c in PAIRINGS if c.name == name)
        model, natural = case.model, case.point()
        x = model.observable.states()
        holes = x.copy()
        holes[:, 1] = np.nan
        both = [np.where(np.arange(x.shape[1]) == 1, value, x) for value in (0.0, 1.0)]
        logs = [model.log_observable_density(natural, rows) for rows in both]
        summed = np.logaddexp(*logs)
        assert_close(model.log_observable_density(natural, holes), summed, 1e-12)
        share = np.exp(logs[0] - summed)[:, None]
        expected = [model.complete(natural, _with_latent(model, rows))[1] for rows in both]
        found = model.complete(natural, _with_latent(model, holes))[1]
        assert_close(found, share * expected[0] + (1 - share) * expected[1], 1e-11)

    def test_sums_over_a_large_latent_and_over_the_row_agree(self) -> None:
        # the observable, or the latent, is the smaller side
        rng = np.random.default_rng(0)
        small, large = Harmonium(Bernoulli(3), Bernoulli(4)), Harmonium(Bernoulli(4), Bernoulli(3))
        natural = rng.normal(size=small.dimension)
        x = np.array([[1, np.nan, 0], [np.nan, np.nan, 1], [0, 1, 1]])
        parts = small.split(natural)
        turned = large.join(parts.latent, parts.observable, parts.interaction.T)
        whole = Whole(large, turned)
        for row, found in zip(x, small.log_observable_density(natural, x), strict=True):
            fits = (np.isnan(row) | (whole.z == row)).all(-1)
            assert found == pytest.approx(np.log(whole.p[:, fits].sum()), abs=1e-12)

    def test_a_posterior_given_part_of_a_row_is_refused(self) -> None:
        model = Harmonium(Bernoulli(2), Bernoulli(2))
        with pytest.raises(NotConjugatedError, match="gibbs"):
            model.posterior(np.zeros(model.dimension), [[1, np.nan]])


def _with_latent(model: Harmonium, x: np.ndarray) -> np.ndarray:
    return np.concatenate([x, np.full((len(x), model.latent.n_features), np.nan)], -1)


class TestMixturesAsPairs:
    @pytest.mark.parametrize("observable", [Poisson(2), Normal(2), Categorical(3), Exponential(2)])
    def test_equal_answers(self, observable) -> None:
        mixture = Mixture(observable, 3)
        pair = Harmonium(observable, Categorical(3), AnyPair())
        rng = np.random.default_rng(0)
        rows = observable.sample(_reference(observable), 0, size=(3, 30))
        components = np.stack([observable.maximum_likelihood(r) for r in rows])
        natural = mixture.from_parameters(weights=[0.2, 0.5, 0.3], components=components)
        assert pair.dimension == mixture.dimension
        assert_close(pair.log_partition(natural), mixture.log_partition(natural), 1e-13)
        assert_close(pair.to_mean(natural), mixture.to_mean(natural), 1e-12)
        assert_close(pair.fisher_information(natural), mixture.fisher_information(natural), 1e-6)
        x = np.concatenate(rows)
        for method in ("log_observable_density", "posterior", "expectation"):
            left, right = getattr(pair, method)(natural, x), getattr(mixture, method)(natural, x)
            assert_close(left, right, 1e-11)
        holes = np.where(rng.random(x.shape) < 0.4, np.nan, x)
        if not isinstance(observable, Categorical):
            assert_close(
                pair.log_observable_density(natural, holes),
                mixture.log_observable_density(natural, holes),
                1e-11,
            )
            assert_close(
                pair.expectation(natural, holes), mixture.expectation(natural, holes), 1e-10
            )
        z = np.arange(3.0)[:, None]
        prior = mixture.latent.log_density(mixture.prior(natural), z)
        assert_close(pair.log_latent_density(natural, z), prior, 1e-12)
        assert_close(mixture.log_latent_density(natural, z), prior, 1e-12)

    def test_one_step_of_em_is_the_mixture_s(self) -> None:
        mixture, pair = Mixture(Poisson(2), 2), Harmonium(Poisson(2), Categorical(2))
        natural = mixture.from_parameters(weights=[0.5, 0.5], rate=[[1.0, 4.0], [3.0, 2.0]])
        x = np.random.default_rng(0).poisson([2.0, 3.0], size=(50, 2)).astype(float)
        stack, theirs = pair.prepare(natural), mixture.prepare(natural)
        ours = stack.maximise(stack.accumulate(x, np.ones((50, 1))), set())
        theirs = theirs.maximise(theirs.accumulate(x, np.ones((50, 1))), set())
        assert_close(ours.natural, theirs.natural, 1e-9)
        # at the point that meets the sums nothing is left
        met = stack.accumulate(x, np.ones((50, 1)))
        assert stack.residual(met) > 1e-2
        assert ours.residual(met) < 1e-9


def _reference(observable):
    if isinstance(observable, Normal):
        return observable.from_parameters(mean=np.zeros(2), covariance=np.eye(2))
    return np.full(observable.dimension, -0.7)


class TestWhatNeedsConjugation:
    @pytest.mark.parametrize("name", ["prior", "conjugation", "to_parameters"])
    def test_is_refused(self, name: str) -> None:
        model = Harmonium(Bernoulli(2), Bernoulli(2))
        with pytest.raises(NotConjugatedError, match="log_latent_density"):
            getattr(model, name)(np.zeros(model.dimension))

    def test_so_are_priors_and_shifts(self) -> None:
        model = Harmonium(Normal(1), Bernoulli(1), AnyPair(rows="location"))
        parts = {"prior": [0.0], "observable": [0.0, -0.5], "interaction": [[0.5]]}
        with pytest.raises(NotConjugatedError, match="no conjugation parameters"):
            model.from_prior_and_likelihood(**parts)
        with pytest.raises(NotConjugatedError, match="no conjugation parameters"):
            model.from_parameters(weights=[1])
        with pytest.raises(NotConjugatedError, match="shift and scale the data"):
            model.affine([0.0, -0.5, 0.0, 0.5], 1.0, 2.0)
        assert issubclass(NotConjugatedError, ValueError)

    def test_sums_beyond_reach(self) -> None:
        model = Harmonium(Bernoulli(40), Bernoulli(30))
        natural = np.zeros(model.dimension)
        x = np.zeros((2, 40))
        for call in (model.log_partition, model.to_mean, model.sample, model.fisher_information):
            with pytest.raises(NotConjugatedError, match=r"2\*\*40 states.*2\*\*30.*gibbs"):
                call(natural)
        with pytest.raises(NotConjugatedError, match="fit_contrastive"):
            model.log_observable_density(natural, x)
        # what needs no normaliser works
        assert model.posterior(natural, x).shape == (2, 30)
        expected = np.full(2, 30 * np.log(2))
        assert_close(model.log_unnormalised_density(natural, x), expected, 1e-13)
        poisson = Harmonium(Poisson(1), Normal(1), AnyPair(columns="location"))
        with pytest.raises(NotConjugatedError, match="no end of states"):
            poisson.log_partition([0.0, 0.0, -0.5, 0.0])


class TestRule:
    def test_defaults_and_choices(self) -> None:
        model = Harmonium(Normal(2), Bernoulli(3))
        assert model.rule == AnyPair()
        assert model.dimension == 5 + 3 + 15
        assert Harmonium(Normal(2), Bernoulli(3), AnyPair(rows="location")).dimension == 5 + 3 + 6
        assert AnyPair(rows=[3, 1]) == AnyPair(rows=(1, 3))
        assert hash(model) == hash(Harmonium(Normal(2), Bernoulli(3)))

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ({"rows": "all"}, "rows: numbers of statistics"),
            ({"columns": (0, 0)}, "columns: different numbers"),
            ({"columns": ()}, "columns: different numbers"),
            ({"rows": 3}, "rows: numbers of statistics"),
            ({"rows": (-1,)}, "rows must be at least 0"),
        ],
    )
    def test_bad_choices(self, arguments, message) -> None:
        with pytest.raises(ValueError, match=message):
            AnyPair(**arguments)

    def test_families_that_do_not_fit(self) -> None:
        with pytest.raises(ValueError, match=r"rows: statistic 5, but Normal.* has 5"):
            Harmonium(Normal(2), Bernoulli(3), AnyPair(rows=(5,)))
        with pytest.raises(ValueError, match="latent columns of its own"):
            Harmonium(Mixture(Poisson(2), 2), Bernoulli(3))

    def test_nothing_to_tell(self) -> None:
        model = Harmonium(Poisson(2), Categorical(1))
        natural = np.array([0.5, 1.0])
        assert model.dimension == 2
        assert_close(model.log_partition(natural), Poisson(2).log_partition(natural), 1e-14)
        assert_close(model.to_mean(natural[None]), np.exp(natural)[None], 1e-14)
        assert model.to_mean(np.empty((0, 2))).shape == (0, 2)
        assert model.sample(natural, 0, size=0).shape == (0, 3)
        nothing = Harmonium(Categorical(1), Categorical(1))
        assert nothing.log_partition(np.empty((2, 3, 0))).shape == (2, 3)
        assert nothing.sample(np.empty(0), 0, size=4).shape == (4, 2)
        assert nothing.gibbs(np.empty(0), 0).states.shape == (4, 1000, 2)

    def test_interactions_of_the_wrong_shape(self) -> None:
        model = Harmonium(Bernoulli(2), Bernoulli(3))
        with pytest.raises(ValueError, match="interaction: shape"):
            model.join(np.zeros(2), np.zeros(3), np.zeros((3, 2)))

    def test_means_that_no_law_has(self) -> None:
        model = Harmonium(Bernoulli(1), Bernoulli(1))
        with pytest.raises(BoundaryError, match="no law"):
            model.to_natural([0.5, 0.5, 0.7])


class TestDomain:
    def test_some_z_leaves_the_likelihood_s_domain(self) -> None:
        model = Harmonium(Exponential(1), Bernoulli(2))
        assert model.check_natural([-1.0, 0, 0, 0.4, 0.5]).shape == (5,)
        with pytest.raises(ValueError, match=r"likelihood, given some z: natural parameter 0"):
            model.check_natural([-1.0, 0, 0, 0.5, 0.5])
        # a single category at a time: none leaves
        one = Harmonium(Exponential(1), Categorical(3))
        assert one.check_natural([-1.0, 0, 0, 0.5, 0.5]).shape == (5,)

    def test_some_x_leaves_the_posterior_s_domain(self) -> None:
        model = Harmonium(Poisson(1), Exponential(1))
        assert model.check_natural([0.0, -1.0, -0.1]).shape == (3,)
        with pytest.raises(ValueError, match="posterior, given some x"):
            model.check_natural([0.0, -1.0, 0.1])

    def test_a_full_normal_by_trying_all_states(self) -> None:
        model = Harmonium(Normal(2), Bernoulli(2), AnyPair(rows=(3,)))
        inside = [0, 0, -0.5, 0, -0.5, 0, 0, 0.6, -0.6]
        assert model.check_natural(inside).shape == (9,)
        outside = [0, 0, -0.5, 0, -0.5, 0, 0, 0.6, 0.6]
        with pytest.raises(ValueError, match="positive definite"):
            model.check_natural(outside)

    def test_the_offending_point_is_named(self) -> None:
        model = Harmonium(Exponential(1), Bernoulli(1))
        with pytest.raises(ValueError, match=r"natural\[1\]"):
            model.log_partition([[-1.0, 0, 0.4], [-1.0, 0, 1.4]])
