"""Iterations and seconds of exact EM, plain and accelerated, and of quasi-Newton after it."""

import time

import numpy as np

from harmonium import Boltzmann, LinearGaussian, Mixture, Normal, Poisson
from harmonium.learning import fit


def overlapping(rng):
    return Mixture(Normal(1), 2), np.concatenate(
        [rng.normal(size=500), rng.normal(size=500) + 1.5]
    )[:, None]


def three_normals(rng):
    return Mixture(Normal(2), 3), np.concatenate([rng.normal(c, 1, (400, 2)) for c in (0, 1.5, 3)])


def counts(rng):
    return Mixture(Poisson(3), 3), rng.poisson(rng.choice([2.0, 3.0, 5.0], (600, 1)), (600, 3))


def rings(rng):
    angles = np.linspace(0, 2 * np.pi, 1000, endpoint=False)
    radii = np.where(np.arange(1000) % 5 == 0, 0.3, 3.0)[:, None]
    x = radii * np.column_stack([np.cos(angles), np.sin(angles)])
    return LinearGaussian(Normal(2), Boltzmann(6)), x + 0.2 * rng.normal(size=(1000, 2))


def clustered_factors(rng):
    y = rng.choice([-2.0, 0.0, 2.0], (600, 1)) + rng.normal(size=(600, 2))
    x = y @ rng.normal(size=(2, 6)) + rng.normal(size=(600, 6))
    return LinearGaussian(Normal(6, "diagonal"), Mixture(Normal(2), 3)), x


def main() -> None:
    print(f"{'problem':18} {'how':8} iterations  seconds  residual  cross-entropy")
    for problem in (overlapping, three_normals, counts, rings, clustered_factors):
        model, x = problem(np.random.default_rng(0))
        begun = fit(model, x, seed=0, max_iter=5, warn=False).natural
        for how, options in (
            ("EM", {"max_iter": 20_000}),
            ("mixed", {"max_iter": 20_000, "accelerate": True}),
            ("L-BFGS", {"method": "CE-GD", "optimiser": "L-BFGS", "steps": 1, "max_iter": 2000}),
            ("natural", {"method": "CE-GD", "optimiser": "natural", "steps": 1, "max_iter": 200}),
        ):
            clock = time.perf_counter()
            found = fit(model, x, initial=begun, warn=False, **options)
            spent = time.perf_counter() - clock
            print(
                f"{problem.__name__:18} {how:8} {found.n_iterations:10d} {spent:8.2f} "
                f"{found.residual:9.1e} {found.cross_entropy:14.8f}"
            )


if __name__ == "__main__":
    main()
