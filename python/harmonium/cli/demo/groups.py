"""Groups: a mixture of normals, their number found from the data."""

from typing import Any

import numpy as np
from sklearn.decomposition import PCA
from sklearn.metrics import adjusted_rand_score

from harmonium.cli.demo.matching import matched_colours
from harmonium.cli.demo.peers import compare_mixtures
from harmonium.cli.demo.section import Picture, Section
from harmonium.cli.demo.size import Size
from harmonium.cli.demo.tables import Table, digits, irises, tumours, wines_in_four
from harmonium.cli.watch import Tell
from harmonium.families.normal import Normal
from harmonium.learning.fit import Fit, fit
from harmonium.learning.information import information_criteria
from harmonium.models import Mixture
from harmonium.plotting import (
    colours,
    components_of,
    new_figure,
    plot_density,
    plot_ellipses,
    plot_history,
)
from harmonium.plotting.arguments import limits_of
from harmonium.plotting.style import INK, SOFT_INK, dress, style

#: The columns of the picture: flavanoids across, colour intensity upward.
_SHOWN = (1, 2)
#: Principal scores of digits that are compared.
_SCORES = 10
_SHAPES: dict[str, tuple[Any, Any]] = {
    "one shape for each group": ("full", None),
    "one shape for all": ("full", "shape"),
    "upright shapes": ("diagonal", None),
}


def groups(size: Size, tell: Tell) -> Section:
    """Fit mixtures to wines, choose how many groups, and compare three tables with scikit-learn."""
    wine = wines_in_four()
    found: dict[str, dict[int, list[Fit]]] = {}
    for name, (covariance, shared) in _SHAPES.items():
        found[name] = {}
        for k in range(1, size.most_groups + 1):
            tell(f"groups of wines: {k} of {size.most_groups}, {name}")
            model = Mixture(Normal(wine.x.shape[1], covariance), k, shared)
            found[name][k] = _starts(model, wine, size)
    criteria = {
        name: {k: _bic(fits, wine) for k, fits in by_number.items() if fits}
        for name, by_number in found.items()
    }
    shape, n_groups = min(
        ((name, k) for name, by_number in criteria.items() for k in by_number),
        key=lambda choice: criteria[choice[0]][choice[1]],
    )
    fits = found[shape][n_groups]
    best = min(fits, key=lambda f: f.cross_entropy)
    labels = best.latent(wine.x).argmax(-1)
    agreement = float(adjusted_rand_score(wine.kinds, labels))
    tell("mixtures beside scikit-learn's")
    iris, tumour, images = irises(), tumours(), digits(size.digits)
    comparisons = (
        compare_mixtures(wine.x, 3, "wine, 178 × 4", size.repeats),
        compare_mixtures(iris.x, 3, "iris, 150 × 4", size.repeats),
        compare_mixtures(tumour.x[:, :10], 2, "breast cancer, 569 × 10", size.repeats),
        compare_mixtures(
            PCA(_SCORES, random_state=0).fit_transform(images.x),
            10,
            f"digits, {len(images.x)} × {_SCORES} principal scores",
            size.repeats,
        ),
    )
    tell("drawing groups of wines")
    return Section(
        name="groups",
        title="Groups nobody pointed out",
        paragraphs=(
            "178 Italian wines, of each four chemical measurements. The model supposes that every "
            "wine belongs to one of a few groups, and that each group scatters around its own "
            "average. It is told neither the groups nor how many there are.",
            f"It settles on {n_groups} groups. The wines in truth come from three growers’ "
            f"varieties; the agreement of the groups found with these is {agreement:.2f}, where 1 "
            "is perfect and 0 is chance (the adjusted Rand index).",
        ),
        pictures=(
            Picture(
                "groups-density",
                "The wines (dots, coloured by the group the model puts them in) and where it "
                "expects wines to be (blue; darker is denser). The model lives in four dimensions; "
                "the other two are integrated out exactly. Ellipses: one and two standard "
                "deviations of each group.",
                f"Wines by flavanoids and colour intensity in {n_groups} coloured groups, each "
                "with ellipses around it.",
                _picture(best, wine, labels, size),
            ),
            Picture(
                "groups-truth",
                "The same wines in the colours of the growers’ varieties, which the model was "
                "never told. (Each group has the colour of the variety it fits best.)",
                "The same wines, coloured by variety.",
                _truth_picture(wine, n_groups),
            ),
            Picture(
                "groups-number",
                "How many groups? The Bayesian information criterion weighs how well a model fits "
                "against how many numbers it needs. Lower is better; the circle marks the lowest. "
                "Fits in which a group shrank onto a handful of wines are left out: their "
                "likelihood has no bound.",
                "Lines of the criterion over the number of groups, for three kinds of shapes.",
                _criteria_picture(criteria, shape, n_groups, size),
            ),
            Picture(
                "groups-learning",
                "Learning: with each iteration the data become more probable under the model, and "
                "never less. Every line is another random start; the thick one is kept.",
                "Log-likelihood per row rising over the iterations to a plateau.",
                _history_picture(fits),
            ),
        ),
        numbers={
            "data": "wine: alcohol, flavanoids, colour intensity, proline",
            "bic": {
                name: {str(k): value for k, value in by_number.items()}
                for name, by_number in criteria.items()
            },
            "shape": shape,
            "n_groups": n_groups,
            "log_likelihood_per_row": -best.cross_entropy,
            "iterations": best.n_iterations,
            "converged": best.converged,
            "adjusted_rand_index": agreement,
        },
        comparisons=comparisons,
    )


