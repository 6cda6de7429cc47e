"""Factors of two moments, fitted directly: against scipy, the closed form, and EM."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import check_grad, minimize

from harmonium import LinearGaussian, Normal
from harmonium.expectation import ArraySource, expectation
from harmonium.learning import fit
from harmonium.learning.factor_analysis import (
    CompletedMoments,
    boundary_notes,
    is_factor_analysis,
    residual,
)
from harmonium.learning.factors import Factors, maximum_likelihood_factors, principal_factors
from harmonium.rules.linear_stack import LinearPrepared
from harmonium.validation import FloatArray


def rows(n: int, d: int, m: int, seed: int = 0) -> FloatArray:
    """Deviations from the mean of rows of m factors."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, m)) @ rng.normal(size=(m, d)) + rng.uniform(0.5, 1.5, d) * rng.normal(
        size=(n, d)
    )
    return np.asarray(x - x.mean(0))


def discrepancy(x: FloatArray, covariance: FloatArray) -> float:
    """Twice the negative log-likelihood a row, less its constant."""
    sample = x.T @ x / len(x)
    return float(np.linalg.slogdet(covariance)[1] + np.trace(np.linalg.solve(covariance, sample)))


def covariance_of(found: Factors) -> FloatArray:
    return np.asarray(found.loadings @ found.loadings.T + np.diag(found.noise))


def by_scipy(x: FloatArray, m: int, seed: int) -> float:
    """The discrepancy that a general optimiser reaches over loadings and logs of noise."""
    d = x.shape[1]
    sample = x.T @ x / len(x)

    def parts(p: FloatArray) -> tuple[FloatArray, FloatArray]:
        return p[: d * m].reshape(d, m), np.exp(p[d * m :])

    def value(p: FloatArray) -> float:
        loadings, noise = parts(p)
        return discrepancy(x, loadings @ loadings.T + np.diag(noise))

    def gradient(p: FloatArray) -> FloatArray:
        loadings, noise = parts(p)
        inverse = np.linalg.inv(loadings @ loadings.T + np.diag(noise))
        inner = inverse - inverse @ sample @ inverse
        return np.concatenate([(2 * inner @ loadings).ravel(), np.diagonal(inner) * noise])

    rng = np.random.default_rng(seed)
    first = np.concatenate([rng.normal(size=d * m) * 0.5, np.log(0.5 * x.var(0))])
    assert check_grad(value, gradient, first) < 1e-4 * max(1, abs(value(first)))
    bounds = [(None, None)] * (d * m) + [(np.log(1e-12 * v), None) for v in x.var(0)]
    options: dict[str, Any] = {"maxiter": 5000, "maxfun": 50_000, "ftol": 1e-15, "gtol": 1e-9}
    found = minimize(value, first, jac=gradient, method="L-BFGS-B", bounds=bounds, options=options)
    return float(found.fun)


