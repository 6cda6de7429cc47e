"""Pictures of graphs."""

import numpy as np
import pytest

from harmonium import Bernoulli
from harmonium.graphs import Graph
from harmonium.plotting import plot_graph
from harmonium.plotting.graph import _by_distance, _distances

GRAPH = Graph(
    dict.fromkeys(["x", "y", "k", "j"], Bernoulli(1)), [("x", "y"), ("y", "k", "j"), ("k", "j")]
)


def circles(ax):
    """Places and colours of the vertices, in order."""
    found = [line for line in ax.lines if line.get_marker() == "o"]
    places = np.array([[line.get_xdata()[0], line.get_ydata()[0]] for line in found])
    return places, [line.get_color() for line in found]


def test_what_is_drawn():
    ax = plot_graph(GRAPH, ["x"])
    places, fill = circles(ax)
    assert [text.get_text() for text in ax.texts] == list(GRAPH.names)
    # by steps from what is observed, which is grey
    np.testing.assert_array_equal(places[:, 1], [0, 1, 2, 2])
    assert [colour == "white" for colour in fill] == [False, True, True, True]
    squares = [line for line in ax.lines if line.get_marker() == "s"]
    assert len(squares) == 1
    np.testing.assert_allclose(
        [squares[0].get_xdata()[0], squares[0].get_ydata()[0]], places[1:].mean(0)
    )
    lines = [
        line for line in ax.lines if line.get_linestyle() == "-" and len(line.get_xdata()) == 2
    ]
    assert len(lines) == 2 + 3
    assert plot_graph(GRAPH, ax=ax) is ax
    ax.figure.canvas.draw()


def test_a_path_is_drawn_straight():
    names = [f"v{i}" for i in range(7)]
    graph = Graph(dict.fromkeys(names, Bernoulli(1)), [(names[i], names[i + 1]) for i in range(6)])
    steps = _distances(graph)
    np.testing.assert_array_equal(steps, np.abs(np.subtract.outer(np.arange(7), np.arange(7))))
    at = _by_distance(steps)
    np.testing.assert_allclose(np.linalg.norm(at[0] - at[6]), 6, rtol=0.05)


def test_places_of_one_s_own_and_pieces():
    places = {name: (k, 2.0 * k) for k, name in enumerate(GRAPH.names)}
    found, _ = circles(plot_graph(GRAPH, positions=places))
    np.testing.assert_array_equal(found, list(places.values()))
    with pytest.raises(ValueError, match="none for vertex 'j'"):
        plot_graph(GRAPH, positions={name: places[name] for name in "xyk"})
    apart = Graph(dict.fromkeys("abc", Bernoulli(1)), [("a", "b")])
    for observed in ([], ["a"]):
        found, _ = circles(plot_graph(apart, observed))
        assert np.isfinite(found).all()
        assert len(np.unique(found.round(6), axis=0)) == 3
    with pytest.raises(ValueError, match="at most 200"):
        plot_graph(Graph({f"v{i}": Bernoulli(1) for i in range(201)}))
