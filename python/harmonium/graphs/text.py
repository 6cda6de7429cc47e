"""A graph in words."""

from collections.abc import Sequence

from harmonium.errors import NotConjugatedError
from harmonium.graphs.clique import Clique
from harmonium.graphs.layout import Layout
from harmonium.graphs.plan import plan_of

#: More vertices or cliques than so many are counted, not listed.
_MOST = 24


def describe(layout: Layout, cliques: Sequence[Clique]) -> str:
    """Return lines of text: vertices, cliques, and in which order they are summed out."""
    counts = (
        _count(len(layout.names), "vertex", "vertices"),
        _count(len(cliques), "clique", "cliques"),
    )
    lines = [f"Graph: {', '.join(counts)}"]
    width = max(map(len, layout.names[:_MOST]))
    pairs = list(zip(layout.names, layout.families, strict=True))
    lines += [f"  {name:<{width}}  {family!r}" for name, family in pairs[:_MOST]]
    lines += _more(len(pairs))
    for clique, tensor in list(zip(cliques, layout.tensors, strict=True))[:_MOST]:
        names = " - ".join(clique.members)
        lines.append(f"  {names}  ({' x '.join(map(str, tensor.shape))})")
    lines += _more(len(cliques))
    lines.append(_order(layout))
    return "\n".join(lines)


def _count(n: int, one: str, many: str) -> str:
    return f"{n} {one if n == 1 else many}"


def _more(n: int) -> list[str]:
    return [f"  and {n - _MOST} more"] if n > _MOST else []


def _order(layout: Layout) -> str:
    try:
        plan = plan_of(layout)
    except NotConjugatedError as error:
        return f"Not exact: {error}"
    order = [layout.names[clique.variable] for clique in plan.elimination.cliques]
    shown = ", ".join(order[:_MOST]) + (" ..." if len(order) > _MOST else "")
    return f"Exact, summed out in the order {shown}"
