"""EM of every model: it climbs, it splits (Eq. 27), and it stops where the gradient is zero."""

import numpy as np
import pytest
from scipy.special import logsumexp

from harmonium.expectation import ArraySource, Prepared, expectation
from harmonium.validation import FloatArray
from laws.brute_force import rows_of_data
from laws.derivatives import derivative
from laws.harmonium_cases import HarmoniumCase, every_model, shifting_models
from laws.random_points import random_point, rows_of
from laws.tolerances import assert_close

KINDS = ["complete", "weighted", "missing", "missing and weighted"]


def source_of(case: HarmoniumCase, kind: str, n: int = 250) -> ArraySource:
    x, rng = case.rows(1, n), case.rng(3)
    weights = rng.gamma(1.0, size=n) if "weighted" in kind else None
    return ArraySource(case.with_missing(x, 0.2, rng) if "missing" in kind else x, weights)


def climb(
    prepared: Prepared, source: ArraySource, iterations: int
) -> tuple[FloatArray, FloatArray, Prepared]:
    """Log-likelihoods and residuals of EM, and where it ends."""
    history, residuals = [], []
    for _ in range(iterations):
        totals = expectation(prepared, source)
        history.append(totals.log_likelihood)
        residuals.append(prepared.residual(totals.sums))
        prepared = prepared.maximise(totals.sums, set())
    return np.array(history), np.array(residuals), prepared


@every_model
@pytest.mark.parametrize("kind", KINDS)
def test_the_likelihood_never_falls(case: HarmoniumCase, kind: str) -> None:
    start = case.model.prepare(case.point(2))
    history, _, end = climb(start, source_of(case, kind), 25)
    assert (np.diff(history) >= -1e-10 * np.abs(history[1:])).all()
    assert np.isfinite(end.natural).all()


@every_model
@pytest.mark.parametrize("kind", KINDS)
def test_a_step_is_the_backward_mapping_of_the_average(case: HarmoniumCase, kind: str) -> None:
    # Eq. 27 in mean coordinates, and the same step from centred sums
    model, natural = case.model, case.point(1)
    source = source_of(case, kind)
    prepared = model.prepare(natural)
    step = prepared.maximise(expectation(prepared, source).sums, set()).natural[0]
    average = model.expectation(natural, source.x, source.weights)
    assert_close(step, model.to_natural(average), 1e-8)


@every_model
def test_the_gradient_is_average_less_model_expectation(case: HarmoniumCase) -> None:
    # Eq. 28
    model, natural = case.small, random_point(case.small, case.rng(4))
    x = case.with_missing(rows_of(model, natural, 20, case.rng(5)), 0.2, case.rng(6))

    def average_log_density(points: FloatArray) -> FloatArray:
        return np.array([model.log_observable_density(point, x).mean() for point in points])

    difference = model.expectation(natural, x) - model.to_mean(natural)
    assert_close(difference, derivative(average_log_density, natural), 1e-7)


@every_model
def test_the_truth_is_stationary_for_the_population(case: HarmoniumCase) -> None:
    # with every row that there is, weighted by its probability
    model, natural = case.small, random_point(case.small, case.rng(2))
    rows, log_weights = rows_of_data(model, natural)
    logs = model.log_observable_density(natural, rows) + log_weights
    prepared = model.prepare(natural)
    sums = expectation(prepared, ArraySource(rows, np.exp(logs - logsumexp(logs)))).sums
    assert prepared.residual(sums) <= 1e-9
    assert_close(prepared.mean(sums)[0], model.to_mean(natural), 1e-9)
    assert_close(prepared.maximise(sums, set()).natural[0], natural, 1e-8)
    elsewhere = model.prepare(random_point(model, case.rng(3)))
    if model.latent.dimension:
        assert elsewhere.residual(expectation(elsewhere, ArraySource(rows)).sums) > 1e-2


@every_model
def test_the_residual_vanishes_with_the_gradient(case: HarmoniumCase) -> None:
    source = source_of(case, "complete")
    _, residuals, end = climb(case.model.prepare(case.point(1)), source, 150)
    assert residuals[-1] <= max(1e-6, 0.25 * residuals[0])
    natural = end.natural[0]
    gradient = case.model.expectation(natural, source.x) - case.model.to_mean(natural)
    spread = np.sqrt(np.diagonal(derivative(case.model.to_mean, natural)))
    assert (np.abs(gradient) <= 5 * residuals[-1] * spread + 1e-9).all()


@shifting_models
def test_shifts_and_scales_change_nothing(case: HarmoniumCase) -> None:
    shift, scale = case.shift_and_scale(1)
    source = source_of(case, "missing and weighted")
    moved = ArraySource(shift + scale * source.x, source.weights)
    start = case.model.prepare(case.point(2))
    history, residuals, end = climb(start, source, 10)
    moved_history, moved_residuals, moved_end = climb(start.affine(shift, scale), moved, 10)
    assert source.weights is not None
    seen = (~np.isnan(source.x)).T @ source.weights
    expected = history - seen @ np.log(np.abs(scale))
    assert_close(moved_history, expected, 1e-10)
    np.testing.assert_allclose(moved_residuals, residuals, rtol=1e-7, atol=1e-12)
    assert_close(end.affine(shift, scale).natural, moved_end.natural, 1e-7)
