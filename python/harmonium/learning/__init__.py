"""Learning: standardisation, starting points, exact EM and contrastive divergence, and what fits."""

from harmonium.learning.conjugation_residual import ConjugationError, conjugation_error
from harmonium.learning.contrastive import ContrastiveStep, contrastive
from harmonium.learning.contrastive_start import contrastive_start
from harmonium.learning.em import Step, em
from harmonium.learning.fit import Fit, fit
from harmonium.learning.fit_contrastive import ContrastiveFit, fit_contrastive
from harmonium.learning.optimisers import Adam, GradientDescent, Momentum, Optimiser
from harmonium.learning.pseudo_likelihood import pseudo_log_likelihood
from harmonium.learning.standardisation import Standardisation, standardisation_of
from harmonium.learning.starting import start

__all__ = [
    "Adam",
    "ConjugationError",
    "ContrastiveFit",
    "ContrastiveStep",
    "Fit",
    "GradientDescent",
    "Momentum",
    "Optimiser",
    "Standardisation",
    "Step",
    "conjugation_error",
    "contrastive",
    "contrastive_start",
    "em",
    "fit",
    "fit_contrastive",
    "pseudo_log_likelihood",
    "standardisation_of",
    "start",
]
