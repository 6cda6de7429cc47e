"""Linear subspaces of a family's natural parameters (section 3.3.4)."""

from dataclasses import dataclass

import numpy as np

from harmonium.errors import BoundaryError
from harmonium.families.base import ExponentialFamily
from harmonium.harmonium import Harmonium
from harmonium.learning.objective import Surrogate
from harmonium.learning.parts import part_of
from harmonium.learning.space import Space
from harmonium.numerics.newton import minimise_convex
from harmonium.validation import FloatArray, as_floats

#: How far a point may lie from the subspace that it is said to be in, relative to its size.
_NEAR = 1e-8


@dataclass(frozen=True, eq=False)
class Subspace:
    """The points ``offset + free @ matrix`` of a family: an exponential family of statistic A s(x).

    Its natural parameters are ``free``, its mean parameters ``matrix @ mean``, its gradients
    ``matrix @ gradient`` of those of the family.

    Parameters
    ----------
    family : ExponentialFamily
        Whose natural parameters are restricted.
    matrix : (size, dimension) array
        A: one row for each free parameter; rows are linearly independent.
    offset : (dimension,) array, optional
        What the parameters are where those that are free are zero; zero by default.

    Raises
    ------
    ValueError
        For shapes that do not fit the family, and for rows that depend on each other.
    """

    family: ExponentialFamily
    matrix: FloatArray
    offset: FloatArray | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.family, ExponentialFamily):
            raise TypeError(f"family: an exponential family, not {self.family!r}")
        matrix = as_floats(self.matrix, name="matrix")
        n = self.family.dimension
        if matrix.ndim != 2 or matrix.shape[1] != n or not len(matrix):
            raise ValueError(f"matrix: shape {matrix.shape}, expected (size, {n})")
        if not np.isfinite(matrix).all():
            raise ValueError("matrix: not finite")
        rank = int(np.linalg.matrix_rank(matrix))
        if rank < len(matrix):
            raise ValueError(
                f"matrix: {len(matrix)} rows of rank {rank}: each free parameter must move the "
                "model in a direction of its own"
            )
        offset = np.zeros(n) if self.offset is None else as_floats(self.offset, name="offset")
        if offset.shape != (n,) or not np.isfinite(offset).all():
            raise ValueError(f"offset: {n} finite numbers; got shape {offset.shape}")
        object.__setattr__(self, "matrix", matrix)
        object.__setattr__(self, "offset", offset)

    @property
    def dimension(self) -> int:
        """How many parameters are free."""
        return len(self.matrix)

    @property
    def _space(self) -> Space:
        assert self.offset is not None
        return Space(self.family, self.matrix, self.offset)

    def embed(self, free: object) -> FloatArray:
        """Return the family's natural parameters (..., dimension of the family)."""
        return self._space.vector(self._point(free, "free"))

    def coordinates(self, natural: object) -> FloatArray:
        """Return the free parameters (..., dimension) of points that lie in the subspace."""
        point = self.family.check_natural(natural)
        free = self._space.nearest(point)
        gap = np.abs(self._space.vector(free) - point).max(-1)
        if (gap > _NEAR * np.maximum(1.0, np.abs(point).max(-1))).any():
            raise ValueError(f"natural: not in the subspace; off by {gap.max():.2g}")
        return free

    def log_partition(self, free: object) -> FloatArray:
        """Return psi (...) in nats."""
        return self.family.log_partition(self.embed(free))

    def to_mean(self, free: object) -> FloatArray:
        """Return E[A s(X)], (..., dimension): the forward mapping."""
        return self.restrict(self.family.to_mean(self.embed(free)))

    def restrict(self, mean: object) -> FloatArray:
        """Return the subspace's mean parameters ``matrix @ mean`` (..., dimension)."""
        return as_floats(mean, name="mean") @ self.matrix.T

    def to_natural(self, mean: object, start: object = None) -> FloatArray:
        """Return the free parameters (dimension,) with these means: a convex solve.

        ``start``, free parameters inside the family's domain, is needed where zero is outside it.
        Raises BoundaryError where no law has these means.
        """
        target = self._point(mean, "mean")
        if target.ndim != 1:
            raise ValueError(f"mean: one point of shape ({self.dimension},), not {target.shape}")
        free = np.zeros(self.dimension) if start is None else self._point(start, "start")
        if free.shape != target.shape or self._space.place(free) is None:
            raise ValueError(
                f"start: {self.dimension} free parameters inside the domain of {self.family!r}"
            )
        surrogate = Surrogate(self._space, np.zeros(self.family.dimension), target)
        spread = np.sqrt(np.maximum(np.diagonal(surrogate.hessian(free)), 0.0))
        found = minimise_convex(surrogate.slope, surrogate.hessian, free, 1e-12 * spread + 1e-300)
        # convergence is told in the solution's own units
        spread = np.sqrt(np.maximum(np.diagonal(surrogate.hessian(found)), 0.0))
        gap = np.abs(surrogate.slope(found)[1])
        if not (gap <= 1e-6 * spread + 1e-12 * np.abs(target)).all():
            raise BoundaryError(f"mean: no law of the subspace has these means; got {target}")
        return found

    def within(self, model: Harmonium) -> "Subspace":
        """Return the subspace of ``model`` whose latent bias theta_Z lies in this one.

        All else is free. Where not the bias but the prior theta_Z + rho is meant, ``fit`` takes
        the subspace of the latent itself.
        """
        if not isinstance(model, Harmonium) or model.latent != self.family:
            raise ValueError(f"model: a harmonium whose latent is {self.family!r}; got {model!r}")
        own = part_of(model, "latent").entries
        others = np.setdiff1d(np.arange(model.dimension), own)
        matrix = np.zeros((len(others) + self.dimension, model.dimension))
        matrix[np.arange(len(others)), others] = 1.0
        matrix[len(others) :, own] = self.matrix
        offset = np.zeros(model.dimension)
        offset[own] = self.offset
        return Subspace(model, matrix, offset)

    def _point(self, value: object, name: str) -> FloatArray:
        point = as_floats(value, name=name)
        if point.ndim == 0 or point.shape[-1] != self.dimension:
            raise ValueError(f"{name}: shape {point.shape}, expected (..., {self.dimension})")
        if not np.isfinite(point).all():
            raise ValueError(f"{name}: not finite")
        return point
