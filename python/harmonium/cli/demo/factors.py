"""Factors: what moves many measurements together."""

from typing import Any

import numpy as np
from sklearn.model_selection import KFold

from harmonium.cli.demo.peers import compare_factors
from harmonium.cli.demo.section import Picture, Section, quiet
from harmonium.cli.demo.size import Size
from harmonium.cli.demo.tables import digits, tumours, wines
from harmonium.cli.watch import Tell
from harmonium.estimators import FactorAnalysis
from harmonium.families.normal import Normal
from harmonium.learning.fit import fit
from harmonium.plotting import new_figure, plot_loadings
from harmonium.plotting.style import BRIGHT, INK, SOFT_INK, dress, style
from harmonium.validation import FloatArray


def factors(size: Size, tell: Tell) -> Section:
    """Choose how many factors explain the wines by data held out, and draw what they do."""
    wine = wines()
    spread = wine.x.std(0)
    x = (wine.x - wine.x.mean(0)) / spread
    most = size.most_factors
    held_out = np.empty((most + 2, len(x)))
    for m in range(most + 1):
        tell(f"factors of wines: {m} of {most}, on data held out")
        held_out[m] = _held_out(x, m, size)
    tell("factors of wines: all correlations")
    held_out[-1] = _held_out(x, None, size)
    scores = held_out[:-1].mean(-1)
    n_factors = _fewest(held_out[1:-1]) + 1
    with quiet():
        fitted = FactorAnalysis(n_factors, rotation="varimax").fit(x)
    loadings = fitted.components_.T
    loadings = loadings * np.where(loadings.sum(0) < 0, -1.0, 1.0)
    explained = 1 - fitted.noise_variance_ / x.var(0)
    tell("factor analysis beside scikit-learn's")
    tumour, images = tumours().x, digits(size.digits)
    standard = (tumour - tumour.mean(0)) / tumour.std(0)
    limits = (size.peer_iterations, size.repeats)
    comparisons = (
        compare_factors(wine.x, 3, "wine, 178 × 13, as measured", *limits),
        compare_factors(x, 3, "wine, 178 × 13, standardised", *limits),
        compare_factors(standard, 5, "breast cancer, 569 × 30, standardised", *limits),
        compare_factors(
            images.x,
            8,
            f"digits, {len(images.x)} × {images.x.shape[1]}",
            *limits,
        ),
    )
    tell("drawing factors of wines")
    return Section(
        name="factors",
        title="A few causes behind many measurements",
        paragraphs=(
            "The same wines, now with all thirteen measurements. The model supposes that a few "
            "hidden factors, different from wine to wine, push several measurements up or down "
            "at once, and that the rest is noise, each measurement with its own.",
            f"How many factors? Parts of the data are hidden during learning, and the model has "
            f"to predict them. {n_factors} factors do as well as any number, within the "
            f"uncertainty, and better than a table of all {x.shape[1] * (x.shape[1] - 1) // 2} "
            "correlations.",
        ),
        pictures=(
            Picture(
                "factors-loadings",
                "What each factor does: red measurements rise with it, blue ones fall. The numbers "
                "are correlations of factor and measurement. (The factors are turned so that "
                "each concerns as few measurements as possible, which changes nothing else.)",
                f"Heat map of {n_factors} factors by thirteen measurements.",
                _loadings_picture(loadings, wine.names),
            ),
            Picture(
                "factors-number",
                "How probable wines are that the model has not seen, by number of factors; higher "
                "is better. Bars: one standard error of the difference to the highest. Circle: "
                "the fewest factors within it. Dashed: a model of all correlations.",
                "Held-out log-likelihood rising with the number of factors, then level.",
                _number_picture(held_out, n_factors),
            ),
        ),
        numbers={
            "data": "wine, all thirteen measurements, standardised",
            "held_out_log_likelihood_per_row": {
                **{str(m): float(score) for m, score in enumerate(scores)},
                "all correlations": float(held_out[-1].mean()),
            },
            "n_factors": n_factors,
            "log_likelihood_per_row": float(fitted.score(x)),
            "explained_share_of_variance": dict(zip(wine.names, explained.tolist(), strict=True)),
            "loadings": dict(zip(wine.names, loadings.tolist(), strict=True)),
        },
        comparisons=comparisons,
    )


def _held_out(x: FloatArray, n_factors: int | None, size: Size) -> FloatArray:
    """Log densities (n,) of rows under models fitted without them; None: all correlations."""
    out = np.empty(len(x))
    folds = KFold(size.folds, shuffle=True, random_state=0)
    with quiet():
        for seen, unseen in folds.split(x):
            if n_factors:
                out[unseen] = FactorAnalysis(n_factors).fit(x[seen]).score_samples(x[unseen])
            else:
                law = Normal(x.shape[1], "full" if n_factors is None else "diagonal")
                out[unseen] = fit(law, x[seen]).log_density(x[unseen])
    return out


def _fewest(held_out: FloatArray) -> int:
    """The first row whose mean is within a standard error of the best's (paired by column)."""
    best = held_out[held_out.mean(-1).argmax()]
    return int(np.argmax([(best - row).mean() <= _error(best - row) for row in held_out]))


def _error(difference: FloatArray) -> float:
    """Standard error of a mean."""
    return float(difference.std(ddof=1) / np.sqrt(len(difference)))


def _loadings_picture(loadings: FloatArray, names: list[str]) -> Any:
    # measurements of the same factor side by side, the strongest first
    own = np.abs(loadings).argmax(-1)
    order = np.lexsort((-np.abs(loadings).max(-1), own))
    with style():
        figure = new_figure(4.8, 4.4)
        plot_loadings(
            loadings[order],
            names=[names[i] for i in order],
            limit=1.0,
            label="correlation with the factor",
            ax=dress(figure.add_subplot()),
        )
        return figure


def _number_picture(held_out: FloatArray, n_factors: int) -> Any:
    scores = held_out[:-1].mean(-1)
    best = int(scores.argmax())
    errors = [_error(held_out[best] - row) for row in held_out[:-1]]
    with style():
        figure = new_figure(4.8, 3.6)
        axes = dress(figure.add_subplot())
        numbers = np.arange(len(scores))
        axes.errorbar(
            numbers,
            scores,
            yerr=errors,
            color=BRIGHT[0],
            marker="o",
            markersize=4,
            elinewidth=1.0,
            capsize=2.0,
            zorder=3,
        )
        axes.plot(
            n_factors,
            scores[n_factors],
            "o",
            markersize=11,
            fillstyle="none",
            color=INK,
            zorder=4,
        )
        level = float(held_out[-1].mean())
        axes.axhline(level, color=SOFT_INK, linewidth=1.0, linestyle=(0, (4, 3)))
        axes.annotate(
            "all correlations",
            (0.0, level),
            xycoords=("axes fraction", "data"),
            xytext=(4, 3),
            textcoords="offset points",
            ha="left",
            va="bottom",
            fontsize=8,
            color=SOFT_INK,
        )
        axes.set_xticks(numbers)
        axes.set_xlabel("number of factors")
        axes.set_ylabel("held-out log-likelihood per wine (nats)")
        return figure
