"""Expectations of a model and of its posteriors: exact, or from exact samples."""

from typing import Protocol

import numpy as np

from harmonium.expectation import ArraySource, Source, expectation
from harmonium.families.base import ExponentialFamily
from harmonium.harmonium import Harmonium
from harmonium.learning.space import Space
from harmonium.validation import FloatArray

#: Most numbers in a table of sampled statistics.
_TABLE = 1 << 22


class Oracle(Protocol):
    """The two expectations whose difference is the gradient (Eq. 28)."""

    @property
    def is_exact(self) -> bool:
        """Whether the same question gets the same answer."""

    def of_model(self, natural: FloatArray) -> FloatArray:
        """Return the model's expectation of (s_X, s_Z, s_X s_Z), (dimension,)."""

    def of_data(self, natural: FloatArray, source: Source) -> FloatArray:
        """Return its average over rows given what is seen of them, (dimension,) (Eq. 25)."""


class Exact:
    """Both expectations in closed form."""

    is_exact = True

    def __init__(self, space: Space) -> None:
        self._space = space

    def of_model(self, natural: FloatArray) -> FloatArray:
        """Return the forward mapping."""
        return self._space.model._to_mean(natural)

    def of_data(self, natural: FloatArray, source: Source) -> FloatArray:
        """Return the average of one pass."""
        prepared = self._space.prepare(natural)
        return np.asarray(prepared.mean(expectation(prepared, source).sums)[0])


class MonteCarlo:
    """Both expectations as averages over exact samples: unbiased, whatever their number.

    Parameters
    ----------
    space : Space
        Of the model.
    rng : numpy Generator
        Source of the samples.
    joint_samples : int
        Of (x, z) at each question for the model's expectation (m).
    posterior_samples : int
        Of z for each row (l). Rows with missing values enter by their exact expectation instead,
        which is unbiased too and varies less.
    """

    is_exact = False

    def __init__(
        self, space: Space, rng: np.random.Generator, joint_samples: int, posterior_samples: int
    ) -> None:
        self._space = space
        self._model = space.model
        self._rng = rng
        self._joint = joint_samples
        self._posterior = posterior_samples

    def of_model(self, natural: FloatArray) -> FloatArray:
        """Return the average statistic of ancestral samples: z from the prior, x given z."""
        points = np.broadcast_to(natural, (self._joint, self._model.dimension))
        drawn = self._model._sample(points, self._rng)
        return np.asarray(self._model._statistic(drawn).mean(0))

    def of_data(self, natural: FloatArray, source: Source) -> FloatArray:
        """Return the average statistic of rows beside posterior samples."""
        total, weight = np.zeros(self._model.dimension), 0.0
        for x, given in source.blocks():
            weights = np.ones(len(x)) if given is None else given
            weight += float(weights.sum())
            whole = ~np.isnan(x).any(-1)
            total += self._sampled(natural, x[whole], weights[whole])
            if not whole.all():
                holes = ArraySource(np.ascontiguousarray(x[~whole]), weights[~whole])
                prepared = self._space.prepare(natural)
                totals = expectation(prepared, holes)
                total += totals.weight * prepared.mean(totals.sums)[0]
        return np.asarray(total / weight)

    def _sampled(self, natural: FloatArray, x: FloatArray, weights: FloatArray) -> FloatArray:
        """Weighted sum over rows of the average statistic of their samples."""
        total = np.zeros(self._model.dimension)
        n_samples = self._posterior if isinstance(self._model, Harmonium) else 1
        step = max(1, _TABLE // (n_samples * self._model.dimension))
        for start in range(0, len(x), step):
            rows = slice(start, start + step)
            own = np.repeat(x[rows], n_samples, axis=0)
            drawn = with_latents(self._model, natural, own, self._rng)
            total += np.repeat(weights[rows], n_samples) @ self._model._statistic(drawn)
        return total / n_samples


def with_latents(
    family: ExponentialFamily, natural: FloatArray, x: FloatArray, rng: np.random.Generator
) -> FloatArray:
    """Return complete rows (n, n_observed) beside a draw of all that is latent: (n, n_features)."""
    if not isinstance(family, Harmonium):
        return x
    posterior = family.posterior(natural, x)
    z = family.latent._sample(posterior, rng)
    if not isinstance(family.observable, Harmonium):
        return np.concatenate([x, z], -1)
    # latents of the observable's own, given z: one point for each value that z takes
    parts = family._split(natural)
    inner = np.empty((len(x), family.observable.n_features))
    values, which = np.unique(z, axis=0, return_inverse=True)
    for k, point in enumerate(family._likelihood(parts, values)):
        own = which.ravel() == k
        inner[own] = with_latents(family.observable, point, x[own], rng)
    return np.concatenate([inner, z], -1)
