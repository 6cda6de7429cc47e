"""How likely binary units are on, and on together."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from harmonium.plotting.arguments import as_names
from harmonium.plotting.heat_map import heat_map
from harmonium.plotting.style import drawing

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def plot_moments(
    matrix: object,
    *,
    names: Iterable[object] | None = None,
    numbers: bool | None = None,
    colour_bar: bool = True,
    ax: "Axes | None" = None,
) -> "Axes":
    """Draw second moments E[z_i z_j] of binary units, from white (never) to deep blue (always).

    The diagonal says how likely each unit is on, the rest how likely two are on together.

    Parameters
    ----------
    matrix : (n, n) array
        Second moments, such as ``Boltzmann.location_moments`` gives.
    names : list of str, optional
        Names of rows and columns; by default numbers from 1 on.
    numbers : bool, optional
        Whether to write each; by default where there is room.
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
        For what is not a square matrix of numbers from 0 to 1.
    ImportError
        Without matplotlib.
    """
    values = np.array(matrix, dtype=float)
    if values.ndim != 2 or values.shape[0] != values.shape[1] or not values.size:
        raise ValueError(f"matrix: a square matrix, not one of shape {values.shape}")
    if ((values < -1e-9) | (values > 1 + 1e-9)).any():
        raise ValueError("matrix: second moments of binary units are between 0 and 1")
    labels = as_names(names, len(values), name="names", default="")
    with drawing(ax, (4.0, 3.4)) as axes:
        heat_map(
            axes,
            values,
            limit=1.0,
            rows=[label.strip() for label in labels],
            columns=[label.strip() for label in labels],
            label="probability of both being on",
            colour_bar=colour_bar,
            numbers=numbers,
            signed=False,
        )
        axes.set_aspect("equal")
        return axes
