"""Draw docs/pictures/mixtures.png: a table of five kinds of columns, three in ten values missing.

python docs/pictures/mixtures.py
"""

from itertools import permutations
from pathlib import Path

import numpy as np

from harmonium import Categorical, Mixture, Normal, Poisson, Product, VonMises
from harmonium.learning import fit
from harmonium.plotting import colours, dress, new_figure, style

MODEL = Mixture(Product(Normal(2), Poisson(), VonMises(), Categorical(3)), 3)
COLOURS = colours(3)


def drawn():
    """Rows of a known model, and the clusters that they are from."""
    truth = MODEL.from_parameters(
        weights=[0.5, 0.3, 0.2],
        parts=[
            {"mean": [[0, 0], [3, 3], [0, 4]], "covariance": np.tile(np.eye(2), (3, 1, 1))},
            {"rate": [[2], [8], [20]]},
            {"mean": [[0], [2], [4]], "concentration": [[4], [4], [8]]},
            {"probabilities": [[0.8, 0.1, 0.1], [0.1, 0.8, 0.1], [0.1, 0.1, 0.8]]},
        ],
    )
    x = MODEL.sample(truth, 0, 400)
    return x[:, :5], x[:, 5].astype(int)


def ellipse(ax, mean, covariance, colour):
    turn = np.linspace(0, 2 * np.pi, 200)
    circle = np.column_stack([np.cos(turn), np.sin(turn)])
    for radius in (1, 2):
        line = mean + radius * circle @ np.linalg.cholesky(covariance).T
        ax.plot(*line.T, color=colour, linewidth=1.3)


def real(ax, rows, cluster, normal):
    seen = np.isfinite(rows[:, :2]).all(-1)
    for k, colour in enumerate(COLOURS):
        own = rows[seen & (cluster == k)]
        ax.plot(own[:, 0], own[:, 1], ".", color=colour, markersize=4, alpha=0.55)
        ellipse(ax, normal.mean[k], normal.covariance[k], colour)
    ax.set(title="two real numbers", xlabel="column 1", ylabel="column 2")


def histograms(ax, column, cluster, edges):
    """Rows of each cluster, one before the other."""
    for k, colour in enumerate(COLOURS):
        own = column[(cluster == k) & np.isfinite(column)]
        ax.hist(own, edges, color=colour, alpha=0.35, linewidth=0, rwidth=0.9)


def main():
    rows, cluster = drawn()
    rows[np.random.default_rng(0).random(rows.shape) < 0.3] = np.nan
    result = fit(MODEL, rows, seed=0)
    found = MODEL.to_parameters(result.natural)
    # the learned clusters in the order of the true ones
    guess = result.latent(rows).argmax(-1)
    order = max(permutations(range(3)), key=lambda p: (np.array(p)[cluster] == guess).sum())
    order = list(order)
    weights = found.weights[order]
    normal, rates, angles, categories = found.components.parts
    normal = type(normal)(normal.mean[order], normal.covariance[order])
    with style():
        figure = new_figure(10, 2.9)
        figure.get_layout_engine().set(w_pad=0.12)
        axes = [dress(figure.add_subplot(1, 4, k + 1)) for k in range(4)]
        real(axes[0], rows, cluster, normal)

        counts, seen = np.arange(0.0, 34.0), np.isfinite(rows[:, 2]).sum()
        histograms(axes[1], rows[:, 2], cluster, np.arange(-0.5, 34.0))
        for k, j in enumerate(order):
            law = Poisson().from_parameters(rate=rates.rate[j])
            mass = np.exp(Poisson().log_density(law, counts[:, None]))
            axes[1].plot(counts, seen * weights[k] * mass, color=COLOURS[k])
        axes[1].set(title="a count", xlabel="column 3", ylabel="rows")

        turn, seen = np.linspace(0, 2 * np.pi, 300), np.isfinite(rows[:, 3]).sum()
        edges = np.linspace(0, 2 * np.pi, 25)
        histograms(axes[2], rows[:, 3] % (2 * np.pi), cluster, edges)
        for k, j in enumerate(order):
            law = VonMises().from_parameters(
                mean=angles.mean[j], concentration=angles.concentration[j]
            )
            # relative to the uniform law on the circle
            density = np.exp(VonMises().log_density(law, turn[:, None]))
            axes[2].plot(turn, seen * weights[k] * density * edges[1], color=COLOURS[k])
        axes[2].set_xticks([0, np.pi, 2 * np.pi], ["0", "π", "2π"])
        axes[2].set(title="an angle", xlabel="column 4")

        for k, j in enumerate(order):
            own = rows[(cluster == k) & np.isfinite(rows[:, 4]), 4]
            shares = np.bincount(own.astype(int), minlength=3) / len(own)
            places = np.arange(3) + 0.27 * (k - 1)
            axes[3].bar(places, shares, 0.25, color=COLOURS[k], alpha=0.45, linewidth=0)
            axes[3].plot(places, categories.probabilities[j], "_", color=COLOURS[k], markersize=13)
        axes[3].set_xticks(range(3))
        axes[3].set(title="a category", xlabel="column 5", ylabel="share of the cluster")
        figure.savefig(Path(__file__).with_name("mixtures.png"), dpi=110)


if __name__ == "__main__":
    main()
