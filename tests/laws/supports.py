"""Supports of observations: nodes and weights of sums and integrals over them.

Continuous columns are images of the real line, on which the trapezoid rule converges
exponentially for analytic integrands that fall off on both sides. The nodes cover what a sample
of the law covers, and several times its range beyond.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy.special import expit, log_expit

from harmonium.families import ExponentialFamily
from harmonium.validation import FloatArray

#: Draws that place the nodes, how far beyond their range these go, in ranges, and how densely they
#: lie, in standard deviations given all other columns.
DRAWS, BEYOND, STEP = 2000, 3.0, 0.25
#: More nodes than this are a mistake in a case: choose fewer columns.
MOST_NODES = 1_000_000


class Nodes(NamedTuple):
    """Observations (n, n_features) and the logs of their weights (n,)."""

    x: FloatArray
    log_weight: FloatArray


class Support(ABC):
    """Where a family's observations lie."""

    #: Whether densities are probabilities.
    discrete: bool
    #: Values, each of which would put a row off the support.
    off: tuple[float, ...] = ()

    @abstractmethod
    def nodes(self, family: ExponentialFamily, natural: FloatArray) -> Nodes:
        """Nodes at which the law's sum or integral is exact to 1e-12 or so."""

    @abstractmethod
    def corner(self, family: ExponentialFamily) -> FloatArray:
        """A row whose statistic alone is a mean on the boundary."""


@dataclass(frozen=True)
class Kind:
    """A kind of column: ``line`` maps values to the real line or the integers, ``back`` back.

    ``lowest`` and ``highest`` bound the line, the real one where values would round to the limits.
    """

    discrete: bool
    corner: float
    off: tuple[float, ...] = ()
    lowest: float = -np.inf
    highest: float = np.inf
    period: float | None = None
    line: Callable[[FloatArray], FloatArray] = np.asarray
    back: Callable[[FloatArray], FloatArray] = np.asarray
    log_slope: Callable[[FloatArray], FloatArray] = np.zeros_like

    def nodes(self, t: FloatArray, spread: float) -> tuple[FloatArray, FloatArray]:
        """Values and log weights, for draws on the line with this conditional spread."""
        if self.period is not None:
            values = np.arange(128) * (self.period / 128)
            return values, np.full(128, np.log(self.period / 128))
        reach = BEYOND * (t.max() - t.min())
        if self.discrete:
            low = max(self.lowest, t.min() - reach - 40)
            high = min(self.highest, t.max() + reach + 40)
            values = np.arange(low, high + 1)
            return values, np.zeros(len(values))
        step = STEP * spread
        low, high = max(self.lowest, t.min() - reach), min(self.highest, t.max() + reach)
        line = np.arange(low, high, step)
        return self.back(line), np.log(step) + self.log_slope(line)


real = Kind(False, 0.0)
positive = Kind(
    False, 1.0, (-1.0, 0.0), -300.0, 300.0, line=np.log, back=np.exp, log_slope=np.asarray
)
unit_interval = Kind(
    False,
    0.5,
    (0.0, 1.0, 1.5),
    -300.0,
    36.0,
    line=lambda x: np.log(x) - np.log1p(-x),
    back=expit,
    log_slope=lambda t: log_expit(t) + log_expit(-t),
)
angle = Kind(False, 0.0, (2e15,), period=2 * np.pi)
count = Kind(True, 0.0, (-1.0, 0.5), lowest=0)
binary = Kind(True, 0.0, (-1.0, 0.5, 2.0), lowest=0, highest=1)


def up_to(largest: int) -> Kind:
    """Whole numbers from zero: categories, binomial counts."""
    return Kind(True, 0.0, (-1.0, 0.5, largest + 1.0), lowest=0, highest=largest)


class Columns(Support):
    """A product of columns, of one kind each; one kind alone is that of all columns."""

    def __init__(self, *kinds: Kind) -> None:
        self.kinds = kinds
        self.discrete = all(kind.discrete for kind in kinds)
        self.off = kinds[0].off

    def _kinds(self, family: ExponentialFamily) -> tuple[Kind, ...]:
        return self.kinds * family.n_features if len(self.kinds) == 1 else self.kinds

    def axes(
        self, family: ExponentialFamily, natural: FloatArray
    ) -> list[tuple[FloatArray, FloatArray]]:
        """Nodes and log weights by column."""
        kinds = self._kinds(family)
        draws = family.sample(natural, rng=0, size=DRAWS)
        t = np.column_stack(
            [kind.line(column) for kind, column in zip(kinds, draws.T, strict=True)]
        )
        continuous = [i for i, kind in enumerate(kinds) if not kind.discrete]
        spread = np.ones(len(kinds))
        if continuous:
            precision = np.linalg.inv(np.atleast_2d(np.cov(t[:, continuous].T)))
            spread[continuous] = 1 / np.sqrt(np.diagonal(precision))
        return [kind.nodes(*part) for kind, *part in zip(kinds, t.T, spread, strict=True)]

    def nodes(self, family: ExponentialFamily, natural: FloatArray) -> Nodes:
        return grid(self.axes(family, natural))

    def corner(self, family: ExponentialFamily) -> FloatArray:
        return np.array([kind.corner for kind in self._kinds(family)])


