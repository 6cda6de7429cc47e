"""Samplers beside numpy's Generator and scipy.stats."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from density_cases import CONCENTRATION, D, covariance
from numpy.typing import NDArray
from scipy import stats
from scipy.special import gammaln
from side_by_side import Case

from harmonium.families import (
    Bernoulli,
    Beta,
    Binomial,
    Boltzmann,
    Categorical,
    CoMPoisson,
    Dirichlet,
    Exponential,
    Gamma,
    Geometric,
    InverseGaussian,
    NegativeBinomial,
    Normal,
    NormalWishart,
    Poisson,
    VonMises,
    VonMisesFisher,
    Wishart,
)

Floats = NDArray[np.float64]
NUMPY = "numpy Generator"


def sampler(
    title: str, peer: str, family: Any, parameters: dict[str, Any], size: int | None, theirs: Any
) -> Case:
    """Draws of a family's points beside a peer's; the sizes are the points', or one point's."""
    point = family.from_parameters(**parameters)
    own, other = np.random.default_rng(1), np.random.default_rng(2)

    def draw(_: int) -> Floats:
        return np.asarray(theirs(other), dtype=float)

    return Case(title, peer, lambda _: family.sample(point, own, size), draw, draws=True)


def many_laws(n: int) -> Iterator[Case]:
    """One draw of each of ``n`` laws."""
    rng = np.random.default_rng(0)
    a, b = rng.uniform(0.3, 8.0, (2, n, 1))
    rate, p = rng.uniform(0.2, 30.0, (n, 1)), rng.uniform(0.05, 0.95, (n, 1))
    centre, spread = rng.normal(size=(n, 1)), rng.uniform(0.5, 2.0, (n, 1))
    k = rng.uniform(0.1, 20.0, (n, 1))
    weights = rng.dirichlet(np.ones(D), n)

    def labels(own: np.random.Generator) -> Floats:
        cumulative = weights.cumsum(1)
        return (own.random((n, 1)) > cumulative[:, :-1]).sum(1, keepdims=True)

    def dirichlet(own: np.random.Generator) -> Floats:
        draws = own.standard_gamma(alpha)
        return draws / draws.sum(1, keepdims=True)

    alpha = rng.uniform(0.3, 8.0, (n, D))
    for title, family, parameters, theirs in (
        ("normal", Normal(1), {"mean": centre, "covariance": spread[..., None] ** 2},
         lambda own: own.normal(centre, spread)),
        ("Bernoulli", Bernoulli(), {"probability": p}, lambda own: own.binomial(1, p)),
        ("binomial, 20 trials", Binomial(20), {"probability": p},
         lambda own: own.binomial(20, p)),
        ("categorical, 5 categories", Categorical(D), {"probabilities": weights}, labels),
        ("Poisson", Poisson(), {"rate": rate}, lambda own: own.poisson(rate)),
        ("negative binomial", NegativeBinomial(2.5), {"probability": p},
         lambda own: own.negative_binomial(2.5, 1 - p)),
        ("geometric", Geometric(), {"probability": p}, lambda own: own.geometric(1 - p) - 1),
        ("exponential", Exponential(), {"rate": rate}, lambda own: own.exponential(1 / rate)),
        ("gamma", Gamma(), {"shape": a, "rate": b}, lambda own: own.gamma(a, 1 / b)),
        ("beta", Beta(), {"a": a, "b": b}, lambda own: own.beta(a, b)),
        ("inverse Gaussian", InverseGaussian(), {"mean": a, "shape": b},
         lambda own: own.wald(a, b)),
        ("von Mises", VonMises(), {"mean": centre, "concentration": k},
         lambda own: own.vonmises(centre, k) % (2 * np.pi)),
        ("Dirichlet, 5 weights", Dirichlet(D), {"concentration": alpha}, dirichlet),
    ):  # fmt: skip
        peer = "numpy script" if theirs in (labels, dirichlet) else NUMPY
        yield sampler(title, peer, family, parameters, None, theirs)


def com_poisson(n: int, mode: float, shape: float) -> Any:
    """Draws by a table of the distribution function, 200 counts long."""

    def draw(own: np.random.Generator) -> Floats:
        x = np.arange(200.0)
        masses = np.exp(shape * (x * np.log(mode) - gammaln(x + 1.0)))
        cumulative = masses.cumsum()
        return np.searchsorted(cumulative, own.random(n) * cumulative[-1])[:, None]

    return draw


def one_law(n: int) -> Iterator[Case]:
    """``n`` draws of one law."""
    centre, spread = np.arange(float(D)), covariance()
    weights = CONCENTRATION / CONCENTRATION.sum()
    direction, scale = np.array([1.0, 2.0, 2.0]) / 3, np.eye(3) + 0.2
    machine = Boltzmann(10)
    i, j = machine_pairs = np.tril_indices(10, -1)
    natural = np.random.default_rng(3).normal(scale=0.3, size=machine.dimension)
    couplings = np.zeros((10, 10))
    couplings[machine_pairs] = couplings[j, i] = natural[10:]

    def states(own: np.random.Generator) -> Floats:
        units = (np.arange(1024)[:, None] >> np.arange(10) & 1).astype(float)
        masses = np.exp(np.hstack([units, units[:, i] * units[:, j]]) @ natural)
        return units[own.choice(1024, n, p=masses / masses.sum())]

    def wishart(own: np.random.Generator) -> Floats:
        draws = stats.wishart(6.0, scale).rvs(n, random_state=own)
        return draws[:, *np.tril_indices(3)]

    def normal_wishart(own: np.random.Generator) -> Floats:
        precisions = stats.wishart(6.0, scale).rvs(n, random_state=own)
        roots = np.linalg.cholesky(np.linalg.inv(precisions))
        noise = own.standard_normal((n, 3, 1))
        means = (roots @ noise)[..., 0] / np.sqrt(2.0)
        return np.hstack([means, precisions[:, *np.tril_indices(3)]])

    for title, peer, family, parameters, theirs in (
        ("normal", NUMPY, Normal(1), {"mean": [1.0], "covariance": [[4.0]]},
         lambda own: own.normal(1.0, 2.0, (n, 1))),
        ("normal, 5 columns", NUMPY, Normal(D), {"mean": centre, "covariance": spread},
         lambda own: own.multivariate_normal(centre, spread, n, method="cholesky")),
        ("categorical, 5 categories", NUMPY, Categorical(D), {"probabilities": weights},
         lambda own: own.choice(D, (n, 1), p=weights)),
        ("Poisson", NUMPY, Poisson(), {"rate": [2.5]}, lambda own: own.poisson(2.5, (n, 1))),
        ("Conway-Maxwell-Poisson", "numpy table", CoMPoisson(), {"mode": [5.0], "shape": [1.7]},
         com_poisson(n, 5.0, 1.7)),
        ("gamma", NUMPY, Gamma(), {"shape": [2.5], "rate": [1.5]},
         lambda own: own.gamma(2.5, 1 / 1.5, (n, 1))),
        ("beta", NUMPY, Beta(), {"a": [2.5], "b": [1.5]}, lambda own: own.beta(2.5, 1.5, (n, 1))),
        ("von Mises", NUMPY, VonMises(), {"mean": [2.5], "concentration": [3.0]},
         lambda own: own.vonmises(2.5, 3.0, (n, 1)) % (2 * np.pi)),
        ("von Mises-Fisher, 3 columns", "scipy.stats", VonMisesFisher(3),
         {"direction": direction, "concentration": 4.0},
         lambda own: stats.vonmises_fisher(direction, 4.0).rvs(n, random_state=own)),
        ("Dirichlet, 5 weights", NUMPY, Dirichlet(D), {"concentration": CONCENTRATION},
         lambda own: own.dirichlet(CONCENTRATION, n)),
        ("Boltzmann, 10 units", "numpy, choice of states", machine,
         {"biases": natural[:10], "couplings": couplings}, states),
        ("Wishart, 3 × 3", "scipy.stats", Wishart(3),
         {"scale": scale, "degrees_of_freedom": 6.0}, wishart),
        ("normal-Wishart, 3 columns", "scipy.stats, numpy", NormalWishart(3),
         {"mean": np.zeros(3), "precision_scale": 2.0, "scale": scale, "degrees_of_freedom": 6.0},
         normal_wishart),
    ):  # fmt: skip
        yield sampler(title, peer, family, parameters, n, theirs)
