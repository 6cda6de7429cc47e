"""What each factor does to each column."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from harmonium.plotting.arguments import as_names
from harmonium.plotting.heat_map import heat_map
from harmonium.plotting.style import drawing
from harmonium.validation import as_table

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def plot_loadings(
    loadings: object,
    *,
    names: Iterable[object] | None = None,
    factor_names: Iterable[object] | None = None,
    label: str = "loading",
    limit: float | None = None,
    numbers: bool | None = None,
    colour_bar: bool = True,
    ax: "Axes | None" = None,
) -> "Axes":
    """Draw loadings (columns of data, factors) as a heat map: red raises, blue lowers.

    Divided by the columns' standard deviations they are correlations of columns and factors,
    and can be compared with each other.

    Parameters
    ----------
    loadings : (n, m) table
        Effect of each factor (m) on each column of the data (n): ``components_.T``.
    names : list of str, optional
        Names of the columns of the data.
    factor_names : list of str, optional
        Names of the factors.
    label : str
        What the colours say.
    limit : float, optional
        Where the colours end; by default at the largest loading.
    numbers : bool, optional
        Whether to write each loading; by default where there is room.
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
        Where shapes do not fit.
    ImportError
        Without matplotlib.
    """
    table = as_table(loadings, name="loadings")
    n, m = table.shape
    rows = as_names(names, n, name="names", default="column")
    columns = as_names(factor_names, m, name="factor_names", default="factor")
    largest = float(np.abs(table).max()) or 1.0
    with drawing(ax, (1.6 + 0.75 * m, 1.0 + 0.24 * n)) as axes:
        heat_map(
            axes,
            table,
            limit=largest if limit is None else limit,
            rows=rows,
            columns=columns,
            label=label,
            colour_bar=colour_bar,
            numbers=numbers,
        )
        return axes
