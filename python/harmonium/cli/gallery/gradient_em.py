"""Expectation-maximisation whose M-steps are gradient steps, for half a million of them."""

import time
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from harmonium.cli.gallery.brute_force import PlaneByStates
from harmonium.learning.optimisers import Adam
from harmonium.validation import FloatArray


class Learned(NamedTuple):
    """A point, its cross-entropy before and after each iteration, and how long that took."""

    natural: FloatArray
    history: FloatArray
    seconds: float


class Schedule(NamedTuple):
    """Iterations, and the steps of Adam of each, at this rate."""

    iterations: int
    steps: int
    rate: float


def em_by_gradients(
    law: PlaneByStates,
    start: FloatArray,
    expectation: Callable[[FloatArray], FloatArray],
    cross_entropy: Callable[[FloatArray], float],
    schedule: Schedule,
) -> Learned:
    """Descend each M-step, held at one average expectation, by Adam, its moments starting anew.

    ``fit(..., "EM-GD")`` does the same for any model; here the model's expectation is a sum over
    the states of a few units, which takes some tens of microseconds. A step out of the domain is
    halved.
    """
    began = time.perf_counter()
    natural, adam = start, Adam(schedule.rate)
    history = [cross_entropy(natural)]
    for _ in range(schedule.iterations):
        target = expectation(natural)
        state, mean = adam.init(natural), law.to_mean(natural)
        for _ in range(schedule.steps):
            assert mean is not None
            state, ahead = adam.step(state, natural, mean - target)
            mean = law.to_mean(ahead)
            while mean is None:
                ahead = 0.5 * (natural + ahead)
                mean = law.to_mean(ahead)
            natural = ahead
        history.append(cross_entropy(natural))
    return Learned(natural, np.array(history), time.perf_counter() - began)
