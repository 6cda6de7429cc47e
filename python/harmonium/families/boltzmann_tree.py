"""Boltzmann machines on sparse graphs, exactly: variable elimination on a junction tree.

Eliminating unit i leaves a table over the units it still meets: ``m(S) = log(e**f0 + e**f1)``
with ``f0, f1`` the sums of earlier tables at ``z_i = 0, 1`` (and i's bias and couplings at 1).
Read backwards, ``P(z_i = 1 | S)`` is the logistic function of ``f1 - f0``: marginals, exact samples
and the most probable state follow clique by clique.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
from scipy.special import expit

from harmonium.numerics.discrete_entropy import discrete_entropy
from harmonium.numerics.elimination import Edges, Elimination, eliminate
from harmonium.numerics.newton import match_mean, match_mean_by_products
from harmonium.validation import FloatArray

_Ints = np.ndarray[Any, np.dtype[np.intp]]


class JunctionTree:
    """The machine's tables and messages, for batches of natural parameters (batch, n + edges)."""

    def __init__(self, n: int, edges: Edges) -> None:
        self.n = n
        self.edges = edges
        self.elimination: Elimination = eliminate(n, edges)
        place = {edge: k for k, edge in enumerate(edges)}
        #: For each clique: the coupling (column of the natural vector) with each of its separator.
        self._couplings: list[list[int | None]] = []
        children: dict[int, list[int]] = {}
        self._index = {c.variable: k for k, c in enumerate(self.elimination.cliques)}
        for k, clique in enumerate(self.elimination.cliques):
            i = clique.variable
            found = [place.get((max(i, j), min(i, j))) for j in clique.separator]
            self._couplings.append([None if e is None else n + e for e in found])
            if clique.parent is not None:
                children.setdefault(self._index[clique.parent], []).append(k)
        self._children = children

    # ------------------------------------------------------------------------- upward

    def _spread(self, table: FloatArray, k: int, child: int) -> FloatArray:
        """A child's message with axes for every unit of clique k: itself, then its separator."""
        cliques = self.elimination.cliques
        held = set(cliques[child].separator)
        units = (cliques[k].variable, *cliques[k].separator)
        shape = [len(table), *(2 if unit in held else 1 for unit in units)]
        return table.reshape(shape)

    def _field(self, natural: FloatArray, k: int) -> FloatArray:
        """Bias and couplings of clique k's unit, over its separator's states."""
        clique = self.elimination.cliques[k]
        size = len(clique.separator)
        field = natural[:, clique.variable].reshape(-1, *(1,) * size)
        for axis, column in enumerate(self._couplings[k]):
            if column is not None:
                active = np.array([0.0, 1.0]).reshape(*(2 if a == axis else 1 for a in range(size)))
                field = field + natural[:, column].reshape(-1, *(1,) * size) * active
        return np.broadcast_to(field, (len(natural), *(2,) * size))

    def upward(self, natural: FloatArray, maximise: bool = False) -> tuple[FloatArray, list[Any]]:
        """Return the log-partition function (batch,) and each clique's log odds over its separator.

        With ``maximise``, the largest ``s(z) . theta`` and the odds along the best states.
        """
        cliques = self.elimination.cliques
        messages: list[Any] = [None] * len(cliques)
        odds: list[Any] = [None] * len(cliques)
        total = np.zeros(len(natural))
        for k, clique in enumerate(cliques):
            size = len(clique.separator)
            shape = (len(natural), *(2,) * size)
            off, on = np.zeros(shape), self._field(natural, k).copy()
            for child in self._children.get(k, ()):
                spread = self._spread(messages[child], k, child)
                off += spread[:, 0]
                on += spread[:, 1]
                messages[child] = None
            odds[k] = on - off
            message = np.maximum(off, on) if maximise else np.logaddexp(off, on)
            if clique.parent is None:
                total = total + message
            else:
                messages[k] = message
        return total, odds

    def log_partition(self, natural: FloatArray) -> FloatArray:
        """Return psi, (batch,)."""
        return self.upward(natural)[0]

    # ----------------------------------------------------------------------- downward

    def _separator(self, joint: FloatArray, k: int) -> FloatArray:
        """The law of clique k's separator from that of its parent clique."""
        clique = self.elimination.cliques[k]
        assert clique.parent is not None
        parent = self.elimination.cliques[self._index[clique.parent]]
        units = (parent.variable, *parent.separator)
        held = set(clique.separator)
        dropped = tuple(1 + a for a, unit in enumerate(units) if unit not in held)
        return np.asarray(joint.sum(dropped)) if dropped else joint

    def _expectations(self, joints: list[FloatArray]) -> FloatArray:
        """E[z_i] and E[z_i z_j] of the edges from the cliques' laws (or their derivatives)."""
        out = np.zeros((len(joints[0]), self.n + len(self.edges)))
        for k, clique in enumerate(self.elimination.cliques):
            on = joints[k][:, 1]
            out[:, clique.variable] = on.reshape(len(on), -1).sum(-1)
            for axis, column in enumerate(self._couplings[k]):
                if column is not None:
                    both = np.take(on, 1, axis=1 + axis)
                    out[:, column] = both.reshape(len(on), -1).sum(-1)
        return out

    def mean(self, natural: FloatArray) -> FloatArray:
        """Return the mean parameters, (batch, n + edges)."""
        return self._expectations([joint for _, _, joint in self._downward(natural)][::-1])

    def entropy(self, natural: FloatArray) -> FloatArray:
        """Return the entropies, (batch,): of each unit given those eliminated later, all added."""
        total = np.zeros(len(natural))
        for odds, own, _ in self._downward(natural):
            given = discrete_entropy(np.stack([np.zeros_like(odds), odds], -1))
            total += (own * given).reshape(len(natural), -1).sum(-1)
        return total

    def _downward(self, natural: FloatArray) -> Iterator[tuple[FloatArray, FloatArray, FloatArray]]:
        """Each clique's odds, its separator's law and its own, from the root."""
        _, odds = self.upward(natural)
        joints: list[Any] = [None] * len(odds)
        for k in range(len(odds) - 1, -1, -1):
            own = self._law(joints, k, len(natural))
            joints[k] = np.stack([own * expit(-odds[k]), own * expit(odds[k])], 1)
            yield odds[k], own, joints[k]

    def _law(self, joints: list[Any], k: int, batch: int) -> FloatArray:
        clique = self.elimination.cliques[k]
        if clique.parent is None:
            return np.ones(batch)
        return self._separator(joints[self._index[clique.parent]], k)

    def mean_and_product(
        self, natural: FloatArray, direction: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        """Return the means (dimension,) and the Fisher information times directions (batch, dimension).

        Every table carries its derivative along each direction.
        """
        cliques = self.elimination.cliques
        natural = natural[None]
        _, odds = self.upward(natural)
        messages: list[Any] = [None] * len(cliques)
        slopes: list[Any] = [None] * len(cliques)
        for k, clique in enumerate(cliques):
            size = len(clique.separator)
            off = np.zeros((len(direction), *(2,) * size))
            on = self._field(direction, k).copy()
            for child in self._children.get(k, ()):
                spread = self._spread(messages[child], k, child)
                off += spread[:, 0]
                on += spread[:, 1]
                messages[child] = None
            slopes[k] = on - off
            if clique.parent is not None:
                messages[k] = off + expit(odds[k]) * slopes[k]
        joints: list[Any] = [None] * len(cliques)
        tangents: list[Any] = [None] * len(cliques)
        for k in range(len(cliques) - 1, -1, -1):
            on, off = expit(odds[k]), expit(-odds[k])
            own = self._law(joints, k, 1)
            parent = cliques[k].parent
            if parent is None:
                change = np.zeros(len(direction))
            else:
                change = self._separator(tangents[self._index[parent]], k)
            turn = own * on * off * slopes[k]
            joints[k] = np.stack([own * off, own * on], 1)
            tangents[k] = np.stack([change * off - turn, change * on + turn], 1)
        return self._expectations(joints)[0], self._expectations(tangents)

    def oracle(self, natural: FloatArray) -> tuple[float, FloatArray, FloatArray]:
        """Return psi, its gradient and its Hessian at one point (dimension,)."""
        dimension = len(natural)
        step = max(1, (1 << 22) // (4 << self.elimination.width))
        identity, hessian = np.eye(dimension), np.empty((dimension, dimension))
        mean = self.mean(natural[None])[0]
        for at in range(0, dimension, step):
            hessian[at : at + step] = self.mean_and_product(natural, identity[at : at + step])[1]
        psi = float(self.log_partition(natural[None])[0])
        return psi, mean, 0.5 * (hessian + hessian.T)

    def match(self, mean: FloatArray, start: FloatArray, largest: float) -> FloatArray:
        """Return the point (dimension,) with these means: exact on a forest, else by Newton.

        Where the Hessian would be large its products stand in for it (conjugate gradients).
        """
        i, j = np.array(self.edges, dtype=np.intp).reshape(-1, 2).T
        first = match_forest(mean, i, j)
        if not self._loops():
            return first
        if not (np.abs(first) <= largest).all():
            first = start
        if len(mean) * self.elimination.states <= 1 << 24:
            return match_mean(self.oracle, mean, first, largest=largest)
        return match_mean_by_products(
            lambda point: (float(self.log_partition(point[None])[0]), self.mean(point[None])[0]),
            lambda point, v: self.mean_and_product(point, v[None])[1][0],
            mean,
            first,
            largest=largest,
        )

    def _loops(self) -> bool:
        return self.elimination.width > 1

    # ------------------------------------------------------------------------ samples

    def sample(self, natural: FloatArray, n: int, rng: np.random.Generator) -> FloatArray:
        """Return ``n`` exact draws (n, units) at one point (dimension,)."""
        _, odds = self.upward(natural[None])
        uniform = rng.random((n, self.n))
        return self._unroll(odds, n, lambda k, logit: uniform[:, k] < expit(logit))

    def sample_each(self, natural: FloatArray, rng: np.random.Generator) -> FloatArray:
        """Return one exact draw (units,) of each of the points (batch, dimension)."""
        states = np.empty((len(natural), self.n))
        step = max(1, (1 << 22) // self.elimination.states)
        for start in range(0, len(natural), step):
            _, odds = self.upward(natural[start : start + step])
            uniform = rng.random((len(odds[0]), self.n))
            states[start : start + step] = self._unroll(
                odds, len(uniform), lambda k, logit, u=uniform: u[:, k] < expit(logit)
            )
        return states

    def most_probable(self, natural: FloatArray) -> FloatArray:
        """Return the state (units,) of largest probability at one point (dimension,)."""
        _, odds = self.upward(natural[None], maximise=True)
        return np.asarray(self._unroll(odds, 1, lambda _, logit: logit > 0)[0])

    def _unroll(self, odds: list[Any], n: int, choose: Any) -> FloatArray:
        states = np.zeros((n, self.n), dtype=np.intp)
        for k in range(len(odds) - 1, -1, -1):
            clique = self.elimination.cliques[k]
            place = np.zeros(n, dtype=np.intp)
            for unit in clique.separator:
                place = 2 * place + states[:, unit]
            # tables of one point for all draws, or of a point for each
            table = odds[k].reshape(len(odds[k]), -1)
            states[:, clique.variable] = choose(k, table[np.arange(n) % len(table), place])
        return states.astype(float)


def match_forest(mean: FloatArray, i: _Ints, j: _Ints) -> FloatArray:
    """Return the natural parameters if pairs i, j made no loop: log odds of pairs and of units.

    Infinite or NaN where a pair leaves nothing to one of its four states.
    """
    n = len(mean) - len(i)
    p = mean[:n]
    out = np.empty_like(mean)
    both = mean[n:]
    only_i, only_j = p[i] - both, p[j] - both
    neither = (1 - p[i]) - only_j
    with np.errstate(divide="ignore", invalid="ignore"):
        out[:n] = np.log(p) - np.log1p(-p)
        log_i, log_j, log_neither = np.log(only_i), np.log(only_j), np.log(neither)
        out[n:] = np.log(both) + log_neither - log_i - log_j
        # each edge moves its units' log odds from those of the unit alone to those given the
        # other off
        np.add.at(out, i, log_i - log_neither - np.log(p[i]) + np.log1p(-p[i]))
        np.add.at(out, j, log_j - log_neither - np.log(p[j]) + np.log1p(-p[j]))
    return out
