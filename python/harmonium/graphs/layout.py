"""Where a graph's vertices and cliques lie in its vectors and in its tables."""

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from harmonium.families.base import ExponentialFamily, Indices
from harmonium.graphs.clique import Clique, chosen_statistics
from harmonium.numerics.elimination import Edges
from harmonium.validation import FloatArray


class Tensor(NamedTuple):
    """A clique by numbers: its vertices, which statistics of each take part, where its entries lie."""

    members: tuple[int, ...]
    chosen: tuple[Indices, ...]
    shape: tuple[int, ...]
    entries: slice


class Layout:
    """Numbers of vertices and cliques, and their places in vectors and tables.

    Vectors are [biases by vertex | tensors by clique, the last member's statistics fastest].
    """

    def __init__(
        self, vertices: Sequence[tuple[str, ExponentialFamily]], cliques: Sequence[Clique]
    ) -> None:
        self.names = tuple(name for name, _ in vertices)
        self.families = tuple(family for _, family in vertices)
        self.number = {name: v for v, name in enumerate(self.names)}
        #: Columns of data and entries of vectors by vertex.
        self.columns = _slices([family.n_features for family in self.families])
        self.biases = _slices([family.dimension for family in self.families])
        at = sum(family.dimension for family in self.families)
        self.tensors: list[Tensor] = []
        #: Numbers of the cliques that hold a vertex.
        self.at_vertex: list[list[int]] = [[] for _ in self.names]
        for c, clique in enumerate(cliques):
            members = tuple(self.number[member] for member in clique.members)
            chosen = tuple(
                chosen_statistics(self.families[v], choice)
                for v, choice in zip(members, clique.statistics, strict=True)
            )
            shape = tuple(len(own) for own in chosen)
            self.tensors.append(Tensor(members, chosen, shape, slice(at, at + math.prod(shape))))
            at = self.tensors[-1].entries.stop
            for v in members:
                self.at_vertex[v].append(c)
        self.dimension = at
        self.n_features = sum(family.n_features for family in self.families)

    @property
    def edges(self) -> Edges:
        """Pairs of vertices (larger number first) that share a clique."""
        pairs = {
            (max(i, j), min(i, j))
            for tensor in self.tensors
            for i in tensor.members
            for j in tensor.members
            if i != j
        }
        return tuple(sorted(pairs))

    def neighbours(self, vertex: int) -> list[int]:
        """Vertices that share a clique with one."""
        near = {i for c in self.at_vertex[vertex] for i in self.tensors[c].members}
        return sorted(near - {vertex})

    def statistics(self, x: FloatArray) -> list[FloatArray]:
        """The statistics of every vertex, (n, its dimension) each, of a table."""
        pairs = zip(self.families, self.columns, strict=True)
        return [family._statistic(np.ascontiguousarray(x[:, own])) for family, own in pairs]

    def tensor(self, c: int, vector: FloatArray) -> FloatArray:
        """A clique's entries of vectors (..., dimension), (..., *shape)."""
        tensor = self.tensors[c]
        return vector[..., tensor.entries].reshape(*vector.shape[:-1], *tensor.shape)

    def numbers(self, c: int, order: Sequence[int]) -> Indices:
        """Where a clique's entries lie in a vector, with an axis for each of its members in order."""
        members, _, shape, entries = self.tensors[c]
        places = np.arange(entries.start, entries.stop).reshape(shape)
        return places.transpose([members.index(v) for v in order])

    def contract(
        self,
        c: int,
        vector: FloatArray,
        statistics: Sequence[FloatArray | None],
        keep: Sequence[int],
    ) -> FloatArray:
        """A clique's tensor of one vector, met by the statistics (n, ...) of all members but ``keep``.

        Returns (n, *shape of the members kept); one row where all are.
        """
        members, chosen, _, _ = self.tensors[c]
        if set(members) <= set(keep):
            return self.tensor(c, vector)[None]
        # einsum's operands by numbers: 0 is the row, 1, 2, ... the members
        axes = list(range(1, len(members) + 1))
        operands: list[object] = [self.tensor(c, vector), axes]
        for axis, v, own in zip(axes, members, chosen, strict=True):
            if v not in keep:
                statistic = statistics[v]
                assert statistic is not None
                operands += [statistic[:, own], [0, axis]]
        kept = [axis for axis, v in zip(axes, members, strict=True) if v in keep]
        return np.asarray(np.einsum(*operands, [0, *kept], optimize=len(members) > 3))  # type: ignore[call-overload]


def _slices(lengths: Sequence[int]) -> list[slice]:
    ends = np.cumsum([0, *lengths]).tolist()
    return [slice(a, b) for a, b in pairwise(ends)]
