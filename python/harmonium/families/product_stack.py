"""Products ready for the pass: the parts' stacks side by side."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from harmonium import _kernels
from harmonium.expectation.prepared import Prepared, Restricted
from harmonium.validation import FloatArray

_Indices = np.ndarray[Any, np.dtype[np.intp]]


def _slices(widths: Sequence[int]) -> list[slice]:
    """Consecutive slices of these widths."""
    ends = np.cumsum([0, *widths]).tolist()
    return [slice(a, b) for a, b in pairwise(ends)]


class ProductPrepared(Prepared):
    """A stack of products. Sums of a member: its parts' sums, one after another.

    Every part keeps its own coordinates, so that normals inside keep their centred sums; the
    total weight is there once for each part.
    """

    def __init__(self, parts: Sequence[Prepared]) -> None:
        self.parts = tuple(parts)
        self.count = self.parts[0].count
        self.n_observed = sum(part.n_observed for part in self.parts)
        self.size = sum(part.size for part in self.parts)
        #: Each part's columns.
        self.columns = _slices([part.n_observed for part in self.parts])
        self._sums = _slices([part.size for part in self.parts])

    def _split(self, sums: FloatArray) -> list[tuple[Prepared, FloatArray]]:
        return [(part, sums[:, own]) for part, own in zip(self.parts, self._sums, strict=True)]

    def _data(self, x: FloatArray) -> list[tuple[Prepared, FloatArray]]:
        return [(part, x[:, own]) for part, own in zip(self.parts, self.columns, strict=True)]

    @property
    def natural(self) -> FloatArray:
        """The (count, dimension) natural parameters."""
        return np.concatenate([part.natural for part in self.parts], -1)

    def log_base_measure(self, x: FloatArray) -> FloatArray:
        """Return the sum of the parts'."""
        return np.asarray(
            np.sum([part.log_base_measure(own) for part, own in self._data(x)], axis=0)
        )

    def evaluate(self, x: FloatArray) -> FloatArray:
        """Return the sum of the parts'."""
        return np.asarray(np.sum([part.evaluate(own) for part, own in self._data(x)], axis=0))

    def accumulate(self, x: FloatArray, weights: FloatArray) -> FloatArray:
        """Return the parts' sums."""
        return np.column_stack([part.accumulate(own, weights) for part, own in self._data(x)])

    def restrict(self, observed: _Indices) -> Restricted:
        """Return what the parts know of these columns."""
        return _ObservedProducts(self, observed)

    def observed_of(self, observed: _Indices) -> list[_Indices]:
        """Each part's observed columns, in its own numbers."""
        return [
            observed[(observed >= own.start) & (observed < own.stop)] - own.start
            for own in self.columns
        ]

    def maximise(self, sums: FloatArray, notes: set[str]) -> "ProductPrepared":
        """Return the parts that fit their sums best."""
        return ProductPrepared([part.maximise(own, notes) for part, own in self._split(sums)])

    def maximise_tied(
        self, sums: FloatArray, n_components: int, notes: set[str]
    ) -> "ProductPrepared":
        """Return the parts that fit their sums best with shared shapes."""
        return ProductPrepared(
            [part.maximise_tied(own, n_components, notes) for part, own in self._split(sums)]
        )

    def residual_tied(self, sums: FloatArray, n_components: int) -> float:
        """Return the parts' largest."""
        return max(part.residual_tied(own, n_components) for part, own in self._split(sums))

    def mean(self, sums: FloatArray) -> FloatArray:
        """Return the parts' average expectations."""
        return np.concatenate([part.mean(own) for part, own in self._split(sums)], -1)

    def sums_of(self, weights: FloatArray, totals: FloatArray) -> FloatArray:
        """Return the parts' sums of the parts' totals."""
        own = _slices([part.natural.shape[-1] for part in self.parts])
        pairs = zip(self.parts, own, strict=True)
        return np.concatenate([part.sums_of(weights, totals[:, at]) for part, at in pairs], -1)

    def residual(self, sums: FloatArray) -> float:
        """Return the parts' largest."""
        return max(part.residual(own) for part, own in self._split(sums))

    def take(self, members: _Indices) -> "ProductPrepared":
        """Return the stack of these members."""
        return ProductPrepared([part.take(members) for part in self.parts])

    def affine(self, shift: FloatArray, scale: FloatArray) -> "ProductPrepared":
        """Return the stack of the laws of ``shift + scale * X``, part by part."""
        pairs = zip(self.parts, self.columns, strict=True)
        return ProductPrepared([part.affine(shift[own], scale[own]) for part, own in pairs])

    @property
    def coordinates(self) -> FloatArray:
        """The parts' coordinates."""
        return np.concatenate([part.coordinates for part in self.parts], -1)

    def at(self, coordinates: FloatArray) -> "ProductPrepared":
        """Return the stack at other coordinates."""
        own = _slices([part.coordinates.shape[-1] for part in self.parts])
        pairs = zip(self.parts, own, strict=True)
        return ProductPrepared([part.at(coordinates[:, columns]) for part, columns in pairs])

    def sample(self, members: _Indices, rng: np.random.Generator) -> FloatArray:
        """Return one observation of each member named."""
        return np.concatenate([part.sample(members, rng) for part in self.parts], -1)

    def weights(self, sums: FloatArray) -> FloatArray:
        """Return the (count,) total weights: the first part's, which are every part's."""
        part, own = self._split(sums)[0]
        return part.weights(own)

    def kernel(self) -> Any:
        """Return the compiled twin, where all parts have one."""
        kernels = [part.kernel() for part in self.parts]
        return None if None in kernels else _kernels.product_stack(kernels)


class _ObservedProducts(Restricted):
    """Products of which only some columns are observed: parts tell nothing of one another."""

    def __init__(self, full: ProductPrepared, observed: _Indices) -> None:
        known = full.observed_of(observed)
        self._parts: list[Prepared | Restricted] = [
            part if len(columns) == part.n_observed else part.restrict(columns)
            for part, columns in zip(full.parts, known, strict=True)
        ]
        self._columns = _slices([len(columns) for columns in known])

    def _data(self, x: FloatArray) -> list[tuple[Prepared | Restricted, FloatArray]]:
        return [(part, x[:, own]) for part, own in zip(self._parts, self._columns, strict=True)]

    def log_base_measure(self, x: FloatArray) -> FloatArray:
        """Return the sum of the parts'."""
        return np.asarray(
            np.sum([part.log_base_measure(own) for part, own in self._data(x)], axis=0)
        )

    def evaluate(self, x: FloatArray) -> FloatArray:
        """Return the sum of the parts' log marginal densities."""
        return np.asarray(np.sum([part.evaluate(own) for part, own in self._data(x)], axis=0))

    def accumulate(self, x: FloatArray, weights: FloatArray) -> FloatArray:
        """Return the parts' sums, the missing at their conditional expectation."""
        return np.column_stack([part.accumulate(own, weights) for part, own in self._data(x)])
