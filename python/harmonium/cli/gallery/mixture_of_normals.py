"""Figure 2: a mixture of normals, whose posteriors are additions."""

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.integrate import quad
from scipy.stats import norm

from harmonium.cli.gallery.exhibit import Comparison, Conditions, Exhibit
from harmonium.families.normal import Normal
from harmonium.harmonium import Harmonium
from harmonium.models import Mixture
from harmonium.plotting import colours, panels, plot_simplex, simplex_places, style
from harmonium.plotting.style import INK, SOFT_INK
from harmonium.validation import FloatArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MEANS = np.array([0.0, 2.0, -1.0])
VARIANCES = np.array([1.0, 0.5, 2.0])
WEIGHTS = np.array([0.5, 0.2, 0.3])
OBSERVATIONS = np.array([-1.0, 0.5, 1.5])
_MARKERS = ("o", "s", "D")
_X = np.linspace(-4, 4, 401)


def exhibit(conditions: Conditions) -> Exhibit:
    """Make it; there is nothing to learn here, so quick and full differ in the draws only."""
    model = Mixture(Normal(), 3)
    natural = model.from_parameters(
        weights=WEIGHTS, mean=MEANS[:, None], covariance=VARIANCES[:, None, None]
    )
    found = _shares(model, natural, OBSERVATIONS)
    brute = _bayes(OBSERVATIONS)
    draws = 200_000 if conditions.full else 20_000
    conditions.tell("drawing from the mixture")
    scores = -model.log_observable_density(
        natural, model.sample(natural, conditions.rng(2), draws)[:, :1]
    )
    comparisons = (
        Comparison(
            "largest error of a posterior probability",
            0.0,
            float(np.abs(found - brute).max()),
            "brute-force Bayes",
            1e-12,
        ),
        Comparison(
            "largest error of Eq. 10 over the three categories",
            0.0,
            _conjugation_error(model, natural),
            "log-partition functions",
            1e-12,
        ),
        Comparison(
            "integral of the density",
            1.0,
            _integral(lambda x: np.exp(model.log_observable_density(natural, x))),
            "an axiom",
            1e-10,
        ),
        Comparison(
            "largest error of the posterior averaged over x",
            0.0,
            float(np.abs(_average_posterior(model, natural) - WEIGHTS).max()),
            "the prior",
            1e-10,
        ),
        Comparison(
            f"cross-entropy of {draws} draws, in nats",
            _integral(lambda x: _minus_p_log_p(x[:, 0])),
            float(scores.mean()),
            "quadrature of -p log p; five standard errors",
            5 * float(scores.std()) / np.sqrt(draws),
        ),
    )
    return Exhibit(
        title="A mixture of normals",
        paragraphs=(
            "A category is drawn with these weights, then a number from that category's normal. "
            "The mixture is no normal any more, but the posterior over the category is "
            "categorical again: prior − ρ + s(x)·Θ, an addition. So as x moves along "
            "the line, its posterior moves along a curve in the triangle of all laws of "
            "three categories.",
        ),
        alternative="Three normal densities; their mixture with three observations; a triangle "
        "with the prior, the posteriors and the curve they lie on; posterior probabilities over x.",
        figure=_figure(model, natural),
        comparisons=comparisons,
        numbers={
            "means": MEANS,
            "variances": VARIANCES,
            "weights": WEIGHTS,
            "observations": OBSERVATIONS,
            "posteriors": found,
            "posteriors_by_brute_force": brute,
            "natural": natural,
            "rho": model.conjugation(natural).rho,
            "chi": float(model.conjugation(natural).chi),
            "draws": draws,
        },
    )


def _shares(model: Harmonium, natural: FloatArray, x: FloatArray) -> FloatArray:
    """The library's posterior probabilities (n, 3)."""
    latent: Any = model.latent
    return np.asarray(latent.to_parameters(model.posterior(natural, x[:, None])).probabilities)


def _bayes(x: FloatArray) -> FloatArray:
    """Weights times densities, by another library, and their share of the sum."""
    joint = WEIGHTS * norm.pdf(x[:, None], MEANS, np.sqrt(VARIANCES))
    return np.asarray(joint / joint.sum(-1, keepdims=True))


