"""The entropy of finitely many outcomes, however certain one of them is."""

import numpy as np

from harmonium.validation import FloatArray


def discrete_entropy(logits: FloatArray) -> FloatArray:
    """Return the entropies (...), in nats, of outcomes with log weights (..., k), up to a constant.

    Every term is zero or above: ``log(sum w) + sum p (top - logit)`` relative to the largest, so
    an entropy of 1e-300 keeps its digits.
    """
    largest = logits.argmax(-1)[..., None]
    below = np.take_along_axis(logits, largest, -1) - logits
    weights = np.exp(-below)
    np.put_along_axis(weights, largest, 0.0, -1)
    rest = weights.sum(-1)
    return np.asarray(np.log1p(rest) + (weights * below).sum(-1) / (1.0 + rest))
