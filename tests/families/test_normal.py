"""Normal laws: ill conditions, offsets, and data that determine no covariance."""

import tracemalloc
from fractions import Fraction

import mpmath
import numpy as np
import pytest

from harmonium.errors import BoundaryError, BoundaryWarning, DataWarning
from harmonium.expectation import as_source, expectation, log_densities
from harmonium.families import Normal
from laws import formulas

EPS = float(np.finfo(float).eps)
SHAPES = ["full", "diagonal", "isotropic"]


def covariance_of(condition, n=4, seed=0):
    q, _ = np.linalg.qr(np.random.default_rng(seed).standard_normal((n, n)))
    matrix = (q * np.geomspace(1.0, 1 / condition, n)) @ q.T
    return 0.5 * (matrix + matrix.T)


# ------------------------------------------------------------------------------ conditions


@pytest.mark.parametrize("condition", [1.0, 1e3, 1e6, 1e8, 1e10])
@pytest.mark.parametrize("seed", range(3))
def test_log_partition_of_ill_conditioned_laws(condition, seed):
    family = Normal(4)
    mean = np.random.default_rng(seed).standard_normal(4)
    natural = family.from_parameters(mean=mean, covariance=covariance_of(condition, seed=seed))
    exact = formulas.evaluate(formulas.normal(4), natural)
    scale = float(abs(exact)) + np.abs(natural) @ np.abs(family.to_mean(natural))
    assert abs(float(family.log_partition(natural) - exact)) <= 8 * EPS * scale


@pytest.mark.parametrize("condition", [1.0, 1e3, 1e6, 1e8, 1e10])
@pytest.mark.parametrize("seed", range(3))
def test_parameters_of_ill_conditioned_laws(condition, seed):
    family = Normal(4)
    mean = np.random.default_rng(seed).standard_normal(4)
    covariance = covariance_of(condition, seed=seed)
    natural = family.from_parameters(mean=mean, covariance=covariance)
    back = family.to_parameters(natural)
    assert np.abs(back.covariance - covariance).max() <= 16 * EPS * condition
    assert np.abs(back.mean - mean).max() <= 64 * EPS * condition
    again = family.to_natural(family.to_mean(natural))
    assert np.abs(again - natural).max() <= 1e-9 * condition * np.abs(natural).max()


def test_columns_of_very_different_scale_cost_no_digits():
    family = Normal(4)
    scales = np.array([1e-8, 1.0, 1e8, 1e3])
    covariance = covariance_of(10.0) * np.outer(scales, scales)
    mean = 3 * scales
    with pytest.warns(DataWarning, match="different scale"):
        natural = family.from_parameters(mean=mean, covariance=covariance)
    back = family.to_parameters(natural)
    np.testing.assert_allclose(back.covariance, covariance, rtol=1e-12)
    np.testing.assert_allclose(back.mean, mean, rtol=1e-12)
    again = family.to_natural(family.to_mean(natural))
    np.testing.assert_allclose(again, natural, rtol=1e-10)


@pytest.mark.parametrize("shape", SHAPES)
def test_entropies_far_from_the_origin(shape):
    family = Normal(3, shape)
    covariance = 0.25 * np.eye(3)
    here, there = (
        family.from_parameters(mean=mean, covariance=covariance)
        for mean in (np.zeros(3), [1e9] * 3)
    )
    exact = 1.5 * np.log(2 * np.pi * np.e) + 3 * np.log(0.5)
    assert family.entropy(here) == pytest.approx(exact, rel=1e-14)
    assert family.entropy(there) == pytest.approx(exact, rel=1e-14)
    near = family.from_parameters(mean=[1e9 + 1, 1e9, 1e9], covariance=covariance)
    # half the squared distance in standard deviations
    assert family.relative_entropy(there, near) == pytest.approx(2.0, rel=1e-6)


@pytest.mark.parametrize("shape", SHAPES)
def test_relative_entropy_of_batches(shape):
    family = Normal(2, shape)
    rng = np.random.default_rng(0)
    mean = rng.standard_normal((3, 2))
    variance = rng.random(3) + 0.5
    points = np.stack(
        [
            family.from_parameters(mean=m, covariance=v * np.eye(2))
            for m, v in zip(mean, variance, strict=True)
        ]
    )
    found = family.relative_entropy(points[:, None], points)
    for i in range(3):
        for j in range(3):
            ratio = variance[i] / variance[j]
            distance = ((mean[i] - mean[j]) ** 2).sum() / variance[j]
            assert found[i, j] == pytest.approx(ratio - 1 - np.log(ratio) + distance / 2, abs=1e-12)


