"""Products: columns of different kinds side by side, alone and in mixtures."""

import numpy as np
import pytest
from scipy.special import logsumexp

from harmonium import Categorical, LinearGaussian, Mixture, Normal, Poisson, Product, VonMises
from harmonium.errors import BoundaryError, BoundaryWarning
from harmonium.expectation import as_source, expectation, log_densities
from harmonium.families.base import ColumnUnits
from harmonium.learning import fit
from harmonium.learning.standardisation import Sample, standardisation_of
from harmonium.learning.starting import embedding
from laws.case import with_holes
from laws.random_points import random_point, rows_of

MIXED = Product(Normal(2), Poisson(1), Categorical(3), VonMises(1))
DEEP = Product(Poisson(2), Product(Normal(1), Product(Categorical(2))))


def point(family, seed=0):
    return random_point(family, np.random.default_rng(seed))


def rows(family, n, seed=0):
    return family.sample(point(family, seed), rng=seed, size=n)


@pytest.mark.parametrize("family", [MIXED, DEEP], ids=repr)
def test_everything_is_the_sum_of_the_parts(family):
    natural, other, x = point(family), point(family, 1), rows(family, 20)
    points, others, columns = (
        family.split(natural),
        family.split(other),
        family.split_observation(x),
    )

    def summed(name, *arguments):
        calls = zip(family.parts, *arguments, strict=True)
        return sum(getattr(part, name)(*own) for part, *own in calls)

    np.testing.assert_allclose(
        family.log_density(natural, x), summed("log_density", points, columns)
    )
    np.testing.assert_allclose(family.log_base_measure(x), summed("log_base_measure", columns))
    for name in ("log_partition", "entropy"):
        np.testing.assert_allclose(getattr(family, name)(natural), summed(name, points))
    divergence = family.relative_entropy(natural, other)
    np.testing.assert_allclose(divergence, summed("relative_entropy", points, others))


def test_columns_and_statistics_in_order():
    x = np.array([[1.0, -2.0, 4.0, 2.0, 0.5]])
    normal, count, category, angle = MIXED.split_observation(x)
    assert (normal.tolist(), count.tolist()) == ([[1, -2]], [[4]])
    assert (category.tolist(), angle.tolist()) == ([[2]], [[0.5]])
    expected = [1, -2, 1, -2, 4, 4, 0, 1, np.cos(0.5), np.sin(0.5)]
    np.testing.assert_allclose(MIXED.sufficient_statistic(x)[0], expected)
    np.testing.assert_array_equal(MIXED.location, [0, 1, 5, 6, 7, 8, 9])
    np.testing.assert_array_equal(MIXED.shape, [2, 3, 4])
    assert MIXED.dimension == 10
    assert MIXED.n_features == MIXED.n_observed == 5


def test_people_s_parameters():
    family = Product(Normal(1), Poisson(2))
    natural = family.from_parameters(
        parts=[{"mean": [1.0], "covariance": [[4.0]]}, np.log([[3.0, 5.0], [1.0, 2.0]])]
    )
    assert natural.shape == (2, 4)
    normal, poisson = family.to_parameters(natural).parts
    np.testing.assert_allclose(normal.mean, [[1.0], [1.0]])
    np.testing.assert_allclose(poisson.rate, [[3, 5], [1, 2]])
    again = family.from_parameters(parts=family.to_parameters(natural).parts)
    np.testing.assert_allclose(again, natural, rtol=1e-14)


@pytest.mark.parametrize(
    ("parts", "error"),
    [
        ([{"rate": [1.0, 2.0]}], ValueError),
        ("ab", TypeError),
        (3, TypeError),
        ({"mean": 0}, TypeError),
        ([{"colour": 1}, {"rate": [1.0, 2.0]}], TypeError),
        ([[0.0, 1.0], {"rate": [1.0, 2.0]}], ValueError),
    ],
)
def test_parameters_that_are_refused(parts, error):
    with pytest.raises(error):
        Product(Normal(1), Poisson(2)).from_parameters(parts=parts)


