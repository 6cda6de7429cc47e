"""Matrices of numbers as coloured squares."""

from typing import TYPE_CHECKING, Any

import numpy as np

from harmonium.plotting.style import HAIRLINE, INK, SOFT_INK, diverging, sequential
from harmonium.validation import FloatArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Beyond so many rows or columns numbers in the squares could not be read.
_MOST_NUMBERS = 16


def heat_map(
    axes: "Axes",
    matrix: FloatArray,
    *,
    limit: float,
    rows: list[str],
    columns: list[str],
    label: str,
    colour_bar: bool,
    numbers: bool | None,
    signed: bool = True,
) -> Any:
    """Draw a matrix (n, m) in colours from -limit (blue) to limit (red); NaN is grey.

    Unless ``signed``, from zero (white) to limit (deep blue).
    """
    ramp, lowest = (diverging(), -limit) if signed else (sequential(), 0.0)
    image = axes.imshow(matrix, cmap=ramp, vmin=lowest, vmax=limit, aspect="auto")
    axes.set_xticks(np.arange(len(columns)), columns)
    axes.set_yticks(np.arange(len(rows)), rows)
    axes.set_xticks(np.arange(len(columns) - 1) + 0.5, minor=True)
    axes.set_yticks(np.arange(len(rows) - 1) + 0.5, minor=True)
    axes.grid(which="minor", color="white", linewidth=1.2)
    axes.tick_params(which="both", length=0)
    for spine in axes.spines.values():
        # squares without a value of their own end where the matrix does
        spine.set_visible(not signed)
        spine.set_color(HAIRLINE)
    if numbers if numbers is not None else max(matrix.shape) <= _MOST_NUMBERS:
        for (i, j), value in np.ndenumerate(matrix):
            if np.isfinite(value):
                axes.text(
                    j,
                    i,
                    f"{value:.2f}".replace("-0.00", "0.00").replace("-", "−"),
                    ha="center",
                    va="center",
                    fontsize=7.0,
                    color="white" if abs(value) > 0.62 * limit else INK,
                )
    if colour_bar:
        bar = axes.figure.colorbar(image, ax=axes, fraction=0.05, pad=0.03)
        bar.set_label(label, fontsize=8.0, color=SOFT_INK)
        bar.ax.tick_params(length=0, labelsize=7.0, labelcolor=SOFT_INK)
        bar.outline.set_visible(False)
    return image
