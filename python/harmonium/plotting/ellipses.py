"""Normals in the plane as ellipses."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from harmonium.plotting.arguments import as_columns
from harmonium.plotting.style import colours, drawing
from harmonium.validation import (
    FloatArray,
    as_positive,
    as_table,
    as_vector,
    check_square_symmetric,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def plot_ellipses(
    means: object,
    covariances: object,
    *,
    weights: object = None,
    columns: Iterable[object] = (0, 1),
    radii: Iterable[object] = (1.0, 2.0),
    colour: str | None = None,
    ax: "Axes | None" = None,
) -> "Axes":
    """Draw normals as ellipses at so many standard deviations from their means.

    One standard deviation holds 39 % of the probability in the plane, two hold 86 %.
    :func:`components_of` gives the normals of a fitted model.

    Parameters
    ----------
    means : (k, n) table
        Their means.
    covariances : (k, n, n) array
        Their covariances; singular ones are drawn as lines.
    weights : (k,) array, optional
        The lighter a normal, the fainter it is drawn.
    columns : two column numbers
        Which to draw.
    radii : sequence of float
        Standard deviations at which to draw.
    colour : str, optional
        One for all; by default each has its own.
    ax : matplotlib Axes, optional
        Where to draw; new axes in the library's style if not given.

    Returns
    -------
    Axes
        That was drawn on.

    Raises
    ------
    ValueError
        Where shapes do not fit, or a covariance is not symmetric or not positive semidefinite.
    ImportError
        Without matplotlib.
    """
    centres = as_table(means, name="means")
    k, n = centres.shape
    matrices = check_square_symmetric(covariances, name="covariances")
    if matrices.shape != (k, n, n):
        raise ValueError(f"covariances: shape {matrices.shape}, expected {(k, n, n)}")
    pair = list(as_columns(columns, n))
    strength = np.ones(k)
    if weights is not None:
        strength = as_vector(weights, name="weights", length=k)
        if (strength < 0).any() or not strength.any():
            raise ValueError("weights: must not be negative, and not all zero")
        strength = strength / strength.max()
    distances = sorted(as_positive(r, name="radii") for r in radii)
    shades = [colour] * k if colour is not None else colours(k)
    with drawing(ax) as axes:
        for centre, matrix, shade, light in zip(
            centres[:, pair], matrices[:, pair][:, :, pair], shades, strength, strict=True
        ):
            for place, distance in enumerate(distances):
                outline = _ellipse(centre, matrix, distance)
                faint = light * (1.0 if place == 0 else 0.55)
                axes.plot(
                    outline[:, 0],
                    outline[:, 1],
                    color=shade,
                    alpha=faint,
                    linewidth=1.6 if place == 0 else 1.0,
                    zorder=4,
                )
        return axes


def _ellipse(centre: FloatArray, covariance: FloatArray, radius: float) -> FloatArray:
    """Points (m, 2) around the ellipse ``(x - c) S**-1 (x - c) = radius**2``."""
    values, axes = np.linalg.eigh(covariance)
    if values[0] < -1e-10 * max(values[-1], 0.0):
        raise ValueError(f"covariances: the eigenvalue {values[0]:.3g} is negative")
    angle = np.linspace(0, 2 * np.pi, 121)
    circle = np.stack([np.cos(angle), np.sin(angle)], -1)
    return np.asarray(centre + radius * (circle * np.sqrt(np.maximum(values, 0.0))) @ axes.T)
