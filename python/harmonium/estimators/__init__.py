"""scikit-learn estimators: change an import, keep the code."""

from harmonium.estimators.factor_analysis import PPCA, FactorAnalysis
from harmonium.estimators.gaussian_mixture import GaussianMixture

__all__ = ["PPCA", "FactorAnalysis", "GaussianMixture"]
