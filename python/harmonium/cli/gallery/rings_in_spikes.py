"""Figure 11: rings found in the spikes of neurons that tile the plane."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from harmonium.cli.gallery.brute_force import PlaneByStates
from harmonium.cli.gallery.exhibit import Comparison, Conditions, Exhibit
from harmonium.cli.gallery.gradient_em import Learned, Schedule
from harmonium.cli.gallery.spikes import (
    GAIN,
    LATENT,
    PEAK,
    SIDE,
    UNITS,
    VARIANCE,
    Responses,
    brute_force,
    descend,
    evidence,
    exact_em,
    paper_start,
    posterior_means,
    preferred,
    rates,
    responses_to,
)
from harmonium.cli.rings import Rings
from harmonium.families.poisson import Poisson
from harmonium.models import PopulationCode
from harmonium.plotting import diverging, panels, plot_density, sequential, style
from harmonium.plotting.style import BRIGHT, HAIRLINE, SOFT_INK
from harmonium.rules.regions import Grid
from harmonium.validation import FloatArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_WINDOW = ((-5.0, 5.0), (-5.0, 5.0))


@dataclass(frozen=True)
class Size:
    """How much is done.

    Attributes
    ----------
    counts : two int
        Stimuli on the inner and on the outer ring.
    grid : int
        Points along a side of the region of the regression.
    starts, iterations : int
        Starting points of exact EM, and iterations of each.
    schedule : Schedule
        Of EM by gradients.
    """

    counts: tuple[int, int]
    grid: int
    starts: int
    iterations: int
    schedule: Schedule


QUICK = Size((45, 255), 100, 1, 80, Schedule(3, 100, 3e-2))
FULL = Size((150, 850), 200, 8, 300, Schedule(500, 1000, 3e-2))


def exhibit(conditions: Conditions) -> Exhibit:
    """Learn the prior of the stimuli from spikes alone."""
    size = FULL if conditions.full else QUICK
    rings = Rings((0.1, 3.0), size.counts, float(np.sqrt(0.2)))
    model = PopulationCode(Poisson(SIDE**2), LATENT, Grid((-5, -5), (5, 5), size.grid))
    conditions.tell("rings in spikes: conjugation over the plane")
    starts = [paper_start(conditions.rng(11, 1, k)) for k in range(size.starts)]
    natural = model.from_parameters(
        gains=GAIN, preferred=preferred(), widths=np.sqrt(VARIANCE), prior=starts[0]
    )
    theta, _, pull = model.split(natural)
    rho, chi = model.conjugation(natural)
    rule: Any = model.rule
    residuals = rule.residuals(model.observable, LATENT, theta, pull)
    stimuli = rings.sample(conditions.rng(11))
    responses = responses_to(stimuli, model, natural, conditions.rng(11, 2))
    exact = []
    for k, start in enumerate(starts):
        conditions.tell(f"rings in spikes: exact EM, start {k + 1} of {size.starts}")
        exact.append(exact_em(start, responses, size.iterations))
    best = min(exact, key=lambda run: float(run.history[-1]))
    conditions.tell("rings in spikes: EM by gradients")
    by_gradients = descend(starts[0], responses, size.schedule)
    conditions.tell("rings in spikes: comparing with quadrature")
    examples = [0, size.counts[0] + size.counts[1] // 8, size.counts[0] + size.counts[1] // 2]
    check = [brute_force(best.natural, responses, k) for k in examples]
    means = posterior_means(best.natural, responses)
    log_evidence = responses.constants + evidence(best.natural, responses.shifts)
    residual = float(np.abs(residuals).max())
    found_law = _against_law(rings, best.natural)
    return Exhibit(
        title="Rings found in spikes",
        paragraphs=(
            f"{SIDE**2} Poisson neurons tile the plane; each of {len(stimuli)} stimuli on two "
            f"rings makes them fire once, {responses.counts.sum(-1).mean():.0f} spikes on "
            "average. The stimuli are hidden. Since the rates add up to nearly "
            "a constant, a spike vector enters as one addition to the natural parameters of the "
            f"prior, a Gaussian–Boltzmann model with {UNITS} binary neurons, which exact "
            "expectation-maximisation then learns without going through the spikes again.",
            f"By exact EM {best.history[-1]:.3f} nats a response (best of {size.starts} "
            f"{'start' if size.starts == 1 else 'starts'}, {size.iterations} iterations); "
            f"by {size.schedule.iterations} × {size.schedule.steps} steps of Adam from the first "
            f"start {by_gradients.history[-1]:.3f}.",
        ),
        alternative="Sum of tuning curves over the plane; residuals of its regression; stimuli "
        "on two rings; three responses of 28 by 28 neurons; cross-entropies; learned density.",
        figure=_figure(
            residuals.reshape(size.grid, size.grid),
            responses,
            examples,
            exact,
            best,
            by_gradients,
        ),
        comparisons=(
            Comparison(
                "chi: the sum of the rates, in spikes",
                PEAK * 2 * np.pi * VARIANCE * ((SIDE - 1) / 12) ** 2,
                float(chi),
                "integral of a tuning curve by the neurons' density",
                0.05,
            ),
            Comparison(
                "largest residual of Eq. 10 over the region, in spikes",
                0.0,
                residual,
                "what conjugation asks; a thousandth of chi",
                1e-3 * float(chi),
            ),
            Comparison(
                "largest error of a posterior mean, in the plane",
                0.0,
                max(
                    float(np.abs(means[k] - c[1]).max())
                    for k, c in zip(examples, check, strict=True)
                ),
                "brute-force Bayes on a grid; within the residual",
                residual,
            ),
            Comparison(
                "largest error of a log probability of a response, in nats",
                0.0,
                max(
                    abs(float(log_evidence[k]) - c[0]) for k, c in zip(examples, check, strict=True)
                ),
                "quadrature in the plane; within the residual",
                residual,
            ),
            Comparison(
                "largest error of the prior's expectations",
                0.0,
                float(
                    np.abs(
                        np.asarray(PlaneByStates(UNITS).to_mean(best.natural))
                        - LATENT.to_mean(best.natural)
                    ).max()
                ),
                "brute-force sum over all states",
                1e-10,
            ),
            Comparison(
                "largest rise of the cross-entropy in an iteration of exact EM, in nats",
                0.0,
                max(float(np.diff(run.history).max()) for run in exact),
                "what expectation-maximisation promises",
                1e-9,
                "at most",
            ),
            Comparison(
                "cross-entropy of the learned stimuli with respect to their law, in nats",
                rings.entropy(),
                found_law,
                "Gibbs' inequality; quadrature",
                1e-6,
                "at least",
            ),
        ),
        numbers={
            "neurons": SIDE**2,
            "points": size.counts,
            "grid": size.grid,
            "spikes_per_response": float(responses.counts.sum(-1).mean()),
            "rho": rho,
            "chi": float(chi),
            "largest_residual": residual,
            "exact_em": {
                "cross_entropies": [float(run.history[-1]) for run in exact],
                "seconds": [run.seconds for run in exact],
                "history": best.history,
            },
            "em_by_gradients": {
                "cross_entropy": float(by_gradients.history[-1]),
                "seconds": by_gradients.seconds,
                "history": by_gradients.history,
                "exact_em_from_the_same_start": float(exact[0].history[-1]),
            },
            "entropy_of_the_stimuli": rings.entropy(),
            "cross_entropy_of_the_learned_stimuli": found_law,
            "prior": best.natural,
        },
    )


def _against_law(rings: Rings, prior: FloatArray) -> float:
    """-E[log q(y)] under the law of the stimuli."""
    side, step = np.linspace(-6, 6, 241, retstep=True)
    grid = np.stack(np.meshgrid(side, side), -1).reshape(-1, 2)
    density = np.exp(rings.log_density(grid))
    return float(-(density @ LATENT.log_observable_density(prior, grid)) * step**2)


def _figure(
    residuals: FloatArray,
    responses: Responses,
    examples: list[int],
    exact: list[Learned],
    best: Learned,
    by_gradients: Learned,
) -> Any:
    shades = (BRIGHT[1], BRIGHT[2], BRIGHT[0])
    with style():
        figure, axes = panels(
            (11.6, 6.0),
            "abce;d12f",
            {
                "a": "Sum of tuning curves",
                "b": "Residuals of Eq. 10",
                "c": "Stimuli",
                "d": "Responses to three",
                "e": "Learning",
                "f": "Learned density",
            },
        )
        _draw_sum(axes["a"])
        extent = (-5.0, 5.0, -5.0, 5.0)
        limit = float(np.abs(residuals).max())
        image = axes["b"].imshow(
            residuals.T, origin="lower", extent=extent, cmap=diverging(), vmin=-limit, vmax=limit
        )
        _explain(axes["b"], image, "spikes")
        y = responses.stimuli
        axes["c"].scatter(y[:, 0], y[:, 1], s=3, color=SOFT_INK, alpha=0.5, linewidths=0)
        for k, shade in zip(examples, shades, strict=True):
            axes["c"].plot(*y[k], "o", color=shade, mec="white", markersize=8)
        for letter, k, shade in zip("d12", examples, shades, strict=True):
            ax = axes[letter]
            ax.imshow(
                responses.counts[k].reshape(SIDE, SIDE).T,
                origin="lower",
                extent=(-6.22, 6.22, -6.22, 6.22),
                cmap=sequential(),
            )
            ax.plot(*y[k], "o", color="none", mec=shade, mew=1.5, markersize=13)
        _draw_histories(axes["e"], exact, best, by_gradients)
        plot_density(
            lambda x: LATENT.log_observable_density(best.natural, x),
            limits=_WINDOW,
            resolution=140,
            ax=axes["f"],
        )
        for letter in "abcd12f":
            axes[letter].set_aspect("equal")
            axes[letter].set_xlabel("y₁")
            axes[letter].set_ylabel("y₂")
        axes["c"].set_xlim(-5, 5)
        axes["c"].set_ylim(-5, 5)
        return figure


def _draw_sum(ax: "Axes") -> None:
    side = np.linspace(-7, 7, 141)
    total = rates(np.stack(np.meshgrid(side, side), -1).reshape(-1, 2)).sum(-1)
    image = ax.contourf(side, side, total.reshape(141, 141), levels=14, cmap=sequential(), vmin=0)
    centres = preferred()
    ax.plot(centres[:, 0], centres[:, 1], ".", color=BRIGHT[1], markersize=1.5)
    _explain(ax, image, "spikes")


def _explain(ax: "Axes", image: Any, label: str) -> None:
    figure: Any = ax.figure
    bar = figure.colorbar(image, ax=ax, location="bottom", fraction=0.05, pad=0.02)
    bar.set_label(label, fontsize=8, color=SOFT_INK)
    bar.ax.tick_params(length=0, labelsize=7, labelcolor=SOFT_INK)
    bar.ax.locator_params(nbins=5)
    bar.outline.set_visible(False)


def _draw_histories(ax: "Axes", exact: list[Learned], best: Learned, by_gradients: Learned) -> None:
    for run in exact:
        if run is not best:
            ax.plot(-run.history, color=HAIRLINE, linewidth=1)
    ax.plot(-best.history, color=BRIGHT[0], linewidth=2, label="exact EM")
    ax.plot(-by_gradients.history, color=BRIGHT[1], linewidth=1.4, label="EM by gradients")
    longest = max(len(run.history) for run in (*exact, by_gradients))
    ax.set_xscale("symlog", linthresh=1)
    ticks = [tick for tick in (0, 1, 10, 100, 1000) if tick < longest]
    ax.set_xticks(ticks, [str(tick) for tick in ticks])
    ax.set_xticks([], minor=True)
    ax.set_xlim(0, longest - 1)
    ax.set_xlabel("iteration")
    ax.set_ylabel("log-likelihood per response (nats)")
    ax.legend(loc="lower right")
    top = -min(float(run.history.min()) for run in (*exact, by_gradients))
    ax.set_ylim(top - 2.5, top + 0.2)