def _starts(model: Any, table: Table, size: Size) -> list[Fit]:
    """Fits from many starts, without those whose likelihood is on its way to infinity."""
    fits = []
    for seed in range(size.starts):
        # clusters first, random rows afterwards: they end in more different optima
        fitted = fit(
            model,
            table.x,
            seed=seed,
            sharing="kmeans" if seed == 0 else "random_from_data",
            accelerate=True,
            max_iter=500,
            warn=False,
        )
        if not fitted.notes:
            fits.append(fitted)
    return fits


def _bic(fits: list[Fit], table: Table) -> float:
    return min(information_criteria(f, float(len(table.x))).bic for f in fits)


def _picture(best: Fit, wine: Table, labels: Any, size: Size) -> Any:
    with style():
        figure = new_figure(4.8, 4.2)
        axes = dress(figure.add_subplot())
        parts = components_of(best)
        shades = matched_colours(labels, wine.kinds, len(parts.weights), len(wine.kind_names))
        across, upward = wine.x[:, _SHOWN].T
        plot_density(
            best,
            wine.x,
            columns=_SHOWN,
            masses=(0.2, 0.4, 0.6, 0.8, 0.95),
            names=wine.names,
            resolution=size.resolution,
            points=False,
            ax=axes,
        )
        for k, shade in enumerate(shades):
            own = labels == k
            axes.scatter(
                across[own],
                upward[own],
                s=13,
                color=shade,
                edgecolors="white",
                linewidths=0.4,
                zorder=3,
                label=f"group {k + 1}: {own.sum()} wines",
            )
            plot_ellipses(
                parts.means[k : k + 1],
                parts.covariances[k : k + 1],
                columns=_SHOWN,
                colour=shade,
                ax=axes,
            )
        axes.set_xlabel("flavanoids")
        axes.set_ylabel("colour intensity")
        axes.legend(loc="upper right", handletextpad=0.2)
        return figure


def _truth_picture(wine: Table, n_groups: int) -> Any:
    shades = colours(max(n_groups, len(wine.kind_names)))
    with style():
        figure = new_figure(4.8, 4.2)
        axes = dress(figure.add_subplot())
        for k, name in enumerate(wine.kind_names):
            own = wine.x[wine.kinds == k][:, _SHOWN]
            axes.scatter(
                own[:, 0],
                own[:, 1],
                s=13,
                color=shades[k],
                edgecolors="white",
                linewidths=0.4,
                label=f"{name}: {len(own)} wines",
            )
        left, right, bottom, top = limits_of(wine.x[:, _SHOWN])
        axes.set_xlim(left, right)
        axes.set_ylim(bottom, top)
        axes.set_xlabel("flavanoids")
        axes.set_ylabel("colour intensity")
        axes.legend(loc="upper right", handletextpad=0.2)
        return figure


def _criteria_picture(
    criteria: dict[str, dict[int, float]], shape: str, n_groups: int, size: Size
) -> Any:
    with style():
        figure = new_figure(4.8, 3.6)
        axes = dress(figure.add_subplot())
        for (name, by_number), shade in zip(criteria.items(), colours(3), strict=True):
            axes.plot(
                list(by_number),
                list(by_number.values()),
                marker="o",
                markersize=4,
                color=shade,
                label=name,
            )
        lowest = criteria[shape][n_groups]
        axes.plot(n_groups, lowest, "o", markersize=11, fillstyle="none", color=INK, zorder=4)
        axes.set_xticks(range(1, size.most_groups + 1))
        axes.set_xlabel("number of groups")
        axes.set_ylabel("Bayesian information criterion")
        axes.legend(loc="upper right")
        axes.margins(y=0.14)
        axes.annotate(
            f"{n_groups} groups",
            (n_groups, lowest),
            xytext=(0, -13),
            textcoords="offset points",
            ha="center",
            va="top",
            fontsize=8,
            color=SOFT_INK,
        )
        return figure


def _history_picture(fits: list[Fit]) -> Any:
    with style():
        figure = new_figure(4.8, 3.6)
        axes = plot_history(fits, ax=dress(figure.add_subplot()))
        ends = np.array([-f.cross_entropy for f in fits])
        starts = np.array([-f.history[0] for f in fits])
        low = float(np.quantile(starts, 0.1))
        axes.set_ylim(low - 0.05 * (ends.max() - low), ends.max() + 0.06 * (ends.max() - low))
        return figure
