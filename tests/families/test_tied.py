"""Components that share their shape: one convex problem, whoever solves it."""

import mpmath
import numpy as np
import pytest
from scipy import optimize, stats

from harmonium import Harmonium, LinearGaussian, Mixture
from harmonium.errors import BoundaryError, BoundaryWarning
from harmonium.expectation import ArraySource, as_source, expectation
from harmonium.families import (
    Beta,
    Boltzmann,
    CoMPoisson,
    Gamma,
    InverseGaussian,
    Normal,
    NormalWishart,
    Poisson,
    Product,
    VonMises,
    Wishart,
)
from harmonium.families.base import ExponentialFamily
from harmonium.families.tied import average, match_tied
from harmonium.learning import fit
from laws.random_points import random_point

FAMILIES = [
    Gamma(1),
    Gamma(3),
    InverseGaussian(2),
    CoMPoisson(1),
    CoMPoisson(2),
    Wishart(2),
    NormalWishart(1),
    NormalWishart(2),
    Normal(2),
    Normal(3, "diagonal"),
    Normal(2, "isotropic"),
    Boltzmann(3),
    Boltzmann(3, edges=((0, 2),)),
    Product(Gamma(1), Normal(2), Poisson(2), CoMPoisson(1), VonMises(1)),
]
#: Three groups of four components; one component without weight, one with next to none.
WEIGHTS = np.array([[0.25] * 4, [0.7, 0.1, 0.1, 0.1], [0.5, 0.5 - 1e-15, 1e-15, 0.0]])


def components(family: ExponentialFamily, seed: int = 0) -> np.ndarray:
    """Points (3, 4, dimension) with one shape in each group."""
    rng = np.random.default_rng(seed)
    points = np.stack([[random_point(family, rng) for _ in range(4)] for _ in range(3)])
    if isinstance(family, NormalWishart):
        # locations may not be exchanged at any precision scale: means and scales are
        parameters = family.to_parameters(points)
        return family.from_parameters(
            mean=parameters.mean,
            precision_scale=parameters.precision_scale[:, :1],
            scale=parameters.scale,
            degrees_of_freedom=parameters.degrees_of_freedom[:, :1],
        )
    points[..., family.shape] = points[:, :1, family.shape]
    return points


@pytest.mark.parametrize("family", FAMILIES, ids=repr)
class TestFamilies:
    def test_there_and_back(self, family):
        points = components(family)
        mean = family.to_mean(points)
        found = family._tied_natural(WEIGHTS, mean)
        np.testing.assert_allclose(found, points, rtol=1e-8, atol=1e-9)
        assert np.ptp(found[..., family.shape], axis=1).max() == 0
        # shape means count by their average only
        pooled = mean.copy()
        pooled[..., family.shape] = average(WEIGHTS, mean)[:, None][..., family.shape]
        again = family._tied_natural(WEIGHTS, pooled)
        np.testing.assert_allclose(again, points, rtol=1e-8, atol=1e-9)

    def test_is_the_maximum(self, family):
        # of what has no exact solution with one shape: the gradient vanishes
        rng = np.random.default_rng(1)
        points = np.stack([[random_point(family, rng) for _ in range(4)] for _ in range(3)])
        mean = family.to_mean(points)
        found = family._tied_natural(WEIGHTS, mean)
        gap = family.to_mean(found) - mean
        scale = 1e-8 * np.maximum(1.0, np.abs(mean))
        assert (np.abs(gap) <= scale)[..., family.location].all()
        pooled = average(WEIGHTS, gap)[..., family.shape]
        assert (np.abs(pooled) <= average(WEIGHTS, scale)[..., family.shape]).all()

    def test_is_newton_s(self, family):
        # closed forms against the general solve, from a start far away
        rng = np.random.default_rng(2)
        points = np.stack([[random_point(family, rng) for _ in range(4)] for _ in range(3)])
        mean = family.to_mean(points)
        start = family.to_natural(average(WEIGHTS, mean))
        general = match_tied(family, WEIGHTS, mean, np.repeat(start[:, None], 4, 1))
        np.testing.assert_allclose(
            family._tied_natural(WEIGHTS, mean), general, rtol=1e-7, atol=1e-8
        )

    def test_a_start_changes_nothing(self, family):
        points = components(family)
        mean = family.to_mean(components(family, 1))
        warm = family._tied_natural(WEIGHTS, mean, points)
        np.testing.assert_allclose(warm, family._tied_natural(WEIGHTS, mean), rtol=1e-9, atol=1e-10)

    def test_the_pass_maximises(self, family):
        points = components(family).reshape(12, -1)
        stack = family.prepare(points)
        x = np.concatenate([family.sample(point, seed, 60) for seed, point in enumerate(points)])
        rng = np.random.default_rng(3)
        own = np.repeat(np.eye(12), 60, 0)
        shares = 0.99 * own + 0.01 * rng.dirichlet(np.ones(12), len(x))
        notes: set[str] = set()
        sums = stack.accumulate(x, shares)
        best = stack.maximise_tied(sums, 4, notes)
        assert not notes
        assert best.residual_tied(best.accumulate(x, shares), 4) <= 1e-8
        assert stack.residual_tied(sums, 4) > 1e-3
        # no step along the shared shape, nor of one component, is better
        reached = (shares * best.evaluate(x)).sum()
        natural = best.natural
        for _ in range(10):
            step = 1e-3 * rng.standard_normal(natural.shape)
            step[:, family.shape] = 0.0
            groups = step.reshape(3, 4, -1)
            groups[..., family.shape] = 1e-3 * rng.standard_normal((3, 1, len(family.shape)))
            away = natural * (1 + groups.reshape(natural.shape))
            if family._outside(away) is None:
                assert (shares * family.prepare(away).evaluate(x)).sum() <= reached + 1e-9


