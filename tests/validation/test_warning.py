"""Warnings point at the line of the user."""

import warnings
from pathlib import Path

import numpy as np

from harmonium.errors import BoundaryWarning, DataWarning
from harmonium.validation import check_angles, check_positive_definite, warn_caller


def test_the_line_is_the_first_outside_the_package() -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        check_angles(np.full((2, 1), 90.0))
        check_positive_definite(np.diag([1.0, 1e-13]), name="covariance")
        warn_caller("directly", BoundaryWarning)
    assert [warning.category for warning in caught] == [DataWarning, DataWarning, BoundaryWarning]
    assert all(Path(warning.filename) == Path(__file__) for warning in caught)
    assert len({warning.lineno for warning in caught}) == 3
