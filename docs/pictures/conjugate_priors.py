"""Draw docs/pictures/conjugate_priors.png: a rate estimated count by count, and what it predicts.

python docs/pictures/conjugate_priors.py
"""

from pathlib import Path

import numpy as np
from scipy import stats

from harmonium import ConjugatePrior, Mixture, Normal, Poisson
from harmonium.plotting import colours, dress, new_figure, style
from harmonium.plotting.style import BRIGHT, INK, SOFT_INK

MODEL = ConjugatePrior(Poisson())
RATE = 5.0


def learning(ax, prior, posteriors):
    rates = np.linspace(0.01, 12, 500)
    for n, colour in zip((0, 1, 5, 25), (SOFT_INK, *BRIGHT), strict=False):
        law = prior if n == 0 else posteriors[n - 1]
        density = np.exp(MODEL.prior.log_density(law, rates[:, None]))
        name = "prior" if n == 0 else f"after {n}"
        ax.plot(rates, density, color=colour, linestyle="-" if n else "--", label=name)
        ax.fill_between(rates, density, color=colour, alpha=0.07, linewidth=0)
    ax.axvline(RATE, color=INK, linewidth=0.8)
    ax.set_ylim(0, None)
    ax.legend()
    ax.set(title="a rate, count by count", xlabel="rate", ylabel="density")


def predicting(ax, posterior):
    counts = np.arange(0.0, 17.0)
    predicted = np.exp(MODEL.log_predictive_density(posterior, counts[:, None]))
    law = MODEL.prior.to_parameters(posterior)
    plugged = stats.poisson.pmf(counts, law.shape[0] / law.rate[0])
    ax.bar(counts, predicted, 0.7, color=BRIGHT[0], alpha=0.45, label="rate integrated out")
    ax.plot(counts, plugged, "_", color=BRIGHT[1], markersize=11, label="best guess of the rate")
    ax.set_ylim(0, 0.27)
    ax.set_xticks(range(0, 17, 4))
    ax.legend(loc="upper right")
    ax.set(title="the next count, after three", xlabel="count", ylabel="probability")


def one_cause(ax):
    """Which of three clusters a thing is of, looked at again and again."""
    model = Mixture(Normal(2), 3)
    means = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.5]])
    natural = model.from_parameters(
        weights=[0.5, 0.3, 0.2], mean=means, covariance=np.tile(np.eye(2), (3, 1, 1))
    )
    looks = means[1] + np.random.default_rng(5).normal(size=(25, 2))
    posteriors = np.vstack([model.prior(natural), model.recursive_posteriors(natural, looks)])
    shares = model.latent.to_parameters(posteriors).probabilities
    for k, colour in enumerate(colours(3)):
        ax.plot(np.arange(26), shares[:, k], color=colour, label=f"cluster {k}")
    ax.set_ylim(0, 1.02)
    ax.legend(loc="center right")
    ax.set(title="one thing, seen again and again", xlabel="looks", ylabel="posterior probability")


def main():
    prior = MODEL.prior.from_parameters(shape=2.0, rate=0.5)
    counts = np.random.default_rng(1).poisson(RATE, (25, 1))
    posteriors = MODEL.posteriors(prior, counts)
    with style():
        figure = new_figure(10, 3.0)
        axes = [dress(figure.add_subplot(1, 3, k + 1)) for k in range(3)]
        learning(axes[0], prior, posteriors)
        predicting(axes[1], posteriors[2])
        one_cause(axes[2])
        figure.savefig(Path(__file__).with_name("conjugate_priors.png"), dpi=110)


if __name__ == "__main__":
    main()
