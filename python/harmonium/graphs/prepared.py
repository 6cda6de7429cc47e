"""Graphs ready for the pass, also as the latent of a likelihood on their first vertex."""

from typing import Any

import numpy as np

from harmonium.expectation.prepared import Moments, Tilted
from harmonium.families.base import Indices
from harmonium.families.statistic_stack import StatisticPrepared
from harmonium.validation import FloatArray


class GraphPrepared(StatisticPrepared):
    """Points of a graph, which may stand behind a linear Gaussian likelihood."""

    family: Any

    def maximise(self, sums: FloatArray, notes: set[str]) -> "GraphPrepared":
        """Return the maximum-likelihood points; members without weight stay as they are."""
        return GraphPrepared(self.family, super().maximise(sums, notes).natural)

    def take(self, members: Indices) -> "GraphPrepared":
        """Return the stack of these members."""
        return GraphPrepared(self.family, self._natural[members])

    def _leading_moments(self, mean: FloatArray) -> tuple[FloatArray, FloatArray]:
        leading = self.family.leading
        first, second = leading.location_moments(mean[..., : leading.dimension])
        return np.asarray(first), np.asarray(second)

    def tilted(self, delta: FloatArray, columns: slice) -> Tilted:
        """Return the graphs times ``exp(delta . s)`` of the leading statistics, for shifts of some."""
        whole = np.zeros(self.family.dimension)
        whole[: len(delta)] = delta
        return super().tilted(whole, columns)

    def location_mean(self) -> FloatArray:
        """Return the (count, m) means of the first vertex's location."""
        return self._leading_moments(self.family._to_mean(self._natural))[0]

    def location_moments(self, member: int, sums: FloatArray, centre: FloatArray) -> Moments:
        """Return the moments of the first vertex's location about ``centre``."""
        first, second = self._leading_moments(sums[member, 1:])
        return Moments(float(sums[member, 0]), first, second).about(-centre)
