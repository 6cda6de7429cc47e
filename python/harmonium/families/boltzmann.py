"""Boltzmann machines: binary units with biases and couplings."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from harmonium import _kernels
from harmonium.errors import BoundaryError, DataWarning
from harmonium.expectation.prepared import Moments
from harmonium.families.base import Completed, ExponentialFamily, Indices, distinct
from harmonium.families.boltzmann_dense import Enumeration
from harmonium.families.boltzmann_gibbs import colour, gibbs
from harmonium.families.boltzmann_tied import match_tied_machines
from harmonium.families.boltzmann_tree import JunctionTree, match_forest
from harmonium.families.statistic_stack import BOUNDARY_NOTE, StatisticPrepared, TiedFit
from harmonium.families.tied import average
from harmonium.numerics.elimination import Edges
from harmonium.numerics.markov_chains import GibbsSample
from harmonium.validation import (
    FloatArray,
    as_count,
    as_floats,
    as_generator,
    check_binary,
    check_square_symmetric,
    warn_caller,
)

#: Dense machines up to this many units are enumerated without asking.
MAX_UNITS = 25
#: Most numbers in the tables of a junction tree: a width of about 22.
MAX_TABLES = 1 << 24
#: Means of data are drawn towards independent fair units by this share, away from the boundary.
BOUNDARY_SHARE = 1e-10
#: Beyond this a parameter is on its way to infinity: a state is impossible from 745 on.
LARGEST = 1e5


class BoltzmannParameters(NamedTuple):
    """People's parameters: biases (..., n) and the symmetric couplings (..., n, n), zero diagonal."""

    biases: FloatArray
    couplings: FloatArray


