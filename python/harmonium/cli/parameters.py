"""People's parameters of a fitted model, as tables for the screen and as plain values."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import singledispatch
from typing import Any

import numpy as np

from harmonium.cli.naming import latent_labels
from harmonium.expectation import Prepared
from harmonium.families.normal_stack import NormalPrepared
from harmonium.families.product_stack import ProductPrepared
from harmonium.families.statistic_stack import StatisticPrepared
from harmonium.rules.conjugated_stack import ConjugatedPrepared
from harmonium.rules.linear_stack import LinearPrepared
from harmonium.rules.mixture_stack import MixturePrepared
from harmonium.rules.population_parameters import tuning_to_parameters
from harmonium.rules.views import ViewsRule
from harmonium.validation import FloatArray


@dataclass(frozen=True)
class Grid:
    """A titled table of numbers (rows, columns) with names for both."""

    title: str
    rows: Sequence[str]
    columns: Sequence[str]
    values: FloatArray


def grids(prepared: Prepared, labels: Sequence[str]) -> list[Grid]:
    """Return the tables that describe a single point, ``labels`` naming the columns of its data."""
    return _grids(prepared, labels, ["value"])


@singledispatch
def _grids(prepared: Prepared, labels: Sequence[str], members: Sequence[str]) -> list[Grid]:  # noqa: ARG001 - what the kinds below have besides
    """Tables of a stack whose members have names: columns of members, where these compare."""
    return [_by_column("natural parameters", prepared.natural, members)]


def _by_column(title: str, stack: FloatArray, members: Sequence[str]) -> Grid:
    return Grid(title, [str(j) for j in range(stack.shape[-1])], members, stack.T)


@_grids.register
def _(prepared: NormalPrepared, labels: Sequence[str], members: Sequence[str]) -> list[Grid]:
    deviations = np.sqrt(np.diagonal(prepared.matrices, axis1=-2, axis2=-1))
    shared = len(members) > 1 and bool((prepared.covariances == prepared.covariances[0]).all())
    if shared:
        deviations = deviations[:1]
    return [
        Grid("means", labels, members, prepared.means.T),
        Grid("standard deviations", labels, ["all"] if shared else members, deviations.T),
    ]


@_grids.register
def _(prepared: StatisticPrepared, labels: Sequence[str], members: Sequence[str]) -> list[Grid]:
    family: Any = prepared.family
    try:
        parameters: dict[str, FloatArray] = family.to_parameters(prepared.natural)._asdict()
    except TypeError:  # it has none
        return [_by_column("natural parameters", prepared.natural, members)]
    out = []
    for name, stack in parameters.items():
        title = name.replace("_", " ")
        if stack.ndim == 2:
            rows = labels if stack.shape[1] == len(labels) else range(stack.shape[1])
            out.append(Grid(title, [str(row) for row in rows], members, stack.T))
            continue
        for member, matrix in zip(members, stack, strict=True):
            of = title if len(members) == 1 else f"{title} of {member}"
            flat = matrix.reshape(len(matrix), -1)
            square = flat.shape == (len(labels), len(labels))
            names = labels if square else [str(j) for j in range(flat.shape[1])]
            rows = labels if len(flat) == len(labels) else [str(i) for i in range(len(flat))]
            out.append(Grid(of, rows, names, flat))
    return out


@_grids.register
def _(prepared: ProductPrepared, labels: Sequence[str], members: Sequence[str]) -> list[Grid]:
    pairs = zip(prepared.parts, prepared.columns, strict=True)
    return [grid for part, own in pairs for grid in _grids(part, labels[own], members)]


@_grids.register
def _(prepared: MixturePrepared, labels: Sequence[str], members: Sequence[str]) -> list[Grid]:
    k = prepared.n_components
    if len(members) > 1:
        return _one_by_one(prepared, labels, members)
    clusters = [f"cluster {j}" for j in range(k)]
    weights = Grid("weights", clusters, ["weight"], np.exp(prepared.log_weights).T)
    return [weights, *_grids(prepared.components, labels, clusters)]


@_grids.register
def _(prepared: LinearPrepared, labels: Sequence[str], members: Sequence[str]) -> list[Grid]:
    if len(members) > 1:
        return _one_by_one(prepared, labels, members)
    prior = prepared.prior
    loadings = _likelihood(prepared, labels)
    if isinstance(prior, NormalPrepared) and _centred(prepared) and _is_identity(prior.matrices[0]):
        return loadings
    return [*loadings, *_prior(prepared)]


@_grids.register
def _(prepared: ConjugatedPrepared, labels: Sequence[str], members: Sequence[str]) -> list[Grid]:
    if len(members) > 1:
        return _one_by_one(prepared, labels, members)
    return [*_likelihood(prepared, labels), *_prior(prepared)]


def _prior(prepared: Any) -> list[Grid]:
    names = latent_labels(prepared.latent_family)
    return [_titled("latent", grid) for grid in _grids(prepared.prior, names, ["value"])]


@singledispatch
def _likelihood(prepared: Prepared, labels: Sequence[str]) -> list[Grid]:
    """Tables of a single point's likelihood, without its prior."""
    return _grids(prepared, labels, ["value"])


