"""Graphical models: families on named vertices, interactions on cliques (§2.3, §3.4.2)."""

from harmonium.graphs.clique import Clique, cliques_of
from harmonium.graphs.graph import Graph, GraphParts
from harmonium.graphs.split import Boundary, GraphConjugation, Split, boundary, conjugation, split

__all__ = [
    "Boundary",
    "Clique",
    "Graph",
    "GraphConjugation",
    "GraphParts",
    "Split",
    "boundary",
    "cliques_of",
    "conjugation",
    "split",
]
