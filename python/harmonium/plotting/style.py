"""One look for all pictures: colours that everyone can tell apart, applied for a while only."""

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap
    from matplotlib.figure import Figure

#: Categories: Paul Tol's "bright" scheme, told apart with every kind of colour vision.
BRIGHT = ("#4477AA", "#EE6677", "#228833", "#CCBB44", "#66CCEE", "#AA3377")
#: More categories than that: his "muted" scheme, and black.
MUTED = (
    "#332288",
    "#88CCEE",
    "#44AA99",
    "#117733",
    "#999933",
    "#DDCC77",
    "#CC6677",
    "#882255",
    "#AA4499",
    "#222222",
)
#: What points are drawn as where colours are used up.
MARKERS = ("o", "^", "s", "D", "v", "P")
INK = "#222222"
SOFT_INK = "#555555"
HAIRLINE = "#BBBBBB"
#: What there is no value for.
BLANK = "#E4E4E4"
#: From nothing to much: white to deep blue, evenly in lightness.
_SEQUENTIAL = (
    "#FFFFFF",
    "#DCE9F5",
    "#B3D0E8",
    "#7FB1D6",
    "#4A8DBF",
    "#21689F",
    "#0B4477",
    "#062A4F",
)
#: From minus to plus through white: blue to red, Paul Tol's "BuRd" with white for nothing.
_DIVERGING = (
    "#2166AC",
    "#4393C3",
    "#92C5DE",
    "#D1E5F0",
    "#FFFFFF",
    "#FDDBC7",
    "#F4A582",
    "#D6604D",
    "#B2182B",
)
_FONT = "DejaVu Sans"
_PARAMETERS: dict[str, Any] = {
    "figure.dpi": 150,
    "figure.facecolor": "white",
    "savefig.dpi": "figure",
    "savefig.facecolor": "white",
    "font.family": [_FONT],
    "font.size": 9.0,
    "mathtext.fontset": "dejavusans",
    "text.color": INK,
    "axes.edgecolor": SOFT_INK,
    "axes.labelcolor": INK,
    "axes.labelsize": 9.0,
    "axes.titlesize": 10.0,
    "axes.titlelocation": "left",
    "axes.titlepad": 8.0,
    "axes.linewidth": 0.8,
    "axes.axisbelow": True,
    "lines.linewidth": 1.6,
    "lines.solid_capstyle": "round",
    "legend.frameon": False,
    "legend.fontsize": 8.0,
    "legend.title_fontsize": 8.0,
    "legend.handlelength": 1.4,
    "image.interpolation": "nearest",
}
_TICKS: dict[str, Any] = {
    "color": SOFT_INK,
    "labelcolor": SOFT_INK,
    "labelsize": 8.0,
    "labelfontfamily": _FONT,
    "length": 3.0,
    "width": 0.8,
    "pad": 3.0,
    "direction": "out",
    "bottom": True,
    "left": True,
    "top": False,
    "right": False,
    "labelbottom": True,
    "labelleft": True,
    "labeltop": False,
    "labelright": False,
}


def require_matplotlib() -> None:
    """Import matplotlib, or raise an ImportError that says how to get it."""
    try:
        import matplotlib as mpl  # noqa: F401 - whether it can be
    except ImportError as error:
        raise ImportError(
            "pictures need matplotlib, which can not be imported: pip install 'harmonium[plots]'"
        ) from error


@contextlib.contextmanager
def style() -> Iterator[None]:
    """Within the block matplotlib draws in the library's style; afterwards as before.

    Whatever a user's configuration says has no influence inside: pictures are the same anywhere.
    """
    require_matplotlib()
    import matplotlib as mpl

    with mpl.rc_context():
        mpl.rcdefaults()
        settings: dict[Any, Any] = mpl.rcParams
        settings.update(_PARAMETERS)
        yield


def new_figure(width: float, height: float) -> "Figure":
    """Return an empty figure, its size in inches, that belongs to no window and no global state."""
    with style():
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

        figure = Figure(figsize=(width, height), layout="constrained")
        FigureCanvasAgg(figure)
        return figure


def dress(ax: "Axes", *, frame: bool = False) -> "Axes":
    """Give axes the library's lines and ticks, for good: all four sides with ``frame``, else two."""
    for side, spine in ax.spines.items():
        spine.set_visible(frame or side in ("left", "bottom"))
        spine.set_color(HAIRLINE if frame else SOFT_INK)
        spine.set_linewidth(0.8)
    # ticks are made when drawn, long after the style has been left: they must know all of it
    ax.tick_params(which="both", **_TICKS)
    ax.tick_params(which="minor", length=1.5, width=0.6)
    return ax


@contextlib.contextmanager
def drawing(
    ax: "Axes | None", size: tuple[float, float] = (4.6, 3.6), *, frame: bool = False
) -> Iterator["Axes"]:
    """Yield the axes to draw on: those given, in whatever style they have, or new ones in ours."""
    require_matplotlib()
    if ax is not None:
        yield ax
        return
    figure = new_figure(*size)
    with style():
        yield dress(figure.add_subplot(), frame=frame)


def colours(n: int) -> list[str]:
    """Return a colour for each of ``n`` categories; beyond ten they repeat."""
    scheme = BRIGHT if n <= len(BRIGHT) else MUTED
    return [scheme[k % len(scheme)] for k in range(n)]


def markers(n: int) -> list[str]:
    """Return a marker for each of ``n`` categories: circles until the colours repeat."""
    return [MARKERS[(k // len(MUTED)) % len(MARKERS)] for k in range(n)]


def sequential() -> "Colormap":
    """Return the colours from nothing (white) to much."""
    return _map("harmonium_sequential", _SEQUENTIAL)


def diverging() -> "Colormap":
    """Return the colours from minus (blue) through nothing (white) to plus (red)."""
    return _map("harmonium_diverging", _DIVERGING)


def _map(name: str, steps: tuple[str, ...]) -> "Colormap":
    require_matplotlib()
    from matplotlib.colors import LinearSegmentedColormap

    return LinearSegmentedColormap.from_list(name, steps).with_extremes(bad=BLANK)
