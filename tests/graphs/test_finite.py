"""Graphs of finite vertices against sums over all states."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import logsumexp
from scipy.stats import chi2

from harmonium import Bernoulli, Binomial, Boltzmann, Categorical
from harmonium.graphs import Clique, Graph

FAMILIES = [Categorical(2), Categorical(3), Bernoulli(1), Bernoulli(2), Binomial(2), Boltzmann(2)]


@st.composite
def graphs(draw):
    """Random graphs with cliques of two to four vertices, and parameters for three points."""
    n = draw(st.integers(1, 6))
    families = draw(st.lists(st.sampled_from(FAMILIES), min_size=n, max_size=n))
    vertices = {f"v{i}": family for i, family in enumerate(families)}
    members = st.lists(st.sampled_from(sorted(vertices)), min_size=2, max_size=4, unique=True)
    cliques = draw(st.lists(members, max_size=6, unique_by=frozenset)) if n > 1 else []
    graph = Graph(vertices, cliques)
    rng = np.random.default_rng(draw(st.integers(0, 10_000)))
    return graph, 1.5 * rng.standard_normal((3, graph.dimension))


def by_enumeration(graph: Graph, natural):
    """States, their statistics and log probabilities (points, states) at (points, dimension)."""
    states = graph.states()
    statistic = graph.sufficient_statistic(states)
    exponent = natural @ statistic.T + graph.log_base_measure(states)
    psi = logsumexp(exponent, axis=-1)
    return states, statistic, exponent - psi[:, None], psi


def brute_statistic(graph: Graph, x):
    """s(x) of one row, by the definition: outer products of what the families say (Eq. 8)."""
    own = {
        name: family.sufficient_statistic(x[None, graph.columns(name)])[0]
        for name, family in graph.vertices
    }
    parts = [own[name] for name in graph.names]
    for clique in graph.cliques:
        product = np.ones(())
        for member in clique.members:
            product = np.multiply.outer(product, own[member])
        parts.append(product.ravel())
    return np.concatenate(parts)


@given(graphs())
def test_statistics_are_products(case):
    graph, natural = case
    states = graph.states()[:: max(1, graph.n_states // 7)]
    expected = np.stack([brute_statistic(graph, x) for x in states])
    np.testing.assert_array_equal(graph.sufficient_statistic(states), expected)
    density = graph.log_unnormalised_density(natural[0], states)
    np.testing.assert_allclose(
        density, expected @ natural[0] + graph.log_base_measure(states), atol=1e-12
    )
    parts = graph.split(natural)
    np.testing.assert_array_equal(graph.join(parts.biases, parts.interactions), natural)


@given(graphs())
def test_elimination_is_enumeration(case):
    graph, natural = case
    states, statistic, log_p, psi = by_enumeration(graph, natural)
    np.testing.assert_allclose(graph.log_partition(natural), psi, rtol=1e-13, atol=1e-12)
    np.testing.assert_allclose(graph.to_mean(natural), np.exp(log_p) @ statistic, atol=1e-12)
    entropy = -(np.exp(log_p) * log_p).sum(-1)
    np.testing.assert_allclose(graph.entropy(natural), entropy, atol=1e-11)
    best = graph.most_probable(natural[0])
    row = np.flatnonzero((states == best).all(-1))
    assert log_p[0, row[0]] == pytest.approx(log_p[0].max(), abs=1e-12)
    for name, family in graph.vertices:
        table = graph.marginal(natural, name)
        own = states[:, graph.columns(name)]
        for k, value in enumerate(family.states()):
            share = np.exp(log_p[:, (own == value).all(-1)]).sum(-1)
            np.testing.assert_allclose(table[:, k], share, atol=1e-12)


@given(graphs(), st.data())
def test_conditionals_and_marginals_are_bayes_rule(case, data):
    graph, natural = case
    states, _, log_p, _ = by_enumeration(graph, natural[:1])
    log_p = log_p[0]
    name, family = data.draw(st.sampled_from(graph.vertices))
    x = states[data.draw(st.integers(0, len(states) - 1))]
    own = graph.columns(name)
    same = np.delete(states == x, np.arange(graph.n_features)[own], axis=1).all(-1)
    law = graph.conditional(natural[0], name, x[None])[0]
    np.testing.assert_allclose(
        family.log_density(law, states[same][:, own]),
        log_p[same] - logsumexp(log_p[same]),
        atol=1e-11,
    )
    hidden = data.draw(st.sets(st.sampled_from(graph.names)))
    row = x.copy()
    for vertex in hidden:
        row[graph.columns(vertex)] = np.nan
    agree = ((states == row) | np.isnan(row)).all(-1)
    completed = graph.complete(natural[0], row[None])
    total = logsumexp(log_p[agree])
    np.testing.assert_allclose(completed.log_marginal[0], total, atol=1e-11)
    expected = np.exp(log_p[agree] - total) @ graph.sufficient_statistic(states[agree])
    np.testing.assert_allclose(completed.expected_statistic[0], expected, atol=1e-11)
    if 0 < len(hidden) < len(graph.names):
        observed = [vertex for vertex in graph.names if vertex not in hidden]
        known = row[~np.isnan(row)][None]
        log_marginal = graph.log_observable_density(natural[0], known, observed)
        np.testing.assert_allclose(log_marginal[0], total, atol=1e-11)
        latent = graph.latent(observed)
        posterior = graph.posterior(natural[0], known, observed)
        z = states[agree][:, np.isnan(row)]
        np.testing.assert_allclose(
            latent.log_density(posterior[0], z), log_p[agree] - total, atol=1e-11
        )


@settings(max_examples=15)
@given(graphs())
def test_backward_mapping_is_the_inverse(case):
    graph, natural = case
    if graph.dimension > 25:
        return
    point = 0.5 * natural[0]
    np.testing.assert_allclose(graph.to_natural(graph.to_mean(point)), point, atol=1e-6)


FOUR = Graph(
    {
        "a": Categorical(3),
        "b": Bernoulli(2),
        "c": Binomial(2),
        "d": Categorical(2),
        "e": Bernoulli(1),
    },
    [("a", "b", "c", "d"), ("b", "d", "e"), ("c", "e")],
)


def fits(graph: Graph, natural, draws) -> None:
    """A chi-squared test of all states' counts, of false-fail rate 1e-6."""
    states, _, log_p, _ = by_enumeration(graph, natural[None])
    levels = np.array(graph.levels)
    radix = np.concatenate([[1], np.cumprod(levels[:-1])])
    counts = np.bincount((draws @ radix).astype(int), minlength=len(states))
    np.testing.assert_array_equal(states @ radix, np.arange(len(states)))
    expected = len(draws) * np.exp(log_p[0])
    rare = expected < 10
    observed = np.append(counts[~rare], counts[rare].sum())
    expected = np.append(expected[~rare], expected[rare].sum())
    statistic = ((observed - expected) ** 2 / np.maximum(expected, 1e-9))[expected > 5].sum()
    assert statistic < chi2.isf(1e-6, (expected > 5).sum())


