"""How far statistics reach, and where natural parameters end: whether a pair of families can meet.

Given the one variable, the other's natural parameters are moved by a matrix times the one's
statistic. They stay inside their domain, which is convex, exactly if the furthest statistic in
each direction leaves them there.
"""

from functools import singledispatch
from typing import NamedTuple

import numpy as np
from scipy.special import xlogy

from harmonium.families.base import ExponentialFamily
from harmonium.families.beta import Beta
from harmonium.families.boltzmann import Boltzmann
from harmonium.families.categorical import Categorical
from harmonium.families.dirichlet import Dirichlet
from harmonium.families.exponential import Exponential
from harmonium.families.gamma import Gamma
from harmonium.families.inverse_gaussian import InverseGaussian
from harmonium.families.normal import Normal
from harmonium.families.poisson import Poisson
from harmonium.families.product import Product
from harmonium.families.successes import SuccessesFamily
from harmonium.families.trials import TrialsFamily
from harmonium.families.von_mises import VonMises
from harmonium.families.von_mises_fisher import VonMisesFisher
from harmonium.validation import FloatArray

#: Families with at most so many states answer by trying all of them.
FEW_STATES = 4096


class NaturalBounds(NamedTuple):
    """Open intervals of the natural parameters, (dimension,) each.

    NaN where what is allowed depends on the other parameters.
    """

    lower: FloatArray
    upper: FloatArray


def _bounds(*parts: tuple[int, float, float]) -> NaturalBounds:
    """Runs of parameters with the same bounds: how many, lower, upper."""
    counts = [count for count, _, _ in parts]
    return NaturalBounds(
        np.repeat([low for _, low, _ in parts], counts),
        np.repeat([high for _, _, high in parts], counts),
    )


# ------------------------------------------------------------------- domains of parameters


@singledispatch
def natural_bounds(family: ExponentialFamily) -> NaturalBounds:
    """Return where each natural parameter may lie, whatever the others are; NaN if they matter."""
    return _bounds((family.dimension, np.nan, np.nan))


@natural_bounds.register(Boltzmann)
@natural_bounds.register(Categorical)
@natural_bounds.register(Poisson)
@natural_bounds.register(TrialsFamily)
@natural_bounds.register(VonMises)
@natural_bounds.register(VonMisesFisher)
def _(family: ExponentialFamily) -> NaturalBounds:
    return _bounds((family.dimension, -np.inf, np.inf))


@natural_bounds.register(Exponential)
@natural_bounds.register(InverseGaussian)
@natural_bounds.register(SuccessesFamily)
def _(family: ExponentialFamily) -> NaturalBounds:
    return _bounds((family.dimension, -np.inf, 0.0))


@natural_bounds.register(Beta)
@natural_bounds.register(Dirichlet)
def _(family: ExponentialFamily) -> NaturalBounds:
    return _bounds((family.dimension, 0.0, np.inf))


@natural_bounds.register
def _(family: Gamma) -> NaturalBounds:
    return _bounds((family.n, 0.0, np.inf), (family.n, -np.inf, 0.0))


@natural_bounds.register
def _(family: Normal) -> NaturalBounds:
    rest = family.dimension - family.n
    apart = family.covariance != "full" or family.n == 1
    shape = (rest, -np.inf, 0.0) if apart else (rest, np.nan, np.nan)
    return _bounds((family.n, -np.inf, np.inf), shape)


@natural_bounds.register
def _(family: Product) -> NaturalBounds:
    parts = [natural_bounds(part) for part in family.parts]
    return NaturalBounds(*(np.concatenate(ends) for ends in zip(*parts, strict=True)))


# ----------------------------------------------------------------------- reach of statistics


@singledispatch
def furthest(family: ExponentialFamily, direction: FloatArray) -> FloatArray:
    """Return the supremum of ``s(x) . direction`` over all x, (...), for directions (..., dimension).

    Infinite where there is none; NaN where it is not known.
    """
    if family.n_states is not None and family.n_states <= FEW_STATES:
        return np.asarray((direction @ family._statistic(family.states()).T).max(-1))
    return np.where((direction == 0).all(-1), 0.0, np.nan)