# -------------------------------------------------------------------------------- estimates


def numacc4():
    """NIST's NumAcc4: mean 10000000.2, standard deviation (of n - 1) 0.1 exactly."""
    return np.array([10000000.2] + [10000000.1, 10000000.3] * 500)[:, None]


@pytest.mark.parametrize("shape", SHAPES)
def test_offsets_of_a_hundred_million_deviations(shape):
    x = numacc4()
    estimate = Normal(1, shape).to_parameters(Normal(1, shape).maximum_likelihood(x))
    n = len(x)
    exact = [Fraction(float(value)) for value in x[:, 0]]
    centre = sum(exact) / n
    variance = sum((value - centre) ** 2 for value in exact) / n
    assert estimate.mean[0] == pytest.approx(float(centre), rel=4 * EPS)
    assert estimate.covariance[0, 0] == pytest.approx(float(variance), rel=1e-12)
    # as nearly as the decimals can be stored
    assert np.sqrt(estimate.covariance[0, 0] * n / (n - 1)) == pytest.approx(0.1, rel=1e-8)


@pytest.mark.parametrize("shape", SHAPES)
def test_weights_of_offset_data(shape):
    x = np.column_stack([numacc4(), numacc4()[::-1]])
    weights = np.random.default_rng(0).integers(0, 3, len(x))
    family = Normal(2, shape)
    weighted = family.to_parameters(family.maximum_likelihood(x, weights))
    repeated = family.to_parameters(family.maximum_likelihood(np.repeat(x, weights, 0)))
    np.testing.assert_allclose(weighted.mean, repeated.mean, rtol=1e-15)
    np.testing.assert_allclose(weighted.covariance, repeated.covariance, rtol=1e-10, atol=1e-15)


def test_a_first_row_without_weight_may_be_anywhere():
    x = numacc4()
    x[0] = -1e15
    weights = np.ones(len(x))
    weights[0] = 0
    estimate = Normal().to_parameters(Normal().maximum_likelihood(x, weights))
    other = Normal().to_parameters(Normal().maximum_likelihood(x[1:]))
    assert estimate.covariance[0, 0] == pytest.approx(other.covariance[0, 0], rel=1e-7)


@pytest.mark.parametrize("scale", [1e-8, 1.0, 1e8])
@pytest.mark.parametrize("offset", [0.0, 1e7])
@pytest.mark.parametrize("shape", SHAPES)
def test_estimates_follow_a_change_of_units(shape, offset, scale):
    # the log density of every row shifts by the log of the scale, and nothing else does
    rng = np.random.default_rng(0)
    x = rng.standard_normal((200, 3)) @ rng.standard_normal((3, 3))
    moved = (x + offset) * scale
    # what is left after the shift has rounded
    x = moved / scale - offset
    family = Normal(3, shape)
    logs = []
    for table in (x, moved):
        covariance = table.var() * np.eye(3)
        start = family.prepare(family.from_parameters(mean=table.mean(0), covariance=covariance))
        for _ in range(2):
            start = start.maximise(expectation(start, as_source(table)).sums, set())
        logs.append(log_densities(start, as_source(table)))
    difference = logs[0] - logs[1] - 3 * np.log(scale)
    assert np.abs(difference).max() <= 1e-6


DEGENERATE = {
    "a constant column": np.column_stack([np.arange(6.0), np.full(6, 5.0), np.arange(6.0) ** 2]),
    "a column of zeros": np.column_stack([np.arange(6.0), np.zeros(6), np.arange(6.0) ** 2]),
    "collinear columns": np.column_stack([np.arange(6.0), 2 * np.arange(6.0), np.arange(6.0) ** 2]),
    "fewer rows than columns": np.array([[0.0, 1.0, 5.0], [2.0, 7.0, 1.0]]),
    "one row": np.array([[1.0, 2.0, 3.0]]),
    "one row of zeros": np.zeros((1, 3)),
    "identical rows": np.full((5, 3), 1e8),
    "identical rows far out": np.full((5, 3), 1e70),
}


