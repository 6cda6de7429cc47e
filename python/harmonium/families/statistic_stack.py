"""Any family, ready for the pass, from its statistic and its log-partition function alone."""

from typing import Any, Protocol

import numpy as np

from harmonium.expectation.prepared import Prepared, Restricted, Tilted
from harmonium.validation import FloatArray

_Indices = np.ndarray[Any, np.dtype[np.intp]]

#: What is said, with the family's name, where a maximum lies on the boundary.
BOUNDARY_NOTE = "{}: an estimate on the boundary of its domain was moved inside"


class _Completed(Protocol):
    @property
    def log_marginal(self) -> FloatArray: ...
    @property
    def expected_statistic(self) -> FloatArray: ...


class StatisticFamily(Protocol):
    """What the stack asks of a family: see :class:`~harmonium.families.base.ExponentialFamily`."""

    @property
    def dimension(self) -> int:
        """Length of natural and mean vectors."""

    @property
    def n_features(self) -> int:
        """Columns of an observation."""

    def _statistic(self, x: FloatArray) -> FloatArray: ...
    def _log_base_measure(self, x: FloatArray) -> FloatArray: ...
    def _log_partition(self, natural: FloatArray) -> FloatArray: ...
    def _to_mean(self, natural: FloatArray) -> FloatArray: ...
    def _to_natural(self, mean: FloatArray) -> FloatArray: ...
    def _inside(self, mean: FloatArray) -> FloatArray: ...
    def _fisher_information(self, natural: FloatArray) -> FloatArray: ...
    def _complete(self, natural: FloatArray, x: FloatArray, observed: _Indices) -> Any: ...
    def _kernel(self, natural: FloatArray) -> Any: ...
    def _sample(self, natural: FloatArray, rng: np.random.Generator) -> FloatArray: ...
    def affine(self, natural: object, shift: object, scale: object) -> FloatArray:
        """Return the natural parameters of ``shift + scale * X``."""

    def check_natural(self, natural: object, name: str = ...) -> FloatArray:
        """Return natural parameters; ValueError outside the domain."""


class StatisticPrepared(Prepared):
    """Points of any family. Sums of a member: total weight, weighted sums of the statistic."""

    def __init__(self, family: StatisticFamily, natural: FloatArray) -> None:
        self.family = family
        self.count = len(natural)
        self.n_observed = family.n_features
        self.size = 1 + family.dimension
        self._natural = natural

    @property
    def natural(self) -> FloatArray:
        """The (count, dimension) natural parameters."""
        return self._natural

    def log_base_measure(self, x: FloatArray) -> FloatArray:
        """Return the (n,) log base measures."""
        return self.family._log_base_measure(x)

    def evaluate(self, x: FloatArray) -> FloatArray:
        """Return (n, count) log densities relative to the base measure."""
        exponent = self.family._statistic(x) @ self._natural.T
        return np.asarray(exponent - self.family._log_partition(self._natural))

    def accumulate(self, x: FloatArray, weights: FloatArray) -> FloatArray:
        """Return the (count, 1 + dimension) sums."""
        return np.column_stack([weights.sum(0), weights.T @ self.family._statistic(x)])

    def restrict(self, observed: _Indices) -> Restricted:
        """Return the stack for rows of which only these columns are known."""
        return _CompletedStack(self, observed)

    def maximise(self, sums: FloatArray, notes: set[str]) -> "StatisticPrepared":
        """Return the maximum-likelihood points; members without weight stay as they are."""
        natural = self._natural.copy()
        heavy = sums[:, 0] > 0
        if heavy.any():
            mean = sums[heavy, 1:] / sums[heavy, :1]
            inside = self.family._inside(mean)
            if not np.array_equal(inside, mean):
                notes.add(BOUNDARY_NOTE.format(self.family))
            natural[heavy] = self._backward(inside, natural[heavy], notes)
        return StatisticPrepared(self.family, natural)

    def _backward(self, mean: FloatArray, start: FloatArray, notes: set[str]) -> FloatArray:
        return self.family._to_natural(mean)

    def mean(self, sums: FloatArray) -> FloatArray:
        """Return the (count, dimension) averages; the model's own where there is no weight."""
        heavy = sums[:, :1] > 0
        return np.where(
            heavy,
            sums[:, 1:] / np.where(heavy, sums[:, :1], 1.0),
            self.family._to_mean(self._natural),
        )

    def sums_of(self, weights: FloatArray, totals: FloatArray) -> FloatArray:
        """Return the sums of totals (count, dimension) of the statistic."""
        return np.column_stack([weights, totals])

    def residual(self, sums: FloatArray) -> float:
        """Return the largest standardised difference of average and model expectation."""
        total = sums[:, 0].sum()
        if total <= 0:
            return 0.0
        expected = self.family._to_mean(self._natural)
        fisher = self.family._fisher_information(self._natural)
        spread = np.sqrt(np.maximum(np.diagonal(fisher, axis1=-2, axis2=-1), 0.0))
        floor = np.sqrt(np.finfo(float).eps) * np.maximum(np.abs(expected), 1e-300)
        gap = np.abs(self.mean(sums) - expected) / np.maximum(spread, floor)
        return float((gap * np.sqrt(sums[:, :1] / total)).max(initial=0.0))

    @property
    def coordinates(self) -> FloatArray:
        """The natural parameters, whose domain is convex."""
        return self._natural

    def at(self, coordinates: FloatArray) -> "StatisticPrepared":
        """Return the stack at other natural parameters; ValueError outside the domain."""
        return type(self)(self.family, self.family.check_natural(coordinates, "coordinates"))

    def take(self, members: _Indices) -> "StatisticPrepared":
        """Return the stack of these members."""
        return StatisticPrepared(self.family, self._natural[members])

    def affine(self, shift: FloatArray, scale: FloatArray) -> "StatisticPrepared":
        """Return the stack of the laws of ``shift + scale * X``."""
        if (shift == 0).all() and (scale == 1).all():
            return self
        return StatisticPrepared(self.family, self.family.affine(self._natural, shift, scale))

    def sample(self, members: _Indices, rng: np.random.Generator) -> FloatArray:
        """Return one observation of each member named."""
        return self.family._sample(self._natural[members], rng)

    def kernel(self) -> Any:
        """Return the compiled twin, where the family has one."""
        return self.family._kernel(self._natural)

    def tilted(self, delta: FloatArray, columns: slice) -> Tilted:
        """Return the priors times ``exp(delta . s)``, for shifts of the statistics ``columns``."""
        return StatisticTilted(self.family, self._natural, delta, columns)


