"""How a fit meets floating-point exceptions, whatever the caller has set for himself."""

import numpy as np

#: Decorates what computes. Responsibilities and densities underflow to zero by right, which is no
#: error where the caller raises on underflow; anything else would be a mistake of this library.
steady = np.errstate(under="ignore", over="warn", divide="warn", invalid="warn")
