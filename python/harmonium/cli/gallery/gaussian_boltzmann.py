"""Figure 3: binary neurons behind points on two rings, by exact expectation-maximisation."""

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from harmonium.cli.gallery.brute_force import LinearByStates, PlaneByStates
from harmonium.cli.gallery.exhibit import Comparison, Conditions, Exhibit
from harmonium.cli.gallery.gradient_em import Learned, Schedule, em_by_gradients
from harmonium.cli.rings import Rings
from harmonium.cli.text import minus
from harmonium.families.boltzmann import Boltzmann
from harmonium.families.normal import Normal
from harmonium.learning.fit import Fit, fit
from harmonium.models import LinearGaussian
from harmonium.plotting import (
    colours,
    panels,
    plot_correlations,
    plot_density,
    plot_ellipses,
    plot_history,
    plot_moments,
    style,
    unit_correlations,
    unit_laws,
)
from harmonium.plotting.style import BRIGHT, SOFT_INK
from harmonium.validation import FloatArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes

RINGS = Rings((0.3, 3.0), (200, 800), 0.2)
UNITS = 6
MODEL = LinearGaussian(Normal(2), Boltzmann(UNITS))
_WINDOW = ((-5.0, 5.0), (-5.0, 5.0))
_MARKERS = ("o", "s", "D", "^")


@dataclass(frozen=True)
class Size:
    """How much is done.

    Attributes
    ----------
    paper_starts, own_starts : int
        Starting points of the paper's and of the library's kind.
    iterations : int
        Most iterations of exact EM from each.
    schedule : Schedule
        Of EM by gradients.
    """

    paper_starts: int
    own_starts: int
    iterations: int
    schedule: Schedule


QUICK = Size(3, 0, 200, Schedule(3, 50, 3e-4))
FULL = Size(30, 30, 1000, Schedule(1000, 500, 3e-4))


def exhibit(conditions: Conditions) -> Exhibit:
    """Fit from many starting points, and hold the best against enumeration and the law."""
    size = FULL if conditions.full else QUICK
    x = RINGS.sample(conditions.rng(3))
    began = time.perf_counter()
    fits = _fits(x, size, conditions)
    seconds = time.perf_counter() - began
    best = min((f for kind in fits.values() for f in kind), key=lambda f: f.cross_entropy)
    conditions.tell("Gaussian–Boltzmann: EM by gradients")
    gradients = _by_gradients(x, size.schedule, conditions.rng(3, 2, 0))
    examples = x[[0, 100, 300, 700]]
    first = fits["the paper's starts"][0]
    check = LinearByStates(MODEL.to_parameters(best.natural))
    conditions.tell("comparing with enumeration and the law")
    moments = _moments(best, examples)
    return Exhibit(
        title="Binary neurons behind two rings",
        paragraphs=(
            f"Hidden behind each point are {UNITS} binary neurons. Each that is on moves the "
            f"point, and they may excite or inhibit each other; their {2**UNITS} states fill the "
            "plane with normals of one shape. Exact expectation-maximisation ends at "
            f"{best.cross_entropy:.3f} nats a point; the law of the rings itself has an entropy "
            f"of {RINGS.entropy():.3f}. Where it ends depends on where it starts: the best of "
            f"{sum(map(len, fits.values()))} starting points is shown. From the first of them "
            f"{size.schedule.iterations} × {size.schedule.steps} steps of Adam end at "
            f"{gradients.history[-1]:.3f}, exact EM at {first.cross_entropy:.3f}.",
        ),
        alternative="Points on two rings with six ellipses; the learned density; correlations of "
        "the neurons; four matrices of posterior moments; cross-entropies over iterations.",
        figure=_figure(best, fits, gradients, x, examples, moments),
        comparisons=(
            Comparison(
                "cross-entropy of the best fit, in nats",
                RINGS.entropy(),
                best.cross_entropy,
                "entropy of the law, by quadrature",
                relation="at least",
            ),
            Comparison(
                "cross-entropy of the best fit, in nats",
                3.2,
                best.cross_entropy,
                "a good fit by gradients",
                relation="at most",
            ),
            Comparison(
                "cross-entropy of the best fit with respect to the law, in nats",
                RINGS.entropy(),
                _against_law(best),
                "Gibbs' inequality; quadrature in the plane",
                1e-9,
                "at least",
            ),
            Comparison(
                "cross-entropy of the law on the points, in nats",
                RINGS.entropy(),
                float(-RINGS.log_density(x).mean()),
                "quadrature; five standard errors",
                5 * float(RINGS.log_density(x).std()) / np.sqrt(len(x)),
            ),
            Comparison(
                "largest error of a posterior moment",
                0.0,
                float(np.abs(moments - check.moments(examples)).max()),
                "brute-force Bayes over all states",
                1e-10,
            ),
            Comparison(
                "largest error of a log density, in nats",
                0.0,
                float(np.abs(best.log_density(x) - check.log_density(x)).max()),
                "brute-force sum over all states",
                1e-10,
            ),
            Comparison(
                "largest error of the model's expectations",
                0.0,
                float(
                    np.abs(
                        np.asarray(PlaneByStates(UNITS).to_mean(gradients.natural))
                        - MODEL.to_mean(gradients.natural)
                    ).max()
                ),
                "brute-force sum over all states",
                1e-10,
            ),
            Comparison(
                "largest rise of the cross-entropy in an iteration, in nats",
                0.0,
                max(float(np.diff(f.history).max()) for kind in fits.values() for f in kind),
                "what expectation-maximisation promises",
                1e-10,
                "at most",
            ),
        ),
        numbers={
            "rings": {"radii": RINGS.radii, "counts": RINGS.counts, "noise": RINGS.noise},
            "entropy_of_the_law": RINGS.entropy(),
            "entropy_by_monte_carlo": _by_monte_carlo(conditions.rng(3, 1)),
            "cross_entropy": best.cross_entropy,
            "cross_entropy_with_respect_to_the_law": _against_law(best),
            "exact_em": {
                kind: {
                    "cross_entropies": sorted(f.cross_entropy for f in group),
                    "iterations": [f.n_iterations for f in group],
                    "converged": sum(f.converged for f in group),
                }
                for kind, group in fits.items()
            },
            "seconds_of_exact_em": seconds,
            "em_by_gradients": {
                "cross_entropy": float(gradients.history[-1]),
                "exact_em_from_the_same_start": first.cross_entropy,
                "iterations": size.schedule.iterations,
                "steps": size.schedule.steps,
                "seconds": gradients.seconds,
                "history": gradients.history,
            },
            "residual": best.residual,
            "natural": best.natural,
            "prior_correlations": unit_correlations(*unit_laws(best)),
            "examples": examples,
            "posterior_moments": moments,
        },
    )


