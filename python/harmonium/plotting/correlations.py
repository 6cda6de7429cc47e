"""How binary units go together: correlations under the prior, and given an observation."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from harmonium.families.boltzmann import Boltzmann
from harmonium.harmonium import Harmonium
from harmonium.learning.fit import Fit
from harmonium.plotting.arguments import as_names
from harmonium.plotting.heat_map import heat_map
from harmonium.plotting.style import drawing
from harmonium.validation import FloatArray, as_positive

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: A unit whose variance is below this never changes: its correlations are not defined.
_STILL = 1e-9


def unit_correlations(family: Boltzmann, natural: object) -> FloatArray:
    """Return the correlations (n, n) of a Boltzmann machine's units, exactly.

    NaN where a unit is always on or always off.
    """
    point = family.check_natural(natural)
    if point.ndim != 1:
        raise ValueError(f"natural: one point of shape ({family.dimension},), not {point.shape}")
    biases, couplings = family.to_parameters(point)
    # also of pairs that are not coupled
    dense = Boltzmann(family.n, enumerate_to=family.enumerate_to)
    mean = dense.to_mean(dense.from_parameters(biases=biases, couplings=couplings))
    first, second = dense.location_moments(mean)
    covariance = second - np.outer(first, first)
    spread = np.sqrt(np.maximum(np.diagonal(covariance), 0.0))
    moving = spread > np.sqrt(_STILL)
    scale = np.where(moving, spread, 1.0)
    correlation: FloatArray = np.clip(covariance / np.outer(scale, scale), -1.0, 1.0)
    correlation[~moving], correlation[:, ~moving] = np.nan, np.nan
    return correlation


def unit_laws(fitted: Any, x: object = None) -> tuple[Boltzmann, FloatArray]:
    """Return the Boltzmann family behind a fit, and the natural parameters of its units' laws.

    Those of the prior, (dimension,); with rows ``x``, of the posterior of each, (n, dimension).
    """
    fitted = getattr(fitted, "fit_", fitted)
    model = fitted.model if isinstance(fitted, Fit) else None
    if not isinstance(model, Harmonium) or not isinstance(model.latent, Boltzmann):
        raise ValueError("fitted: a fit of a model whose latent is a Boltzmann machine")
    natural = fitted.prepared.natural[0]
    if x is None:
        return model.latent, model.prior(natural)
    table = model.check_table(x)
    return model.latent, model.posterior(natural, fitted.standardisation.apply(table))


def plot_correlations(
    matrix: object,
    *,
    names: Iterable[object] | None = None,
    limit: float = 1.0,
    numbers: bool | None = None,
    colour_bar: bool = True,
    ax: "Axes | None" = None,
) -> "Axes":
    """Draw a correlation matrix: red where two go together, blue where they exclude each other.

    Parameters
    ----------
    matrix : (n, n) array
        Correlations, such as :func:`unit_correlations` gives of Boltzmann units; NaN is grey. The
        diagonal, which says nothing, is left blank.
    names : list of str, optional
        Names of rows and columns; by default numbers from 1 on.
    limit : float
        The correlation of the deepest colours: less than 1 shows weak ones.
    numbers : bool, optional
        Whether to write each correlation; by default where there is room.
    colour_bar : bool
        Whether to explain the colours beside the picture.
    ax : matplotlib Axes, optional
        Where to draw; new axes in the library's style if not given.

    Returns
    -------
    Axes
        That was drawn on.

    Raises
    ------
    ValueError
        For what is not a square matrix of numbers from -1 to 1.
    ImportError
        Without matplotlib.
    """
    values = np.array(matrix, dtype=float)
    if values.ndim != 2 or values.shape[0] != values.shape[1] or not values.size:
        raise ValueError(f"matrix: a square matrix, not one of shape {values.shape}")
    if (np.abs(values) > 1 + 1e-9).any():
        raise ValueError("matrix: correlations are between -1 and 1")
    deepest = as_positive(limit, name="limit")
    labels = as_names(names, len(values), name="names", default="")
    np.fill_diagonal(values, np.nan)
    with drawing(ax, (4.0, 3.4)) as axes:
        heat_map(
            axes,
            values,
            limit=deepest,
            rows=[label.strip() for label in labels],
            columns=[label.strip() for label in labels],
            label="correlation",
            colour_bar=colour_bar,
            numbers=numbers,
        )
        axes.set_aspect("equal")
        return axes
