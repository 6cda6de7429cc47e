"""Sums and integrals over every latent and observed column, by Eq. 2 and by enumeration alone."""

from functools import singledispatch
from typing import Any, NamedTuple

import numpy as np
from scipy.special import logsumexp

from harmonium import Harmonium
from harmonium.families import (
    Bernoulli,
    Beta,
    Binomial,
    Boltzmann,
    Categorical,
    CoMPoisson,
    Dirichlet,
    Exponential,
    ExponentialFamily,
    Gamma,
    Geometric,
    InverseGaussian,
    NegativeBinomial,
    Normal,
    NormalWishart,
    Poisson,
    Product,
    VonMises,
    VonMisesFisher,
    Wishart,
)
from harmonium.rules.interaction import InteractionShape
from harmonium.validation import FloatArray
from laws.supports import Kind, positive, real, unit_interval

#: Draws that place the nodes; how far these go beyond the draws, in ranges; and their step in
#: standard deviations given all other columns: the trapezoid rule errs by exp(-2 (pi / STEP)**2).
DRAWS, BEYOND, STEP = 2000, 0.8, 0.55
#: The same on curved lines, where tails are those of exponentials and integrands analytic in a
#: narrow strip only; and the least spread of columns that go together.
BEYOND_CURVED, STEP_CURVED, JOINT_SPREAD = 3.0, 0.3, 0.5


class Axis(NamedTuple):
    """Values of one column and the logs of what each stands for."""

    values: FloatArray
    log_weights: FloatArray


class Line(NamedTuple):
    """A column that a kind maps to the real line, and its standard deviation there."""

    kind: Kind
    spread: float


class Nodes(NamedTuple):
    """Rows (n, columns) and the log of what each stands for, (n,)."""

    rows: FloatArray
    log_weights: FloatArray


def axes_of(family: ExponentialFamily, natural: FloatArray) -> list[Axis]:
    """Return what each column of an observation runs over."""
    draws = family.sample(natural, 0, size=DRAWS)
    kinds = kinds_of(family, natural)
    return [_axis(kind, column) for kind, column in zip(kinds, draws.T, strict=True)]


def _axis(kind: Any, column: FloatArray) -> Axis:
    if isinstance(kind, int):
        return Axis(np.arange(float(kind)), np.zeros(kind))
    if kind == "count":
        values = np.arange(4 * column.max() + 30)
        return Axis(values, np.zeros(len(values)))
    if kind == "angle":
        return Axis(np.arange(96) * (2 * np.pi / 96), np.full(96, np.log(2 * np.pi / 96)))
    if kind == "joint":
        return Axis(np.empty(0), np.empty(0))
    line = kind if isinstance(kind, Line) else Line(real, float(kind))
    t = line.kind.line(column)
    straight = line.kind is real
    step = STEP * line.spread if straight else min(STEP_CURVED * line.spread, STEP_CURVED)
    room = (BEYOND if straight else BEYOND_CURVED) * (t.max() - t.min())
    low, high = max(t.min() - room, line.kind.lowest), min(t.max() + room, line.kind.highest)
    values = np.arange(low, high, step)
    return Axis(line.kind.back(values), np.log(step) + line.kind.log_slope(values))


@singledispatch
def kinds_of(family: ExponentialFamily, natural: FloatArray) -> list[Any]:
    """Return of each column how many values it has, "count", "angle", or, for real ones, its

    smallest standard deviation given all other columns; of others on the line, a Line; "joint" of
    columns that go together, whose rows :func:`rows_of_data` lists.
    """
    raise NotImplementedError(f"say what the columns of {family!r} run over")


@kinds_of.register
def _(family: Categorical, natural: FloatArray) -> list[Any]:
    return [family.n_categories]


@kinds_of.register
def _(family: Boltzmann, natural: FloatArray) -> list[Any]:
    return [2] * family.n


@kinds_of.register
def _(family: Poisson, natural: FloatArray) -> list[Any]:
    return ["count"] * family.n


@kinds_of.register
def _(family: VonMises, natural: FloatArray) -> list[Any]:
    return ["angle"] * family.n


@kinds_of.register(Bernoulli)
@kinds_of.register(Binomial)
def _(family: Any, natural: FloatArray) -> list[Any]:
    return [1 + int(getattr(family, "trials", 1))] * family.n


@kinds_of.register(CoMPoisson)
@kinds_of.register(Geometric)
@kinds_of.register(NegativeBinomial)
def _(family: Any, natural: FloatArray) -> list[Any]:
    return ["count"] * family.n


@kinds_of.register(Exponential)
@kinds_of.register(Gamma)
@kinds_of.register(InverseGaussian)
def _(family: ExponentialFamily, natural: FloatArray) -> list[Any]:
    return _lines(positive, family, natural)


@kinds_of.register
def _(family: Beta, natural: FloatArray) -> list[Any]:
    return _lines(unit_interval, family, natural)


def _lines(kind: Kind, family: ExponentialFamily, natural: FloatArray) -> list[Any]:
    """Independent columns, with the spread that draws show on the line."""
    draws = family.sample(natural, 0, size=DRAWS)
    return [Line(kind, float(np.std(kind.line(column)))) for column in draws.T]


@kinds_of.register(Dirichlet)
@kinds_of.register(NormalWishart)
@kinds_of.register(VonMisesFisher)
@kinds_of.register(Wishart)
def _(family: ExponentialFamily, natural: FloatArray) -> list[Any]:
    if isinstance(family, Wishart) and family.n == 1:
        return _lines(positive, family, natural)
    return ["joint"] * family.n_features


@kinds_of.register
def _(family: Product, natural: FloatArray) -> list[Any]:
    pairs = zip(family.parts, family.split(natural), strict=True)
    return [kind for part, own in pairs for kind in kinds_of(part, own)]


