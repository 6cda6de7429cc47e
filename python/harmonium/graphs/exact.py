"""Exact sums over the vertices of a graph: upward for the normaliser, downward for the rest.

Vertices are summed out one by one in the order of a :class:`~harmonium.graphs.plan.Plan`. Each
meets a clique: itself and what it still meets then. Arrays of a clique have one axis for the
points, one for each of its finite vertices in order of elimination, then those of statistics.
Nothing recurses: a graph may be as deep as it likes.
"""

import math
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from harmonium.families.base import ExponentialFamily
from harmonium.graphs.layout import Layout
from harmonium.graphs.plan import Kind, Plan
from harmonium.graphs.quadratic import LinearLaw, Quadratic, has_law, sum_out
from harmonium.rules.base import add_leading
from harmonium.validation import FloatArray

#: Numbers that the tables of one batch of points hold.
_BLOCK = 1 << 22


class OutsideError(Exception):
    """Some points have no law: which, and the rule they break."""

    def __init__(self, mask: Any, rule: str) -> None:
        super().__init__(rule)
        self.mask = mask
        self.rule = rule


class Upward(NamedTuple):
    """Log-partition functions (points,), and what each clique's vertex does given the others.

    That is log probabilities for a table, natural parameters for a vertex by its own family, and
    a :class:`~harmonium.graphs.quadratic.LinearLaw` for a normal.
    """

    log_partition: FloatArray
    given: list[Any]


class Law(NamedTuple):
    """What a clique's vertices do together, times the probability of the finite ones' states.

    ``weight`` (points, *states); of vertices without end of states the first and second moments of
    location, (..., n) and (..., n, n), and of one summed out by its own family also its mean.
    """

    weight: FloatArray
    first: FloatArray | None = None
    second: FloatArray | None = None
    mean: FloatArray | None = None


