"""Small images on a picture, moved so that they do not hide each other."""

from typing import TYPE_CHECKING

import numpy as np

from harmonium.validation import FloatArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def draw_thumbnails(
    axes: "Axes", images: FloatArray, places: FloatArray, shades: list[str], share: float = 0.085
) -> None:
    """Draw images (k, rows, columns) at places (k, 2), framed in their colours.

    ``share`` is their width as a share of the picture's. The axes' limits must be set.
    """
    left, right = axes.get_xlim()
    bottom, top = axes.get_ylim()
    box = axes.get_window_extent()
    # as wide as high on the paper
    size = np.array([share * (right - left), share * (top - bottom) * box.width / box.height])
    low = np.array([left, bottom]) + 0.6 * size
    high = np.array([right, top]) - 0.6 * size
    for image, place, shade in zip(
        images, apart(places, 1.15 * size, low, high), shades, strict=True
    ):
        inner = axes.inset_axes((*(place - size / 2), *size), transform=axes.transData, zorder=5)
        inner.imshow(image, cmap="Greys", vmin=0, aspect="auto", interpolation="nearest")
        inner.set_xticks([])
        inner.set_yticks([])
        for spine in inner.spines.values():
            spine.set_edgecolor(shade)
            spine.set_linewidth(2.0)


def apart(places: FloatArray, size: FloatArray, low: FloatArray, high: FloatArray) -> FloatArray:
    """Return centres of boxes of one size, pushed as far as needed not to overlap, within limits."""
    moved = np.clip(places, low, high)
    for _ in range(200):
        gap = (moved[:, None] - moved[None]) / size
        overlap = 1 - np.abs(gap)
        touching = (overlap > 1e-9).all(-1) & ~np.eye(len(moved), dtype=bool)
        if not touching.any():
            break
        for i, j in np.argwhere(np.triu(touching)):
            # the shorter way out, by half for each
            axis = int(np.argmin(overlap[i, j]))
            way = np.sign(gap[i, j, axis]) or 1.0
            step = 0.5 * overlap[i, j, axis] * size[axis] * way
            moved[i, axis] += step
            moved[j, axis] -= step
        moved = np.clip(moved, low, high)
    return np.asarray(moved)
