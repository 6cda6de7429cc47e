"""A graph as a harmonium: observed vertices, latent ones, and the boundary between (§3.4.2)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from harmonium.families.base import ExponentialFamily, Indices
from harmonium.families.categorical import Categorical
from harmonium.families.normal import Normal
from harmonium.families.product import Product
from harmonium.graphs.graph import Graph
from harmonium.graphs.layout import Layout
from harmonium.graphs.reduction import Reduction
from harmonium.harmonium import Harmonium
from harmonium.rules.any_pair import AnyPair
from harmonium.rules.base import ConjugationRule
from harmonium.rules.interaction import Block
from harmonium.rules.linear import LinearRule
from harmonium.rules.mixture import MixtureRule
from harmonium.rules.views import ViewsRule
from harmonium.validation import FloatArray

#: Harmoniums are not nested deeper than this: a graph takes over, which may be of any depth.
_MOST_LAYERS = 20


class Boundary(NamedTuple):
    """Where observed and latent vertices touch (Eq. 32), and the cliques that hold both kinds.

    Only ``latent`` vertices can bear conjugation parameters (Theorem 18).
    """

    observed: tuple[str, ...]
    latent: tuple[str, ...]
    cliques: tuple[tuple[str, ...], ...]


class GraphConjugation(NamedTuple):
    """Conjugation parameters by clique of the boundary's latent vertices, and how well they fit.

    ``rho`` has biases under (name,) and tensors under the clique's members; ``residual`` is the
    largest error, in nats, of Eq. 36 over the latents tried: zero to rounding where the observed
    vertices conjugate.
    """

    rho: dict[tuple[str, ...], FloatArray]
    chi: float
    residual: float


def boundary(graph: Graph, observed: Sequence[str]) -> Boundary:
    """Return where the observed vertices touch the others (Eq. 32)."""
    known, _ = _sides(graph, observed)
    held = set(known)
    mixed = [
        tensor.members
        for tensor in graph._layout.tensors
        if 0 < len(held.intersection(tensor.members)) < len(tensor.members)
    ]
    touched = {v for members in mixed for v in members}
    names = graph.names
    return Boundary(
        tuple(names[v] for v in sorted(touched & held)),
        tuple(names[v] for v in sorted(touched - held)),
        tuple(tuple(names[v] for v in members) for members in mixed),
    )


def conjugation(
    graph: Graph, natural: object, observed: Sequence[str], z: object = None
) -> GraphConjugation:
    """Return rho and chi of Eq. 36, by least squares, and the largest error that they leave.

    ``z`` are rows (n, columns of the boundary's latent vertices, in the graph's order) at which to
    ask; by default all their states. Raises ValueError where there is no end of these and none
    are given, and NotConjugatedError where the observed vertices can not be summed out.
    """
    point = graph._one_point(natural)
    touching = boundary(graph, observed)
    if not touching.latent:
        raise ValueError("observed: no clique holds both an observed and a latent vertex")
    known, _ = _sides(graph, observed)
    latent = _within(graph, [graph._number(name) for name in touching.latent], known)
    if z is None and latent.n_states is None:
        raise ValueError(
            "z: the boundary's latent vertices have no end of states; give rows of them"
        )
    rows = latent.states() if z is None else latent.check_data(z, "z")
    at = [np.arange(graph.n_features)[graph.columns(name)] for name in touching.latent]
    table = np.zeros((len(rows), graph.n_features))
    table[:, np.concatenate(at)] = rows
    likelihood = Reduction(graph._layout, known)
    psi = Graph(likelihood.vertices, likelihood.cliques).log_partition(
        likelihood.natural(point, table)
    )
    design = np.column_stack([np.ones(len(rows)), latent._statistic(rows)])
    found, _, _, _ = np.linalg.lstsq(design, psi)
    parts = latent.split(found[1:])
    rho = {(name,): bias for name, bias in parts.biases.items()} | parts.interactions
    return GraphConjugation(rho, float(found[0]), float(np.abs(design @ found - psi).max()))


def _within(graph: Graph, vertices: Sequence[int], known: Sequence[int]) -> Graph:
    """The graph of some latent vertices alone: of what all latent ones have, the cliques inside."""
    held = set(known)
    reduced = Reduction(graph._layout, [v for v in range(len(graph.names)) if v not in held])
    names = {graph.names[v] for v in vertices}
    return Graph(
        [(name, family) for name, family in graph.vertices if name in names],
        [clique for clique in reduced.cliques if names.issuperset(clique.members)],
    )


def _sides(graph: Graph, observed: Sequence[str]) -> tuple[list[int], list[int]]:
    known = graph._numbers(observed, "observed")
    rest = [v for v in range(len(graph.names)) if v not in set(known)]
    if not known or not rest:
        raise ValueError("observed: some vertices, not all")
    return known, rest


@dataclass(frozen=True)
class Split:
    """A graph as a harmonium, and the way between their vectors.

    ``columns`` says where the harmonium's columns stand in the graph's observations; what the
    graph has no entry for is zero in the harmonium's vectors.
    """

    graph: Graph
    harmonium: Harmonium
    columns: tuple[int, ...]
    _places: tuple[int, ...]

    def to_harmonium(self, natural: object) -> FloatArray:
        """Return the harmonium's natural vectors of the graph's, (..., dimension)."""
        point = self.graph._point(natural, "natural")
        places = np.array(self._places, dtype=np.intp)
        out = np.zeros((*point.shape[:-1], len(places)))
        out[..., places >= 0] = point[..., places[places >= 0]]
        return out

    def to_graph(self, natural: object) -> FloatArray:
        """Return the graph's natural vectors of the harmonium's, (..., dimension).

        Raises ValueError where an entry is not zero for which the graph has no clique.
        """
        point = self.harmonium._point(natural, "natural")
        places = np.array(self._places, dtype=np.intp)
        stray = (point != 0).reshape(-1, len(places)).any(0) & (places < 0)
        if stray.any():
            first = int(np.flatnonzero(stray)[0])
            raise ValueError(
                f"natural: entry {first} is not zero, but the graph has no clique for it"
            )
        return self._picked(point)

    def mean_to_graph(self, mean: object) -> FloatArray:
        """Return the graph's mean vectors of the harmonium's, (..., dimension): those it has."""
        return self._picked(self.harmonium._point(mean, "mean"))

    def _picked(self, vector: FloatArray) -> FloatArray:
        places = np.array(self._places, dtype=np.intp)
        out = np.empty((*vector.shape[:-1], self.graph.dimension))
        out[..., places[places >= 0]] = vector[..., places >= 0]
        return out


class _Side(NamedTuple):
    """A family, where its entries stand in the graph's vector (-1: nowhere), and its vertices."""

    family: ExponentialFamily
    places: Indices
    vertices: tuple[int, ...]


