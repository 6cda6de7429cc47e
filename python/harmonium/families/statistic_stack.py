"""Any family, ready for the pass, from its statistic and its log-partition function alone."""

from typing import Any, NamedTuple, Protocol

import numpy as np

from harmonium.expectation.prepared import Prepared, Restricted, Tilted
from harmonium.families.tied import average
from harmonium.validation import FloatArray

_Indices = np.ndarray[Any, np.dtype[np.intp]]

#: What is said, with the family's name, where a maximum lies on the boundary.
BOUNDARY_NOTE = "{}: an estimate on the boundary of its domain was moved inside"


#: How far means move towards one another where no points with one shape have them.
_NEARER = (1e-9, 1e-6, 1e-3)


class TiedFit(NamedTuple):
    """Points (groups, K, dimension), and which groups have exactly the means asked for."""

    natural: FloatArray
    exact: np.ndarray[Any, np.dtype[np.bool_]]


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

    @property
    def location(self) -> _Indices:
        """Which entries of the statistic place an observation."""

    @property
    def shape(self) -> _Indices:
        """Which entries shape it."""

    def _statistic(self, x: FloatArray) -> FloatArray: ...
    def _evaluate(self, natural: FloatArray, x: FloatArray) -> FloatArray: ...
    def _reference(self, x: FloatArray) -> FloatArray: ...
    def _log_partition(self, natural: FloatArray) -> FloatArray: ...
    def _to_mean(self, natural: FloatArray) -> FloatArray: ...
    def _to_natural(self, mean: FloatArray) -> FloatArray: ...
    def _inside(self, mean: FloatArray) -> FloatArray: ...
    def _tied_natural(
        self, weights: FloatArray, mean: FloatArray, start: FloatArray | None = None
    ) -> FloatArray: ...
    def _tied_inside(self, weights: FloatArray, mean: FloatArray) -> FloatArray: ...
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
        """Return the (n,) log base measures, or what else the family's evaluation leaves out."""
        return self.family._reference(x)

    def evaluate(self, x: FloatArray) -> FloatArray:
        """Return (n, count) log densities less :meth:`log_base_measure`."""
        return self.family._evaluate(self._natural, x)

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

    def maximise_tied(
        self, sums: FloatArray, n_components: int, notes: set[str]
    ) -> "StatisticPrepared":
        """Return the maximum-likelihood points of which each group shares its shape."""
        if not len(self.family.shape):
            return self.maximise(sums, notes)
        natural = self._natural.copy().reshape(-1, n_components, self.family.dimension)
        weights, mean = self._by_group(sums, n_components)
        heavy = weights.sum(-1) > 0
        if heavy.any():
            weights = weights[heavy] / weights[heavy].sum(-1, keepdims=True)
            inside = self.family._tied_inside(weights, mean[heavy])
            fitted = self._tied(weights, inside, natural[heavy])
            if not (fitted.exact.all() and np.array_equal(inside, mean[heavy])):
                notes.add(BOUNDARY_NOTE.format(self.family))
            natural[heavy] = fitted.natural
        return type(self)(self.family, natural.reshape(self._natural.shape))

    def _by_group(self, sums: FloatArray, n_components: int) -> tuple[FloatArray, FloatArray]:
        """Weights (groups, K) and average statistics (groups, K, dimension)."""
        mean = self.mean(sums)
        return sums[:, 0].reshape(-1, n_components), mean.reshape(-1, n_components, mean.shape[-1])

    def _tied(self, weights: FloatArray, mean: FloatArray, start: FloatArray) -> "TiedFit":
        """Points with one shape a group; where there are none, with means nearer one another."""
        family = self.family
        with np.errstate(all="ignore"):
            natural = family._tied_natural(weights, mean, start)
            exact: Any = np.isfinite(natural).all((-1, -2))
            known = exact.copy()
            for share in _NEARER:
                lacking = np.flatnonzero(~known)
                if not len(lacking):
                    break
                centre = family._inside(average(weights[lacking], mean[lacking]))[:, None]
                nearer = (1 - share) * mean[lacking] + share * centre
                natural[lacking] = family._tied_natural(weights[lacking], nearer, start[lacking])
                known = np.isfinite(natural).all((-1, -2))
        return TiedFit(np.where(known[:, None, None], natural, start), exact)

    def residual_tied(self, sums: FloatArray, n_components: int) -> float:
        """As :meth:`residual` where groups share their shapes: of these, the groups' averages."""
        total = sums[:, 0].sum()
        if total <= 0 or not len(self.family.shape):
            return self.residual(sums)
        weights, mean = self._by_group(sums, n_components)
        heavy = weights.sum(-1, keepdims=True)
        expected = self.family._to_mean(self._natural).reshape(mean.shape)
        spread = self._spread().reshape(mean.shape)
        gap = np.abs(mean - expected) / spread * np.sqrt(weights / total)[..., None]
        worst = gap[..., self.family.location].max(initial=0.0)
        shares = weights / np.where(heavy > 0, heavy, 1.0)
        shape = self.family.shape
        pooled = average(shares, (mean - expected)[..., shape])
        deviation = np.sqrt(average(shares, spread[..., shape] ** 2))
        gap = np.abs(pooled) / np.where(deviation > 0, deviation, 1.0) * np.sqrt(heavy / total)
        return float(max(worst, gap.max(initial=0.0)))

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
        gap = np.abs(self.mean(sums) - self.family._to_mean(self._natural)) / self._spread()
        return float((gap * np.sqrt(sums[:, :1] / total)).max(initial=0.0))

    def _spread(self) -> FloatArray:
        """Standard deviations (count, dimension) of the statistic, above their rounding."""
        fisher = self.family._fisher_information(self._natural)
        deviations = np.sqrt(np.maximum(np.diagonal(fisher, axis1=-2, axis2=-1), 0.0))
        size = np.maximum(np.abs(self.family._to_mean(self._natural)), 1e-300)
        return np.asarray(np.maximum(deviations, np.sqrt(np.finfo(float).eps) * size))

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
