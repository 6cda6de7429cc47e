"""Figure 5: a mixture of pairs of angles, by every way of learning from one starting point."""

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from scipy.special import logsumexp
from scipy.stats import vonmises

from harmonium.cli.gallery.exhibit import Comparison, Conditions, Exhibit
from harmonium.families.von_mises import VonMises
from harmonium.learning.fit import Fit, fit
from harmonium.models import Mixture
from harmonium.plotting import colours, panels, plot_density, plot_ellipses, style
from harmonium.plotting.style import INK
from harmonium.validation import FloatArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MODEL = Mixture(VonMises(2), 3)
WEIGHTS = np.array([0.34, 0.33, 0.33])
MEANS = np.array([[2.5, 4.5], [1.5, 1.5], [4.5, 1.5]])
CONCENTRATIONS = np.array([[3.0, 2.0], [2.0, 3.0], [2.5, 2.5]])
POINTS = 100
RATE = 5e-3
BATCH = 10
#: Samples of the model, and of each row's posterior, of a Monte Carlo gradient.
JOINT_SAMPLES, POSTERIOR_SAMPLES = 10, 1
_TURN = 2 * np.pi
_TICKS = np.arange(5) * np.pi / 2
_LABELS = ("0", "π/2", "π", "3π/2", "2π")


@dataclass(frozen=True)
class Size:
    """Iterations and steps of each, by exact and by Monte Carlo gradients.

    The steps of an iteration by exact gradients are as many epochs; by batches of a tenth of the
    rows ten steps are.
    """

    iterations: int
    steps: int
    sampled_iterations: int
    sampled_steps: int


QUICK, FULL = Size(8, 100, 2, 200), Size(200, 100, 200, 1000)


class Run(NamedTuple):
    """A fit, and the epochs at which its history was taken."""

    fit: Fit
    epochs: FloatArray
    seconds: float


def exhibit(conditions: Conditions) -> Exhibit:
    """Fit by each method from one random starting point."""
    truth = MODEL.from_parameters(weights=WEIGHTS, mean=MEANS, concentration=CONCENTRATIONS)
    x = MODEL.sample(truth, conditions.rng(5), POINTS)[:, :2]
    initial = conditions.rng(5, 1).uniform(-0.2, 0.2, MODEL.dimension)
    size = FULL if conditions.full else QUICK
    runs = _runs(x, initial, size, conditions)
    exact = runs["exact EM"].fit
    known = fit(MODEL, x, initial=truth, warn=False)
    scores = -MODEL.log_observable_density(truth, x)
    learned = MODEL.to_parameters(exact.natural)
    return Exhibit(
        title="Clusters of pairs of angles",
        paragraphs=(
            f"{POINTS} pairs of angles from three clusters, each a product of two von Mises laws. "
            "Every way of learning begins at one point, close to a single cluster without "
            "direction: exact expectation-maximisation, and Adam on the cross-entropy (CE) or on "
            "each M-step (EM), by exact gradients (GD) or by gradients estimated from exact "
            "samples (MCGD). Exact EM is at the lowest cross-entropy after "
            f"{exact.n_iterations} passes over the data. All go down the same function, which has "
            f"several minima; {_where(runs, known)}.",
        ),
        alternative="Log-likelihoods over epochs; pairs of angles with true and learned ellipses; "
        "the learned density.",
        figure=_figure(runs, x, float(scores.mean())),
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
            *(
                Comparison(
                    f"cross-entropy of {name}, in nats",
                    known.cross_entropy,
                    run.fit.cross_entropy,
                    "the lowest, known from fitting on from the true law",
                    1e-6,
                    "at least",
                )
                for name, run in runs.items()
                if run.fit is not exact
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
                    "cross_entropy": run.fit.cross_entropy,
                    "iterations": run.fit.n_iterations,
                    "epochs": run.epochs[-1],
                    "seconds": run.seconds,
                    "history": run.fit.history,
                    **_parameters(run.fit),
                }
                for name, run in runs.items()
            },
            "initial": initial,
        },
    )