def split(graph: Graph, observed: Sequence[str]) -> Split:
    """Return a graph as the harmonium of observed and latent vertices (Eq. 33).

    By the rules of mixtures and of linear Gaussian models where these apply, layer by layer, or on
    the graph of the latent vertices: then it is conjugated. Else by
    :class:`~harmonium.rules.AnyPair`, the statistics of the boundary meeting each other.
    """
    known, rest = _sides(graph, observed)
    if not boundary(graph, observed).cliques:
        raise ValueError("observed: no clique holds both an observed and a latent vertex")
    side = _layers(graph._layout, known, rest)
    side = _on_one(graph, known, rest) if side is None else side
    side = _any(graph._layout, known, rest) if side is None else side
    columns = [np.arange(graph.n_features)[graph._layout.columns[v]] for v in side.vertices]
    assert isinstance(side.family, Harmonium)
    return Split(
        graph,
        side.family,
        tuple(np.concatenate(columns).tolist()),
        tuple(side.places.tolist()),
    )


def _layers(layout: Layout, known: list[int], rest: list[int]) -> _Side | None:
    """The harmonium by rules, or None: observed vertices on one latent vertex, that on the next, ..."""
    layers = [known]
    left = set(rest)
    while left:
        touched = _touched(layout, layers[-1], left)
        if len(touched) != 1 or len(layers) > _MOST_LAYERS:
            return None
        layers.append(touched)
        left -= set(touched)
    side = _side_of(layout, layers.pop())
    while layers:
        joined = _by_rule(layout, _side_of(layout, layers.pop()), side)
        if joined is None:
            return None
        side = joined
    return side


def _touched(layout: Layout, vertices: Sequence[int], others: set[int]) -> list[int]:
    """Which of the others share a clique with one of some vertices."""
    return sorted({i for v in vertices for i in layout.neighbours(v)} & others)


def _on_one(graph: Graph, known: list[int], rest: list[int]) -> _Side | None:
    """The harmonium by rules on a graph, of which the observed vertices touch one vertex alone."""
    touched = _touched(graph._layout, known, set(rest))
    if len(touched) != 1:
        return None
    # rules see what comes first
    order = [*touched, *(v for v in range(len(graph.names)) if v not in touched)]
    turned = Graph([graph.vertices[v] for v in order], graph.cliques)
    layout, place = turned._layout, {v: k for k, v in enumerate(order)}
    latent = _side_of(layout, [place[v] for v in rest])
    if isinstance(latent.family, Graph) and not latent.family.is_exact:
        return None
    side = _by_rule(layout, _side_of(layout, [place[v] for v in known]), latent)
    if side is None:
        return None
    own = graph._layout
    entries = np.concatenate(
        [
            *(np.arange(own.dimension)[own.biases[v]] for v in order),
            np.arange(own.biases[-1].stop, own.dimension),
        ]
    )
    places = np.where(side.places < 0, -1, entries[side.places])
    return _Side(side.family, places, tuple(order[k] for k in side.vertices))


