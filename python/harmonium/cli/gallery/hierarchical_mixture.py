"""Figure 10: a mixture of normals, itself hidden behind a linear Gaussian model."""

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from scipy.integrate import quad
from scipy.stats import multivariate_normal, norm

from harmonium.cli.gallery.exhibit import Comparison, Conditions, Exhibit
from harmonium.families.normal import Normal
from harmonium.learning.fit import Fit, fit
from harmonium.models import LinearGaussian, Mixture
from harmonium.plotting import panels, plot_density, plot_history, style
from harmonium.plotting.style import BRIGHT, INK, SOFT_INK
from harmonium.validation import FloatArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LATENT = Mixture(Normal(), 2)
MODEL = LinearGaussian(Normal(2, "diagonal"), LATENT)
POINTS = 400
CENTRES = np.array([-2.5, 2.5])
NOISE = np.array([0.1, 8.0])
_WINDOW = ((-10.0, 10.0), (-10.0, 10.0))
_MASSES = (0.1, 0.3, 0.5, 0.7, 0.9, 0.99)
_Y = np.linspace(-6, 6, 601)
#: Fits this much worse than the best, in nats a row, ended elsewhere.
_APART = 0.01


@dataclass(frozen=True)
class Size:
    """Starting points of the paper's and of the library's kind."""

    paper_starts: int
    own_starts: int


QUICK, FULL = Size(6, 2), Size(40, 10)
ITERATIONS = 200


class Clusters(NamedTuple):
    """A law as a mixture of two normals in the plane: weights (2,), means (2, 2), covariances."""

    weights: FloatArray
    means: FloatArray
    covariances: FloatArray


def exhibit(conditions: Conditions) -> Exhibit:
    """Fit from the paper's and the library's starting points, and hold the best against the law."""
    size = FULL if conditions.full else QUICK
    truth = true_law()
    x = MODEL.sample(truth, conditions.rng(10), POINTS)[:, :2]
    began = time.perf_counter()
    starts = [paper_start(conditions.rng(10, 1, k)) for k in range(size.paper_starts)]
    fits = [_fit(x, conditions, f"start {k + 1}", initial=s) for k, s in enumerate(starts)]
    own = [
        _fit(x, conditions, f"own start {k + 1}", seed=conditions.rng(10, 2, k))
        for k in range(size.own_starts)
    ]
    seconds = time.perf_counter() - began
    conditions.tell("hierarchical mixture: from the truth, to convergence")
    known = fit(MODEL, x, initial=truth, accelerate=True, max_iter=500, warn=False)
    place = int(np.argmin([f.cross_entropy for f in fits]))
    best = fits[place]
    lowest = min(f.cross_entropy for f in (*fits, *own, known))
    found, true = clusters(best.natural), clusters(truth)
    scores = -MODEL.log_observable_density(truth, x)
    good = [sum(f.cross_entropy < lowest + _APART for f in group) for group in (fits, own)]
    return Exhibit(
        title="A mixture behind a linear model",
        paragraphs=(
            "A cluster is drawn, then a hidden number from that cluster's normal, then a point in "
            "the plane from the number. The clusters lie apart across, while the law varies most "
            "upward (grey arrow; red: the sample), so that its first principal component loses "
            "the clusters; exact expectation-maximisation of all levels at once finds them. "
            f"Of the paper's random starts {good[0]} of {len(fits)} end at the best likelihood, "
            f"the rest in an optimum up to "
            f"{max(f.cross_entropy for f in fits) - lowest:.2f} nats worse; of the library's own "
            f"starts {good[1]} of {len(own)} do.",
            "Hidden numbers are drawn on the scale of the first coordinate. Where the second "
            "hardly depends on them, how the variance within a cluster divides into theirs and "
            "noise is not for the data to say: only the sum, 1.1, is.",
        ),
        alternative="Contours of the true density with points and an arrow; of the initial and "
        "the learned density; cross-entropies over iterations; hidden densities before and after.",
        figure=_figure(truth, starts[place], best, (fits, own), x, float(scores.mean())),
        comparisons=(
            Comparison(
                "cross-entropy of the best fit, in nats",
                known.cross_entropy,
                best.cross_entropy,
                "fitting on from the true law",
                _APART,
                "at most",
            ),
            Comparison(
                "cross-entropy of the worst of the library's own starts, in nats",
                known.cross_entropy,
                max(f.cross_entropy for f in own),
                "fitting on from the true law",
                _APART,
                "at most",
            ),
            Comparison(
                "cross-entropy of the best fit, in nats",
                float(scores.mean()),
                best.cross_entropy,
                "that of the true law on the same points",
                relation="at most",
            ),
            Comparison(
                "cross-entropy of the true law on the points, in nats",
                _entropy(),
                float(scores.mean()),
                "its entropy by quadrature; five standard errors",
                5 * float(scores.std()) / np.sqrt(POINTS),
            ),
            Comparison(
                "distance between the clusters",
                float(np.diff(CENTRES)[0]),
                float(np.linalg.norm(found.means[1] - found.means[0])),
                "the true law; ten standard errors",
                10 * float(np.sqrt(1.1 * 4 / POINTS)),
            ),
            Comparison(
                "largest error of a log density, in nats",
                0.0,
                float(
                    np.abs(
                        _log_density(found, x) - MODEL.log_observable_density(best.natural, x)
                    ).max()
                ),
                "brute-force sum of two normals",
                1e-10,
            ),
            Comparison(
                "largest rise of the cross-entropy in an iteration, in nats",
                0.0,
                max(float(np.diff(f.history).max()) for f in (*fits, *own)),
                "what expectation-maximisation promises",
                1e-10,
                "at most",
            ),
        ),
        numbers={
            "points": POINTS,
            "iterations": ITERATIONS,
            "entropy_of_the_law": _entropy(),
            "cross_entropy_of_the_law": float(scores.mean()),
            "cross_entropy_from_the_law": known.cross_entropy,
            "cross_entropies_of_the_papers_starts": sorted(f.cross_entropy for f in fits),
            "cross_entropies_of_the_librarys_starts": sorted(f.cross_entropy for f in own),
            "seconds_of_exact_em": seconds,
            "true_clusters": true._asdict(),
            "learned_clusters": found._asdict(),
            "direction_of_maximum_variance": _widest(x),
            "natural": best.natural,
        },
    )


