"""Roots between bounds."""

import numpy as np
import pytest

from harmonium.numerics.bracketing import find_root

TARGETS = np.array([1e-9, 0.3, 1.0, 5.0, 40.0])


@pytest.mark.parametrize(
    ("falling", "inverse"),
    [
        (lambda x, t: t - x, lambda t: t),
        (lambda x, t: np.tanh(t - x), lambda t: t),
        (lambda x, t: np.exp(-x) - np.exp(-t), lambda t: t),
        (lambda x, t: (t - x) ** 9, lambda t: t),
        (lambda x, t: np.where(x < t, 1.0, -1.0), lambda t: t),
        (lambda x, t: np.where(x < 0.5 * t, np.inf, t - x), lambda t: t),
        (lambda x, t: t - x**3, np.cbrt),
    ],
)
def test_many_roots_at_once(falling, inverse):
    low, high = np.full(5, 0.0), np.full(5, 100.0)
    found = find_root(lambda x, rows: falling(x, TARGETS[rows]), low, high)
    # the ninth power is flat: it vanishes within 1e-36 of the root
    np.testing.assert_allclose(found, inverse(TARGETS), rtol=1e-14, atol=1e-15)


def test_few_evaluations():
    calls = []

    def function(x, rows):
        calls.append(len(x))
        return np.exp(-x) - np.exp(-TARGETS[rows])

    find_root(function, np.zeros(5), np.full(5, 100.0))
    assert len(calls) <= 60
    assert calls[-1] < 5  # what is found is left alone


def test_roots_at_the_bounds_and_beyond():
    def line(x, rows):
        return np.array([0.0, 1.0, 7.0, -3.0])[rows] - x

    found = find_root(line, np.zeros(4), np.ones(4))
    np.testing.assert_array_equal(found, [0.0, 1.0, 1.0, 0.0])
    assert find_root(line, np.zeros(0), np.zeros(0)).shape == (0,)