@pytest.mark.parametrize("scale", [1.0, 1e6])
def test_com_poissons_with_one_shape_by_brute_force(scale):
    rng = np.random.default_rng(0)
    x = np.concatenate([rng.poisson(m * scale, 200) for m in (2.0, 5.0, 9.0)]).astype(float)
    weights, mean = np.full(3, 1 / 3), x.reshape(3, 200).mean(1)
    logs = np.array([[float(mpmath.loggamma(v + 1)) for v in part] for part in x.reshape(3, 200)])
    family = CoMPoisson(1)
    found = family._tied_natural(weights, np.column_stack([mean, logs.mean(1)]))

    def loss(shape):
        # each location by a search of its own
        total = 0.0
        for m, log in zip(mean, logs.mean(1), strict=True):
            rate = optimize.brentq(
                lambda t, m=m: family.to_mean([t, -shape])[0] - m,
                shape * np.log(m / 4),
                shape * np.log(4 * m),
                xtol=1e-14 * max(1.0, abs(np.log(m))),
            )
            total += family.log_partition([rate, -shape]) - rate * m + shape * log
        return total

    shape = -found[0, 1]
    best = optimize.minimize_scalar(loss, bounds=(0.5 * shape, 2 * shape), method="bounded")
    assert best.x == pytest.approx(shape, rel=2e-4)
    # the sums themselves are rounded
    rounding = 1e-15 * (mean * np.log(mean)).sum()
    assert loss(shape) <= best.fun + rounding + 1e-9 * abs(best.fun)


def test_gammas_with_one_shape_against_a_search():
    rng = np.random.default_rng(1)
    x = np.concatenate(
        [stats.gamma(2.5, scale=s).rvs(300, random_state=rng) for s in (1e-3, 1, 50)]
    )
    group = np.repeat(np.arange(3), 300)
    stack = Gamma(1).prepare(np.tile([1.0, -1.0], (3, 1)))
    best = stack.maximise_tied(stack.accumulate(x[:, None], np.eye(3)[group]), 3, set())

    def loss(shape):
        means = [x[group == k].mean() for k in range(3)]
        return -sum(
            stats.gamma(shape, scale=m / shape).logpdf(x[group == k]).sum()
            for k, m in enumerate(means)
        )

    search = optimize.minimize_scalar(
        loss, bounds=(0.5, 10), method="bounded", options={"xatol": 1e-9}
    )
    assert best.natural[:, 0] == pytest.approx(search.x, rel=1e-6)


