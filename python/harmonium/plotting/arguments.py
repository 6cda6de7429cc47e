"""What several pictures ask of their arguments."""

from collections.abc import Iterable
from typing import Any

import numpy as np

from harmonium.validation import FloatArray, as_count, as_positive, as_vector


def as_columns(columns: Iterable[object], n: int) -> tuple[int, int]:
    """Return the two columns to draw; ValueError unless they are two different ones of ``n``."""
    found = [as_count(c, name="columns", minimum=0) for c in columns]
    if len(found) != 2 or found[0] == found[1]:
        raise ValueError(f"columns: two different column numbers; got {found}")
    for c in found:
        if c >= n:
            raise ValueError(f"columns: {c} is none of the {n} columns 0 to {n - 1}")
    return found[0], found[1]


def as_names(names: Iterable[object] | None, n: int, *, name: str, default: str) -> list[str]:
    """Return ``n`` labels; without any, ``default`` and the numbers from 1 on."""
    if names is None:
        return [f"{default} {k + 1}" for k in range(n)]
    if isinstance(names, str):
        raise TypeError(f"{name}: a list of names, not the string {names!r}")
    found = [str(label) for label in names]
    if len(found) != n:
        raise ValueError(f"{name}: {len(found)} names for {n}")
    return found


def as_masses(masses: Iterable[object]) -> list[float]:
    """Return shares of probability, rising; ValueError unless strictly between 0 and 1."""
    values = sorted({as_positive(mass, name="masses") for mass in masses})
    if not values or values[-1] >= 1:
        raise ValueError(f"masses: shares of probability between 0 and 1; got {values}")
    return values


def as_labels(labels: object, n: int, *, name: str = "labels") -> tuple[Any, list[str]]:
    """Return numbers from 0 on for the labels of ``n`` rows, and the labels' names in their order."""
    values = np.asarray(labels)
    if values.shape != (n,):
        raise ValueError(f"{name}: shape {values.shape}, expected ({n},): one for each row")
    kinds, numbers = np.unique(values, return_inverse=True)
    return numbers, [str(kind) for kind in kinds.tolist()]


def as_limits(limits: object) -> tuple[float, float, float, float]:
    """Return ``(left, right, bottom, top)``; ValueError unless each is below the next."""
    left, right, bottom, top = as_vector(np.ravel(np.asarray(limits)), name="limits", length=4)
    if not (left < right and bottom < top):
        raise ValueError(
            f"limits: ((left, right), (bottom, top)), each below the next; got {limits!r}"
        )
    return float(left), float(right), float(bottom), float(top)


def limits_of(points: FloatArray, margin: float = 0.08) -> tuple[float, float, float, float]:
    """Return limits that hold the points (n, 2), with a margin on each side."""
    low, high = np.nanmin(points, 0), np.nanmax(points, 0)
    spread = np.where(high > low, high - low, np.maximum(np.abs(high), 1.0))
    low, high = low - margin * spread, high + margin * spread
    return float(low[0]), float(high[0]), float(low[1]), float(high[1])