class TestMaximumLikelihood:
    @pytest.mark.parametrize(("d", "m"), [(3, 1), (5, 1), (6, 2), (9, 3)])
    def test_no_worse_than_scipy(self, d: int, m: int) -> None:
        x = rows(300, d, m)
        ours = discrepancy(x, covariance_of(maximum_likelihood_factors(x, m)))
        theirs = min(by_scipy(x, m, seed) for seed in range(3))
        assert abs(ours - theirs) < 1e-7

    @settings(max_examples=25)
    @given(
        d=st.integers(2, 7), m=st.integers(1, 3), n=st.integers(3, 40), seed=st.integers(0, 10_000)
    )
    def test_any(self, d: int, m: int, n: int, seed: int) -> None:
        # few rows, Heywood cases and too many factors among them
        x = rows(n, d, min(m, d), seed)
        found = maximum_likelihood_factors(x, m)
        assert found.loadings.shape == (d, m)
        assert np.isfinite(found.loadings).all()
        share = found.noise / x.var(0)
        assert (share > 0.999e-12).all()
        assert (share < np.e * 1.001).all()
        if n > d + 1:
            theirs = by_scipy(x, m, seed)
            assert discrepancy(x, covariance_of(found)) < theirs + 1e-5
        # at a maximum the variances are those of the data
        np.testing.assert_allclose(np.diagonal(covariance_of(found)), x.var(0), rtol=1e-3)

    def test_stationary(self) -> None:
        x = rows(400, 6, 2)
        found = maximum_likelihood_factors(x, 2)
        inverse = np.linalg.inv(covariance_of(found))
        inner = inverse - inverse @ (x.T @ x / 400) @ inverse
        np.testing.assert_allclose(inner @ found.loadings, 0, atol=1e-6)
        np.testing.assert_allclose(np.diagonal(inner) * found.noise, 0, atol=1e-6)

    def test_units(self) -> None:
        x, scale = rows(200, 5, 1), 10.0 ** np.arange(-4.0, 6.0, 2)
        plain, scaled = maximum_likelihood_factors(x, 1), maximum_likelihood_factors(x * scale, 1)
        np.testing.assert_allclose(scaled.noise, plain.noise * scale**2, rtol=1e-6)
        np.testing.assert_allclose(
            np.abs(scaled.loadings), np.abs(plain.loadings) * scale[:, None], rtol=1e-6
        )

    def test_guesses(self) -> None:
        x = rows(200, 5, 1)
        plain = maximum_likelihood_factors(x, 1)
        for guess in (plain.noise, 0.1 * x.var(0), 5 * x.var(0), 1e-20 * x.var(0)):
            found = maximum_likelihood_factors(x, 1, guesses=[guess])
            assert (
                discrepancy(x, covariance_of(found)) < discrepancy(x, covariance_of(plain)) + 1e-6
            )

    def test_a_column_that_is_the_factor(self) -> None:
        # a Heywood case by construction: noise at its bound, the rest by regression
        rng = np.random.default_rng(0)
        whole, _ = np.linalg.qr(rng.normal(size=(200, 4)))
        whole *= np.sqrt(200)
        x = np.column_stack([whole[:, 0], whole[:, :1] + 0.5 * whole[:, 1:]])
        found = maximum_likelihood_factors(x, 1)
        np.testing.assert_allclose(found.noise, [1e-12, 0.25, 0.25, 0.25], rtol=1e-6)
        np.testing.assert_allclose(np.abs(found.loadings[:, 0]), 1, rtol=1e-6)

    def test_a_small_noise_is_not_taken_for_none(self) -> None:
        # two columns that agree to one part in 1e4: far from zero, and known well
        rng = np.random.default_rng(1)
        z = rng.normal(size=(500, 1))
        x = np.column_stack([z, z, z]) + 1e-4 * rng.normal(size=(500, 3))
        x -= x.mean(0)
        found = maximum_likelihood_factors(x, 1)
        np.testing.assert_allclose(found.noise, 1e-8, rtol=0.3)

    def test_a_column_that_does_not_vary(self) -> None:
        x = np.column_stack([rows(100, 4, 1), np.zeros(100)])
        found = maximum_likelihood_factors(x, 1)
        assert np.isfinite(found.loadings).all()
        assert (found.noise > 0).all()
        assert abs(found.loadings[4, 0]) < 1e-5
        alone = maximum_likelihood_factors(x[:, :4], 1)
        np.testing.assert_allclose(found.noise[:4], alone.noise, rtol=1e-5)

    @pytest.mark.parametrize("m", [3, 4, 6])
    def test_enough_factors_for_any_covariance(self, m: int) -> None:
        x = rows(100, 4, 2)
        found = maximum_likelihood_factors(x, m)
        best = float(np.linalg.slogdet(x.T @ x / 100)[1]) + 4
        assert abs(discrepancy(x, covariance_of(found)) - best) < 1e-6


class TestPrincipal:
    @pytest.mark.parametrize("m", [1, 2, 4])
    def test_closed_form(self, m: int) -> None:
        x = rows(200, 5, 2)
        found = principal_factors(x, m)
        values = np.linalg.eigvalsh(x.T @ x / 200)[::-1]
        np.testing.assert_allclose(found.noise, values[m:].mean(), rtol=1e-12)
        best = np.log(values[:m]).sum() + (5 - m) * np.log(values[m:].mean()) + 5
        assert abs(discrepancy(x, covariance_of(found)) - best) < 1e-10
        np.testing.assert_allclose(
            found.loadings.T @ found.loadings, np.diag(values[:m] - values[m:].mean()), atol=1e-10
        )

    @pytest.mark.parametrize("m", [5, 7])
    def test_as_many_as_columns_or_more(self, m: int) -> None:
        x = rows(200, 5, 2)
        found = principal_factors(x, m)
        assert found.loadings.shape == (5, m)
        np.testing.assert_allclose(covariance_of(found), x.T @ x / 200, rtol=1e-9, atol=1e-9)

    def test_fewer_rows_than_columns(self) -> None:
        x = rows(4, 9, 2)
        found = principal_factors(x, 6)
        assert np.isfinite(found.loadings).all()
        assert (found.noise > 0).all()


def fitted(x: FloatArray, m: int = 1, noise: Any = "diagonal") -> LinearPrepared:
    """A fit in the data's own units."""
    model = LinearGaussian(Normal(x.shape[1], noise), Normal(m))
    found = fit(model, x, max_iter=2000, warn=False).in_units
    assert isinstance(found, LinearPrepared)
    return found