def _copies(family: ExponentialFamily, direction: FloatArray) -> FloatArray:
    """Directions by copy: (..., n, statistics of a copy)."""
    n = family.n_features
    return direction.reshape(*direction.shape[:-1], family.dimension // n, n).swapaxes(-1, -2)


def _upwards(direction: FloatArray) -> FloatArray:
    """Of statistics from zero on, each for itself."""
    return np.where((direction > 0).any(-1), np.inf, 0.0)


@furthest.register
def _(family: TrialsFamily, direction: FloatArray) -> FloatArray:
    return np.asarray(family._trials * np.maximum(direction, 0.0).sum(-1))


@furthest.register
def _(family: Categorical, direction: FloatArray) -> FloatArray:
    del family
    return np.asarray(direction.max(-1, initial=0.0))


@furthest.register
def _(family: Boltzmann, direction: FloatArray) -> FloatArray:
    flat = direction.reshape(-1, family.dimension)
    best = np.array([family._exact.most_probable(one) for one in flat]).reshape(-1, family.n)
    reached = np.einsum("ki,ki->k", family._statistic(best), flat)
    return np.asarray(reached.reshape(direction.shape[:-1]))


@furthest.register
def _(family: VonMises, direction: FloatArray) -> FloatArray:
    cosine, sine = np.moveaxis(_copies(family, direction), -1, 0)
    return np.asarray(np.hypot(cosine, sine).sum(-1))


@furthest.register
def _(family: VonMisesFisher, direction: FloatArray) -> FloatArray:
    del family
    return np.asarray(np.linalg.norm(direction, axis=-1))


@furthest.register(Exponential)
@furthest.register(Poisson)
@furthest.register(SuccessesFamily)
def _(family: ExponentialFamily, direction: FloatArray) -> FloatArray:
    del family
    return _upwards(direction)


@furthest.register
def _(family: Dirichlet, direction: FloatArray) -> FloatArray:
    del family
    total = direction.sum(-1, keepdims=True)
    safe = np.where((direction >= 0).all(-1, keepdims=True) & (total > 0), direction, 1.0)
    best = xlogy(safe, safe / safe.sum(-1, keepdims=True)).sum(-1)
    best = np.where((direction == 0).all(-1), 0.0, best)
    return np.where((direction < 0).any(-1), np.inf, best)


@furthest.register
def _(family: Beta, direction: FloatArray) -> FloatArray:
    copies = _copies(family, direction)
    total = copies.sum(-1, keepdims=True)
    fine = (copies >= 0).all(-1, keepdims=True)
    share = np.where(fine & (total > 0), copies / np.where(total > 0, total, 1.0), 0.0)
    best = np.where(fine, xlogy(np.where(fine, copies, 0.0), share), np.inf)
    return np.asarray(best.sum((-2, -1)))


@furthest.register
def _(family: Gamma, direction: FloatArray) -> FloatArray:
    log_x, x = np.moveaxis(_copies(family, direction), -1, 0)
    inner = (log_x > 0) & (x < 0)
    a, b = np.where(inner, log_x, 1.0), np.where(inner, -x, 1.0)
    none = (log_x == 0) & (x <= 0)
    best = np.where(inner, a * np.log(a / b) - a, np.where(none, 0.0, np.inf))
    return np.asarray(best.sum(-1))


@furthest.register
def _(family: InverseGaussian, direction: FloatArray) -> FloatArray:
    x, inverse = np.moveaxis(_copies(family, direction), -1, 0)
    fine = (x <= 0) & (inverse <= 0)
    best = np.where(fine, -2 * np.sqrt(np.where(fine, x * inverse, 0.0)), np.inf)
    return np.asarray(best.sum(-1))


@furthest.register
def _(family: Normal, direction: FloatArray) -> FloatArray:
    values, vectors = np.linalg.eigh(family.quadratic(direction))
    along = np.einsum("...ij,...i->...j", vectors, direction[..., : family.n])
    inner = values < 0
    best = along**2 / np.where(inner, -4 * values, 1.0)
    level = (values == 0) & (along == 0)
    return np.asarray(np.where(inner, best, np.where(level, 0.0, np.inf)).sum(-1))


@furthest.register
def _(family: Product, direction: FloatArray) -> FloatArray:
    parts = family._pairs(direction)
    return np.asarray(np.sum([furthest(part, own) for part, own in parts], axis=0))
