"""Bayes' rule as an addition (Eq. 17), and the expectations it gives, against brute force."""

import numpy as np
import pytest
from scipy.special import logsumexp

from harmonium import Boltzmann, Categorical, Harmonium, Normal
from harmonium.expectation import ArraySource, latents
from harmonium.rules import LinearRule, ViewsRule
from harmonium.rules.interaction import InteractionShape
from harmonium.validation import FloatArray
from laws import closed_forms
from laws.brute_force import LatentSum, axes_of
from laws.harmonium_cases import CASES, HarmoniumCase, every_model, models_with_marginals
from laws.random_points import random_point, rows_of
from laws.tolerances import assert_close


def cases_with(latent: type) -> pytest.MarkDecorator:
    chosen = [
        case
        for case in CASES
        if isinstance(case.model.latent, latent)
        and (latent is Categorical or not isinstance(case.model.rule, ViewsRule))
    ]
    return pytest.mark.parametrize("case", chosen, ids=repr)


def small(case: HarmoniumCase, n: int) -> tuple[Harmonium, FloatArray, FloatArray]:
    """The case's small model, a point of it, and rows."""
    natural = random_point(case.small, case.rng(2))
    return case.small, natural, rows_of(case.small, natural, n, case.rng(3))


@every_model
class TestPosterior:
    def test_is_brute_force_bayes(self, case: HarmoniumCase) -> None:
        model, natural, x = small(case, 6)
        brute = LatentSum(model, natural)
        z = brute.outer.rows
        expected = np.exp(brute.log_posterior(x))
        posterior = model.posterior(natural, x)
        densities = np.exp(model.latent.log_density(posterior[:, None], z))
        np.testing.assert_allclose(densities, expected, rtol=1e-9, atol=1e-12)

    def test_is_an_addition(self, case: HarmoniumCase) -> None:
        # Eq. 17: prior + s(x) Theta - rho, for any prior
        model, natural, x = case.model, case.point(1), case.rows(1, 8)
        if model.n_observed < model.observable.n_features:
            x = model.sample(natural, 1, size=8)[:, : model.observable.n_features]
            posterior = model._posterior(model.split(natural), x)
        else:
            posterior = model.posterior(natural, x)
        block = InteractionShape(model.blocks)
        rho = model.conjugation(natural).rho
        statistic = model.observable.sufficient_statistic(x)[:, block.rows]
        expected = np.tile(model.prior(natural), (8, 1))
        expected[:, : len(rho)] -= rho
        expected[:, block.columns] += statistic @ model.split(natural).interaction
        assert_close(posterior, expected, 1e-12)

    def test_a_row_without_values_leaves_the_prior(self, case: HarmoniumCase) -> None:
        model, natural = case.model, case.point(1)
        nothing = np.full((2, model.n_observed), np.nan)
        prior = model.prior(natural)
        assert_close(model.posterior(natural, nothing), np.stack([prior, prior]), 1e-12)


@cases_with(Categorical)
class TestShares:
    @staticmethod
    def extreme(case: HarmoniumCase) -> tuple[FloatArray, FloatArray]:
        """A point and rows whose posteriors lie hundreds of nats apart."""
        natural, x = case.point(8), case.rows(8, 200)
        if case.bounded:
            return 300 * natural, x
        return natural, case.far(x, np.geomspace(1, 300, len(x))[:, None])

    def test_down_to_1e_300(self, case: HarmoniumCase) -> None:
        natural, x = self.extreme(case)
        expected = closed_forms.log_shares(case.model, natural, x)
        if case.model.latent.dimension:
            assert expected.min() < -300  # or nothing was tested
        visible = expected > np.log(1e-300)
        shares = latents(case.model.prepare(natural), ArraySource(x))
        np.testing.assert_allclose(shares[visible], np.exp(expected[visible]), rtol=1e-9, atol=0)
        np.testing.assert_allclose(shares.sum(-1), 1, rtol=1e-14)
        latent = case.model.latent
        assert isinstance(latent, Categorical)
        logs = latent.log_probabilities(case.model.posterior(natural, x))
        assert_close(logs, expected, 1e-9)

    def test_with_missing_values(self, case: HarmoniumCase) -> None:
        natural = case.point(8)
        x = case.with_missing(case.rows(8, 60), 0.4, case.rng(9))
        expected = np.exp(closed_forms.log_shares(case.model, natural, x))
        shares = latents(case.model.prepare(natural), ArraySource(x))
        np.testing.assert_allclose(shares, expected, rtol=1e-9, atol=1e-12)
        posterior = case.model.latent.to_parameters(case.model.posterior(natural, x))
        np.testing.assert_allclose(posterior.probabilities, expected, rtol=1e-9, atol=1e-12)


@cases_with(Boltzmann)
def test_states_down_to_1e_300(case: HarmoniumCase) -> None:
    natural = case.point(8)
    x = case.rows(8, 60) * np.geomspace(1, 100, 60)[:, None]
    expected = closed_forms.log_state_probabilities(case.model, natural, x)
    assert expected.min() < -300
    n = case.model.latent.n_features
    states = (np.arange(2**n)[:, None] >> np.arange(n)[::-1] & 1).astype(float)
    posterior = case.model.posterior(natural, x)
    logs = case.model.latent.log_density(posterior[:, None], states)
    visible = expected > np.log(1e-300)
    np.testing.assert_allclose(np.exp(logs[visible]), np.exp(expected[visible]), rtol=1e-9, atol=0)
    means = latents(case.model.prepare(natural), ArraySource(x))
    np.testing.assert_allclose(means, np.exp(expected) @ states, rtol=1e-9, atol=1e-300)