def _runs(x: FloatArray, initial: FloatArray, size: Size, conditions: Conditions) -> dict[str, Run]:
    exact: dict[str, Any] = {"max_iter": size.iterations, "steps": size.steps, "rate": RATE}
    sampled = {
        "max_iter": size.sampled_iterations,
        "steps": size.sampled_steps,
        "rate": RATE,
        "batch_size": BATCH,
        "joint_samples": JOINT_SAMPLES,
        "posterior_samples": POSTERIOR_SAMPLES,
    }
    sampled_epochs = size.sampled_steps * BATCH / POINTS
    ways: list[tuple[str, Any, dict[str, Any], float]] = [
        ("exact EM", "EM", {}, 1.0),
        ("CE-GD", "CE-GD", exact, size.steps),
        ("EM-GD", "EM-GD", exact, size.steps),
        ("CE-MCGD", "CE-MCGD", sampled, sampled_epochs),
        ("EM-MCGD", "EM-MCGD", sampled, sampled_epochs),
    ]
    runs = {}
    for name, method, options, epochs in ways:
        conditions.tell(f"mixture of von Mises: {name}")
        began = time.perf_counter()
        fitted = fit(
            MODEL, x, method, initial=initial, seed=conditions.rng(5, 2), warn=False, **options
        )
        seconds = time.perf_counter() - began
        taken: FloatArray = epochs * np.arange(len(fitted.history), dtype=float)
        runs[name] = Run(fitted, taken, seconds)
    return runs


def _where(runs: dict[str, Run], known: Fit) -> str:
    """How far above the lowest cross-entropy each descent ends, in words."""
    ends = [
        f"{name} {max(run.fit.cross_entropy - known.cross_entropy, 0.0):.3f}"
        for name, run in runs.items()
        if name != "exact EM"
    ]
    return f"the descents end above the lowest by {', '.join(ends[:-1])} and {ends[-1]} nats"


def _parameters(fitted: Fit) -> dict[str, Any]:
    parameters = MODEL.to_parameters(fitted.natural)
    return {"weights": parameters.weights, **parameters.components._asdict()}


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


def _figure(runs: dict[str, Run], x: FloatArray, cross_entropy: float) -> Any:
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
        _draw_histories(axes["a"], runs, cross_entropy)
        wrapped = np.mod(x, _TURN)
        axes["b"].scatter(wrapped[:, 0], wrapped[:, 1], s=9, color=INK, alpha=0.6, linewidths=0)
        _ellipses(axes["b"], MEANS, CONCENTRATIONS, INK)
        for run, shade in zip(runs.values(), colours(len(runs)), strict=True):
            components = MODEL.to_parameters(run.fit.natural).components
            _ellipses(axes["b"], components.mean, components.concentration, shade)
        plot_density(
            runs["exact EM"].fit,
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


def _draw_histories(ax: "Axes", runs: dict[str, Run], cross_entropy: float) -> None:
    for (name, run), shade in zip(runs.items(), colours(len(runs)), strict=True):
        ax.plot(run.epochs, -run.fit.history, color=shade, linewidth=1.4, label=name)
    ax.axhline(-cross_entropy, color=INK, linewidth=1, linestyle=(0, (4, 3)), label="true law")
    last = max(float(run.epochs[-1]) for run in runs.values())
    ax.set_xscale("symlog", linthresh=1)
    powers = 10 ** np.arange(int(np.log10(last)) + 1)
    ax.set_xticks([0, *powers.tolist()], ["0", *(f"{p}" for p in powers)])
    ax.set_xticks([], minor=True)
    ax.set_xlim(0, last)
    ax.set_xlabel("epoch")
    ax.set_ylabel("log-likelihood per point (nats)")
    ax.legend(loc="lower right")


def _ellipses(ax: "Axes", means: FloatArray, concentrations: FloatArray, colour: str) -> None:
    """Semi-axes are 1 / sqrt(concentration)."""
    covariances = np.stack([np.diag(1 / k) for k in concentrations])
    plot_ellipses(np.mod(means, _TURN), covariances, radii=(1.0,), colour=colour, ax=ax)
