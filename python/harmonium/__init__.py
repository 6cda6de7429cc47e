"""Latent variable models whose inference and learning are exact."""

from harmonium.expectation import get_threads, set_threads
from harmonium.families import Boltzmann, Categorical, ExponentialFamily, Normal, Poisson, VonMises
from harmonium.harmonium import Harmonium
from harmonium.models import LinearGaussian, Mixture

__version__ = "0.1.0"

__all__ = [
    "Boltzmann",
    "Categorical",
    "ExponentialFamily",
    "Harmonium",
    "LinearGaussian",
    "Mixture",
    "Normal",
    "Poisson",
    "VonMises",
    "get_threads",
    "set_threads",
]