class TestResiduals:
    @pytest.mark.parametrize("noise", ["diagonal", "isotropic"])
    @pytest.mark.parametrize("seed", range(4))
    def test_are_those_of_the_sums(self, noise: Any, seed: int) -> None:
        # wherever no noise vanishes, away from a maximum and at it
        rng = np.random.default_rng(seed)
        x = rows(100, 5, 2, seed) + rng.normal(size=5)
        model = LinearGaussian(Normal(5, noise), Normal(2))
        mean, loadings = rng.normal(size=2), rng.normal(size=(5, 2))
        natural = model.from_parameters(
            mean=x.mean(0) - loadings @ mean,
            loadings=loadings,
            noise=rng.uniform(0.5, 2, 5) if noise == "diagonal" else 1.3,
            prior=Normal(2).from_parameters(mean=mean, covariance=[[2.0, 0.3], [0.3, 1]]),
        )
        prepared = model.prepare(natural)
        source = ArraySource(x)
        summary = prepared.summarise(source)
        expected = prepared.residual(expectation(prepared, source).sums)
        np.testing.assert_allclose(residual(prepared, summary), expected, rtol=1e-6)

    def test_vanish_where_the_noise_does(self) -> None:
        # where differences of large numbers would leave 1e-4
        rng = np.random.default_rng(0)
        z = rng.normal(size=(150, 1))
        x = np.column_stack([z, z + 0.3 * rng.normal(size=(150, 3))])
        model = LinearGaussian(Normal(4, "diagonal"), Normal(1))
        for seed in range(5):
            part = np.random.default_rng(seed).permutation(150)[:100]
            found = fit(model, x[part], warn=False)
            assert found.converged
            assert found.n_iterations < 30

    def test_do_not_vanish_beside_a_maximum(self) -> None:
        x = rows(200, 5, 1)
        prepared = fitted(x)
        summary = prepared.summarise(ArraySource(x))
        assert residual(prepared, summary) < 1e-6
        for change in ("loadings", "noise"):
            moved = LinearPrepared(
                prepared.observable,
                prepared.latent_family,
                prepared.loadings * (1.01 if change == "loadings" else 1.0),
                prepared.noise
                if change == "loadings"
                else prepared.noise.with_added_variance(0.01 * prepared.noise.covariances[0]),
                prepared.prior,
            )
            assert residual(moved, summary) > 1e-3


class TestCompletedMoments:
    def data(self) -> FloatArray:
        x = rows(120, 5, 1) + 3.0
        return np.where(np.random.default_rng(1).random(x.shape) < 0.2, np.nan, x)

    @pytest.mark.parametrize("noise", ["diagonal", "isotropic"])
    def test_a_pass_is_a_pass(self, noise: Any) -> None:
        # E[z], E[z z] and E[x z] of completed rows are those of partly observed ones
        x = self.data()
        prepared = fitted(np.nan_to_num(x, nan=3.0), 2, noise)
        source = ArraySource(x, np.random.default_rng(2).gamma(1.0, size=120))
        ours, theirs = CompletedMoments(source).expectation(prepared), expectation(prepared, source)
        np.testing.assert_allclose(ours.log_likelihood, theirs.log_likelihood, rtol=1e-11)
        np.testing.assert_allclose(ours.weight, theirs.weight, rtol=1e-14)
        scale = np.abs(theirs.sums).max()
        np.testing.assert_allclose(ours.sums, theirs.sums, rtol=1e-9, atol=1e-11 * scale)

    @pytest.mark.parametrize("noise", ["diagonal", "isotropic"])
    def test_a_direct_step_is_no_smaller(self, noise: Any) -> None:
        x = self.data()
        source = ArraySource(x)
        prepared = fitted(np.nan_to_num(x, nan=3.0), 1, noise)
        for _ in range(5):
            moments = CompletedMoments(source)
            totals = moments.expectation(prepared)
            ordinary = prepared.maximise(totals.sums, set())
            direct = moments.maximise(prepared, ordinary)
            reached = [expectation(p, source).log_likelihood for p in (direct, ordinary)]
            assert reached[0] >= reached[1] - 1e-9
            assert reached[0] >= totals.log_likelihood - 1e-9
            prepared = direct

    def test_the_ordinary_step_where_it_is_better(self) -> None:
        x = self.data()
        prepared = fitted(np.nan_to_num(x, nan=3.0))
        moments = CompletedMoments(ArraySource(x))
        moments.expectation(prepared)
        best = moments.maximise(prepared, prepared)
        assert moments.maximise(best, best) is best or best is not prepared


class TestWhatIsFactorAnalysis:
    def test_which_models(self) -> None:
        x = rows(60, 4, 1)
        for model, expected in (
            (LinearGaussian(Normal(4, "diagonal"), Normal(1)), True),
            (LinearGaussian(Normal(4, "isotropic"), Normal(2)), True),
            (LinearGaussian(Normal(4), Normal(1)), False),
            (Normal(4), False),
        ):
            prepared = fit(model, x, warn=False).prepared
            assert is_factor_analysis(prepared) == expected
        several = LinearGaussian(Normal(4, "diagonal"), Normal(1)).prepare(
            np.stack([fitted(x).natural[0]] * 2)
        )
        assert not is_factor_analysis(several)

    def test_what_is_said(self) -> None:
        z = np.random.default_rng(0).normal(size=(100, 1))
        noise = np.random.default_rng(1).normal(size=(100, 3))
        heywood = fitted(np.column_stack([z, z + noise]), 2)
        plain = fitted(rows(200, 6, 1))
        assert boundary_notes(plain) == set()
        notes = boundary_notes(heywood)
        assert all("Heywood" in note for note in notes)
        assert (len(notes) == 1) == bool((heywood.noise.covariances / 1.0 < 1e-11).any())
        assert boundary_notes(fit(Normal(2), rows(50, 2, 1)).prepared) == set()
