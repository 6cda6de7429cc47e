"""The pass over the data: in Rust where every part of a model has a kernel, else in numpy."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from harmonium.expectation.prepared import Prepared, Restricted
from harmonium.expectation.sources import Source
from harmonium.expectation.threads import get_threads
from harmonium.validation import FloatArray

#: Densities underflow and squares overflow by right; what is not a number is an error afterwards.
QUIET: dict[str, Any] = {"over": "ignore", "under": "ignore", "invalid": "ignore"}
#: Why sums or log densities are no numbers.
OVERFLOW = "x: squares of its values overflow float64 under this model; shift and scale the columns"


@dataclass(frozen=True)
class Totals:
    """What a pass gives: the weighted log-likelihood, the total weight and the sums."""

    log_likelihood: float
    weight: float
    sums: FloatArray

    def __add__(self, other: "Totals") -> "Totals":
        return Totals(
            self.log_likelihood + other.log_likelihood,
            self.weight + other.weight,
            self.sums + other.sums,
        )


def expectation(prepared: Prepared, source: Source, *, engine: str = "auto") -> Totals:
    """Return the sums of a stack of one member over a source: the E-step.

    ``engine`` is "auto", or "numpy" for the plain pass that every kernel is tested against.
    Rows of weight zero are left out, whatever they hold. Raises ValueError when the source's
    columns are not the model's, and where squares of the data overflow.
    """
    _check(prepared, source)
    kernel = kernel_of(prepared, engine)
    total = Totals(0.0, 0.0, np.zeros((1, prepared.size)))
    for block, given in source.blocks():
        x, weights = _heavy(block, given)
        if not len(x):
            continue
        weight = float(len(x)) if weights is None else float(weights.sum())
        part = None
        if kernel is not None:
            try:
                log_likelihood, sums = kernel.expectation(x, weights, get_threads())
                part = Totals(log_likelihood, weight, sums[None])
            except NotImplementedError:
                kernel = None  # missing values that only the plain pass can complete
        if part is None:
            part = _plain_expectation(prepared, x, weights, weight)
        total = total + part
    if not np.isfinite(total.sums).all():
        raise ValueError(OVERFLOW)
    return total


def log_densities(prepared: Prepared, source: Source, *, engine: str = "auto") -> FloatArray:
    """Return the (n,) log densities of the rows: log marginals where values are missing.

    Raises ValueError when the source's columns are not the model's, and where squares of the
    data overflow.
    """
    _check(prepared, source)
    kernel = kernel_of(prepared, engine)
    parts = []
    for x, _ in source.blocks():
        if kernel is not None:
            try:
                parts.append(kernel.log_densities(x, get_threads()))
                continue
            except NotImplementedError:
                kernel = None
        out = np.empty(len(x))
        with np.errstate(**QUIET):
            for rows, observed in patterns(x):
                stack, values = restricted(prepared, x, rows, observed)
                out[rows] = stack.evaluate(values)[:, 0] + stack.log_base_measure(values)
        parts.append(out)
    return _joined(parts)


def latents(prepared: Prepared, source: Source) -> FloatArray:
    """Return the (n, width) posteriors of the latent variable: shares, or posterior means.

    Raises ValueError as :func:`log_densities` does, and for a model without a latent variable.
    """
    _check(prepared, source)
    kernel = prepared.kernel()
    parts = []
    for x, _ in source.blocks():
        if kernel is not None:
            try:
                parts.append(kernel.latents(x, get_threads()))
                continue
            except NotImplementedError:
                kernel = None
        with np.errstate(**QUIET):
            parts.append(prepared.latent(x))
    return _joined(parts)


def patterns(x: FloatArray) -> list[tuple[Any, Any]]:
    """Return (rows, observed columns) for each pattern of missing values; None: all columns."""
    missing = np.isnan(x)
    if not missing.any():
        return [(slice(None), None)]
    kinds, which = np.unique(missing, axis=0, return_inverse=True)
    order = np.argsort(which.ravel(), kind="stable")
    edges = np.searchsorted(which.ravel()[order], np.arange(len(kinds) + 1))
    return [
        (order[edges[k] : edges[k + 1]], np.flatnonzero(~kind) if kind.any() else None)
        for k, kind in enumerate(kinds)
    ]


def restricted(
    prepared: Prepared, x: FloatArray, rows: Any, observed: Any
) -> tuple[Prepared | Restricted, FloatArray]:
    """Return the stack for rows of one of the :func:`patterns`, and what is observed of them."""
    if observed is None:
        return prepared, x[rows]
    return prepared.restrict(observed), x[rows][:, observed]


def _plain_expectation(
    prepared: Prepared, x: FloatArray, weights: FloatArray | None, weight: float
) -> Totals:
    shares = np.ones(len(x)) if weights is None else weights
    sums = np.zeros((1, prepared.size))
    log_likelihood = 0.0
    with np.errstate(**QUIET):
        for rows, observed in patterns(x):
            stack, values = restricted(prepared, x, rows, observed)
            logs = stack.evaluate(values)[:, 0] + stack.log_base_measure(values)
            log_likelihood += float(shares[rows] @ logs)
            sums += stack.accumulate(values, shares[rows][:, None])
    return Totals(log_likelihood, weight, sums)


def _heavy(x: FloatArray, weights: FloatArray | None) -> tuple[FloatArray, FloatArray | None]:
    """The rows that count: 0 times an impossible row's infinite sums would be NaN."""
    if weights is None or weights.all():
        return x, weights
    heavy = weights != 0
    return x[heavy], weights[heavy]


def _joined(parts: list[FloatArray]) -> FloatArray:
    out = np.concatenate(parts) if parts else np.empty(0)
    finite = ~np.isnan(out)
    if not finite.all():
        raise ValueError(f"{OVERFLOW} (row {int(np.argwhere(~finite)[0][0])})")
    return out


def kernel_of(prepared: Prepared, engine: str) -> Any:
    """Return the compiled stack, or None where there is none or the plain pass is asked for."""
    if engine not in ("auto", "numpy"):
        raise ValueError(f'engine: "auto" or "numpy"; got {engine!r}')
    return prepared.kernel() if engine == "auto" else None


def _check(prepared: Prepared, source: Source) -> None:
    if prepared.count != 1:
        raise ValueError(f"natural: a pass is over one point, not {prepared.count}")
    if source.n_features != prepared.n_observed:
        raise ValueError(
            f"x has {source.n_features} columns, the model reads {prepared.n_observed}"
        )
