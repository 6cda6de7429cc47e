"""Some vertices of a graph given the others: again a graph, its parameters moved (Eqs. 9, 35)."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from harmonium.families.base import ExponentialFamily, Indices
from harmonium.graphs.clique import Choice, Clique
from harmonium.graphs.layout import Layout
from harmonium.validation import FloatArray


@dataclass
class _Merged:
    """What is left of cliques with the same free members: which statistics of each take part."""

    chosen: list[Indices]
    choices: list[Choice]


class Reduction:
    """The graph of the vertices ``free``, and what observing the others makes of its parameters.

    What a clique's free members leave is a clique; of one free member, a bias.
    """

    def __init__(self, layout: Layout, free: Sequence[int]) -> None:
        self.layout = layout
        self.free = sorted(free)
        held = set(self.free)
        merged: dict[tuple[int, ...], _Merged] = {}
        #: Cliques with a free member, their free members, and cliques without.
        self.met: list[tuple[int, tuple[int, ...]]] = []
        touched = sorted({c for v in self.free for c in layout.at_vertex[v]})
        for c in touched:
            members, chosen, _, _ = layout.tensors[c]
            kept = tuple(v for v in members if v in held)
            self.met.append((c, tuple(sorted(kept))))
            if len(kept) < 2:
                continue
            at = dict(zip(members, chosen, strict=True))
            own = [at[v] for v in sorted(kept)]
            before = merged.get(tuple(sorted(kept)))
            if before is None:
                merged[tuple(sorted(kept))] = _Merged(own, [_numbers(one) for one in own])
            else:
                before.chosen = [np.union1d(a, b) for a, b in zip(before.chosen, own, strict=True)]
                before.choices = [_numbers(one) for one in before.chosen]
        names = layout.names
        #: The graph of the free vertices.
        self.vertices: tuple[tuple[str, ExponentialFamily], ...] = tuple(
            (names[v], layout.families[v]) for v in self.free
        )
        self.cliques: tuple[Clique, ...] = tuple(
            Clique(
                *(names[v] for v in members),
                statistics={names[v]: c for v, c in zip(members, one.choices, strict=True)},
            )
            for members, one in merged.items()
        )
        self.inner = Layout(self.vertices, self.cliques)
        self._place = {members: k for k, members in enumerate(merged)}
        self._inside = {v: k for k, v in enumerate(self.free)}

    def _statistics(self, x: FloatArray) -> list[FloatArray | None]:
        """The statistics of the observed vertices that a free one meets."""
        needed = {v for c, _ in self.met for v in self.layout.tensors[c].members}
        needed -= set(self.free)
        return [
            family._statistic(np.ascontiguousarray(x[:, own])) if v in needed else None
            for v, (family, own) in enumerate(
                zip(self.layout.families, self.layout.columns, strict=True)
            )
        ]

    def natural(self, natural: FloatArray, x: FloatArray) -> FloatArray:
        """Return natural parameters (n, ...) of the free vertices at one point, given rows x."""
        statistics = self._statistics(x)
        out = np.zeros((len(x), self.inner.dimension))
        for v, own in zip(self.free, self.inner.biases, strict=True):
            out[:, own] = natural[self.layout.biases[v]]
        for c, kept in self.met:
            message = self.layout.contract(c, natural, statistics, kept)
            # of a clique without observed members there is one for all rows
            message = np.broadcast_to(message, (len(x), *message.shape[-len(kept) :]))
            place = self.entries(c, kept)
            out[:, place.ravel()] += self._turned(c, kept, message).reshape(len(x), -1)
        return out

    def _turned(self, c: int, kept: tuple[int, ...], message: FloatArray) -> FloatArray:
        """A message's axes from the order of the clique's members to that of the vertices."""
        order = [v for v in self.layout.tensors[c].members if v in kept]
        return message.transpose(0, *(1 + order.index(v) for v in kept))

    def entries(self, c: int, kept: tuple[int, ...]) -> Indices:
        """Where what a clique leaves to its free members stands in the free vertices' vector."""
        at = dict(zip(*self.layout.tensors[c][:2], strict=True))
        if len(kept) == 1:
            return np.asarray(self.inner.biases[self._inside[kept[0]]].start + at[kept[0]])
        tensor = self.inner.tensors[self._place[kept]]
        numbers = np.arange(tensor.entries.start, tensor.entries.stop).reshape(tensor.shape)
        places = [np.searchsorted(own, at[v]) for v, own in zip(kept, tensor.chosen, strict=True)]
        return np.asarray(numbers[np.ix_(*places)])

    def constant(self, natural: FloatArray, x: FloatArray) -> FloatArray:
        """Return the exponent and base measure (n,) of the observed vertices alone."""
        out = np.zeros(len(x))
        held = set(self.free)
        statistics: list[FloatArray | None] = [None] * len(self.layout.names)
        for v, own in enumerate(self.layout.columns):
            if v not in held:
                family, values = self.layout.families[v], np.ascontiguousarray(x[:, own])
                statistic = family._statistic(values)
                statistics[v] = statistic
                out += statistic @ natural[self.layout.biases[v]]
                out += family._log_base_measure(values)
        met = {c for c, _ in self.met}
        for c in range(len(self.layout.tensors)):
            if c not in met:
                out += self.layout.contract(c, natural, statistics, ())
        return out

    def expected_statistic(self, x: FloatArray, latent: FloatArray) -> FloatArray:
        """Return E[s | x], (n, dimension), from the means (n, ...) of the free vertices."""
        layout = self.layout
        held = set(self.free)
        out = np.empty((len(x), layout.dimension))
        statistics: dict[int, FloatArray] = {}
        for v, (family, own) in enumerate(zip(layout.families, layout.columns, strict=True)):
            if v in held:
                out[:, layout.biases[v]] = latent[:, self.inner.biases[self._inside[v]]]
            else:
                statistics[v] = family._statistic(np.ascontiguousarray(x[:, own]))
                out[:, layout.biases[v]] = statistics[v]
        free = dict(self.met)
        for c, (members, chosen, _, entries) in enumerate(layout.tensors):
            kept = free.get(c, ())
            order = {v: 1 + axis for axis, v in enumerate(members)}
            operands: list[object] = []
            if kept:
                operands += [latent[:, self.entries(c, kept)], [0, *(order[v] for v in kept)]]
            for v, at in zip(members, chosen, strict=True):
                if v not in held:
                    operands += [statistics[v][:, at], [0, order[v]]]
            whole = np.einsum(*operands, [0, *order.values()])  # type: ignore[call-overload]
            out[:, entries] = whole.reshape(len(x), -1)
        return out


def _numbers(chosen: Indices) -> tuple[int, ...]:
    return tuple(int(one) for one in chosen)
