"""Boltzmann machines on graphs: elimination against enumeration, Gibbs against both."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harmonium import Boltzmann
from harmonium.families.boltzmann_dense import Enumeration
from harmonium.families.boltzmann_tree import JunctionTree
from harmonium.numerics.elimination import eliminate


def lattice(rows: int, columns: int) -> list[tuple[int, int]]:
    cells = [(r, c) for r in range(rows) for c in range(columns)]
    right = [(r * columns + c, r * columns + c - 1) for r, c in cells if c]
    return right + [(r * columns + c, (r - 1) * columns + c) for r, c in cells if r]


CHAIN = [(i, i - 1) for i in range(1, 200)]
TREE = [(i, (i - 1) // 2) for i in range(1, 1000)]
LATTICE = lattice(12, 12)
LARGE = {"chain": (200, CHAIN), "tree": (1000, TREE), "lattice": (144, LATTICE)}


@st.composite
def graphs(draw):
    n = draw(st.integers(1, 7))
    pairs = [(i, j) for i in range(n) for j in range(i)]
    kept = draw(st.lists(st.sampled_from(pairs), unique=True)) if pairs else []
    seed = draw(st.integers(0, 10_000))
    return n, kept, seed


def as_dense(sparse: Boltzmann, natural):
    """The same machine with every pair, absent couplings zero, and where the others went."""
    dense = Boltzmann(sparse.n)
    parameters = sparse.to_parameters(natural)
    full = dense.from_parameters(biases=parameters.biases, couplings=parameters.couplings)
    places = {pair: sparse.n + k for k, pair in enumerate(zip(*dense._pairs, strict=True))}
    entries = [*range(sparse.n), *(places[pair] for pair in zip(*sparse._pairs, strict=True))]
    return dense, full, np.array(entries, dtype=int)


@given(graphs())
def test_elimination_is_enumeration(graph):
    n, edges, seed = graph
    sparse = Boltzmann(n, edges)
    tree = JunctionTree(
        n, sparse.edges if sparse.edges is not None else tuple(zip(*sparse._pairs, strict=True))
    )
    natural = 2 * np.random.default_rng(seed).standard_normal((3, sparse.dimension))
    dense, full, entries = as_dense(sparse, natural)
    oracle = Enumeration(n)
    np.testing.assert_allclose(
        tree.log_partition(natural), oracle.log_partition(full), rtol=1e-13, atol=1e-13
    )
    np.testing.assert_allclose(
        tree.mean(natural), oracle.mean(full)[:, entries], rtol=1e-12, atol=1e-14
    )
    fisher = dense.fisher_information(full[0])[np.ix_(entries, entries)]
    np.testing.assert_allclose(tree.oracle(natural[0])[2], fisher, atol=1e-13)
    best = dense.sufficient_statistic(tree.most_probable(natural[0])[None])[0] @ full[0]
    states = (np.arange(2**n)[:, None] >> np.arange(n) & 1).astype(float)
    assert best == pytest.approx((dense.sufficient_statistic(states) @ full[0]).max(), abs=1e-12)


@given(graphs())
def test_mappings_are_inverse_and_partial_rows_complete(graph):
    n, edges, seed = graph
    rng = np.random.default_rng(seed)
    family = Boltzmann(n, edges)
    natural = rng.standard_normal(family.dimension)
    mean = family.to_mean(natural)
    np.testing.assert_allclose(family.to_natural(mean), natural, atol=1e-8)
    dense, full, entries = as_dense(family, natural)
    x = family.sample(natural, rng, 4)
    x[rng.random(x.shape) < 0.5] = np.nan
    ours, theirs = family.complete(natural, x), dense.complete(full, x)
    np.testing.assert_allclose(ours.log_marginal, theirs.log_marginal, atol=1e-12)
    np.testing.assert_allclose(
        ours.expected_statistic, theirs.expected_statistic[:, entries], atol=1e-12
    )


@pytest.mark.parametrize("name", LARGE)
def test_large_graphs_are_exact(name):
    n, edges = LARGE[name]
    family = Boltzmann(n, edges)
    rng = np.random.default_rng(1)
    natural = 0.5 * rng.standard_normal(family.dimension)
    mean = family.to_mean(natural)
    direction = rng.standard_normal(family.dimension)
    slope = [family.log_partition(natural + h * direction) for h in (1e-5, -1e-5)]
    assert (slope[0] - slope[1]) / 2e-5 == pytest.approx(direction @ mean, rel=1e-7)
    x = family.sample(natural, 2, 4000)
    spread = np.sqrt(mean * (1 - mean) / len(x))
    # 2,404 moments at most: |z| < 6.5 fails a right sampler once in ten million
    assert (np.abs(family.sufficient_statistic(x).mean(0) - mean) < 6.5 * spread).all()
    best = family.most_probable(natural)
    energy = float((family.sufficient_statistic(best[None]) @ natural)[0])
    assert energy >= (family.sufficient_statistic(x) @ natural).max()
    flips = np.abs(np.eye(n) - best)
    assert energy >= (family.sufficient_statistic(flips) @ natural).max()


@pytest.mark.parametrize("name", ["chain", "tree"])
def test_inverse_ising_on_forests_is_closed_form(name):
    n, edges = LARGE[name]
    family = Boltzmann(n, edges)
    natural = np.random.default_rng(3).standard_normal(family.dimension)
    np.testing.assert_allclose(family.to_natural(family.to_mean(natural)), natural, atol=1e-9)


def test_inverse_ising_on_a_lattice():
    family = Boltzmann(144, LATTICE)
    natural = 0.4 * np.random.default_rng(4).standard_normal(family.dimension)
    np.testing.assert_allclose(family.to_natural(family.to_mean(natural)), natural, atol=1e-8)


def test_an_edge_without_coupling_changes_nothing():
    n, edges = 12, lattice(3, 4)
    family, more = Boltzmann(n, edges), Boltzmann(n, [*edges, (11, 0)])
    rng = np.random.default_rng(5)
    natural = rng.standard_normal(family.dimension)
    given = family.to_parameters(natural)
    same = more.from_parameters(biases=given.biases, couplings=given.couplings)
    assert more.log_partition(same) == pytest.approx(family.log_partition(natural), rel=1e-14)
    np.testing.assert_allclose(more.to_mean(same)[:n], family.to_mean(natural)[:n], rtol=1e-12)


@given(graphs(), st.data())
def test_an_edge_changes_no_answer_that_does_not_depend_on_it(graph, data):
    n, edges, seed = graph
    every = [(i, j) for i in range(n) for j in range(i)]
    more = sorted(
        {*edges, *data.draw(st.sets(st.sampled_from(every)) if every else st.just(set()))}
    )
    family, wider = Boltzmann(n, edges), Boltzmann(n, more)
    rng = np.random.default_rng(seed)
    natural = rng.standard_normal(family.dimension)
    given = family.to_parameters(natural)
    same = wider.from_parameters(biases=given.biases, couplings=given.couplings)
    x = (rng.random((6, n)) < 0.5).astype(float)
    for ours, theirs in (
        (family.log_partition(natural), wider.log_partition(same)),
        (family.entropy(natural), wider.entropy(same)),
        (family.log_density(natural, x), wider.log_density(same, x)),
        (family.to_mean(natural)[:n], wider.to_mean(same)[:n]),
        (family.most_probable(natural), wider.most_probable(same)),
    ):
        np.testing.assert_allclose(theirs, ours, rtol=1e-12, atol=1e-13)
    x[rng.random(x.shape) < 0.5] = np.nan
    ours, theirs = family.complete(natural, x), wider.complete(same, x)
    np.testing.assert_allclose(theirs.log_marginal, ours.log_marginal, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(
        theirs.expected_statistic[:, :n], ours.expected_statistic[:, :n], rtol=1e-12, atol=1e-13
    )
    # and the means of the wider machine tell that the edge couples nothing
    back = wider.to_parameters(wider.to_natural(wider.to_mean(same)))
    np.testing.assert_allclose(back.couplings, given.couplings, atol=1e-8)
    np.testing.assert_allclose(back.biases, given.biases, atol=1e-8)


def test_elimination_widths():
    assert eliminate(1000, tuple(TREE)).width == 1
    assert eliminate(200, tuple(CHAIN)).width == 1
    assert eliminate(144, tuple(LATTICE)).states <= 144 * 2**13
    assert eliminate(3, ()).width == 0


def test_gibbs_says_how_good_it_is():
    family = Boltzmann(9, lattice(3, 3))
    natural = 0.5 * np.random.default_rng(6).standard_normal(family.dimension)
    drawn = family.gibbs(natural, 7, chains=8, draws=2000)
    mean = family.to_mean(natural)[:9]
    error = np.abs(drawn.states.mean((0, 1)) - mean)
    spread = np.sqrt(mean * (1 - mean) / drawn.effective_sample_size)
    assert (error < 5.5 * spread).all()
    assert (drawn.split_ratio < 1.02).all()
    couplings = 16 * _pairs(9, lattice(3, 3))  # all on and all off are alike, and far apart
    stuck = family.from_parameters(biases=-0.5 * couplings.sum(0), couplings=couplings)
    assert (family.gibbs(stuck, 1, chains=16, draws=50, burn_in=20).split_ratio > 1.1).any()


def _pairs(n, edges):
    matrix = np.zeros((n, n))
    for i, j in edges:
        matrix[i, j] = matrix[j, i] = 0.5
    return matrix


def test_wide_graphs_have_gibbs_only():
    family = Boltzmann(900, lattice(30, 30))
    natural = np.zeros(family.dimension)
    with pytest.raises(ValueError, match="elimination width"):
        family.log_partition(natural)
    assert family.gibbs(natural, 1, chains=2, draws=4, burn_in=0).states.shape == (2, 4, 900)


@pytest.mark.parametrize(
    ("edges", "words"),
    [
        ([(0, 0)], "two different units"),
        ([(0, 3)], "two different units"),
        ([(0, 1), (1, 0)], "given twice"),
        ([0], "pairs of units"),
    ],
)
def test_bad_edges(edges, words):
    with pytest.raises(ValueError, match=words):
        Boltzmann(3, edges)


def test_graphs_are_values():
    assert Boltzmann(3, [(0, 1)]) == Boltzmann(3, ((1, 0),))
    assert hash(Boltzmann(3, [(0, 1)])) == hash(Boltzmann(3, [(1, 0)]))
    assert Boltzmann(2, [(0, 1)]) == Boltzmann(2)
    with pytest.raises(ValueError, match="without an edge"):
        Boltzmann(3, [(0, 1)]).from_parameters(
            biases=[0, 0, 0], couplings=np.ones((3, 3)) - np.eye(3)
        )
