"""What a picture of a density asks of a model, whichever of the library's objects it is."""

from collections.abc import Callable
from typing import Any

import numpy as np

from harmonium.learning.fit import Fit
from harmonium.validation import FloatArray

#: Draws from which the limits of a picture without data are taken.
_DRAWS = 2000


class PlaneDensity:
    """A density of two columns, all others integrated out."""

    def __init__(
        self, log_density: Callable[[FloatArray], Any], n: int, columns: tuple[int, int]
    ) -> None:
        self._log_density = log_density
        self._n = n
        self._columns = list(columns)

    def __call__(self, points: FloatArray) -> FloatArray:
        """Return densities (n,) at points (n, 2): what is not given is missing, not zero."""
        rows = np.full((len(points), self._n), np.nan)
        rows[:, self._columns] = points
        logs = np.asarray(self._log_density(rows), dtype=float)
        if logs.shape != (len(points),):
            raise ValueError(f"fitted: log densities of shape {logs.shape} for {len(points)} rows")
        return np.asarray(np.exp(logs))


def log_density_of(fitted: Any) -> tuple[Callable[[FloatArray], Any], int]:
    """Return a function from rows to log densities, and how many columns these have.

    Of a Fit, an estimator with ``score_samples``, or a function of rows (n, 2).
    """
    fitted = getattr(fitted, "fit_", fitted)
    if isinstance(fitted, Fit):
        return fitted.log_density, fitted.model.n_observed
    if hasattr(fitted, "score_samples"):
        return fitted.score_samples, int(getattr(fitted, "n_features_in_", 2))
    if callable(fitted):
        return fitted, 2
    raise TypeError(
        "fitted: a Fit, a fitted estimator with score_samples, or a function from rows (n, 2) to "
        f"log densities (n,), not {type(fitted).__name__}"
    )


def draws_of(fitted: Any) -> FloatArray | None:
    """Return rows drawn from a Fit, always the same; None for what can not be drawn from."""
    fitted = getattr(fitted, "fit_", fitted)
    return fitted.sample(_DRAWS, 0)[0] if isinstance(fitted, Fit) else None


def levels_of(density: FloatArray, area: float, masses: list[float]) -> list[float]:
    """Return the densities above which lie these shares of probability, falling.

    ``density`` holds values on a grid whose cells have this area. Shares that the grid does not
    hold are left out.
    """
    falling = np.sort(density.ravel())[::-1]
    held = np.cumsum(falling) * area
    inside = [int(np.searchsorted(held, mass)) for mass in masses]
    return [float(falling[i]) for i in inside if i < len(falling) and falling[i] > 0]