@pytest.mark.parametrize("factor", [1e-8, 1.0, 1e8])
@pytest.mark.parametrize("kind", DEGENERATE)
def test_data_that_determine_no_covariance(kind, factor):
    if kind == "identical rows far out" and factor > 1:
        factor = 1.0
    x = DEGENERATE[kind] * factor
    family = Normal(3)
    with pytest.warns(BoundaryWarning, match="singular"):
        estimate = family.maximum_likelihood(x)
    # a point of the domain, with everything that can be asked of it
    mean, covariance = family.to_parameters(estimate)
    # natural coordinates of a condition of 1e13 hold a mean to a hundredth of its deviations
    bound = 0.01 * x.std(0) + 1e-7 * np.abs(x).max(0)
    assert (np.abs(mean - x.mean(0)) <= bound).all()
    assert np.isfinite(covariance).all()
    assert (np.diagonal(covariance) > 0).all()
    for function in (family.log_partition, family.entropy, family.to_mean):
        assert np.isfinite(function(estimate)).all()
    assert np.isfinite(family.log_density(estimate, x)).all()
    assert np.isfinite(family.sample(estimate, rng=0, size=3)).all()


@pytest.mark.parametrize("shape", ["diagonal", "isotropic"])
def test_simpler_shapes_need_fewer_rows(shape):
    x = DEGENERATE["fewer rows than columns"]
    estimate = Normal(3, shape).to_parameters(Normal(3, shape).maximum_likelihood(x))
    variances = x.var(0) if shape == "diagonal" else np.full(3, x.var(0).mean())
    np.testing.assert_allclose(np.diagonal(estimate.covariance), variances, rtol=1e-12)


def test_a_constant_column_leaves_the_others_as_they_are():
    x = DEGENERATE["a constant column"]
    with pytest.warns(BoundaryWarning):
        estimate = Normal(3).to_parameters(Normal(3).maximum_likelihood(x))
    others = Normal(2).to_parameters(Normal(2).maximum_likelihood(x[:, [0, 2]]))
    np.testing.assert_allclose(
        estimate.covariance[np.ix_([0, 2], [0, 2])], others.covariance, rtol=1e-6
    )


def test_a_nearly_collinear_column_is_left_alone():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((100, 2))
    x = np.column_stack([x, x.sum(1) + 1e-4 * rng.standard_normal(100)])
    estimate = Normal(3).to_parameters(Normal(3).maximum_likelihood(x))
    np.testing.assert_allclose(estimate.covariance, np.cov(x.T, bias=True), rtol=1e-6, atol=1e-9)


# --------------------------------------------------------------------------- what is refused


@pytest.mark.parametrize(
    ("natural", "rule"),
    [
        ([0, 0, 0.5, 0, -0.5], "positive definite"),
        ([0, 0, -0.5, 1.0, -0.5], "positive definite"),
        ([0, 0, -0.5, 1.0 + 1e-12, -0.5], "positive definite"),
        ([0, 0, 0, 0, 0], "positive definite"),
        ([0, 0, -1e308, 0, -0.5], "below 9e307"),
        ([0, 0, 1e308, 0, -0.5], "below 9e307"),
        ([0, 0, -1e-160, 0, -0.5], "within 1e"),
        ([1e80, 0, -0.5, 0, -0.5], "within 1e"),
    ],
)
def test_points_outside(natural, rule):
    with pytest.raises(ValueError, match=rule):
        Normal(2).log_partition(natural)
    if natural[3] == 0:
        with pytest.raises(ValueError, match=rule):
            Normal(2, "diagonal").log_partition([*natural[:3], natural[4]])


def test_points_close_to_the_boundary_are_in_or_out():
    # never a failure halfway: what passes the gate has a factor
    rng = np.random.default_rng(0)
    inside = 0
    for _ in range(300):
        precision = covariance_of(10 ** rng.uniform(13, 17), 3, rng.integers(1000))
        i, j = np.tril_indices(3)
        natural = np.append(np.zeros(3), -0.5 * precision[i, j] * np.where(i == j, 1, 2))
        try:
            psi = Normal(3).log_partition(natural)
        except ValueError as error:
            assert "positive definite" in str(error)  # noqa: PT017 - either is right
        else:
            inside += 1
            assert np.isfinite(psi)
    assert 0 < inside < 300


