"""Subspaces by what they tie: graphs of binary units, shared shapes, equal parameters."""

from collections.abc import Iterable, Sequence

import numpy as np

from harmonium.families.base import ExponentialFamily
from harmonium.families.boltzmann import Boltzmann
from harmonium.harmonium import Harmonium
from harmonium.learning.parts import part_of
from harmonium.learning.subspace import Subspace
from harmonium.validation import as_count


def tied(family: ExponentialFamily, *groups: Sequence[int]) -> Subspace:
    """Return the points of a family whose natural parameters are equal within each group.

    Groups are places in the natural vector, each place in one group at most; what is in none
    is free on its own. Free parameters are in the order in which their first places come.

    Raises
    ------
    ValueError
        For places that there are not, and for one in two groups.
    """
    label = np.arange(family.dimension)
    seen: set[int] = set()
    for group in groups:
        places = [as_count(place, name="groups", minimum=0) for place in group]
        for place in places:
            if place >= family.dimension:
                raise ValueError(
                    f"groups: place {place}, but {family!r} has {family.dimension} parameters"
                )
            if place in seen:
                raise ValueError(f"groups: place {place} is in more than one")
            seen.add(place)
        if places:
            label[places] = min(places)
    first = np.unique(label)
    return Subspace(family, (label[None, :] == first[:, None]).astype(float))


def absent(family: ExponentialFamily, places: Iterable[int]) -> Subspace:
    """Return the points of a family whose natural parameters are zero in these places."""
    zero = np.zeros(family.dimension, dtype=bool)
    for place in places:
        number = as_count(place, name="places", minimum=0)
        if number >= family.dimension:
            raise ValueError(f"places: {number}, but {family!r} has {family.dimension} parameters")
        zero[number] = True
    return Subspace(family, np.eye(family.dimension)[~zero])


def on_graph(family: ExponentialFamily, edges: Iterable[tuple[int, int]]) -> Subspace:
    """Return the points whose binary units are coupled along these edges only.

    ``family`` is a dense Boltzmann, or a harmonium whose leading statistic is one's. As a subspace
    of a model's latent it restricts the prior; :meth:`Subspace.within` restricts the bias.

    Raises
    ------
    ValueError
        For a family without a dense Boltzmann in front, and for edges that are none.
    """
    leading = family.leading
    if not isinstance(leading, Boltzmann) or leading.edges is not None:
        raise ValueError(f"family: a dense Boltzmann or a harmonium on one; got {family!r}")
    kept = set(zip(*Boltzmann(leading.n, tuple(edges))._pairs, strict=True))
    pairs = enumerate(zip(*leading._pairs, strict=True))
    return absent(family, [leading.n + k for k, pair in pairs if pair not in kept])


def ring(n: int) -> tuple[tuple[int, int], ...]:
    """Return the edges of ``n`` units in a circle."""
    count = as_count(n, name="n")
    return tuple(
        sorted({(max(i, j), min(i, j)) for i in range(count) if (j := (i + 1) % count) != i})
    )


def lattice(rows: int, columns: int) -> tuple[tuple[int, int], ...]:
    """Return the edges of units on a grid, numbered row by row, each with its nearest neighbours."""
    units = np.arange(as_count(rows, name="rows") * as_count(columns, name="columns"))
    grid = units.reshape(rows, columns)
    across = zip(grid[:, 1:].ravel(), grid[:, :-1].ravel(), strict=True)
    down = zip(grid[1:].ravel(), grid[:-1].ravel(), strict=True)
    return tuple((int(i), int(j)) for i, j in (*across, *down))


def shared_shape(model: Harmonium) -> Subspace:
    """Return the points of a mixture whose categories move location statistics only.

    The same models as ``Mixture(..., shared="shape")``: of normals, one covariance for all.
    """
    if not isinstance(model, Harmonium):
        raise TypeError(f"model: a harmonium, not {model!r}")
    shape = part_of(model, "shape").entries
    return absent(model, shape[shape >= model.observable.dimension].tolist())
