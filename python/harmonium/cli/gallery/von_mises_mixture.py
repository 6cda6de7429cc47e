"""Figure 5: a mixture of pairs of angles, by every way of learning from one starting point."""

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import logsumexp
from scipy.stats import vonmises

from harmonium.cli.gallery.exhibit import Comparison, Conditions, Exhibit
from harmonium.families.von_mises import VonMises
from harmonium.learning.fit import Fit, fit
from harmonium.models import Mixture
from harmonium.plotting import colours, panels, plot_density, plot_ellipses, plot_history, style
from harmonium.plotting.style import INK
from harmonium.validation import FloatArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MODEL = Mixture(VonMises(2), 3)
WEIGHTS = np.array([0.34, 0.33, 0.33])
MEANS = np.array([[2.5, 4.5], [1.5, 1.5], [4.5, 1.5]])
CONCENTRATIONS = np.array([[3.0, 2.0], [2.0, 3.0], [2.5, 2.5]])
POINTS = 100
_TURN = 2 * np.pi
_TICKS = np.arange(5) * np.pi / 2
_LABELS = ("0", "π/2", "π", "3π/2", "2π")


def exhibit(conditions: Conditions) -> Exhibit:
    """Fit by each method from one random starting point."""
    truth = MODEL.from_parameters(weights=WEIGHTS, mean=MEANS, concentration=CONCENTRATIONS)
    x = MODEL.sample(truth, conditions.rng(5), POINTS)[:, :2]
    initial = conditions.rng(5, 1).uniform(-0.2, 0.2, MODEL.dimension)
    fits = _fits(x, initial, conditions)
    exact = fits["exact EM"]
    known = fit(MODEL, x, initial=truth, warn=False)
    scores = -MODEL.log_observable_density(truth, x)
    learned = MODEL.to_parameters(exact.natural)
    return Exhibit(
        title="Clusters of pairs of angles",
        paragraphs=(
            f"{POINTS} pairs of angles from three clusters, each a product of two von Mises laws. "
            "Every way of learning begins at one point, close to a single cluster without "
            "direction.",
        ),
        alternative="Log-likelihoods over epochs; pairs of angles with true and learned ellipses; "
        "the learned density.",
        figure=_figure(fits, x, float(scores.mean())),
        comparisons=(
            Comparison(
                "cross-entropy of exact EM, in nats",
                known.cross_entropy,
                exact.cross_entropy,
                "fitting on from the true law",
                1e-6,
                "at most",
            ),
            Comparison(
                "cross-entropy of exact EM, in nats",
                float(scores.mean()),
                exact.cross_entropy,
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
                "largest error of a posterior probability",
                0.0,
                float(np.abs(exact.latent(x) - _shares(learned, x)).max()),
                "brute-force Bayes",
                1e-12,
            ),
            Comparison(
                "largest error of a log density, in nats",
                0.0,
                float(np.abs(exact.log_density(x) - logsumexp(_joint(learned, x), -1)).max()),
                "brute-force sum of three laws",
                1e-11,
            ),
        ),
        numbers={
            "points": POINTS,
            "true_parameters": {
                "weights": WEIGHTS,
                "mean": MEANS,
                "concentration": CONCENTRATIONS,
            },
            "entropy_of_the_law": _entropy(),
            "cross_entropy_of_the_law": float(scores.mean()),
            "cross_entropy_from_the_law": known.cross_entropy,
            "methods": {
                name: {
                    "cross_entropy": fitted.cross_entropy,
                    "iterations": fitted.n_iterations,
                    "weights": MODEL.to_parameters(fitted.natural).weights,
                    "mean": MODEL.to_parameters(fitted.natural).components.mean,
                    "concentration": MODEL.to_parameters(fitted.natural).components.concentration,
                }
                for name, fitted in fits.items()
            },
            "initial": initial,
        },
    )


def _fits(x: FloatArray, initial: FloatArray, conditions: Conditions) -> dict[str, Fit]:
    conditions.tell("mixture of von Mises: exact EM")
    return {"exact EM": fit(MODEL, x, initial=initial, warn=False)}


def _joint(parameters: Any, x: FloatArray) -> FloatArray:
    """Log weight times density of each component (n, 3), by another library."""
    laws = vonmises(parameters.components.concentration, parameters.components.mean)
    return np.asarray(np.log(parameters.weights) + laws.logpdf(x[:, None]).sum(-1))


def _shares(parameters: Any, x: FloatArray) -> FloatArray:
    joint = _joint(parameters, x)
    return np.asarray(np.exp(joint - logsumexp(joint, -1, keepdims=True)))


def _entropy() -> float:
    """Of the true law: the midpoint rule is exact to all digits for what is smooth and periodic."""
    side = (np.arange(200) + 0.5) * (_TURN / 200)
    grid = np.stack(np.meshgrid(side, side), -1).reshape(-1, 2)
    laws = vonmises(CONCENTRATIONS, MEANS).logpdf(grid[:, None]).sum(-1)
    logs = logsumexp(laws, -1, b=WEIGHTS)
    return float(-(np.exp(logs) @ logs) * (_TURN / 200) ** 2)


def _figure(fits: dict[str, Fit], x: FloatArray, cross_entropy: float) -> Any:
    with style():
        figure, axes = panels(
            (10.0, 3.6),
            "abc",
            {
                "a": "Learning",
                "b": "Clusters: true and learned",
                "c": "Density learned by exact EM",
            },
        )
        histories = {name: -fitted.history for name, fitted in fits.items()}
        plot_history(histories, reference={"true law": -cross_entropy}, ax=axes["a"])
        axes["a"].set_ylabel("log-likelihood per point (nats)")
        wrapped = np.mod(x, _TURN)
        axes["b"].scatter(wrapped[:, 0], wrapped[:, 1], s=9, color=INK, alpha=0.6, linewidths=0)
        _ellipses(axes["b"], MEANS, CONCENTRATIONS, INK)
        for fitted, shade in zip(fits.values(), colours(len(fits)), strict=True):
            components = MODEL.to_parameters(fitted.natural).components
            _ellipses(axes["b"], components.mean, components.concentration, shade)
        plot_density(
            fits["exact EM"],
            wrapped,
            limits=((0, _TURN), (0, _TURN)),
            resolution=160,
            ax=axes["c"],
        )
        for letter in "bc":
            axes[letter].set_xlim(0, _TURN)
            axes[letter].set_ylim(0, _TURN)
            axes[letter].set_xticks(_TICKS, _LABELS)
            axes[letter].set_yticks(_TICKS, _LABELS)
            axes[letter].set_aspect("equal")
            axes[letter].set_xlabel("first angle")
            axes[letter].set_ylabel("second angle")
        return figure


def _ellipses(ax: "Axes", means: FloatArray, concentrations: FloatArray, colour: str) -> None:
    """Semi-axes are 1 / sqrt(concentration)."""
    covariances = np.stack([np.diag(1 / k) for k in concentrations])
    plot_ellipses(np.mod(means, _TURN), covariances, radii=(1.0,), colour=colour, ax=ax)
