"""What every exponential family offers: written once from what each must state."""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import wraps
from typing import Any, Literal, NamedTuple, ParamSpec, TypeVar

import numpy as np

from harmonium import _kernels
from harmonium.errors import BoundaryError, BoundaryWarning
from harmonium.expectation.passes import patterns
from harmonium.expectation.prepared import Prepared
from harmonium.families.statistic_stack import BOUNDARY_NOTE, StatisticPrepared
from harmonium.families.tied import average, match_tied
from harmonium.numerics.derivatives import jacobian
from harmonium.validation import (
    FloatArray,
    as_count,
    as_floats,
    as_generator,
    as_shape,
    as_table,
    as_weights,
    check_memory,
    warn_caller,
)

#: Log odds and log rates are not moved below this: e**-690 is a normal number, e**-746 is zero.
LOG_FLOOR = -690.0

#: Columns or rows by number.
Indices = np.ndarray[Any, np.dtype[np.intp]]


_P = ParamSpec("_P")
_R = TypeVar("_R")


def _quiet(method: Callable[_P, _R]) -> Callable[_P, _R]:
    """The method, for which what underflows is zero, whatever the caller's np.errstate says."""

    # not np.errstate as a decorator: warnings would point at its frame, not at the caller's
    @wraps(method)
    def quiet(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        with np.errstate(under="ignore"):
            return method(*args, **kwargs)

    return quiet


class ColumnUnits(NamedTuple):
    """How some columns side by side may be shifted and scaled: not, by one scale, or each by its own."""

    kind: Literal["none", "common", "each"]
    n_columns: int


class Completed(NamedTuple):
    """What is known of partly observed rows: log marginals (n,), expected statistics (n, dimension)."""

    log_marginal: FloatArray
    expected_statistic: FloatArray


class ExponentialFamily(ABC):
    """A family of laws ``exp(s(x) . theta - psi(theta))`` with base measure ``mu`` (Eq. 1).

    Stateless and hashable. A point is a float64 array (..., dimension) of natural or mean
    parameters, with any leading batch axes; data are tables (n, n_features). Methods check
    their arguments and raise ValueError outside the domain or off the support.

    A subclass states the underscored methods below; everything else is written from them.
    """

    # ------------------------------------------------------------------ what a family states

    @property
    @abstractmethod
    def dimension(self) -> int:
        """Length of natural and mean vectors."""

    @property
    @abstractmethod
    def n_features(self) -> int:
        """Columns of an observation."""

    @abstractmethod
    def _statistic(self, x: FloatArray) -> FloatArray:
        """s(x) of rows (n, n_features): (n, dimension)."""

    @abstractmethod
    def _log_partition(self, natural: FloatArray) -> FloatArray:
        """psi of (..., dimension): (...)."""

    @abstractmethod
    def _to_mean(self, natural: FloatArray) -> FloatArray:
        """The forward mapping, the gradient of psi."""

    @abstractmethod
    def _to_natural(self, mean: FloatArray) -> FloatArray:
        """The backward mapping, on the inside of the domain of means."""

    @abstractmethod
    def _sample(self, natural: FloatArray, rng: np.random.Generator) -> FloatArray:
        """One observation for each point: (..., n_features)."""

    @abstractmethod
    def _outside(self, natural: FloatArray) -> tuple[Any, str] | None:
        """A mask of points outside the domain and the rule they break, or None."""

    @abstractmethod
    def _on_boundary(self, mean: FloatArray) -> tuple[Any, str] | None:
        """A mask of means on or outside the boundary and the rule they break, or None."""

    @abstractmethod
    def _inside(self, mean: FloatArray) -> FloatArray:
        """Means of data moved off the boundary by a documented relative amount."""

    @abstractmethod
    def _check_support(self, x: FloatArray, name: str) -> None:
        """ValueError for the first row off the support; NaN entries are passed over."""

    def _log_base_measure(self, x: FloatArray) -> FloatArray:
        """Log mu of rows (n, n_features): (n,); one unless stated."""
        return np.zeros(len(x))

    def _expected_log_base_measure(self, natural: FloatArray) -> FloatArray:
        """E[log mu(X)] of (..., dimension): what an entropy needs; 0 unless stated."""
        return np.zeros(natural.shape[:-1])

    def _entropy(self, natural: FloatArray) -> FloatArray:
        """-E[log density] of (..., dimension), where a family knows it without cancellation."""
        linear = np.einsum("...i,...i->...", natural, self._to_mean(natural))
        return np.asarray(
            self._log_partition(natural) - linear - self._expected_log_base_measure(natural)
        )

    def _relative_entropy(self, p: FloatArray, q: FloatArray) -> FloatArray:
        """E_p[log p - log q], where a family knows it without cancellation."""
        linear = np.einsum("...i,...i->...", p - q, self._to_mean(p))
        return np.asarray(linear - self._log_partition(p) + self._log_partition(q))

    def _log_density(self, natural: FloatArray, x: FloatArray) -> FloatArray:
        """Log densities of rows (n, n_features) that broadcast against points (..., dimension)."""
        exponent = np.einsum("...i,...i->...", self._statistic(x), natural)
        return np.asarray(exponent + self._log_base_measure(x) - self._log_partition(natural))

    def _evaluate(self, natural: FloatArray, x: FloatArray) -> FloatArray:
        """Log densities (n, count) of rows under each point, less :meth:`_reference`."""
        return np.asarray(self._statistic(x) @ natural.T - self._log_partition(natural))

    def _reference(self, x: FloatArray) -> FloatArray:
        """What :meth:`_evaluate` leaves out, (n,): the log base measure, unless the two cancel."""
        return self._log_base_measure(x)

    def _complete(self, natural: FloatArray, x: FloatArray, observed: Indices) -> Completed:
        """Complete rows of which the columns ``observed`` are known: all or none, unless stated."""
        if len(observed):
            raise ValueError(
                f"{self!r} takes missing values in all columns of a row, not in some: "
                "its marginals are not known"
            )
        return Completed(np.zeros(len(x)), np.repeat(self._to_mean(natural)[None], len(x), 0))

    @property
    def location(self) -> Indices:
        """Which entries of the statistic place an observation: all, unless the family says."""
        return np.arange(self.dimension)

    @property
    def shape(self) -> Indices:
        """Which entries of the statistic shape an observation: those that do not place it."""
        return np.setdiff1d(np.arange(self.dimension), self.location)

    @property
    def has_marginals(self) -> bool:
        """Whether rows may be observed in part; else all columns of a row are missing or none."""
        return self.n_features == 1 or type(self)._complete is not ExponentialFamily._complete

    @property
    def leading(self) -> "ExponentialFamily":
        """The family whose statistic comes first: how a rule sees through a harmonium."""
        return self

    @property
    def holds_products(self) -> bool:
        """Whether the statistic is (z, every product z_i z_j): what a linear likelihood needs."""
        return False

    @property
    def independent_columns(self) -> bool:
        """Whether columns are independent of each other: some can be held and the rest drawn."""
        return self.n_features == 1

    @property
    def n_observed(self) -> int:
        """Columns of data; a harmonium's latent columns are not data."""
        return self.n_features

    # ------------------------------------------------------------- families that can be enumerated

    @property
    def levels(self) -> tuple[int, ...] | None:
        """How many values 0, 1, ... each column takes, in every combination; None: without end."""
        return None

    @property
    def n_states(self) -> int | None:
        """How many different observations there are; None where there is no end of them."""
        return None if self.levels is None else math.prod(self.levels)

    def states(self, start: int = 0, stop: int | None = None) -> FloatArray:
        """Return the observations numbered ``start`` to ``stop``, (stop - start, n_features).

        The first column runs fastest. Raises ValueError for a family without :attr:`levels` and
        for a table that does not fit in memory.
        """
        if self.levels is None or self.n_states is None:
            raise ValueError(f"{self!r} has no end of states: they can not be listed")
        first = as_count(start, name="start", minimum=0)
        last = self.n_states if stop is None else as_count(stop, name="stop", minimum=0)
        if not first <= last <= self.n_states:
            raise ValueError(f"states {first} to {last} of {self!r}, which has {self.n_states}")
        check_memory(16 * (last - first) * max(1, self.n_features), "the table of states")
        return self._states(np.arange(first, last))

    def _states(self, numbers: Indices) -> FloatArray:
        assert self.levels is not None
        out = np.empty((len(numbers), self.n_features))
        rest = numbers
        for column, count in enumerate(self.levels):
            rest, out[:, column] = np.divmod(rest, count)
        return out

    # --------------------------------------------------------------------------- arguments

    def check_natural(self, natural: object, name: str = "natural") -> FloatArray:
        """Return natural parameters as float64; ValueError outside the domain."""
        point = self._point(natural, name)
        broken = self._outside(point)
        if broken is not None:
            self._raise(broken, point, name, ValueError)
        return point

    def check_mean(self, mean: object, name: str = "mean") -> FloatArray:
        """Return mean parameters as float64; BoundaryError on or beyond the boundary."""
        point = self._point(mean, name)
        broken = self._on_boundary(point)
        if broken is not None:
            self._raise(broken, point, name, BoundaryError)
        return point

    def check_data(self, x: object, name: str = "x", *, missing: bool = False) -> FloatArray:
        """Return a table of observations as float64; ValueError off the support."""
        table = as_table(
            x, name=name, missing=missing, empty_columns=missing, n_features=self.n_features
        )
        self._check_support(table, name)
        return table

    def _point(self, value: object, name: str) -> FloatArray:
        point = as_floats(value, name=name)
        if point.ndim == 0 or point.shape[-1] != self.dimension:
            raise ValueError(
                f"{name}: shape {point.shape}, but {self!r} has vectors of length {self.dimension}"
            )
        finite = np.isfinite(point)
        if not finite.all():
            place = tuple(int(i) for i in np.argwhere(~finite.all(-1))[0])
            raise ValueError(f"{name}{list(place) or ''}: not finite: {point[place]}")
        return point

    def _raise(
        self, broken: tuple[Any, str], point: FloatArray, name: str, error: type[ValueError]
    ) -> None:
        mask, rule = broken
        place = tuple(int(i) for i in np.argwhere(np.atleast_1d(mask))[0]) if point.ndim > 1 else ()
        raise error(f"{name}{list(place) or ''}: {rule}; got {point[place]} for {self!r}")

    # ------------------------------------------------------------------- written once, for all

    def sufficient_statistic(self, x: object) -> FloatArray:
        """Return the statistics s(x), (n, dimension), of a table (n, n_features)."""
        return self._statistic(self.check_data(x))

    def log_base_measure(self, x: object) -> FloatArray:
        """Return log mu(x), (n,), of a table (n, n_features)."""
        return self._log_base_measure(self.check_data(x))

    @_quiet
    def log_partition(self, natural: object) -> FloatArray:
        """Return psi(natural), (...), in nats: the log of the normaliser (Eq. 1)."""
        return self._log_partition(self.check_natural(natural))

    @_quiet
    def to_mean(self, natural: object) -> FloatArray:
        """Return E[s(X)], (..., dimension): the forward mapping, the gradient of psi."""
        return self._to_mean(self.check_natural(natural))

    @_quiet
    def to_natural(self, mean: object) -> FloatArray:
        """Return the natural parameters of means, (..., dimension): the backward mapping.

        Raises BoundaryError where the mean lies on the boundary of its domain.
        """
        return self._to_natural(self.check_mean(mean))

    @_quiet
    def sample(self, natural: object, rng: object = None, size: object = None) -> FloatArray:
        """Return independent draws: ``size`` + batch axes of ``natural`` + (n_features,).

        ``rng`` is None, a seed or a numpy Generator; ``size`` None, a number or a tuple.
        """
        point = self.check_natural(natural)
        many = np.broadcast_to(point, (*as_shape(size, name="size"), *point.shape))
        return self._sample(many, as_generator(rng, name="rng"))

    @_quiet
    def log_density(self, natural: object, x: object) -> FloatArray:
        """Return log densities in nats; rows (n,) broadcast against batch axes of ``natural``.

        One point (dimension,) gives (n,); points (n, dimension) are paired with the rows;
        points (k, 1, dimension) give (k, n). The density includes the base measure.
        """
        point = self.check_natural(natural)
        table = self.check_data(x)
        return self._log_density(point, table)

    @_quiet
    def entropy(self, natural: object) -> FloatArray:
        """Return the entropy, (...), in nats: -E[log density]."""
        return self._entropy(self.check_natural(natural))

    @_quiet
    def relative_entropy(self, natural_p: object, natural_q: object) -> FloatArray:
        """Return the Kullback-Leibler divergence of q from p, (...), in nats."""
        p = self.check_natural(natural_p, "natural_p")
        q = self.check_natural(natural_q, "natural_q")
        return np.maximum(self._relative_entropy(p, q), 0.0)

    @_quiet
    def fisher_information(self, natural: object) -> FloatArray:
        """Return the covariance of the statistic, (..., dimension, dimension): the Hessian of psi."""
        return self._fisher_information(self.check_natural(natural))

    def _fisher_information(self, natural: FloatArray) -> FloatArray:
        matrix = jacobian(self._to_mean, natural, self._steps(natural))
        return 0.5 * (matrix + matrix.swapaxes(-1, -2))

    def _steps(self, natural: FloatArray) -> FloatArray:
        """Steps of differences, (..., dimension): a thirtieth of the way out of the domain at most."""
        steps = 1e-3 * np.maximum(1.0, np.abs(natural))
        for i in range(self.dimension):
            for _ in range(200):
                near = np.repeat(natural[None], 2, 0)
                near[0, ..., i] += 32 * steps[..., i]
                near[1, ..., i] -= 32 * steps[..., i]
                broken = self._outside(near)
                if broken is None:
                    break
                steps[..., i] /= np.where(np.any(broken[0], 0), 4.0, 1.0)
        return steps

    @_quiet
    def complete(self, natural: object, x: object) -> Completed:
        """Return log marginals (n,) and expected statistics (n, dimension) of partly observed rows.

        NaN marks what is not observed; the expectation is given what is.
        """
        point = self.check_natural(natural)
        if point.ndim != 1:
            raise ValueError(f"natural: one point of shape ({self.dimension},), not {point.shape}")
        table = self.check_data(x, missing=True)
        log_marginal = np.empty(len(table))
        expected = np.empty((len(table), self.dimension))
        for rows, observed in patterns(table):
            if observed is None:
                values = table[rows]
                expected[rows] = self._statistic(values)
                log_marginal[rows] = self._log_density(point, values)
            else:
                log_marginal[rows], expected[rows] = self._complete(
                    point, table[rows][:, observed], observed
                )
        return Completed(log_marginal, expected)

    @_quiet
    def maximum_likelihood(self, x: object, weights: object = None) -> FloatArray:
        """Return the natural parameters (dimension,) under which the rows are most probable.

        An estimate on the boundary is moved inside and a BoundaryWarning says so.
        """
        table = self.check_data(x)
        shares = as_weights(weights, len(table), name="weights")
        notes: set[str] = set()
        natural = self._maximum_likelihood(table, shares, notes)
        for note in sorted(notes):
            warn_caller(note, BoundaryWarning)
        return natural

    def _maximum_likelihood(
        self, x: FloatArray, weights: FloatArray | None, notes: set[str]
    ) -> FloatArray:
        statistic = self._statistic(x)
        mean = statistic.mean(0) if weights is None else weights @ statistic / weights.sum()
        inside = self._inside(mean)
        if not np.array_equal(inside, mean):
            notes.add(BOUNDARY_NOTE.format(self))
        return self._to_natural(inside)

    # ------------------------------------------------------ components that share their shape

    def _tied_natural(
        self, weights: FloatArray, mean: FloatArray, start: FloatArray | None = None
    ) -> FloatArray:
        """Natural parameters (..., K, dimension) that fit means best with one shape for all K.

        ``weights`` (..., K) add up to one; shape entries of ``mean`` (..., K, dimension) count by
        their weighted average only. NaN where there are none. A solve from ``start``, points
        inside the domain with one shape, unless a family knows better.
        """
        if not len(self.shape):
            return self._to_natural(mean)
        k = mean.shape[-2]
        if start is None:
            start = np.repeat(self._to_natural(average(weights, mean))[..., None, :], k, -2)
        flat = (part.reshape(-1, k, self.dimension) for part in (mean, start))
        return match_tied(self, weights.reshape(-1, k), *flat).reshape(mean.shape)

    def _tied_inside(self, weights: FloatArray, mean: FloatArray) -> FloatArray:
        """Means of components that share their shape, moved off the boundary as by :meth:`_inside`.

        As they are, unless a family knows its boundary: the stack then moves them towards one
        another where :meth:`_tied_natural` finds nothing.
        """
        return mean if len(self.shape) else self._inside(mean)

    def from_parameters(self, **parameters: object) -> FloatArray:
        """Return natural parameters from people's parameters, by name."""
        raise TypeError(f"{type(self).__name__} has no people's parameters")

    def to_parameters(self, natural: object) -> Any:
        """Return people's parameters as a NamedTuple of arrays with the batch axes of ``natural``."""
        raise TypeError(f"{type(self).__name__} has no people's parameters")

    def affine(self, natural: object, shift: object, scale: object) -> FloatArray:
        """Return the natural parameters of ``shift + scale * X``, where the family allows it."""
        raise ValueError(f"{type(self).__name__} is not closed under shifts and scales")

    # -------------------------------------------------------------------- for the pass

    def prepare(self, natural: object) -> Prepared:
        """Return the points ``natural``, (count, dimension) or (dimension,), ready to meet data."""
        point = np.atleast_2d(self.check_natural(natural))
        return self._prepare(point)

    def _prepare(self, natural: FloatArray) -> Prepared:
        return StatisticPrepared(self, natural)

    def _kernel_family(self) -> tuple[str, float] | None:
        """The family's name among the kernels, and the number it knows; None: the plain pass."""
        return None

    def _kernel_log_partitions(self, natural: FloatArray) -> FloatArray:
        """psi of (count, dimension) points, (count, 1), or by column where these are independent."""
        return self._log_partition(natural)[:, None]

    def _kernel(self, natural: FloatArray) -> Any:
        """The compiled stack of (count, dimension) points, or None: the plain pass serves."""
        named = self._kernel_family()
        if named is None:
            return None
        name, parameter = named
        return _kernels.statistic_stack(
            name,
            self.n_features,
            np.ascontiguousarray(natural),
            np.ascontiguousarray(self._to_mean(natural)),
            np.ascontiguousarray(self._kernel_log_partitions(natural)),
            parameter,
        )

    # ---------------------------------------------------------- for standardisation

    @property
    def standardisation(self) -> tuple[ColumnUnits, ...]:
        """How the columns of data, from left to right, may be shifted and scaled: not at all."""
        return (ColumnUnits("none", self.n_observed),)


def distinct(natural: FloatArray) -> FloatArray:
    """A view of points in which batch axes along which they only repeat have length one.

    What is computed for each point of a broadcast batch is then computed once.
    """
    batch = zip(natural.shape[:-1], natural.strides[:-1], strict=True)
    return natural[tuple(slice(0, 1 if stride == 0 and n else None) for n, stride in batch)]