def grid(axes: list[tuple[FloatArray, FloatArray]]) -> Nodes:
    """The product of columns of nodes."""
    size = int(np.prod([len(values) for values, _ in axes]))
    if size > MOST_NODES:
        raise ValueError(f"{size} nodes: a case for integrals needs fewer columns")
    x = np.meshgrid(*(values for values, _ in axes), indexing="ij")
    log_weight = np.meshgrid(*(weights for _, weights in axes), indexing="ij")
    flat = np.stack(x, -1).reshape(-1, len(axes))
    return Nodes(flat, np.sum(log_weight, axis=0).ravel())


class Simplex(Support):
    """Proportions above zero that sum to one, with densities in all of them but the last."""

    discrete = False
    off = (-0.5, 0.0, 2.0)

    def nodes(self, family: ExponentialFamily, natural: FloatArray) -> Nodes:
        draws = family.sample(natural, rng=0, size=DRAWS)
        t = np.log(draws[:, :-1]) - np.log(draws[:, -1:])
        axes = _line_axes(t)
        points, log_weight = grid(axes)
        logits = np.column_stack([points, np.zeros(len(points))])
        log_x = logits - np.logaddexp.reduce(logits, axis=1)[:, None]
        return Nodes(np.exp(log_x), log_weight + log_x.sum(1))

    def corner(self, family: ExponentialFamily) -> FloatArray:
        return np.full(family.n_features, 1 / family.n_features)


class PositiveDefinite(Support):
    """Lower triangles, row by row, of positive definite matrices."""

    discrete = False
    off = (-1.0, 0.0)

    def nodes(self, family: ExponentialFamily, natural: FloatArray) -> Nodes:
        n = int(np.sqrt(2 * family.n_features))
        i, j = np.tril_indices(n)
        draws = family.sample(natural, rng=0, size=DRAWS)
        matrices = np.zeros((DRAWS, n, n))
        matrices[:, i, j] = matrices[:, j, i] = draws
        t = np.linalg.cholesky(matrices)[:, i, j]
        t[:, i == j] = np.log(t[:, i == j])
        points, log_weight = grid(_line_axes(t, *((BEYOND, STEP) if n == 1 else (1.2, 0.4))))
        roots = np.zeros((len(points), n, n))
        roots[:, i, j] = np.where(i == j, np.exp(points), points)
        # of W = L LT with log L_kk free: 2**n times the product of L_kk**(n + 1 - k), k from zero
        log_slope = n * np.log(2) + points[:, i == j] @ np.arange(n + 1.0, 1.0, -1.0)
        return Nodes((roots @ roots.mT)[:, i, j], log_weight + log_slope)

    def corner(self, family: ExponentialFamily) -> FloatArray:
        n = int(np.sqrt(2 * family.n_features))
        return np.eye(n)[np.tril_indices(n)]


class Sphere(Support):
    """Unit vectors in three dimensions, with densities by area."""

    discrete = False
    off = (5.0,)

    def nodes(self, family: ExponentialFamily, natural: FloatArray) -> Nodes:
        height, weight = np.polynomial.legendre.leggauss(96)
        turn = np.arange(96) * (2 * np.pi / 96)
        z, phi = (a.ravel() for a in np.meshgrid(height, turn, indexing="ij"))
        radius = np.sqrt(1 - z**2)
        x = np.column_stack([radius * np.cos(phi), radius * np.sin(phi), z])
        return Nodes(x, np.repeat(np.log(weight * (2 * np.pi / 96)), 96))

    def corner(self, family: ExponentialFamily) -> FloatArray:
        return np.eye(family.n_features)[0]


def _line_axes(
    t: FloatArray, beyond: float = BEYOND, step: float = STEP
) -> list[tuple[FloatArray, FloatArray]]:
    precision = np.linalg.inv(np.atleast_2d(np.cov(t.T)))
    axes = []
    for column, spread in zip(t.T, 1 / np.sqrt(np.diagonal(precision)), strict=True):
        reach = beyond * np.ptp(column)
        values = np.arange(column.min() - reach, column.max() + reach, step * spread)
        axes.append((values, np.full(len(values), np.log(step * spread))))
    return axes
