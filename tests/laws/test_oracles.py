"""The oracles agree with each other: every formula with the sum or integral over its support.

Here for families that the library need not have yet: scipy's laws place the nodes.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from scipy import stats
from scipy.special import gammaln, logsumexp

from laws import charts, formulas
from laws.charts import Chart
from laws.formulas import Formula
from laws.supports import (
    Columns,
    PositiveDefinite,
    Simplex,
    Sphere,
    Support,
    angle,
    binary,
    count,
    positive,
    real,
    unit_interval,
    up_to,
)


@dataclass(frozen=True)
class StandIn:
    """As much of a family as a support and a chart ask for."""

    n_features: int
    draw: Callable[[np.ndarray, Any, int], np.ndarray]
    n: int = 2
    dimension: int = 1

    def sample(self, natural, rng, size):
        return self.draw(natural, np.random.default_rng(rng), size).reshape(size, -1)


@dataclass(frozen=True)
class Oracle:
    """A formula, and the statistic and log base measure of the same family."""

    name: str
    formula: Formula
    chart: Chart
    support: Support
    family: Any
    coordinates: list[float]
    statistic: Callable[[np.ndarray], np.ndarray]
    log_base: Callable[[np.ndarray], Any]
    tolerance: float = 1e-11


def two(x, f, g):
    return np.concatenate([f(x), g(x)], -1)


def draw_gamma(t, rng, n):
    return rng.gamma(t[:2], -1 / t[2:], (n, 2))


def draw_binary(t, rng, n):
    return rng.integers(0, 2, (n, 3))


def draw_wishart(n_side):
    def draw(t, rng, n):
        i, j = np.tril_indices(n_side)
        inverse_scale = np.zeros((n_side, n_side))
        inverse_scale[i, j] = inverse_scale[j, i] = -2 * t[:-1] * np.where(i == j, 1, 0.5)
        scale = np.linalg.inv(inverse_scale)
        draws = stats.wishart(2 * t[-1], scale).rvs(n, random_state=rng)
        return draws.reshape(n, n_side, n_side)[:, i, j]

    return draw


def log_determinant(x):
    n = int(np.sqrt(2 * x.shape[-1]))
    i, j = np.tril_indices(n)
    matrices = np.zeros((len(x), n, n))
    matrices[:, i, j] = matrices[:, j, i] = x
    return np.linalg.slogdet(matrices)[1][:, None]


def wishart(n, coordinates, tolerance):
    return Oracle(
        f"wishart {n}",
        formulas.wishart,
        charts.wishart,
        PositiveDefinite(),
        StandIn(n * (n + 1) // 2, draw_wishart(n), n),
        coordinates,
        lambda x: two(x, np.asarray, log_determinant),
        lambda x: -0.5 * (n + 1) * log_determinant(x)[:, 0],
        tolerance,
    )


ORACLES = [
    Oracle(
        "gamma",
        formulas.gamma,
        charts.shape_and_rate,
        Columns(positive),
        StandIn(2, draw_gamma),
        [0.3, 1.1, -0.4, 0.5],
        lambda x: two(x, np.log, np.asarray),
        lambda x: -np.log(x).sum(-1),
    ),
    Oracle(
        "exponential",
        formulas.exponential,
        charts.negative,
        Columns(positive),
        StandIn(1, lambda t, rng, n: rng.exponential(-1 / t, (n, 1))),
        [0.7],
        np.asarray,
        lambda x: 0,
    ),
    Oracle(
        "beta",
        formulas.beta,
        charts.positive,
        Columns(unit_interval),
        StandIn(1, lambda t, rng, n: rng.beta(*t, n)),
        [0.7, -0.2],
        lambda x: two(x, np.log, lambda x: np.log1p(-x)),
        lambda x: -np.log(x * (1 - x))[:, 0],
    ),
    Oracle(
        "inverse gaussian",
        formulas.inverse_gaussian,
        charts.negative,
        Columns(positive),
        StandIn(1, lambda t, rng, n: rng.wald(np.sqrt(t[1] / t[0]), -2 * t[1], n)),
        [-0.3, 0.6],
        lambda x: two(x, np.asarray, lambda x: 1 / x),
        lambda x: -0.5 * np.log(2 * np.pi * x**3)[:, 0],
    ),
    Oracle(
        "dirichlet",
        formulas.dirichlet,
        charts.positive,
        Simplex(),
        StandIn(3, lambda t, rng, n: rng.dirichlet(t, n)),
        [0.5, 0.1, 0.9],
        np.log,
        lambda x: -np.log(x).sum(-1),
    ),
    wishart(1, [0.3, 0.2], 1e-11),
    wishart(2, [0.3, 0.5, -0.2, 0.9], 1e-8),
    Oracle(
        "von mises-fisher",
        formulas.von_mises_fisher,
        charts.spherical,
        Sphere(),
        StandIn(3, lambda t, rng, n: np.zeros((n, 3)), 3),
        [0.8, -0.9, 0.5],
        np.asarray,
        lambda x: -np.log(4 * np.pi),
    ),
    Oracle(
        "von mises",
        formulas.von_mises,
        charts.polar,
        Columns(angle),
        StandIn(2, lambda t, rng, n: rng.random((n, 2))),
        [0.8, -2.0, 0.5, 1.5],
        lambda x: two(x, np.cos, np.sin),
        lambda x: -2 * np.log(2 * np.pi),
    ),
    Oracle(
        "negative binomial",
        formulas.negative_binomial(2.5),
        charts.negative,
        Columns(count),
        StandIn(1, lambda t, rng, n: rng.negative_binomial(2.5, -np.expm1(t), (n, 1))),
        [-0.5],
        np.asarray,
        lambda x: (gammaln(x + 2.5) - gammaln(2.5) - gammaln(x + 1))[:, 0],
    ),
    Oracle(
        "binomial",
        formulas.binomial(4),
        charts.everywhere,
        Columns(up_to(4)),
        StandIn(2, lambda t, rng, n: rng.integers(0, 5, (n, 2))),
        [-0.5, 1.0],
        np.asarray,
        lambda x: (gammaln(5) - gammaln(x + 1) - gammaln(5 - x)).sum(-1),
    ),
    Oracle(
        "boltzmann on edges",
        formulas.boltzmann(3, [(0, 1), (1, 2)]),
        charts.everywhere,
        Columns(binary),
        StandIn(3, draw_binary),
        [0.1, 0.2, -0.5, 1.0, -1.5],
        lambda x: two(x, np.asarray, lambda x: x[:, [0, 1]] * x[:, [1, 2]]),
        lambda x: 0,
    ),
    Oracle(
        "com-poisson",
        formulas.com_poisson,
        charts.second_negative,
        Columns(count),
        StandIn(2, lambda t, rng, n: rng.poisson(5.0, (n, 2))),
        [0.8, -0.5, -0.2, 0.3],
        lambda x: two(x, np.asarray, lambda x: gammaln(x + 1)),
        lambda x: 0,
    ),
    Oracle(
        "gamma beside poisson",
        formulas.side_by_side((formulas.gamma, 2), (formulas.poisson, 1)),
        charts.side_by_side(
            (charts.shape_and_rate, StandIn(1, draw_gamma, dimension=2)),
            (charts.everywhere, StandIn(1, draw_gamma)),
        ),
        Columns(positive, count),
        StandIn(
            2,
            lambda t, rng, n: np.column_stack(
                [rng.gamma(t[0], -1 / t[1], n), rng.poisson(np.exp(t[2]), n)]
            ),
        ),
        [0.2, -0.3, 0.7],
        lambda x: np.column_stack([np.log(x[:, 0]), x]),
        lambda x: -np.log(x[:, 0]) - gammaln(x[:, 1] + 1),
    ),
    Oracle(
        "normals side by side",
        formulas.normal_diagonal,
        charts.shape_and_rate,  # a location above zero will do
        Columns(real),
        StandIn(2, lambda t, rng, n: rng.normal(-t[:2] / t[2:] / 2, np.sqrt(-0.5 / t[2:]), (n, 2))),
        [0.2, -0.3, 0.7, 0.1],
        lambda x: two(x, np.asarray, np.square),
        lambda x: -np.log(2 * np.pi),
    ),
]


@pytest.mark.parametrize("oracle", ORACLES, ids=lambda oracle: oracle.name)
def test_formula_is_the_log_of_the_normaliser(oracle):
    natural = oracle.chart(oracle.family, np.array(oracle.coordinates))
    nodes = oracle.support.nodes(oracle.family, natural)
    exponent = oracle.statistic(nodes.x) @ natural + oracle.log_base(nodes.x)
    psi = logsumexp(nodes.log_weight + exponent)
    assert abs(psi - float(formulas.evaluate(oracle.formula, natural))) <= oracle.tolerance
    weight = np.exp(nodes.log_weight + exponent - psi)
    gradient = np.array([float(g) for g in formulas.gradient(oracle.formula, natural)])
    mean = weight @ oracle.statistic(nodes.x)
    assert (np.abs(mean - gradient) <= 100 * oracle.tolerance * (1 + np.abs(mean))).all()
