"""Three weights as a place in a triangle: laws of three categories, and densities over them."""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from harmonium.plotting.arguments import as_masses, as_names
from harmonium.plotting.bands import draw_bands
from harmonium.plotting.densities import levels_of
from harmonium.plotting.style import HAIRLINE, INK, SOFT_INK, drawing
from harmonium.validation import FloatArray, as_count, as_table, check_simplex

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_HEIGHT = np.sqrt(3) / 2
#: Corners of the triangle: the first two categories at the bottom, the third on top.
CORNERS = np.array([[0.0, 0.0], [1.0, 0.0], [0.5, _HEIGHT]])
_MASSES = (0.1, 0.3, 0.5, 0.7, 0.9, 0.99)


def simplex_places(weights: object) -> FloatArray:
    """Return the places (n, 2) in the triangle of weights (n, 3), each row of sum one.

    Raises
    ------
    ValueError
        For rows that are no weights.
    """
    table = check_simplex(
        as_table(weights, name="weights", n_features=3), "weights", allow_zeros=True
    )
    return np.asarray(table @ CORNERS)


def plot_simplex(*, names: Iterable[object] | None = None, ax: "Axes | None" = None) -> "Axes":
    """Draw the triangle of the laws of three categories; each corner is sure of one.

    Parameters
    ----------
    names : list of str, optional
        What stands at the corners; by default numbers from 0 on.
    ax : matplotlib Axes, optional
        Where to draw; new axes in the library's style if not given.

    Returns
    -------
    Axes
        That was drawn on, without ticks; :func:`simplex_places` says where to draw further.

    Raises
    ------
    ImportError
        Without matplotlib.
    """
    labels = as_names((0, 1, 2) if names is None else names, 3, name="names", default="")
    with drawing(ax, (4.0, 3.6)) as axes:
        outline = CORNERS[[0, 1, 2, 0]]
        axes.plot(outline[:, 0], outline[:, 1], color=SOFT_INK, linewidth=0.9, zorder=2)
        for share in (0.25, 0.5, 0.75):
            for corner in range(3):
                ends = [
                    share * CORNERS[corner] + (1 - share) * CORNERS[(corner + k) % 3]
                    for k in (1, 2)
                ]
                axes.plot(*np.transpose(ends), color=HAIRLINE, linewidth=0.5, zorder=0.5)
        aligned = (("right", "top"), ("left", "top"), ("center", "bottom"))
        for label, place, (across, upward) in zip(labels, CORNERS, aligned, strict=True):
            x, y = place + 0.03 * (place - CORNERS.mean(0))
            axes.text(x, y, label, ha=across, va=upward, fontsize=8.5, color=INK)
        axes.set_aspect("equal")
        axes.set_xlim(-0.09, 1.09)
        axes.set_ylim(-0.09, _HEIGHT + 0.09)
        axes.set_axis_off()
        return axes


def plot_simplex_density(
    log_density: Callable[[FloatArray], Any],
    *,
    masses: Iterable[object] = _MASSES,
    names: Iterable[object] | None = None,
    colour_bar: bool = False,
    resolution: int = 120,
    ax: "Axes | None" = None,
) -> "Axes":
    """Draw a density over three weights as bands, each of which encloses a share of probability.

    Parameters
    ----------
    log_density : function
        From weights (n, 3) to log densities (n,), up to a constant.
    masses : sequence of float
        Shares of probability that the contours enclose (highest density regions).
    names : list of str, optional
        What stands at the corners; by default numbers from 0 on.
    colour_bar : bool
        Whether to explain the bands beside the picture.
    resolution : int
        Cells along each side.
    ax : matplotlib Axes, optional
        Where to draw; new axes in the library's style if not given.

    Returns
    -------
    Axes
        That was drawn on.

    Raises
    ------
    ImportError
        Without matplotlib.
    """
    shares = as_masses(masses)
    weights = simplex_cells(as_count(resolution, name="resolution", minimum=8))
    logs = np.asarray(log_density(weights), dtype=float)
    density = np.exp(logs - logs.max())
    density /= density.mean()
    levels = levels_of(density, 1 / len(density), shares)
    axes = plot_simplex(names=names, ax=ax)
    places = weights @ CORNERS
    if levels:
        draw_bands(
            axes,
            (places[:, 0], places[:, 1], density),
            levels,
            shares,
            colour_bar=colour_bar,
            scattered=True,
        )
    return axes


def simplex_cells(resolution: int) -> FloatArray:
    """Return the centres (resolution**2, 3) of small triangles of one size that fill the simplex."""
    i, j = np.indices((resolution, resolution)).reshape(2, -1)
    upright, inverted = i + j < resolution, i + j < resolution - 1
    low = np.stack([i, j, resolution - 1 - i - j], -1)
    centres = np.concatenate([low[upright] + 1 / 3, low[inverted] + [2 / 3, 2 / 3, -1 / 3]])
    return np.asarray(centres / resolution)
