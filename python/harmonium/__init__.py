"""Latent variable models whose inference and learning are exact."""

from harmonium.conjugate_prior import ConjugatePrior
from harmonium.expectation import get_threads, set_threads
from harmonium.families import (
    Bernoulli,
    Beta,
    Binomial,
    Boltzmann,
    Categorical,
    CoMPoisson,
    Dirichlet,
    Exponential,
    ExponentialFamily,
    Gamma,
    Geometric,
    InverseGaussian,
    NegativeBinomial,
    Normal,
    NormalWishart,
    Poisson,
    Product,
    VonMises,
    VonMisesFisher,
    Wishart,
)
from harmonium.harmonium import Harmonium
from harmonium.models import LinearGaussian, Mixture, PopulationCode, Views
from harmonium.rules import Circle, Grid
from harmonium.sequences import HiddenMarkovModel
from harmonium.tractability import tractability

__version__ = "0.1.0"

__all__ = [
    "Bernoulli",
    "Beta",
    "Binomial",
    "Boltzmann",
    "Categorical",
    "Circle",
    "CoMPoisson",
    "ConjugatePrior",
    "Dirichlet",
    "Exponential",
    "ExponentialFamily",
    "Gamma",
    "Geometric",
    "Grid",
    "Harmonium",
    "HiddenMarkovModel",
    "InverseGaussian",
    "LinearGaussian",
    "Mixture",
    "NegativeBinomial",
    "Normal",
    "NormalWishart",
    "Poisson",
    "PopulationCode",
    "Product",
    "Views",
    "VonMises",
    "VonMisesFisher",
    "Wishart",
    "get_threads",
    "set_threads",
    "tractability",
]
