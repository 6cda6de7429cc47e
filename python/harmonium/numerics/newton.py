"""Safeguarded Newton for the backward mapping: minimise psi(theta) - eta . theta."""

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.sparse.linalg import LinearOperator, cg

from harmonium.validation import FloatArray

#: Value, gradient and Hessian of the log-partition function at a point.
Oracle = Callable[[FloatArray], tuple[float, FloatArray, FloatArray]]
#: Value and gradient alone.
Slope = Callable[[FloatArray], tuple[float, FloatArray]]
#: The Hessian at a point.
Hessian = Callable[[FloatArray], FloatArray]
#: The Hessian at a point (first) times a vector (second).
Product = Callable[[FloatArray, FloatArray], FloatArray]

#: The largest change of a parameter where only the gradient tells progress.
_STRIDE = 4.0


def match_mean(
    oracle: Oracle,
    mean: FloatArray,
    start: FloatArray,
    *,
    tolerance: float = 1e-13,
    max_iter: int = 200,
    largest: float = np.inf,
    scale: FloatArray | None = None,
) -> FloatArray:
    """Return the natural parameter at which the forward mapping equals ``mean``.

    Damped Newton on the convex dual ``psi(theta) - mean . theta``, each step halved until it
    decreases (Armijo), the Hessian loaded where it is numerically singular. ``oracle`` gives the
    log-partition function, its gradient and its Hessian. Stops at a gradient below
    ``tolerance`` relative to the mean (or to ``scale``, where larger: a mean that is zero by
    symmetry is never met relatively), where rounding allows no progress, or once a parameter
    passes ``largest``: a mean outside the domain sends them to infinity.
    """

    def step_of(_: FloatArray, point: Any) -> FloatArray:
        return newton_step(point[2], point[1])

    def dual(natural: FloatArray) -> tuple[float, FloatArray, FloatArray]:
        value, gradient, hessian = oracle(natural)
        return value - float(natural @ mean), gradient - mean, hessian

    size = np.abs(mean) if scale is None else np.maximum(np.abs(mean), scale)
    return _descend(dual, step_of, start, _bound(size, tolerance), max_iter, largest)


def match_mean_by_products(
    slope: Slope,
    product: Product,
    mean: FloatArray,
    start: FloatArray,
    *,
    tolerance: float = 1e-12,
    max_iter: int = 100,
    largest: float = np.inf,
) -> FloatArray:
    """Return what :func:`match_mean` does where the Hessian is known by its products only.

    Newton's steps are solved by conjugate gradients, ever more closely as the gradient falls.
    """
    size = len(mean)

    def step_of(natural: FloatArray, point: Any) -> FloatArray:
        gradient = point[1]
        operator = LinearOperator(
            (size, size), lambda v: product(natural, np.ravel(v)), dtype=float
        )
        length = float(np.linalg.norm(gradient))
        step, _ = cg(operator, gradient, rtol=min(0.1, length), maxiter=2 * size)
        return np.asarray(step)

    def dual(natural: FloatArray) -> tuple[float, FloatArray]:
        value, gradient = slope(natural)
        return value - float(natural @ mean), gradient - mean

    return _descend(dual, step_of, start, _bound(mean, tolerance), max_iter, largest)


def minimise_convex(
    slope: Slope, hessian: Hessian, start: FloatArray, bound: FloatArray, *, max_iter: int = 100
) -> FloatArray:
    """Return where a convex function is least, by the Newton of :func:`match_mean`.

    ``slope`` gives value and gradient, infinite outside the function's domain, and the Hessian is
    asked for at accepted points only. Stops once each entry of the gradient is within ``bound``,
    or where rounding allows no progress.
    """

    def step_of(at: FloatArray, point: Any) -> FloatArray:
        return newton_step(hessian(at), point[1])

    return _descend(slope, step_of, start, bound, max_iter, np.inf)


def _bound(mean: FloatArray, tolerance: float) -> FloatArray:
    return np.asarray(np.maximum(tolerance * np.abs(mean), np.finfo(float).tiny))


def _descend(
    dual: Callable[[FloatArray], Any],
    step_of: Callable[[FloatArray, Any], FloatArray],
    start: FloatArray,
    bound: FloatArray,
    max_iter: int,
    largest: float,
) -> FloatArray:
    """Newton's descent of the dual, whatever solves for the steps."""
    natural = np.array(start, dtype=float)
    point = dual(natural)
    for _ in range(max_iter):
        value, gradient = point[:2]
        error = float((np.abs(gradient) / bound).max(initial=0.0))
        if error <= 1 or (np.abs(natural) > largest).any():
            break
        step = step_of(natural, point)
        slope = float(gradient @ step)
        resolution = 8 * np.finfo(float).eps * max(1.0, abs(value))
        length = min(1.0, 4 * largest / max(float(np.abs(step).max()), 1.0))
        while length * slope > resolution:
            new = dual(natural - length * step)
            if new[0] <= value - 1e-4 * length * slope:
                break
            length /= 2 if np.isfinite(new[0]) else 16
        else:
            # the value is level to rounding: the gradient alone tells progress
            length, least = 1.0, 0.5 * error
            new = dual(natural - step)
            if not (np.abs(new[1]) / bound).max() <= least and np.abs(step).max() > _STRIDE:
                # the mean of what is rare is nearly an exponential: not met in one stride
                length, least = _STRIDE / float(np.abs(step).max()), (1.0 - 1e-12) * error
                new = dual(natural - length * step)
            if not (np.abs(new[1]) / bound).max() <= least:
                break
        natural, point = natural - length * step, new
    return natural


def newton_step(hessian: FloatArray, gradient: FloatArray) -> FloatArray:
    """Return the solution of ``hessian step = gradient``, loaded where the Hessian is singular."""
    # a statistic that does not vary at all must not send the step beyond the largest number
    scale = np.sqrt(np.maximum(np.diagonal(hessian), 1e-200))
    scaled = hessian / np.outer(scale, scale)
    load = 0.0
    while True:
        try:
            root = np.linalg.cholesky(scaled + load * np.eye(len(scale)))
        except np.linalg.LinAlgError:
            load = max(10 * load, 1e-14)
            if load > 1e6:  # no curvature to go by
                return np.asarray(gradient / scale**2)
            continue
        inner = np.linalg.solve(root, gradient / scale)
        return np.asarray(np.linalg.solve(root.T, inner) / scale)