def _by_rule(layout: Layout, observable: _Side, latent: _Side) -> _Side | None:
    rule = _rule(observable.family, latent.family)
    return None if rule is None else _joined(layout, observable, latent, rule)


def _rule(observable: ExponentialFamily, latent: ExponentialFamily) -> ConjugationRule | None:
    if isinstance(latent, Categorical):
        return MixtureRule()
    if not latent.leading.holds_products:
        return None
    if isinstance(observable, Normal):
        return LinearRule()
    if isinstance(observable, Product) and all(isinstance(p, Normal) for p in observable.parts):
        return ViewsRule([LinearRule() for _ in observable.parts])
    return None


def _any(layout: Layout, known: list[int], rest: list[int]) -> _Side:
    """The harmonium of whatever meets at the boundary."""
    observable, latent = _side_of(layout, known), _side_of(layout, rest)
    entries = _crossing(layout, observable, latent)
    rows = np.unique([row for row, _, _ in entries])
    columns = np.unique([column for _, column, _ in entries])
    rule = AnyPair(tuple(rows.tolist()), tuple(columns.tolist()))
    joined = _joined(layout, observable, latent, rule)
    assert joined is not None
    return joined


def _side_of(layout: Layout, vertices: Sequence[int]) -> _Side:
    """Some vertices as one family, with the cliques that all cliques leave them."""
    reduction = Reduction(layout, vertices)
    order = tuple(reduction.free)
    places = np.full(reduction.inner.dimension, -1, dtype=np.intp)
    for v, own in zip(order, reduction.inner.biases, strict=True):
        places[own] = np.arange(layout.dimension)[layout.biases[v]]
    for c, kept in reduction.met:
        if len(kept) == len(layout.tensors[c].members):
            places[reduction.entries(c, kept)] = layout.numbers(c, kept)
    return _Side(_family(reduction), places, order)


def _family(reduction: Reduction) -> ExponentialFamily:
    families = [family for _, family in reduction.vertices]
    if len(families) == 1:
        return families[0]
    if not reduction.cliques and all(f.n_observed == f.n_features for f in families):
        return Product(*families)
    return Graph(reduction.vertices, reduction.cliques)


def _crossing(layout: Layout, observable: _Side, latent: _Side) -> list[tuple[int, int, int]]:
    """Entries of the cliques with vertices of both: row, column, place in the graph's vector."""
    out: list[tuple[int, int, int]] = []
    x, z = Reduction(layout, observable.vertices), Reduction(layout, _first(latent))
    kept_of_z = dict(z.met)
    for c, kept in x.met:
        left = kept_of_z.get(c)
        if left is None:
            continue
        rows, columns = x.entries(c, kept).ravel(), z.entries(c, left).ravel()
        places = layout.numbers(c, (*kept, *left)).reshape(len(rows), len(columns))
        out += [
            (int(row), int(column), int(places[i, j]))
            for i, row in enumerate(rows)
            for j, column in enumerate(columns)
        ]
    return out


def _first(latent: _Side) -> tuple[int, ...]:
    """The vertices that a layer above meets: of a harmonium, those that come first."""
    if isinstance(latent.family, Harmonium) and len(latent.vertices) > 1:
        return latent.vertices[:1]
    return latent.vertices


def _joined(
    layout: Layout, observable: _Side, latent: _Side, rule: ConjugationRule
) -> _Side | None:
    """Two sides and what meets between them; None where the rule has no place for some of that."""
    model = Harmonium(observable.family, latent.family, rule)
    entries = _crossing(layout, observable, latent)
    matrix = np.full((observable.family.dimension, latent.family.dimension), -1, dtype=np.intp)
    rows, columns = (np.concatenate(own) for own in zip(*map(_grid, model.blocks), strict=True))
    matrix[rows, columns] = np.arange(len(rows))
    places = np.full(len(rows), -1, dtype=np.intp)
    for row, column, place in entries:
        if matrix[row, column] < 0:
            return None
        places[matrix[row, column]] = place
    return _Side(
        model,
        np.concatenate([observable.places, latent.places, places]),
        (*observable.vertices, *latent.vertices),
    )


def _grid(block: Block) -> tuple[Indices, Indices]:
    rows, columns = np.meshgrid(block.rows, block.columns, indexing="ij")
    return rows.ravel(), columns.ravel()
