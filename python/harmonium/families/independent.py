"""Families of independent copies: their statistic falls apart into columns."""

from abc import abstractmethod

import numpy as np

from harmonium.families.base import Completed, ExponentialFamily, Indices
from harmonium.validation import FloatArray


class IndependentFamily(ExponentialFamily):
    """Independent copies, grouped by statistic: (x1 ... xn), then every second statistic.

    What a column does not know it does not tell: missing entries count as expected.
    """

    @abstractmethod
    def _copies(self, n: int) -> "IndependentFamily":
        """The same family with n copies."""

    @abstractmethod
    def _log_partitions(self, natural: FloatArray) -> FloatArray:
        """psi by copy: (..., n_features)."""

    @property
    def independent_columns(self) -> bool:
        """Columns are independent."""
        return True

    @property
    def _statistics_per_copy(self) -> int:
        return self.dimension // self.n_features

    def _log_partition(self, natural: FloatArray) -> FloatArray:
        return np.asarray(self._log_partitions(natural).sum(-1))

    def _entries(self, columns: Indices) -> Indices:
        """The statistics of some columns, in the order of the family of those columns alone."""
        groups = np.arange(self._statistics_per_copy)[:, None] * self.n_features
        return np.asarray((groups + columns).ravel())

    def _complete(self, natural: FloatArray, x: FloatArray, observed: Indices) -> Completed:
        expected = np.repeat(self._to_mean(natural)[None], len(x), 0)
        if not len(observed):
            return Completed(np.zeros(len(x)), expected)
        part = self._copies(len(observed))
        entries = self._entries(observed)
        expected[:, entries] = part._statistic(x)
        return Completed(part._log_density(natural[entries], x), expected)

    def _tied_natural(
        self, weights: FloatArray, mean: FloatArray, start: FloatArray | None = None
    ) -> FloatArray:
        n = self.n_features
        if n == 1 or not len(self.shape):
            return super()._tied_natural(weights, mean, start)

        def by_copy(points: FloatArray) -> FloatArray:
            """(..., K, statistics of all copies) as (..., copies, K, statistics of one)."""
            split = points.reshape(*points.shape[:-1], -1, n)
            return np.asarray(np.moveaxis(split, -1, -3))

        first = None if start is None else by_copy(start)
        shares = np.broadcast_to(weights[..., None, :], (*mean.shape[:-2], n, mean.shape[-2]))
        natural = self._copies(1)._tied_natural(shares, by_copy(mean), first)
        return np.asarray(np.moveaxis(natural, -3, -1).reshape(mean.shape))

    def _kernel_log_partitions(self, natural: FloatArray) -> FloatArray:
        return self._log_partitions(natural)
