"""How the likelihood rises, iteration by iteration."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from harmonium.learning.fit import Fit
from harmonium.plotting.style import BRIGHT, HAIRLINE, SOFT_INK, colours, drawing
from harmonium.validation import FloatArray, as_vector

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def plot_history(
    fits: Any,
    *,
    reference: Mapping[str, float] | None = None,
    ax: "Axes | None" = None,
) -> "Axes":
    """Draw the log-likelihood a row (nats) at the start and after each iteration.

    Parameters
    ----------
    fits : Fit, list of Fit, or mapping of names to Fit
        Several without names are drawn alike, the most likely standing out: restarts of one
        model. Named ones each have a colour and a place in the legend. In place of a Fit, an
        array of log-likelihoods.
    reference : mapping of names to float, optional
        Log-likelihoods a row to draw as horizontal lines.
    ax : matplotlib Axes, optional
        Where to draw; new axes in the library's style if not given.

    Returns
    -------
    Axes
        That was drawn on; the first iteration is 0, the starting point.

    Raises
    ------
    ValueError
        Without any fit.
    ImportError
        Without matplotlib.
    """
    named = isinstance(fits, Mapping)
    if isinstance(fits, Fit) or hasattr(fits, "fit_"):
        fits = [fits]
    paths = [_path(f) for f in (fits.values() if named else _several(fits))]
    if not paths:
        raise ValueError("fits: at least one is needed")
    with drawing(ax) as axes:
        if named:
            for name, path, shade in zip(fits, paths, colours(len(paths)), strict=True):
                axes.plot(np.arange(len(path)), path, color=shade, label=str(name), zorder=3)
        else:
            ends = np.array([path[-1] for path in paths])
            # of equally good ones, which rounding tells apart, the first
            best = int(np.argmax(ends >= ends.max() - 1e-9 * max(1.0, abs(ends.max()))))
            for k, path in enumerate(paths):
                if k != best:
                    axes.plot(np.arange(len(path)), path, color=HAIRLINE, linewidth=1.0)
            path = paths[best]
            axes.plot(np.arange(len(path)), path, color=BRIGHT[0], linewidth=2.0, zorder=3)
        for k, (name, value) in enumerate((reference or {}).items()):
            axes.axhline(
                value,
                color=SOFT_INK,
                linewidth=1.0,
                linestyle=((0, (4, 3)), (0, (1, 2)))[k % 2],
                label=str(name),
                zorder=2,
            )
        if named or reference:
            axes.legend(loc="lower right")
        axes.set_xlabel("iteration")
        axes.set_ylabel("log-likelihood per row (nats)")
        axes.margins(x=0.02)
        return axes


def _several(fits: Any) -> list[Any]:
    if isinstance(fits, np.ndarray) and fits.ndim == 1:
        return [fits]
    if not isinstance(fits, Iterable) or isinstance(fits, str):
        raise TypeError(f"fits: a Fit, several of them, or a mapping, not {type(fits).__name__}")
    return list(fits)


def _path(fitted: Any) -> FloatArray:
    fitted = getattr(fitted, "fit_", fitted)
    return -fitted.history if isinstance(fitted, Fit) else as_vector(fitted, name="fits")
