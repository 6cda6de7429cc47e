"""Draw docs/pictures/linear_gaussian.png: digits completed from their upper halves; two rings.

python docs/pictures/linear_gaussian.py
"""

from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits

from harmonium import Boltzmann, LinearGaussian, Mixture, Normal
from harmonium.learning import fit
from harmonium.plotting import dress, new_figure, plot_density, sequential, style
from harmonium.plotting.style import BRIGHT, SOFT_INK

ACROSS = 10


def completed(model, x, halves):
    """Expected images given their upper halves, under a model of all other images."""
    result = fit(model, x, seed=0, max_iter=60, warn=False)
    found = model.to_parameters(result.natural)
    expected = found.mean + result.latent(halves) @ found.loadings.T
    return np.where(np.isnan(halves), expected, halves)


def rings():
    rng = np.random.default_rng(0)
    angles = rng.uniform(0, 2 * np.pi, 1000)
    radii = np.where(np.arange(1000) < 250, 0.8, 3.0)
    points = np.column_stack([radii * np.cos(angles), radii * np.sin(angles)])
    return points + 0.25 * rng.standard_normal(points.shape)


def main():
    digits = load_digits()
    aside = [int(np.flatnonzero(digits.target == k)[-1]) for k in range(ACROSS)]
    others = np.delete(digits.data, aside, axis=0)
    halves = digits.data[aside].copy()
    halves[:, 32:] = np.nan
    images = [
        ("images", digits.data[aside]),
        ("what is seen", halves),
        (
            "12 factors",
            completed(LinearGaussian(Normal(64, "isotropic"), Normal(12)), others, halves),
        ),
        (
            "… in 10 clusters",
            completed(
                LinearGaussian(Normal(64, "isotropic"), Mixture(Normal(12), 10)), others, halves
            ),
        ),
    ]
    points = rings()
    binary = fit(
        LinearGaussian(Normal(2), Boltzmann(6)),
        points,
        seed=0,
        n_init=4,
        max_iter=200,
        accelerate=True,
        warn=False,
    )
    with style():
        figure = new_figure(10, 3.0)
        left, right = figure.subfigures(1, 2, width_ratios=[7, 3])
        grid = left.add_gridspec(len(images), ACROSS)
        for i, (title, rows) in enumerate(images):
            for j, image in enumerate(rows):
                ax = left.add_subplot(grid[i, j])
                ax.imshow(image.reshape(8, 8), cmap=sequential(), vmin=0, vmax=16)
                ax.set_xticks([]), ax.set_yticks([])
                for spine in ax.spines.values():
                    spine.set_color("0.8")
                if i >= 2:
                    ax.axhline(3.5, color=SOFT_INK, linewidth=0.8)
                if j == 0:
                    ax.set_ylabel(title, rotation=0, ha="right", va="center", fontsize=9)
        ax = dress(right.add_subplot())
        plot_density(binary, ax=ax)
        ax.plot(*points[::2].T, ".", color=BRIGHT[1], markersize=1.8, alpha=0.5)
        ax.set_aspect("equal")
        ax.set(title="6 binary units behind the plane", xlabel="", ylabel="")
        figure.savefig(Path(__file__).with_name("linear_gaussian.png"), dpi=110)


if __name__ == "__main__":
    main()
