"""Learning: standardisation, starting points, exact EM, and the one function that fits."""

from harmonium.learning.em import Step, em
from harmonium.learning.fit import Fit, fit
from harmonium.learning.standardisation import Standardisation, standardisation_of
from harmonium.learning.starting import start

__all__ = ["Fit", "Standardisation", "Step", "em", "fit", "standardisation_of", "start"]
