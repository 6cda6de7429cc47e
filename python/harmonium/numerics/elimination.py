"""Graphs of variables: elimination orders and the cliques they make."""

import heapq
import math
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
    """Cliques in order of elimination, and how many values each variable takes (None: two)."""

    cliques: tuple[Clique, ...]
    levels: tuple[int, ...] | None = None

    @property
    def width(self) -> int:
        """Most variables that any variable still meets."""
        return max((len(clique.separator) for clique in self.cliques), default=0)

    @property
    def states(self) -> int:
        """Entries of all tables together."""
        return sum(_entries(clique, self.levels) for clique in self.cliques)


def _entries(clique: Clique, levels: tuple[int, ...] | None) -> int:
    if levels is None:
        return 2 << len(clique.separator)
    return math.prod((levels[i] for i in clique.separator), start=levels[clique.variable])


def eliminate(
    n: int,
    edges: Edges,
    levels: Sequence[int] | None = None,
    ranks: Sequence[int] | None = None,
) -> Elimination:
    """Return the cheaper of two elimination orders: by smallest table, and as numbered.

    The smallest table is optimal on trees and good on sparse graphs; the order of the numbers is
    that of the rows of a lattice, whose width is the shorter side's length. ``levels`` says how
    many values each variable takes, two unless given. Variables of a lower rank go before all of
    a higher one.
    """
    counts = None if levels is None else tuple(levels)
    places = [0] * n if ranks is None else ranks
    by_size = _follow(n, edges, counts, places, None, None)
    assert by_size is not None
    numbered = sorted(range(n), key=places.__getitem__)
    return _follow(n, edges, counts, places, numbered, by_size.states) or by_size


def _neighbours(n: int, edges: Edges) -> list[set[int]]:
    around: list[set[int]] = [set() for _ in range(n)]
    for i, j in edges:
        around[i].add(j)
        around[j].add(i)
    return around


def _follow(
    n: int,
    edges: Edges,
    levels: tuple[int, ...] | None,
    ranks: Sequence[int],
    order: Sequence[int] | None,
    most_states: int | None,
) -> Elimination | None:
    """Eliminate in an order, or by smallest table; None as soon as it takes ``most_states`` or more."""
    around = _neighbours(n, edges)
    # logs of the tables over the neighbours: of binary variables, their number
    bits = [1.0] * n if levels is None else [math.log2(count) for count in levels]
    size = [sum(bits[j] for j in sorted(near)) for near in around]
    heap = [(ranks[i], size[i] + bits[i], i) for i in range(n)]
    heapq.heapify(heap)
    done = [False] * n
    found: list[Clique] = []
    states = 0
    for step in range(n):
        variable = order[step] if order is not None else _least(heap, size, bits, done)
        done[variable] = True
        near = around[variable]
        found.append(Clique(variable, tuple(near), None))
        states += _entries(found[-1], levels)
        if most_states is not None and states >= most_states:
            return None
        for i in near:
            around[i].discard(variable)
            new = near - around[i] - {i}
            around[i] |= new
            size[i] += sum(bits[j] for j in new) - bits[variable]
            if order is None:
                heapq.heappush(heap, (ranks[i], size[i] + bits[i], i))
    position = {clique.variable: step for step, clique in enumerate(found)}
    cliques = []
    for clique in found:
        separator = tuple(sorted(clique.separator, key=position.__getitem__))
        cliques.append(Clique(clique.variable, separator, separator[0] if separator else None))
    return Elimination(tuple(cliques), levels)


def _least(
    heap: list[tuple[int, float, int]], size: list[float], bits: list[float], done: list[bool]
) -> int:
    while True:
        _, own, variable = heapq.heappop(heap)
        if not done[variable] and own == size[variable] + bits[variable]:
            return variable
