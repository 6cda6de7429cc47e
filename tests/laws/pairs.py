"""Pairs of families by Eq. 2 and summation over all (x, z), whichever is enumerated in the library."""

from dataclasses import dataclass

import numpy as np
from scipy.special import logsumexp

from harmonium import (
    Bernoulli,
    Binomial,
    Boltzmann,
    Categorical,
    Exponential,
    Gamma,
    Harmonium,
    Normal,
    Poisson,
    Product,
    VonMises,
)
from harmonium.families.base import ExponentialFamily
from harmonium.rules import AnyPair
from harmonium.validation import FloatArray


@dataclass(frozen=True)
class Pairing:
    """A model, a point of each side, and the scale of the interactions."""

    name: str
    model: Harmonium
    observable: FloatArray
    latent: FloatArray
    scale: float = 0.8

    def __repr__(self) -> str:
        return self.name

    def point(self, seed: int = 0) -> FloatArray:
        """A point (dimension,) in the domain."""
        rng = np.random.default_rng([seed, *self.name.encode()])
        pair = self.model.pair
        shape = (len(pair.rows), len(pair.columns))
        return self.model.join(self.observable, self.latent, self.scale * rng.uniform(-1, 1, shape))


def _pairing(name, observable, latent, x, z, rule=None, scale=0.8):
    model = Harmonium(observable, latent) if rule is None else Harmonium(observable, latent, rule)
    return Pairing(name, model, np.array(x), np.array(z), scale)


_RBM = Harmonium(Bernoulli(2), Bernoulli(2))
_LOCATION = AnyPair(rows="location")
PAIRINGS = [
    _pairing("binary and binary", Bernoulli(4), Bernoulli(3), [0.3, -0.5, 1, 0], [0.2, -1, 0.4]),
    _pairing(
        "few binary and Boltzmann", Bernoulli(2), Boltzmann(3), [0.3, -0.5], [0, 0.5, -1, 1, 0, -1]
    ),
    _pairing("category and Boltzmann", Categorical(3), Boltzmann(2), [0.3, -1], [0.2, -0.4, 1.0]),
    _pairing("binomial and category", Binomial(3, 2), Categorical(3), [0.3, -1], [0.2, -0.4]),
    _pairing("binary and binomial", Bernoulli(3), Binomial(2, 2), [0.3, -1, 0], [0.2, -0.4]),
    _pairing(
        "chain and binary",
        Boltzmann(3, ((0, 1), (1, 2))),
        Bernoulli(2),
        [0.3, -0.2, 0.1, 1.0, -1.0],
        [0.4, -0.6],
    ),
    _pairing(
        "full normal and binary",
        Normal(2),
        Bernoulli(2),
        [0.3, -0.2, -0.6, 0.3, -0.5],
        [0.4, -0.6],
        _LOCATION,
    ),
    _pairing(
        "diagonal normal and binary, variances too",
        Normal(2, "diagonal"),
        Bernoulli(2),
        [0.3, -0.2, -0.9, -1.1],
        [0.4, -0.6],
        scale=0.3,
    ),
    _pairing("counts and binary", Poisson(2), Bernoulli(2), [0.3, 1.0], [0.4, -0.6]),
    _pairing("angle and binary", VonMises(1), Bernoulli(3), [1.0, -0.5], [0.4, -0.6, 0.0]),
    _pairing("binary and angle", Bernoulli(3), VonMises(1), [0.4, -0.6, 0.0], [1.0, -0.5]),
    _pairing(
        "binary and normal",
        Bernoulli(3),
        Normal(1),
        [0.4, -0.6, 0.0],
        [0.3, -0.6],
        AnyPair(columns="location"),
    ),
    _pairing("binary and gamma", Bernoulli(2), Gamma(1), [0.4, -0.6], [3.0, -2.0], scale=0.4),
    _pairing("waiting and category", Exponential(1), Categorical(3), [-2.0], [0.5, -0.5]),
    _pairing(
        "count and flag, and category",
        Product(Poisson(1), Bernoulli(1)),
        Categorical(3),
        [0.8, -0.3],
        [0.5, -0.5],
    ),
    _pairing(
        "some statistics",
        Bernoulli(3),
        Boltzmann(3),
        [0.4, -0.6, 0.0],
        [0.3, -0.1, 0.5, 1, -1, 0.5],
        AnyPair(rows=(0, 2), columns=(1, 3)),
    ),
    _pairing(
        "two layers",
        Bernoulli(3),
        _RBM,
        [0.4, -0.6, 0.0],
        [0.3, -0.2, 0.1, 0.4, 1, -1, 0.5, 0.2],
        AnyPair(columns=(0, 1)),
    ),
]


