"""Densities of two columns as bands of equal probability."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from harmonium.plotting.arguments import (
    as_columns,
    as_limits,
    as_masses,
    as_names,
    limits_of,
)
from harmonium.plotting.bands import draw_bands
from harmonium.plotting.densities import PlaneDensity, draws_of, levels_of, log_density_of
from harmonium.plotting.style import INK, drawing
from harmonium.validation import FloatArray, as_count, as_table

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Shares of probability that the contours enclose, unless asked otherwise.
MASSES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99)


def plot_density(
    fitted: Any,
    x: object = None,
    *,
    columns: Iterable[object] = (0, 1),
    limits: object = None,
    masses: Iterable[object] = MASSES,
    filled: bool = True,
    points: bool = True,
    colour: str | None = None,
    colour_bar: bool = False,
    names: Iterable[object] | None = None,
    resolution: int = 200,
    ax: "Axes | None" = None,
) -> "Axes":
    """Draw contours of a fitted density of two columns, the others integrated out exactly.

    Each contour encloses a given share of the probability (a highest density region), so
    pictures of different models can be compared.

    Parameters
    ----------
    fitted : Fit, estimator or function
        What was fitted; or a function from rows (n, 2) to log densities (n,).
    x : (n, n_observed) table, optional
        Data; they set the limits.
    columns : two column numbers
        Which to draw, of the model's.
    limits : ((left, right), (bottom, top)), optional
        What to show; by default the data, or draws from the model, and a margin.
    masses : sequence of float
        Shares of probability that the contours enclose.
    filled : bool
        Whether to fill the bands between contours.
    points : bool
        Whether to draw the data.
    colour : str, optional
        Of contours without bands.
    colour_bar : bool
        Whether to explain the bands beside the picture.
    names : list of str, optional
        Names of all the model's columns.
    resolution : int
        Points of the grid along each side.
    ax : matplotlib Axes, optional
        Where to draw; new axes in the library's style if not given.

    Returns
    -------
    Axes
        That was drawn on; ``ax.figure.savefig(...)`` saves it.

    Raises
    ------
    ValueError
        For columns that the model has not, and where the data can not set the limits.
    ImportError
        Without matplotlib.
    """
    log_density, n = log_density_of(fitted)
    pair = as_columns(columns, n)
    shares = as_masses(masses)
    labels = as_names(names, n, name="names", default="column")
    as_count(resolution, name="resolution", minimum=8)
    data = None
    if x is not None:
        data = as_table(x, name="x", missing=True, empty_columns=True, n_features=n)[:, pair]
    left, right, bottom, top = _limits(limits, data, fitted, pair)
    across = np.linspace(left, right, resolution)
    upward = np.linspace(bottom, top, resolution)
    grid = np.stack(np.meshgrid(across, upward), -1).reshape(-1, 2)
    density = PlaneDensity(log_density, n, pair)(grid).reshape(resolution, resolution)
    area = float((across[1] - across[0]) * (upward[1] - upward[0]))
    levels = levels_of(density, area, shares)
    with drawing(ax) as axes:
        if levels:
            draw_bands(
                axes,
                (across, upward, density),
                levels,
                shares,
                filled=filled,
                colour=colour,
                colour_bar=colour_bar,
            )
        if points and data is not None:
            axes.scatter(
                data[:, 0],
                data[:, 1],
                s=max(2.0, min(9.0, 3000 / len(data))),
                c=INK,
                alpha=max(0.35, min(0.8, 200 / len(data))),
                linewidths=0,
                zorder=3,
            )
        axes.set_xlim(left, right)
        axes.set_ylim(bottom, top)
        axes.set_xlabel(labels[pair[0]])
        axes.set_ylabel(labels[pair[1]])
        return axes


def _limits(
    limits: object, points: FloatArray | None, fitted: Any, pair: tuple[int, int]
) -> tuple[float, float, float, float]:
    if limits is not None:
        return as_limits(limits)
    if points is None:
        drawn = draws_of(fitted)
        if drawn is None:
            raise ValueError("limits: ((left, right), (bottom, top)) are needed without data")
        points = drawn[:, pair]
    if not np.isfinite(points).any(0).all():
        raise ValueError(f"x: a column of {pair} has no value that could set the limits")
    return limits_of(points)