class TestBoundaries:
    def test_constant_components_of_gammas(self):
        # each a constant: together too
        x = np.repeat([1.0, 7.0], 5)[:, None]
        stack = Gamma(1).prepare(np.array([[1.0, -1.0]] * 2))
        notes: set[str] = set()
        best = stack.maximise_tied(stack.accumulate(x, np.repeat(np.eye(2), 5, 0)), 2, notes)
        assert any("boundary" in note for note in notes)
        shape = -best.natural[:, 1] * [1.0, 7.0]
        np.testing.assert_allclose(shape, 1e12, rtol=1e-2)

    def test_one_constant_component_is_no_boundary(self):
        x = np.array([[1.0]] * 5 + [[2.0], [3.0], [8.0], [0.5], [1.0]])
        stack = Gamma(1).prepare(np.array([[1.0, -1.0]] * 2))
        notes: set[str] = set()
        best = stack.maximise_tied(stack.accumulate(x, np.repeat(np.eye(2), 5, 0)), 2, notes)
        assert not notes
        assert best.natural[0, 0] == best.natural[1, 0]

    @pytest.mark.parametrize("counts", [[0.0, 4.0], [3.0, 3.0]])
    def test_constant_counts(self, counts):
        x = np.repeat(counts, 5)[:, None]
        stack = CoMPoisson(1).prepare(np.array([[0.0, -1.0]] * 2))
        notes: set[str] = set()
        best = stack.maximise_tied(stack.accumulate(x, np.repeat(np.eye(2), 5, 0)), 2, notes)
        assert notes
        CoMPoisson(1).check_natural(best.natural)
        np.testing.assert_allclose(best.family.to_mean(best.natural)[:, 0], counts, atol=1e-3)

    def test_counts_more_dispersed_than_geometric(self):
        x = np.array([0.0, 0, 0, 0, 90, 1, 1, 1, 1, 200])[:, None]
        stack = CoMPoisson(1).prepare(np.array([[0.0, -1.0]] * 2))
        notes: set[str] = set()
        best = stack.maximise_tied(stack.accumulate(x, np.repeat(np.eye(2), 5, 0)), 2, notes)
        assert notes
        np.testing.assert_array_equal(best.natural[:, 1], 0.0)
        np.testing.assert_allclose(best.family.to_mean(best.natural)[:, 0], [18, 40.8], rtol=1e-12)

    def test_a_unit_that_is_always_on_in_one_component(self):
        # no family knows this boundary: means are moved towards one another
        x = np.array([[1.0, 0], [1, 1], [1, 0], [0, 1], [1, 0], [0, 0]])
        stack = Boltzmann(2).prepare(np.zeros((2, 3)))
        notes: set[str] = set()
        best = stack.maximise_tied(stack.accumulate(x, np.repeat(np.eye(2), 3, 0)), 2, notes)
        assert any("boundary" in note for note in notes)
        mean = best.family.to_mean(best.natural)
        assert 1 - 1e-8 < mean[0, 0] < 1
        assert mean[1, 0] == pytest.approx(1 / 3, abs=1e-8)

    @pytest.mark.parametrize(
        "family", [Gamma(1), InverseGaussian(1), CoMPoisson(1), Normal(1), Wishart(1), Boltzmann(2)]
    )
    def test_means_on_the_boundary_have_no_natural_parameters(self, family):
        model = Mixture(family, 2, "shape")
        rows = {Boltzmann: [[1.0, 0.0], [1.0, 1.0]]}.get(type(family), [[2.0], [3.0]])
        rows = np.array(rows)
        data = np.column_stack([rows, [0.0, 1.0]])
        mean = model.sufficient_statistic(data).mean(0)
        with pytest.raises(BoundaryError, match="mean: no components that share their shape"):
            model.to_natural(mean)