@dataclass(frozen=True)
class Boltzmann(ExponentialFamily):
    """Binary units with biases, and couplings of every pair or of the edges of a graph.

    ``s(z) = (z, z_i z_j)`` with pairs i > j row by row, ``psi = log sum exp(s(z) . theta)``.
    Exact by whichever is cheaper: enumeration of all states up to 25 units (30 with
    ``enumerate_to=30``, which warns), or variable elimination on a junction tree, which takes
    graphs of any size whose elimination width is small (a tree, a chain, a lattice 12 units
    wide). Other machines have :meth:`gibbs`, which is approximate, and raise ValueError
    for everything exact. Maximum likelihood at the boundary (a unit that never changes) is drawn
    inside by a share of 1e-10.

    Parameters
    ----------
    n : int
        Number of units.
    edges : sequence of pairs, optional
        Which units are coupled; by default all pairs.
    enumerate_to : int
        Most units that may be enumerated, at most 30.
    """

    n: int
    edges: Edges | None = None
    enumerate_to: int = MAX_UNITS

    def __post_init__(self) -> None:
        n = as_count(self.n, name="n")
        object.__setattr__(self, "n", n)
        most = as_count(self.enumerate_to, name="enumerate_to")
        if most > 30:
            raise ValueError(f"enumerate_to: at most 30 units can be enumerated; got {most}")
        if self.edges is not None:
            edges = _ordered(self.edges, n)
            object.__setattr__(self, "edges", None if len(edges) == n * (n - 1) // 2 else edges)
        if self.edges is None and n > most:
            raise ValueError(
                f"n: {n} units have 2**{n} states; dense machines are enumerated to {most} "
                "(enumerate_to=30 at the most); give `edges` for a sparse graph"
            )
        if self.edges is None and n > MAX_UNITS:
            warn_caller(
                f"{n} units: each evaluation visits {2**n} states, {2**n * 8 / 2**30:.0f} GiB "
                "and some seconds a point",
                DataWarning,
            )

    @property
    def _pairs(self) -> tuple[Indices, Indices]:
        """The units i > j of each coupling."""
        return _pairs(self.n, self.edges)

    @property
    def _exact(self) -> Enumeration | JunctionTree:
        """The cheaper exact method; ValueError where neither reaches."""
        found = _engine(self)
        if isinstance(found, str):
            raise ValueError(found)
        return found

    @property
    def dimension(self) -> int:
        """Length of natural and mean vectors: units and couplings."""
        return self.n + len(self._pairs[0])

    @property
    def n_features(self) -> int:
        """Columns of an observation: n."""
        return self.n

    @property
    def levels(self) -> tuple[int, ...]:
        """Each unit is 0 or 1."""
        return (2,) * self.n

    @property
    def location(self) -> Indices:
        """The units themselves."""
        return np.arange(self.n)

    @property
    def holds_products(self) -> bool:
        """Whether every pair is coupled; z_i z_i is z_i."""
        return self.edges is None

    # ------------------------------------------------- what a linear likelihood asks for

    def pack_quadratic(self, location: FloatArray, quadratic: FloatArray) -> FloatArray:
        """Natural parameters of ``location . z + z . quadratic z``; the diagonal is a bias."""
        i, j = self._pairs
        biases = location + np.diagonal(quadratic, axis1=-2, axis2=-1)
        return np.concatenate([biases, 2 * quadratic[..., i, j]], -1)

    def location_moments(self, mean: FloatArray) -> tuple[FloatArray, FloatArray]:
        """E[z] and E[z zT] of mean parameters."""
        i, j = self._pairs
        second = np.zeros((*mean.shape[:-1], self.n, self.n))
        second[..., i, j] = second[..., j, i] = mean[..., self.n :]
        diagonal = np.arange(self.n)
        second[..., diagonal, diagonal] = mean[..., : self.n]
        return mean[..., : self.n], second

    # ------------------------------------------------------------------------- the family

    def _statistic(self, x: FloatArray) -> FloatArray:
        i, j = self._pairs
        return np.concatenate([x, x[..., i] * x[..., j]], -1)

    def _flat(self, natural: FloatArray) -> FloatArray:
        return natural.reshape(-1, self.dimension)

    def _log_partition(self, natural: FloatArray) -> FloatArray:
        return self._exact.log_partition(self._flat(natural)).reshape(natural.shape[:-1])

    def _to_mean(self, natural: FloatArray) -> FloatArray:
        return self._exact.mean(self._flat(natural)).reshape(natural.shape)

    def _fisher_information(self, natural: FloatArray) -> FloatArray:
        flat = self._flat(natural)
        out = np.empty((len(flat), self.dimension, self.dimension))
        for point, matrix in zip(flat, out, strict=True):
            matrix[:] = self._exact.oracle(point)[2]
        return out.reshape(*natural.shape[:-1], self.dimension, self.dimension)

    def _to_natural(self, mean: FloatArray) -> FloatArray:
        out = np.empty_like(mean)
        for place in np.ndindex(mean.shape[:-1]):
            out[place] = self._match(mean[place], self._start(mean[place]))
            reached = self._to_mean(out[place])
            if not np.abs(reached - mean[place]).max() <= 1e-10:
                raise BoundaryError(
                    f"mean{list(place) or ''}: no law over {self.n} units has these activities "
                    f"and pairs: they contradict each other; got {mean[place]} for {self!r}"
                )
        return out

    def _entropy(self, natural: FloatArray) -> FloatArray:
        return self._exact.entropy(self._flat(natural)).reshape(natural.shape[:-1])

    def _certain(self, natural: FloatArray) -> bool:
        """Whether some statistic, or sum of statistics, hardly varies: the boundary is near."""
        if self.dimension > 600:  # too many faces to look at: units and pairs alone
            mean = self._to_mean(natural)
            return bool((np.minimum(mean, 1 - mean)[: self.n] < BOUNDARY_SHARE).any())
        return _smallest_eigenvalue(self._exact.oracle(natural)[2]) < BOUNDARY_SHARE

    def _match(self, mean: FloatArray, start: FloatArray) -> FloatArray:
        return self._exact.match(mean, start, LARGEST)

    def _maximum_likelihood(
        self, x: FloatArray, weights: FloatArray | None, notes: set[str]
    ) -> FloatArray:
        shares = np.ones(len(x)) if weights is None else weights
        mean = shares @ self._statistic(x) / shares.sum()
        start = BoltzmannPrepared(self, self._independent(mean)[None])
        return np.asarray(start.maximise(np.concatenate([[1.0], mean])[None], notes).natural[0])

    def _start(self, mean: FloatArray) -> FloatArray:
        """The nearer of independent units and of pairs without loops: where Newton starts."""
        starts = np.stack([self._independent(mean), match_forest(mean, *self._pairs)])
        if not (np.abs(starts[1]) <= LARGEST).all():
            return np.asarray(starts[0])
        away = (np.abs(self._to_mean(starts) - mean) / mean).max(-1)
        return np.asarray(starts[away.argmin()])

    def _independent(self, mean: FloatArray) -> FloatArray:
        """The machine of independent units with the same activities."""
        start = np.zeros(self.dimension)
        p = np.clip(mean[: self.n], 1e-300, 1 - 1e-12)
        start[: self.n] = np.log(p) - np.log1p(-p)
        return start

    def _sample(self, natural: FloatArray, rng: np.random.Generator) -> FloatArray:
        states = np.empty((*natural.shape[:-1], self.n))
        few = distinct(natural)
        if few.shape == natural.shape and natural.size:
            return self._exact.sample_each(self._flat(natural), rng).reshape(states.shape)
        for place in np.ndindex(few.shape[:-1]):
            # the axes along which a point only repeats
            rows = tuple(
                slice(None) if own == 1 else at
                for at, own in zip(place, few.shape[:-1], strict=True)
            )
            shape = states[rows].shape
            drawn = self._exact.sample(few[place], int(np.prod(shape[:-1])), rng)
            states[rows] = drawn.reshape(shape)
        return states

    def most_probable(self, natural: object) -> FloatArray:
        """Return the most probable state (..., n) at each point."""
        flat = self._flat(point := self.check_natural(natural))
        states = [self._exact.most_probable(one) for one in flat]
        return np.array(states).reshape((*point.shape[:-1], self.n))

    def gibbs(
        self,
        natural: object,
        rng: object = None,
        *,
        chains: int = 4,
        draws: int = 1000,
        burn_in: int = 500,
    ) -> GibbsSample:
        """Return approximate draws by Gibbs sampling, with their effective sample sizes.

        Any graph will do. The draws are correlated, and biased while the chains have not met:
        look at ``split_ratio``. Where :meth:`sample` works, it is exact and faster.
        """
        point = self.check_natural(natural)
        if point.ndim != 1:
            raise ValueError(f"natural: one point of shape ({self.dimension},), not {point.shape}")
        i, j = self._pairs
        return gibbs(
            point[: self.n],
            self._coupling_matrix(point),
            colour(self.n, tuple(zip(i.tolist(), j.tolist(), strict=True))),
            as_generator(rng, name="rng"),
            chains=as_count(chains, name="chains", minimum=2),
            draws=as_count(draws, name="draws", minimum=4),
            burn_in=as_count(burn_in, name="burn_in", minimum=0),
        )

    def _complete(self, natural: FloatArray, x: FloatArray, observed: Indices) -> Completed:
        missing = np.setdiff1d(np.arange(self.n), observed)
        biases, couplings = natural[: self.n], self._coupling_matrix(natural)
        rest = self._among(missing)
        i, j = rest._pairs
        field = biases[missing] + x @ couplings[np.ix_(observed, missing)]
        inner = couplings[np.ix_(missing, missing)][i, j]
        points = np.concatenate([field, np.broadcast_to(inner, (len(x), len(inner)))], -1)
        own = x @ biases[observed] + 0.5 * np.einsum(
            "ni,ij,nj->n", x, couplings[np.ix_(observed, observed)], x
        )
        log_marginal = own + rest._log_partition(points) - self._log_partition(natural)
        first, second = rest.location_moments(rest._to_mean(points))
        means = np.empty((len(x), self.n))
        means[:, observed], means[:, missing] = x, first
        products = means[:, :, None] * means[:, None, :]
        products[np.ix_(np.arange(len(x)), missing, missing)] = second
        a, b = self._pairs
        return Completed(log_marginal, np.concatenate([means, products[:, a, b]], -1))

    def _among(self, units: Indices) -> "Boltzmann":
        """The machine of some of the units, the others held."""
        if self.edges is None:
            return Boltzmann(len(units), None, self.enumerate_to)
        new = {int(unit): k for k, unit in enumerate(units)}
        kept = tuple((new[i], new[j]) for i, j in self.edges if i in new and j in new)
        return Boltzmann(len(units), kept, self.enumerate_to)

    def _coupling_matrix(self, natural: FloatArray) -> FloatArray:
        i, j = self._pairs
        matrix = np.zeros((*natural.shape[:-1], self.n, self.n))
        matrix[..., i, j] = matrix[..., j, i] = natural[..., self.n :]
        return matrix

    def _outside(self, natural: FloatArray) -> tuple[Any, str] | None:
        return None

    def _on_boundary(self, mean: FloatArray) -> tuple[Any, str] | None:
        i, j = self._pairs
        first, both = mean[..., : self.n], mean[..., self.n :]
        below = (both > 0) & (both < first[..., i]) & (both < first[..., j])
        # in the order of :func:`match_forest`, so that no logarithm there is of zero
        inner = below & ((1 - first[..., i]) - (first[..., j] - both) > 0)
        mask = ((first <= 0) | (first >= 1)).any(-1) | ~inner.all(-1)
        rule = "activities and pairs must be probabilities strictly inside their bounds"
        return (mask, rule) if np.any(mask) else None

    def _inside(self, mean: FloatArray) -> FloatArray:
        return mean if self._on_boundary(mean) is None else self._drawn_inside(mean)

    def _tied_outside(self, weights: FloatArray, mean: FloatArray) -> Any:
        """Groups on a face: of pairs the averages alone count, between those of their bounds."""
        i, j = self._pairs
        first, both = mean[..., : self.n], average(weights, mean[..., self.n :])
        low = average(weights, np.maximum(first[..., i] + first[..., j] - 1.0, 0.0))
        high = average(weights, np.minimum(first[..., i], first[..., j]))
        outer: Any = ((first <= 0) | (first >= 1)).any((-1, -2))
        return outer | ~((low < both) & (both < high)).all(-1)

    def _tied_inside(self, weights: FloatArray, mean: FloatArray) -> FloatArray:
        out = self._tied_outside(weights, mean)
        return np.where(out[..., None, None], self._drawn_inside(mean), mean)

    def _tied_natural(
        self, weights: FloatArray, mean: FloatArray, start: FloatArray | None = None
    ) -> FloatArray:
        if not len(self.shape):
            return self._to_natural(mean)
        out = np.full(mean.shape, np.nan)
        weights = np.broadcast_to(weights, mean.shape[:-1])
        for place in np.argwhere(~self._tied_outside(weights, mean)):
            group = tuple(place)
            own = mean[group]
            first = np.stack([self._independent(m) for m in own]) if start is None else start[group]
            out[group] = match_tied_machines(
                self._exact.oracle, weights[group], own, first, self.n, LARGEST
            )
        return out

    def _drawn_inside(self, mean: FloatArray) -> FloatArray:
        fair = np.concatenate([np.full(self.n, 0.5), np.full(self.dimension - self.n, 0.25)])
        return (1 - BOUNDARY_SHARE) * mean + BOUNDARY_SHARE * fair

    def _check_support(self, x: FloatArray, name: str) -> None:
        check_binary(x, name)

    def _kernel(self, natural: FloatArray) -> Any:
        if self.edges is not None:
            return None
        return _kernels.statistic_stack(
            "boltzmann",
            self.n,
            np.ascontiguousarray(natural),
            np.ascontiguousarray(natural),  # means are for missing columns, which have no kernel
            np.ascontiguousarray(self._log_partition(natural)[:, None]),
        )

    def _prepare(self, natural: FloatArray) -> "BoltzmannPrepared":
        return BoltzmannPrepared(self, natural)

    def from_parameters(self, *, biases: object, couplings: object = None) -> FloatArray:  # type: ignore[override]
        """Return natural parameters of biases (..., n) and symmetric couplings (..., n, n).

        The diagonal of the couplings, which a bias would repeat, must be zero.
        """
        b = np.atleast_1d(as_floats(biases, name="biases"))
        if couplings is None:
            matrix = np.zeros((*b.shape, self.n))
        else:
            matrix = check_square_symmetric(couplings, name="couplings")
            if matrix.shape[-1] != self.n:
                raise ValueError(
                    f"couplings: shape {matrix.shape}, expected (..., {self.n}, {self.n})"
                )
        if np.diagonal(matrix, axis1=-2, axis2=-1).any():
            raise ValueError("couplings: the diagonal must be zero; z_i z_i is z_i: use biases")
        i, j = self._pairs
        absent = np.ones((self.n, self.n), dtype=bool)
        absent[i, j] = absent[j, i] = False
        if matrix[..., absent].any():
            raise ValueError("couplings: must be zero between units without an edge")
        return self.check_natural(np.concatenate([b, matrix[..., i, j]], -1), "biases")

    def to_parameters(self, natural: object) -> BoltzmannParameters:
        """Return biases (..., n) and couplings (..., n, n)."""
        point = self.check_natural(natural)
        return BoltzmannParameters(point[..., : self.n], self._coupling_matrix(point))


class BoltzmannPrepared(StatisticPrepared):
    """Boltzmann machines, also as priors behind a linear Gaussian likelihood."""

    family: Boltzmann

    def _backward(self, mean: FloatArray, start: FloatArray, notes: set[str]) -> FloatArray:
        family, points = self.family, np.empty_like(start)
        for k, (eta, theta) in enumerate(zip(mean, start, strict=True)):
            points[k] = family._match(eta, theta)
            # beyond pairs the boundary has too many faces to list; there a statistic is certain
            if family._certain(points[k]):
                points[k] = family._match(family._drawn_inside(eta), theta)
                notes.add(BOUNDARY_NOTE.format(family))
        return points

    def _tied(self, weights: FloatArray, mean: FloatArray, start: FloatArray) -> TiedFit:
        natural, exact = super()._tied(weights, mean, start)
        # as in _backward: where a statistic is certain, a face that is not listed is near
        near = [any(self.family._certain(point) for point in group) for group in natural]
        redo = np.flatnonzero(~exact | near)
        if len(redo):
            inside = self.family._drawn_inside(mean[redo])
            natural[redo] = super()._tied(weights[redo], inside, start[redo]).natural
            exact[redo] = False
        return TiedFit(natural, exact)

    def maximise(self, sums: FloatArray, notes: set[str]) -> "BoltzmannPrepared":
        """Return the maximum-likelihood machines, from where they are."""
        return BoltzmannPrepared(self.family, super().maximise(sums, notes).natural)

    def take(self, members: Indices) -> "BoltzmannPrepared":
        """Return the stack of these members."""
        return BoltzmannPrepared(self.family, self._natural[members])

    def location_mean(self) -> FloatArray:
        """Return the activities, (count, n)."""
        return self.family._to_mean(self._natural)[:, : self.family.n]

    def location_moments(self, member: int, sums: FloatArray, centre: FloatArray) -> Moments:
        """Return the moments of the units about ``centre``."""
        first, second = self.family.location_moments(sums[member, 1:])
        return Moments(float(sums[member, 0]), first, second).about(-centre)

    def latent_kernel(self) -> list[Any]:
        """Return each member's compiled twin."""
        n = self.family.n
        return [
            _kernels.boltzmann_latent(np.ascontiguousarray(p[:n]), np.ascontiguousarray(p[n:]))
            for p in self._natural
        ]


def _ordered(edges: Any, n: int) -> Edges:
    """Edges as pairs i > j, row by row; ValueError for loops, repetitions and strangers."""
    found = set()
    for edge in edges:
        try:
            i, j = (int(unit) for unit in edge)
        except (TypeError, ValueError):
            raise ValueError(f"edges: pairs of units; got {edge!r}") from None
        if not (0 <= i < n and 0 <= j < n) or i == j:
            raise ValueError(f"edges: two different units from 0 to {n - 1}; got {edge!r}")
        pair = (max(i, j), min(i, j))
        if pair in found:
            raise ValueError(f"edges: {edge!r} is given twice")
        found.add(pair)
    return tuple(sorted(found))


@lru_cache(maxsize=64)
def _pairs(n: int, edges: Edges | None) -> tuple[Indices, Indices]:
    if edges is None:
        i, j = np.tril_indices(n, -1)
    else:
        i, j = np.array(edges, dtype=np.intp).reshape(-1, 2).T
    return i, j


@lru_cache(maxsize=64)
def _engine(machine: Boltzmann) -> Enumeration | JunctionTree | str:
    """The cheaper exact method, or why there is none."""
    if machine.edges is None:
        return Enumeration(machine.n)
    tree = JunctionTree(machine.n, machine.edges)
    if tree.elimination.states <= MAX_TABLES:
        return tree
    return (
        f"{machine.n} units with {len(machine.edges)} edges: the elimination width is "
        f"{tree.elimination.width}, whose tables would hold {tree.elimination.states} numbers "
        f"(at most {MAX_TABLES}); `gibbs` samples approximately"
    )


def _smallest_eigenvalue(fisher: FloatArray) -> float:
    """Of a Fisher information as a correlation matrix; zero where a statistic does not vary."""
    scale = np.sqrt(np.diagonal(fisher))
    if not (scale > 0).all():
        return 0.0
    return float(np.linalg.eigvalsh(fisher / np.outer(scale, scale))[0])
