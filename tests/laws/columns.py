"""What kinds of numbers the columns of a family's data hold."""

from functools import singledispatch
from typing import Literal

from harmonium import Categorical, CoMPoisson, Harmonium, Poisson, Product
from harmonium.families import (
    Bernoulli,
    Beta,
    Binomial,
    Boltzmann,
    Dirichlet,
    ExponentialFamily,
    Geometric,
    NegativeBinomial,
    VonMises,
    VonMisesFisher,
)

#: Numbers that cannot lie far out, counts, and numbers that may be anything far out.
Kind = Literal["bounded", "count", "free"]


@singledispatch
def kinds(family: ExponentialFamily) -> list[Kind]:
    """Return the kind of each column of data."""
    return ["free"] * family.n_features


@kinds.register(Bernoulli)
@kinds.register(Beta)
@kinds.register(Binomial)
@kinds.register(Boltzmann)
@kinds.register(Categorical)
@kinds.register(Dirichlet)
@kinds.register(VonMises)
@kinds.register(VonMisesFisher)
def _(family: ExponentialFamily) -> list[Kind]:
    return ["bounded"] * family.n_features


@kinds.register(CoMPoisson)
@kinds.register(Geometric)
@kinds.register(NegativeBinomial)
@kinds.register(Poisson)
def _(family: ExponentialFamily) -> list[Kind]:
    return ["count"] * family.n_features


@kinds.register
def _(family: Product) -> list[Kind]:
    return [kind for part in family.parts for kind in kinds(part)]


@kinds.register
def _(family: Harmonium) -> list[Kind]:
    return kinds(family.observable)
