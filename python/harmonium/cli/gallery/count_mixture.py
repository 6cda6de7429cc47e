"""Figure 6: correlated counts as a mixture that moves their locations and shares their shapes."""

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from scipy.special import gammaln, logsumexp

from harmonium.cli.gallery.exhibit import Comparison, Conditions, Exhibit
from harmonium.families.com_poisson import CoMPoisson
from harmonium.learning.fit import Fit, fit
from harmonium.models import Mixture
from harmonium.plotting import panels, plot_correlations, plot_history, style
from harmonium.plotting.style import BRIGHT, SOFT_INK
from harmonium.validation import FloatArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COUNTS, CATEGORIES = 10, 4
MEANS = 5 - np.arange(COUNTS) / 3
NOISE = np.array([0.1, 0.1, 0.1, 0.5, 0.5, 0.3, 0.3, 0.3, 0.3, 0.3])
LOADINGS = np.array(
    [
        [0.9, -0.1, 0.1, 0.4, -0.8, -0.5, -0.2, 0.3, 0.2, -0.6],
        [0.1, 0.8, -0.1, -0.4, 0.3, 0.2, 0.5, -0.4, 0.2, 0.7],
        [0.1, 0.1, 0.7, -0.2, 0.8, 0.3, -0.3, 0.3, -0.6, 0.4],
    ]
)
MODEL = Mixture(CoMPoisson(COUNTS), CATEGORIES, shared="shape")
RATE = 3e-3
#: Counts beyond have no probability to speak of: the largest that occur are below 15.
_TABLE = np.arange(200.0)


@dataclass(frozen=True)
class Size:
    """How many rows; iterations and steps of EM by gradients."""

    rows: int
    iterations: int
    steps: int


QUICK, FULL = Size(300, 3, 20), Size(1000, 200, 100)


class Moments(NamedTuple):
    """Means (n,) and covariances (n, n)."""

    mean: FloatArray
    covariance: FloatArray


