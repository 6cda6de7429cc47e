"""Components that share the shape part of their natural parameters: their maximum likelihood.

Of components with weights w_k and means m_k, ``sum w_k (theta_k . m_k - psi(theta_k))`` is concave
in locations theta_k,L and the shape theta_S common to all (§3.3.4: a linear subspace). At the
maximum every component has its location means, and all together have the average shape mean.
"""

from typing import Any, Protocol

import numpy as np

from harmonium.numerics.newton_batch import Local, Members, minimise, solve
from harmonium.validation import FloatArray

_EPS = float(np.finfo(float).eps)


class TiedFamily(Protocol):
    """What the solve asks of a family: see :class:`~harmonium.families.base.ExponentialFamily`."""

    @property
    def location(self) -> Members:
        """Which entries of the statistic place an observation."""

    @property
    def shape(self) -> Members:
        """Which entries shape it."""

    def _log_partition(self, natural: FloatArray) -> FloatArray: ...
    def _to_mean(self, natural: FloatArray) -> FloatArray: ...
    def _fisher_information(self, natural: FloatArray) -> FloatArray: ...
    def _outside(self, natural: FloatArray) -> tuple[Any, str] | None: ...


def average(weights: FloatArray, values: FloatArray) -> FloatArray:
    """Return averages (..., n) of components' values (..., K, n) by weights (..., K)."""
    return np.asarray((weights[..., None] * values).sum(-2))


def match_tied(
    family: TiedFamily, weights: FloatArray, mean: FloatArray, start: FloatArray
) -> FloatArray:
    """Return natural parameters (m, K, dimension) of m groups that fit means best; NaN where none do.

    Newton's method for the shapes, inside which every component's location is solved for, so
    that a component of next to no weight is as exact as any. ``weights`` (m, K) of a group add up
    to one; shape entries of ``mean`` (m, K, dimension) count by their weighted average only.
    ``start`` (m, K, dimension) lies inside the domain, with one shape in each group.
    """
    solver = _Profile(family, weights, mean, start)
    found = minimise(solver.local, start[:, 0, family.shape])
    natural = solver.locate(np.arange(len(start)), found.point)
    return np.where(found.found[:, None, None], natural, np.nan)


class _Profile:
    """The dual function of the shapes, locations at their best."""

    def __init__(
        self, family: TiedFamily, weights: FloatArray, mean: FloatArray, start: FloatArray
    ) -> None:
        self._family, self._weights, self._mean = family, weights, mean
        self._shape_mean = average(weights, mean[..., family.shape])
        #: Natural parameters of the last locations found, where the next search starts.
        self._last = start.copy()

    def locate(self, members: Members, shapes: FloatArray) -> FloatArray:
        """Return natural parameters (m, K, dimension) with location means met; NaN where impossible."""
        family, (m, k) = self._family, (len(members), self._weights.shape[1])
        points = self._last[members]
        points[..., family.shape] = shapes[:, None]
        flat, mean = points.reshape(m * k, -1), self._mean[members].reshape(m * k, -1)

        def local(which: Members, locations: FloatArray) -> Local:
            natural = flat[which]
            natural[:, family.location] = locations
            value, expected, fisher = self._oracle(natural)
            i = family.location
            target = mean[which][:, i]
            return Local(
                value - (locations * target).sum(-1),
                expected[:, i] - target,
                fisher[:, i[:, None], i],
                8 * _EPS * np.abs(target),
            )

        found = minimise(local, flat[:, family.location])
        flat[:, family.location] = np.where(found.found[:, None], found.point, np.nan)
        return flat.reshape(m, k, -1)

    def _oracle(self, natural: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """psi, means and Fisher information of points; psi infinite outside the domain."""
        broken = self._family._outside(natural)
        out: Any = ~np.isfinite(natural).all(-1)
        if broken is not None:
            out = out | broken[0]
        # where there is no value, that of a point inside
        safe = np.where(out[:, None], self._last[0, 0], natural)
        value = np.where(out, np.inf, self._family._log_partition(safe))
        return value, self._family._to_mean(safe), self._family._fisher_information(safe)

    def local(self, members: Members, shapes: FloatArray) -> Local:
        """The dual function of groups at shapes (m, s), with its derivatives."""
        family = self._family
        natural = self.locate(members, shapes)
        known: Any = np.isfinite(natural).all((-1, -2))
        self._last[members[known]] = natural[known]
        flat = natural.reshape(-1, natural.shape[-1])
        value, expected, fisher = (
            part.reshape(natural.shape[:2] + part.shape[1:]) for part in self._oracle(flat)
        )
        weights, mean = self._weights[members], self._mean[members]
        i, j = family.location, family.shape
        target = self._shape_mean[members]
        located = (natural[..., i] * mean[..., i]).sum(-1)
        dual = (weights * (value - located)).sum(-1) - (shapes * target).sum(-1)
        # what the locations leave of the shapes' variance
        across = fisher[..., i[:, None], j]
        left = fisher[..., j[:, None], j] - across.swapaxes(-1, -2) @ solve(
            fisher[..., i[:, None], i], across
        )
        pooled = (weights[..., None, None] * left).sum(1)
        return Local(
            np.where(known, dual, np.inf),
            average(weights, expected[..., j]) - target,
            0.5 * (pooled + pooled.swapaxes(-1, -2)),
            8 * _EPS * average(weights, np.abs(mean[..., j])),
        )
