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
) -> FloatArray:
    """Return the natural parameter at which the forward mapping equals ``mean``.

    Damped Newton on the convex dual ``psi(theta) - mean . theta``, each step halved until it
    decreases (Armijo), the Hessian loaded where it is numerically singular. ``oracle`` gives the
    log-partition function, its gradient and its Hessian. Stops at a gradient below
    ``tolerance`` relative to the mean's scale, where rounding allows no progress, or once a
    parameter passes ``largest``: a mean outside the domain sends them to infinity.
    """

    def step_of(_: FloatArray, point: Any) -> FloatArray:
        return _newton_step(point[2], point[1])

    def dual(natural: FloatArray) -> tuple[float, FloatArray, FloatArray]:
        value, gradient, hessian = oracle(natural)
        return value - float(natural @ mean), gradient - mean, hessian

    return _descend(dual, step_of, mean, start, tolerance, max_iter, largest)


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

    return _descend(dual, step_of, mean, start, tolerance, max_iter, largest)


def _descend(
    dual: Callable[[FloatArray], Any],
    step_of: Callable[[FloatArray, Any], FloatArray],
    mean: FloatArray,
    start: FloatArray,
    tolerance: float,
    max_iter: int,
    largest: float,
) -> FloatArray:
    """Newton's descent of the dual, whatever solves for the steps."""
    natural = np.array(start, dtype=float)
    point = dual(natural)
    bound = tolerance * np.maximum(np.abs(mean), np.finfo(float).tiny / tolerance)
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
            # the value is level to rounding: the gradient alone tells progress, and a rare
            # statistic, whose mean is nearly an exponential, is not met in one stride
            length = min(1.0, _STRIDE / max(float(np.abs(step).max()), _STRIDE))
            new = dual(natural - length * step)
            least = 0.5 if length == 1.0 else 1.0 - 1e-12
            if not (np.abs(new[1]) / bound).max() <= least * error:
                break
        natural, point = natural - length * step, new
    return natural


def _newton_step(hessian: FloatArray, gradient: FloatArray) -> FloatArray:
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
