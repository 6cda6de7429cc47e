"""Regions of a latent space over which a regression of Eq. 10, or an integral, is taken."""

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from harmonium.validation import FloatArray, as_count, as_floats, check_memory

#: Points of a region, at most: a function is held at every one of them.
_MOST = 1 << 25


class Region(ABC):
    """A part of a latent space, as points that stand for it evenly."""

    @property
    @abstractmethod
    def n_features(self) -> int:
        """Columns of a latent."""

    @abstractmethod
    def latents(self) -> FloatArray:
        """Return the points (n, n_features)."""

    @abstractmethod
    def volumes(self) -> FloatArray:
        """Return the volume (n,) that each point stands for: the weights of an integral."""


@dataclass(frozen=True)
class Circle(Region):
    """All angles, or pairs, triples ... of angles (a torus), evenly spaced.

    Of smooth periodic functions sums over these points are integrals to double precision.

    Parameters
    ----------
    points : int
        How many values each angle takes, from 0 in steps of ``2 pi / points``.
    n : int
        How many angles.
    """

    points: int = 1000
    n: int = 1

    def __post_init__(self) -> None:
        object.__setattr__(self, "points", as_count(self.points, name="points", minimum=4))
        object.__setattr__(self, "n", as_count(self.n, name="n"))
        _check_points(self.n * math.log(self.points))

    @property
    def n_features(self) -> int:
        """Columns of a latent: n."""
        return self.n

    def latents(self) -> FloatArray:
        """Return the points (points**n, n)."""
        angles: FloatArray = np.arange(self.points, dtype=float) * (2 * np.pi / self.points)
        return _lattice([angles] * self.n)

    def volumes(self) -> FloatArray:
        """Return equal volumes, which sum to ``(2 pi)**n``."""
        return np.full(self.points**self.n, (2 * np.pi / self.points) ** self.n)


@dataclass(frozen=True)
class Grid(Region):
    """A box of real numbers with an even grid on it, its faces included.

    Parameters
    ----------
    lower, upper : float or sequence of floats
        Corners; one number serves every axis that the other names.
    points : int or sequence of ints
        Values along each axis, at least two.
    """

    lower: float | Sequence[float]
    upper: float | Sequence[float]
    points: int | Sequence[int] = 100

    def __post_init__(self) -> None:
        low = np.atleast_1d(as_floats(self.lower, name="lower"))
        high = np.atleast_1d(as_floats(self.upper, name="upper"))
        counts = self.points if isinstance(self.points, list | tuple) else [self.points]
        many = [as_count(n, name="points", minimum=2) for n in counts]
        widths = {len(part) for part in (low, high, many) if len(part) > 1}
        empty = not (len(low) and len(high) and len(many))
        if low.ndim > 1 or high.ndim > 1 or len(widths) > 1 or empty:
            raise ValueError(
                f"lower, upper, points: one number, or one for each axis; got {self.lower}, "
                f"{self.upper}, {self.points}"
            )
        n = max(widths, default=1)
        low, high = np.broadcast_to(low, n), np.broadcast_to(high, n)
        bad = np.flatnonzero(~(np.isfinite(low) & np.isfinite(high) & (low < high)))
        if len(bad):
            raise ValueError(
                f"lower must be below upper on every axis; on axis {bad[0]} they are "
                f"{low[bad[0]]} and {high[bad[0]]}"
            )
        object.__setattr__(self, "lower", tuple(low.tolist()))
        object.__setattr__(self, "upper", tuple(high.tolist()))
        object.__setattr__(self, "points", tuple(np.broadcast_to(many, n).tolist()))
        _check_points(float(np.log(np.broadcast_to(many, n)).sum()))

    def _axes(self) -> list[FloatArray]:
        spans = zip(self.lower, self.upper, self.points, strict=True)  # type: ignore[arg-type]  # tuples by now
        return [np.linspace(low, high, n) for low, high, n in spans]

    @property
    def n_features(self) -> int:
        """Columns of a latent."""
        return len(self._axes())

    def latents(self) -> FloatArray:
        """Return the points, the last axis running fastest."""
        return _lattice(self._axes())

    def volumes(self) -> FloatArray:
        """Return the volumes of the trapezoidal rule: a half of a cell on a face."""
        weights = []
        for axis in self._axes():
            own = np.full(len(axis), axis[1] - axis[0])
            own[[0, -1]] /= 2
            weights.append(own)
        return np.asarray(_lattice(weights).prod(-1))


def _check_points(log_number: float) -> None:
    if log_number > math.log(_MOST) + 1e-9:
        raise ValueError(
            f"points: a region has at most {_MOST:,} points in all, not about "
            f"10**{log_number / math.log(10):.1f}; take fewer along each axis"
        )


def _lattice(axes: list[FloatArray]) -> FloatArray:
    """Every combination of values, (n, axes)."""
    check_memory(8 * len(axes) * int(np.prod([float(len(axis)) for axis in axes])), "a region")
    grids = np.meshgrid(*axes, indexing="ij")
    return np.stack([grid.ravel() for grid in grids], -1)
