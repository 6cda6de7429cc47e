"""Graphs with vertices that have no end of states: against joint normals, models and quadrature."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate
from scipy.special import logsumexp

from harmonium import (
    Bernoulli,
    Boltzmann,
    Categorical,
    Gamma,
    LinearGaussian,
    Mixture,
    Normal,
    Poisson,
    VonMises,
)
from harmonium.errors import DataWarning, NotConjugatedError
from harmonium.graphs import Clique, Graph
from harmonium.graphs.exact import Exact
from harmonium.graphs.plan import Kind, Plan, plan_of
from harmonium.numerics.elimination import eliminate


def location(*members):
    return Clique(*members, statistics="location")


def quadratic(graph: Graph, natural, finite):
    """Constant, linear part and symmetric matrix of a graph's exponent at the finite columns' values.

    By differences of the exponent itself, which is quadratic in what is not finite.
    """
    free = [
        column
        for name, family in graph.vertices
        if family.levels is None
        for column in range(graph.columns(name).start, graph.columns(name).stop)
    ]
    x = np.zeros((1, graph.n_features))
    x[:, np.setdiff1d(np.arange(graph.n_features), free)] = finite

    def exponent(values):
        rows = np.repeat(x, len(values), 0)
        rows[:, free] = values
        return graph.log_unnormalised_density(natural, rows)

    m = len(free)
    unit = np.eye(m)
    base = exponent(np.zeros((1, m)))[0]
    up, down = exponent(unit), exponent(-unit)
    matrix = np.diag(0.5 * (up + down) - base)
    for i in range(m):
        for j in range(i):
            both = exponent((unit[i] + unit[j])[None])[0]
            matrix[i, j] = matrix[j, i] = 0.5 * (both - up[i] - up[j] + base)
    return base, 0.5 * (up - down), matrix


def by_normals(graph: Graph, natural):
    """psi and E[s] of a graph of finite vertices and normals, state by state from joint normals."""
    families = dict(graph.vertices)
    finite = [name for name in graph.names if families[name].levels is not None]
    at = [c for name in finite for c in np.arange(graph.n_features)[graph.columns(name)]]
    other = np.setdiff1d(np.arange(graph.n_features), at)
    levels = [k for name in finite for k in families[name].levels]
    logs, means = [], []
    for state in np.ndindex(*levels):
        base, linear, matrix = quadratic(graph, natural, np.array(state, dtype=float))
        covariance = np.linalg.inv(-2 * matrix)
        mean = covariance @ linear
        sign, log_det = np.linalg.slogdet(2 * np.pi * covariance)
        assert sign > 0
        logs.append(base + 0.5 * linear @ mean + 0.5 * log_det)
        # cubature of degree five or more: statistics are of degree four at most
        nodes, weights = np.polynomial.hermite_e.hermegauss(3)
        grid = np.stack(np.meshgrid(*[nodes] * len(other), indexing="ij"), -1)
        rows = np.empty((3 ** len(other), graph.n_features))
        rows[:, at] = state
        flat = grid.reshape(-1, len(other))
        rows[:, other] = mean + flat @ np.linalg.cholesky(covariance).T
        shares = np.prod(np.stack(np.meshgrid(*[weights] * len(other), indexing="ij"), -1), -1)
        shares = shares.ravel() / shares.sum()
        means.append(shares @ graph.sufficient_statistic(rows))
    psi = logsumexp(logs)
    return psi, np.exp(np.array(logs) - psi) @ np.array(means)


@st.composite
def linear_graphs(draw):
    """Random graphs of normals and finite vertices, interacting by location, and a point."""
    shapes = [Normal(1), Normal(2), Normal(2, "diagonal"), Normal(2, "isotropic")]
    normals = draw(st.lists(st.sampled_from(shapes), min_size=1, max_size=3))
    finite = draw(
        st.lists(st.sampled_from([Categorical(3), Bernoulli(2), Boltzmann(2)]), max_size=2)
    )
    vertices = {f"x{i}": family for i, family in enumerate(normals)}
    vertices |= {f"k{i}": family for i, family in enumerate(finite)}
    order = draw(st.permutations(sorted(vertices)))
    vertices = {name: vertices[name] for name in order}
    members = st.lists(st.sampled_from(sorted(vertices)), min_size=2, max_size=3, unique=True)
    members = members.filter(lambda own: sum(name[0] == "x" for name in own) < 3)
    found = draw(st.lists(members, max_size=5, unique_by=frozenset)) if len(vertices) > 1 else []
    graph = Graph(vertices, [location(*own) for own in found])
    rng = np.random.default_rng(draw(st.integers(0, 10_000)))
    natural = 0.3 * rng.standard_normal(graph.dimension)
    biases = graph.split(natural).biases
    for name, family in vertices.items():
        if isinstance(family, Normal):
            spread = family._to_mean(np.broadcast_to(family._standard(), (family.dimension,)))
            biases[name][:] = 4 * family.to_natural(spread)
            biases[name][: family.n] = rng.standard_normal(family.n)
    return graph, natural


@given(linear_graphs())
def test_normals_are_joint_normals(case):
    graph, natural = case
    try:
        natural = graph.check_natural(natural)
    except ValueError:
        # the couplings outweigh the precisions: so say the joint matrices
        with pytest.raises((AssertionError, np.linalg.LinAlgError)):
            _check_positive(graph, natural)
        return
    psi, mean = by_normals(graph, natural)
    assert graph.log_partition(natural) == pytest.approx(psi, abs=1e-9)
    np.testing.assert_allclose(graph.to_mean(natural), mean, atol=1e-8)
    many = np.stack([natural, natural])
    np.testing.assert_array_equal(graph.to_mean(many)[1], graph.to_mean(many)[0])


def _check_positive(graph: Graph, natural) -> None:
    families = dict(graph.vertices)
    levels = [k for name in graph.names for k in families[name].levels or ()]
    for state in np.ndindex(*levels):
        np.linalg.cholesky(-quadratic(graph, natural, np.array(state, dtype=float))[2])


@given(linear_graphs())
def test_partial_rows_of_normals(case):
    graph, natural = case
    if graph._outside(natural) is not None or len(graph.names) < 2:
        return
    x = graph.sample(natural, 1, size=4)
    expected = graph.complete(natural, x)
    np.testing.assert_allclose(expected.log_marginal, graph.log_density(natural, x), atol=1e-9)
    first, rest = graph.names[0], graph.names[1:]
    known = np.delete(x, np.arange(graph.n_features)[graph.columns(first)], axis=1)
    log_marginal = graph.log_observable_density(natural, known, rest)
    law = graph.conditional(natural, first, x)
    own = np.ascontiguousarray(x[:, graph.columns(first)])
    given_rest = dict(graph.vertices)[first].log_density(law, own)
    np.testing.assert_allclose(
        log_marginal + given_rest, graph.log_density(natural, x), rtol=1e-9, atol=1e-8
    )


def chain(n: int):
    """Normals in a row, and a vector in which each follows the one before."""
    names = [f"y{i}" for i in range(n)]
    graph = Graph(dict.fromkeys(names, Normal(1)), [location(a, b) for a, b in pairwise(names)])
    rng = np.random.default_rng(0)
    natural = np.concatenate(
        [np.column_stack([rng.standard_normal(n), -np.ones(n)]).ravel(), 0.7 * np.ones(n - 1)]
    )
    return graph, natural


def test_a_chain_of_normals_is_banded():
    graph, natural = chain(300)
    precision = 2 * np.eye(300) - 0.7 * (np.eye(300, k=1) + np.eye(300, k=-1))
    linear = natural[: 2 * 300 : 2]
    mean = np.linalg.solve(precision, linear)
    psi = 0.5 * linear @ mean - 0.5 * np.linalg.slogdet(precision)[1]
    assert graph.log_partition(natural) == pytest.approx(psi, rel=1e-12)
    covariance = np.linalg.inv(precision)
    expected = graph.to_mean(natural)
    np.testing.assert_allclose(expected[:600:2], mean, atol=1e-12)
    np.testing.assert_allclose(
        expected[600:], np.diag(covariance, 1) + mean[:-1] * mean[1:], atol=1e-12
    )
    draws = graph.sample(natural, 0, size=20_000)
    error = (draws.mean(0) - mean) / np.sqrt(np.diag(covariance) / len(draws))
    # 300 correlated columns at 1e-6
    assert np.abs(error).max() < 6
    squares = (draws - mean) ** 2 / np.diag(covariance)
    assert np.abs(squares.mean(0) - 1).max() < 6 * np.sqrt(2 / len(draws))
    product = (draws[:, :-1] - mean[:-1]) * (draws[:, 1:] - mean[1:])
    wanted = np.diag(covariance, 1)
    assert np.abs(product.mean(0) - wanted).max() < 6 * np.sqrt(2 / len(draws))


def test_ten_thousand_normals():
    graph, natural = chain(10_000)
    mean = graph.to_mean(natural)
    assert np.isfinite(mean).all()
    residual = 2 * mean[: 2 * 10_000 : 2] - natural[: 2 * 10_000 : 2]
    y = mean[: 2 * 10_000 : 2]
    residual[1:] -= 0.7 * y[:-1]
    residual[:-1] -= 0.7 * y[1:]
    assert np.abs(residual).max() < 1e-10


def components(k: int, rng):
    """Natural parameters (k, dimension) of some normals in the plane."""
    covariance = np.eye(2) * np.arange(1, k + 1)[:, None, None]
    return Normal(2).from_parameters(mean=rng.standard_normal((k, 2)), covariance=covariance)


def test_a_mixture_of_normals_is_one():
    model = Mixture(Normal(2), 3)
    graph = Graph({"x": Normal(2), "k": Categorical(3)}, [("x", "k")])
    own = components(3, np.random.default_rng(0))
    natural = model.from_parameters(weights=[0.2, 0.3, 0.5], components=own)
    same(graph, model, natural)
    x = graph.sample(natural, 1, size=5)
    np.testing.assert_allclose(
        graph.log_observable_density(natural, x[:, :2], ["x"]),
        model.log_observable_density(natural, x[:, :2]),
        atol=1e-12,
    )


def same(graph, model, natural):
    assert graph.dimension == model.dimension
    np.testing.assert_allclose(
        graph.log_partition(natural), model.log_partition(natural), atol=1e-12
    )
    np.testing.assert_allclose(graph.to_mean(natural), model.to_mean(natural), atol=1e-11)


@pytest.mark.parametrize(
    "latent", [Normal(2), Boltzmann(3), Mixture(Normal(2), 3)], ids=["normal", "units", "mixture"]
)
def test_a_linear_gaussian_model_is_one(latent):
    model = LinearGaussian(Normal(3, "diagonal"), latent)
    graph = Graph({"x": Normal(3, "diagonal"), "z": latent}, [location("x", "z")])
    rng = np.random.default_rng(0)
    d = latent.leading.n_features
    if isinstance(latent, Boltzmann):
        prior = rng.standard_normal(latent.dimension)
    elif isinstance(latent, Normal):
        prior = latent.from_parameters(mean=[1, -1], covariance=[[2, 1], [1, 1]])
    else:
        prior = latent.from_parameters(weights=[0.2, 0.3, 0.5], components=components(3, rng))
    natural = model.from_prior_and_likelihood(
        prior=prior,
        observable=model.observable.from_parameters(
            mean=[1, 2, 3], covariance=np.diag([1, 0.5, 2])
        ),
        interaction=rng.standard_normal((3, d)),
    )
    same(graph, model, natural)
    assert graph.elimination_order[0] == "x" or isinstance(latent, Normal)
    x = graph.sample(natural, 0, size=20_000)
    mean = model.to_mean(natural)[: model.observable.dimension]
    found = graph.sufficient_statistic(x)[:, : len(mean)]
    assert (np.abs(found.mean(0) - mean) < 6 * found.std(0) / np.sqrt(len(x))).all()


def test_units_too_many_for_a_table_take_the_message():
    # 30 units are not listed: the message goes to the family, as to so few units that it can be
    with pytest.warns(DataWarning, match="some seconds a point"):
        many = Boltzmann(30, enumerate_to=30)
    graph = Graph({"x": Normal(1), "z": many}, [location("x", "z")])
    assert Exact(graph._layout, plan_of(graph._layout)).plan.kinds == (Kind.NORMAL, Kind.WHOLE)
    few = Graph(
        {"x": Normal(1), "z": Boltzmann(3), "k": Categorical(2)}, [location("x", "z"), ("x", "k")]
    )
    natural = 0.3 * np.random.default_rng(0).standard_normal(few.dimension)
    natural[1] = -2.0
    plan = plan_of(few._layout)
    kinds = (Kind.NORMAL, Kind.WHOLE, Kind.TABLE)
    levels = [2, 4, 2]
    order = eliminate(3, few._layout.edges, levels, kinds)
    exact = Exact(few._layout, Plan(kinds, order))
    assert plan.kinds[1] is Kind.TABLE
    psi, mean = by_normals(few, natural)
    assert exact.upward(natural[None]).log_partition[0] == pytest.approx(psi, abs=1e-10)
    np.testing.assert_allclose(exact.mean(natural[None])[0], mean, atol=1e-9)


def test_counts_and_angles_hang_on_categories():
    graph = Graph(
        {"n": Poisson(2), "k": Categorical(3), "a": VonMises(1), "j": Bernoulli(1)},
        [("n", "k"), ("k", "j"), ("a", "j", "k")],
    )
    rng = np.random.default_rng(0)
    natural = rng.standard_normal(graph.dimension)
    states = Graph({"k": Categorical(3), "j": Bernoulli(1)}).states()
    parts = graph.split(natural)
    logs = []
    for k, j in states:
        s = np.eye(3)[int(k), 1:]
        rate = parts.biases["n"] + parts.interactions["n", "k"] @ s
        angle = parts.biases["a"] + parts.interactions["a", "j", "k"][:, 0] @ s * j

        def density(t, angle=angle):
            return np.exp(angle @ [np.cos(t), np.sin(t)]) / (2 * np.pi)

        own = parts.biases["k"] @ s + parts.biases["j"][0] * j
        own += s @ parts.interactions["k", "j"][:, 0] * j
        logs.append(own + np.exp(rate).sum() + np.log(integrate.quad(density, 0, 2 * np.pi)[0]))
    assert graph.log_partition(natural) == pytest.approx(logsumexp(logs), abs=1e-10)
    step = 1e-5
    mean = graph.to_mean(natural)
    for i in range(graph.dimension):
        moved = np.stack([natural, natural])
        moved[:, i] += [step, -step]
        up, down = graph.log_partition(moved)
        assert mean[i] == pytest.approx((up - down) / (2 * step), abs=1e-8)
    draws = graph.sample(natural, 0, size=20_000)
    found = graph.sufficient_statistic(draws)
    assert (np.abs(found.mean(0) - mean) < 6 * found.std(0) / np.sqrt(len(draws))).all()


def test_small_graph_against_quadrature():
    graph = Graph(
        {"x": Normal(1), "y": Normal(1), "k": Bernoulli(1)}, [location("x", "y"), ("y", "k")]
    )
    natural = np.array([0.5, -1.0, -0.3, -0.8, 0.2, 0.6, 0.4, -0.3])

    # the trapezoid rule is exact to rounding for what falls off like a normal
    line = np.linspace(-12, 12, 241)
    x, y = (axis.ravel() for axis in np.meshgrid(line, line))
    logs = [
        graph.log_unnormalised_density(natural, np.column_stack([x, y, np.full(len(x), k)]))
        for k in (0.0, 1.0)
    ]
    total = logsumexp(logs) + 2 * np.log(line[1] - line[0])
    assert graph.log_partition(natural) == pytest.approx(total, abs=1e-10)


def test_gibbs_of_normals_has_the_law():
    graph = Graph(
        {"x": Normal(2), "y": Normal(1), "k": Categorical(3)}, [location("x", "y"), ("y", "k")]
    )
    rng = np.random.default_rng(0)
    natural = 0.3 * rng.standard_normal(graph.dimension)
    natural[[2, 4]], natural[3], natural[6] = -1.0, 0.2, -1.0
    mean = graph.to_mean(natural)
    for blocks in (None, [["x", "y"], ["k"]]):
        sample = graph.gibbs(natural, 0, chains=3000, draws=4, burn_in=20, thin=3, blocks=blocks)
        assert sample.split_ratio.shape == (4,)
        found = graph.sufficient_statistic(sample.states[:, -1])
        assert (np.abs(found.mean(0) - mean) < 6 * found.std(0) / np.sqrt(3000)).all()


@pytest.mark.parametrize(
    ("graph", "vertex", "why"),
    [
        (Graph({"x": Poisson(1), "y": Gamma(1)}, [("x", "y")]), "x", "it meets 'y'"),
        (Graph({"x": Normal(1), "y": Normal(1)}, [("x", "y")]), "x", "statistics='location'"),
        (
            Graph(dict.fromkeys("abc", Normal(1)), [location("a", "b", "c")]),
            "a",
            "meet in one clique",
        ),
        (
            Graph({"x": Normal(1), "z": Boltzmann(40, [(1, 0)])}, [location("x", "z")]),
            "z",
            "every product",
        ),
        (
            Graph(
                {"x": Normal(1), "y": Mixture(Normal(1), 2), "z": Mixture(Normal(1), 2)},
                [location("x", "y"), location("x", "z")],
            ),
            "z",
            "one that is not a Normal",
        ),
        (
            Graph.from_edges(
                dict.fromkeys("abcdefghi", Bernoulli(3)),
                [(a, b) for a in "abcdefghi" for b in "abcdefghi" if a < b],
                2,
            ),
            "a",
            "a table of",
        ),
    ],
)
def test_the_vertex_that_stops_it_is_named(graph, vertex, why):
    assert not graph.is_exact
    with pytest.raises(NotConjugatedError, match=rf"vertex '{vertex}'.*{why}"):
        graph.log_partition(np.zeros(graph.dimension))
    assert "Not exact" in str(graph)


def test_outside_the_domain_is_refused_by_vertex():
    graph = Graph({"x": Normal(1), "y": Normal(1)}, [location("x", "y")])
    with pytest.raises(ValueError, match=r"'[xy]'.*precision must be positive definite"):
        graph.log_partition([0.0, -0.5, 0.0, -0.5, 1.5])
    with pytest.raises(ValueError, match=r"natural\[1\]"):
        graph.to_mean([[0.0, -0.5, 0.0, -0.5, 0.5], [0.0, -0.5, 0.0, -0.5, 1.5]])
    with pytest.raises(ValueError, match="no joint law"):
        Graph({"x": Normal(1), "k": Bernoulli(1)}, [("x", "k")]).gibbs(
            [0.0, -0.5, 0.0, 0.0, 1.0], 0
        )
