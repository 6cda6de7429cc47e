"""Families side by side: independent columns of different kinds."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from harmonium.expectation.prepared import Prepared
from harmonium.families.base import ColumnUnits, Completed, ExponentialFamily, Indices
from harmonium.families.product_stack import ProductPrepared
from harmonium.validation import FloatArray, as_floats


class ProductParameters(NamedTuple):
    """People's parameters of a product: those of its parts, in their order."""

    parts: tuple[Any, ...]


@dataclass(frozen=True, init=False, repr=False)
class Product(ExponentialFamily):
    """Independent observations of several families, their columns side by side.

    ``s(x) = (s_1(x_1), s_2(x_2), ...)``; base measures multiply and log-partition functions add.
    Whatever a part can, its columns can: missing values, changes of units, a boundary policy.
    Products nest.

    Parameters
    ----------
    *parts : ExponentialFamily
        The families, at least one. Models with latent columns are no parts: put the product
        inside the model.
    """

    parts: tuple[ExponentialFamily, ...]

    def __init__(self, *parts: ExponentialFamily) -> None:
        if not parts:
            raise ValueError("parts: a product has at least one family")
        for i, part in enumerate(parts):
            if not isinstance(part, ExponentialFamily):
                raise TypeError(f"parts: an exponential family, not {part!r} (part {i})")
            if part.n_observed != part.n_features:
                raise ValueError(
                    f"parts: part {i}, {part!r}, has latent columns; build the model on the "
                    "product of its observable and the others"
                )
        object.__setattr__(self, "parts", parts)

    def __repr__(self) -> str:
        return f"Product({', '.join(map(repr, self.parts))})"

    # ----------------------------------------------------------------------------- shapes

    @property
    def dimension(self) -> int:
        """Length of natural and mean vectors: the sum of the parts'."""
        return sum(part.dimension for part in self.parts)

    @property
    def n_features(self) -> int:
        """Columns of an observation: the sum of the parts'."""
        return sum(part.n_features for part in self.parts)

    @property
    def levels(self) -> tuple[int, ...] | None:
        """The parts', side by side."""
        levels = [part.levels for part in self.parts]
        if any(own is None for own in levels):
            return None
        return tuple(count for own in levels if own is not None for count in own)

    @property
    def location(self) -> Indices:
        """The parts' location statistics."""
        starts = np.cumsum([0, *(part.dimension for part in self.parts[:-1])])
        pairs = zip(self.parts, starts, strict=True)
        return np.concatenate([part.location + start for part, start in pairs])

    @property
    def has_marginals(self) -> bool:
        """Whether all parts' columns may be missing one by one."""
        return all(part.has_marginals for part in self.parts)

    @property
    def independent_columns(self) -> bool:
        """Whether every part's are."""
        return all(part.independent_columns for part in self.parts)

    @property
    def standardisation(self) -> tuple[ColumnUnits, ...]:
        """As the parts', from left to right."""
        return tuple(units for part in self.parts for units in part.standardisation)

    def split(self, vector: object) -> tuple[FloatArray, ...]:
        """Return the parts (..., part's dimension) of natural or mean vectors."""
        return tuple(self._split(self._point(vector, "vector")))

    def split_observation(self, x: object) -> tuple[FloatArray, ...]:
        """Return the parts' columns of observations (..., n_features)."""
        table = as_floats(x, name="x")
        if table.ndim == 0 or table.shape[-1] != self.n_features:
            raise ValueError(f"x: shape {table.shape}, expected (..., {self.n_features})")
        return tuple(self.split_columns(table))

    def split_columns(self, x: FloatArray) -> list[FloatArray]:
        """The parts' columns of a table known to fit."""
        cuts = np.cumsum([part.n_features for part in self.parts])[:-1]
        return [np.ascontiguousarray(own) for own in np.split(x, cuts, -1)]

    def _split(self, vector: FloatArray) -> list[FloatArray]:
        return np.split(vector, np.cumsum([part.dimension for part in self.parts])[:-1], -1)

    def _pairs(self, vector: FloatArray) -> list[tuple[ExponentialFamily, FloatArray]]:
        return list(zip(self.parts, self._split(vector), strict=True))

    def _data(self, x: FloatArray) -> list[tuple[ExponentialFamily, FloatArray]]:
        return list(zip(self.parts, self.split_columns(x), strict=True))

    # ----------------------------------------------------------------------------- the family

    def _statistic(self, x: FloatArray) -> FloatArray:
        return np.concatenate([part._statistic(own) for part, own in self._data(x)], -1)

    def _log_base_measure(self, x: FloatArray) -> FloatArray:
        return np.asarray(
            np.sum([part._log_base_measure(own) for part, own in self._data(x)], axis=0)
        )

    def _log_partition(self, natural: FloatArray) -> FloatArray:
        return np.asarray(
            np.sum([part._log_partition(own) for part, own in self._pairs(natural)], axis=0)
        )

    def _to_mean(self, natural: FloatArray) -> FloatArray:
        return np.concatenate([part._to_mean(own) for part, own in self._pairs(natural)], -1)

    def _to_natural(self, mean: FloatArray) -> FloatArray:
        return np.concatenate([part._to_natural(own) for part, own in self._pairs(mean)], -1)

    def _fisher_information(self, natural: FloatArray) -> FloatArray:
        matrix = np.zeros((*natural.shape, self.dimension))
        start = 0
        for part, own in self._pairs(natural):
            block = slice(start, start + part.dimension)
            matrix[..., block, block] = part._fisher_information(own)
            start = block.stop
        return matrix

    def _expected_log_base_measure(self, natural: FloatArray) -> FloatArray:
        pairs = self._pairs(natural)
        return np.asarray(
            np.sum([part._expected_log_base_measure(own) for part, own in pairs], axis=0)
        )

    def _entropy(self, natural: FloatArray) -> FloatArray:
        return np.asarray(
            np.sum([part._entropy(own) for part, own in self._pairs(natural)], axis=0)
        )

    def _relative_entropy(self, p: FloatArray, q: FloatArray) -> FloatArray:
        parts = zip(self.parts, self._split(p), self._split(q), strict=True)
        return np.asarray(
            np.sum([part._relative_entropy(mine, theirs) for part, mine, theirs in parts], axis=0)
        )

    def _sample(self, natural: FloatArray, rng: np.random.Generator) -> FloatArray:
        return np.concatenate([part._sample(own, rng) for part, own in self._pairs(natural)], -1)

    def _log_density(self, natural: FloatArray, x: FloatArray) -> FloatArray:
        pairs = zip(self._pairs(natural), self.split_columns(x), strict=True)
        logs = [part._log_density(own, columns) for (part, own), columns in pairs]
        return np.asarray(np.sum(logs, axis=0))

    def _complete(self, natural: FloatArray, x: FloatArray, observed: Indices) -> Completed:
        log_marginal = np.zeros(len(x))
        expected = []
        start = 0
        for part, point in self._pairs(natural):
            known = (observed >= start) & (observed < start + part.n_features)
            columns, own = observed[known] - start, np.ascontiguousarray(x[:, known])
            start += part.n_features
            if len(columns) == part.n_features:
                completed = Completed(part._log_density(point, own), part._statistic(own))
            else:
                completed = Completed(*part._complete(point, own, columns))
            log_marginal += completed.log_marginal
            expected.append(completed.expected_statistic)
        return Completed(log_marginal, np.concatenate(expected, -1))

    def _broken(
        self, checks: list[tuple[Any, str] | None], batch: tuple[int, ...]
    ) -> tuple[Any, str] | None:
        """All points that break a part's rule, and the rule of the first part that has one."""
        broken = [(i, *check) for i, check in enumerate(checks) if check is not None]
        if not broken:
            return None
        mask = np.zeros(batch, dtype=bool)
        for _, own, _ in broken:
            mask = mask | own
        first = tuple(np.argwhere(np.atleast_1d(mask))[0]) if batch else ()
        i, _, rule = next(one for one in broken if np.asarray(one[1])[first])
        return mask, f"part {i}, {self.parts[i]!r}: {rule}"

    def _outside(self, natural: FloatArray) -> tuple[Any, str] | None:
        checks = [part._outside(own) for part, own in self._pairs(natural)]
        return self._broken(checks, natural.shape[:-1])

    def _on_boundary(self, mean: FloatArray) -> tuple[Any, str] | None:
        checks = [part._on_boundary(own) for part, own in self._pairs(mean)]
        return self._broken(checks, mean.shape[:-1])

    def _inside(self, mean: FloatArray) -> FloatArray:
        return np.concatenate([part._inside(own) for part, own in self._pairs(mean)], -1)

    def _maximum_likelihood(
        self, x: FloatArray, weights: FloatArray | None, notes: set[str]
    ) -> FloatArray:
        fits = [part._maximum_likelihood(own, weights, notes) for part, own in self._data(x)]
        return np.concatenate(fits, -1)

    def _tied_natural(
        self, weights: FloatArray, mean: FloatArray, start: FloatArray | None = None
    ) -> FloatArray:
        starts = [None] * len(self.parts) if start is None else self._split(start)
        fits = [
            part._tied_natural(weights, own, first)
            for (part, own), first in zip(self._pairs(mean), starts, strict=True)
        ]
        return np.concatenate(fits, -1)

    def _tied_inside(self, weights: FloatArray, mean: FloatArray) -> FloatArray:
        pairs = self._pairs(mean)
        return np.concatenate([part._tied_inside(weights, own) for part, own in pairs], -1)

    def _check_support(self, x: FloatArray, name: str) -> None:
        start = 0
        for part, own in self._data(x):
            columns = name
            if start:
                columns = (
                    f"{name}: columns {start} to {start + part.n_features - 1}, numbered from 0"
                )
            part._check_support(own, columns)
            start += part.n_features

    def _prepare(self, natural: FloatArray) -> Prepared:
        return ProductPrepared([part._prepare(own) for part, own in self._pairs(natural)])

    def affine(self, natural: object, shift: object, scale: object) -> FloatArray:
        """Return the natural parameters of ``shift + scale * X``, (..., dimension).

        Columns of parts that are not closed under shifts and scales need a shift of 0 and a
        scale of 1.
        """
        point = self.check_natural(natural)
        move = np.broadcast_to(as_floats(shift, name="shift"), (self.n_features,))
        factor = np.broadcast_to(as_floats(scale, name="scale"), (self.n_features,))
        if not (np.isfinite(factor) & (factor != 0)).all():
            raise ValueError(f"scale: must be finite and not zero; got {factor}")
        moved = []
        start = 0
        for i, (part, own) in enumerate(self._pairs(point)):
            columns = slice(start, start + part.n_features)
            start = columns.stop
            if (move[columns] == 0).all() and (factor[columns] == 1).all():
                moved.append(own)
                continue
            if all(units.kind == "none" for units in part.standardisation):
                raise ValueError(
                    f"{self!r}: part {i}, {part!r}, is not closed under shifts and scales: its "
                    "columns need a shift of 0 and a scale of 1"
                )
            moved.append(part.affine(own, move[columns], factor[columns]))
        return np.concatenate(moved, -1)

    # ------------------------------------------------------------------ people's parameters

    def from_parameters(self, *, parts: object) -> FloatArray:  # type: ignore[override]
        """Return natural parameters from one entry of ``parts`` for each family.

        An entry holds people's parameters by name, as a mapping or a NamedTuple, or natural
        parameters (..., part's dimension). Batch axes are broadcast.
        """
        if isinstance(parts, str | bytes | Mapping) or not hasattr(parts, "__len__"):
            raise TypeError(f"parts: one entry for each of {len(self.parts)} families")
        entries: list[Any] = list(parts)  # type: ignore[call-overload]
        if len(entries) != len(self.parts):
            raise ValueError(f"parts: {len(entries)} entries for {len(self.parts)} families")
        points = []
        for i, (part, entry) in enumerate(zip(self.parts, entries, strict=True)):
            if isinstance(entry, Mapping):
                points.append(part.from_parameters(**entry))
            elif hasattr(entry, "_asdict"):
                points.append(part.from_parameters(**entry._asdict()))
            else:
                points.append(part.check_natural(entry, f"parts[{i}]"))
        batch = np.broadcast_shapes(*(point.shape[:-1] for point in points))
        return np.concatenate(
            [np.broadcast_to(point, (*batch, point.shape[-1])) for point in points], -1
        )

    def to_parameters(self, natural: object) -> ProductParameters:
        """Return the parts' people's parameters."""
        pairs = self._pairs(self.check_natural(natural))
        return ProductParameters(tuple(part.to_parameters(own) for part, own in pairs))
