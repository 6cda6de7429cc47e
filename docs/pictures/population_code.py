"""Draw docs/pictures/population_code.png: tuning curves, what spikes say, a prior learned from them.

python docs/pictures/population_code.py
"""

from pathlib import Path

import numpy as np

from harmonium import Grid, Mixture, Normal, Poisson, PopulationCode
from harmonium.learning import fit
from harmonium.plotting import dress, new_figure, style
from harmonium.plotting.style import BRIGHT, HAIRLINE, INK, SOFT_INK

PEAKS = np.linspace(-9, 9, 25)
LATENT = Mixture(Normal(), 2)
MODEL = PopulationCode(Poisson(25), LATENT, Grid(-6, 6, 400))


def code(prior):
    return MODEL.from_parameters(gains=4.0, preferred=PEAKS, widths=1.0, prior=prior)


def density(law, z):
    """Densities of the stimulus, whichever component it is from."""
    return np.exp(LATENT.log_observable_density(law, z[:, None]))


def tuning(ax, truth):
    z = np.linspace(-6, 6, 400)
    parts = MODEL.split(truth)
    statistic = np.column_stack([z, z**2])
    rates = np.exp(parts.observable + statistic @ parts.interaction.T)
    for k, rate in enumerate(rates.T):
        ax.plot(z, rate, color=BRIGHT[0], alpha=0.9 if k % 4 == 0 else 0.3, linewidth=1.1)
    ax.set_ylim(0, 16)
    ax.plot(z, rates.sum(-1), color=BRIGHT[1])
    ax.text(0, 14, "sum of all rates", color=BRIGHT[1], ha="center", fontsize=8)
    ax.set(title="tuning curves", xlabel="stimulus", ylabel="spikes")


def decoding(ax, truth, spikes, stimulus):
    z = np.linspace(-6, 6, 600)
    posteriors = [("all neurons", BRIGHT[0], spikes)]
    some = spikes.copy()
    some[::2] = np.nan
    posteriors.append(("without the hatched ones", BRIGHT[4], some))
    for name, colour, row in posteriors:
        law = MODEL.posterior(truth, row[None])[0]
        ax.plot(z, density(law, z), color=colour, label=name)
        ax.fill_between(z, density(law, z), color=colour, alpha=0.1, linewidth=0)
    ax.plot(z, density(MODEL.prior(truth), z), color=SOFT_INK, linestyle="--", label="prior")
    ax.axvline(stimulus, color=INK, linewidth=0.8)
    ax.set_ylim(0, 1.75)
    lower = ax.twinx()
    dress(lower)
    lower.spines["left"].set_visible(False)
    lower.tick_params(left=False, labelleft=False)
    hidden = np.isnan(some)
    for chosen, hatch in ((~hidden, None), (hidden, "////")):
        lower.bar(
            PEAKS[chosen], spikes[chosen], 0.5, color="white" if hatch else HAIRLINE,
            edgecolor=HAIRLINE, hatch=hatch, linewidth=0.6, alpha=0.8, zorder=0,
        )  # fmt: skip
    lower.set_ylim(0, 14)
    ax.set_zorder(1)
    ax.patch.set_visible(False)
    ax.legend(loc="upper left")
    ax.set_xlim(-6, 6)
    ax.set(title="one response, three laws of its stimulus", xlabel="stimulus", ylabel="density")


def learning(ax, truth, responses):
    z = np.linspace(-6, 6, 600)
    apart = LATENT.from_parameters(
        weights=[0.5, 0.5], mean=[[-1.0], [1.0]], covariance=np.ones((2, 1, 1))
    )
    result = fit(MODEL, responses, initial=code(apart))
    for name, colour, line, law in (
        ("true", SOFT_INK, "--", MODEL.prior(truth)),
        ("start", BRIGHT[3], "-", apart),
        (f"after {result.n_iterations} iterations", BRIGHT[2], "-", MODEL.prior(result.natural)),
    ):
        ax.plot(z, density(law, z), color=colour, linestyle=line, label=name)
    ax.set_ylim(0, 0.42)
    ax.legend(loc="upper left")
    ax.set(title="the prior behind 500 responses", xlabel="stimulus", ylabel="density")


def main():
    prior = LATENT.from_parameters(
        weights=[0.3, 0.7], mean=[[-2.0], [1.5]], covariance=[[[0.25]], [[1.0]]]
    )
    truth = code(prior)
    x = MODEL.sample(truth, 0, 500)
    responses, stimuli = x[:, :25], x[:, 25]
    row = int(np.argmin(np.abs(stimuli - 2.2)))
    with style():
        figure = new_figure(10, 3.0)
        axes = [dress(figure.add_subplot(1, 3, k + 1)) for k in range(3)]
        tuning(axes[0], truth)
        decoding(axes[1], truth, responses[row], stimuli[row])
        learning(axes[2], truth, responses)
        figure.savefig(Path(__file__).with_name("population_code.png"), dpi=110)


if __name__ == "__main__":
    main()
