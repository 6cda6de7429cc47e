"""Harmonium graphical models: families on vertices, interactions on cliques (§2.3)."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from harmonium.errors import BoundaryError, NotConjugatedError
from harmonium.expectation.prepared import Prepared
from harmonium.families.base import Completed, ExponentialFamily, Indices, distinct
from harmonium.graphs.clique import Clique, cliques_of
from harmonium.graphs.exact import Exact, OutsideError
from harmonium.graphs.gibbs import gibbs
from harmonium.graphs.layout import Layout
from harmonium.graphs.plan import plan_of
from harmonium.graphs.prepared import GraphPrepared
from harmonium.graphs.reduction import Reduction
from harmonium.graphs.text import describe
from harmonium.numerics.markov_chains import GibbsSample, gibbs_sample
from harmonium.numerics.newton import match_mean
from harmonium.validation import FloatArray, as_count, as_floats, as_generator, check_memory

#: Beyond this a parameter is on its way to infinity.
_LARGEST = 1e5
#: Largest gap, relative to means above one, between the mean asked for and that reached.
_GAP = 1e-8


class GraphParts(NamedTuple):
    """A graph's vector: biases by vertex, tensors (..., statistics of each member) by clique."""

    biases: dict[str, FloatArray]
    interactions: dict[tuple[str, ...], FloatArray]


