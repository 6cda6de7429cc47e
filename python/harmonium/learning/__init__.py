"""Learning: standardisation, starting points, exact EM, gradients, and the one function that fits."""

from harmonium.learning.em import Step, em
from harmonium.learning.fit import Fit, fit
from harmonium.learning.optimisers import Adam, GradientDescent, Momentum, Optimiser
from harmonium.learning.penalties import ConjugatePrior, NormalPrior
from harmonium.learning.standardisation import Standardisation, standardisation_of
from harmonium.learning.starting import start
from harmonium.learning.subspace import Subspace
from harmonium.learning.tying import absent, lattice, on_graph, ring, shared_shape, tied

__all__ = [
    "Adam",
    "ConjugatePrior",
    "Fit",
    "GradientDescent",
    "Momentum",
    "NormalPrior",
    "Optimiser",
    "Standardisation",
    "Step",
    "Subspace",
    "absent",
    "em",
    "fit",
    "lattice",
    "on_graph",
    "ring",
    "shared_shape",
    "standardisation_of",
    "start",
    "tied",
]