@pytest.mark.parametrize("seed", range(2))
def test_samples_are_exact(seed):
    rng = np.random.default_rng(seed)
    natural = 0.5 * rng.standard_normal(FOUR.dimension)
    fits(FOUR, natural, FOUR.sample(natural, seed, size=40_000))
    # a point for each draw
    fits(FOUR, natural, FOUR.sample(np.tile(natural, (20_000, 1)), seed))


@pytest.mark.parametrize("blocks", [None, [["a", "b"], ["e"], ["d", "c"]]])
def test_gibbs_has_the_same_law(blocks):
    natural = 0.4 * np.random.default_rng(3).standard_normal(FOUR.dimension)
    sample = FOUR.gibbs(natural, 5, chains=400, draws=10, burn_in=30, thin=8, blocks=blocks)
    assert sample.states.shape == (400, 10, FOUR.n_features)
    states, _, log_p, _ = by_enumeration(FOUR, natural[None])
    mean = np.exp(log_p[0]) @ states
    spread = np.sqrt(np.exp(log_p[0]) @ (states - mean) ** 2)
    error = np.abs(sample.states.mean((0, 1)) - mean) / spread * np.sqrt(400)
    assert error.max() < 5.5
    # the last states of independent chains, of one further draw each
    fits(FOUR, natural, FOUR.gibbs(natural, 6, chains=20_000, draws=4, burn_in=25).states[:, -1])


