"""scikit-learn estimators: change an import, keep the code."""

from harmonium.estimators.factor_analysis import PPCA, FactorAnalysis
from harmonium.estimators.gaussian_mixture import GaussianMixture
from harmonium.estimators.hidden_markov import CategoricalHMM, GaussianHMM, PoissonHMM

__all__ = [
    "PPCA",
    "CategoricalHMM",
    "FactorAnalysis",
    "GaussianHMM",
    "GaussianMixture",
    "PoissonHMM",
]
