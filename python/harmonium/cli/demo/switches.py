"""Switches: binary units whose combinations fill a plane with normals."""

from typing import Any

import numpy as np
from sklearn.decomposition import PCA

from harmonium.cli.demo.section import Picture, Section
from harmonium.cli.demo.size import Size
from harmonium.cli.demo.tables import digits
from harmonium.cli.rings import RINGS_ENTROPY, two_rings
from harmonium.cli.text import minus
from harmonium.cli.watch import Tell
from harmonium.families.boltzmann import Boltzmann
from harmonium.families.normal import Normal
from harmonium.learning.fit import Fit, fit
from harmonium.models import LinearGaussian
from harmonium.plotting import (
    components_of,
    new_figure,
    plot_correlations,
    plot_density,
    plot_ellipses,
    plot_history,
    unit_correlations,
    unit_laws,
)
from harmonium.plotting.style import BRIGHT, INK, SOFT_INK, dress, style
from harmonium.validation import FloatArray

#: What is shown of the plane of the rings.
_WINDOW = ((-4.2, 4.2), (-4.2, 4.2))
#: A switch whose state is as sure as this is drawn as settled.
_SETTLED = 0.01


def switches(size: Size, tell: Tell) -> tuple[Section, Fit, FloatArray]:
    """Fit the Gaussian–Boltzmann model to two rings and to digits; also return the rings' fit."""
    units = size.units
    rings = two_rings(size.ring_points, np.random.default_rng(0))
    fits = _restarts(rings, size, size.ring_starts, tell, "two rings")
    best = min(fits, key=lambda f: f.cross_entropy)
    images = digits(size.digits)
    plane = PCA(2).fit_transform(images.x)
    real = _restarts(plane, size, max(size.ring_starts // 3, 1), tell, "digits in the plane")
    best_real = min(real, key=lambda f: f.cross_entropy)
    tell("drawing switches")
    return (
        Section(
            name="switches",
            title="Switches that work together",
            paragraphs=(
                f"Hidden behind each point are {units} switches, on or off. Each switch that is "
                "on moves the point in a direction of its own, and switches may prefer to be on "
                f"together or to exclude each other. The {2**units} combinations fill the "
                f"plane with {2**units} soft blobs, but the model has far fewer numbers to learn "
                f"than {2**units} free blobs would.",
                "Two rings, a hard shape: the model scores "
                f"{minus(f'{-best.cross_entropy:.3f}')} nats per point; the law the points were "
                f"drawn from would score {minus(f'{-RINGS_ENTROPY:.3f}')}.",
            ),
            pictures=(
                Picture(
                    "switches-rings",
                    "The density learned from points on two rings. Each band says how much "
                    "probability lies within it.",
                    "A blue ring-shaped density with a dense spot in its centre, and the points.",
                    _density_picture(best, rings, size, _WINDOW, ("x₁", "x₂"), colour_bar=True),
                ),
                Picture(
                    "switches-blobs",
                    f"What it is made of: one ellipse for each of the {2**units} combinations of "
                    "switches, stronger where the combination is more frequent. Arrows: what "
                    "each switch does, starting where all are off.",
                    "The points with ellipses along the rings, and arrows from one of them.",
                    _blobs_picture(best, rings),
                ),
                Picture(
                    "switches-prior",
                    "Which switches go together (red) and which exclude each other (blue) before "
                    "anything is seen.",
                    "Matrix of correlations between the switches.",
                    _correlation_picture(unit_correlations(*unit_laws(best))),
                ),
                Picture(
                    "switches-learning",
                    "Learning is a climb with several summits: each line is another random start. "
                    "The best is kept. Dashed: the law the points were drawn from.",
                    "Log-likelihood per point over iterations, for many starts.",
                    _history_picture(fits),
                ),
                Picture(
                    "switches-posterior",
                    "What a point says about the switches: on the left the chance that each is "
                    "on, on the right how the doubt that remains ties them together (grey: below "
                    "1 % of doubt). Of each ring, a typical point and the most ambiguous one.",
                    "Four rows of bars and correlation matrices.",
                    _posterior_picture(best, rings),
                ),
                Picture(
                    "switches-digits",
                    f"The same model with {units} switches on real data: {len(plane)} handwritten "
                    "digits, each a dot, placed by the two combinations of pixels that vary most.",
                    "Density with several peaks over a cloud of dots.",
                    _density_picture(
                        best_real,
                        plane,
                        size,
                        None,
                        ("first principal score", "second principal score"),
                        colour_bar=True,
                    ),
                ),
            ),
            numbers={
                "rings": {
                    "log_likelihood_per_row": -best.cross_entropy,
                    "of_the_law_itself": -RINGS_ENTROPY,
                    "all_starts": sorted((-f.cross_entropy for f in fits), reverse=True),
                    "iterations": best.n_iterations,
                    "converged": best.converged,
                    "residual": best.residual,
                },
                "digits_in_the_plane": {
                    "log_likelihood_per_row": -best_real.cross_entropy,
                    "all_starts": sorted((-f.cross_entropy for f in real), reverse=True),
                    "iterations": best_real.n_iterations,
                    "converged": best_real.converged,
                    "residual": best_real.residual,
                },
                "units": units,
            },
        ),
        best,
        rings,
    )


def _restarts(x: FloatArray, size: Size, starts: int, tell: Tell, what: str) -> list[Fit]:
    model = LinearGaussian(Normal(x.shape[1]), Boltzmann(size.units))
    fits = []
    for seed in range(starts):
        tell(f"switches behind {what}: start {seed + 1} of {starts}")
        fits.append(fit(model, x, seed=seed, accelerate=True, max_iter=size.iterations, warn=False))
    return fits


def _density_picture(
    best: Fit,
    x: FloatArray,
    size: Size,
    window: Any,
    names: tuple[str, str],
    *,
    colour_bar: bool,
) -> Any:
    with style():
        figure = new_figure(4.8, 4.2)
        axes = dress(figure.add_subplot())
        plot_density(
            best,
            x,
            limits=window,
            names=names,
            colour_bar=colour_bar,
            resolution=size.resolution,
            ax=axes,
        )
        axes.set_aspect("equal")
        return figure


def _blobs_picture(best: Fit, x: FloatArray) -> Any:
    parts = components_of(best)
    with style():
        figure = new_figure(4.8, 4.2)
        axes = dress(figure.add_subplot())
        axes.scatter(x[:, 0], x[:, 1], s=3, color=SOFT_INK, alpha=0.35, linewidths=0)
        plot_ellipses(
            parts.means,
            parts.covariances,
            weights=parts.weights,
            radii=(1.0,),
            colour=BRIGHT[1],
            ax=axes,
        )
        n_units = int(np.log2(len(parts.means)))
        off = parts.means[0]
        for unit in range(n_units):
            on = parts.means[1 << unit]
            axes.annotate(
                "",
                on,
                xytext=off,
                arrowprops={
                    "arrowstyle": "-|>",
                    "color": BRIGHT[0],
                    "lw": 1.3,
                    "shrinkA": 0,
                    "shrinkB": 0,
                },
                zorder=5,
            )
            axes.annotate(
                str(unit + 1),
                on,
                xytext=0.3 * (on - off) / max(float(np.linalg.norm(on - off)), 1e-12),
                textcoords="offset fontsize",
                ha="center",
                va="center",
                fontsize=8,
                color=INK,
                zorder=6,
            )
        axes.set_aspect("equal")
        axes.set_xlabel("x₁")
        axes.set_ylabel("x₂")
        return figure


def _correlation_picture(matrix: FloatArray) -> Any:
    with style():
        figure = new_figure(4.8, 4.2)
        axes = plot_correlations(matrix, ax=dress(figure.add_subplot()))
        axes.set_xlabel("switch")
        axes.set_ylabel("switch")
        return figure


def _posterior_picture(best: Fit, x: FloatArray) -> Any:
    inner = len(x) // 5
    family, laws = unit_laws(best, x)
    doubt = family.entropy(laws)
    order = (np.argsort(doubt[:inner]), inner + np.argsort(doubt[inner:]))
    rows = [int(ring[place]) for ring in order for place in (len(ring) // 2, -1)]
    points = laws[rows]
    chances = family.to_mean(points)[:, : family.n]
    with style():
        figure = new_figure(4.8, 6.4)
        grid = figure.subplots(len(rows), 2, gridspec_kw={"width_ratios": (1.7, 1.0)}, sharex="col")
        for place, (row, point) in enumerate(zip(rows, points, strict=True)):
            bars, matrix = dress(grid[place, 0]), dress(grid[place, 1])
            bars.bar(np.arange(family.n), chances[place], width=0.7, color=BRIGHT[0])
            bars.set_ylim(0, 1)
            bars.set_yticks([0, 0.5, 1])
            bars.set_xticks(np.arange(family.n), [str(k + 1) for k in range(family.n)])
            ring = "inner" if row < inner else "outer"
            bars.set_title(
                f"{ring} ring: ({_number(x[row, 0])}, {_number(x[row, 1])})", fontsize=8.5
            )
            ties = unit_correlations(family, point)
            settled = np.minimum(chances[place], 1 - chances[place]) < _SETTLED
            ties[settled], ties[:, settled] = np.nan, np.nan
            plot_correlations(ties, numbers=False, colour_bar=False, ax=matrix)
        grid[-1, 0].set_xlabel("switch")
        grid[-1, 1].set_xlabel("switch")
        figure.supylabel("chance that the switch is on", fontsize=9)
        return figure


def _number(value: float) -> str:
    """One decimal, with a real minus sign, and none before zero."""
    return minus(f"{round(float(value), 1) + 0.0:.1f}")


def _history_picture(fits: list[Fit]) -> Any:
    with style():
        figure = new_figure(4.8, 3.6)
        axes = plot_history(
            fits, reference={"the law itself": -RINGS_ENTROPY}, ax=dress(figure.add_subplot())
        )
        axes.set_ylabel("log-likelihood per point (nats)")
        return figure