def test_gibbs_holds_what_is_given():
    natural = 0.4 * np.random.default_rng(3).standard_normal(FOUR.dimension)
    row = np.full(FOUR.n_features, np.nan)
    row[FOUR.columns("b")] = [1, 0]
    states = FOUR.gibbs(natural, 5, chains=500, draws=4, burn_in=30, thin=5, given=row).states
    assert (states[..., FOUR.columns("b")] == [1, 0]).all()
    completed = FOUR.complete(natural, row[None]).expected_statistic[0]
    mean = FOUR.sufficient_statistic(states.reshape(-1, FOUR.n_features)).mean(0)
    assert np.abs(mean - completed).max() < 0.12


def test_most_probable_state_of_a_hard_point():
    natural = 30 * np.random.default_rng(1).standard_normal(FOUR.dimension)
    states, _, log_p, _ = by_enumeration(FOUR, natural[None])
    np.testing.assert_array_equal(FOUR.most_probable(natural), states[log_p[0].argmax()])


def test_statistics_of_choice():
    chosen = Clique("a", "b", statistics={"b": (1,), "a": "location"})
    graph = Graph({"a": Boltzmann(2), "b": Categorical(3)}, [chosen])
    assert graph.split(np.zeros(graph.dimension)).interactions["a", "b"].shape == (2, 1)
    natural = np.random.default_rng(0).standard_normal((1, graph.dimension))
    _, statistic, log_p, psi = by_enumeration(graph, natural)
    np.testing.assert_allclose(graph.log_partition(natural), psi, rtol=1e-13)
    np.testing.assert_allclose(graph.to_mean(natural), np.exp(log_p) @ statistic, atol=1e-13)
    a, b = Boltzmann(2), Categorical(3)
    states = graph.states()
    product = (
        a.sufficient_statistic(states[:, :2])[:, :2] * b.sufficient_statistic(states[:, 2:])[:, 1:]
    )
    np.testing.assert_array_equal(graph.sufficient_statistic(states)[:, -2:], product)


def test_all_cliques_of_edges():
    edges = [("a", "b"), ("b", "c"), ("a", "c"), ("c", "d")]
    vertices = {name: Bernoulli(1) for name in "abcde"}
    graph = Graph.from_edges(vertices, edges)
    assert {frozenset(c.members) for c in graph.cliques} == {
        frozenset(m) for m in ["ab", "bc", "ac", "cd", "abc"]
    }
    assert len(Graph.from_edges(vertices, edges, 2).cliques) == 4
    complete = [(a, b) for a in "abcde" for b in "abcde" if a < b]
    assert len(Graph.from_edges(vertices, complete).cliques) == 2**5 - 1 - 5
    with pytest.raises(ValueError, match="'a' is joined to itself"):
        Graph.from_edges(vertices, [("a", "a")])


@pytest.mark.parametrize("kind", ["chain", "star"])
def test_ten_thousand_vertices(kind):
    n = 10_000
    names = [f"v{i}" for i in range(n)]
    parent = {"chain": lambda i: i - 1, "star": lambda _: 0}[kind]
    edges = [(names[i], names[max(0, parent(i))]) for i in range(1, n)]
    graph = Graph(dict.fromkeys(names, Bernoulli(1)), edges)
    rng = np.random.default_rng(0)
    natural = rng.standard_normal(graph.dimension)
    psi = graph.log_partition(natural)
    # a tree of binary units, leaf by leaf
    odds = natural[:n].copy()
    total = 0.0
    for i in range(n - 1, 0, -1):
        total += np.logaddexp(0, odds[i])
        odds[max(0, parent(i))] += np.logaddexp(0, odds[i] + natural[n + i - 1]) - np.logaddexp(
            0, odds[i]
        )
    assert psi == pytest.approx(total + np.logaddexp(0, odds[0]), rel=1e-12)
    x = graph.sample(natural, 0, size=2)
    assert x.shape == (2, n)
    assert graph.log_density(natural, x).shape == (2,)
