"""Gradients of a likelihood whose model expectation is sampled: contrastive divergence, as a generator.

The gradient of the cross-entropy is the model's expectation less the data's (Eq. 28). The latter
is exact for every pair of families; the former is a sum where one side can be enumerated ("ML"),
else the average over chains of a few sweeps of Gibbs sampling, which start at the data (contrastive
divergence: Hinton, 2002) or go on from where they were (persistent: Tieleman, 2008).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np

from harmonium.expectation import Source
from harmonium.harmonium import Harmonium
from harmonium.learning.batches import Batches
from harmonium.learning.floating_point import steady
from harmonium.learning.optimisers import Optimiser
from harmonium.rules.block_gibbs import draw_latent, draw_observable
from harmonium.validation import FloatArray

#: Where the model's expectation comes from.
ContrastiveMethod = Literal["CD", "PCD", "ML"]
#: A step that leaves the domain is halved so often at most.
_HALVINGS = 60


@dataclass(frozen=True, eq=False)
class ContrastiveStep:
    """A point on the way.

    Attributes
    ----------
    natural : (dimension,) array
        The point.
    gradient : (dimension,) array
        Estimated gradient of cross-entropy and penalty that led here; zero at the start.
    reconstruction_error : float
        Mean squared difference between the rows' location statistics and their expectation given
        one draw of the latent given the row, of the rows of the last update; NaN at the start. No
        measure of likelihood: it tells a run that diverges.
    iteration, epoch : int
        How many updates, and how many times all rows, went before.
    """

    natural: FloatArray
    gradient: FloatArray
    reconstruction_error: float
    iteration: int
    epoch: int


def contrastive(
    model: Harmonium,
    source: Source,
    natural: FloatArray,
    optimiser: Optimiser,
    method: ContrastiveMethod = "PCD",
    *,
    n_steps: int = 1,
    n_chains: int = 100,
    batch_size: int = 100,
    weight_decay: float = 0.0,
    rng: np.random.Generator,
) -> Iterator[ContrastiveStep]:
    """Yield the starting point, then the point after each update, without end.

    Parameters
    ----------
    model : Harmonium
        Any, but one whose observable has latent columns of its own.
    source : Source
        Data without missing values, with an optional weight for each row.
    natural : (dimension,) array
        Where to start.
    optimiser : Optimiser
        How a step follows from a gradient. A step that would leave the domain is halved until it
        does not.
    method : {"CD", "PCD", "ML"}
        Chains from the rows, chains that persist, or the exact expectation.
    n_steps : int
        Sweeps of the chains for each update.
    n_chains : int
        How many chains persist.
    batch_size : int
        Rows of an update; each epoch goes through all rows in a new order.
    weight_decay : float
        The penalty ``weight_decay / 2 |Theta|**2`` beside the cross-entropy, in nats a row.
    rng : numpy Generator
        Source of the order of rows and of the chains.
    """
    work = _Work(model, n_steps, n_chains, weight_decay, rng)
    batches = Batches(source, batch_size, rng)
    rows = sum(len(x) for x, _ in source.blocks())
    state = optimiser.init(natural)
    seen = 0
    yield ContrastiveStep(natural, np.zeros_like(natural), np.nan, 0, 0)
    for iteration, lot in enumerate(batches, 1):
        ((x, weights),) = lot.blocks()
        gradient, error = work.gradient(natural, x, weights, method, batches.share(lot))
        state, wanted = optimiser.step(state, natural, gradient)
        natural = work.inside(natural, wanted)
        seen += len(x)
        yield ContrastiveStep(natural, gradient, error, iteration, seen // rows)


class _Work:
    """One model's gradients, with the chains that persist between them."""

    def __init__(
        self,
        model: Harmonium,
        n_steps: int,
        n_chains: int,
        weight_decay: float,
        rng: np.random.Generator,
    ) -> None:
        self._model = model
        self._n_steps = n_steps
        self._n_chains = n_chains
        self._weight_decay = weight_decay
        self._rng = rng
        self._chains: FloatArray | None = None

    @steady
    def gradient(
        self,
        natural: FloatArray,
        x: FloatArray,
        weights: FloatArray | None,
        method: ContrastiveMethod,
        share: float,
    ) -> tuple[FloatArray, float]:
        """The estimated gradient of the objective, and the reconstruction error of the rows."""
        model, rng = self._model, self._rng
        parts = model._split(natural)
        data = self._expectation(natural, x, weights)
        z = draw_latent(model, parts, x, rng)
        error = self._reconstruction_error(natural, x, z, weights)
        if method == "ML":
            expected = model._to_mean(natural)
        elif method == "CD":
            start = draw_observable(model, parts, z, rng)
            expected = self._expectation(
                natural, self._sweeps(natural, start, self._n_steps - 1), weights
            )
        else:
            if self._chains is None:
                # each chain starts at a row, as contrastive divergence does
                self._chains = x[rng.integers(len(x), size=self._n_chains)]
            self._chains = self._sweeps(natural, self._chains, self._n_steps)
            expected = self._expectation(natural, self._chains, None)
        gradient = share * (expected - data)
        if self._weight_decay:
            first = model.observable.dimension + model.latent.dimension
            gradient[first:] += self._weight_decay * natural[first:]
        return gradient, error

    def _sweeps(self, natural: FloatArray, x: FloatArray, n: int) -> FloatArray:
        parts = self._model._split(natural)
        for _ in range(n):
            z = draw_latent(self._model, parts, x, self._rng)
            x = draw_observable(self._model, parts, z, self._rng)
        return x

    def _expectation(
        self, natural: FloatArray, x: FloatArray, weights: FloatArray | None
    ) -> FloatArray:
        """The average of E[(s_X, s_Z, s_X s_Z) | x] (Eq. 25)."""
        model = self._model
        shares = np.full(len(x), 1 / len(x)) if weights is None else weights / weights.sum()
        statistic = model.observable._statistic(x)
        latent = model.latent._to_mean(model._posterior(model._split(natural), x))
        pair = model.pair
        cross = (shares[:, None] * statistic[:, pair.rows]).T @ latent[:, pair.columns]
        return model._join(shares @ statistic, shares @ latent, cross)

    def _reconstruction_error(
        self, natural: FloatArray, x: FloatArray, z: FloatArray, weights: FloatArray | None
    ) -> float:
        model = self._model
        points = model._likelihood(model._split(natural), z)
        gap = model.observable._statistic(x) - model.observable._to_mean(points)
        squares = (gap[:, model.observable.location] ** 2).mean(-1)
        return float(np.average(squares, weights=weights))

    @steady
    def inside(self, natural: FloatArray, wanted: FloatArray) -> FloatArray:
        """The point wanted, or the furthest towards it, by halves, that is in the domain."""
        step = wanted - natural
        for _ in range(_HALVINGS):
            if self._model._outside(natural + step) is None:
                return natural + step
            step = step / 2
        return natural
