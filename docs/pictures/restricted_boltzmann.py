"""Draw docs/pictures/restricted_boltzmann.png: a restricted Boltzmann machine of handwritten digits.

python docs/pictures/restricted_boltzmann.py
"""

from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits

import harmonium as hm
from harmonium.learning import Adam, fit_contrastive
from harmonium.plotting.style import SOFT_INK, diverging, new_figure, sequential, style

ACROSS = 12


def drawn(model, natural, **options):
    """The ends of as many chains as there are images across."""
    sample = model.gibbs(natural, 1, chains=ACROSS, draws=4, burn_in=500, **options)
    return sample.states[:, -1, :64]


def main():
    x = (load_digits().data > 7).astype(float)
    model = hm.Harmonium(hm.Bernoulli(64), hm.Bernoulli(64))
    result = fit_contrastive(
        model,
        x,
        seed=0,
        n_epochs=200,
        n_chains=500,
        optimiser=Adam(0.004),
        weight_decay=1e-3,
        average=0.3,
    )
    rng = np.random.default_rng(0)
    some = x[rng.choice(len(x), ACROSS, replace=False)]
    weights = model.split(result.natural).interaction.T
    strongest = weights[np.argsort(-np.linalg.norm(weights, axis=1))[:ACROSS]]
    completed = []
    for k, row in enumerate(some):
        upper = np.where(np.arange(64) < 32, row, np.nan)
        states = model.gibbs(result.natural, k, chains=2, draws=4, given=upper).states
        completed.append(states[0, -1, :64])
    rows = [
        ("images", some, sequential(), (0, 1)),
        ("hidden units", strongest, diverging(), None),
        ("drawn", drawn(model, result.natural, initial=some), sequential(), (0, 1)),
        ("lower half drawn", completed, sequential(), (0, 1)),
    ]
    with style():
        figure = new_figure(9, 3.4)
        grid = figure.add_gridspec(len(rows), ACROSS)
        for i, (title, images, colours, limits) in enumerate(rows):
            for j, image in enumerate(images):
                ax = figure.add_subplot(grid[i, j])
                low, high = limits or (-np.abs(image).max(), np.abs(image).max())
                ax.imshow(np.reshape(image, (8, 8)), cmap=colours, vmin=low, vmax=high)
                ax.set_xticks([]), ax.set_yticks([])
                for spine in ax.spines.values():
                    spine.set_color("0.8")
                if title == "lower half drawn":
                    ax.axhline(3.5, color=SOFT_INK, linewidth=0.8)
                if j == 0:
                    ax.set_ylabel(title, rotation=0, ha="right", va="center", fontsize=9)
        figure.savefig(Path(__file__).with_name("restricted_boltzmann.png"), dpi=110)


if __name__ == "__main__":
    main()
