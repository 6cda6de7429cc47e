"""Optimisers: their updates as published, and what they refuse."""

import numpy as np
import pytest

from harmonium.learning import Adam, GradientDescent, Momentum, Optimiser
from harmonium.validation import FloatArray

GRADIENTS = np.random.default_rng(0).normal(size=(7, 3))


def walk(optimiser: Optimiser) -> FloatArray:
    point = np.zeros(3)
    state = optimiser.init(point)
    path = []
    for gradient in GRADIENTS:
        state, point = optimiser.step(state, point, gradient)
        path.append(point)
    return np.stack(path)


def test_gradient_descent() -> None:
    np.testing.assert_allclose(walk(GradientDescent(0.1)), -0.1 * GRADIENTS.cumsum(0))


def test_momentum() -> None:
    # Polyak: the n-th velocity is a geometric sum of gradients
    powers = 0.8 ** np.subtract.outer(np.arange(7), np.arange(7))
    velocity = -0.1 * np.tril(powers) @ GRADIENTS
    np.testing.assert_allclose(walk(Momentum(0.1, 0.8)), velocity.cumsum(0))
    np.testing.assert_allclose(walk(Momentum(0.1, 0.0)), walk(GradientDescent(0.1)))


def test_adam() -> None:
    # Kingma and Ba, Algorithm 1, with both averages as explicit sums
    n = np.arange(1, 8)[:, None]
    ages = np.subtract.outer(np.arange(7), np.arange(7))

    def average(decay: float, values: FloatArray) -> FloatArray:
        sums = (1 - decay) * np.tril(decay ** np.maximum(ages, 0)) @ values
        return np.asarray(sums / (1 - decay**n))

    moves = average(0.9, GRADIENTS) / (np.sqrt(average(0.999, GRADIENTS**2)) + 1e-8)
    np.testing.assert_allclose(walk(Adam(0.01)), -0.01 * moves.cumsum(0))


def test_adam_moves_by_its_rate() -> None:
    state = Adam(0.01).init(np.zeros(3))
    _, point = Adam(0.01).step(state, np.zeros(3), np.array([1e-3, 5.0, -1e6]))
    np.testing.assert_allclose(point, [-0.01, -0.01, 0.01], rtol=1e-4)


@pytest.mark.parametrize("kind", [GradientDescent, Momentum, Adam])
def test_rates(kind: type) -> None:
    assert isinstance(kind(0.1), Optimiser)
    for rate in (0.0, -1.0, np.nan, np.inf):
        with pytest.raises(ValueError, match=r"^rate must be a positive"):
            kind(rate)
    with pytest.raises(TypeError, match=r"^rate must be a number"):
        kind("fast")


def test_decays() -> None:
    for decay in (1.0, -0.1):
        with pytest.raises(ValueError, match=r"^decay must be"):
            Momentum(0.1, decay)
        with pytest.raises(ValueError, match=r"^decay must be"):
            Adam(0.1, (0.9, decay))
    with pytest.raises(ValueError, match=r"^epsilon must be"):
        Adam(0.1, epsilon=0.0)
