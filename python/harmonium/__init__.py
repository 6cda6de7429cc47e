"""Latent variable models whose inference and learning are exact."""

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
from harmonium.models import LinearGaussian, Mixture
from harmonium.sequences import HiddenMarkovModel, LinearStateSpace

__version__ = "0.1.0"

__all__ = [
    "Bernoulli",
    "Beta",
    "Binomial",
    "Boltzmann",
    "Categorical",
    "CoMPoisson",
    "Dirichlet",
    "Exponential",
    "ExponentialFamily",
    "Gamma",
    "Geometric",
    "Harmonium",
    "HiddenMarkovModel",
    "InverseGaussian",
    "LinearGaussian",
    "LinearStateSpace",
    "Mixture",
    "NegativeBinomial",
    "Normal",
    "NormalWishart",
    "Poisson",
    "Product",
    "VonMises",
    "VonMisesFisher",
    "Wishart",
    "get_threads",
    "set_threads",
]
