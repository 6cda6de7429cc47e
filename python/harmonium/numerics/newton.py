"""Safeguarded Newton for the backward mapping: minimise psi(theta) - eta . theta."""

from collections.abc import Callable

import numpy as np

from harmonium.validation import FloatArray

#: Value, gradient and Hessian of the log-partition function at a point.
Oracle = Callable[[FloatArray], tuple[float, FloatArray, FloatArray]]


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
    natural = np.array(start, dtype=float)
    point = _dual(oracle, natural, mean)
    bound = tolerance * np.maximum(np.abs(mean), tolerance)
    for _ in range(max_iter):
        value, gradient, hessian = point
        error = float((np.abs(gradient) / bound).max(initial=0.0))
        if error <= 1 or (np.abs(natural) > largest).any():
            break
        step = _newton_step(hessian, gradient)
        slope = float(gradient @ step)
        resolution = 8 * np.finfo(float).eps * max(1.0, abs(value))
        length = min(1.0, 4 * largest / max(float(np.abs(step).max()), 1.0))
        while length * slope > resolution:
            new = _dual(oracle, natural - length * step, mean)
            if new[0] <= value - 1e-4 * length * slope:
                break
            length /= 2 if np.isfinite(new[0]) else 16
        else:
            # the value is level to rounding: the gradient alone tells progress
            length = 1.0
            new = _dual(oracle, natural - step, mean)
            if not (np.abs(new[1]) / bound).max() <= 0.5 * error:
                break
        natural, point = natural - length * step, new
    return natural


def _dual(
    oracle: Oracle, natural: FloatArray, mean: FloatArray
) -> tuple[float, FloatArray, FloatArray]:
    value, gradient, hessian = oracle(natural)
    return value - float(natural @ mean), gradient - mean, hessian


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
