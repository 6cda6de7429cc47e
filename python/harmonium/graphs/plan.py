"""In which order the vertices of a graph are summed out, or which of them stops it.

Finite vertices are axes of tables. Vertices without end of states go first, while their finite
neighbours stand by: by their own log-partition function at each state of these, and normals that
meet other normals by location as linear Gaussian models do, whatever is left being quadratic
(Theorems 12 and 13; Lauritzen and Wermuth, 1989, on the order).
"""

import math
from collections import defaultdict
from collections.abc import Iterable
from enum import IntEnum
from typing import NamedTuple, NoReturn

import numpy as np

from harmonium.errors import NotConjugatedError
from harmonium.families.normal import Normal
from harmonium.graphs.layout import Layout
from harmonium.numerics.elimination import Elimination, eliminate
from harmonium.rules.pair import MAX_STATES

#: A finite vertex with more states is left to its own log-partition function where it can be.
_FEW_STATES = 1 << 8


class Kind(IntEnum):
    """How a vertex is summed out; also the order of kinds."""

    NORMAL = 0
    WHOLE = 1
    TABLE = 2


class Plan(NamedTuple):
    """Kinds of the vertices and the order in which they are summed out."""

    kinds: tuple[Kind, ...]
    elimination: Elimination


def plan_of(layout: Layout, *, tables: bool = False) -> Plan:
    """Return the plan of a graph; NotConjugatedError naming the vertex that stops every one.

    With ``tables`` every vertex must be an axis of tables, as the most probable state asks for.
    """
    kinds = _kinds(layout, tables)
    levels = []
    for family, kind in zip(layout.families, kinds, strict=True):
        if kind is Kind.TABLE:
            assert family.n_states is not None
            levels.append(family.n_states)
        else:
            levels.append(1 + family.n_features)
    plan = Plan(tuple(kinds), eliminate(len(kinds), layout.edges, levels, kinds))
    for clique in plan.elimination.cliques:
        axes = [v for v in (clique.variable, *clique.separator) if kinds[v] is Kind.TABLE]
        entries = math.prod(levels[v] for v in axes)
        if entries > MAX_STATES:
            _stop(
                layout,
                clique.variable,
                f"in the best order found, summing it out takes a table of {_words(entries)} "
                f"entries, over {_listed(layout, axes)}; at most 2**25 are summed over",
            )
    return plan


def _kinds(layout: Layout, tables: bool) -> list[Kind]:
    kinds = []
    for v, family in enumerate(layout.families):
        states = family.n_states
        if states is not None and states <= MAX_STATES:
            kinds.append(Kind.TABLE)
        elif tables:
            words = "no end of" if states is None else _words(states)
            _stop(layout, v, f"it has {words} states, at most 2**25 are compared")
        else:
            kinds.append(Kind.NORMAL if isinstance(family, Normal) else Kind.WHOLE)
    if not tables:
        _relieve(layout, kinds)
    _check_components(layout, kinds)
    return kinds


def _relieve(layout: Layout, kinds: list[Kind]) -> None:
    """Leave large finite vertices to themselves where all they meet are tables."""
    large = []
    for v, family in enumerate(layout.families):
        states = family.n_states
        if kinds[v] is Kind.TABLE and states is not None and states > _FEW_STATES:
            large.append((-states, v))
    for _, v in sorted(large):
        if all(kinds[i] is Kind.TABLE for i in layout.neighbours(v)):
            kinds[v] = Kind.WHOLE


def _check_components(layout: Layout, kinds: list[Kind]) -> None:
    """NotConjugatedError unless vertices that are no tables meet as in linear Gaussian models."""
    links: dict[int, set[int]] = defaultdict(set)
    for tensor in layout.tensors:
        met = [v for v in tensor.members if kinds[v] is not Kind.TABLE]
        if len(met) < 2:
            continue
        words = _listed(layout, tensor.members)
        if len(met) > 2:
            _stop(layout, met[0], f"{_listed(layout, met)} meet in one clique, {words}")
        for v, own in zip(tensor.members, tensor.chosen, strict=True):
            if v in met:
                leading = layout.families[v].leading
                if kinds[v] is Kind.WHOLE and not leading.holds_products:
                    other = met[0] if v == met[1] else met[1]
                    why = "neither has few enough states to be summed over, nor are both normal"
                    if kinds[other] is Kind.NORMAL:
                        why = "its statistic does not hold every product of its location"
                    _stop(layout, v, f"it meets {layout.names[other]!r}, and {why}")
                if not np.isin(own, np.arange(leading.n_features)).all():
                    _stop(
                        layout,
                        v,
                        f"in the clique {words} it takes part by more than its location; say "
                        "Clique(..., statistics='location')",
                    )
        links[met[0]].add(met[1])
        links[met[1]].add(met[0])
    seen: set[int] = set()
    for start in links:
        if start in seen:
            continue
        component, rim = [], [start]
        seen.add(start)
        while rim:
            v = rim.pop()
            component.append(v)
            rim += [i for i in links[v] if i not in seen]
            seen |= links[v]
        whole = sorted(v for v in component if kinds[v] is not Kind.NORMAL)
        if len(whole) > 1:
            _stop(
                layout,
                whole[1],
                f"it and {layout.names[whole[0]]!r} are linked through vertices that are no "
                "tables; of such there may be one that is not a Normal",
            )


def _stop(layout: Layout, vertex: int, why: str) -> NoReturn:
    raise NotConjugatedError(
        f"vertex {layout.names[vertex]!r}, {layout.families[vertex]!r}, stops exact inference: "
        f"{why}. `gibbs`, `conditional` and `log_unnormalised_density` need none; observing "
        "vertices (`posterior`) may leave a graph that can be summed"
    )


def _listed(layout: Layout, vertices: Iterable[int]) -> str:
    names = [layout.names[v] for v in vertices]
    shown = ", ".join(map(repr, names[:6]))
    return shown if len(names) <= 6 else f"{shown} and {len(names) - 6} more"


def _words(n: int) -> str:
    return f"{n:,}" if n < 10**6 else f"about 2**{n.bit_length() - 1}"
