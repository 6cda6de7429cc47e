"""Exponential families: stateless, hashable, each a small class."""

from harmonium.families.base import Completed, ExponentialFamily
from harmonium.families.boltzmann import Boltzmann
from harmonium.families.categorical import Categorical
from harmonium.families.normal import Normal
from harmonium.families.poisson import Poisson
from harmonium.families.von_mises import VonMises

__all__ = [
    "Boltzmann",
    "Categorical",
    "Completed",
    "ExponentialFamily",
    "Normal",
    "Poisson",
    "VonMises",
]
