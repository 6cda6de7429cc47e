"""Conjugation rules: for which likelihoods the posterior is an addition, and of what."""

from harmonium.rules.any_pair import AnyPair
from harmonium.rules.base import ConjugationRule
from harmonium.rules.interaction import Block
from harmonium.rules.linear import LinearRule
from harmonium.rules.mixture import MixtureRule
from harmonium.rules.population import PopulationRule
from harmonium.rules.regions import Circle, Grid, Region
from harmonium.rules.views import ViewsRule

__all__ = [
    "AnyPair",
    "Block",
    "Circle",
    "ConjugationRule",
    "Grid",
    "LinearRule",
    "MixtureRule",
    "PopulationRule",
    "Region",
    "ViewsRule",
]