def test_parts_that_are_refused():
    with pytest.raises(ValueError, match="at least one"):
        Product()
    with pytest.raises(TypeError, match="part 1"):
        Product(Normal(1), "Poisson")
    with pytest.raises(ValueError, match=r"part 0.*latent columns"):
        Product(Mixture(Normal(1), 2), Poisson(1))


def test_errors_name_the_part_and_the_columns():
    natural = np.repeat(point(MIXED)[None], 3, 0)
    natural[2, 5] = 800.0
    with pytest.raises(ValueError, match=r"natural\[2\]: part 1, Poisson\(n=1\): log rates"):
        MIXED.log_partition(natural)
    x = rows(MIXED, 4)
    x[3, 2] = -1
    with pytest.raises(ValueError, match=r"x: columns 2 to 2, numbered from 0: .*row 3, column 0"):
        MIXED.log_density(point(MIXED), x)
    mean = np.repeat(MIXED.to_mean(point(MIXED))[None], 2, 0)
    mean[1, 6] = 2.0
    with pytest.raises(BoundaryError, match=r"mean\[1\]: part 2, Categorical"):
        MIXED.to_natural(mean)
    with pytest.raises(ValueError, match=r"x: shape \(2, 3\), expected \(..., 5\)"):
        MIXED.split_observation(np.zeros((2, 3)))


def test_only_the_part_on_its_boundary_is_moved():
    family = Product(Poisson(1), Normal(1))
    x = np.column_stack([np.zeros(50), np.random.default_rng(0).normal(3, 2, 50)])
    with pytest.warns(BoundaryWarning, match="Poisson"):
        estimate = family.maximum_likelihood(x)
    assert estimate[0] == -690
    alone = Normal(1).maximum_likelihood(x[:, 1:])
    np.testing.assert_array_equal(estimate[1:], alone)


def test_normals_inside_keep_their_digits():
    # NIST's NumAcc4: 1001 values about 1e7, of standard deviation 0.1
    values = 10_000_000.2 + np.concatenate([[0.0], np.tile([-0.1, 0.1], 500)])
    x = np.column_stack([np.ones(1001), values])
    family = Product(Poisson(1), Product(Normal(1)))
    stack = family.prepare(family.maximum_likelihood(x))
    for _ in range(2):
        stack = stack.maximise(expectation(stack, as_source(x)).sums, set())
    variance = stack.parts[1].parts[0].covariances[0, 0, 0]
    assert variance == pytest.approx(0.01 * 1000 / 1001, rel=1e-7)


def test_units_are_the_parts_own():
    family = Product(Poisson(2), Normal(2, "isotropic"), VonMises(1), Normal(1))
    kinds = [("none", 2), ("common", 2), ("none", 1), ("each", 1)]
    assert family.standardisation == tuple(ColumnUnits(*kind) for kind in kinds)
    x = rows(family, 400)
    standard = standardisation_of(family, Sample(x * [1, 1, 1, 5, 1, 1e-6], np.ones(400)))
    np.testing.assert_array_equal(standard.shift[[0, 1, 4]], 0)
    np.testing.assert_array_equal(standard.scale[[0, 1, 4]], 1)
    assert standard.scale[2] == standard.scale[3] != standard.scale[5]
    assert (standard.shift[[2, 3, 5]] != 0).all()
    natural = point(family)
    with pytest.raises(ValueError, match=r"part 0, Poisson\(n=2\), is not closed"):
        family.affine(natural, 0.0, 2.0)
    with pytest.raises(ValueError, match="part 2, VonMises"):
        family.affine(natural, [0, 0, 1, 1, 1, 1], 1.0)


def test_distances_of_rows_are_by_part():
    family = Product(Poisson(1), Normal(1))
    x = np.array([[4.0, 1.0], [9.0, -1.0], [16.0, 0.5]])
    sample = Sample(x, np.ones(3))
    points = embedding(family, sample).x
    np.testing.assert_allclose(
        points[:, :1], embedding(Poisson(1), Sample(x[:, :1], sample.weights)).x
    )
    np.testing.assert_array_equal(
        points[:, 1:], embedding(Normal(1), Sample(x[:, 1:], sample.weights)).x
    )


MIXTURE = Mixture(Product(Normal(2), Poisson(1), Categorical(3)), 3)