@_likelihood.register
def _(prepared: LinearPrepared, labels: Sequence[str]) -> list[Grid]:
    names = latent_labels(prepared.latent_family)
    noise = np.sqrt(np.diagonal(prepared.noise.matrices[0]))
    first = "mean" if _centred(prepared) else "offset"
    numbers = np.column_stack([prepared.noise.means[0], prepared.loadings[0], noise])
    return [Grid("loadings", labels, [first, *names, "noise deviation"], numbers)]


@_likelihood.register
def _(prepared: ConjugatedPrepared, labels: Sequence[str]) -> list[Grid]:
    latent, theta, interaction = prepared.latent_family, prepared.theta[0], prepared.interaction[0]
    if isinstance(prepared.rule, ViewsRule):
        out = []
        views = prepared.rule.views(prepared.observable, latent)
        for i, view in enumerate(views):
            own = theta[None, view.statistics], interaction[None][view.place]
            stack = view.rule.prepare(view.observable, latent, *own, prepared.prior.natural)
            tables = _likelihood(stack, labels[view.features])
            out += [_titled(f"view {i}", grid) for grid in tables]
        return out
    names = latent_labels(latent)
    leading = latent.leading
    try:
        gains, _ = tuning_to_parameters(leading, theta, interaction)
    except ValueError:  # some curve has no preferred value
        numbers = np.column_stack([theta, interaction])
        columns = ["theta", *(f"Theta {j}" for j in range(interaction.shape[1]))]
        return [Grid("log tuning curves", labels, columns, numbers)]
    curves = [
        Grid(f"tuning: {grid.title}", grid.columns, grid.rows, grid.values.T)
        for grid in _grids(leading._prepare(interaction), names, labels)
    ]
    return [Grid("gains", labels, ["gain"], gains[:, None]), *curves]


def _centred(prepared: LinearPrepared) -> bool:
    return bool(np.allclose(prepared.centres, 0, atol=1e-6))


def _is_identity(matrix: FloatArray) -> bool:
    return bool(np.allclose(matrix, np.eye(len(matrix)), atol=1e-6))


def _one_by_one(prepared: Any, labels: Sequence[str], members: Sequence[str]) -> list[Grid]:
    return [
        _titled(member, grid)
        for j, member in enumerate(members)
        for grid in _grids(prepared.take(np.array([j])), labels, ["value"])
    ]


def _titled(prefix: str, grid: Grid) -> Grid:
    return replace(grid, title=f"{prefix}: {grid.title}")


@singledispatch
def values(prepared: Prepared) -> dict[str, Any]:
    """Return the parameters of a stack as nested lists, one entry for each member."""
    return {"natural": prepared.natural.tolist()}


@values.register
def _(prepared: NormalPrepared) -> dict[str, Any]:
    return {"means": prepared.means.tolist(), "covariances": prepared.covariances.tolist()}


@values.register
def _(prepared: StatisticPrepared) -> dict[str, Any]:
    family: Any = prepared.family
    try:
        parameters: dict[str, FloatArray] = family.to_parameters(prepared.natural)._asdict()
    except TypeError:
        return {"natural": prepared.natural.tolist()}
    return {name: stack.tolist() for name, stack in parameters.items()}


@values.register
def _(prepared: ProductPrepared) -> dict[str, Any]:
    return {"parts": [values(part) for part in prepared.parts]}


@values.register
def _(prepared: MixturePrepared) -> dict[str, Any]:
    return {
        "weights": np.exp(prepared.log_weights).tolist(),
        "components": values(prepared.components),
    }


@values.register
def _(prepared: LinearPrepared) -> dict[str, Any]:
    return {
        "offset": prepared.noise.means.tolist(),
        "loadings": prepared.loadings.tolist(),
        "noise": prepared.noise.covariances.tolist(),
        "latent": values(prepared.prior),
    }


@values.register
def _(prepared: ConjugatedPrepared) -> dict[str, Any]:
    return {
        "theta": prepared.theta.tolist(),
        "interaction": prepared.interaction.tolist(),
        "latent": values(prepared.prior),
    }
