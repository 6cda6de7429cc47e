"""Draw docs/pictures/families.png: every family at three parameters.

python docs/pictures/families.py
"""

from pathlib import Path

import numpy as np

import harmonium as hm
from harmonium.plotting.style import BRIGHT, dress, new_figure, style

REAL, POSITIVE = np.linspace(-4, 4, 401), np.linspace(0.01, 6, 400)
UNIT, ANGLES = np.linspace(0.004, 0.996, 300), np.linspace(0, 2 * np.pi, 361)
COUNTS = np.arange(0.0, 21.0)

#: Title, family, points to look at, and three people's parameters each.
ONE_DIMENSIONAL = [
    ("Bernoulli", hm.Bernoulli(), np.arange(2.0), [{"probability": p} for p in (0.2, 0.5, 0.9)]),
    (
        "Binomial, 12 trials",
        hm.Binomial(12),
        np.arange(13.0),
        [{"probability": p} for p in (0.1, 0.5, 0.8)],
    ),
    ("Poisson", hm.Poisson(), COUNTS, [{"rate": r} for r in (1, 4, 10)]),
    (
        "CoM-Poisson, mode 6",
        hm.CoMPoisson(),
        COUNTS,
        [{"mode": 6, "shape": s} for s in (0.4, 1, 4)],
    ),
    ("Geometric", hm.Geometric(), COUNTS, [{"probability": p} for p in (0.3, 0.6, 0.85)]),
    (
        "Negative binomial, 4 failures",
        hm.NegativeBinomial(4),
        COUNTS,
        [{"probability": p} for p in (0.2, 0.5, 0.7)],
    ),
    (
        "Categorical",
        hm.Categorical(4),
        np.arange(4.0),
        [{"probabilities": p} for p in ([0.25] * 4, [0.6, 0.2, 0.1, 0.1], [0.05, 0.15, 0.3, 0.5])],
    ),
    (
        "Normal",
        hm.Normal(),
        REAL,
        [{"mean": m, "covariance": v} for m, v in ((0, 1), (-2, 0.25), (1, 2))],
    ),
    (
        "von Mises",
        hm.VonMises(),
        ANGLES,
        [{"mean": m, "concentration": k} for m, k in ((np.pi, 0.5), (2, 2), (4.5, 12))],
    ),
    ("Exponential", hm.Exponential(), POSITIVE, [{"rate": r} for r in (0.5, 1, 2)]),
    (
        "Gamma",
        hm.Gamma(),
        POSITIVE,
        [{"shape": a, "rate": r} for a, r in ((0.8, 1), (2, 1), (9, 3))],
    ),
    (
        "Inverse Gaussian",
        hm.InverseGaussian(),
        POSITIVE,
        [{"mean": m, "shape": s} for m, s in ((1, 0.5), (1, 3), (3, 20))],
    ),
    ("Beta", hm.Beta(), UNIT, [{"a": a, "b": b} for a, b in ((0.7, 0.7), (2, 5), (8, 3))]),
    (
        "Wishart of 1 × 1",
        hm.Wishart(1),
        POSITIVE,
        [{"scale": [[s]], "degrees_of_freedom": d} for s, d in ((1, 1.5), (0.5, 4), (0.2, 15))],
    ),
]


def draw_line(ax, family, x, parameters):
    counts = bool((x == np.rint(x)).all())
    for colour, given in zip(BRIGHT, parameters, strict=False):
        point = np.ravel(family.from_parameters(**given))
        density = np.exp(family.log_density(point, x[:, None]))
        if counts:
            ax.vlines(x, 0, density, color=colour, alpha=0.35, linewidth=1.0)
            ax.plot(x, density, "o", color=colour, markersize=3.2)
        else:
            ax.plot(x, density, color=colour)
            ax.fill_between(x, density, color=colour, alpha=0.08, linewidth=0)
    ax.set_ylim(0, None)


def draw_plane(ax, log_density, horizontal, vertical, points, levels=(0.1, 0.35, 0.7)):
    h, v = np.meshgrid(horizontal, vertical)
    for colour, point in zip(BRIGHT, points, strict=False):
        density = np.exp(log_density(point, h.ravel(), v.ravel())).reshape(h.shape)
        peak = density[np.isfinite(density)].max()
        ax.contour(h, v, density / peak, levels=levels, colors=[colour], linewidths=1.2)