def exhibit(conditions: Conditions) -> Exhibit:
    """Fit from the paper's starting point, exactly and by gradients, and from the library's own."""
    size = FULL if conditions.full else QUICK
    x = _data(size.rows, conditions.rng(6))
    initial = paper_start(conditions.rng(6, 1))
    conditions.tell("mixture of counts: exact EM")
    began = time.perf_counter()
    exact = fit(MODEL, x, initial=initial, accelerate=True, warn=False)
    seconds = time.perf_counter() - began
    own = fit(MODEL, x, seed=conditions.rng(6, 2), accelerate=True, warn=False)
    conditions.tell("mixture of counts: EM by gradients")
    began = time.perf_counter()
    gradients = fit(
        MODEL,
        x,
        "EM-GD",
        initial=initial,
        rate=RATE,
        steps=size.steps,
        max_iter=size.iterations,
        warn=False,
    )
    gradient_seconds = time.perf_counter() - began
    alone = CoMPoisson(COUNTS)
    independent = -float(alone.log_density(alone.maximum_likelihood(x), x).mean())
    law = _Tables(exact.natural)
    found, sample = law.moments(), Moments(x.mean(0), np.cov(x.T, bias=True))
    pairs = np.tril_indices(COUNTS, -1)
    return Exhibit(
        title="Counts that go together",
        paragraphs=(
            f"{COUNTS} columns of counts, made by rounding three normal factors. The model has "
            f"{CATEGORIES} categories, which move the locations of independent CoM-Poisson "
            "counts; their shapes are shared, here all above 1: narrower than Poisson's. At the best "
            "parameters the model's means are the sample's, as theory says; the covariances, "
            "which are no parameters of it, come near: their correlation over all pairs is "
            f"{np.corrcoef(found.covariance[pairs], sample.covariance[pairs])[0, 1]:.3f}.",
            f"Exact EM is at {exact.cross_entropy:.3f} nats a row after {exact.n_iterations} "
            f"iterations; {size.iterations} × {size.steps} steps of Adam from the same start end "
            f"at {gradients.cross_entropy:.3f}.",
        ),
        alternative="Log-likelihoods over iterations; means and covariances of the model against "
        "the sample's; a matrix of correlations, the model's below the diagonal.",
        figure=_figure(exact, gradients, independent, found, sample),
        comparisons=(
            Comparison(
                "largest difference of a mean from the sample's, in standard errors",
                0.0,
                float(
                    (
                        np.abs(found.mean - sample.mean)
                        / np.sqrt(np.diagonal(sample.covariance) / len(x))
                    ).max()
                ),
                "likelihood equations",
                1e-3,
            ),
            Comparison(
                "cross-entropy of exact EM, in nats",
                own.cross_entropy,
                exact.cross_entropy,
                "the library's own start",
                1e-6,
            ),
            Comparison(
                "cross-entropy of exact EM, in nats",
                independent,
                exact.cross_entropy,
                "independent CoM-Poisson counts",
                relation="at most",
            ),
            Comparison(
                "cross-entropy of EM by gradients, in nats",
                exact.cross_entropy,
                gradients.cross_entropy,
                "exact EM",
                1e-6,
                "at least",
            ),
            Comparison(
                "largest error of a mean",
                0.0,
                float(np.abs(MODEL.to_mean(exact.natural)[:COUNTS] - found.mean).max()),
                "brute-force sums over counts",
                1e-9,
            ),
            Comparison(
                "largest error of a log probability, in nats",
                0.0,
                float(np.abs(exact.log_density(x) - law.log_probability(x)).max()),
                "brute-force sums over counts and categories",
                1e-9,
            ),
            Comparison(
                "largest error of a posterior probability",
                0.0,
                float(np.abs(exact.latent(x) - law.shares(x)).max()),
                "brute-force Bayes",
                1e-9,
            ),
        ),
        numbers={
            "rows": size.rows,
            "cross_entropy": exact.cross_entropy,
            "iterations": exact.n_iterations,
            "seconds": seconds,
            "em_by_gradients": {
                "cross_entropy": gradients.cross_entropy,
                "iterations": size.iterations,
                "steps": size.steps,
                "seconds": gradient_seconds,
            },
            "cross_entropy_of_independent_counts": independent,
            "weights": MODEL.to_parameters(exact.natural).weights,
            "shapes": -law.components[0, COUNTS:],
            "means": found.mean,
            "sample_means": sample.mean,
            "covariances": found.covariance,
            "sample_covariances": sample.covariance,
            "natural": exact.natural,
        },
    )


def paper_start(rng: np.random.Generator) -> FloatArray:
    """Return the paper's starting point: near Poisson counts of rate one, hardly any categories."""
    mode, shape = rng.uniform(0.9, 1.1, (2, COUNTS))
    observable: Any = MODEL.observable
    return MODEL.join(
        observable.from_parameters(mode=mode, shape=shape),
        rng.uniform(-0.01, 0.01, CATEGORIES - 1),
        rng.uniform(-0.01, 0.01, (COUNTS, CATEGORIES - 1)),
    )


def _data(rows: int, rng: np.random.Generator) -> FloatArray:
    """Factor analysis, cut at zero and rounded."""
    factors = rng.standard_normal((rows, len(LOADINGS))) @ LOADINGS
    noise = np.sqrt(NOISE) * rng.standard_normal((rows, COUNTS))
    return np.asarray(np.rint(np.maximum(MEANS + factors + noise, 0.0)))


