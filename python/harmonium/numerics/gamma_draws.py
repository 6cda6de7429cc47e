"""Gamma draws, and their logarithms where they underflow."""

import numpy as np

from harmonium.validation import FloatArray

#: From this shape on, the chance of a draw below 1e-300 is below 1e-29.
_PLAIN = 0.1


def plainly_drawn(shape: FloatArray) -> bool:
    """Whether draws of all shapes are, for all purposes, numbers well above zero."""
    return bool((shape >= _PLAIN).all())


def draw_gamma(shape: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Return gamma draws of rate one, of each shape: exponentials of :func:`draw_log_gamma`."""
    draws, uniform, small = _parts(shape, rng)
    draws = np.maximum(draws, 1e-300)
    if small.any():
        draws[small] *= uniform[small] ** (1.0 / shape[small])
    return draws


def draw_log_gamma(shape: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Return logarithms of gamma draws of rate one, of each shape.

    Below a shape of one, a draw is one of ``shape + 1`` times ``U**(1 / shape)`` (Marsaglia and
    Tsang 2000): a sum of logarithms.
    """
    draws, uniform, small = _parts(shape, rng)
    logs = np.log(np.maximum(draws, 1e-300))
    if small.any():
        logs[small] += np.log(uniform[small]) / shape[small]
    return logs


def _parts(
    shape: FloatArray, rng: np.random.Generator
) -> tuple[FloatArray, FloatArray, np.ndarray[tuple[int, ...], np.dtype[np.bool_]]]:
    """Draws of shapes of at least one, uniforms in (0, 1], and which shapes are below one."""
    small = shape < 1.0
    draws = rng.standard_gamma(np.where(small, shape + 1.0, shape))
    return draws, 1.0 - rng.random(shape.shape), small