def normal_2d(ax):
    family = hm.Normal(2)
    covariances = ([[1, 0.7], [0.7, 1]], [[0.3, 0], [0, 0.9]], [[0.8, -0.5], [-0.5, 0.5]])
    means = ([0, 0], [-2, 1.2], [1.8, -1.2])
    points = [
        family.from_parameters(mean=m, covariance=c)
        for m, c in zip(means, covariances, strict=True)
    ]
    draw_plane(
        ax,
        lambda t, h, v: family.log_density(t, np.column_stack([h, v])),
        np.linspace(-4, 4, 120),
        np.linspace(-3, 3, 120),
        points,
    )


def dirichlet(ax):
    family = hm.Dirichlet(3)
    points = [family.from_parameters(concentration=c) for c in ([3, 7, 5], [12, 3, 3], [2, 2, 9])]

    def on_triangle(point, h, v):
        third = v / (np.sqrt(3) / 2)
        second = h - third / 2
        weights = np.column_stack([1 - second - third, second, third])
        inside = (weights > 1e-6).all(-1)
        out = np.full(len(h), -np.inf)
        rows = weights[inside] / weights[inside].sum(-1, keepdims=True)
        out[inside] = family.log_density(point, rows)
        return out

    draw_plane(ax, on_triangle, np.linspace(0, 1, 160), np.linspace(0, np.sqrt(3) / 2, 140), points)
    ax.plot([0, 1, 0.5, 0], [0, 0, np.sqrt(3) / 2, 0], color="0.6", linewidth=0.8)
    ax.set_aspect("equal")
    ax.set_xticks([]), ax.set_yticks([])


def sphere(ax):
    family = hm.VonMisesFisher(3)
    directions = ([1, 0, 0], [0.3, 0.8, 0.5], [0.2, -0.5, 0.84])
    rng = np.random.default_rng(0)
    turn = np.linspace(0, 2 * np.pi, 200)
    ax.plot(np.cos(turn), np.sin(turn), color="0.6", linewidth=0.8)
    for colour, direction, k in zip(BRIGHT, directions, (60, 12, 200), strict=False):
        unit = np.array(direction) / np.linalg.norm(direction)
        point = np.ravel(family.from_parameters(direction=unit, concentration=k))
        x = family.sample(point, rng, 250)
        seen = x[:, 0] > -0.2
        ax.plot(x[seen, 1], x[seen, 2], ".", color=colour, markersize=2.5, alpha=0.6)
    ax.set_aspect("equal")
    ax.set_xticks([]), ax.set_yticks([])


def boltzmann(ax):
    family = hm.Boltzmann(3)
    states = (np.arange(8)[:, None] >> np.arange(3) & 1).astype(float)
    for k, (colour, coupling) in enumerate(zip(BRIGHT, (0.0, 2.5, -2.5), strict=False)):
        couplings = coupling * (np.ones((3, 3)) - np.eye(3))
        point = family.from_parameters(biases=np.full(3, -coupling), couplings=couplings)
        p = np.exp(family.log_density(point, states))
        ax.bar(np.arange(8) + 0.27 * (k - 1), p, 0.25, color=colour)
    ax.set_xticks(range(8), ["".join(str(int(b)) for b in s) for s in states], fontsize=6)


def normal_wishart(ax):
    family = hm.NormalWishart(1)
    given = ((0, 1, 1.0, 4), (1.5, 8, 0.5, 6), (-2, 4, 0.2, 12))
    points = [
        np.ravel(
            family.from_parameters(mean=[m], precision_scale=b, scale=[[s]], degrees_of_freedom=d)
        )
        for m, b, s, d in given
    ]
    draw_plane(
        ax,
        lambda t, h, v: family.log_density(t, np.column_stack([h, v])),
        np.linspace(-4, 4, 120),
        np.linspace(0.05, 7, 120),
        points,
    )
    ax.set_xlabel("mean"), ax.set_ylabel("precision")


PICTURES = [
    ("Normal in the plane", normal_2d),
    ("Dirichlet over 3 weights", dirichlet),
    ("von Mises–Fisher on the sphere", sphere),
    ("Boltzmann, 3 units", boltzmann),
    ("Normal–Wishart of 1 dimension", normal_wishart),
]


def main():
    with style():
        figure = new_figure(10, 12.2)
        axes = [
            figure.add_subplot(5, 4, k + 1) for k in range(len(ONE_DIMENSIONAL) + len(PICTURES))
        ]
        for ax, (title, family, x, parameters) in zip(axes, ONE_DIMENSIONAL, strict=False):
            draw_line(dress(ax), family, x, parameters)
            ax.set_title(title, fontsize=9)
        for ax, (title, draw) in zip(axes[len(ONE_DIMENSIONAL) :], PICTURES, strict=True):
            draw(dress(ax))
            ax.set_title(title, fontsize=9)
        figure.savefig(Path(__file__).with_name("families.png"), dpi=110)


if __name__ == "__main__":
    main()
