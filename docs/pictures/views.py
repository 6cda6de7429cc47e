"""Draw docs/pictures/views.png: a place known from spikes, from a tracker, and from both.

python docs/pictures/views.py
"""

from pathlib import Path

import numpy as np

from harmonium import Grid, LinearGaussian, Normal, Poisson, PopulationCode, Views
from harmonium.plotting import dress, new_figure, style
from harmonium.plotting.style import BRIGHT, INK, SOFT_INK

PLACE = Normal()
MODEL = Views(
    PopulationCode(Poisson(25), PLACE, Grid(-6, 6, 400)),
    LinearGaussian(Normal(2, "diagonal"), PLACE),
)
NAMES = ("spikes", "tracker", "both")


def main():
    truth = MODEL.from_parameters(
        prior=PLACE.from_parameters(mean=[0.0], covariance=[[4.0]]),
        views=[
            {"gains": 1.0, "preferred": np.linspace(-9, 9, 25), "widths": 1.0},
            {"mean": [0.0, 5.0], "loadings": [[1.0], [0.5]], "noise": [0.5, 0.5]},
        ],
    )
    x = MODEL.sample(truth, 0, 4000)
    rows, place = x[:, :27], x[:, 27]
    spikes, tracker = rows.copy(), rows.copy()
    spikes[:, 25:] = np.nan
    tracker[:, :25] = np.nan
    posteriors = [MODEL.posterior(truth, seen) for seen in (spikes, tracker, rows)]
    laws = [PLACE.to_parameters(posterior) for posterior in posteriors]
    with style():
        figure = new_figure(10, 2.9)
        one, errors, sizes = (dress(figure.add_subplot(1, 3, k + 1)) for k in range(3))

        row = int(np.argmin(np.abs(place[:200] - 2)))
        z = np.linspace(-6, 6, 600)
        everyone = [("prior", SOFT_INK, MODEL.prior(truth))]
        everyone += [
            (name, colour, posterior[row])
            for name, colour, posterior in zip(NAMES, BRIGHT, posteriors, strict=False)
        ]
        for name, colour, law in everyone:
            density = np.exp(PLACE.log_density(law, z[:, None]))
            one.plot(
                z, density, color=colour, linestyle="--" if name == "prior" else "-", label=name
            )
            one.fill_between(z, density, color=colour, alpha=0.08, linewidth=0)
        one.axvline(place[row], color=INK, linewidth=0.8)
        one.set_ylim(0, 1.15)
        one.legend(loc="upper left")
        one.set(title="one place", xlabel="place", ylabel="density")

        edges = np.linspace(-2.5, 2.5, 51)
        for name, colour, law in zip(NAMES, BRIGHT, laws, strict=False):
            errors.hist(
                law.mean[:, 0] - place, edges, density=True, histtype="step", color=colour,
                label=name, linewidth=1.4,
            )  # fmt: skip
        errors.legend(loc="upper left")
        errors.set(title="errors of 4000", xlabel="posterior mean − place", ylabel="density")

        at = np.arange(3)
        found = [((law.mean[:, 0] - place) ** 2).mean() for law in laws]
        said = [law.covariance[:, 0, 0].mean() for law in laws]
        sizes.bar(at, found, 0.6, color=BRIGHT[:3], alpha=0.45, label="squared error")
        sizes.plot(at, said, "_", color=INK, markersize=26)
        sizes.plot([], [], "_", color=INK, markersize=12, label="posterior variance")
        sizes.set_xticks(at, NAMES)
        sizes.set_ylim(0, 0.66)
        sizes.legend(loc="upper right")
        sizes.set(title="what posteriors promise, and what is", ylabel="place²")
        figure.savefig(Path(__file__).with_name("views.png"), dpi=110)


if __name__ == "__main__":
    main()
