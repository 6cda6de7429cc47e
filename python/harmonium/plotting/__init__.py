"""Pictures of fitted models, with matplotlib: ``pip install 'harmonium[plots]'``.

Each function draws on the axes it is given, or on new ones in the library's style, and returns
them; nothing is shown or saved, and no setting of matplotlib is changed::

    ax = plot_density(fitted, x)
    ax.figure.savefig("density.png")

Within ``with style():`` everything that matplotlib draws has that style.
"""

from harmonium.plotting.components import Components, components_of
from harmonium.plotting.correlations import plot_correlations, unit_correlations, unit_laws
from harmonium.plotting.density import plot_density
from harmonium.plotting.ellipses import plot_ellipses
from harmonium.plotting.graph import plot_graph
from harmonium.plotting.history import plot_history
from harmonium.plotting.latent import plot_latent
from harmonium.plotting.loadings import plot_loadings
from harmonium.plotting.moments import plot_moments
from harmonium.plotting.panels import panels
from harmonium.plotting.points import plot_points
from harmonium.plotting.posteriors import latent_plane, posterior_shares
from harmonium.plotting.simplex import plot_simplex, plot_simplex_density, simplex_places
from harmonium.plotting.style import colours, diverging, dress, new_figure, sequential, style

__all__ = [
    "Components",
    "colours",
    "components_of",
    "diverging",
    "dress",
    "latent_plane",
    "new_figure",
    "panels",
    "plot_correlations",
    "plot_density",
    "plot_ellipses",
    "plot_graph",
    "plot_history",
    "plot_latent",
    "plot_loadings",
    "plot_moments",
    "plot_points",
    "plot_simplex",
    "plot_simplex_density",
    "posterior_shares",
    "sequential",
    "simplex_places",
    "style",
    "unit_correlations",
    "unit_laws",
]
