"""Figure 4: eight Poisson neurons that code for an angle, and what their spikes say of it."""

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from scipy.special import iv
from scipy.stats import poisson, vonmises

from harmonium.cli.gallery.exhibit import Comparison, Conditions, Exhibit
from harmonium.families.poisson import Poisson
from harmonium.families.von_mises import VonMises
from harmonium.models import PopulationCode
from harmonium.plotting import colours, panels, plot_correlations, style
from harmonium.plotting.style import HAIRLINE, INK, SOFT_INK
from harmonium.rules.regions import Circle
from harmonium.validation import FloatArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes

NEURONS = 8
PREFERRED = 2 * np.pi * np.arange(NEURONS) / NEURONS
GAINS = 1 + 0.25 * np.sin(PREFERRED)
PRIOR_MEAN, PRIOR_CONCENTRATION = np.pi, 2.0
STIMULI = np.array([0.5 * np.pi, 1.5 * np.pi])
MODEL = PopulationCode(Poisson(NEURONS), VonMises(), Circle(1000))
#: Angles of all integrals: the rule of equal weights is exact to all digits on a circle.
_Z = np.arange(2000) * (2 * np.pi / 2000)
_DZ = 2 * np.pi / 2000
_TICKS = np.arange(5) * np.pi / 2
_LABELS = ("0", "π/2", "π", "3π/2", "2π")


class Inference(NamedTuple):
    """Responses (2, neurons), posterior densities (2, angles) of the library and by brute force."""

    responses: FloatArray
    posteriors: FloatArray
    brute_force: FloatArray


def exhibit(conditions: Conditions) -> Exhibit:
    """Show each of two stimuli once, and hold what the library infers against integrals."""
    prior = np.ravel(VonMises().from_parameters(mean=PRIOR_MEAN, concentration=PRIOR_CONCENTRATION))
    natural = MODEL.from_parameters(
        gains=GAINS, preferred=PREFERRED, concentrations=np.ones(NEURONS), prior=prior
    )
    rho, chi = MODEL.conjugation(natural)
    parts = MODEL.split(natural)
    rule: Any = MODEL.rule
    residuals = rule.residuals(MODEL.observable, MODEL.latent, parts.observable, parts.interaction)
    worst = float(np.abs(residuals).max())
    conditions.tell("population code: responses and posteriors")
    likelihoods = MODEL.likelihood(natural, STIMULI[:, None])
    responses = MODEL.observable.sample(likelihoods, conditions.rng(4))
    found = Inference(responses, _posteriors(natural, responses), _bayes(responses))
    correlations = _correlations(natural, prior)
    by_quadrature = _correlations_by_quadrature()
    draws = 100_000 if conditions.full else 10_000
    totals = MODEL.sample(natural, conditions.rng(4, 1), draws)[:, :NEURONS].sum(-1)
    evidence = MODEL.log_observable_density(natural, responses)
    return Exhibit(
        title="A population code for an angle",
        paragraphs=(
            "Each neuron fires at a rate that depends on an angle. The sum of the rates is, to "
            f"within {worst:.1g} spikes, a constant plus a multiple of the sine: that is what "
            "makes the code conjugated. So the posterior of the angle is again a von Mises law, "
            "to which every spike adds its neuron's preferred direction. Given the angle the "
            "neurons are independent; without it they are correlated.",
        ),
        alternative="Tuning curves and their sum; a matrix of correlations between neurons; the "
        "prior with two stimuli; two vectors of spike counts; the two posteriors.",
        figure=_figure(natural, found, correlations),
        comparisons=(
            Comparison(
                "largest residual of Eq. 10 on the circle, in spikes",
                0.0,
                worst,
                "what conjugation asks",
                1e-5,
            ),
            Comparison(
                "rho of the sine",
                2 * float(iv(1, 1.0) / iv(0, 1.0)),
                float(rho[1]),
                "2 I1(1) / I0(1), by Fourier analysis",
                1e-12,
            ),
            Comparison("chi", float(GAINS.sum()), float(chi), "the sum of the gains", 1e-12),
            Comparison(
                "largest error of a correlation between neurons",
                0.0,
                float(np.abs(correlations - by_quadrature).max()),
                "quadrature over the angle",
                1e-12,
            ),
            Comparison(
                "largest error of a posterior density",
                0.0,
                float(np.abs(found.posteriors - found.brute_force).max()),
                "brute-force Bayes; within the residual",
                2 * worst * float(found.brute_force.max()),
            ),
            Comparison(
                "largest error of a log probability of a response, in nats",
                0.0,
                float(np.abs(evidence - np.log(_evidence(responses))).max()),
                "quadrature over the angle; within the residual",
                2 * worst,
            ),
            Comparison(
                f"average number of spikes of {draws} responses",
                float(_rates().sum(-1) @ _prior_density() * _DZ),
                float(totals.mean()),
                "quadrature; five standard errors",
                5 * float(totals.std()) / np.sqrt(draws),
            ),
        ),
        numbers={
            "preferred": PREFERRED,
            "gains": GAINS,
            "rho": rho,
            "chi": float(chi),
            "conjugation_residual": worst,
            "correlations": correlations,
            "correlations_by_quadrature": by_quadrature,
            "stimuli": STIMULI,
            "responses": responses,
            "posterior_parameters": [
                VonMises().to_parameters(p)._asdict() for p in MODEL.posterior(natural, responses)
            ],
            "natural": natural,
        },
    )


def _rates() -> FloatArray:
    """Rates (angles, neurons), as the paper writes them."""
    return np.asarray(GAINS * np.exp(np.cos(_Z[:, None] - PREFERRED)) / iv(0, 1.0))


