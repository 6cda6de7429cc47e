"""Sums and integrals over every latent and observed column, by Eq. 2 and by enumeration alone."""

from functools import singledispatch
from typing import Any, NamedTuple

import numpy as np
from scipy.special import logsumexp

from harmonium import Boltzmann, Categorical, Harmonium, Normal, Poisson, VonMises
from harmonium.families.base import ExponentialFamily
from harmonium.validation import FloatArray

#: Draws that place the nodes; how far these go beyond the draws, in ranges; and their step in
#: standard deviations given all other columns: the trapezoid rule errs by exp(-2 (pi / STEP)**2).
DRAWS, BEYOND, STEP = 2000, 0.8, 0.55


class Axis(NamedTuple):
    """Values of one column and the log of what each stands for."""

    values: FloatArray
    log_weight: float


class Nodes(NamedTuple):
    """Rows (n, columns) and the log of what each stands for, (n,)."""

    rows: FloatArray
    log_weights: FloatArray


def axes_of(family: ExponentialFamily, natural: FloatArray) -> list[Axis]:
    """Return what each column of an observation runs over."""
    draws = family.sample(natural, 0, size=DRAWS)
    kinds = kinds_of(family, natural)
    return [_axis(kind, column) for kind, column in zip(kinds, draws.T, strict=True)]


def _axis(kind: float | int | str, column: FloatArray) -> Axis:
    if isinstance(kind, int):
        return Axis(np.arange(float(kind)), 0.0)
    if kind == "count":
        return Axis(np.arange(2 * column.max() + 30), 0.0)
    if kind == "angle":
        return Axis(np.arange(96) * (2 * np.pi / 96), float(np.log(2 * np.pi / 96)))
    step = STEP * float(kind)
    room = BEYOND * (column.max() - column.min())
    return Axis(np.arange(column.min() - room, column.max() + room, step), float(np.log(step)))


@singledispatch
def kinds_of(family: ExponentialFamily, natural: FloatArray) -> list[Any]:
    """Return of each column how many values it has, "count", "angle", or, for real ones, its

    smallest standard deviation given all other columns.
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
    narrowest = [column[0] if isinstance(column[0], str) else min(column) for column in columns]
    return narrowest + kinds_of(family.latent, parts.latent)


def product_of(axes: list[Axis]) -> Nodes:
    """Return every combination of values, the last column running fastest."""
    if not axes:
        return Nodes(np.empty((1, 0)), np.zeros(1))
    grid = np.meshgrid(*(axis.values for axis in axes), indexing="ij")
    rows = np.stack([g.ravel() for g in grid], -1)
    return Nodes(rows, np.full(len(rows), sum(axis.log_weight for axis in axes)))


def log_joint(model: Harmonium, natural: FloatArray, rows: FloatArray) -> FloatArray:
    """Return log q(x, z), (n,), of whole observations: Eq. 2 as it stands."""
    parts = model.split(natural)
    x, z = model.split_observation(rows)
    s, t = model.observable.sufficient_statistic(x), model.latent.sufficient_statistic(z)
    (block,) = model.blocks
    cross = np.einsum("ni,ij,nj->n", s[:, block.rows], parts.interaction, t[:, block.columns])
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
