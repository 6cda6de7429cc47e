"""Observable densities: they sum to one, and equal what direct formulas and summation over z give."""

import numpy as np
from scipy.special import logsumexp

from laws import closed_forms
from laws.brute_force import LatentSum, axes_of, rows_of_data
from laws.harmonium_cases import HarmoniumCase, every_model, models_with_marginals
from laws.random_points import random_point, rows_of
from laws.tolerances import assert_close


@every_model
class TestObservableDensity:
    def test_sums_to_one(self, case: HarmoniumCase) -> None:
        model = case.small
        natural = random_point(model, case.rng(2))
        rows, log_weights = rows_of_data(model, natural)
        total = logsumexp(model.log_observable_density(natural, rows) + log_weights)
        assert abs(np.expm1(total)) <= 1e-10

    def test_is_the_sum_over_the_latent(self, case: HarmoniumCase) -> None:
        # Eq. 14 against Eq. 2
        model = case.small
        natural = random_point(model, case.rng(2))
        x = rows_of(model, natural, 6, case.rng(3))
        brute = LatentSum(model, natural).log_marginal(x)
        assert_close(model.log_observable_density(natural, x), brute, 1e-10)

    def test_is_the_direct_formula(self, case: HarmoniumCase) -> None:
        model, natural, x = case.model, case.point(4), case.rows(4, 30)
        direct = closed_forms.log_density(model, natural, x)
        assert_close(model.log_observable_density(natural, x), direct, 1e-11)

    def test_far_from_the_data(self, case: HarmoniumCase) -> None:
        # where the density itself underflows
        model, natural, x = case.model, case.point(4), case.far(case.rows(4, 10), 300)
        direct = closed_forms.log_density(model, natural, x)
        assert_close(model.log_observable_density(natural, x), direct, 1e-10)


@every_model
class TestMissingValues:
    def test_the_density_is_the_marginal(self, case: HarmoniumCase) -> None:
        model, natural = case.model, case.point(4)
        x = case.with_missing(case.rows(4, 30), 0.4, case.rng(5))
        direct = closed_forms.log_density(model, natural, x)
        assert_close(model.log_observable_density(natural, x), direct, 1e-11)

    def test_a_row_without_values_has_density_one(self, case: HarmoniumCase) -> None:
        model = case.model
        nothing = np.full((2, model.n_observed), np.nan)
        assert_close(model.log_observable_density(case.point(1), nothing), np.zeros(2), 1e-12)


@models_with_marginals
class TestMarginals:
    def test_the_density_is_the_sum_over_what_is_missing(self, case: HarmoniumCase) -> None:
        model = case.small
        natural = random_point(model, case.rng(6))
        axes = axes_of(model, natural)[: model.n_observed]
        for column in range(model.n_observed):
            partial = rows_of(model, natural, 3, case.rng(7))
            partial[:, column] = np.nan
            rows = np.repeat(partial, len(axes[column].values), 0)
            rows[:, column] = np.tile(axes[column].values, len(partial))
            weights = np.tile(axes[column].log_weights, len(partial))
            logs = model.log_observable_density(natural, rows) + weights
            summed = logsumexp(logs.reshape(len(partial), -1), -1)
            assert_close(model.log_observable_density(natural, partial), summed, 1e-10)
