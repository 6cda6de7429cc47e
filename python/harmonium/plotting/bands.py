"""Bands between contours that enclose shares of probability."""

from typing import TYPE_CHECKING, Any

from harmonium.plotting.style import SOFT_INK, sequential
from harmonium.validation import FloatArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def draw_bands(
    axes: "Axes",
    surface: tuple[FloatArray, FloatArray, FloatArray],
    levels: list[float],
    shares: list[float],
    *,
    filled: bool = True,
    colour: str | None = None,
    colour_bar: bool = False,
    scattered: bool = False,
) -> None:
    """Draw contours at falling levels, which enclose these rising shares of probability.

    ``surface`` holds abscissas, ordinates and densities: those of a grid, or of ``scattered``
    points. Levels may be fewer than shares: the largest shares then are not held.
    """
    x, y, density = surface
    fill: Any = axes.tricontourf if scattered else axes.contourf
    line: Any = axes.tricontour if scattered else axes.contour
    # contours want rising levels: the outermost, which holds the largest share, first
    edges = sorted(set(levels))
    shown = shares[: len(levels)][::-1][-len(edges) :]
    ramp = sequential()
    if not filled:
        line(x, y, density, edges, colors=colour or SOFT_INK, linewidths=0.8, zorder=1.5)
        return
    colours = [ramp(0.12 + 0.8 * k / max(len(edges) - 1, 1)) for k in range(len(edges))]
    # a density that is level up to its highest value still has a band
    highest = max(1.001 * float(density.max()), edges[-1] * 1.001)
    drawn = fill(x, y, density, [*edges, highest], colors=colours, zorder=1)
    line(x, y, density, edges, colors="white", linewidths=0.3, alpha=0.5, zorder=1.5)
    if colour_bar:
        bar = axes.figure.colorbar(drawn, ax=axes, fraction=0.05, pad=0.02, spacing="uniform")
        bar.set_ticks(edges, labels=[f"{100 * share:.3g} %" for share in shown])
        bar.ax.tick_params(length=0, labelsize=7.0, labelcolor=SOFT_INK)
        bar.set_label("probability within", fontsize=8.0, color=SOFT_INK)
        bar.outline.set_visible(False)
