"""First-order optimisers: how a step follows from a gradient and what came before."""

from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np

from harmonium.validation import FloatArray, as_positive


@runtime_checkable
class Optimiser(Protocol):
    """What descent asks of an optimiser: a state for a start, and a step from a gradient."""

    def init(self, point: FloatArray) -> Any:
        """Return the state before the first step."""

    def step(self, state: Any, point: FloatArray, gradient: FloatArray) -> tuple[Any, FloatArray]:
        """Return the next state and the next point."""


@dataclass(frozen=True)
class GradientDescent:
    """Steps of ``rate`` times the gradient."""

    rate: float = 0.01

    def __post_init__(self) -> None:
        object.__setattr__(self, "rate", as_positive(self.rate, name="rate"))

    def init(self, point: FloatArray) -> None:
        """Return no state."""

    def step(self, state: None, point: FloatArray, gradient: FloatArray) -> tuple[None, FloatArray]:
        """Return no state and the next point."""
        return None, point - self.rate * gradient


@dataclass(frozen=True)
class Momentum:
    """Gradient descent whose velocity keeps the share ``decay`` from step to step (Polyak, 1964)."""

    rate: float = 0.01
    decay: float = 0.9

    def __post_init__(self) -> None:
        object.__setattr__(self, "rate", as_positive(self.rate, name="rate"))
        object.__setattr__(self, "decay", _share(self.decay, "decay"))

    def init(self, point: FloatArray) -> FloatArray:
        """Return a velocity of zero."""
        return np.zeros_like(point)

    def step(
        self, state: FloatArray, point: FloatArray, gradient: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        """Return the next velocity and the next point."""
        velocity = self.decay * state - self.rate * gradient
        return velocity, point + velocity


class AdamState(NamedTuple):
    """How many steps were made, and running averages of gradients and of their squares."""

    n_steps: int
    first: FloatArray
    second: FloatArray


@dataclass(frozen=True)
class Adam:
    """Steps of about ``rate`` in each coordinate (Kingma and Ba, 2015).

    ``decay`` are the shares that the averages of gradients and of their squares keep, ``epsilon``
    is added to the root of the latter.
    """

    rate: float = 0.01
    decay: tuple[float, float] = (0.9, 0.999)
    epsilon: float = 1e-8

    def __post_init__(self) -> None:
        object.__setattr__(self, "rate", as_positive(self.rate, name="rate"))
        first, second = self.decay
        object.__setattr__(self, "decay", (_share(first, "decay"), _share(second, "decay")))
        object.__setattr__(self, "epsilon", as_positive(self.epsilon, name="epsilon"))

    def init(self, point: FloatArray) -> AdamState:
        """Return averages of nothing."""
        return AdamState(0, np.zeros_like(point), np.zeros_like(point))

    def step(
        self, state: AdamState, point: FloatArray, gradient: FloatArray
    ) -> tuple[AdamState, FloatArray]:
        """Return the next averages and the next point."""
        a, b = self.decay
        n = state.n_steps + 1
        first = a * state.first + (1 - a) * gradient
        second = b * state.second + (1 - b) * gradient**2
        # averages that start at zero are too small by these factors
        size = np.sqrt(second / (1 - b**n)) + self.epsilon
        return AdamState(n, first, second), point - self.rate * (first / (1 - a**n)) / size


def _share(value: object, name: str) -> float:
    share = as_positive(value, name=name, allow_zero=True)
    if share >= 1:
        raise ValueError(f"{name} must be below 1, not {share}.")
    return share