class Exact:
    """The cliques of a plan with what belongs to each."""

    def __init__(self, layout: Layout, plan: Plan) -> None:
        self.layout = layout
        self.plan = plan
        self.cliques = plan.elimination.cliques
        #: Step at which a vertex is summed out.
        self.step = {clique.variable: k for k, clique in enumerate(self.cliques)}
        kinds = plan.kinds
        units = [(clique.variable, *clique.separator) for clique in self.cliques]
        #: Of each clique: finite vertices, and the others.
        self.axes = [tuple(v for v in own if kinds[v] is Kind.TABLE) for own in units]
        self.others = [tuple(v for v in own if kinds[v] is not Kind.TABLE) for own in units]
        self.children: list[list[int]] = [[] for _ in units]
        for k, clique in enumerate(self.cliques):
            if clique.parent is not None:
                self.children[self.step[clique.parent]].append(k)
        #: Of each clique: the graph's cliques whose first vertex to go is its own.
        self.tensors: list[list[int]] = [[] for _ in units]
        for c, tensor in enumerate(layout.tensors):
            self.tensors[min(self.step[v] for v in tensor.members)].append(c)

    @cached_property
    def states(self) -> list[FloatArray | None]:
        """The values of each table's vertex, (its states, columns)."""
        pairs = zip(self.layout.families, self.plan.kinds, strict=True)
        return [family.states() if kind is Kind.TABLE else None for family, kind in pairs]

    @cached_property
    def statistics(self) -> list[FloatArray | None]:
        """The statistics of each table's states, (its states, dimension)."""
        pairs = zip(self.layout.families, self.states, strict=True)
        return [None if own is None else family._statistic(own) for family, own in pairs]

    def _levels(self, v: int) -> int:
        own = self.states[v]
        assert own is not None
        return len(own)

    def _size(self, v: int) -> int:
        """Coordinates by which a vertex that is no table can meet others of the kind."""
        leading = self.layout.families[v].leading
        meets = self.plan.kinds[v] is Kind.NORMAL or leading.holds_products
        return leading.n_features if meets else 0

    @cached_property
    def block(self) -> int:
        """Points to work on at a time."""
        entries = 1
        for k in range(len(self.cliques)):
            # the larger of a table alone and one with matrices
            n = sum(map(self._size, self.others[k]))
            entries += math.prod(map(self._levels, self.axes[k])) * (1 + 2 * n * n)
        return max(1, _BLOCK // entries)

    # ------------------------------------------------------------------------- tables

    @staticmethod
    def _spread(table: FloatArray, have: Sequence[int], want: Sequence[int]) -> FloatArray:
        """A table (points, *have, ...) with an axis, of length one at least, for each of ``want``."""
        order = sorted(range(len(have)), key=lambda a: want.index(have[a]))
        tail = range(1 + len(have), table.ndim)
        turned = table.transpose(0, *(1 + a for a in order), *tail)
        held = set(have)
        lengths = iter(turned.shape[1 : 1 + len(have)])
        shape = [next(lengths) if v in held else 1 for v in want]
        return turned.reshape(len(table), *shape, *turned.shape[1 + len(have) :])

    @staticmethod
    def _marginal(table: FloatArray, have: Sequence[int], kept: Sequence[int]) -> FloatArray:
        """A table (points, *have, ...) summed over all axes but those of ``kept``, in its order."""
        drop = tuple(1 + a for a, v in enumerate(have) if v not in kept)
        return np.asarray(table.sum(drop)) if drop else table

    def _potential(self, c: int, natural: FloatArray) -> tuple[FloatArray, list[int]]:
        """A clique's tensor over its finite members' states, the others' statistics last."""
        members, chosen, _, _ = self.layout.tensors[c]
        table = self.layout.tensor(c, natural)
        finite = [v for v in members if self.plan.kinds[v] is Kind.TABLE]
        for axis, (v, own) in enumerate(zip(members, chosen, strict=True), start=1):
            statistic = self.statistics[v]
            if statistic is not None:
                met = np.tensordot(table, statistic[:, own], axes=([axis], [1]))
                table = np.moveaxis(met, -1, axis)
        front = [1 + a for a, v in enumerate(members) if v in finite]
        back = [1 + a for a, v in enumerate(members) if v not in finite]
        return table.transpose(0, *front, *back), finite

    # ------------------------------------------------------------------------- upward

    def upward(self, natural: FloatArray, *, maximise: bool = False) -> Upward:
        """Sum out every vertex of (points, dimension); raises OutsideError.

        With ``maximise``, of tables alone: the largest exponent instead of the sum, and what each
        vertex lacks of it.
        """
        messages: list[Any] = [None] * len(self.cliques)
        given: list[Any] = [None] * len(self.cliques)
        total = np.zeros(len(natural))
        for k, clique in enumerate(self.cliques):
            if self.plan.kinds[clique.variable] is Kind.TABLE:
                table = self._table(natural, k, messages)
                message = table.max(1) if maximise else _log_sum(table)
                given[k] = table - message[:, None]
                messages[k] = Quadratic(message, np.zeros(0), np.zeros(0))
            else:
                given[k], messages[k] = self._reduced(natural, k, messages)
            for child in self.children[k]:
                messages[child] = None
            if clique.parent is None:
                total = total + messages[k].constant
                messages[k] = None
        return Upward(total, given)

    def _separated(self, k: int) -> tuple[int, ...]:
        """The finite vertices that a clique's vertex is summed out over."""
        v = self.cliques[k].variable
        return tuple(i for i in self.axes[k] if i != v)

    def _table(self, natural: FloatArray, k: int, messages: list[Any]) -> FloatArray:
        v, axes = self.cliques[k].variable, self.axes[k]
        family, states, statistic = self.layout.families[v], self.states[v], self.statistics[v]
        assert states is not None
        assert statistic is not None
        own = natural[:, self.layout.biases[v]] @ statistic.T + family._log_base_measure(states)
        shape = (len(natural), *map(self._levels, axes))
        table = np.zeros(shape)
        table += self._spread(own, (v,), axes)
        for c in self.tensors[k]:
            table += self._spread(*self._potential(c, natural), axes)
        for child in self.children[k]:
            table += self._spread(messages[child].constant, self._separated(child), axes)
        return table

    def _reduced(self, natural: FloatArray, k: int, messages: list[Any]) -> tuple[Any, Quadratic]:
        v, axes, others = self.cliques[k].variable, self.axes[k], self.others[k]
        family = self.layout.families[v]
        batch = (len(natural), *map(self._levels, axes))
        own = np.zeros((*batch, family.dimension))
        own += self._spread(natural[:, self.layout.biases[v]], (), axes)
        sizes = list(map(self._size, others))
        starts = dict(zip(others, np.cumsum([0, *sizes[:-1]]).tolist(), strict=True))
        n = sum(sizes)
        constant = np.zeros(batch)
        linear, quadratic = np.zeros((*batch, n)), np.zeros((*batch, n, n))
        for c in self.tensors[k]:
            members, chosen, _, _ = self.layout.tensors[c]
            potential, finite = self._potential(c, natural)
            table = self._spread(potential, finite, axes)
            met = [(i, at) for i, at in zip(members, chosen, strict=True) if i in starts]
            if len(met) == 1:
                own[..., met[0][1]] += table
            else:
                rows, columns = (starts[i] + at for i, at in met)
                half = 0.5 * table
                quadratic[..., rows[:, None], columns] += half
                quadratic[..., columns[:, None], rows] += half.swapaxes(-1, -2)
        for child in self.children[k]:
            sent = messages[child]
            have = self._separated(child)
            constant += self._spread(sent.constant, have, axes)
            at = self._places(child, starts)
            if len(at):
                linear[..., at] += self._spread(sent.linear, have, axes)
                quadratic[..., at[:, None], at] += self._spread(sent.quadratic, have, axes)
        if self.plan.kinds[v] is Kind.WHOLE:
            return self._whole(v, own, Quadratic(constant, linear, quadratic))
        return self._normal(v, own, Quadratic(constant, linear, quadratic))

    def _places(self, child: int, starts: dict[int, int]) -> Any:
        """Where the coordinates that a child leaves stand among those of its parent's clique."""
        left = [starts[i] + np.arange(self._size(i)) for i in self.others[child][1:]]
        return np.concatenate(left) if left else np.zeros(0, dtype=np.intp)

    def _whole(self, v: int, own: FloatArray, sent: Quadratic) -> tuple[FloatArray, Quadratic]:
        family = self.layout.families[v]
        if family.leading.holds_products:
            leading: Any = family.leading
            own = add_leading(own, leading.pack_quadratic(sent.linear, sent.quadratic))
        self._check(v, own, family._outside(own))
        psi = sent.constant + family._log_partition(own)
        return own, Quadratic(psi, np.zeros((*psi.shape, 0)), np.zeros((*psi.shape, 0, 0)))

    def _normal(self, v: int, own: FloatArray, sent: Quadratic) -> tuple[LinearLaw, Quadratic]:
        family: Any = self.layout.families[v]
        size = family.n
        sent.linear[..., :size] += own[..., :size]
        sent.quadratic[..., :size, :size] += family.quadratic(own)
        fits = has_law(sent, size)
        rule = "the precision must be positive definite, given what is summed out before"
        self._check(v, own, None if fits.all() else (np.logical_not(fits), rule))
        return sum_out(sent, size)

    def _check(self, v: int, own: FloatArray, broken: tuple[Any, str] | None) -> None:
        if broken is None:
            return
        mask = np.broadcast_to(broken[0], own.shape[:-1])
        raise OutsideError(
            mask.any(tuple(range(1, mask.ndim))),
            f"vertex {self.layout.names[v]!r}, at some state of its neighbours: {broken[1]}",
        )

    # ------------------------------------------------------------------------- downward

    def downward(self, given: list[Any], points: int) -> list[Law]:
        """What every clique's vertices do together."""
        laws: list[Any] = [None] * len(self.cliques)
        for k in range(len(self.cliques) - 1, -1, -1):
            v = self.cliques[k].variable
            above = self._above(laws, k, points)
            kind = self.plan.kinds[v]
            if kind is Kind.TABLE:
                laws[k] = Law(np.exp(given[k]) * above.weight[:, None])
            elif kind is Kind.NORMAL:
                assert above.first is not None
                assert above.second is not None
                laws[k] = Law(
                    above.weight, *given[k].moments(above.weight, above.first, above.second)
                )
            else:
                laws[k] = self._law_of_whole(self.layout.families[v], given[k], above.weight)
        return laws

    @staticmethod
    def _law_of_whole(family: ExponentialFamily, own: FloatArray, weight: FloatArray) -> Law:
        mean = weight[..., None] * family._to_mean(own)
        leading: Any = family.leading
        if not leading.holds_products:
            return Law(weight, mean=mean)
        first, second = leading.location_moments(mean[..., : leading.dimension])
        return Law(weight, first, second, mean)

    def _above(self, laws: list[Any], k: int, points: int) -> Law:
        """What those do that a clique's vertex was summed out over."""
        clique = self.cliques[k]
        if clique.parent is None:
            return Law(np.ones(points), np.zeros((points, 0)), np.zeros((points, 0, 0)))
        step = self.step[clique.parent]
        parent, have, kept = laws[step], self.axes[step], self._separated(k)
        weight = self._marginal(parent.weight, have, kept)
        left = self.others[k][1:]
        if not left:
            batch = weight.shape
            return Law(weight, np.zeros((*batch, 0)), np.zeros((*batch, 0, 0)))
        sizes = list(map(self._size, self.others[step]))
        starts = dict(zip(self.others[step], np.cumsum([0, *sizes[:-1]]).tolist(), strict=True))
        at = self._places(k, starts)
        first = self._marginal(parent.first[..., at], have, kept)
        second = self._marginal(parent.second[..., at[:, None], at], have, kept)
        return Law(weight, first, second)

    def mean(self, natural: FloatArray) -> FloatArray:
        """Return the mean parameters (points, dimension)."""
        laws = self.downward(self.upward(natural).given, len(natural))
        out = np.empty_like(natural)
        for v in range(len(self.layout.names)):
            out[:, self.layout.biases[v]] = self._mean_of_vertex(laws[self.step[v]], v)
        for k, own in enumerate(self.tensors):
            for c in own:
                expected = self._mean_of_clique(laws[k], k, c)
                out[:, self.layout.tensors[c].entries] = expected.reshape(len(natural), -1)
        return out

    def _own_mean(self, law: Law, v: int) -> FloatArray:
        """E[s_v], times the weight, of a vertex that is no table: (points, *states, dimension)."""
        if law.mean is not None:
            return law.mean
        family: Any = self.layout.families[v]
        assert law.first is not None
        assert law.second is not None
        n = family.n
        return np.asarray(family.pack_moments(law.first[..., :n], law.second[..., :n, :n]))

    def _mean_of_vertex(self, law: Law, v: int) -> FloatArray:
        axes, statistic = self.axes[self.step[v]], self.statistics[v]
        if statistic is not None:
            return self._marginal(law.weight, axes, (v,)) @ statistic
        return self._marginal(self._own_mean(law, v), axes, ())

    def _mean_of_clique(self, law: Law, k: int, c: int) -> FloatArray:
        """E[product of the members' statistics], (points, *shape)."""
        members, chosen, _, _ = self.layout.tensors[c]
        at = dict(zip(members, chosen, strict=True))
        others = [v for v in self.others[k] if v in at]
        if not others:
            table = law.weight
        elif len(others) == 1:
            table = self._own_mean(law, others[0])[..., at[others[0]]]
        else:
            assert law.second is not None
            sizes = list(map(self._size, self.others[k]))
            starts = dict(zip(self.others[k], np.cumsum([0, *sizes[:-1]]).tolist(), strict=True))
            rows, columns = (starts[v] + at[v] for v in others)
            table = law.second[..., rows[:, None], columns]
        table = self._marginal(table, self.axes[k], members)
        order = [v for v in self.axes[k] if v in at]
        for axis, v in enumerate(order, start=1):
            statistic = self.statistics[v]
            assert statistic is not None
            met = np.tensordot(table, statistic[:, at[v]], axes=([axis], [0]))
            table = np.moveaxis(met, -1, axis)
        order += others
        return table.transpose(0, *(1 + order.index(v) for v in members))

    def shape_of(self, vertices: Sequence[int]) -> tuple[int, ...]:
        """How many states each of some different tables' vertices has; ValueError for others."""
        for v in vertices:
            if self.plan.kinds[v] is not Kind.TABLE:
                raise ValueError(
                    f"vertices: {self.layout.names[v]!r}, {self.layout.families[v]!r}, is not "
                    "summed out in tables: its marginal is in no table"
                )
        if not vertices or len(set(vertices)) < len(vertices):
            raise ValueError("vertices: different ones, at least one")
        first = min(vertices, key=self.step.__getitem__)
        if not set(vertices) <= set(self.axes[self.step[first]]):
            names = ", ".join(repr(self.layout.names[v]) for v in vertices)
            raise ValueError(f"vertices: {names} never meet in one table")
        return tuple(map(self._levels, vertices))

    def marginal(self, natural: FloatArray, vertices: Sequence[int]) -> FloatArray:
        """Return probabilities (points, states of each), of vertices that share a clique's table."""
        step = min(self.step[v] for v in vertices)
        law = self.downward(self.upward(natural).given, len(natural))[step]
        table = self._marginal(law.weight, self.axes[step], vertices)
        order = [v for v in self.axes[step] if v in vertices]
        return table.transpose(0, *(1 + order.index(v) for v in vertices))

    def expected_log_base_measure(self, natural: FloatArray) -> FloatArray:
        """Return the expected log base measure, (points,), of all vertices together."""
        given = self.upward(natural).given
        laws = self.downward(given, len(natural))
        out = np.zeros(len(natural))
        for k, clique in enumerate(self.cliques):
            v = clique.variable
            family, states, weight = self.layout.families[v], self.states[v], laws[k].weight
            if states is not None:
                own = self._marginal(weight, self.axes[k], (v,))
                out += own @ family._log_base_measure(states)
            elif self.plan.kinds[v] is Kind.NORMAL:
                out += family._log_base_measure(np.zeros((1, family.n_features)))[0]
            else:
                table = weight * family._expected_log_base_measure(given[k])
                out += self._marginal(table, self.axes[k], ())
        return out

    @cached_property
    def always_inside(self) -> bool:
        """Whether every vector has a law: where all vertices are tables."""
        return all(kind is Kind.TABLE for kind in self.plan.kinds)

    # ------------------------------------------------------------------------- samples

    def sample(self, natural: FloatArray, n: int, rng: np.random.Generator) -> FloatArray:
        """Return exact draws (n, n_features): ``n`` of one point, or one of each of ``n`` points."""
        given = self.upward(natural).given
        return self._unroll(given, n, lambda table: _draw(table, rng), rng)

    def most_probable(self, natural: FloatArray) -> FloatArray:
        """Return the observation (n_features,) of largest probability at one point (dimension,)."""
        given = self.upward(natural[None], maximise=True).given
        choose: Callable[[FloatArray], Any] = lambda table: table.argmax(-1)  # noqa: E731
        return np.asarray(self._unroll(given, 1, choose, None)[0])

    def _unroll(
        self,
        given: list[Any],
        n: int,
        choose: Callable[[FloatArray], Any],
        rng: np.random.Generator | None,
    ) -> FloatArray:
        """Settle vertex after vertex, last summed out first."""
        rows = np.arange(n)
        numbers: dict[int, Any] = {}
        # coordinates of the location of vertices that are no tables
        x = np.empty((n, self.layout.n_features))
        for k in range(len(self.cliques) - 1, -1, -1):
            v, family = self.cliques[k].variable, self.layout.families[self.cliques[k].variable]
            place = np.zeros(n, dtype=np.intp)
            for i in self._separated(k):
                place = self._levels(i) * place + numbers[i]
            states, columns = self.states[v], self.layout.columns[v]
            if states is not None:
                table = np.moveaxis(given[k], 1, -1)
                table = table.reshape(len(table), -1, len(states))
                numbers[v] = choose(table[rows % len(table), place])
                x[:, columns] = states[numbers[v]]
                continue
            assert rng is not None
            if self.plan.kinds[v] is Kind.WHOLE:
                cells = math.prod(map(self._levels, self.axes[k]))
                table = given[k].reshape(len(given[k]), cells, family.dimension)
                x[:, columns] = family._sample(table[rows % len(table), place], rng)
                continue
            noise = rng.standard_normal((n, family.n_features))
            left = [x[:, self.layout.columns[i]][:, : self._size(i)] for i in self.others[k][1:]]
            y = np.concatenate([np.zeros((n, 0)), *left], -1)
            tail = 1 + len(self.axes[k])
            cells = math.prod(map(self._levels, self.axes[k]))
            flat = [part.reshape(len(part), cells, *part.shape[tail:]) for part in given[k]]
            step = max(1, _BLOCK // max(part[0, 0].size for part in flat))
            for start in range(0, n, step):
                own = rows[start : start + step]
                law = LinearLaw(*(part[own % len(part), place[own]] for part in flat))
                x[own, columns] = law.draw(y[own], noise[own])
        return x


def _log_sum(table: FloatArray) -> FloatArray:
    """The log of the sum of exponentials along the first axis after the points; all are finite."""
    top = table.max(1)
    return np.asarray(top + np.log(np.exp(table - top[:, None]).sum(1)))


def _draw(log_probabilities: FloatArray, rng: np.random.Generator) -> Any:
    """Numbers (n,) drawn from tables (n, states) of log probabilities."""
    total = np.exp(log_probabilities).cumsum(-1)
    uniform = rng.random((len(total), 1)) * total[:, -1:]
    return np.minimum((total <= uniform).sum(-1), total.shape[-1] - 1)
