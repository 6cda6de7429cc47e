"""The latent space of a linear Gaussian model: where each row is, and which group it belongs to."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from harmonium.plotting.points import plot_points
from harmonium.plotting.posteriors import has_categories, latent_plane, posterior_shares

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def plot_latent(
    fitted: Any,
    x: object,
    labels: object = None,
    *,
    label_names: Iterable[object] | None = None,
    legend: bool = True,
    ax: "Axes | None" = None,
) -> "Axes":
    """Draw each row at the posterior mean of its latent, coloured by posterior label.

    Of a latent of more than two dimensions the plane of :func:`latent_plane` is drawn.

    Parameters
    ----------
    fitted : Fit or estimator
        A fitted linear Gaussian model: factor analysis, or reduction and clustering.
    x : (n, n_observed) table
        The rows to place.
    labels : (n,) array, optional
        Labels to colour by; by default the most probable category of each row, where the model
        has categories.
    label_names : list of str, optional
        Names of the labels, in sorted order, for the legend.
    legend : bool
        Whether to explain the colours.
    ax : matplotlib Axes, optional
        Where to draw; new axes in the library's style if not given.

    Returns
    -------
    Axes
        That was drawn on.

    Raises
    ------
    ValueError
        For a model without a latent space of two dimensions or more.
    ImportError
        Without matplotlib.
    """
    places = latent_plane(fitted, x)
    if labels is None and has_categories(getattr(fitted, "fit_", fitted).model):
        labels = np.argmax(posterior_shares(fitted, x), -1)
    return plot_points(
        places,
        labels,
        names=("latent direction 1", "latent direction 2"),
        label_names=label_names,
        legend=legend,
        ax=ax,
    )
