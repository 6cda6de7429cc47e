"""Points in the plane, coloured by label."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from harmonium.plotting.arguments import as_labels, as_names
from harmonium.plotting.style import SOFT_INK, colours, drawing, markers
from harmonium.validation import as_table

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def plot_points(
    points: object,
    labels: object = None,
    *,
    names: Iterable[object] | None = None,
    label_names: Iterable[object] | None = None,
    legend: bool = True,
    legend_title: str | None = None,
    size: float | None = None,
    ax: "Axes | None" = None,
) -> "Axes":
    """Draw points (n, 2), coloured by label.

    Parameters
    ----------
    points : (n, 2) table
        Where they are.
    labels : (n,) array, optional
        Numbers or names of kinds, sorted for their colours.
    names : two str, optional
        Names of the axes.
    label_names : list of str, optional
        Names of the kinds, in sorted order, for the legend.
    legend : bool
        Whether to explain the colours beside the picture.
    legend_title : str, optional
        What the labels are.
    size : float, optional
        Area of a point, in square typographic points.
    ax : matplotlib Axes, optional
        Where to draw; new axes in the library's style if not given.

    Returns
    -------
    Axes
        That was drawn on.

    Raises
    ------
    ValueError
        Where shapes do not fit.
    ImportError
        Without matplotlib.
    """
    table = as_table(points, name="points", n_features=2, missing=True)
    area = max(4.0, min(16.0, 6000 / len(table))) if size is None else size
    axis_names = None if names is None else as_names(names, 2, name="names", default="")
    with drawing(ax) as axes:
        if labels is None:
            axes.scatter(table[:, 0], table[:, 1], s=area, c=SOFT_INK, alpha=0.6, linewidths=0)
        else:
            numbers, kinds = as_labels(labels, len(table))
            shown = kinds
            if label_names is not None:
                shown = as_names(label_names, len(kinds), name="label_names", default="")
            shades, shapes = colours(len(kinds)), markers(len(kinds))
            for k, kind in enumerate(shown):
                own = table[numbers == k]
                axes.scatter(
                    own[:, 0],
                    own[:, 1],
                    s=area,
                    c=shades[k],
                    marker=shapes[k],
                    alpha=0.75,
                    linewidths=0,
                    label=kind,
                    zorder=2,
                )
            if legend:
                key = axes.legend(
                    title=legend_title,
                    loc="center left",
                    bbox_to_anchor=(1.01, 0.5),
                    borderaxespad=0.0,
                    handletextpad=0.3,
                    ncols=1 + (len(kinds) - 1) // 16,
                )
                for handle in key.legend_handles:
                    if handle is not None:
                        handle.set_alpha(1.0)
        if axis_names is not None:
            axes.set_xlabel(axis_names[0])
            axes.set_ylabel(axis_names[1])
        return axes