def _minus_p_log_p(x: FloatArray) -> FloatArray:
    p = norm.pdf(x[:, None], MEANS, np.sqrt(VARIANCES)) @ WEIGHTS
    return np.asarray(-p * np.log(p))


def _integral(function: Any) -> float:
    """Over all that matters of the line, of a function of a table (n, 1)."""
    return float(
        quad(lambda x: float(function(np.array([[x]]))[0]), -20, 20, points=MEANS, epsabs=1e-12)[0]
    )


def _average_posterior(model: Harmonium, natural: FloatArray) -> FloatArray:
    def part(k: int) -> float:
        return _integral(
            lambda x: (
                np.exp(model.log_observable_density(natural, x))
                * _shares(model, natural, x[:, 0])[:, k]
            )
        )

    return np.array([part(k) for k in range(3)])


def _conjugation_error(model: Harmonium, natural: FloatArray) -> float:
    rho, chi = model.conjugation(natural)
    categories = np.arange(3.0)[:, None]
    left = model.observable.log_partition(model.likelihood(natural, categories))
    right = model.latent.sufficient_statistic(categories) @ rho + chi
    return float(np.abs(left - right).max())


def _figure(model: Harmonium, natural: FloatArray) -> Any:
    density = np.exp(model.log_observable_density(natural, _X[:, None]))
    components = norm.pdf(_X[:, None], MEANS, np.sqrt(VARIANCES))
    shares = _shares(model, natural, _X)
    with style():
        figure, axes = panels(
            (7.4, 5.4),
            "ab;cd",
            {
                "a": "The components",
                "b": "The mixture and three observations",
                "c": "Prior and posteriors",
                "d": "Posterior probabilities",
            },
        )
        shades = colours(3)
        names = [f"category {k}" for k in range(3)]
        for k in range(3):
            axes["a"].plot(_X, components[:, k], color=shades[k], label=names[k])
        axes["a"].legend(loc="upper left")
        axes["a"].set_ylabel("density")
        axes["b"].stackplot(_X, (components * WEIGHTS).T, colors=shades, alpha=0.35, linewidth=0)
        axes["b"].plot(_X, density, color=INK)
        at = np.exp(model.log_observable_density(natural, OBSERVATIONS[:, None]))
        for x, height, mark in zip(OBSERVATIONS, at, _MARKERS, strict=True):
            axes["b"].plot(x, height, mark, color=INK, markersize=7, mec="white", zorder=4)
        axes["b"].set_ylabel("density")
        _draw_triangle(axes["c"], model, natural, shades)
        axes["d"].stackplot(_X, shares.T, colors=shades, alpha=0.55, linewidth=0)
        for x, mark in zip(OBSERVATIONS, _MARKERS, strict=True):
            axes["d"].axvline(x, color=INK, linewidth=0.9)
            axes["d"].plot(x, 0.94, mark, color=INK, markersize=7, mec="white", zorder=4)
        axes["d"].set_ylim(0, 1)
        axes["d"].set_ylabel("probability of the category")
        for letter in "abd":
            axes[letter].set_xlim(-4, 4)
            axes[letter].set_xlabel("x")
            if letter != "d":
                axes[letter].set_ylim(0, None)
        return figure


def _draw_triangle(ax: "Axes", model: Harmonium, natural: FloatArray, shades: list[str]) -> None:
    plot_simplex(names=[f"category {k}" for k in range(3)], ax=ax)
    path = simplex_places(_shares(model, natural, np.linspace(-8, 8, 801)))
    ax.plot(path[:, 0], path[:, 1], color=SOFT_INK, linewidth=1.0, label="posteriors of all x")
    prior = simplex_places(WEIGHTS[None])[0]
    ax.plot(*prior, "*", color="#AA3377", markersize=12, mec="white", label="prior", zorder=4)
    found = _shares(model, natural, OBSERVATIONS)
    for x, weights, mark in zip(OBSERVATIONS, found, _MARKERS, strict=True):
        place = simplex_places(weights[None])[0]
        label = f"x = {x:g}".replace("-", "−")
        ax.plot(
            *place, mark, color=INK, markersize=7, mec="white", label=label, linestyle="", zorder=4
        )
    for text, shade in zip(ax.texts, shades, strict=True):
        text.set_color(shade)
    ax.legend(loc="upper left", bbox_to_anchor=(0.7, 1.0))