def true_law() -> FloatArray:
    """The natural parameters of the law that the points are drawn from."""
    prior = LATENT.from_parameters(
        weights=[0.5, 0.5], mean=CENTRES[:, None], covariance=np.ones((2, 1, 1))
    )
    return MODEL.from_parameters(mean=[0.0, 0.0], loadings=[[1.0], [0.0]], noise=NOISE, prior=prior)


def paper_start(rng: np.random.Generator) -> FloatArray:
    """The paper's starting point: near the right clusters, in a random direction."""
    one, plane = Normal(), Normal(2, "diagonal")
    components = np.stack(
        [one.from_parameters(mean=[m], covariance=[[1.5]]) for m in (-1.5, 1.5)]
    ) + rng.uniform(-0.1, 0.1, (2, 2))
    odds = np.exp(rng.uniform(-1, 1))
    prior = LATENT.from_parameters(
        weights=[1 / (1 + odds), odds / (1 + odds)], components=components
    )
    observable = plane.from_parameters(mean=[0.0, 0.0], covariance=[2.0, 2.0])
    return MODEL.from_prior_and_likelihood(
        prior=prior,
        observable=observable + rng.uniform(-0.1, 0.1, 4),
        interaction=rng.uniform(-1, 1, (2, 1)),
    )


def clusters(natural: FloatArray) -> Clusters:
    """Return the clusters in the plane, the one on the left first."""
    mean, loadings, noise, prior = MODEL.to_parameters(natural)
    means = mean + prior.components.mean @ loadings.T
    covariances = noise + loadings @ prior.components.covariance @ loadings.T
    order = np.argsort(means[:, 0])
    return Clusters(prior.weights[order], means[order], covariances[order])


def _log_density(law: Clusters, x: FloatArray) -> FloatArray:
    parts = [
        weight * multivariate_normal.pdf(x, mean, covariance)
        for weight, mean, covariance in zip(*law, strict=True)
    ]
    return np.asarray(np.log(np.sum(parts, 0)))


def _fit(
    x: FloatArray,
    conditions: Conditions,
    what: str,
    initial: FloatArray | None = None,
    seed: object = None,
) -> Fit:
    conditions.tell(f"hierarchical mixture: {what}")
    return fit(MODEL, x, initial=initial, seed=seed, max_iter=ITERATIONS, warn=False)


