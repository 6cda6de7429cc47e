"""Warnings that point at the user's line, however deep in the package they arise."""

import os
import sys
import warnings
from pathlib import Path

from harmonium.errors import DataWarning, HarmoniumWarning

_PACKAGE = str(Path(__file__).parents[1]) + os.sep


def warn_caller(message: str, category: type[HarmoniumWarning] = DataWarning) -> None:
    """Warn at the first line outside this package among those that led here.

    Parameters
    ----------
    message
        Why, and what to do.
    category
        The class of the warning.
    """
    level = 1
    frame = sys._getframe()
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_PACKAGE):
        frame = frame.f_back
        level += 1
    warnings.warn(message, category, stacklevel=level)
