"""Figure 8: what is known of a categorical law's weights, as observations come in."""

from functools import partial
from typing import Any

import numpy as np
from scipy.special import gammaln
from scipy.stats import dirichlet

from harmonium.cli.gallery.exhibit import Comparison, Conditions, Exhibit
from harmonium.conjugate_prior import ConjugatePrior
from harmonium.families.categorical import Categorical
from harmonium.plotting import panels, plot_simplex_density, simplex_places, style
from harmonium.plotting.style import BRIGHT, INK
from harmonium.validation import FloatArray

WEIGHTS = np.array([0.5, 0.2, 0.3])
PRIOR = np.array([0.5, 0.5, 0.5])
BATCHES, ROWS = 3, 10
MODEL = ConjugatePrior(Categorical(3))


def exhibit(conditions: Conditions) -> Exhibit:
    """Observe three batches, and hold each posterior against counting and Monte Carlo."""
    family: Any = MODEL.prior
    prior = np.ravel(family.from_parameters(concentration=PRIOR))
    law = Categorical(3)
    x = law.sample(
        np.ravel(law.from_parameters(probabilities=WEIGHTS)), conditions.rng(8), BATCHES * ROWS
    )
    after = MODEL.posteriors(prior, x)
    naturals = np.concatenate([prior[None], after[ROWS - 1 :: ROWS]])
    concentrations = family.to_parameters(naturals).concentration
    counts = np.cumsum(np.eye(3)[x[:, 0].astype(int)], 0)
    counted = np.concatenate([PRIOR[None], PRIOR + counts[ROWS - 1 :: ROWS]])
    conditions.tell("Dirichlet: draws from the prior, weighted by the likelihood")
    draws = 1_000_000 if conditions.full else 100_000
    first = counts[ROWS - 1]
    sampled = _by_sampling(first, draws, conditions.rng(8, 1))
    evidence = MODEL.log_marginal_likelihood(prior, x)
    before = np.concatenate([prior[None], after[:-1]])
    one_by_one = sum(
        float(MODEL.log_predictive_density(point, row[None])[0])
        for point, row in zip(before, x, strict=True)
    )
    grid = np.random.default_rng(0).dirichlet(np.ones(3), 200)
    densities = np.stack([family.log_density(point, grid) for point in naturals])
    by_scipy = np.stack([dirichlet.logpdf(grid.T, a) for a in counted])
    return Exhibit(
        title="Weights of a categorical law",
        paragraphs=(
            "Before anything is seen, the density of the three weights prefers the corners (a). "
            f"Each observation adds one to a count, and after {ROWS}, {2 * ROWS} and {3 * ROWS} "
            "of them (b, c, d) the density gathers around the true weights (star). Dots: the "
            "shares of each batch so far. The bands hold shares of the probability, from 10 % to "
            "99 %.",
        ),
        alternative="Four triangles with bands of density, which draw together around a star.",
        figure=_figure(naturals, counts),
        comparisons=(
            Comparison(
                "largest error of a posterior's concentration",
                0.0,
                float(np.abs(concentrations - counted).max()),
                "counting",
                1e-12,
            ),
            Comparison(
                "largest error of a log density, in nats",
                0.0,
                float(np.abs(densities - by_scipy).max()),
                "scipy's Dirichlet law with the counts",
                1e-10,
            ),
            Comparison(
                "log probability of all observations, in nats",
                _log_evidence(counts[-1]),
                float(evidence),
                "ratio of Beta functions",
                1e-12 * abs(float(evidence)),
            ),
            Comparison(
                "log probability of all observations, in nats",
                one_by_one,
                float(evidence),
                "the chain rule, one prediction after another",
                1e-12 * abs(float(evidence)),
            ),
            Comparison(
                f"probability of the first {ROWS} observations, over its Monte Carlo estimate",
                1.0,
                float(np.exp(MODEL.log_marginal_likelihood(prior, x[:ROWS]))) / sampled[0],
                "draws from the prior; five standard errors",
                5 * sampled[1] / sampled[0],
            ),
        ),
        numbers={
            "true_weights": WEIGHTS,
            "observations": x[:, 0].astype(int),
            "concentrations": concentrations,
            "posterior_means": concentrations / concentrations.sum(-1, keepdims=True),
            "log_marginal_likelihood": float(evidence),
            "monte_carlo_evidence_of_the_first_batch": sampled[0],
            "its_standard_error": sampled[1],
            "draws": draws,
            "entropies": family.entropy(naturals),
        },
    )


def _log_evidence(counts: FloatArray) -> float:
    def log_beta(a: FloatArray) -> float:
        return float(gammaln(a).sum() - gammaln(a.sum()))

    return log_beta(PRIOR + counts) - log_beta(PRIOR)


def _by_sampling(counts: FloatArray, draws: int, rng: np.random.Generator) -> tuple[float, float]:
    """The average likelihood under the prior, and its standard error."""
    likelihoods = (rng.dirichlet(PRIOR, draws) ** counts).prod(-1)
    return float(likelihoods.mean()), float(likelihoods.std()) / np.sqrt(draws)


def _figure(naturals: FloatArray, counts: FloatArray) -> Any:
    titles = {"a": "Before any observation"} | {
        letter: f"After {ROWS * (k + 1)}" for k, letter in enumerate("bcd")
    }
    with style():
        figure, axes = panels((9.6, 2.6), "abcd", titles)
        ends = counts[ROWS - 1 :: ROWS]
        shares = np.diff(np.concatenate([np.zeros((1, 3)), ends]), axis=0) / ROWS
        star = simplex_places(WEIGHTS[None])
        for k, (letter, point) in enumerate(zip("abcd", naturals, strict=True)):
            plot_simplex_density(partial(MODEL.prior.log_density, point), ax=axes[letter])
            seen = simplex_places(shares[:k]) if k else np.empty((0, 2))
            axes[letter].plot(
                *seen.T, "o", color=BRIGHT[1], mec="white", markersize=5, label="batches", zorder=4
            )
            axes[letter].plot(
                *star.T,
                "*",
                color=BRIGHT[3],
                mec=INK,
                mew=0.6,
                markersize=16,
                label="truth",
                zorder=3.5,
            )
        axes["d"].legend(loc="upper right", bbox_to_anchor=(1.1, 1.0))
        return figure
