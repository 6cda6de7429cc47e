"""Exponential families: stateless, hashable, each a small class."""

from harmonium.families.base import Completed, ExponentialFamily
from harmonium.families.bernoulli import Bernoulli
from harmonium.families.beta import Beta
from harmonium.families.binomial import Binomial
from harmonium.families.boltzmann import Boltzmann
from harmonium.families.categorical import Categorical
from harmonium.families.com_poisson import CoMPoisson
from harmonium.families.dirichlet import Dirichlet
from harmonium.families.exponential import Exponential
from harmonium.families.gamma import Gamma
from harmonium.families.geometric import Geometric
from harmonium.families.inverse_gaussian import InverseGaussian
from harmonium.families.negative_binomial import NegativeBinomial
from harmonium.families.normal import Normal
from harmonium.families.normal_wishart import NormalWishart
from harmonium.families.poisson import Poisson
from harmonium.families.product import Product
from harmonium.families.von_mises import VonMises
from harmonium.families.von_mises_fisher import VonMisesFisher
from harmonium.families.wishart import Wishart

__all__ = [
    "Bernoulli",
    "Beta",
    "Binomial",
    "Boltzmann",
    "Categorical",
    "CoMPoisson",
    "Completed",
    "Dirichlet",
    "Exponential",
    "ExponentialFamily",
    "Gamma",
    "Geometric",
    "InverseGaussian",
    "NegativeBinomial",
    "Normal",
    "NormalWishart",
    "Poisson",
    "Product",
    "VonMises",
    "VonMisesFisher",
    "Wishart",
]
