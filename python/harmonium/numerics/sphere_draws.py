"""Draws on spheres, exact at any concentration."""

import numpy as np

from harmonium.validation import FloatArray


def draw_one_less_cosine(k: FloatArray, m: int, rng: np.random.Generator) -> FloatArray:
    """Return one less the cosine of the angle to the mean direction, in m + 1 dimensions, (...).

    ``k`` (...) are concentrations, zero or above. Ulrich (1984) with Wood's (1994) correction: a
    beta variable, moved by Moebius' transformation, accepted with probability above 0.6 at any
    concentration. In terms of one less the cosine, which is as small as 1 / k, no digits are lost.
    """
    flat = k.reshape(-1)
    # b = (1 - x0) / (1 + x0), x0 the cosine at which envelope and law touch
    b = m / (2 * flat + np.hypot(2 * flat, m))
    below, x0 = 2 * b / (1 + b), (1 - b) / (1 + b)
    out = np.empty_like(flat)
    waiting = np.arange(len(flat))
    while len(waiting):
        one, other = rng.standard_gamma(0.5 * m, (2, len(waiting)))
        own = b[waiting]
        gap = 2 * own * one / np.maximum(other + own * one, np.finfo(float).tiny)
        up, at = below[waiting], x0[waiting]
        envelope = np.log1p(at * (gap - up) / (2 * up / (1 + own)))
        accept = flat[waiting] * (up - gap) + m * envelope >= -rng.standard_exponential(
            len(waiting)
        )
        out[waiting[accept]] = gap[accept]
        waiting = waiting[~accept]
    return np.minimum(out, 2.0).reshape(k.shape)