@pytest.mark.parametrize("shape", SHAPES)
def test_means_of_no_law(shape):
    family = Normal(2, shape)
    mean = family.to_mean(family.from_parameters(mean=[1, 2], covariance=np.eye(2)))
    mean[2:] = 0
    with pytest.raises(BoundaryError, match="covariance must be positive definite"):
        family.to_natural(mean)


def test_data_beyond_squares():
    for function in (Normal().maximum_likelihood, Normal().sufficient_statistic):
        with pytest.raises(ValueError, match=r"x: .*row 1, column 0 is -1e\+200.*units"):
            function([[0.0], [-1e200]])


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"mean": [0, 0], "covariance": [[1, 2], [2, 1]]}, "covariance"),
        ({"mean": [0, 0], "covariance": [[1, 0.5], [0.4, 1]]}, "covariance"),
        ({"mean": [0, 0, 0], "covariance": np.eye(2)}, "mean"),
        ({"mean": [0, 0], "covariance": np.eye(3)}, "covariance"),
        ({"mean": [0, np.nan], "covariance": np.eye(2)}, "mean"),
    ],
)
def test_parameters_that_are_none(parameters, words):
    with pytest.raises(ValueError, match=words):
        Normal(2).from_parameters(**parameters)


@pytest.mark.parametrize("shape", ["diagonal", "isotropic"])
def test_matrices_of_another_shape(shape):
    with pytest.raises(ValueError, match="off the diagonal"):
        Normal(2, shape).from_parameters(mean=[0, 0], covariance=[[1, 0.5], [0.5, 1]])
    with pytest.raises(ValueError, match="above zero"):
        Normal(2, shape).from_parameters(mean=[0, 0], covariance=np.diag([-1.0, -1.0]))
    if shape == "isotropic":
        with pytest.raises(ValueError, match="one variance"):
            Normal(2, shape).from_parameters(mean=[0, 0], covariance=np.diag([1.0, 2.0]))


def test_ways_to_say_the_same():
    full, diagonal, isotropic = (Normal(2, shape) for shape in SHAPES)
    as_matrix = diagonal.from_parameters(mean=[1, 2], covariance=[[4, 0], [0, 9]])
    as_vector = diagonal.from_parameters(mean=[1, 2], covariance=[4, 9])
    np.testing.assert_array_equal(as_matrix, as_vector)
    np.testing.assert_array_equal(
        isotropic.from_parameters(mean=[1, 2], covariance=4.0),
        isotropic.from_parameters(mean=[1, 2], covariance=4 * np.eye(2)),
    )
    np.testing.assert_array_equal(
        Normal(1).from_parameters(mean=1, covariance=4),
        Normal(1).from_parameters(mean=[1], covariance=[[4]]),
    )
    x = np.random.default_rng(0).standard_normal((5, 2))
    np.testing.assert_allclose(
        full.log_density(full.from_parameters(mean=[1, 2], covariance=np.diag([4, 9])), x),
        diagonal.log_density(as_vector, x),
        rtol=1e-13,
    )


def test_shapes_by_other_names():
    with pytest.raises(ValueError, match='"full", "diagonal" or "isotropic"; got \'diag\''):
        Normal(2, "diag")
    for n in (0, -1, 1.5, "2", True):
        with pytest.raises((ValueError, TypeError), match="n"):
            Normal(n)


# --------------------------------------------------------------------------------- sampling


def test_a_factor_is_computed_once_for_all_draws():
    family = Normal(20)
    natural = family.from_parameters(mean=np.zeros(20), covariance=np.eye(20))
    tracemalloc.start()
    try:
        draws = family.sample(natural, rng=0, size=20_000)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    # a factor for each draw would be 20 times the draws
    assert peak <= 8 * draws.nbytes


def test_oracle_knows_precisions_of_any_condition():
    # the oracle of these tests itself, on a law whose answer is known
    with mpmath.workdps(50):
        natural = [0.0, 0.0, -0.5e10, 0.0, -0.5e-10]
        assert abs(formulas.evaluate(formulas.normal(2), natural)) < 1e-12
