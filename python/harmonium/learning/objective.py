"""What an M-step minimises: convex, and smooth inside the domain."""

from typing import Any, Protocol

import numpy as np

from harmonium.families.base import ExponentialFamily
from harmonium.harmonium import Harmonium
from harmonium.learning.space import Space
from harmonium.numerics.derivatives import jacobian_at_once
from harmonium.validation import FloatArray

#: Longest steps of differences, relative to a coordinate or one.
_STEP = 1e-4


class Penalty(Protocol):
    """A negative log prior density of a model's natural parameters, up to a constant, in nats."""

    def value(self, model: ExponentialFamily, natural: FloatArray) -> FloatArray:
        """Return the penalties (...) of points (..., dimension)."""

    def gradient(self, model: ExponentialFamily, natural: FloatArray) -> FloatArray:
        """Return their gradients (..., dimension)."""


class Objective(Protocol):
    """What a convex solve asks of what it minimises."""

    def slope(self, free: FloatArray) -> tuple[float, FloatArray]:
        """Return value and gradient at one point, infinite outside the domain."""

    def hessian(self, free: FloatArray) -> FloatArray:
        """Return the Hessian at one point."""


class Surrogate:
    """``psi(theta) - mean . theta`` (Eq. 26) on a space, with a penalty ``share`` of which counts.

    ``linear`` (size,) is taken from the gradient in the free coordinates besides, times these from
    the value.
    """

    def __init__(
        self,
        space: Space,
        mean: FloatArray,
        linear: FloatArray | None = None,
        penalty: Penalty | None = None,
        share: float = 1.0,
    ) -> None:
        self._space = space
        self._mean = mean
        self._linear = np.zeros(space.size) if linear is None else linear
        self._penalty = penalty
        self._share = share

    def slope(self, free: FloatArray) -> tuple[float, FloatArray]:
        """Return value and gradient at one point (size,), infinite outside the domain."""
        model, natural = self._space.model, self._space.place(free)
        if natural is None:
            return np.inf, np.full(len(free), np.inf)
        with np.errstate(all="ignore"):
            value = float(model._log_partition(natural) - self._mean @ natural)
            value -= float(self._linear @ free)
            if self._penalty is not None:
                value += self._share * float(self._penalty.value(model, natural))
            gradient = self._gradients(free[None])[0]
        if not (np.isfinite(value) and np.isfinite(gradient).all()):
            return np.inf, np.full(len(free), np.inf)
        return value, gradient

    def gradient(self, free: FloatArray) -> FloatArray:
        """Return the gradient alone at one point (size,) inside the domain."""
        with np.errstate(all="ignore"):
            return np.asarray(self._gradients(free[None])[0])

    def _gradients(self, free: FloatArray) -> FloatArray:
        """At points (n, size) inside the domain."""
        model, natural = self._space.model, self._space.natural(free)
        gradient = model._to_mean(natural) - self._mean
        if self._penalty is not None:
            gradient = gradient + self._share * self._penalty.gradient(model, natural)
        return self._space.gradient(natural, gradient) - self._linear

    def hessian(self, free: FloatArray, which: Any = None) -> FloatArray:
        """Return the (size, size) Hessian at one point, by differences of the gradient.

        ``which``, a mask, asks for some of the coordinates only.
        """
        chosen = np.ones(len(free), dtype=bool) if which is None else which
        if self._knows_its_fisher:
            matrix = self._space.model._fisher_information(self._space.natural(free))
            rows = self._space.matrix
            return (
                matrix[np.ix_(chosen, chosen)] if rows is None else _between(matrix, rows[chosen])
            )

        def gradients(part: FloatArray) -> FloatArray:
            return self._gradients(_filled(free, chosen, part))[:, chosen]

        with np.errstate(all="ignore"):
            matrix = jacobian_at_once(gradients, free[chosen], self._steps(free, chosen))
        return np.asarray(0.5 * (matrix + matrix.T))

    @property
    def _knows_its_fisher(self) -> bool:
        """Whether the family states its Fisher information, which is the Hessian then."""
        model = self._space.model
        if isinstance(model, Harmonium) or self._penalty is not None:
            return False
        return type(model)._fisher_information is not ExponentialFamily._fisher_information

    def product(self, free: FloatArray, direction: FloatArray) -> FloatArray:
        """Return the Hessian times one direction (size,)."""
        length = float(np.abs(direction).max())
        if length == 0.0:
            return np.zeros_like(direction)
        step = _STEP * max(1.0, float(np.abs(free).max())) / length
        ends = np.stack([free + step * direction, free - step * direction])
        while self._space.outside(ends).any():
            step /= 4
            ends = np.stack([free + step * direction, free - step * direction])
        with np.errstate(all="ignore"):
            forward, backward = self._gradients(ends)
        return np.asarray((forward - backward) / (2 * step))

    def _steps(self, free: FloatArray, chosen: Any) -> FloatArray:
        """Steps of differences that stay inside the domain."""
        part = free[chosen]
        steps = _STEP * np.maximum(1.0, np.abs(part))
        for _ in range(200):
            moved = np.diag(steps)
            ends = np.concatenate([part + moved, part - moved])
            outside = self._space.outside(_filled(free, chosen, ends))
            if not outside.any():
                break
            steps = np.where(outside[: len(part)] | outside[len(part) :], steps / 4, steps)
        return np.asarray(steps)


def _between(matrix: FloatArray, rows: FloatArray) -> FloatArray:
    return np.asarray(rows @ matrix @ rows.T)


def _filled(free: FloatArray, chosen: Any, parts: FloatArray) -> FloatArray:
    """All coordinates (n, size) from those chosen, the others as they are."""
    out = np.repeat(free[None], len(parts), 0)
    out[:, chosen] = parts
    return out


class Part:
    """An objective in some of its coordinates, the others held."""

    def __init__(self, whole: Surrogate, at: FloatArray, which: Any) -> None:
        self._objective = whole
        self._at = at
        self._which = which

    def _whole(self, part: FloatArray) -> FloatArray:
        out = self._at.copy()
        out[self._which] = part
        return out

    def slope(self, free: FloatArray) -> tuple[float, FloatArray]:
        """Return the value and the gradient in these."""
        value, gradient = self._objective.slope(self._whole(free))
        return value, gradient[self._which]

    def hessian(self, free: FloatArray) -> FloatArray:
        """Return the Hessian in these."""
        return self._objective.hessian(self._whole(free), self._which)