def brute_force(natural, x):
    """Log joint densities (n, 3) of rows and components, from the components' own densities."""
    weights, _ = MIXTURE.to_parameters(natural)
    components = MIXTURE.rule.components(MIXTURE.observable, *MIXTURE.split(natural)[::2])
    logs = [MIXTURE.observable.complete(component, x).log_marginal for component in components]
    return np.log(weights) + np.stack(logs, -1)


@pytest.mark.parametrize("holes", [0.0, 0.4])
def test_mixtures_of_products(holes):
    natural = random_point(MIXTURE, np.random.default_rng(1))
    x = with_holes(rows_of(MIXTURE, natural, 200, np.random.default_rng(2)), holes)
    joint = brute_force(natural, x)
    np.testing.assert_allclose(
        log_densities(MIXTURE.prepare(natural), as_source(x)), logsumexp(joint, -1), rtol=1e-11
    )
    posterior = joint[:, 1:] - joint[:, :1]
    np.testing.assert_allclose(MIXTURE.posterior(natural, x), posterior, rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("holes", [0.0, 0.2])
def test_a_mixture_of_products_is_learned(holes):
    truth = MIXTURE.from_parameters(
        weights=[0.5, 0.3, 0.2],
        components=MIXTURE.observable.from_parameters(
            parts=[
                {
                    "mean": [[0.0, 0], [300, 0], [0, 4e-3]],
                    "covariance": np.repeat(np.diag([900.0, 1e-6])[None], 3, 0),
                },
                {"rate": [[1.0], [5.0], [20.0]]},
                {"probabilities": [[0.8, 0.1, 0.1], [0.1, 0.8, 0.1], [0.1, 0.1, 0.8]]},
            ]
        ),
    )
    x = rows_of(MIXTURE, truth, 3000, np.random.default_rng(3))
    fitted = fit(MIXTURE, with_holes(x, holes), seed=0)
    assert fitted.converged
    assert (np.diff(fitted.history) <= 1e-10 * np.abs(fitted.history[:-1])).all()
    found = MIXTURE.to_parameters(fitted.natural)
    order = np.argsort(-found.weights)
    np.testing.assert_allclose(found.weights[order], [0.5, 0.3, 0.2], atol=0.05)
    normal, poisson, _ = found.components.parts
    np.testing.assert_allclose(poisson.rate[order, 0], [1, 5, 20], rtol=0.1)
    np.testing.assert_allclose(normal.mean[order, 1] / 4e-3, [0, 0, 1], atol=0.05)


def test_a_mixture_of_products_fits_the_same_in_other_units():
    natural = random_point(MIXTURE, np.random.default_rng(4))
    x = rows_of(MIXTURE, natural, 500, np.random.default_rng(5))
    shift, scale = np.array([1e7, -3.0, 0, 0]), np.array([2.0**-20, 2.0**20, 1, 1])
    plain = fit(MIXTURE, x, seed=1, tol=1e-3)
    moved = fit(MIXTURE, shift + scale * x, seed=1, tol=1e-3)
    # the normals' columns are rounded by 1e7, to 1e-3 of their spread
    change = np.log(scale).sum()
    assert moved.history[-1] - plain.history[-1] == pytest.approx(change, abs=1e-2)


def test_mixtures_of_mixtures_of_products():
    model = Mixture(Mixture(Product(Normal(1), Poisson(1)), 2), 2)
    natural = random_point(model, np.random.default_rng(6))
    x = rows_of(model, natural, 400, np.random.default_rng(7))
    fitted = fit(model, x, seed=0, max_iter=200, tol=1e-3)
    assert (np.diff(fitted.history) <= 1e-10 * np.abs(fitted.history[:-1])).all()
    assert fitted.history[-1] < fitted.history[0]


def test_models_that_need_normals_refuse_products():
    with pytest.raises(ValueError, match="observable"):
        LinearGaussian(Product(Normal(2)), Normal(1))
    stack = MIXED.prepare(point(MIXED))
    assert stack.kernel() is not None
    with pytest.raises(ValueError, match="ProductPrepared"):
        stack.tilted(np.zeros(1), slice(0, 1))
