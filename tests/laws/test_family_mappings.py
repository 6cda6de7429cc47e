"""Laws of the log-partition function: its gradient, its Hessian, and the way back."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harmonium.errors import BoundaryError
from harmonium.numerics.derivatives import jacobian
from laws import formulas
from laws.family_cases import every_family
from laws.scales import mean_condition, natural_condition, spread

EPS = float(np.finfo(float).eps)
many = settings(max_examples=20)


@every_family
@many
@given(data=st.data())
def test_natural_to_mean_and_back(case, data):
    natural = data.draw(case.any_point(case.reach))
    condition = natural_condition(case.family, natural)
    try:
        back = case.family.to_natural(case.family.to_mean(natural))
    except BoundaryError:
        # a mean may round onto the boundary only where its digits tell nothing
        assert EPS * condition.max() > 1e-3
    else:
        assert (np.abs(back - natural) <= case.round_trip * condition).all()


@every_family
@many
@given(data=st.data())
def test_mean_to_natural_and_back(case, data):
    natural = data.draw(case.any_point())
    mean = case.family.to_mean(natural)
    back = case.family.to_mean(case.family.to_natural(mean))
    assert (np.abs(back - mean) <= case.round_trip * mean_condition(case.family, natural)).all()


def differences(function, natural, standard_deviations):
    """The Jacobian at a point by extrapolated differences, in steps of 0.03 standard deviations.

    Within one standard deviation a log-partition function is tame, and its domain goes on.
    """
    step = 1 / np.maximum(standard_deviations, 1 / np.maximum(1.0, np.abs(natural)))
    return jacobian(function, natural, 0.03 * step)


@every_family
@many
@given(data=st.data())
def test_mean_is_gradient_of_log_partition(case, data):
    family = case.family
    natural = data.draw(case.any_point())
    scale = spread(family, natural)
    gradient = differences(lambda t: family.log_partition(t)[None], natural, scale)[0]
    mean = family.to_mean(natural)
    rounding = 1e3 * EPS * np.abs(family.log_partition(natural)) * np.maximum(scale, 1.0)
    assert (np.abs(gradient - mean) <= 1e-7 * (np.abs(mean) + scale) + rounding).all()


@every_family
@many
@given(data=st.data())
def test_fisher_information_is_jacobian_of_mean(case, data):
    family = case.family
    natural = data.draw(case.any_point())
    fisher = family.fisher_information(natural)
    scale = np.sqrt(np.diagonal(fisher))
    numerical = differences(family.to_mean, natural, scale)
    rounding = 1e3 * EPS * np.abs(family.to_mean(natural))[:, None] * np.maximum(scale, 1.0)
    assert (np.abs(fisher - numerical) <= 1e-7 * np.outer(scale, scale) + rounding).all()


@every_family
@many
@given(data=st.data())
def test_fisher_information_is_symmetric_and_positive_semidefinite(case, data):
    natural = data.draw(case.any_point(case.reach))
    fisher = case.family.fisher_information(natural)
    np.testing.assert_array_equal(fisher, fisher.T)
    scale = np.sqrt(np.maximum(np.diagonal(fisher), np.finfo(float).tiny))
    eigenvalues = np.linalg.eigvalsh(fisher / np.outer(scale, scale))
    # second moments less squares of first ones: their rounding, in units of the variance
    rounding = 1 + np.max((case.family.to_mean(natural) / scale) ** 2, initial=0.0)
    assert (eigenvalues >= -32 * len(fisher) * EPS * rounding).all()


@every_family
@pytest.mark.parametrize("kind", ["points", "extremes"])
def test_log_partition_and_mean_against_high_precision(case, kind):
    for natural in getattr(case, kind)(3, 4):
        psi, mean = case.family.log_partition(natural), case.family.to_mean(natural)
        exact = formulas.evaluate(case.formula, natural)
        condition = max(float(abs(exact)), float(np.abs(natural) @ np.abs(mean)))
        assert abs(float(psi - exact)) <= case.forward * condition
        gradient = np.array([float(g) for g in formulas.gradient(case.formula, natural)])
        bound = case.forward * mean_condition(case.family, natural)
        assert (np.abs(mean - gradient) <= bound).all()


MAPPINGS = ["log_partition", "to_mean", "fisher_information", "entropy"]


@every_family
@pytest.mark.parametrize("batch", [(3,), (2, 1, 2), (0,), (2, 0)])
def test_batches_are_loops(case, batch):
    points = case.points(5, *batch)
    for name in MAPPINGS:
        function = getattr(case.family, name)
        check_batch(function, points, function(case.points(5)))
    means = case.family.to_mean(points)
    check_batch(case.family.to_natural, means, case.points(5))
    check_batch(lambda t: case.family.relative_entropy(t, case.points(6)), points, np.float64(0))


def check_batch(function, points, like):
    together = function(points)
    assert together.shape == points.shape[:-1] + np.shape(like)
    for place in np.ndindex(points.shape[:-1]):
        one = function(points[place])
        scale = np.abs(one).max(initial=0.0)
        np.testing.assert_allclose(together[place], one, rtol=1e-14, atol=1e-14 * scale)


@every_family
def test_log_densities_of_batches_are_loops(case):
    points = case.points(5, 3)
    x = case.rows(points[0], 3)
    one_by_one = np.array([case.family.log_density(point, x) for point in points])
    every = case.family.log_density(points[:, None], x)
    np.testing.assert_allclose(every, one_by_one, rtol=1e-14, atol=1e-14)
    pairs = case.family.log_density(points, x)
    np.testing.assert_allclose(pairs, np.diagonal(one_by_one), rtol=1e-14, atol=1e-14)


@every_family
def test_nothing_is_written_to(case):
    natural = case.points(5, 2)
    natural.flags.writeable = False
    mean = case.family.to_mean(natural)
    mean.flags.writeable = False
    case.family.to_natural(mean)
    for name in MAPPINGS:
        getattr(case.family, name)(natural)
    x = case.rows(natural[0], 5)
    x.flags.writeable = False
    case.family.log_density(natural[0], x)
    case.family.complete(natural[0], x)


@every_family
def test_settings_of_numpy_change_nothing(case):
    for points in (case.points(8, 10), case.extremes(8, 10)):
        means = case.family.to_mean(case.points(8, 10))

        def everything(points=points, means=means):
            rows = case.family.sample(points, rng=0)
            results = [getattr(case.family, name)(points) for name in MAPPINGS]
            results += [rows, case.family.log_density(points, rows)]
            results += [case.family.complete(points[0], rows).log_marginal]
            return [*results, case.family.to_natural(means)]

        plain = everything()
        with np.errstate(all="raise"):
            strict = everything()
        for one, other in zip(plain, strict, strict=True):
            np.testing.assert_array_equal(one, other)


@every_family
def test_extremes_give_numbers(case):
    points = case.extremes(9, 20)
    for name in MAPPINGS:
        assert np.isfinite(getattr(case.family, name)(points)).all(), name
    rows = case.family.sample(points, rng=2)
    assert np.isfinite(case.family.log_density(points, rows)).all()
    assert (case.family.relative_entropy(points, case.points(9)) >= 0).all()