class _CompletedStack(Restricted):
    """Partly observed rows by the family's own ``complete``, member by member."""

    def __init__(self, stack: StatisticPrepared, observed: _Indices) -> None:
        self._stack = stack
        self._observed = observed

    def _completed(self, x: FloatArray) -> list[_Completed]:
        stack = self._stack
        return [stack.family._complete(point, x, self._observed) for point in stack.natural]

    def log_base_measure(self, x: FloatArray) -> FloatArray:
        """Zero: the log marginals of :meth:`evaluate` hold it."""
        return np.zeros(len(x))

    def evaluate(self, x: FloatArray) -> FloatArray:
        """Return (n, count) log marginal densities."""
        return np.stack([c.log_marginal for c in self._completed(x)], -1)

    def accumulate(self, x: FloatArray, weights: FloatArray) -> FloatArray:
        """Return the sums, the missing at their conditional expectation."""
        rows = [
            w @ c.expected_statistic for w, c in zip(weights.T, self._completed(x), strict=True)
        ]
        return np.column_stack([weights.sum(0), np.stack(rows)])


class StatisticTilted(Tilted):
    """Priors of any family under shifts of some of its natural parameters, row by row."""

    def __init__(
        self, family: StatisticFamily, natural: FloatArray, delta: FloatArray, columns: slice
    ) -> None:
        self._family = family
        self._tilted = natural + delta
        self._offset = family._log_partition(natural)
        self._columns = columns

    def _posterior(self, shifts: FloatArray) -> FloatArray:
        points = np.repeat(self._tilted[None], len(shifts), 0)
        points[..., self._columns] += shifts[:, None, :]
        return points

    def evaluate(self, shifts: FloatArray) -> FloatArray:
        """Return (n, count) differences of log-partition functions."""
        return np.asarray(self._family._log_partition(self._posterior(shifts)) - self._offset)

    def leading_mean(self, shifts: FloatArray) -> FloatArray:
        """Return (n, count, width) posterior means."""
        return self._family._to_mean(self._posterior(shifts))[..., self._columns]

    def accumulate(self, shifts: FloatArray, weights: FloatArray) -> FloatArray:
        """Return the sums of posterior expectations."""
        means = self._family._to_mean(self._posterior(shifts))
        return np.column_stack([weights.sum(0), np.einsum("nk,nki->ki", weights, means)])