def _entropy() -> float:
    """Of the true law: its coordinates are independent."""

    def integrand(x: float) -> float:
        density = 0.5 * float(norm.pdf(x, CENTRES, np.sqrt(1 + NOISE[0])).sum())
        return -density * float(np.log(density))

    first = float(quad(integrand, -15, 15, points=CENTRES, epsabs=1e-12)[0])
    return first + 0.5 * float(np.log(2 * np.pi * np.e * NOISE[1]))


def _widest(x: FloatArray) -> FloatArray:
    """The direction (2,) in which points vary most, as long as their standard deviation there."""
    values, axes = np.linalg.eigh(np.cov(x.T))
    return np.asarray(np.sqrt(values[-1]) * axes[:, -1] * np.sign(axes[1, -1]))


def _hidden(natural: FloatArray) -> FloatArray:
    """Density (n,) of the hidden numbers, on the scale of the first coordinate."""
    mean, loadings, _, prior = MODEL.to_parameters(natural)
    scale = loadings[0, 0]
    centres = mean[0] + scale * prior.components.mean[:, 0]
    spread = np.abs(scale) * np.sqrt(prior.components.covariance[:, 0, 0])
    return np.asarray(norm.pdf(_Y[:, None], centres, spread) @ prior.weights)


def _figure(
    truth: FloatArray,
    start: FloatArray,
    best: Fit,
    fits: tuple[list[Fit], list[Fit]],
    x: FloatArray,
    cross_entropy: float,
) -> Any:
    with style():
        figure, axes = panels(
            (9.6, 6.2),
            "abc;def",
            {
                "a": "The true law and its points",
                "b": "At the start",
                "c": "Learned",
                "d": "Learning, from every start",
                "e": "Hidden, at the start",
                "f": "Hidden, learned",
            },
            gridspec_kw={"height_ratios": (1.4, 1)},
        )
        axes["a"].scatter(x[:, 0], x[:, 1], s=5, color=BRIGHT[0], alpha=0.6, linewidths=0)
        law = np.array([0.0, np.sqrt(NOISE[1])])
        for (across, upward), shade in ((law, SOFT_INK), (_widest(x), BRIGHT[1])):
            axes["a"].annotate(
                "",
                (2 * across, 2 * upward),
                xytext=(0, 0),
                arrowprops={"arrowstyle": "-|>", "color": shade, "lw": 2, "shrinkA": 0},
                zorder=5,
            )
        for letter, point, shade in (("b", start, BRIGHT[0]), ("c", best.natural, BRIGHT[1])):
            _contours(axes[letter], point, shade)
        for letter in "abc":
            _contours(axes[letter], truth, INK)
            axes[letter].set_aspect("equal")
            axes[letter].set_yticks([-10, -5, 0, 5, 10])
        for letter, point, shade, name in (
            ("e", start, BRIGHT[0], "start"),
            ("f", best.natural, BRIGHT[1], "learned"),
        ):
            axes[letter].plot(_Y, _hidden(truth), color=INK, label="true")
            axes[letter].plot(_Y, _hidden(point), color=shade, label=name)
            axes[letter].set_xlim(-6, 6)
            axes[letter].set_ylim(0, None)
            axes[letter].set_xlabel("hidden y")
            axes[letter].set_ylabel("density")
            axes[letter].legend()
        _draw_histories(axes["d"], fits, cross_entropy)
        return figure


def _contours(ax: "Axes", natural: FloatArray, colour: str) -> None:
    plot_density(
        lambda x: MODEL.log_observable_density(natural, x),
        limits=_WINDOW,
        masses=_MASSES,
        filled=False,
        colour=colour,
        names=("x₁", "x₂"),
        resolution=120,
        ax=ax,
    )


def _draw_histories(ax: "Axes", fits: tuple[list[Fit], list[Fit]], cross_entropy: float) -> None:
    random, own = fits
    plot_history([-f.history for f in random], reference={"true law": -cross_entropy}, ax=ax)
    for k, fitted in enumerate(own):
        label = "library's starts" if k == 0 else None
        ax.plot(-fitted.history, color=BRIGHT[2], linewidth=1.2, label=label, zorder=2.5)
    ax.set_ylabel("log-likelihood per point (nats)")
    ax.set_xscale("symlog", linthresh=1)
    ax.set_xticks([0, 1, 10, 100], ["0", "1", "10", "100"])
    ax.set_xticks([], minor=True)
    ax.set_xlim(0, ITERATIONS)
    ax.set_ylim(-5.5, -4.4)
    ax.legend(loc="lower right")
