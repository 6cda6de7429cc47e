"""Figures of several panels, lettered as papers do."""

from typing import TYPE_CHECKING, Any

from harmonium.plotting.style import dress, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def panels(
    size: tuple[float, float], mosaic: str, titles: dict[str, str], **layout: Any
) -> "tuple[Figure, dict[str, Axes]]":
    """Return a new figure of this size in inches, and its axes by their letters.

    ``mosaic`` places the letters, such as "ab;cd", as in ``matplotlib.figure.Figure.subplot_mosaic``,
    which takes the further arguments; ``titles`` says what stands above each.
    """
    figure = new_figure(*size)
    axes: dict[str, Any] = figure.subplot_mosaic(mosaic, **layout)
    for letter, ax in axes.items():
        dress(ax)
        if letter in titles:
            # the bold letter is mathematics to matplotlib; the title is not
            ax.set_title(f"$\\bf{{{letter}}}$  {titles[letter]}")
    return figure, axes
