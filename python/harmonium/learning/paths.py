"""Paths downhill: one point after another, from a gradient, as long as there is a way."""

from collections.abc import Callable, Iterator
from typing import Protocol

import numpy as np
from scipy.sparse.linalg import LinearOperator, cg

from harmonium.learning.objective import Surrogate
from harmonium.learning.optimisers import Optimiser
from harmonium.learning.space import Space
from harmonium.numerics.newton import newton_step
from harmonium.numerics.quasi_newton import lbfgs
from harmonium.validation import FloatArray

#: Value and gradient at a point, infinite outside the domain.
Slope = Callable[[FloatArray], tuple[float, FloatArray]]

#: Free parameters up to which the Fisher information is made and solved as a matrix.
DENSE = 150
#: Most times that a step is halved.
_HALVINGS = 200


class Path(Protocol):
    """How a descent goes on from a point: the points after it."""

    def __call__(self, start: FloatArray) -> Iterator[FloatArray]:
        """Yield the point after each step."""


def first_order(
    optimiser: Optimiser, gradient: Callable[[FloatArray], FloatArray], space: Space
) -> Path:
    """Return paths of an optimiser's steps, each shortened where it would leave the domain.

    A step over the edge is taken at most half of the way there. The optimiser is not told: its
    state goes on.
    """

    def path(start: FloatArray) -> Iterator[FloatArray]:
        point, state = start, optimiser.init(start)
        slope = gradient(point)
        if not np.isfinite(slope).all():
            raise ValueError("initial: the gradient is not finite there")
        while True:
            state, ahead = optimiser.step(state, point, slope)
            point, slope = _shortened(point, ahead, gradient, space)
            yield point

    return path


def _shortened(
    point: FloatArray,
    ahead: FloatArray,
    gradient: Callable[[FloatArray], FloatArray],
    space: Space,
) -> tuple[FloatArray, FloatArray]:
    """The point ahead, or one at most half of the way out, and the gradient there."""
    move, length = ahead - point, 1.0
    if not np.isfinite(move).all():
        raise ValueError("optimiser: its step is not finite; lower the rate")
    for _ in range(_HALVINGS):
        there = point + length * move
        if space.place(there) is not None:
            if length < 1.0 and not (there == point).all():
                there = point + 0.5 * length * move
            slope = gradient(there)
            if np.isfinite(slope).all():
                return there, slope
        length /= 2
    return point, gradient(point)


def quasi_newton(slope: Slope) -> Path:
    """Return paths of L-BFGS, whose line search stays inside the domain."""

    def path(start: FloatArray) -> Iterator[FloatArray]:
        places = lbfgs(slope, start)
        next(places)
        for place in places:
            yield place.point

    return path


def natural_gradient(slope: Slope, space: Space, rate: float) -> Path:
    """Return paths of steps ``rate F**-1 gradient``, F the Fisher information (Amari, 1998).

    F is that of the joint law of x and z in the free coordinates; it is solved as a matrix up to
    :data:`DENSE` of these, by conjugate gradients beyond. A step is halved until the value falls;
    once rounding allows none the last point is repeated.
    """

    def path(start: FloatArray) -> Iterator[FloatArray]:
        point, (value, gradient) = start, slope(start)
        while True:
            move = rate * _whitened(space, point, gradient)
            falling, length = float(gradient @ move), 1.0
            if falling <= 4 * np.finfo(float).eps * max(1.0, abs(value)):
                return
            for _ in range(60):
                there = point - length * move
                new = slope(there)
                if new[0] <= value - 1e-4 * length * falling:
                    point, (value, gradient) = there, new
                    break
                length /= 2
            else:
                return
            yield point

    return path


def _whitened(space: Space, point: FloatArray, gradient: FloatArray) -> FloatArray:
    """The gradient times the inverse of the Fisher information."""
    # the Hessian of the divergence from the point, which is least there
    natural = space.natural(point)
    divergence = Surrogate(space, space.model._to_mean(natural))
    if len(point) <= DENSE:
        return newton_step(divergence.hessian(point), gradient)
    operator = LinearOperator(
        (len(point), len(point)),
        lambda v: divergence.product(point, np.ravel(v)),
        dtype=float,
    )
    return np.asarray(cg(operator, gradient, rtol=1e-6, maxiter=2 * len(point))[0])
