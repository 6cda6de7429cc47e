"""Learning: standardisation, starting points, exact EM, gradients, contrastive divergence, `fit`."""

from harmonium.learning.conjugation_residual import ConjugationError, conjugation_error
from harmonium.learning.contrastive import ContrastiveStep, contrastive
from harmonium.learning.contrastive_start import contrastive_start
from harmonium.learning.em import Step, em
from harmonium.learning.fit import Fit, fit
from harmonium.learning.fit_contrastive import ContrastiveFit, fit_contrastive
from harmonium.learning.optimisers import Adam, GradientDescent, Momentum, Optimiser
from harmonium.learning.penalties import ConjugatePenalty, NormalPenalty
from harmonium.learning.pseudo_likelihood import pseudo_log_likelihood
from harmonium.learning.standardisation import Standardisation, standardisation_of
from harmonium.learning.starting import start
from harmonium.learning.subspace import Subspace
from harmonium.learning.tuning_curves import fit_tuning_curves
from harmonium.learning.tying import absent, lattice, on_graph, ring, shared_shape, tied

__all__ = [
    "Adam",
    "ConjugatePenalty",
    "ConjugationError",
    "ContrastiveFit",
    "ContrastiveStep",
    "Fit",
    "GradientDescent",
    "Momentum",
    "NormalPenalty",
    "Optimiser",
    "Standardisation",
    "Step",
    "Subspace",
    "absent",
    "conjugation_error",
    "contrastive",
    "contrastive_start",
    "em",
    "fit",
    "fit_contrastive",
    "fit_tuning_curves",
    "lattice",
    "on_graph",
    "pseudo_log_likelihood",
    "ring",
    "shared_shape",
    "standardisation_of",
    "start",
    "tied",
]
