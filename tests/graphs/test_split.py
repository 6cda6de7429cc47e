"""Graphs as harmoniums: the boundary, Theorem 18, and models by the existing rules."""

from itertools import pairwise

import numpy as np
import pytest
from scipy.special import logsumexp

from harmonium import Bernoulli, Boltzmann, Categorical, Harmonium, Mixture, Normal, Poisson
from harmonium.graphs import Clique, Graph, boundary, conjugation, split
from harmonium.learning import fit


def location(*members):
    return Clique(*members, statistics="location")


def natural_of(graph, seed=0, scale=0.4):
    """A point of a graph whose normals are well inside their domain."""
    natural = scale * np.random.default_rng(seed).standard_normal(graph.dimension)
    for name, bias in graph.split(natural).biases.items():
        family = dict(graph.vertices)[name]
        if isinstance(family, Normal):
            bias[:] = family._standard() * 6 + scale * (np.arange(family.dimension) < family.n)
    return graph.check_natural(natural)


CASES = {
    "mixture": (Graph({"k": Categorical(3), "x": Normal(2)}, [("k", "x")]), ["x"]),
    "mixture of a product": (
        Graph({"n": Poisson(2), "k": Categorical(3), "x": Normal(1)}, [("k", "x"), ("n", "k")]),
        ["x", "n"],
    ),
    "mixture of graphs": (
        Graph(
            {"a": Bernoulli(1), "b": Categorical(3), "c": Bernoulli(1), "k": Categorical(2)},
            [("a", "b"), ("b", "c", "k"), ("k", "a")],
        ),
        ["a", "b", "c"],
    ),
    "linear": (
        Graph({"x": Normal(3, "diagonal"), "z": Normal(2)}, [location("x", "z")]),
        ["x"],
    ),
    "linear on units": (
        Graph({"x": Normal(2), "z": Boltzmann(3)}, [location("z", "x")]),
        ["x"],
    ),
    "two views": (
        Graph(
            {"x": Normal(2), "z": Normal(2), "y": Normal(1)},
            [location("x", "z"), location("y", "z")],
        ),
        ["x", "y"],
    ),
    "hierarchy": (
        Graph(
            {"k": Categorical(2), "y": Normal(1), "x": Normal(2, "diagonal")},
            [location("x", "y"), ("k", "y")],
        ),
        ["x"],
    ),
    "deep": (
        Graph(
            {"w": Normal(1), "x": Normal(3, "isotropic"), "y": Normal(2), "k": Categorical(3)},
            [location("x", "y"), location("w", "y"), ("w", "k")],
        ),
        ["x"],
    ),
    "linear on a graph": (
        Graph(
            {"k": Categorical(2), "j": Bernoulli(1), "x": Normal(2, "diagonal"), "y": Normal(2)},
            [location("x", "y"), ("k", "y"), ("y", "j"), ("j", "k")],
        ),
        ["x"],
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_conjugated_harmoniums_are_the_graph(name):
    graph, observed = CASES[name]
    natural = natural_of(graph)
    found = split(graph, observed)
    assert found.harmonium.rule.conjugates
    theta = found.to_harmonium(natural)
    np.testing.assert_array_equal(found.to_graph(theta), natural)
    x = graph.sample(natural, 0, size=6)
    model = found.harmonium
    assert model.log_partition(theta) == pytest.approx(graph.log_partition(natural), abs=1e-11)
    rows = x[:, list(found.columns)]
    np.testing.assert_allclose(
        model.log_density(theta, rows), graph.log_density(natural, x), atol=1e-10
    )
    columns = np.concatenate(
        [np.arange(graph.n_features)[graph.columns(v)] for v in graph.names if v in observed]
    )
    data = rows[:, : model.n_observed]
    np.testing.assert_array_equal(data, x[:, columns])
    expected = graph.log_observable_density(natural, data, observed)
    np.testing.assert_allclose(model.log_observable_density(theta, data), expected, atol=1e-10)
    mean = model.to_mean(theta)
    np.testing.assert_allclose(found.mean_to_graph(mean), graph.to_mean(natural), atol=1e-10)


@pytest.mark.parametrize("name", ["hierarchy", "linear on a graph"])
def test_a_graph_learns_as_its_harmonium(name):
    graph, observed = CASES[name]
    truth = natural_of(graph)
    x = graph.sample(truth, 0, size=150)[:, graph.columns("x")]
    found = split(graph, observed)
    initial = found.to_harmonium(natural_of(graph, seed=5))
    result = fit(found.harmonium, x, initial=initial, max_iter=8, warn=False)
    rises = -np.diff(result.history)
    assert (rises > -1e-10).all()
    natural = found.to_graph(result.natural)
    density = graph.log_observable_density(natural, x, observed)
    np.testing.assert_allclose(density, result.log_density(x), atol=1e-8)
    assert density.mean() > graph.log_observable_density(truth, x, observed).mean()


def test_no_start_is_known_on_a_graph():
    graph, observed = CASES["linear on a graph"]
    with pytest.raises(ValueError, match="initial: no starting point is known for Graph"):
        fit(split(graph, observed).harmonium, np.random.default_rng(0).standard_normal((50, 2)))


def test_a_graph_keeps_to_its_cliques():
    graph, observed = CASES["mixture of graphs"]
    found = split(graph, observed)
    theta = found.to_harmonium(natural_of(graph))
    theta[np.array(found._places) < 0] = 0.1
    with pytest.raises(ValueError, match="no clique for it"):
        found.to_graph(theta)


def test_a_deep_graph_is_no_deep_nest():
    n = 1500
    names = [f"y{i}" for i in range(n)]
    graph = Graph(dict.fromkeys(names, Normal(1)), [location(a, b) for a, b in pairwise(names)])
    natural = np.concatenate([np.tile([0.1, -1.0], n), np.full(n - 1, 0.7)])
    found = split(graph, ["y0"])
    assert found.harmonium.rule.conjugates
    theta = found.to_harmonium(natural)
    assert found.harmonium.log_partition(theta) == pytest.approx(graph.log_partition(natural))
    np.testing.assert_array_equal(found.to_graph(theta), natural)


def test_what_no_rule_covers_is_any_pair():
    graph = Graph(
        {"a": Bernoulli(1), "b": Bernoulli(2), "c": Categorical(3), "d": Bernoulli(1)},
        [("a", "b"), ("a", "c", "d"), ("b", "c"), ("c", "d")],
    )
    natural = 0.5 * np.random.default_rng(0).standard_normal(graph.dimension)
    found = split(graph, ["a", "b"])
    theta = found.to_harmonium(natural)
    assert not found.harmonium.rule.conjugates
    assert found.harmonium.log_partition(theta) == pytest.approx(graph.log_partition(natural))
    np.testing.assert_array_equal(found.to_graph(theta), natural)
    x = graph.sample(natural, 0, size=5)
    np.testing.assert_allclose(
        found.harmonium.posterior(theta, x[:, :3]),
        graph.posterior(natural, x[:, :3], ["a", "b"]),
        atol=1e-13,
    )


def test_the_boundary():
    graph = Graph(
        dict.fromkeys("abcdef", Bernoulli(1)),
        [("a", "b"), ("b", "c"), ("b", "c", "d"), ("d", "e"), ("e", "f")],
    )
    found = boundary(graph, ["a", "b"])
    assert found.observed == ("b",)
    assert found.latent == ("c", "d")
    assert found.cliques == (("b", "c"), ("b", "c", "d"))


def test_rho_of_theorem_18():
    # c and d touch the observed b; e does not, and bears none
    graph = Graph(
        dict.fromkeys("abcde", Bernoulli(1)),
        [("a", "b"), ("b", "c"), ("b", "d"), ("c", "d"), ("d", "e")],
    )
    natural = np.random.default_rng(0).standard_normal(graph.dimension)
    found = conjugation(graph, natural, ["a", "b"])
    assert set(found.rho) == {("c",), ("d",), ("c", "d")}
    assert found.residual < 1e-12
    # Eq. 12: the prior of (c, d, e) is at theta_Z + rho
    latent = graph.latent(["a", "b"])
    parts = graph.split(natural)
    prior = latent.join(
        {name: parts.biases[name] + found.rho.get((name,), 0) for name in "cde"},
        {
            ("c", "d"): parts.interactions["c", "d"] + found.rho["c", "d"],
            ("d", "e"): parts.interactions["d", "e"],
        },
    )
    states = graph.states()
    log_p = graph.log_density(natural, states)
    for z in latent.states():
        own = (states[:, 2:] == z).all(-1)
        assert latent.log_density(prior, z[None])[0] == pytest.approx(logsumexp(log_p[own]))
    # without the clique (c, d) the two do not conjugate
    bare = Graph(graph.vertices, [c for c in graph.cliques if c.members != ("c", "d")])
    loose = conjugation(bare, np.delete(natural, 5 + 3), ["a", "b"])
    assert set(loose.rho) == {("c",), ("d",)}
    assert loose.residual > 1e-3


def test_rho_of_a_linear_model_at_given_latents():
    graph, observed = CASES["hierarchy"]
    natural = natural_of(graph)
    with pytest.raises(ValueError, match="no end of states"):
        conjugation(graph, natural, observed)
    z = np.random.default_rng(0).standard_normal((50, 1))
    found = conjugation(graph, natural, observed, z)
    model = split(graph, observed)
    rho, chi = model.harmonium.conjugation(model.to_harmonium(natural))
    np.testing.assert_allclose(found.rho["y",], rho[:2], atol=1e-12)
    assert found.chi == pytest.approx(float(chi), abs=1e-12)
    assert found.residual < 1e-12


def test_arguments_of_splits():
    graph = Graph({"a": Bernoulli(1), "b": Bernoulli(1)}, [])
    for bad in ([], ["a", "b"]):
        with pytest.raises(ValueError, match="some vertices, not all"):
            split(graph, bad)
    with pytest.raises(ValueError, match="no clique holds both"):
        split(graph, ["a"])
    with pytest.raises(ValueError, match="no vertex 'c'"):
        split(graph, ["c"])


def test_a_mixture_by_name():
    found = split(CASES["mixture"][0], ["x"])
    assert found.harmonium == Mixture(Normal(2), 3)
    assert isinstance(split(CASES["hierarchy"][0], ["x"]).harmonium.latent, Harmonium)
