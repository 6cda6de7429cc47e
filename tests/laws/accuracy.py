"""Errors of a family over its declared domain, against mpmath, in units of what is promised."""

from dataclasses import dataclass, fields
from functools import lru_cache
from typing import Any

import numpy as np
from mpmath import fdot, mpf, workdps

from harmonium.errors import BoundaryError
from harmonium.families import VonMises
from harmonium.numerics.bessel_of_order import bessel_ratio_of_order
from harmonium.validation import FloatArray
from laws.declared import EPS, Declared
from laws.exact import Value, digits_for, evaluate, inverse

#: Numbers below the normal ones keep no relative digits.
TINY = float(np.finfo(float).tiny)
#: Numbers of a batch of Fisher matrices.
_MOST = 1 << 22


@dataclass
class Worst:
    """The largest errors of some points, as the table has them."""

    log_partition: float = 0.0
    log_partition_conditioned: float = 0.0
    mean: float = 0.0
    mean_conditioned: float = 0.0
    condition: float = 1.0
    entropy: float = 0.0
    round_trip: float = 0.0
    #: Points sent there and back: those whose Fisher information is not singular to double precision.
    returned: int = 0

    def join(self, other: "Worst") -> "Worst":
        """Of both sets of points."""
        both = {
            field.name: max(getattr(self, field.name), getattr(other, field.name))
            for field in fields(self)
        }
        return Worst(**{**both, "returned": self.returned + other.returned})

    def met(self, declared: Declared) -> bool:
        """Whether what is promised is kept."""
        forward = max(self.log_partition_conditioned, self.mean_conditioned)
        return forward <= declared.forward and self.round_trip <= declared.round_trip


