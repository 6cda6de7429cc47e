"""Numerical Jacobians against analytic ones."""

import numpy as np

from harmonium.numerics.derivatives import jacobian


def function(x):
    return np.stack([np.exp(x[..., 0]) * x[..., 1], np.sin(x[..., 1]), x[..., 0] ** 3], -1)


def analytic(x):
    zero = np.zeros(x.shape[:-1])
    a, b = x[..., 0], x[..., 1]
    rows = [[np.exp(a) * b, np.exp(a)], [zero, np.cos(b)], [3 * a**2, zero]]
    return np.stack([np.stack(row, -1) for row in rows], -2)


def test_jacobian_of_batches():
    x = np.random.default_rng(0).standard_normal((4, 3, 2))
    found = jacobian(function, x)
    assert found.shape == (4, 3, 3, 2)
    np.testing.assert_allclose(found, analytic(x), rtol=1e-9, atol=1e-10)


def test_steps_that_are_given():
    # of a function with a domain: its logarithm's derivative close to zero
    x = np.array([1e-8])
    found = jacobian(np.log, x, 0.03 * x)
    np.testing.assert_allclose(found, [[1e8]], rtol=1e-8)


def test_no_coordinates():
    assert jacobian(lambda x: np.zeros((*x.shape[:-1], 2)), np.zeros((3, 0))).shape == (3, 2, 0)
