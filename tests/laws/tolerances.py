"""What counts as equal."""

from typing import Any

import numpy as np


def assert_close(left: Any, right: Any, relative: float) -> None:
    """Equal relative to each entry, or to one where an entry is smaller; NaN never is."""
    left, right = np.asarray(left), np.asarray(right)
    assert left.shape == right.shape
    np.testing.assert_array_less(np.abs(left - right), relative * np.maximum(1, np.abs(right)))