def nodes_of(family: ExponentialFamily) -> tuple[FloatArray, float]:
    """Rows to sum over, and the log of what each stands for."""
    if isinstance(family, Poisson):
        return _grid([np.arange(60.0)] * family.n), 0.0
    if isinstance(family, VonMises):
        return np.arange(80)[:, None] * (2 * np.pi / 80), float(np.log(2 * np.pi / 80))
    if isinstance(family, Normal):
        step = 0.2
        return _grid([np.arange(-14, 14, step)] * family.n), family.n * float(np.log(step))
    if isinstance(family, Product):
        parts = [nodes_of(part) for part in family.parts]
        rows = [r for r, _ in parts]
        at = _grid([np.arange(len(r)) for r in rows]).astype(int)
        whole = np.concatenate([r[at[:, k]] for k, r in enumerate(rows)], -1)
        return whole, sum(weight for _, weight in parts)
    return _grid([np.arange(float(count)) for count in family.levels]), 0.0


def _grid(axes: list[FloatArray]) -> FloatArray:
    return np.stack([g.ravel() for g in np.meshgrid(*axes, indexing="ij")], -1)


class Whole:
    """The joint law as a table over all (x, z)."""

    def __init__(self, model: Harmonium, natural: FloatArray) -> None:
        self.model = model
        self.x, x_weight = nodes_of_positive(model.observable)
        self.z, z_weight = nodes_of_positive(model.latent)
        parts = model.split(natural)
        (block,) = model.blocks
        s = model.observable.sufficient_statistic(self.x)
        t = model.latent.sufficient_statistic(self.z)
        self.s, self.t = s, t
        logs = (s @ parts.observable + model.observable.log_base_measure(self.x) + x_weight)[
            :, None
        ]
        logs = logs + t @ parts.latent + model.latent.log_base_measure(self.z) + z_weight
        self.logs = logs + s[:, block.rows] @ parts.interaction @ t[:, block.columns].T
        self.x_weight, self.z_weight = x_weight, z_weight
        self.psi = float(logsumexp(self.logs))
        self.p = np.exp(self.logs - self.psi)
        self.block = block

    def mean(self) -> FloatArray:
        """E[(s_X, s_Z, s_X s_Z)]."""
        cross = self.s[:, self.block.rows].T @ self.p @ self.t[:, self.block.columns]
        return np.concatenate([self.p.sum(1) @ self.s, self.p.sum(0) @ self.t, cross.ravel()])

    def covariance(self) -> FloatArray:
        """The covariance of the same."""
        cross = self.s[:, None, self.block.rows, None] * self.t[None, :, None, self.block.columns]
        shape = self.p.shape
        whole = np.concatenate(
            [
                np.broadcast_to(self.s[:, None], (*shape, self.s.shape[1])),
                np.broadcast_to(self.t[None], (*shape, self.t.shape[1])),
                cross.reshape(*shape, -1),
            ],
            -1,
        ).reshape(self.p.size, -1)
        gap = whole - self.mean()
        return (self.p.ravel()[:, None] * gap).T @ gap


def nodes_of_positive(family: ExponentialFamily) -> tuple[FloatArray, FloatArray]:
    """As :func:`nodes_of` with a weight for each row: positive numbers by their logarithms."""
    if isinstance(family, Gamma | Exponential):
        step = 0.05
        logs = np.arange(-40, 6, step)
        return np.exp(logs)[:, None], logs + np.log(step)
    rows, weight = nodes_of(family)
    return rows, np.full(len(rows), weight)
