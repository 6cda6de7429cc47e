"""The vertices of a graph and who interacts with whom."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

import numpy as np

from harmonium.graphs import Graph
from harmonium.plotting.style import BLANK, INK, SOFT_INK, drawing
from harmonium.validation import FloatArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: More vertices could not be told apart.
_MOST = 200
#: Letters that a circle holds.
_LONGEST = 3
_STEPS = 300


def plot_graph(
    graph: Graph,
    observed: Iterable[str] = (),
    *,
    positions: Mapping[str, tuple[float, float]] | None = None,
    ax: "Axes | None" = None,
) -> "Axes":
    """Draw a graph: circles for vertices, grey if observed; lines, and squares for larger cliques.

    A clique of two is a line; one of more a square joined to its members. Observed vertices lie
    at the bottom, the others by how many steps they are from these; without any, all lie so that
    distances are as near as may be to the number of steps between them. ``positions`` says
    otherwise. At most 200 vertices.
    """
    names = graph.names
    if len(names) > _MOST:
        raise ValueError(f"graph: {len(names)} vertices; at most {_MOST} can be told apart")
    known = graph._numbers(observed, "observed")
    if positions is None:
        at = _in_layers(graph, known) if known else _by_distance(_distances(graph))
    else:
        missing = [name for name in names if name not in positions]
        if missing:
            raise ValueError(f"positions: none for vertex {missing[0]!r}")
        at = np.array([positions[name] for name in names], dtype=float)
    number = {name: v for v, name in enumerate(names)}
    with drawing(ax, (4.6, 4.0)) as axes:
        for clique in graph.cliques:
            ends = at[[number[member] for member in clique.members]]
            centre = ends.mean(0)
            if len(ends) == 2:
                axes.plot(*ends.T, color=SOFT_INK, linewidth=1.0, zorder=1)
                continue
            for end in ends:
                axes.plot(*np.array([centre, end]).T, color=SOFT_INK, linewidth=1.0, zorder=1)
            axes.plot(*centre, "s", color=INK, markersize=6.0, zorder=2)
        size = 24.0 if len(names) <= 30 else 10.0
        for v, name in enumerate(names):
            fill = BLANK if v in known else "white"
            axes.plot(
                *at[v],
                "o",
                markersize=size,
                color=fill,
                markeredgecolor=INK,
                markeredgewidth=1.0,
                clip_on=False,
            )
            # a long name stands beside its circle
            beside = len(name) > _LONGEST
            axes.annotate(
                name,
                (at[v, 0], at[v, 1]),
                (0.35 * size, 0.42 * size) if beside else (0.0, 0.0),
                textcoords="offset points",
                ha="left" if beside else "center",
                va="bottom" if beside else "center",
                fontsize=0.35 * size,
                color=INK,
            )
        axes.set_aspect("equal")
        axes.set_xlim(at[:, 0].min() - 0.5, at[:, 0].max() + 0.5)
        axes.set_ylim(at[:, 1].min() - 0.5, at[:, 1].max() + 0.5)
        axes.set_axis_off()
        return axes


def _distances(graph: Graph) -> FloatArray:
    """Steps between vertices (n, n), NaN where there is no way."""
    n = len(graph.names)
    near = [graph._layout.neighbours(v) for v in range(n)]
    out = np.full((n, n), np.nan)
    for start in range(n):
        rim, step = [start], 0
        out[start, start] = 0
        while rim:
            step += 1
            rim = list(dict.fromkeys(i for v in rim for i in near[v] if np.isnan(out[start, i])))
            out[start, rim] = step
    return out


def _by_distance(distances: FloatArray) -> FloatArray:
    """Places (n, 2) whose distances come near to those asked for (stress majorisation)."""
    n = len(distances)
    angle = 2 * np.pi * np.arange(n) / n
    at = np.column_stack([np.cos(angle), np.sin(angle)]) * max(1.0, n / 6)
    if n == 1:
        return at
    apart = np.nanmax(distances) + 1.5
    wanted = np.where(np.isnan(distances), apart, distances) + np.eye(n)
    weight = (1 - np.eye(n)) / wanted**2
    laplacian = np.linalg.pinv(np.diag(weight.sum(0)) - weight)
    for _ in range(_STEPS):
        length = np.linalg.norm(at[:, None] - at[None], axis=-1) + np.eye(n)
        ratio = weight * wanted / np.maximum(length, 1e-9)
        at = laplacian @ (np.diag(ratio.sum(0)) - ratio) @ at
    return np.asarray(at)


def _in_layers(graph: Graph, known: list[int]) -> FloatArray:
    """Places (n, 2): rows by steps from the observed, each vertex near those it meets below."""
    steps = _distances(graph)[known]
    far = np.where(np.isnan(steps), np.inf, steps).min(0)
    reached = np.isfinite(far)
    far[~reached] = far[reached].max() + 1
    at = np.zeros((len(far), 2))
    at[:, 1] = far
    for layer in np.unique(far):
        members = np.flatnonzero(far == layer)
        wish: list[float] = []
        for v in members.tolist():
            below = [i for i in graph._layout.neighbours(v) if far[i] < layer]
            wish.append(float(at[below, 0].mean()) if below else 0.0)
        order = members[np.argsort(wish, kind="stable")] if layer else members
        at[order, 0] = np.arange(len(order)) - 0.5 * (len(order) - 1)
    return at
