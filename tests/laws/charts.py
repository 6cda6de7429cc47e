"""Maps from free coordinates onto the domains of natural parameters: zero is a plain point.

Coordinates within one or two of zero give ordinary points, ten or more extreme ones.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from harmonium.families import ExponentialFamily
from harmonium.numerics.symmetric import pack_lower
from harmonium.validation import FloatArray

Chart = Callable[[Any, FloatArray], FloatArray]


def everywhere(family: ExponentialFamily, c: FloatArray) -> FloatArray:
    """For families whose natural parameters may be anything."""
    return c


def positive(family: ExponentialFamily, c: FloatArray) -> FloatArray:
    """For natural parameters above zero: beta, Dirichlet."""
    return np.exp(c)


def negative(family: ExponentialFamily, c: FloatArray) -> FloatArray:
    """For natural parameters below zero: exponential, negative binomial, inverse Gaussian."""
    return -np.exp(c)


def second_negative(family: ExponentialFamily, c: FloatArray) -> FloatArray:
    """For a free and a negative statistic: CoM-Poisson."""
    free, below = np.split(c, 2)
    return np.concatenate([free, -np.exp(below)])


def shape_and_rate(family: ExponentialFamily, c: FloatArray) -> FloatArray:
    """For a positive and a negative statistic: gamma."""
    above, below = np.split(np.exp(c), 2)
    return np.concatenate([above, -below])


def polar(family: ExponentialFamily, c: FloatArray) -> FloatArray:
    """Angles, and the logs of lengths: von Mises."""
    angle, log_length = np.split(c, 2)
    return np.concatenate([np.exp(log_length) * np.cos(angle), np.exp(log_length) * np.sin(angle)])


def spherical(family: ExponentialFamily, c: FloatArray) -> FloatArray:
    """A direction, and the length on a log scale beyond one: von Mises-Fisher."""
    length = np.linalg.norm(c)
    return c * (np.expm1(length) / length if length else 1.0)


def _triangle(entries: FloatArray, n: int) -> FloatArray:
    """Lower triangular, the diagonal on a log scale, entries below relative to it."""
    factor = np.zeros((n, n))
    factor[np.tril_indices(n)] = entries
    scale = np.exp(np.diagonal(factor))
    return np.tril(factor, -1) * 0.4 * scale[:, None] + np.diag(scale)


def normal(family: Any, c: FloatArray) -> FloatArray:
    """A mean in standard deviations, and the triangular factor of the covariance."""
    n = family.n
    if family.covariance == "full":
        factor = _triangle(c[n:], n)
        whiten = np.linalg.inv(factor)
        location = whiten.T @ c[:n]
        return np.concatenate([location, pack_lower(-0.5 * whiten.T @ whiten, 2.0)])
    scale = np.exp(c[n:])
    return np.concatenate([c[:n] / scale, -0.5 / scale**2])


def wishart(family: Any, c: FloatArray) -> FloatArray:
    """The triangular factor of the inverse scale, and the degrees of freedom above their least."""
    n = family.n
    factor = _triangle(c[:-1], n)
    half = 0.5 * (n - 1) + np.exp(c[-1:])
    return np.concatenate([pack_lower(-0.5 * factor @ factor.T, 2.0), half])


def normal_wishart(family: Any, c: FloatArray) -> FloatArray:
    """A mean in units of its spread, the Wishart law's coordinates, and the log of kappa."""
    n = family.n
    factor = _triangle(c[n:-2], n)
    inverse_scale, kappa = factor @ factor.T, np.exp(c[-1])
    mean = factor @ c[:n] / np.sqrt(kappa)
    triangle = pack_lower(inverse_scale + kappa * np.outer(mean, mean))
    half = 0.5 * (n - 1) + np.exp(c[-2])
    return np.concatenate([kappa * mean, triangle, [-0.5 * kappa, half]])


def side_by_side(*parts: tuple[Chart, ExponentialFamily]) -> Chart:
    """For products: each part's chart and the part."""

    def chart(family: ExponentialFamily, c: FloatArray) -> FloatArray:
        cuts = np.cumsum([part.dimension for _, part in parts])[:-1]
        pieces = zip(parts, np.split(c, cuts), strict=True)
        return np.concatenate([of(part, piece) for (of, part), piece in pieces])

    return chart
