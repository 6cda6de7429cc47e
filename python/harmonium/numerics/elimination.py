"""Graphs of binary variables: elimination orders and the cliques they make."""

import heapq
from collections.abc import Sequence
from dataclasses import dataclass

Edges = tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Clique:
    """A variable and those it still meets when it is eliminated, in order of elimination.

    ``parent`` is the clique (by its variable) that holds the separator, or None at a root.
    """

    variable: int
    separator: tuple[int, ...]
    parent: int | None


@dataclass(frozen=True)
class Elimination:
    """Cliques in order of elimination."""

    cliques: tuple[Clique, ...]

    @property
    def width(self) -> int:
        """Most variables that any variable still meets."""
        return max((len(clique.separator) for clique in self.cliques), default=0)

    @property
    def states(self) -> int:
        """Entries of all tables together."""
        return sum(2 << len(clique.separator) for clique in self.cliques)


def eliminate(n: int, edges: Edges) -> Elimination:
    """Return the cheaper of two elimination orders: by least degree, and as numbered.

    Least degree is optimal on trees and good on sparse graphs; the order of the numbers is that
    of the rows of a lattice, whose width is the shorter side's length.
    """
    by_degree = _follow(n, edges, None, None)
    assert by_degree is not None
    return _follow(n, edges, range(n), by_degree.states) or by_degree


def _neighbours(n: int, edges: Edges) -> list[set[int]]:
    around: list[set[int]] = [set() for _ in range(n)]
    for i, j in edges:
        around[i].add(j)
        around[j].add(i)
    return around


def _follow(
    n: int, edges: Edges, order: Sequence[int] | None, most_states: int | None
) -> Elimination | None:
    """Eliminate in an order, or by least degree; None as soon as it takes ``most_states`` or more."""
    around = _neighbours(n, edges)
    heap = [(len(around[i]), i) for i in range(n)]
    heapq.heapify(heap)
    done = [False] * n
    found: list[tuple[int, set[int]]] = []
    states = 0
    for step in range(n):
        variable = order[step] if order is not None else _least(heap, around, done)
        done[variable] = True
        near = around[variable]
        states += 2 << len(near)
        if most_states is not None and states >= most_states:
            return None
        found.append((variable, near))
        for i in near:
            around[i].discard(variable)
            around[i] |= near - {i}
            if order is None:
                heapq.heappush(heap, (len(around[i]), i))
    position = {variable: step for step, (variable, _) in enumerate(found)}
    cliques = []
    for variable, near in found:
        separator = tuple(sorted(near, key=position.__getitem__))
        cliques.append(Clique(variable, separator, separator[0] if separator else None))
    return Elimination(tuple(cliques))


def _least(heap: list[tuple[int, int]], around: list[set[int]], done: list[bool]) -> int:
    while True:
        degree, variable = heapq.heappop(heap)
        if not done[variable] and degree == len(around[variable]):
            return variable