@cases_with(Normal)
@pytest.mark.parametrize("share", [0.0, 0.4])
def test_normal_factors_by_the_joint_normal(case: HarmoniumCase, share: float) -> None:
    natural = case.point(8)
    assert isinstance(case.model.rule, LinearRule)
    x = case.with_missing(case.rows(8, 20), share, case.rng(9))
    offset, loadings, noise, prior = case.model.to_parameters(natural)
    posterior = case.model.latent.to_parameters(case.model.posterior(natural, x))
    means = latents(case.model.prepare(natural), ArraySource(x))
    for i, row in enumerate(x):
        seen = ~np.isnan(row)
        within = (loadings @ prior.covariance @ loadings.T + noise)[np.ix_(seen, seen)]
        across = prior.covariance @ loadings[seen].T
        gain = np.linalg.solve(within, across.T).T if seen.any() else across
        expected = prior.mean + gain @ (row - offset - loadings @ prior.mean)[seen]
        assert_close(posterior.mean[i], expected, 1e-11)
        assert_close(means[i], expected, 1e-11)
        assert_close(posterior.covariance[i], prior.covariance - gain @ across.T, 1e-11)


@every_model
class TestExpectation:
    def test_is_the_posterior_s(self, case: HarmoniumCase) -> None:
        # Eq. 25, row by row and averaged
        model, natural, x = small(case, 5)
        expected = LatentSum(model, natural).expected_statistic(x)
        alone = np.concatenate([model.expectation(natural, row[None])[None] for row in x])
        assert_close(alone, expected, 1e-10)
        weights = np.array([1.0, 0.5, 0.0, 2.0, 3.0])
        average = weights @ expected / weights.sum()
        assert_close(model.expectation(natural, x, weights), average, 1e-10)

    def test_rows_without_values_add_the_model_s(self, case: HarmoniumCase) -> None:
        model, natural = case.model, case.point(1)
        nothing = np.full((3, model.n_observed), np.nan)
        assert_close(model.expectation(natural, nothing), model.to_mean(natural), 1e-10)

    def test_completes_a_row_as_the_pass_does(self, case: HarmoniumCase) -> None:
        model, natural = case.model, case.point(1)
        x = case.with_missing(case.rows(1, 6), 0.4, case.rng(9))
        latent = np.full((6, model.n_features - model.n_observed), np.nan)
        log_marginal, expected = model.complete(natural, np.column_stack([x, latent]))
        assert_close(log_marginal, model.log_observable_density(natural, x), 1e-11)
        for row, statistic in zip(x, expected, strict=True):
            assert_close(statistic, model.expectation(natural, row[None]), 1e-10)

    def test_whole_observations_are_complete(self, case: HarmoniumCase) -> None:
        model, natural = case.model, case.point(1)
        rows = model.sample(natural, 1, size=6)
        log_marginal, expected = model.complete(natural, rows)
        assert_close(log_marginal, model.log_density(natural, rows), 1e-11)
        assert_close(expected, model.sufficient_statistic(rows), 1e-13)
        rows[0, -1], rows[0, 0] = np.nan, np.nan
        if model.n_features - model.n_observed > 1:
            with pytest.raises(ValueError, match=r"x: column \d+ is the latent's"):
                model.complete(natural, rows)


@models_with_marginals
class TestMarginals:
    def test_with_missing_values_is_bayes_for_what_is_observed(self, case: HarmoniumCase) -> None:
        # q(z | x) q(x) summed over what is missing
        model, natural, x = small(case, 3)
        z = model.latent.sample(model.prior(natural), 1, size=4)
        for column, (values, log_weights) in enumerate(axes_of(model, natural)[: model.n_observed]):
            partial = x.copy()
            partial[:, column] = np.nan
            logs = model.latent.log_density(model.posterior(natural, partial)[:, None], z)
            for row, log in zip(partial, logs, strict=True):
                rows = np.repeat(row[None], len(values), 0)
                rows[:, column] = values
                joint = (
                    model.latent.log_density(model.posterior(natural, rows)[:, None], z)
                    + model.log_observable_density(natural, rows)[:, None]
                )
                marginal = model.log_observable_density(natural, row[None])
                assert_close(log, logsumexp(joint + log_weights[:, None], 0) - marginal, 1e-9)

    def test_the_expectation_with_missing_values(self, case: HarmoniumCase) -> None:
        # the expectation of what is missing, given what is not
        model, natural, x = small(case, 3)
        axes = axes_of(model, natural)[: model.n_observed]
        for column, axis in enumerate(axes):
            for row in x:
                rows = np.repeat(row[None], len(axis.values), 0)
                rows[:, column] = axis.values
                logs = model.log_observable_density(natural, rows) + axis.log_weights
                expected = model.expectation(natural, rows, np.exp(logs - logsumexp(logs)))
                partial = row[None].copy()
                partial[:, column] = np.nan
                assert_close(model.expectation(natural, partial), expected, 1e-10)
