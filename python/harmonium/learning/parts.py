"""Parts of a model by name: which entries of its parameter vector they are."""

from typing import NamedTuple

import numpy as np

from harmonium.families.base import ExponentialFamily, Indices
from harmonium.harmonium import Harmonium

#: Parts whose parameters change their meaning when data are shifted: all but those of a prior.
_MOVED_BY_UNITS = ("latent", "location")


class Part(NamedTuple):
    """Entries of a vector, and whether the latent's are of the prior (None: there are none)."""

    entries: Indices
    of_prior: bool | None


def part_of(family: ExponentialFamily, name: str, argument: str = "fix") -> Part:
    """Return the entries of the part ``name``.

    Of a harmonium: "observable" (theta_X), "interaction" (Theta), "likelihood" (both), "latent"
    (the bias theta_Z), "prior" (theta_Z + rho); of these and of a family "location" and "shape",
    the statistics that place an observation or do not. Parts of parts are named with dots, as
    "observable.shape" or "prior.likelihood" of a latent that is a harmonium.

    Raises
    ------
    ValueError
        For a name that the family does not have, saying which it has.
    TypeError
        For whatever is no string.
    """
    if not isinstance(name, str):
        raise TypeError(f"{argument}: names of parts, not {name!r}")
    head, _, rest = name.partition(".")
    if not isinstance(family, Harmonium):
        if name in ("location", "shape"):
            return Part(family.location if name == "location" else family.shape, None)
        raise ValueError(f'{argument}: {family!r} has "location" and "shape"; got {name!r}')
    a = family.observable.dimension
    b = a + family.latent.dimension
    if head == "observable" and rest:
        inner = part_of(family.observable, rest, argument)
        if inner.of_prior:
            raise ValueError(f"{argument}: {name!r} is no linear part of {family!r}")
        return Part(inner.entries, None)
    if head in ("latent", "prior"):
        own = np.arange(b - a)
        if rest:
            inner = part_of(family.latent, rest, argument)
            if inner.of_prior:
                raise ValueError(
                    f"{argument}: {name!r} is no linear part of {family!r}; fix its likelihood or "
                    "its bias"
                )
            own = inner.entries
        return Part(a + own, head == "prior")
    if rest:
        raise ValueError(f"{argument}: {head!r} has no parts of its own; got {name!r}")
    interaction = np.arange(b, family.dimension)
    if head == "observable":
        return Part(np.arange(a), None)
    if head == "interaction":
        return Part(interaction, None)
    if head == "likelihood":
        return Part(np.concatenate([np.arange(a), interaction]), None)
    if head in ("location", "shape"):
        own = family.observable.location if head == "location" else family.observable.shape
        met = np.isin(family._rows[family._entries()[0]], own)
        return Part(np.concatenate([own, interaction[met]]), None)
    raise ValueError(
        f'{argument}: parts of a model are "likelihood", "observable", "interaction", "prior", '
        f'"latent", "location" and "shape"; got {name!r}'
    )


def is_moved_by_units(name: str) -> bool:
    """Whether holding this part means something else once data are shifted and scaled."""
    return not name.startswith("prior") and any(n in _MOVED_BY_UNITS for n in name.split("."))