class TestModels:
    def test_nothing_to_share(self):
        for family in (Poisson(2), VonMises(1), Beta(2)):
            shared, free = Mixture(family, 2, "shape"), Mixture(family, 2)
            assert shared.dimension == free.dimension
            point = random_point(free, np.random.default_rng(0))
            mean = free.to_mean(point)
            np.testing.assert_array_equal(shared.to_natural(mean), free.to_natural(mean))

    def test_models_with_a_latent_of_their_own_are_refused(self):
        for inner in (Mixture(Gamma(1), 2), LinearGaussian(Normal(2), Normal(1))):
            with pytest.raises(ValueError, match="shared: which statistics"):
                Mixture(inner, 2, shared="shape")

    def test_count_mixtures_of_the_paper(self):
        # Fig. 6: categories move the locations, the shapes are common
        loadings = np.array(
            [
                [0.9, -0.1, 0.1, 0.4, -0.8, -0.5, -0.2, 0.3, 0.2, -0.6],
                [0.1, 0.8, -0.1, -0.4, 0.3, 0.2, 0.5, -0.4, 0.2, 0.7],
                [0.1, 0.1, 0.7, -0.2, 0.8, 0.3, -0.3, 0.3, -0.6, 0.4],
            ]
        )
        noise = np.array([0.1] * 3 + [0.5] * 2 + [0.3] * 5)
        rng = np.random.default_rng(0)
        rates = 5 - np.arange(10) / 3 + rng.normal(size=(1000, 3)) @ loadings
        x = np.rint(np.maximum(rates + rng.normal(size=(1000, 10)) * np.sqrt(noise), 0))
        model = Mixture(CoMPoisson(10), 4, "shape")
        assert model.dimension == 20 + 3 + 30
        fitted = fit(model, x, seed=0)
        assert fitted.converged
        assert (np.diff(fitted.history) <= 1e-10).all()
        shapes = model.to_parameters(fitted.natural).components.shape
        assert np.ptp(shapes, axis=0).max() == 0
        # counts here vary less than Poisson's
        assert shapes.min() > 1
        assert (
            fitted.cross_entropy
            < fit(Mixture(Poisson(10), 4), x, seed=0, warn=False).cross_entropy - 1
        )

    @pytest.mark.parametrize("empty", [0, 1])
    @pytest.mark.parametrize("family", FAMILIES[:5] + FAMILIES[-4:], ids=repr)
    def test_an_emptied_component_keeps_its_place(self, family, empty):
        model = Mixture(family, 2, "shape")
        natural = random_point(model, np.random.default_rng(5))
        prepared = model.prepare(natural)
        x = model.sample(natural, 1, size=100)[:, : model.n_observed]
        sums = expectation(prepared, ArraySource(np.ascontiguousarray(x))).sums
        size = prepared.components.size
        sums[0, empty * size : (empty + 1) * size] = 0.0
        notes: set[str] = set()
        end = prepared.maximise(sums, notes)
        assert any(f"component {empty} emptied" in note for note in notes)
        before, after = (family.to_mean(p.components.natural)[empty] for p in (prepared, end))
        np.testing.assert_allclose(after[family.location], before[family.location], rtol=1e-9)
        assert np.ptp(end.components.natural[:, family.shape], axis=0).max() <= 1e-12

    def test_a_boundary_is_said_once(self):
        x = np.repeat([[1.0], [9.0]], 20, 0)
        with pytest.warns(BoundaryWarning, match="Gamma"):
            fitted = fit(Mixture(Gamma(1), 2, "shape"), x, seed=0)
        assert np.isfinite(fitted.cross_entropy)

    def test_missing_values_and_a_mixed_table(self):
        table = Product(Normal(2), Gamma(1), CoMPoisson(1), VonMises(1))
        model = Mixture(table, 2, "shape")
        assert isinstance(model, Harmonium)
        natural = random_point(model, np.random.default_rng(3))
        x = np.ascontiguousarray(model.sample(natural, 4, size=600)[:, : model.n_observed])
        x[np.random.default_rng(5).random(x.shape) < 0.2] = np.nan
        fitted = fit(model, x, seed=0, tol=1e-4)
        assert fitted.converged
        assert (np.diff(fitted.history) <= 1e-10 * np.abs(fitted.history[1:])).all()
        # the gradient vanishes: what the model expects is the average
        prepared = model.prepare(fitted.natural)
        average_of = prepared.mean(expectation(prepared, as_source(x)).sums)[0]
        spread = np.sqrt(np.diagonal(model.fisher_information(fitted.natural)))
        assert (np.abs(average_of - model.to_mean(fitted.natural)) <= 1e-3 * spread).all()
