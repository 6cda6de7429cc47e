"""Draw docs/pictures/graphs.png: the graphs of docs/graphs.md.

python docs/pictures/graphs.py
"""

from itertools import pairwise
from pathlib import Path

from harmonium import Bernoulli, Categorical, Normal, Poisson
from harmonium.graphs import Clique, Graph
from harmonium.plotting import panels, plot_graph


def location(a, b):
    return Clique(a, b, statistics="location")


def main():
    switches = {"weather": Categorical(3), "season": Categorical(4), "rain": Bernoulli(1)}
    third = Graph(
        {**switches, "visits": Poisson(2)},
        [("weather", "season"), ("weather", "season", "rain"), ("visits", "rain")],
    )
    deep = Graph(
        {"x": Normal(10, "diagonal"), "y": Normal(2), "k": Categorical(3)},
        [location("x", "y"), ("y", "k")],
    )
    names = [f"z{i}" for i in range(1, 6)]
    chain = [location(a, b) for a, b in pairwise(names)]
    states = Graph(
        {**dict.fromkeys(names, Normal(1)), **{f"x{i}": Normal(1) for i in range(1, 6)}},
        [*chain, *(location(f"z{i}", f"x{i}") for i in range(1, 6))],
    )
    titles = {"a": "a clique of three", "b": "a hierarchy", "c": "a chain of normals"}
    figure, axes = panels((8.4, 3.0), "abc", titles, width_ratios=[3, 1.2, 4])
    plot_graph(third, ["visits"], ax=axes["a"])
    plot_graph(deep, ["x"], ax=axes["b"])
    plot_graph(states, [f"x{i}" for i in range(1, 6)], ax=axes["c"])
    figure.savefig(Path(__file__).with_suffix(".png"))


if __name__ == "__main__":
    main()