def paper_start(rng: np.random.Generator) -> FloatArray:
    """Return the paper's starting point: prior and interactions uniform, x standard normal."""
    observable: Any = MODEL.observable
    return MODEL.from_prior_and_likelihood(
        prior=rng.uniform(-1, 1, MODEL.latent.dimension),
        interaction=rng.uniform(-1, 1, (2, UNITS)),
        observable=observable.from_parameters(mean=np.zeros(2), covariance=np.eye(2)),
    )


def _by_gradients(x: FloatArray, schedule: Schedule, rng: np.random.Generator) -> Learned:
    def cross_entropy(natural: FloatArray) -> float:
        return -float(MODEL.log_observable_density(natural, x).mean())

    def expectation(natural: FloatArray) -> FloatArray:
        return MODEL.expectation(natural, x)

    return em_by_gradients(
        PlaneByStates(UNITS), paper_start(rng), expectation, cross_entropy, schedule
    )


def _fits(x: FloatArray, size: Size, conditions: Conditions) -> dict[str, list[Fit]]:
    def fits(kind: str, n: int) -> list[Fit]:
        done = []
        for k in range(n):
            conditions.tell(f"Gaussian–Boltzmann: start {k + 1} of {n}, {kind}")
            rng = conditions.rng(3, 2, k)
            done.append(
                fit(
                    MODEL,
                    x,
                    initial=paper_start(rng) if kind == "the paper's starts" else None,
                    seed=rng,
                    accelerate=True,
                    max_iter=size.iterations,
                    warn=False,
                )
            )
        return done

    kinds = {"the paper's starts": size.paper_starts, "the library's starts": size.own_starts}
    return {kind: fits(kind, n) for kind, n in kinds.items() if n}


def _moments(fitted: Fit, x: FloatArray) -> FloatArray:
    """E[z zT | x], (n, units, units), by the library."""
    family, laws = unit_laws(fitted, x)
    return family.location_moments(family.to_mean(laws))[1]


def _against_law(fitted: Fit) -> float:
    """-E[log q] under the law of the rings, on a grid finer than its noise."""
    side, step = np.linspace(-5, 5, 251, retstep=True)
    grid = np.stack(np.meshgrid(side, side), -1).reshape(-1, 2)
    density = np.exp(RINGS.log_density(grid))
    return float(-(density @ fitted.log_density(grid)) * step**2)


