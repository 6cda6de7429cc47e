"""What a graph refuses, and how it describes itself."""

import numpy as np
import pytest

from harmonium import Bernoulli, Categorical, Normal
from harmonium.graphs import Clique, Graph

GRAPH = Graph({"x": Normal(2), "k": Categorical(3)}, [("x", "k")])


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (lambda: Graph({}), ValueError, "at least one"),
        (lambda: Graph({1: Normal()}), TypeError, "names are strings"),
        (lambda: Graph({"x": 3}), TypeError, "'x' is an exponential family"),
        (lambda: Graph([("x", Normal()), ("x", Normal())]), ValueError, "two are called 'x'"),
        (lambda: Graph({"x": Normal()}, [("x", "y")]), ValueError, "no vertex 'y'"),
        (lambda: Graph({"x": Normal()}, ["xy"]), TypeError, "tuples of names"),
        (
            lambda: Graph(dict.fromkeys("ab", Bernoulli(1)), [("a", "b"), ("b", "a")]),
            ValueError,
            "comes twice",
        ),
        (lambda: Clique("x"), ValueError, "at least two"),
        (lambda: Clique("x", "x"), ValueError, "at least two different"),
        (lambda: Clique("x", 2), TypeError, "names of vertices"),
        (lambda: Clique("x", "y", statistics={"z": None}), ValueError, "none of the members"),
        (lambda: Clique("x", "y", statistics={"x": (1, 1)}), ValueError, "different numbers"),
        (lambda: Clique("x", "y", statistics=3), TypeError, "a mapping"),
        (lambda: Clique("x", "y", statistics="shape"), ValueError, "of all members"),
        (
            lambda: Graph(
                dict.fromkeys("ab", Bernoulli(1)), [Clique("a", "b", statistics={"a": (1,)})]
            ),
            ValueError,
            "numbered from 0",
        ),
        (lambda: GRAPH.conditional(np.zeros(17), "y", [[0, 0, 0]]), ValueError, "no vertex 'y'"),
        (lambda: GRAPH.join({"x": np.zeros(5)}), ValueError, "none for vertex 'k'"),
        (
            lambda: GRAPH.join({"x": np.zeros(5), "k": [0, 0]}, {("x", "k"): np.zeros((2, 5))}),
            ValueError,
            "expected",
        ),
        (
            lambda: GRAPH.join({"x": np.zeros(5), "k": [0, 0]}, {("k", "x"): np.zeros((2, 5))}),
            ValueError,
            "no clique",
        ),
        (lambda: GRAPH.gibbs(np.zeros(17), blocks=[["x"]]), ValueError, "every vertex is in one"),
        (lambda: GRAPH.latent(["x", "k"]), ValueError, "no latent one is left"),
        (lambda: GRAPH.latent("x"), TypeError, "a list of names"),
        (lambda: GRAPH.most_probable(np.zeros(17)), ValueError, "vertex 'x'.*no end of states"),
        (lambda: GRAPH.complete(point(), [[np.nan, 0, 1]]), ValueError, "observed in part"),
        (lambda: GRAPH.log_density(point(), [[0, 0, 3]]), ValueError, "vertex 'k'"),
        (lambda: GRAPH.marginal(point(), "x"), ValueError, "not summed out in tables"),
    ],
)
def test_refusals(make, error, words):
    with pytest.raises(error, match=words):
        make()


def point():
    natural = np.zeros(GRAPH.dimension)
    natural[[2, 4]] = -0.5
    return natural


def test_a_graph_is_hashable_and_reads_back():
    again = Graph({"x": Normal(2), "k": Categorical(3)}, [Clique("x", "k")])
    assert again == GRAPH
    assert hash(again) == hash(GRAPH)
    assert eval(repr(GRAPH)) == GRAPH
    odd = Graph(GRAPH.vertices, [Clique("x", "k", statistics={"x": "location", "k": (1,)})])
    assert eval(repr(odd)) == odd != GRAPH
    assert GRAPH.markov_blanket("x") == ("k",)
    assert GRAPH.n_features == 3
    assert GRAPH.columns("k") == slice(2, 3)


def test_words():
    text = str(GRAPH)
    assert "2 vertices, 1 clique\n" in text
    assert "x - k  (5 x 2)" in text
    assert text.endswith("Exact, summed out in the order x, k")
    long = str(Graph({f"v{i}": Bernoulli(1) for i in range(500)}))
    assert "and 476 more" in long
    assert len(long.splitlines()) < 40


def test_vertices_that_are_alone():
    graph = Graph({"x": Normal(1), "k": Categorical(3)})
    natural = np.array([1.0, -0.5, 0.3, -0.2])
    expected = Normal(1).log_partition(natural[:2]) + Categorical(3).log_partition(natural[2:])
    assert graph.log_partition(natural) == pytest.approx(float(expected))
    with pytest.raises(ValueError, match="never meet in one table"):
        Graph(dict.fromkeys("ab", Bernoulli(1))).marginal([0.0, 0.0], "a", "b")


def test_marginals_of_several():
    graph = Graph({"a": Categorical(2), "b": Categorical(3)}, [("a", "b")])
    natural = np.random.default_rng(0).standard_normal((2, graph.dimension))
    table = graph.marginal(natural, "b", "a")
    assert table.shape == (2, 3, 2)
    expected = np.exp([graph.log_density(one, graph.states()) for one in natural])
    np.testing.assert_allclose(table.reshape(2, -1), expected, atol=1e-14)