class _Tables:
    """A point of the model as tables of the probabilities of all counts that matter."""

    def __init__(self, natural: FloatArray) -> None:
        theta, bias, interaction = MODEL.split(natural)
        #: Natural parameters (categories, 2 counts) of the components.
        self.components = np.repeat(theta[None], CATEGORIES, 0)
        self.components[1:, :COUNTS] += interaction.T
        log_rates, powers = self.components[:, :COUNTS, None], self.components[:, COUNTS:, None]
        energies = log_rates * _TABLE + powers * gammaln(_TABLE + 1)
        log_totals = logsumexp(energies, -1, keepdims=True)
        self._logs = energies - log_totals
        # the bias is that of the joint law: a category's weight has its normalisers besides
        odds = np.concatenate([[0.0], bias]) + log_totals[..., 0].sum(-1)
        self._log_weights = odds - logsumexp(odds)

    def _joint(self, x: FloatArray) -> FloatArray:
        column = np.arange(COUNTS)
        return np.asarray(self._log_weights + self._logs[:, column, x.astype(int)].sum(-1).T)

    def log_probability(self, x: FloatArray) -> FloatArray:
        return np.asarray(logsumexp(self._joint(x), -1))

    def shares(self, x: FloatArray) -> FloatArray:
        joint = self._joint(x)
        return np.asarray(np.exp(joint - logsumexp(joint, -1, keepdims=True)))

    def moments(self) -> Moments:
        weights, table = np.exp(self._log_weights), np.exp(self._logs)
        means = table @ _TABLE
        variances = table @ _TABLE**2 - means**2
        mean = weights @ means
        spread = means - mean
        between = (spread.T * weights) @ spread
        return Moments(mean, between + np.diag(weights @ variances))


def _correlations(moments: Moments) -> FloatArray:
    spread = np.sqrt(np.diagonal(moments.covariance))
    return np.asarray(moments.covariance / np.outer(spread, spread))


def _figure(exact: Fit, gradients: Fit, independent: float, found: Moments, sample: Moments) -> Any:
    with style():
        figure, axes = panels(
            (8.4, 6.8),
            "ab;cd",
            {
                "a": "Learning",
                "b": "Means",
                "c": "Covariances",
                "d": "Correlations",
            },
        )
        plot_history(
            {"exact EM": -exact.history, "EM by gradients": -gradients.history},
            reference={"independent counts": -independent},
            ax=axes["a"],
        )
        top, low = -exact.cross_entropy, -independent
        axes["a"].set_ylim(low - 1.5 * (top - low), top + 0.3 * (top - low))
        axes["a"].set_xscale("symlog", linthresh=1)
        longest = max(len(exact.history), len(gradients.history))
        ticks = [tick for tick in (0, 1, 10, 100) if tick < longest]
        axes["a"].set_xticks(ticks, [str(tick) for tick in ticks])
        axes["a"].set_xticks([], minor=True)
        axes["a"].set_xlim(0, longest - 1)
        _against(axes["b"], sample.mean, found.mean, "o", BRIGHT[0], None)
        pairs = np.tril_indices(COUNTS, -1)
        _against(
            axes["c"],
            np.diagonal(sample.covariance),
            np.diagonal(found.covariance),
            "s",
            BRIGHT[1],
            "variances",
        )
        _against(
            axes["c"],
            sample.covariance[pairs],
            found.covariance[pairs],
            "o",
            BRIGHT[0],
            "covariances",
        )
        axes["c"].legend(loc="upper left")
        matrix = np.triu(_correlations(sample)) + np.tril(_correlations(found), -1)
        plot_correlations(matrix, numbers=False, limit=0.6, ax=axes["d"])
        axes["d"].set_xlabel("above the diagonal: sample; below: model")
        return figure


def _against(
    ax: "Axes", sample: FloatArray, found: FloatArray, mark: str, colour: str, label: str | None
) -> None:
    both = np.concatenate([sample, found])
    ends = (float(both.min()), float(both.max()))
    ax.plot(ends, ends, color=SOFT_INK, linewidth=0.8, zorder=1)
    ax.plot(
        sample, found, mark, color=colour, markersize=6, mec="white", mew=0.5, label=label, zorder=3
    )
    ax.set_xlabel("sample")
    ax.set_ylabel("model")
