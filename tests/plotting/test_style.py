"""The style: for a while only, the same for everyone, and told apart with any colour vision."""

import io
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from harmonium.learning import Fit
from harmonium.plotting import (
    colours,
    diverging,
    dress,
    new_figure,
    plot_correlations,
    plot_density,
    plot_ellipses,
    plot_history,
    plot_loadings,
    plot_moments,
    plot_points,
    plot_simplex_density,
    sequential,
    style,
)
from harmonium.plotting.style import BRIGHT, MUTED, markers

DRAWINGS: dict[str, Callable[[Fit, Any], Axes]] = {
    "density": lambda f, x: plot_density(f, x, resolution=20, colour_bar=True),
    "ellipses": lambda f, x: plot_ellipses(np.zeros((1, 2)), np.eye(2)[None]),
    "points": lambda f, x: plot_points(x[:, :2], np.arange(len(x)) % 3),
    "history": lambda f, x: plot_history(f),
    "correlations": lambda f, x: plot_correlations(np.eye(3)),
    "moments": lambda f, x: plot_moments(0.5 * np.eye(3)),
    "simplex": lambda f, x: plot_simplex_density(lambda w: 3 * w[:, 0], resolution=12),
    "loadings": lambda f, x: plot_loadings(np.arange(6.0).reshape(3, 2)),
}
ODD = {
    "font.size": 23.0,
    "axes.facecolor": "black",
    "axes.labelcolor": "yellow",
    "xtick.color": "red",
    "xtick.labelsize": 30.0,
    "xtick.top": True,
    "xtick.major.size": 20.0,
    "xtick.direction": "in",
    "font.family": ["monospace"],
    "lines.linewidth": 9.0,
    "savefig.facecolor": "green",
    "axes.grid": True,
    "legend.frameon": True,
    "image.cmap": "jet",
}


def png(figure: Any) -> bytes:
    file = io.BytesIO()
    figure.savefig(file, format="png")
    return file.getvalue()


@pytest.mark.parametrize("name", DRAWINGS)
def test_nothing_of_the_user_is_changed(name: str, mixture_fit: Fit, rows: Any) -> None:
    before = dict(mpl.rcParams)
    ax = DRAWINGS[name](mixture_fit, rows)
    png(ax.figure)
    assert dict(mpl.rcParams) == before


@pytest.mark.parametrize("name", DRAWINGS)
def test_nothing_of_the_user_has_influence(name: str, mixture_fit: Fit, rows: Any) -> None:
    plain = DRAWINGS[name](mixture_fit, rows).figure
    with mpl.rc_context(ODD):
        under_odd = DRAWINGS[name](mixture_fit, rows).figure
    with style():
        # drawn after the user's settings are back, but saved alike
        assert png(plain) == png(under_odd)
        assert png(plain) != png(Figure())


def test_ticks_keep_their_looks_when_drawn_later() -> None:
    def picture() -> Any:
        figure = new_figure(2, 2)
        with style():
            dress(figure.add_subplot()).plot([0, 1], [0, 1])
        return figure

    first, second = picture(), picture()
    with style():
        expected = png(first)
    with mpl.rc_context({**ODD, "savefig.facecolor": "white"}):
        assert png(second) == expected


def test_axes_that_are_given_keep_their_style(mixture_fit: Fit) -> None:
    with mpl.rc_context(ODD):
        ax = Figure().add_subplot()
        assert plot_history(mixture_fit, ax=ax) is ax
        assert ax.get_facecolor() == (0, 0, 0, 1)
        assert ax.xaxis.label.get_color() == "yellow"
        assert ax.spines["top"].get_visible()


def test_style_ends_with_an_exception() -> None:
    def fail() -> None:
        with style():
            assert dict(mpl.rcParams) != before
            raise KeyError

    before = dict(mpl.rcParams)
    with pytest.raises(KeyError):
        fail()
    assert dict(mpl.rcParams) == before


def test_matplotlib_is_imported_late() -> None:
    code = (
        "import sys, harmonium.plotting\n"
        "assert 'matplotlib' not in sys.modules\n"
        "sys.modules['matplotlib'] = None\n"
        "try:\n"
        "    harmonium.plotting.plot_points([[0.0, 1.0]])\n"
        "except ImportError as error:\n"
        "    assert 'harmonium[plots]' in str(error), error\n"
        "else:\n"
        "    raise SystemExit('no error')\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_pyplot_is_never_needed() -> None:
    code = (
        "import sys\n"
        "from harmonium.plotting import plot_points\n"
        "plot_points([[0.0, 1.0]], ['a']).figure.canvas.draw()\n"
        "assert 'matplotlib.pyplot' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


# ------------------------------------------------------------------------------------ colours

#: How colours look to eyes without red, green or blue cones (Machado et al., 2009, severity 1).
VISION = {
    "normal": np.eye(3),
    "protanopia": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deuteranopia": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "tritanopia": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
}
XYZ = np.array(
    [
        [0.4124564, 0.3575761, 0.1804375],
        [0.2126729, 0.7151522, 0.0721750],
        [0.0193339, 0.1191920, 0.9503041],
    ]
)


def lab(colour: Any, vision: Any) -> np.ndarray:
    """CIE L*a*b* of a colour as seen."""
    rgb = np.asarray(to_rgb(colour))
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    seen = XYZ @ np.clip(np.asarray(vision) @ linear, 0, 1) / [0.95047, 1.0, 1.08883]
    f = np.where(seen > 216 / 24389, np.cbrt(seen), (24389 / 27 * seen + 16) / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


@pytest.mark.parametrize("vision", VISION)
@pytest.mark.parametrize("scheme", [BRIGHT, MUTED], ids=["bright", "muted"])
def test_categories_are_told_apart(scheme: Any, vision: str) -> None:
    seen = np.array([lab(colour, VISION[vision]) for colour in scheme])
    distance = np.linalg.norm(seen[:, None] - seen[None], axis=-1)
    # a difference of 2.3 is just noticeable
    assert distance[np.triu_indices(len(seen), 1)].min() > 12


@pytest.mark.parametrize("vision", VISION)
def test_more_is_always_darker(vision: str) -> None:
    ramp = sequential()
    light = [lab(ramp(t), VISION[vision])[0] for t in np.linspace(0, 1, 33)]
    assert (np.diff(light) < -0.5).all()


@pytest.mark.parametrize("vision", VISION)
def test_signs_are_told_apart(vision: str) -> None:
    ramp = diverging()
    for strength in (0.25, 0.5, 1.0):
        minus = lab(ramp(0.5 - strength / 2), VISION[vision])
        plus = lab(ramp(0.5 + strength / 2), VISION[vision])
        assert np.linalg.norm(minus - plus) > 12
    assert ramp(0.5)[:3] == pytest.approx((1, 1, 1), abs=0.01)


def test_many_categories_have_markers_besides() -> None:
    assert len(set(colours(6))) == 6
    assert len(set(colours(10))) == 10
    pairs = set(zip(colours(40), markers(40), strict=True))
    assert len(pairs) == 40
    assert set(markers(10)) == {"o"}
