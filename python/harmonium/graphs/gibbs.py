"""Block Gibbs sampling on a graph: blocks of vertices drawn given the rest, chains side by side."""

from collections.abc import Sequence

import numpy as np

from harmonium.graphs.exact import Exact, OutsideError
from harmonium.graphs.layout import Layout
from harmonium.graphs.plan import plan_of
from harmonium.graphs.reduction import Reduction
from harmonium.validation import FloatArray


class _Block:
    """Vertices that are drawn together given all others."""

    def __init__(self, layout: Layout, vertices: Sequence[int]) -> None:
        self.reduction = Reduction(layout, vertices)
        self.columns = np.concatenate(
            [np.arange(layout.n_features)[layout.columns[v]] for v in self.reduction.free]
        )
        inner = self.reduction.inner
        self.family = inner.families[0] if len(inner.families) == 1 else None
        self.exact = Exact(inner, plan_of(inner)) if self.family is None else None

    def draw(self, natural: FloatArray, x: FloatArray, rng: np.random.Generator) -> None:
        """Draw the block's columns of ``x`` (chains, n_features) afresh."""
        points = self.reduction.natural(natural, x)
        finite = bool(np.isfinite(points).all())
        if not finite:
            self._refuse("natural parameters must be finite")
        if self.exact is not None:
            try:
                x[:, self.columns] = self.exact.sample(points, len(points), rng)
            except OutsideError as error:
                self._refuse(error.rule)
            return
        assert self.family is not None
        broken = self.family._outside(points)
        if broken is not None:
            self._refuse(broken[1])
        x[:, self.columns] = self.family._sample(points, rng)

    def _refuse(self, rule: str) -> None:
        names = ", ".join(repr(name) for name, _ in self.reduction.vertices)
        raise ValueError(
            f"natural: a chain has come to where the law of {names} given the rest is outside its "
            f"domain ({rule}); the conditionals may have no joint law: bound the interactions"
        )


def gibbs(
    layout: Layout,
    natural: FloatArray,
    rng: np.random.Generator,
    *,
    groups: Sequence[Sequence[int]],
    row: FloatArray,
    known: Sequence[int],
    start: FloatArray | None,
    chains: int,
    draws: int,
    burn_in: int,
    thin: int,
) -> FloatArray:
    """Return (chains, draws, n_features): see :meth:`harmonium.graphs.Graph.gibbs`."""
    held = set(known)
    free = [[v for v in group if v not in held] for group in groups]
    blocks = [_Block(layout, group) for group in free if group]
    x = _start(layout, natural, rng, chains, held) if start is None else start.copy()
    if len(x) != chains:
        raise ValueError(f"initial: {len(x)} rows for {chains} chains")
    x = np.where(np.isnan(row), x, row)
    kept = np.empty((chains, draws, layout.n_features))
    with np.errstate(under="ignore"):
        for sweep in range(burn_in + thin * draws):
            for block in blocks:
                block.draw(natural, x, rng)
            # of every `thin` sweeps the last
            place, rest = divmod(sweep - burn_in + 1, thin)
            if place > 0 and rest == 0:
                kept[:, place - 1] = x
    return kept


def _start(
    layout: Layout,
    natural: FloatArray,
    rng: np.random.Generator,
    chains: int,
    held: set[int],
) -> FloatArray:
    """Rows to start from: the biases' own laws, where they are any."""
    x = np.zeros((chains, layout.n_features))
    for v, family in enumerate(layout.families):
        if v in held:
            continue
        bias = natural[layout.biases[v]]
        broken = family._outside(bias)
        if broken is not None:
            raise ValueError(
                f"initial: the bias of vertex {layout.names[v]!r} alone is outside its domain "
                f"({broken[1]}), so there is nothing to start from; give rows"
            )
        x[:, layout.columns[v]] = family._sample(np.broadcast_to(bias, (chains, len(bias))), rng)
    return x
