"""Graphical models: families on named vertices, interactions on cliques (§2.3, §3.4.2)."""

from harmonium.graphs.clique import Clique, cliques_of
from harmonium.graphs.graph import Graph, GraphParts

__all__ = ["Clique", "Graph", "GraphParts", "cliques_of"]