def measure(declared: Declared, natural: FloatArray, returns: int | None = None) -> Worst:
    """The largest errors at points (m, dimension); ``returns`` of them are sent there and back."""
    step = max(1, _MOST // declared.family.dimension**2)
    worst, left = Worst(), len(natural) if returns is None else returns
    for start in range(0, len(natural), step):
        part = natural[start : start + step]
        worst = worst.join(_measure(declared, part, max(0, left - start)))
    return worst


def _measure(declared: Declared, natural: FloatArray, returns: int) -> Worst:
    family = declared.family
    psi, mean = family.log_partition(natural), family.to_mean(natural)
    scales = _radial_scales if declared.radial else _scales
    sensitivity = scales(declared, natural, mean)
    exact = [_exact(declared.exact, tuple(point.tolist())) for point in natural]
    worst = Worst()
    for k, (value, slopes) in enumerate(exact):
        gap, size = abs(float(mpf(psi[k]) - value)), abs(float(value))
        bound = max(size, float(np.abs(natural[k]) @ np.abs(mean[k])))
        gaps = np.array([abs(float(mpf(m) - g)) for m, g in zip(mean[k], slopes, strict=True)])
        sizes = np.array([abs(float(g)) for g in slopes])
        if declared.radial:
            gaps, sizes = np.linalg.norm(gaps, keepdims=True), np.linalg.norm(sizes, keepdims=True)
        bounds = np.maximum(sizes, sensitivity.mean[k])
        worst = worst.join(
            Worst(
                _ratio(gap, size),
                _ratio(gap, bound),
                _ratio(gaps, sizes),
                _ratio(gaps, bounds),
                max(_ratio(bound, size), _ratio(bounds[sizes > 0], sizes[sizes > 0]), 1.0),
            )
        )
    if declared.base is not None:
        worst.entropy = _entropy_error(declared, natural, exact, sensitivity)
    worst.round_trip, worst.returned = _round_trip(
        declared, natural[:returns], mean[:returns], sensitivity.natural[:returns]
    )
    return worst


@lru_cache(maxsize=64)
def _exact(exact: Any, natural: tuple[float, ...]) -> Value:
    return evaluate(exact, natural)


def _ratio(gap: Any, scale: Any) -> float:
    """The largest ratio; what is below the normal numbers counts as zero."""
    gap, scale = np.atleast_1d(gap), np.atleast_1d(scale)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(gap <= TINY, 0.0, gap / scale)
    # NaN, of a value that is none, is the worst of all
    return float(np.where(np.isnan(ratio), np.inf, ratio).max(initial=0.0))


@dataclass
class Scales:
    """Changes per relative change of every argument: of means, entropies and natural parameters."""

    mean: FloatArray
    entropy: FloatArray
    #: Infinite where the Fisher information is singular to double precision.
    natural: FloatArray


def _base(declared: Declared) -> tuple[float, FloatArray]:
    constant, slopes = declared.base(declared.family) if declared.base else (0.0, 0.0)
    return constant, np.broadcast_to(slopes, declared.family.dimension)


def _scales(declared: Declared, natural: FloatArray, mean: FloatArray) -> Scales:
    fisher, size = declared.family.fisher_information(natural), np.abs(natural)
    # a square that overflows says that nothing is known
    with np.errstate(over="ignore", under="ignore"):
        forward = np.einsum("mij,mj->mi", np.abs(fisher), size)
        slope = np.abs(np.einsum("mij,mi->mj", fisher, natural + _base(declared)[1]))
        # and its own rounding
        entropy = ((slope + EPS * forward) * size).sum(-1)
        return Scales(forward, entropy, _backward_scales(natural, mean, fisher))


def _backward_scales(natural: FloatArray, mean: FloatArray, fisher: FloatArray) -> FloatArray:
    variance, n = np.diagonal(fisher, axis1=-2, axis2=-1), natural.shape[-1]
    known = (variance > 1e-300).all(-1)
    scale = np.sqrt(np.where(known[:, None], variance, 1.0))
    correlation = fisher / scale[:, :, None] / scale[:, None, :]
    correlation = np.where(known[:, None, None], correlation, np.eye(n))
    values, vectors = np.linalg.eigh(correlation)
    known &= values[:, 0] > 16 * n * EPS
    values = np.where(known[:, None], values, 1.0)
    inverse = np.abs((vectors / values[:, None, :]) @ vectors.swapaxes(-1, -2))
    # a subnormal mean is rounded by more than its relative unit
    units = np.maximum(np.abs(mean), TINY) / scale
    bound = np.maximum(np.einsum("mij,mj->mi", inverse, units) / scale, np.abs(natural))
    # the inverse itself knows entries only to the rounding of the largest
    bound = np.maximum(bound, 16 * EPS * bound.max(-1, keepdims=True))
    return np.where(known[:, None], bound, np.inf)


def _radial_scales(declared: Declared, natural: FloatArray, mean: FloatArray) -> Scales:
    """Of lengths: ``A(k)`` changes by ``k A' <= A``."""
    k = np.linalg.norm(natural, axis=-1)
    at = bessel_ratio_of_order(0.5 * natural.shape[-1] - 1.0, k)
    if isinstance(declared.family, VonMises):
        backward = np.maximum(1.0, 16 * EPS * k / declared.round_trip)
    else:
        backward = np.maximum(1.0, at.over_argument / at.slope)
    return Scales(np.linalg.norm(mean, axis=-1), k * k * at.slope, (k * backward)[:, None])


def _entropy_error(
    declared: Declared, natural: FloatArray, exact: list[Value], scales: Scales
) -> float:
    constant, slopes = _base(declared)
    values = declared.family.entropy(natural)
    worst = 0.0
    for k, (psi, gradient) in enumerate(exact):
        digits = digits_for(natural[k])
        entropy = _entropy(psi, gradient, natural[k], slopes, digits)
        if abs(entropy) < mpf(10) ** -30 * max(1, abs(psi)):
            # of a law that is all but certain, little is left
            digits += 700
            value = evaluate(declared.exact, natural[k], digits)
            entropy = _entropy(*value, natural[k], slopes, digits)
        with workdps(digits):
            gap = abs(float(mpf(values[k]) + constant - entropy))
            size = max(abs(float(entropy - constant)), scales.entropy[k])
        # a constant in double precision
        worst = max(worst, _ratio(max(gap - EPS * abs(constant), 0.0), size))
    return worst


def _entropy(psi: Any, gradient: list[Any], natural: Any, slopes: Any, digits: int) -> Any:
    """But for the constant of the base measure."""
    with workdps(digits):
        return psi - fdot([mpf(t) + mpf(b) for t, b in zip(natural, slopes, strict=True)], gradient)


def _round_trip(
    declared: Declared, natural: FloatArray, mean: FloatArray, bound: FloatArray
) -> tuple[float, int]:
    known = np.isfinite(bound).all(-1)
    broken = declared.family._on_boundary(mean)
    if broken is not None:
        known &= ~broken[0]
    natural, mean, bound = natural[known], mean[known], bound[known]
    if not len(natural):
        return 0.0, 0
    try:
        gap = np.abs(declared.family.to_natural(mean) - natural)
    except BoundaryError:
        return np.inf, len(natural)
    if declared.radial:
        gap = np.linalg.norm(gap, axis=-1, keepdims=True)
        return _ratio(gap, bound), len(natural)
    worst = 0.0
    for k in range(len(natural)):
        ratio = _ratio(gap[k], bound[k])
        if ratio > 1e-3 * declared.round_trip:
            # in double precision, small entries of the inverse drown in the rounding of large ones
            ratio = _ratio(gap[k], _exact_bound(declared, natural[k], mean[k]))
        worst = max(worst, ratio)
    return worst, len(natural)


def _exact_bound(declared: Declared, natural: FloatArray, mean: FloatArray) -> FloatArray:
    fisher = declared.family.fisher_information(natural)
    with workdps(1000):
        rows = inverse([[mpf(entry) for entry in row] for row in fisher.tolist()])[0]
        moved = [fdot([abs(entry) for entry in row], np.abs(mean).tolist()) for row in rows]
    return np.maximum([float(value) for value in moved], np.abs(natural))