def _by_monte_carlo(rng: np.random.Generator) -> dict[str, float]:
    scores = np.concatenate([-RINGS.log_density(RINGS.sample(rng)) for _ in range(20)])
    return {
        "entropy": float(scores.mean()),
        "standard_error": float(scores.std()) / np.sqrt(len(scores)),
    }


def _figure(
    best: Fit,
    fits: dict[str, list[Fit]],
    gradients: Learned,
    x: FloatArray,
    examples: FloatArray,
    moments: FloatArray,
) -> Any:
    with style():
        figure, axes = panels(
            (10.0, 6.0),
            "aaaabbbbcccc;dd112233eeee",
            {
                "a": "Points, and one neuron on",
                "b": "Learned density",
                "c": "Correlations of the neurons",
                "d": "Posterior moments",
                "e": "Learning, from every start",
            },
            gridspec_kw={"height_ratios": (1.35, 1)},
        )
        _draw_points(axes["a"], best, x)
        plot_density(best, limits=_WINDOW, names=("x₁", "x₂"), resolution=160, ax=axes["b"])
        axes["b"].set_aspect("equal")
        for point, mark in zip(examples, _MARKERS, strict=True):
            axes["b"].plot(*point, mark, color=BRIGHT[1], mec="white", markersize=7, zorder=4)
        plot_correlations(unit_correlations(*unit_laws(best)), ax=axes["c"])
        axes["c"].set_xlabel("neuron")
        _draw_moments([axes[letter] for letter in "d123"], examples, moments)
        _draw_histories(axes["e"], fits, gradients)
        return figure


def _draw_points(ax: "Axes", best: Fit, x: FloatArray) -> None:
    mean, loadings, noise, _ = MODEL.to_parameters(best.natural)
    ax.scatter(x[:, 0], x[:, 1], s=4, color=SOFT_INK, alpha=0.35, linewidths=0)
    centres = mean + loadings.T
    plot_ellipses(centres, np.repeat(noise[None], UNITS, 0), radii=(1.0,), ax=ax)
    for k, (centre, shade) in enumerate(zip(centres, colours(UNITS), strict=True)):
        across, upward = centre
        ax.text(
            across, upward, str(k + 1), color=shade, fontsize=8, ha="center", va="center", zorder=5
        )
    ax.set_xlim(*_WINDOW[0])
    ax.set_ylim(*_WINDOW[1])
    ax.set_aspect("equal")
    ax.set_xlabel("x₁")
    ax.set_ylabel("x₂")


def _draw_moments(axes: "list[Axes]", examples: FloatArray, moments: FloatArray) -> None:
    for ax, point, matrix, mark in zip(axes, examples, moments, _MARKERS, strict=True):
        plot_moments(matrix, numbers=False, colour_bar=False, ax=ax)
        ax.set_anchor("N")
        ax.set_xlabel(minus(f"x = ({point[0] + 0.0:.1f}, {point[1] + 0.0:.1f})"), fontsize=8)
        ax.plot(
            *(0.02, -0.225),
            mark,
            transform=ax.transAxes,
            color=BRIGHT[1],
            mec="white",
            markersize=7,
            clip_on=False,
        )
    figure: Any = axes[0].figure
    bar = figure.colorbar(axes[0].images[0], ax=axes, location="bottom", fraction=0.05, pad=0.04)
    bar.set_label("probability that both are on", fontsize=8, color=SOFT_INK)
    bar.ax.tick_params(length=0, labelsize=7, labelcolor=SOFT_INK)
    bar.outline.set_visible(False)


def _draw_histories(ax: "Axes", fits: dict[str, list[Fit]], gradients: Learned) -> None:
    every = [-f.history for kind in fits.values() for f in kind]
    plot_history(every, reference={"entropy of the law": -RINGS.entropy()}, ax=ax)
    ax.plot([], [], color=BRIGHT[0], linewidth=2, label="exact EM, the best")
    ax.plot(-gradients.history, color=BRIGHT[1], linewidth=1.4, label="EM by gradients", zorder=3)
    ax.legend(loc="lower right")
    ax.set_ylabel("log-likelihood per point (nats)")
    ax.set_xscale("symlog", linthresh=1)
    longest = max(map(len, (*every, gradients.history)))
    ticks = [tick for tick in (0, 1, 10, 100, 1000) if tick < longest]
    ax.set_xticks(ticks, [str(tick) for tick in ticks])
    ax.set_xticks([], minor=True)
    ax.set_xlim(0, longest)
    ax.set_ylim(-6, -2.6)
