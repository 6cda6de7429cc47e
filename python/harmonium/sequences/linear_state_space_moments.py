"""Expected moments of states, disturbances and noise, and the regressions that an M-step makes."""

from dataclasses import dataclass

import numpy as np

from harmonium.numerics.symmetric import outer
from harmonium.validation import FloatArray

#: Directions of the regressors that hold a smaller share of their moments are not moved in.
_RANK = 1e-13


@dataclass(frozen=True)
class Moments:
    """What the rows say, at a model's parameters; regressors are ``(z, 1, u)``.

    Disturbances ``w`` and noise ``v`` are what the present parameters leave, so nothing cancels
    where that is little. Of independent columns with missing values each has its own group of rows.

    Attributes
    ----------
    transitions, transition_gram, transition_cross, disturbance
        Number of transitions; E[r rᵀ] of the earlier state, E[w rᵀ], E[w wᵀ], summed.
    rows, grams, cross, noise
        Number of rows (g,), E[r rᵀ] (g, r, r), E[v rᵀ] (p, r), E[v vᵀ] (p, p) or squares (p,).
    sequences, initial, initial_square
        Number of sequences, and first two moments of their first states less the initial mean.
    """

    log_likelihood: float
    transitions: float
    transition_gram: FloatArray
    transition_cross: FloatArray
    disturbance: FloatArray
    rows: FloatArray
    grams: FloatArray
    cross: FloatArray
    noise: FloatArray
    sequences: float
    initial: FloatArray
    initial_square: FloatArray

    @classmethod
    def of(cls, sums: FloatArray, d: int, p: int, k: int, correlated: bool) -> "Moments":
        """Return the parts of the kernel's flat sums."""
        r = d + 1 + k
        fixed = 1 + 1 + r * r + d * r + d * d + p * r + (p * p if correlated else p) + 1 + d + d * d
        groups = (len(sums) - fixed) // (1 + r * r)
        shapes: list[tuple[int, ...]] = [(), (), (r, r), (d, r), (d, d), (groups,), (groups, r, r)]
        shapes += [(p, r), (p, p) if correlated else (p,), (), (d,), (d, d)]
        ends = np.cumsum([int(np.prod(shape)) for shape in shapes])[:-1]
        parts = np.split(sums, ends)
        own = [part.reshape(shape) for part, shape in zip(parts, shapes, strict=True)]
        likelihood, transitions, sequences = float(own[0]), float(own[1]), float(own[9])
        a, b, c, rows, grams, cross, noise = own[2:9]
        middle = (a, b, c, rows, grams, cross, noise)
        return cls(likelihood, transitions, *middle, sequences, own[10], own[11])

    def column_rows(self, p: int) -> FloatArray:
        """Rows (p,) in which each column is observed."""
        return np.broadcast_to(self.rows, (p,))


def regression(gram: FloatArray, cross: FloatArray, columns: np.ndarray) -> FloatArray:
    """Return the least (n, r) change of coefficients in ``columns`` that explains ``cross``.

    ``gram`` (r, r) or, one for each row of ``cross`` (n, r), (n, r, r). Where regressors are
    collinear the change is the smallest in units of their own.
    """
    change = np.zeros(cross.shape)
    if not len(columns):
        return change
    own = gram[..., columns[:, None], columns]
    scale = np.sqrt(np.maximum(np.diagonal(own, axis1=-2, axis2=-1), 0.0))
    safe = np.where(scale > 0, scale, 1.0)
    values, vectors = np.linalg.eigh(own / outer(safe, safe))
    kept = values > _RANK * np.maximum(values[..., -1:], 1e-300)
    inverse = np.where(kept, 1.0, 0.0) / np.where(kept, values, 1.0)
    scaled = cross[:, columns] / safe
    turned = np.einsum("...j,...jk->...k", scaled, vectors) * inverse
    change[:, columns] = np.einsum("...k,...jk->...j", turned, vectors) / safe
    return change


def left_over(
    square: FloatArray, cross: FloatArray, gram: FloatArray, change: FloatArray
) -> FloatArray:
    """Return E[e eᵀ] of ``e = v - change r``: a matrix, or squares where ``square`` holds these."""
    if square.ndim == 2:
        shared = gram if gram.ndim == 2 else gram[0]
        mixed = change @ cross.T
        out = square - mixed - mixed.T + change @ shared @ change.T
        return np.asarray((out + out.T) / 2)
    explained = np.einsum("...i,...ij,...j->...", change, gram, change)
    return np.asarray(np.maximum(square - 2 * (change * cross).sum(-1) + explained, 0.0))


def standardised(cross: FloatArray, gram: FloatArray, columns: np.ndarray) -> FloatArray:
    """Return ``cross`` in units in which the regressors of ``columns`` are uncorrelated, (n, c)."""
    own = gram[..., columns[:, None], columns]
    scale = np.sqrt(np.maximum(np.diagonal(own, axis1=-2, axis2=-1), 0.0))
    safe = np.where(scale > 0, scale, 1.0)
    values, vectors = np.linalg.eigh(own / outer(safe, safe))
    kept = values > _RANK * np.maximum(values[..., -1:], 1e-300)
    inverse = np.where(kept, 1.0, 0.0) / np.sqrt(np.where(kept, values, 1.0))
    return np.asarray(np.einsum("...j,...jk->...k", cross[:, columns] / safe, vectors) * inverse)
