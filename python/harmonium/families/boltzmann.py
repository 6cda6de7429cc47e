"""Boltzmann machines: binary units with biases and couplings."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from scipy.special import logsumexp

from harmonium import _kernels
from harmonium.errors import BoundaryError, DataWarning
from harmonium.expectation.prepared import Moments
from harmonium.families.base import Completed, ExponentialFamily, Indices, distinct
from harmonium.families.statistic_stack import BOUNDARY_NOTE, StatisticPrepared
from harmonium.numerics.newton import match_mean
from harmonium.validation import (
    FloatArray,
    as_count,
    as_floats,
    check_binary,
    check_square_symmetric,
    warn_caller,
)

#: Dense machines up to this many units are enumerated without asking.
MAX_UNITS = 25
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
    """Binary units with every pair coupled, by enumeration of all states.

    ``s(z) = (z, z_i z_j for i > j)``, pairs row by row, ``psi = log sum exp(s(z) . theta)``.
    Exact up to 25 units; to 30 with ``enumerate_to=30``, which warns. Maximum
    likelihood at the boundary (a unit that never changes) is drawn inside by a share of 1e-10.

    Parameters
    ----------
    n : int
        Number of units.
    enumerate_to : int
        Most units that may be enumerated, at most 30.
    """

    n: int
    enumerate_to: int = MAX_UNITS

    def __post_init__(self) -> None:
        n = as_count(self.n, name="n")
        most = as_count(self.enumerate_to, name="enumerate_to")
        if most > 30:
            raise ValueError(f"enumerate_to: at most 30 units can be enumerated; got {most}")
        if n > most:
            raise ValueError(
                f"n: {n} units have 2**{n} states; dense machines are enumerated to {most} "
                "(enumerate_to=30 at the most)"
            )
        if n > MAX_UNITS:
            warn_caller(
                f"{n} units: each evaluation visits {2**n} states, {2**n * 8 / 2**30:.0f} GiB "
                "and some seconds a point",
                DataWarning,
            )
        object.__setattr__(self, "n", n)

    @property
    def dimension(self) -> int:
        """Length of natural and mean vectors: n (n + 1) / 2."""
        return self.n * (self.n + 1) // 2

    @property
    def n_features(self) -> int:
        """Columns of an observation: n."""
        return self.n

    @property
    def location(self) -> Indices:
        """The units themselves."""
        return np.arange(self.n)

    @property
    def holds_products(self) -> bool:
        """True: z_i z_i is z_i."""
        return True

    # ------------------------------------------------- what a linear likelihood asks for

    def pack_quadratic(self, location: FloatArray, quadratic: FloatArray) -> FloatArray:
        """Natural parameters of ``location . z + z . quadratic z``; the diagonal is a bias."""
        i, j = np.tril_indices(self.n, -1)
        biases = location + np.diagonal(quadratic, axis1=-2, axis2=-1)
        return np.concatenate([biases, 2 * quadratic[..., i, j]], -1)

    def location_moments(self, mean: FloatArray) -> tuple[FloatArray, FloatArray]:
        """E[z] and E[z zT] of mean parameters."""
        i, j = np.tril_indices(self.n, -1)
        second = np.zeros((*mean.shape[:-1], self.n, self.n))
        second[..., i, j] = second[..., j, i] = mean[..., self.n :]
        diagonal = np.arange(self.n)
        second[..., diagonal, diagonal] = mean[..., : self.n]
        return mean[..., : self.n], second

    # ------------------------------------------------------------------------- the family

    def _statistic(self, x: FloatArray) -> FloatArray:
        i, j = np.tril_indices(self.n, -1)
        return np.concatenate([x, x[..., i] * x[..., j]], -1)

    def _energies(self, natural: FloatArray) -> FloatArray:
        """s(z) . theta of every state, (..., 2**n); unit 0 is the lowest bit."""
        energies = np.zeros((*natural.shape[:-1], 1))
        at = self.n
        for i in range(self.n):
            field = natural[..., i : i + 1]
            for j in range(i):
                field = np.concatenate([field, field + natural[..., at + j : at + j + 1]], -1)
            at += i
            energies = np.concatenate([energies, energies + field], -1)
        return energies

    def _log_partition(self, natural: FloatArray) -> FloatArray:
        return _by_blocks(natural, 2**self.n, lambda part: logsumexp(self._energies(part), -1))

    def _probabilities(self, natural: FloatArray) -> FloatArray:
        energies = self._energies(natural)
        energies -= energies.max(-1, keepdims=True)
        weights = np.exp(energies, out=energies)
        weights /= weights.sum(-1, keepdims=True)
        return weights

    def _to_mean(self, natural: FloatArray) -> FloatArray:
        return _by_blocks(natural, 2**self.n, self._block_mean)

    def _block_mean(self, natural: FloatArray) -> FloatArray:
        totals = _superset_sums(self._probabilities(natural), self.n)
        i, j = np.tril_indices(self.n, -1)
        singles, pairs = 1 << np.arange(self.n), (1 << i) | (1 << j)
        return np.asarray(totals[..., np.concatenate([singles, pairs])])

    def _fisher_information(self, natural: FloatArray) -> FloatArray:
        flat = natural.reshape(-1, self.dimension)
        out = np.empty((len(flat), self.dimension, self.dimension))
        for point, matrix in zip(flat, out, strict=True):
            matrix[:] = self._oracle(point)[2]
        return out.reshape(*natural.shape[:-1], self.dimension, self.dimension)

    def _oracle(self, natural: FloatArray) -> tuple[float, FloatArray, FloatArray]:
        """psi, its gradient and its Hessian: moments up to order four of one distribution."""
        energies = self._energies(natural)
        top = float(energies.max())
        weights = np.exp(energies - top)
        total = float(weights.sum())
        totals = _superset_sums(weights / total, self.n)
        masks = _masks(self.n)
        mean = totals[masks]
        # a product of statistics is the indicator of the union of their units
        hessian = totals[masks[:, None] | masks[None, :]] - np.outer(mean, mean)
        return top + float(np.log(total)), mean, hessian

    def _to_natural(self, mean: FloatArray) -> FloatArray:
        out = np.empty_like(mean)
        for place in np.ndindex(mean.shape[:-1]):
            out[place] = self._match(mean[place], self._independent(mean[place]))
            reached = self._to_mean(out[place])
            if np.abs(reached - mean[place]).max() > 1e-10:
                raise BoundaryError(
                    f"mean{list(place) or ''}: no law over {self.n} units has these activities "
                    f"and pairs: they contradict each other; got {mean[place]} for {self!r}"
                )
        return out

    def _match(self, mean: FloatArray, start: FloatArray) -> FloatArray:
        return match_mean(self._oracle, mean, start, largest=LARGEST)

    def _maximum_likelihood(
        self, x: FloatArray, weights: FloatArray | None, notes: set[str]
    ) -> FloatArray:
        shares = np.ones(len(x)) if weights is None else weights
        mean = shares @ self._statistic(x) / shares.sum()
        start = BoltzmannPrepared(self, self._independent(mean)[None])
        return np.asarray(start.maximise(np.concatenate([[1.0], mean])[None], notes).natural[0])

    def _independent(self, mean: FloatArray) -> FloatArray:
        """The machine of independent units with the same activities: where Newton starts."""
        start = np.zeros(self.dimension)
        p = np.clip(mean[: self.n], 1e-12, 1 - 1e-12)
        start[: self.n] = np.log(p) - np.log1p(-p)
        return start

    def _sample(self, natural: FloatArray, rng: np.random.Generator) -> FloatArray:
        batch = natural.shape[:-1]
        uniform = rng.random(batch)
        states = np.empty(batch, dtype=np.int64)
        few = distinct(natural)
        for place in np.ndindex(few.shape[:-1]):
            # the axes along which a point only repeats
            rows = tuple(
                slice(None) if own == 1 else at
                for at, own in zip(place, few.shape[:-1], strict=True)
            )
            cumulative = self._probabilities(few[place]).cumsum()
            drawn = np.searchsorted(cumulative, uniform[rows] * cumulative[-1], side="right")
            states[rows] = np.minimum(drawn, len(cumulative) - 1)
        return (states[..., None] >> np.arange(self.n) & 1).astype(float)

    def _complete(self, natural: FloatArray, x: FloatArray, observed: Indices) -> Completed:
        missing = np.setdiff1d(np.arange(self.n), observed)
        biases, couplings = natural[: self.n], self._coupling_matrix(natural)
        rest = Boltzmann(len(missing), self.enumerate_to)
        i, j = np.tril_indices(len(missing), -1)
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
        a, b = np.tril_indices(self.n, -1)
        return Completed(log_marginal, np.concatenate([means, products[:, a, b]], -1))

    def _coupling_matrix(self, natural: FloatArray) -> FloatArray:
        i, j = np.tril_indices(self.n, -1)
        matrix = np.zeros((*natural.shape[:-1], self.n, self.n))
        matrix[..., i, j] = matrix[..., j, i] = natural[..., self.n :]
        return matrix

    def _outside(self, natural: FloatArray) -> tuple[Any, str] | None:
        return None

    def _on_boundary(self, mean: FloatArray) -> tuple[Any, str] | None:
        first, second = self.location_moments(mean)
        low = first[..., :, None] + first[..., None, :] - second < 1
        pairs = ~np.eye(self.n, dtype=bool)
        inner = (second > 0) & (second < first[..., None, :]) & low
        mask = ((first <= 0) | (first >= 1)).any(-1) | (~inner & pairs).any((-1, -2))
        rule = "activities and pairs must be probabilities strictly inside their bounds"
        return (mask, rule) if np.any(mask) else None

    def _inside(self, mean: FloatArray) -> FloatArray:
        return mean if self._on_boundary(mean) is None else self._drawn_inside(mean)

    def _drawn_inside(self, mean: FloatArray) -> FloatArray:
        fair = np.concatenate([np.full(self.n, 0.5), np.full(self.dimension - self.n, 0.25)])
        return (1 - BOUNDARY_SHARE) * mean + BOUNDARY_SHARE * fair

    def _check_support(self, x: FloatArray, name: str) -> None:
        check_binary(x, name)

    def _kernel(self, natural: FloatArray) -> Any:
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
        if np.diagonal(matrix, axis1=-2, axis2=-1).any():
            raise ValueError("couplings: the diagonal must be zero; z_i z_i is z_i: use biases")
        i, j = np.tril_indices(self.n, -1)
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
            if _smallest_eigenvalue(family._oracle(points[k])[2]) < BOUNDARY_SHARE:
                points[k] = family._match(family._drawn_inside(eta), theta)
                notes.add(BOUNDARY_NOTE.format(family))
        return points

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


@lru_cache(maxsize=32)
def _masks(n: int) -> np.ndarray[Any, np.dtype[np.int64]]:
    """The bits of the units in each entry of the statistic."""
    i, j = np.tril_indices(n, -1)
    return np.concatenate([1 << np.arange(n), (1 << i) | (1 << j)])


def _smallest_eigenvalue(fisher: FloatArray) -> float:
    """Of a Fisher information as a correlation matrix; zero where a statistic does not vary."""
    scale = np.sqrt(np.diagonal(fisher))
    if not (scale > 0).all():
        return 0.0
    return float(np.linalg.eigvalsh(fisher / np.outer(scale, scale))[0])


def _superset_sums(values: FloatArray, n: int) -> FloatArray:
    """Sums over all states that contain each state's units."""
    shape = values.shape
    out = values
    for i in range(n):
        pairs = out.reshape(*shape[:-1], 1 << (n - 1 - i), 2, 1 << i)
        out = np.stack([pairs.sum(-2), pairs[..., 1, :]], -2).reshape(shape)
    return out


def _by_blocks(natural: FloatArray, width: int, function: Any) -> FloatArray:
    """Apply to a batch in pieces whose tables of states stay below 2**22 numbers."""
    flat = natural.reshape(-1, natural.shape[-1])
    step = max(1, (1 << 22) // width)
    parts = [np.asarray(function(flat[at : at + step])) for at in range(0, len(flat), step)]
    out = np.concatenate(parts) if parts else np.asarray(function(flat))
    return out.reshape((*natural.shape[:-1], *out.shape[1:]))
