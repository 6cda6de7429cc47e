"""Cliques: vertices that interact, by which of their statistics (Eq. 8)."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from harmonium.families.base import ExponentialFamily, Indices
from harmonium.validation import as_count

#: Which statistics of a vertex take part: by their numbers, those that place it, or all.
Choice = tuple[int, ...] | Literal["location"] | None


@dataclass(frozen=True, init=False)
class Clique:
    """Vertices that interact: a tensor over the product of their statistics (Eq. 8).

    Parameters
    ----------
    *members : str
        Names of at least two different vertices.
    statistics : {None, "location"} or mapping
        Which statistics of the members take part: all, or those that place an observation; a
        mapping says it by member, as one of these or as the statistics' numbers, all where it is
        silent.
    """

    members: tuple[str, ...]
    statistics: tuple[Choice, ...]

    def __init__(self, *members: str, statistics: object = None) -> None:
        if len(members) < 2 or len(set(members)) < len(members):
            raise ValueError(f"members: at least two different vertices; got {members}")
        for member in members:
            if not isinstance(member, str):
                raise TypeError(f"members: names of vertices, not {member!r}")
        if isinstance(statistics, Mapping):
            unknown = [name for name in statistics if name not in members]
            if unknown:
                raise ValueError(f"statistics: {unknown[0]!r} is none of the members {members}")
            chosen = [_choice(statistics.get(member), member) for member in members]
        elif statistics is None or isinstance(statistics, str):
            chosen = [_choice(statistics, "all members")] * len(members)
        else:
            raise TypeError(f'statistics: None, "location" or a mapping; got {statistics!r}')
        object.__setattr__(self, "members", members)
        object.__setattr__(self, "statistics", tuple(chosen))

    def __repr__(self) -> str:
        names = ", ".join(map(repr, self.members))
        if set(self.statistics) == {None}:
            return f"Clique({names})"
        if set(self.statistics) == {"location"}:
            return f"Clique({names}, statistics='location')"
        pairs = zip(self.members, self.statistics, strict=True)
        return f"Clique({names}, statistics={ {m: c for m, c in pairs if c is not None} })"

    def choice(self, member: str) -> Choice:
        """Return which statistics of a member take part, as it was stated."""
        return self.statistics[self.members.index(member)]


def _choice(chosen: object, member: str) -> Choice:
    if chosen is None or chosen == "location":
        return chosen
    if isinstance(chosen, str) or not isinstance(chosen, Iterable):
        raise ValueError(
            f'statistics: of {member}: numbers of statistics, "location" or None; got {chosen!r}'
        )
    numbers = sorted(as_count(one, name="statistics", minimum=0) for one in chosen)
    if not numbers or len(set(numbers)) < len(numbers):
        raise ValueError(
            f"statistics: of {member}: different numbers, at least one; got {chosen!r}"
        )
    return tuple(numbers)


def chosen_statistics(family: ExponentialFamily, choice: Choice) -> Indices:
    """Return the numbers of the statistics of a family that a choice names."""
    if choice is None:
        return np.arange(family.dimension)
    if choice == "location":
        # what rules see of a harmonium stands first
        return family.leading.location
    if choice[-1] >= family.dimension:
        raise ValueError(
            f"statistics: {choice[-1]}, but {family!r} has {family.dimension}, numbered from 0"
        )
    return np.array(choice, dtype=np.intp)


def cliques_of(edges: Iterable[tuple[str, str]], largest: int | None = None) -> Iterator[Clique]:
    """Yield every clique of the graph with these edges, not only maximal ones (§2.3), all statistics.

    Smaller ones first; ``largest`` bounds their order. A complete graph of n vertices has 2**n
    of them.
    """
    linked: dict[str, set[str]] = {}
    for a, b in edges:
        if a == b:
            raise ValueError(f"edges: {a!r} is joined to itself")
        linked.setdefault(a, set()).add(b)
        linked.setdefault(b, set()).add(a)
    place = {name: k for k, name in enumerate(linked)}
    after = {name: {o for o in near if place[o] > place[name]} for name, near in linked.items()}
    # each with the later vertices that are linked to all its members
    found: list[tuple[tuple[str, ...], list[str]]]
    found = [((name,), sorted(after[name], key=place.__getitem__)) for name in linked]
    order = 1
    while found and (largest is None or order < largest):
        found = [
            ((*members, name), [other for other in common if other in after[name]])
            for members, common in found
            for name in common
        ]
        yield from (Clique(*members) for members, _ in found)
        order += 1
