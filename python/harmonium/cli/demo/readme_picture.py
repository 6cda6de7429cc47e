"""The picture of the README: two rings, and digits in their latent space."""

from typing import Any

from harmonium.cli.demo.reduction import draw_latent
from harmonium.cli.demo.size import Size
from harmonium.cli.demo.tables import Digits
from harmonium.learning.fit import Fit
from harmonium.plotting import new_figure, plot_density
from harmonium.plotting.style import dress, style
from harmonium.validation import FloatArray


def readme_picture(
    rings_fit: Fit, rings: FloatArray, digits_fit: Fit, digits: Digits, size: Size
) -> Any:
    """Return both panels side by side."""
    with style():
        figure = new_figure(9.0, 4.3)
        left, right = (dress(axes) for axes in figure.subplots(1, 2))
        plot_density(
            rings_fit,
            rings,
            limits=((-4.2, 4.2), (-4.2, 4.2)),
            names=("x₁", "x₂"),
            masses=(0.1, 0.3, 0.5, 0.7, 0.9, 0.99),
            resolution=size.resolution,
            ax=left,
        )
        left.set_aspect("equal")
        left.set_title("Gaussian–Boltzmann model of two rings")
        right.set_title("Digits, reduced and clustered at once")
        draw_latent(right, digits_fit, digits)
        return figure
