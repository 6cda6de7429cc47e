"""Summing a normal out of an exponent that is quadratic in it and in what it meets.

The exponent is ``c + u . h + u . Q u`` with ``u = (x, y)``; every array carries batch axes (one
for each point and each state of the finite neighbours). What is left is of the same form in y
(Theorem 13): ``x | y`` is normal, its mean linear in y.
"""

from typing import NamedTuple

import numpy as np

from harmonium.numerics.symmetric import positive_definite, whitening
from harmonium.validation import FloatArray


class Quadratic(NamedTuple):
    """An exponent ``constant + u . linear + u . quadratic u``, (...), (..., n) and (..., n, n)."""

    constant: FloatArray
    linear: FloatArray
    quadratic: FloatArray


class LinearLaw(NamedTuple):
    """The normal law of x given y: precision's whitening factor, offset, loadings of y."""

    factor: FloatArray
    offset: FloatArray
    loadings: FloatArray

    def draw(self, y: FloatArray, noise: FloatArray) -> FloatArray:
        """Return x (n, size) from y and standard normal noise; arrays of one law for each row."""
        mean = self.offset + np.einsum("...ij,...j->...i", self.loadings, y)
        return np.asarray(mean + np.einsum("...ji,...j->...i", self.factor, noise))

    def moments(
        self, weight: FloatArray, first: FloatArray, second: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        """Moments of (x, y), times a weight, from those of y: (..., n) and (..., n, n)."""
        size = self.offset.shape[-1]
        n = size + first.shape[-1]
        covariance = self.factor.swapaxes(-1, -2) @ self.factor
        moved = np.einsum("...ij,...j->...i", self.loadings, first)
        x = weight[..., None] * self.offset + moved
        cross = self.offset[..., :, None] * first[..., None, :] + self.loadings @ second
        out = np.empty((*weight.shape, n, n))
        around = self.offset[..., :, None] * moved[..., None, :]
        own = self.offset[..., :, None] * self.offset[..., None, :] + covariance
        spread = self.loadings @ second @ self.loadings.swapaxes(-1, -2)
        out[..., :size, :size] = (
            weight[..., None, None] * own + around + around.swapaxes(-1, -2) + spread
        )
        out[..., :size, size:] = cross
        out[..., size:, :size] = cross.swapaxes(-1, -2)
        out[..., size:, size:] = second
        return np.concatenate([x, first], -1), out


def has_law(exponent: Quadratic, size: int) -> FloatArray:
    """Return (...), whether the exponent falls off in all directions of its first coordinates."""
    return np.asarray(positive_definite(-2 * exponent.quadratic[..., :size, :size]))


def sum_out(exponent: Quadratic, size: int) -> tuple[LinearLaw, Quadratic]:
    """Return the law of the first ``size`` coordinates given the rest, and what they leave."""
    constant, linear, quadratic = exponent
    factor = whitening(-2 * quadratic[..., :size, :size])
    across = 2 * quadratic[..., :size, size:]
    white = np.einsum("...ij,...j->...i", factor, linear[..., :size])
    turned = factor @ across
    log_root = np.log(np.diagonal(factor, axis1=-2, axis2=-1)).sum(-1)
    back = factor.swapaxes(-1, -2)
    law = LinearLaw(factor, np.einsum("...ij,...j->...i", back, white), back @ turned)
    rest = Quadratic(
        constant + 0.5 * (white**2).sum(-1) + log_root,
        linear[..., size:] + np.einsum("...ji,...j->...i", turned, white),
        quadratic[..., size:, size:] + 0.5 * turned.swapaxes(-1, -2) @ turned,
    )
    return law, rest