@kinds_of.register
def _(family: Normal, natural: FloatArray) -> list[Any]:
    quadratic = family._full_quadratic(natural)
    return [float(d) for d in 1 / np.sqrt(-2 * np.diagonal(quadratic))]


@kinds_of.register
def _(family: Harmonium, natural: FloatArray) -> list[Any]:
    parts = family.split(natural)
    points = [parts.observable]
    if isinstance(family.latent, Categorical):
        categories = np.arange(float(family.latent.n_categories))[:, None]
        points = list(family.likelihood(natural, categories))
    columns = zip(*(kinds_of(family.observable, point) for point in points), strict=True)
    narrowest = [
        column[0] if isinstance(column[0], str) else min(column, key=_width) for column in columns
    ]
    return narrowest + kinds_of(family.latent, parts.latent)


def _width(kind: Any) -> float:
    return float(kind.spread if isinstance(kind, Line) else kind)


def product_of(axes: list[Axis]) -> Nodes:
    """Return every combination of values, the last column running fastest."""
    if not axes:
        return Nodes(np.empty((1, 0)), np.zeros(1))
    grid = np.meshgrid(*(axis.values for axis in axes), indexing="ij")
    rows = np.stack([g.ravel() for g in grid], -1)
    weights = np.meshgrid(*(axis.log_weights for axis in axes), indexing="ij")
    return Nodes(rows, np.sum([w.ravel() for w in weights], axis=0))


def rows_of_data(model: Harmonium, natural: FloatArray) -> Nodes:
    """Return rows over which a sum is the sum or integral over all data of a small model."""
    leaf: ExponentialFamily = model
    while isinstance(leaf, Harmonium):
        leaf = leaf.observable
    if "joint" not in kinds_of(model, natural):
        return product_of(axes_of(model, natural)[: model.n_observed])
    draws = model.sample(natural, 0, size=DRAWS)[:, : model.n_observed]
    if isinstance(leaf, VonMisesFisher) and leaf.n == 2:
        turn, log_weights = _axis("angle", draws[:, 0])
        return Nodes(np.column_stack([np.cos(turn), np.sin(turn)]), log_weights)
    if isinstance(leaf, Dirichlet) and leaf.n == 2:
        first, log_weights = _axis(Line(unit_interval, JOINT_SPREAD), draws[:, 0])
        return Nodes(np.column_stack([first, 1 - first]), log_weights)
    if isinstance(leaf, NormalWishart) and leaf.n == 1:
        # a mean in units of the spread that its precision leaves
        root = np.sqrt(draws[:, 1])
        centre = draws[:, 0].mean()
        u = _axis(JOINT_SPREAD, (draws[:, 0] - centre) * root)
        precision = _axis(Line(positive, JOINT_SPREAD), draws[:, 1])
        rows, log_weights = product_of([u, precision])
        rows[:, 0] = centre + rows[:, 0] / np.sqrt(rows[:, 1])
        return Nodes(rows, log_weights - 0.5 * np.log(rows[:, 1]))
    raise NotImplementedError(f"say what rows of {leaf!r} run over")


def log_joint(model: Harmonium, natural: FloatArray, rows: FloatArray) -> FloatArray:
    """Return log q(x, z), (n,), of whole observations: Eq. 2 as it stands."""
    parts = model.split(natural)
    x, z = model.split_observation(rows)
    s, t = model.observable.sufficient_statistic(x), model.latent.sufficient_statistic(z)
    at = InteractionShape(model.blocks)
    cross = np.einsum("ni,ij,nj->n", s[:, at.rows], parts.interaction, t[:, at.columns])
    base = model.observable.log_base_measure(x) + model.latent.log_base_measure(z)
    return s @ parts.observable + t @ parts.latent + cross + base - model.log_partition(natural)


class LatentSum:
    """The sum or integral over all latent columns of a model at one point."""

    def __init__(self, model: Harmonium, natural: FloatArray) -> None:
        self._model, self._natural = model, natural
        axes = axes_of(model, natural)[model.n_observed :]
        self._inner = model.observable.n_features - model.n_observed
        self.outer = product_of(axes[self._inner :])
        nodes = product_of(axes)
        self._rows, self._log_weights = nodes

    def log_joint(self, x: FloatArray) -> FloatArray:
        """Return (n, nodes) log joint densities of rows x, with the nodes' weights."""
        out = []
        for row in x:
            whole = np.column_stack([np.tile(row, (len(self._rows), 1)), self._rows])
            out.append(log_joint(self._model, self._natural, whole) + self._log_weights)
        return np.stack(out)

    def log_marginal(self, x: FloatArray) -> FloatArray:
        """Return log q(x), (n,)."""
        return np.asarray(logsumexp(self.log_joint(x), -1))

    def log_posterior(self, x: FloatArray) -> FloatArray:
        """Return (n, outer nodes) log posterior densities at the nodes of the latent."""
        joint = self.log_joint(x)
        inner = np.asarray(logsumexp(joint.reshape(len(x), -1, len(self.outer.rows)), 1))
        return inner - logsumexp(joint, -1, keepdims=True) - self.outer.log_weights

    def expected_statistic(self, x: FloatArray) -> FloatArray:
        """Return E[(s_X, s_Z, s_X s_Z) | x], (n, dimension)."""
        out = []
        for row, joint in zip(x, self.log_joint(x), strict=True):
            whole = np.column_stack([np.tile(row, (len(self._rows), 1)), self._rows])
            shares = np.exp(joint - logsumexp(joint))
            out.append(shares @ self._model.sufficient_statistic(whole))
        return np.stack(out)