def _prior_density() -> FloatArray:
    return np.asarray(vonmises.pdf(_Z, PRIOR_CONCENTRATION, PRIOR_MEAN))


def _posteriors(natural: FloatArray, responses: FloatArray) -> FloatArray:
    """The library's, (responses, angles)."""
    laws = MODEL.posterior(natural, responses)
    return np.asarray(np.exp(MODEL.latent.log_density(laws[:, None], _Z[:, None])))


def _joint(responses: FloatArray) -> FloatArray:
    """Prior times likelihood, (responses, angles)."""
    likelihoods = np.asarray(poisson.pmf(responses[:, None], _rates())).prod(-1)
    return np.asarray(_prior_density() * likelihoods)


def _evidence(responses: FloatArray) -> FloatArray:
    return np.asarray(_joint(responses).sum(-1) * _DZ)


def _bayes(responses: FloatArray) -> FloatArray:
    return np.asarray(_joint(responses) / _evidence(responses)[:, None])


def _as_correlations(mean: FloatArray, products: FloatArray) -> FloatArray:
    """From average rates (n,) and average products of rates (n, n): counts vary besides."""
    covariance = products - np.outer(mean, mean) + np.diag(mean)
    spread = np.sqrt(np.diagonal(covariance))
    return np.asarray(covariance / np.outer(spread, spread))


def _correlations(natural: FloatArray, prior: FloatArray) -> FloatArray:
    """By the latent's log-partition function, which averages any product of tuning curves."""
    parts = MODEL.split(natural)
    theta, pull = parts.observable, parts.interaction
    psi = MODEL.latent.log_partition

    def average(logs: FloatArray, tilt: FloatArray) -> FloatArray:
        return np.asarray(np.exp(logs + psi(prior + tilt) - psi(prior)))

    return _as_correlations(
        average(theta, pull), average(theta[:, None] + theta, pull[:, None] + pull)
    )


def _correlations_by_quadrature() -> FloatArray:
    rates, weights = _rates(), _prior_density() * _DZ
    return _as_correlations(weights @ rates, (rates * weights[:, None]).T @ rates)


def _figure(natural: FloatArray, found: Inference, correlations: FloatArray) -> Any:
    with style():
        figure, axes = panels(
            (9.6, 6.0),
            "aaabbb;ccddee",
            {
                "a": "Tuning curves and their sum",
                "b": "Correlations of spike counts",
                "c": "Prior and stimuli",
                "d": "Responses",
                "e": "Posteriors",
            },
            gridspec_kw={"height_ratios": (1.25, 1)},
        )
        _draw_tuning(axes["a"], natural)
        names = ("0", "π/4", "π/2", "3π/4", "π", "5π/4", "3π/2", "7π/4")
        plot_correlations(correlations, names=names, limit=0.25, ax=axes["b"])
        axes["b"].set_xlabel("preferred angle")
        shades = colours(2)
        axes["c"].plot(_Z, _prior_density(), color=INK, label="prior")
        for z, shade, name in zip(STIMULI, shades, ("π/2", "3π/2"), strict=True):
            axes["c"].axvline(z, color=shade, label=f"stimulus {name}")
            axes["e"].axvline(z, color=shade, linewidth=0.9, linestyle=(0, (3, 2)))
        axes["c"].set_ylim(0, 1.6 * _prior_density().max())
        axes["c"].legend(loc="upper center", frameon=True, framealpha=1, edgecolor="white")
        for counts, own, brute, shade, mark in zip(*found, shades, ("o", "s"), strict=True):
            axes["d"].plot(PREFERRED, counts, color=shade, marker=mark, markersize=5, clip_on=False)
            axes["e"].plot(_Z, own, color=shade)
            axes["e"].plot(_Z[::50], brute[::50], ".", color=INK, markersize=3, zorder=4)
        axes["d"].set_ylim(0, None)
        axes["d"].locator_params(axis="y", integer=True)
        axes["d"].set_ylabel("spikes")
        axes["e"].set_ylim(0, None)
        axes["e"].text(
            0.98,
            0.98,
            "lines: harmonium\ndots: brute force",
            transform=axes["e"].transAxes,
            ha="right",
            va="top",
            fontsize=8,
            color=SOFT_INK,
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 1},
        )
        for letter, label in (
            ("a", "angle"),
            ("c", "angle"),
            ("d", "preferred angle"),
            ("e", "angle"),
        ):
            axes[letter].set_xlim(0, 2 * np.pi)
            axes[letter].set_xticks(_TICKS, _LABELS)
            axes[letter].set_xlabel(label)
        for letter in "ce":
            axes[letter].set_ylabel("density")
        return figure


def _draw_tuning(ax: "Axes", natural: FloatArray) -> None:
    rates = np.exp(MODEL.likelihood(natural, _Z[:, None]))
    rho, chi = MODEL.conjugation(natural)
    line = MODEL.latent.sufficient_statistic(_Z[:, None]) @ rho + chi
    for k in range(NEURONS):
        label = "tuning curves" if k == 0 else None
        ax.plot(_Z, rates[:, k], color=SOFT_INK, linewidth=1.0, label=label)
    ax.plot(_Z, rates.sum(-1), color="#66CCEE", linewidth=4, label="their sum")
    ax.plot(_Z, line, color=INK, linestyle=(0, (4, 3)), label="its fit, s(z)·ρ + χ")
    ax.set_ylabel("spikes")
    ax.set_ylim(0, 11.5)
    ax.axhline(0, color=HAIRLINE, linewidth=0.5)
    ax.legend(loc="upper right", ncols=3)
