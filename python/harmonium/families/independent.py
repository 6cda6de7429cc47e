"""Families of independent copies: their statistic falls apart into columns."""

from abc import abstractmethod
from typing import Any

import numpy as np

from harmonium import _kernels
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
        statistic = part._statistic(x)
        expected[:, entries] = statistic
        point = natural[entries]
        log_marginal = (
            statistic @ point + part._log_base_measure(x) - float(part._log_partition(point))
        )
        return Completed(log_marginal, expected)

    def _kernel_family(self) -> tuple[str, float] | None:
        """The family's name among the kernels, and the number it knows; None: the plain pass."""
        return None

    def _kernel(self, natural: FloatArray) -> Any:
        named = self._kernel_family()
        if named is None:
            return None
        name, parameter = named
        return _kernels.statistic_stack(
            name, self.n_features, *self._kernel_tables(natural), parameter
        )

    def _kernel_tables(self, natural: FloatArray) -> tuple[Any, Any, Any]:
        """Naturals, means and log partitions by column, as the kernels take them."""
        return (
            np.ascontiguousarray(natural),
            np.ascontiguousarray(self._to_mean(natural)),
            np.ascontiguousarray(self._log_partitions(natural)),
        )
