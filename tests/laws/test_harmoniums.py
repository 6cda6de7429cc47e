"""What every harmonium obeys as a family: mappings, conjugation, batches, sampling, shifts."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from harmonium.validation import FloatArray
from laws.derivatives import derivative
from laws.harmonium_cases import CASES, HarmoniumCase, every_model, shifting_models
from laws.random_points import random_point
from laws.tolerances import assert_close
from laws.units import allowed

seeds = st.integers(0, 2**32 - 1)

#: Draws for each model, and the rate at which the moments of all samplers together fail a right
#: sampler. A moment that is off by 0.11 standard deviations passes with probability 1e-6.
DRAWS, FALSE_FAIL = 12_000, 1e-6


@every_model
class TestMappings:
    @settings(max_examples=4)
    @given(seed=seeds)
    def test_the_forward_mapping_is_the_gradient(self, case: HarmoniumCase, seed: int) -> None:
        natural = case.point(seed)
        gradient = derivative(case.model.log_partition, natural)
        assert_close(case.model.to_mean(natural), gradient, 1e-7)

    @settings(max_examples=5)
    @given(seed=seeds)
    def test_there_and_back(self, case: HarmoniumCase, seed: int) -> None:
        natural = case.point(seed)
        assert_close(case.model.to_natural(case.model.to_mean(natural)), natural, 1e-9)

    @settings(max_examples=5)
    @given(seed=seeds)
    def test_prepared_and_back(self, case: HarmoniumCase, seed: int) -> None:
        naturals = np.stack([case.point(seed), case.point(seed + 1)])
        prepared = case.model.prepare(naturals)
        assert_close(prepared.natural, naturals, 1e-9)
        assert_close(prepared.take(np.array([1, 0])).natural, naturals[::-1], 1e-9)

    def test_split_and_join(self, case: HarmoniumCase) -> None:
        natural = case.point(1)
        assert np.array_equal(case.model.join(*case.model.split(natural)), natural)

    def test_people_s_parameters_and_back(self, case: HarmoniumCase) -> None:
        natural, parts = case.point(1), case.model.split(case.point(1))
        prior = case.model.prior(natural)
        again = case.model.from_prior_and_likelihood(
            prior=prior, observable=parts.observable, interaction=parts.interaction
        )
        assert_close(again, natural, 1e-12)

    def test_fisher_information(self, case: HarmoniumCase) -> None:
        natural = random_point(case.small, case.rng(1))
        fisher = case.small.fisher_information(natural)
        assert_close(fisher, derivative(case.small.to_mean, natural).T, 1e-7)
        assert np.array_equal(fisher, fisher.T)
        values = np.linalg.eigvalsh(fisher)
        assert values[0] > -1e-9 * values[-1]


@every_model
class TestConjugation:
    @settings(max_examples=4)
    @given(seed=seeds)
    def test_equation_10(self, case: HarmoniumCase, seed: int) -> None:
        model, natural = case.model, case.point(seed)
        prior = model.prior(natural)
        z = model.latent.sample(prior, seed, size=1000)
        rho, chi = model.conjugation(natural)
        statistic = model.latent.sufficient_statistic(z)[:, : len(rho)]
        psi = model.observable.log_partition(model.likelihood(natural, z))
        terms = np.abs(statistic * rho).sum(-1) + np.abs(chi)
        np.testing.assert_array_less(
            np.abs(psi - statistic @ rho - chi), 1e-10 * np.maximum(1, terms)
        )
        # Eq. 12 and 13
        padded = np.concatenate([rho, np.zeros(model.latent.dimension - len(rho))])
        assert_close(prior, model.split(natural).latent + padded, 1e-13)
        assert_close(model.log_partition(natural), model.latent.log_partition(prior) + chi, 1e-12)


@every_model
class TestBatches:
    def test_a_batch_is_a_loop(self, case: HarmoniumCase) -> None:
        model = case.model
        naturals = np.stack([case.point(s) for s in range(6)]).reshape(2, 3, -1)
        means = model.to_mean(naturals)
        x = model.sample(naturals[0, 0], 1, size=5)
        batched = {
            "log_partition": model.log_partition(naturals),
            "to_mean": means,
            "prior": model.prior(naturals),
            "rho": model.conjugation(naturals).rho,
            "chi": model.conjugation(naturals).chi,
            "to_natural": model.to_natural(means),
            "log_density": model.log_density(naturals[..., None, :], x),
        }
        for place in np.ndindex(2, 3):
            natural = naturals[place]
            alone = {
                "log_partition": model.log_partition(natural),
                "to_mean": model.to_mean(natural),
                "prior": model.prior(natural),
                "rho": model.conjugation(natural).rho,
                "chi": model.conjugation(natural).chi,
                "to_natural": model.to_natural(means[place]),
                "log_density": model.log_density(natural, x),
            }
            for name, value in alone.items():
                assert batched[name].shape == (2, 3, *value.shape), name
                assert_close(batched[name][place], value, 1e-10)

    def test_shapes(self, case: HarmoniumCase) -> None:
        model, natural = case.model, case.point(1)
        assert natural.shape == (model.dimension,)
        assert model.n_features == model.observable.n_features + model.latent.n_features
        assert model.sample(natural, 1).shape == (model.n_features,)
        assert model.sample(natural, 1, size=(2, 3)).shape == (2, 3, model.n_features)
        assert model.sample(np.stack([natural] * 4), 1, size=2).shape == (2, 4, model.n_features)
        rows = model.sample(natural, 1, size=7)
        x, z = model.split_observation(rows)
        assert model.sufficient_statistic(rows).shape == (7, model.dimension)
        assert model.likelihood(natural, z).shape == (7, model.observable.dimension)
        data = np.ascontiguousarray(x[:, : model.n_observed])
        assert model.posterior(natural, data).shape == (7, model.latent.dimension)
        assert model.log_observable_density(natural, data).shape == (7,)
        assert model.expectation(natural, data).shape == (model.dimension,)

    def test_points_paired_with_rows(self, case: HarmoniumCase) -> None:
        model = case.model
        naturals = np.stack([case.point(s) for s in range(3)])
        x = model.sample(naturals, 1)
        paired = model.log_density(naturals, x)
        alone = [model.log_density(n, row[None])[0] for n, row in zip(naturals, x, strict=True)]
        assert_close(paired, np.array(alone), 1e-11)


def z_scores(draws: FloatArray, mean: FloatArray, spread: FloatArray) -> FloatArray:
    """Errors of the averages of draws (n, d) in standard deviations; those of constants are 0."""
    error = draws.mean(0) - mean
    constant = spread <= 1e-12
    assert (np.abs(error[constant]) <= 1e-10).all()
    return np.asarray(error / np.where(constant, np.inf, spread) * np.sqrt(len(draws)))


@every_model
class TestSampler:
    def test_moments(self, case: HarmoniumCase) -> None:
        model, natural = case.model, case.point(3)
        draws = model.sufficient_statistic(model.sample(natural, 11, size=DRAWS))
        variances = np.diagonal(derivative(model.to_mean, natural))
        scores = z_scores(draws, model.to_mean(natural), np.sqrt(np.maximum(variances, 0)))
        comparisons = sum(c.model.dimension for c in CASES)
        assert np.abs(scores).max(initial=0) < stats.norm.isf(FALSE_FAIL / comparisons / 2)

    def test_the_same_seed_gives_the_same_bits(self, case: HarmoniumCase) -> None:
        model, natural = case.model, case.point(3)
        first = model.sample(natural, 5, size=50)
        assert np.array_equal(first, model.sample(natural, 5, size=50))
        again = model.sample(natural, np.random.default_rng(5), size=50)
        assert np.array_equal(first, again)
        assert not np.array_equal(first, model.sample(natural, 6, size=50))


@shifting_models
class TestShiftsAndScales:
    def test_the_density_moves_with_the_data(self, case: HarmoniumCase) -> None:
        model, natural, x = case.model, case.point(1), case.rows(1, 40)
        shift, scale = case.shift_and_scale(1)
        moved = model.affine(natural, shift, scale)
        assert_close(
            model.log_observable_density(moved, shift + scale * x),
            model.log_observable_density(natural, x) - np.log(np.abs(scale)).sum(),
            1e-9,
        )
        assert_close(model.posterior(moved, shift + scale * x), model.posterior(natural, x), 1e-9)

    def test_prepared_models_move_alike(self, case: HarmoniumCase) -> None:
        model, natural, x = case.model, case.point(1), case.rows(1, 40)
        shift, scale = case.shift_and_scale(1)
        prepared = model.prepare(natural)
        moved = prepared.affine(shift, scale)
        assert_close(moved.natural[0], model.affine(natural, shift, scale), 1e-12)
        assert_close(
            moved.evaluate(shift + scale * x),
            prepared.evaluate(x) - np.log(np.abs(scale)).sum(),
            1e-10,
        )

    def test_there_and_back(self, case: HarmoniumCase) -> None:
        natural = case.point(1)
        shift, scale = case.shift_and_scale(1)
        moved = case.model.affine(natural, shift, scale)
        assert_close(case.model.affine(moved, -shift / scale, 1 / scale), natural, 1e-9)

    def test_powers_of_two_shift_the_density_exactly(self, case: HarmoniumCase) -> None:
        prepared, x = case.model.prepare(case.point(1)), case.rows(1, 40)
        n = case.model.n_observed
        shift, scale = allowed(case.model, np.zeros(n), np.full(n, 2.0**-10))
        moved = prepared.affine(shift, scale)
        expected = prepared.evaluate(x) - np.log(scale).sum()
        np.testing.assert_allclose(moved.evaluate(scale * x), expected, rtol=1e-13, atol=1e-13)


def test_models_differ_by_seed() -> None:
    case = CASES[0]
    assert not np.array_equal(case.point(1), case.point(2))
    assert np.array_equal(case.point(1), random_point(case.model, case.rng(1)))