@dataclass(frozen=True, init=False)
class Graph(ExponentialFamily):
    """A harmonium graphical model: families on named vertices that interact on cliques (Eq. 8).

    Its density is proportional to the exponential of ``sum_v s_v . theta_v`` and, over the cliques
    C, of ``Theta_C`` met by the statistics of all members, times the vertices' base measures. The
    natural vector is [biases by vertex | tensors by clique, the last member's statistics fastest],
    an observation the vertices' columns side by side. The conditional law of every vertex given
    the rest is in its own family (Eq. 9).

    A graph is a family. Normaliser, expectations and independent draws are exact where vertices
    can be summed out one by one: those of at most 2**25 states in tables; any other given that
    all it meets are such; normals that meet normals by location. Elsewhere asking for them raises
    NotConjugatedError, naming the vertex that stops it.

    Parameters
    ----------
    vertices : mapping of str to ExponentialFamily
        The families by name, in the order of the columns.
    cliques : sequence of Clique or of tuples of str
        Who interacts; a tuple of names is a clique of all their statistics. Cliques within a
        clique are not implied: see :meth:`from_edges` for all of a graph.
    """

    vertices: tuple[tuple[str, ExponentialFamily], ...]
    cliques: tuple[Clique, ...]

    def __init__(
        self,
        vertices: Mapping[str, ExponentialFamily] | Iterable[tuple[str, ExponentialFamily]],
        cliques: Iterable[Clique | Sequence[str]] = (),
    ) -> None:
        pairs = tuple(vertices.items() if isinstance(vertices, Mapping) else vertices)
        if not pairs:
            raise ValueError("vertices: a graph has at least one")
        families: dict[str, ExponentialFamily] = {}
        for name, family in pairs:
            if not isinstance(name, str):
                raise TypeError(f"vertices: names are strings, not {name!r}")
            if not isinstance(family, ExponentialFamily):
                raise TypeError(f"vertices: {name!r} is an exponential family, not {family!r}")
            if name in families:
                raise ValueError(f"vertices: two are called {name!r}")
            families[name] = family
        object.__setattr__(self, "vertices", pairs)
        object.__setattr__(self, "cliques", _checked(cliques, families))
        self._layout  # noqa: B018 - checks which statistics take part

    @classmethod
    def from_edges(
        cls,
        vertices: Mapping[str, ExponentialFamily],
        edges: Iterable[tuple[str, str]],
        largest: int | None = None,
    ) -> "Graph":
        """Return the graph of all cliques of these edges, of at most ``largest`` vertices (§2.3)."""
        bound = None if largest is None else as_count(largest, name="largest", minimum=2)
        return cls(vertices, cliques_of(edges, bound))

    def __repr__(self) -> str:
        shown = ", ".join(f"{name!r}: {family!r}" for name, family in self.vertices)
        cliques = ", ".join(map(repr, self.cliques))
        return f"Graph({{{shown}}}, [{cliques}])"

    def __str__(self) -> str:
        return describe(self._layout, self.cliques)

    # ----------------------------------------------------------------------------- shapes

    @cached_property
    def _layout(self) -> Layout:
        return Layout(self.vertices, self.cliques)

    @cached_property
    def _exact(self) -> Exact:
        return Exact(self._layout, plan_of(self._layout))

    @property
    def names(self) -> tuple[str, ...]:
        """The vertices' names, in the order of the columns."""
        return self._layout.names

    def _number(self, name: object, argument: str = "vertex") -> int:
        if not isinstance(name, str) or name not in self._layout.number:
            shown = ", ".join(map(repr, self.names[:8])) + (" ..." if len(self.names) > 8 else "")
            raise ValueError(f"{argument}: no vertex {name!r}; there are {shown}")
        return self._layout.number[name]

    def _numbers(self, names: Iterable[str], argument: str) -> list[int]:
        """Numbers of different vertices, in the order of the columns."""
        if isinstance(names, str):
            raise TypeError(f"{argument}: a list of names, not {names!r}")
        found = [self._number(name, argument) for name in names]
        if len(set(found)) < len(found):
            raise ValueError(f"{argument}: a vertex comes twice")
        return sorted(found)

    def columns(self, vertex: str) -> slice:
        """Return which columns of an observation are a vertex's."""
        return self._layout.columns[self._number(vertex)]

    def markov_blanket(self, vertex: str) -> tuple[str, ...]:
        """Return the vertices that share a clique with one: given these, no other matters to it."""
        near = self._layout.neighbours(self._number(vertex))
        return tuple(self.names[v] for v in near)

    @property
    def is_exact(self) -> bool:
        """Whether vertices can be summed out: normaliser, expectations and draws are exact."""
        try:
            self._exact  # noqa: B018 - found or refused
        except NotConjugatedError:
            return False
        return True

    @property
    def elimination_order(self) -> tuple[str, ...]:
        """The order in which vertices are summed out; NotConjugatedError naming who stops it."""
        return tuple(self.names[clique.variable] for clique in self._exact.cliques)

    @property
    def dimension(self) -> int:
        """Length of natural and mean vectors."""
        return self._layout.dimension

    @property
    def n_features(self) -> int:
        """Columns of an observation: the sum of the vertices'."""
        return self._layout.n_features

    @property
    def levels(self) -> tuple[int, ...] | None:
        """The vertices', side by side."""
        levels = [family.levels for _, family in self.vertices]
        if any(own is None for own in levels):
            return None
        return tuple(count for own in levels if own is not None for count in own)

    @property
    def location(self) -> Indices:
        """The vertices' location statistics."""
        pairs = zip(self._layout.families, self._layout.biases, strict=True)
        return np.concatenate([family.location + own.start for family, own in pairs])

    @property
    def leading(self) -> ExponentialFamily:
        """The family whose statistic comes first: the first vertex's, as rules see it."""
        return self._layout.families[0].leading

    @property
    def has_marginals(self) -> bool:
        """Whether columns may be missing one by one: where each is a vertex."""
        return all(family.n_features == 1 for _, family in self.vertices)

    def split(self, vector: object) -> GraphParts:
        """Return the parts of natural or mean vectors (..., dimension)."""
        point = self._point(vector, "vector")
        pairs = zip(self.names, self._layout.biases, strict=True)
        biases = {name: point[..., own] for name, own in pairs}
        tensors = {
            clique.members: self._layout.tensor(c, point) for c, clique in enumerate(self.cliques)
        }
        return GraphParts(biases, tensors)

    def join(
        self,
        biases: Mapping[str, object],
        interactions: Mapping[tuple[str, ...], object] | None = None,
    ) -> FloatArray:
        """Return the vector (..., dimension) of biases by vertex and tensors by clique.

        Cliques that are not given do not interact.
        """
        given = {} if interactions is None else dict(interactions)
        own = dict(biases)
        parts = []
        for name, family in self.vertices:
            if name not in own:
                raise ValueError(f"biases: none for vertex {name!r}")
            parts.append(family._point(own.pop(name), f"biases[{name!r}]"))
        for clique, tensor in zip(self.cliques, self._layout.tensors, strict=True):
            value = given.pop(clique.members, np.zeros(tensor.shape))
            entries = as_floats(value, name=f"interactions[{clique.members}]")
            if entries.shape[max(0, entries.ndim - len(tensor.shape)) :] != tensor.shape:
                raise ValueError(
                    f"interactions[{clique.members}]: shape {entries.shape}, expected (..., "
                    f"{', '.join(map(str, tensor.shape))})"
                )
            batch = entries.shape[: entries.ndim - len(tensor.shape)]
            parts.append(entries.reshape(*batch, tensor.entries.stop - tensor.entries.start))
        for rest, what in ((own, "biases: no vertex"), (given, "interactions: no clique")):
            if rest:
                raise ValueError(f"{what} {next(iter(rest))!r}")
        shape = np.broadcast_shapes(*(part.shape[:-1] for part in parts))
        return np.concatenate([np.broadcast_to(p, (*shape, p.shape[-1])) for p in parts], -1)

    # --------------------------------------------------------------- what every graph affords

    def log_unnormalised_density(self, natural: object, x: object) -> FloatArray:
        """Return the log density up to its constant, (n,), in nats: Eq. 8 with the base measure."""
        point = self._point(natural, "natural")
        table = self.check_data(x)
        exponent = np.einsum("...i,...i->...", self._statistic(table), point)
        return np.asarray(exponent + self._log_base_measure(table))

    def conditional(self, natural: object, vertex: str, x: object) -> FloatArray:
        """Return a vertex's natural parameters (n, its dimension) given the rest of rows x (Eq. 9).

        Columns of vertices outside its Markov blanket, and its own, do not matter and may be NaN.
        """
        point = self._one_point(natural)
        v = self._number(vertex)
        table = self.check_data(x, missing=True)
        for i in self._layout.neighbours(v):
            if np.isnan(table[:, self._layout.columns[i]]).any():
                raise ValueError(f"x: missing values of {self.names[i]!r}, which {vertex!r} meets")
        return Reduction(self._layout, [v]).natural(point, table)

    def gibbs(
        self,
        natural: object,
        rng: object = None,
        *,
        chains: int = 4,
        draws: int = 1000,
        burn_in: int = 500,
        thin: int = 1,
        blocks: Sequence[Sequence[str]] | None = None,
        initial: object = None,
        given: object = None,
    ) -> GibbsSample:
        """Return approximate draws by block Gibbs sampling, with what they are worth.

        Every graph will do. The draws are correlated, and biased while the chains have not met:
        look at ``split_ratio``. Where :meth:`sample` works, it is exact.

        Parameters
        ----------
        natural : (dimension,) array
            The model.
        rng : None, int or numpy Generator
            Source of randomness.
        chains, draws, burn_in, thin : int
            How many chains; how many draws each; sweeps before the first; sweeps for each draw.
        blocks : sequence of sequences of str, optional
            Vertices that are drawn together given the rest, exactly; by default one at a time.
            Every vertex is in one block.
        initial : (chains, n_features) array, optional
            Where the chains start; by default drawn from the biases alone.
        given : (n_features,) array, optional
            A row whose known vertices are held; the others, NaN in all their columns, are drawn.

        Raises
        ------
        ValueError
            If a chain leaves the domain: conditionals may exist without a joint law.
        NotConjugatedError
            If the vertices of a block can not be drawn together.
        """
        point = self._one_point(natural)
        groups = [[v] for v in range(len(self.names))]
        if blocks is not None:
            groups = [self._numbers(block, "blocks") for block in blocks]
            if sorted(v for block in groups for v in block) != list(range(len(self.names))):
                raise ValueError("blocks: every vertex is in one block, and in one only")
        row = np.full((1, self.n_features), np.nan)
        if given is not None:
            row = self.check_data(
                np.atleast_2d(as_floats(given, name="given")), "given", missing=True
            )
            if len(row) != 1:
                raise ValueError(f"given: one row ({self.n_features},), not {len(row)}")
        return gibbs_sample(
            gibbs(
                self._layout,
                point,
                as_generator(rng, name="rng"),
                groups=groups,
                row=row[0],
                known=self._known(row),
                start=None if initial is None else self.check_data(initial, "initial"),
                chains=as_count(chains, name="chains", minimum=2),
                draws=as_count(draws, name="draws", minimum=4),
                burn_in=as_count(burn_in, name="burn_in", minimum=0),
                thin=as_count(thin, name="thin"),
            )
        )

    def _one_point(self, natural: object) -> FloatArray:
        point = self._point(natural, "natural")
        if point.ndim != 1:
            raise ValueError(f"natural: one point of shape ({self.dimension},), not {point.shape}")
        return point

    def _known(self, table: FloatArray) -> list[int]:
        """Vertices that are observed, the same in all rows: all of a vertex's columns or none."""
        known = []
        for v, own in enumerate(self._layout.columns):
            missing = np.isnan(table[:, own])
            if not missing.any():
                known.append(v)
            elif not missing.all():
                raise ValueError(
                    f"vertex {self.names[v]!r} is observed in part: all its columns or none"
                )
        return known

    # ------------------------------------------------------------- observed and latent vertices

    def _reduction(self, observed: Iterable[str]) -> Reduction:
        known = set(self._numbers(observed, "observed"))
        rest = [v for v in range(len(self.names)) if v not in known]
        if not rest:
            raise ValueError("observed: all vertices; no latent one is left")
        return Reduction(self._layout, rest)

    def latent(self, observed: Iterable[str]) -> "Graph":
        """Return the graph of the vertices that are not observed: where posteriors lie (Eq. 35)."""
        return _of(self._reduction(observed))

    def posterior(self, natural: object, x: object, observed: Iterable[str]) -> FloatArray:
        """Return natural parameters of :meth:`latent`, (n, ...), given rows of the observed (Eq. 35).

        ``x`` holds the observed vertices' columns, in the graph's order.
        """
        names = list(observed)
        point, table = self._one_point(natural), self._observed_rows(x, names)
        return self._reduction(names).natural(point, table)

    def _observed_rows(self, x: object, observed: list[str]) -> FloatArray:
        """A table of the observed vertices' columns as one of all, NaN where latent."""
        known = self._numbers(observed, "observed")
        at = np.concatenate(
            [np.arange(0), *(np.arange(self.n_features)[self._layout.columns[v]] for v in known)]
        )
        own = as_floats(x, name="x")
        if own.ndim != 2 or own.shape[1] != len(at):
            raise ValueError(
                f"x: shape {own.shape}, expected (n, {len(at)}): the columns of {observed}"
            )
        table = np.full((len(own), self.n_features), np.nan)
        table[:, at] = own
        checked = self.check_data(table, missing=True)
        if np.isnan(checked[:, at]).any():
            raise ValueError("x: missing values; leave their vertices out of `observed`")
        return checked

    def log_observable_density(
        self, natural: object, x: object, observed: Iterable[str]
    ) -> FloatArray:
        """Return log densities (n,), in nats, of rows of the observed vertices alone."""
        names = list(observed)
        point, table = self.check_natural(natural), self._observed_rows(x, names)
        if point.ndim != 1:
            raise ValueError(f"natural: one point of shape ({self.dimension},), not {point.shape}")
        with np.errstate(under="ignore"):
            return self._log_marginal(point, table, self._numbers(names, "observed"))

    def _log_marginal(self, point: FloatArray, table: FloatArray, known: list[int]) -> FloatArray:
        rest = [v for v in range(len(self.names)) if v not in set(known)]
        psi = self._log_partition(point)
        if not rest:
            exponent = self._statistic(table) @ point
            return np.asarray(exponent + self._log_base_measure(table) - psi)
        reduction = Reduction(self._layout, rest)
        own = reduction.constant(point, table)
        return np.asarray(
            own + _of(reduction)._log_partition(reduction.natural(point, table)) - psi
        )

    # ----------------------------------------------------------------------------- the family

    def _statistic(self, x: FloatArray) -> FloatArray:
        own = self._layout.statistics(x)
        products = [
            _products([own[v][:, at] for v, at in zip(t.members, t.chosen, strict=True)])
            for t in self._layout.tensors
        ]
        return np.concatenate([*own, *products], -1)

    def _log_base_measure(self, x: FloatArray) -> FloatArray:
        pairs = zip(self._layout.families, self._layout.columns, strict=True)
        logs = [family._log_base_measure(np.ascontiguousarray(x[:, own])) for family, own in pairs]
        return np.asarray(np.sum(logs, axis=0))

    def _by_blocks(self, natural: FloatArray, tail: tuple[int, ...], work: Any) -> FloatArray:
        """``work`` on (points, dimension), as many at a time as fit."""
        flat = natural.reshape(-1, self.dimension)
        out = np.empty((len(flat), *tail))
        for start in range(0, len(flat), self._exact.block):
            own = slice(start, start + self._exact.block)
            out[own] = self._inside_domain(work, flat[own])
        return out.reshape((*natural.shape[:-1], *tail))

    @staticmethod
    def _inside_domain(work: Any, natural: FloatArray) -> Any:
        try:
            return work(natural)
        except OutsideError as error:
            place = int(np.argmax(error.mask))
            raise ValueError(f"natural: {error.rule}; got {natural[place]}") from None

    def _log_partition(self, natural: FloatArray) -> FloatArray:
        return self._by_blocks(natural, (), lambda own: self._exact.upward(own).log_partition)

    def _to_mean(self, natural: FloatArray) -> FloatArray:
        return self._by_blocks(natural, (self.dimension,), self._exact.mean)

    def _sample(self, natural: FloatArray, rng: np.random.Generator) -> FloatArray:
        few = distinct(natural)
        exact = self._exact
        if few.size == self.dimension:
            n = natural.size // self.dimension
            draws = self._inside_domain(
                lambda own: exact.sample(own, n, rng), few.reshape(1, self.dimension)
            )
            return np.asarray(draws).reshape(*natural.shape[:-1], self.n_features)
        return self._by_blocks(
            natural, (self.n_features,), lambda own: exact.sample(own, len(own), rng)
        )

    def most_probable(self, natural: object) -> FloatArray:
        """Return the observation (n_features,) of largest probability, the first of equals.

        Raises NotConjugatedError naming a vertex with more than 2**25 states, or without end.
        """
        exact = Exact(self._layout, plan_of(self._layout, tables=True))
        return exact.most_probable(self._one_point(natural))

    def marginal(self, natural: object, *vertices: str) -> FloatArray:
        """Return the probabilities (..., states of each) of one or more vertices' states together.

        States are numbered as by the family's ``states``. Raises ValueError for a vertex that is
        not summed out in tables, and for vertices that never meet in one.
        """
        point = self.check_natural(natural)
        numbers = [self._number(vertex, "vertices") for vertex in vertices]
        with np.errstate(under="ignore"):
            shape = self._exact.shape_of(numbers)
            return self._by_blocks(point, shape, lambda own: self._exact.marginal(own, numbers))

    def _to_natural(self, mean: FloatArray) -> FloatArray:
        out = np.empty_like(mean)
        for place in np.ndindex(mean.shape[:-1]):
            out[place] = self._match(mean[place])
            gap = np.abs(self._to_mean(out[place]) - mean[place])
            if not (gap <= _GAP * np.maximum(1.0, np.abs(mean[place]))).all():
                raise BoundaryError(
                    f"mean{list(place) or ''}: no law of the graph has these expectations, or only "
                    "one on the boundary"
                )
        return out

    def _match(self, mean: FloatArray) -> FloatArray:
        """Newton, from independent vertices."""
        start = np.zeros(self.dimension)
        for family, own in zip(self._layout.families, self._layout.biases, strict=True):
            start[own] = family._to_natural(mean[own])

        def oracle(natural: FloatArray) -> tuple[float, FloatArray, FloatArray]:
            if not np.isfinite(natural).all() or self._outside(natural) is not None:
                nothing = np.zeros(self.dimension)
                return np.inf, nothing, np.diag(nothing)
            psi, first = float(self._log_partition(natural)), self._to_mean(natural)
            return psi, first, self._fisher_information(natural)

        return match_mean(oracle, mean, start, largest=_LARGEST)

    def _steps(self, natural: FloatArray) -> FloatArray:
        # as every family's, all coordinates at once
        steps = np.asarray(1e-3 * np.maximum(1.0, np.abs(natural)))
        if self._exact.always_inside:
            return steps
        check_memory(32 * natural.size * self.dimension, "the Fisher information")
        for _ in range(200):
            moved = 32 * steps[..., None] * np.eye(self.dimension)
            near = np.stack([natural[..., None, :] + moved, natural[..., None, :] - moved])
            broken = self._outside(near)
            if broken is None:
                break
            steps /= np.where(np.any(broken[0], 0), 4.0, 1.0)
        return steps

    def _expected_log_base_measure(self, natural: FloatArray) -> FloatArray:
        return self._by_blocks(natural, (), self._exact.expected_log_base_measure)

    def _complete(self, natural: FloatArray, x: FloatArray, observed: Indices) -> Completed:
        table = np.full((len(x), self.n_features), np.nan)
        table[:, observed] = x
        known = self._known(table[:1]) if len(table) else []
        if not known:
            expected = np.repeat(self._to_mean(natural)[None], len(x), 0)
            return Completed(np.zeros(len(x)), expected)
        log_marginal = self._log_marginal(natural, table, known)
        rest = [v for v in range(len(self.names)) if v not in known]
        reduction = Reduction(self._layout, rest)
        latent = _of(reduction)._to_mean(reduction.natural(natural, table))
        return Completed(log_marginal, reduction.expected_statistic(table, latent))

    def _outside(self, natural: FloatArray) -> tuple[Any, str] | None:
        try:
            exact = self._exact
        except NotConjugatedError:
            # checked at use
            return None
        if exact.always_inside:
            return None
        flat = natural.reshape(-1, self.dimension)
        for start in range(0, len(flat), exact.block):
            try:
                exact.upward(flat[start : start + exact.block])
            except OutsideError as error:
                mask = np.zeros(len(flat), dtype=bool)
                mask[start : start + len(error.mask)] = error.mask
                return mask.reshape(natural.shape[:-1]), error.rule
        return None

    def _on_boundary(self, mean: FloatArray) -> tuple[Any, str] | None:
        for name, family, own in zip(
            self.names, self._layout.families, self._layout.biases, strict=True
        ):
            broken = family._on_boundary(mean[..., own])
            if broken is not None:
                return broken[0], f"vertex {name!r}: {broken[1]}"
        return None

    def _prepare(self, natural: FloatArray) -> Prepared:
        return GraphPrepared(self, natural)

    def _inside(self, mean: FloatArray) -> FloatArray:
        return mean

    def _check_support(self, x: FloatArray, name: str) -> None:
        for vertex, family, own in zip(
            self.names, self._layout.families, self._layout.columns, strict=True
        ):
            family._check_support(x[:, own], f"{name}: vertex {vertex!r}")


def _of(reduction: Reduction) -> Graph:
    return Graph(reduction.vertices, reduction.cliques)


def _products(parts: list[FloatArray]) -> FloatArray:
    """Products (n, all combinations) of statistics (n, ...), the last fastest."""
    out = parts[0]
    for part in parts[1:]:
        out = (out[:, :, None] * part[:, None, :]).reshape(len(out), out.shape[1] * part.shape[1])
    return out


def _checked(
    cliques: Iterable[Clique | Sequence[str]], families: Mapping[str, ExponentialFamily]
) -> tuple[Clique, ...]:
    out = []
    seen: set[frozenset[str]] = set()
    for one in cliques:
        if isinstance(one, str):
            raise TypeError(f"cliques: tuples of names, not {one!r}")
        clique = one if isinstance(one, Clique) else Clique(*one)
        for member in clique.members:
            if member not in families:
                raise ValueError(f"cliques: {clique!r}: there is no vertex {member!r}")
        if frozenset(clique.members) in seen:
            raise ValueError(f"cliques: {clique!r} comes twice")
        seen.add(frozenset(clique.members))
        out.append(clique)
    return tuple(out)
