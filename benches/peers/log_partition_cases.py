"""Log partitions and means: Conway-Maxwell-Poisson, Boltzmann, von Mises."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import newton
from scipy.special import expit, gammaln, i0e, i1e
from side_by_side import Case

from harmonium.families import Boltzmann, CoMPoisson
from harmonium.numerics.bessel import bessel_ratio, inverse_bessel_ratio, log_bessel_zero

Floats = NDArray[np.float64]


def moved(point: Floats, pair: int) -> Floats:
    """The point of a pair of runs: never the one before, whose answer may be remembered."""
    return point * (1.0 + 1e-6 * pair)


# ----------------------------------------------------------------- Conway-Maxwell-Poisson


def plain_sum(natural: Floats, terms: int, at_once: int = 64) -> Floats:
    """Log partitions and means of (x, log x!), (n, 3): numpy's sum over the first counts."""
    x = np.arange(float(terms))
    statistic = np.stack([x, gammaln(x + 1.0)])
    out = np.empty((len(natural), 3))
    for start in range(0, len(natural), at_once):
        logs = natural[start : start + at_once] @ statistic
        top = logs.max(1, keepdims=True)
        masses = np.exp(logs - top)
        total = masses.sum(1, keepdims=True)
        out[start : start + at_once, :1] = top + np.log(total)
        out[start : start + at_once, 1:] = masses @ statistic.T / total
    return out


def com_poisson_cases(n: int) -> Iterator[Case]:
    """Laws of modes in a decade each; terms enough for the widest of them to 1e-12."""
    rng = np.random.default_rng(0)
    family = CoMPoisson()
    for low, high, terms in ((0.5, 5.0, 120), (5.0, 50.0, 500), (50.0, 500.0, 2500)):
        mode = np.exp(rng.uniform(np.log(low), np.log(high), (n, 1)))
        point = family.from_parameters(mode=mode, shape=rng.uniform(0.4, 3.0, (n, 1)))

        def ours(pair: int, point: Floats = point) -> Floats:
            here = moved(point, pair)
            return np.hstack([family.log_partition(here)[:, None], family.to_mean(here)])

        def theirs(pair: int, point: Floats = point, terms: int = terms) -> Floats:
            return plain_sum(moved(point, pair), terms)

        title = f"{n:,} laws of modes {low:g} to {high:g}"
        yield Case(title, f"numpy sum, {terms} terms", ours, theirs)


# ------------------------------------------------------------------------------ Boltzmann


def enumerated(point: Floats, n: int, at_once: int = 4096) -> Floats:
    """Log partition, then means: statistics of all states in blocks, two products each."""
    i, j = np.tril_indices(n, -1)
    log_total, mean = -np.inf, np.zeros(len(point))
    for start in range(0, 1 << n, at_once):
        states = np.arange(start, min(start + at_once, 1 << n))
        units = (states[:, None] >> np.arange(n) & 1).astype(float)
        statistic = np.hstack([units, units[:, i] * units[:, j]])
        logs = statistic @ point
        top = max(log_total, logs.max())
        masses = np.exp(logs - top)
        before, own = np.exp(log_total - top), masses.sum()
        mean = (mean * before + masses @ statistic) / (before + own)
        log_total = top + np.log(before + own)
    return np.concatenate([[log_total], mean])


def chain_messages(point: Floats, n: int) -> Floats:
    """Log partitions and means of a batch of chains: messages of two states, both ways."""
    bias, coupling = point[:, :n], point[:, n:]
    left, right = np.zeros((n, len(point), 2)), np.zeros((n, len(point), 2))
    for i in range(1, n):
        # for each state of the next unit, the sum over this one
        off, on = left[i - 1, :, 0], left[i - 1, :, 1] + bias[:, i - 1]
        left[i] = np.stack([np.logaddexp(off, on), np.logaddexp(off, on + coupling[:, i - 1])], 1)
    for i in range(n - 2, -1, -1):
        off, on = right[i + 1, :, 0], right[i + 1, :, 1] + bias[:, i + 1]
        right[i] = np.stack([np.logaddexp(off, on), np.logaddexp(off, on + coupling[:, i])], 1)
    log_partition = np.logaddexp(left[-1, :, 0], left[-1, :, 1] + bias[:, -1])
    both = left + right
    units = expit(both[..., 1] - both[..., 0] + bias.T).T
    ends = left[:-1, :, 1].T + right[1:, :, 1].T
    pairs = np.exp(ends + bias[:, :-1] + bias[:, 1:] + coupling - log_partition[:, None])
    return np.hstack([log_partition[:, None], units, pairs])


def transfer(point: Floats, edges: list[tuple[int, int]], side: int) -> Floats:
    """Log partition and means of a lattice: transfer matrices between rows, site by site.

    A row's states are an array of 2 x 2 x ...; the matrix between two rows is a product over
    sites, each 2 x 2. A pair of neighbours in a column takes one product in which its own
    factor is held at one and one.
    """
    n = side * side
    coupling = dict(zip(edges, point[n:], strict=True))
    bits = (np.arange(1 << side)[:, None] >> np.arange(side)[::-1] & 1).astype(float)

    def across(vector: Floats, row: int, held: int | None = None) -> Floats:
        out = vector.reshape((2,) * side)
        for site in range(side):
            c = np.exp(coupling[row * side + site, (row + 1) * side + site])
            factor = np.array([[0.0, 0.0], [0.0, c]]) if site == held else [[1.0, 1.0], [1.0, c]]
            out = np.tensordot(out, factor, (0, 0))
        return out.reshape(-1)

    energies = np.empty((side, 1 << side))
    for row in range(side):
        energies[row] = bits @ point[row * side : (row + 1) * side]
        for site in range(side - 1):
            at = row * side + site
            energies[row] += coupling[at, at + 1] * bits[:, site] * bits[:, site + 1]
    below, above = np.ones((side, 1 << side)), np.ones((side, 1 << side))
    # rows before a row, and rows after it, each scaled to a largest number of one
    log_scale = 0.0
    weights = np.exp(energies - energies.max(1, keepdims=True))
    for row in range(1, side):
        below[row] = across(below[row - 1] * weights[row - 1], row - 1)
        log_scale += np.log(below[row].max())
        below[row] /= below[row].max()
    for row in range(side - 2, -1, -1):
        above[row] = across(above[row + 1] * weights[row + 1], row)
        above[row] /= above[row].max()
    total = (below[-1] * weights[-1]).sum()
    units, pairs = np.empty(n), {}
    for row in range(side):
        law = below[row] * weights[row] * above[row]
        law /= law.sum()
        units[row * side : (row + 1) * side] = law @ bits
        joint = bits.T @ (law[:, None] * bits)
        for site in range(side - 1):
            pairs[row * side + site, row * side + site + 1] = joint[site, site + 1]
        if row + 1 < side:
            start, end = below[row] * weights[row], above[row + 1] * weights[row + 1]
            norm = across(start, row) @ end
            for site in range(side):
                at = row * side + site
                pairs[at, at + side] = (across(start, row, site) @ end) / norm
    log_partition = log_scale + np.log(total) + energies.max(1).sum()
    return np.concatenate([[log_partition], units, [pairs[edge] for edge in edges]])


def both(family: Boltzmann, point: Floats, pair: int) -> Floats:
    """Log partition, then means."""
    here = moved(point, pair)
    return np.concatenate([family.log_partition(here)[..., None], family.to_mean(here)], -1)


def boltzmann_cases() -> Iterator[Case]:
    """Dense machines, a chain and a lattice."""
    rng = np.random.default_rng(1)
    for n in (10, 15, 20):
        dense = Boltzmann(n)
        point = rng.normal(scale=0.5, size=dense.dimension)
        yield Case(
            f"dense, {n} units",
            "numpy, all states in blocks",
            lambda pair, f=dense, p=point: both(f, p, pair),
            lambda pair, n=n, p=point: enumerated(moved(p, pair), n),
        )
    n, batch = 200, 64
    chain = Boltzmann(n, tuple((i, i + 1) for i in range(n - 1)))
    for count in (1, batch):
        points = rng.normal(size=(count, chain.dimension))
        yield Case(
            f"chain of {n}, {count} point{'s' * (count > 1)}",
            "numpy messages",
            lambda pair, p=points: both(chain, p, pair),
            lambda pair, p=points: chain_messages(moved(p, pair), n),
        )
    side = 12
    edges = lattice(side)
    grid = Boltzmann(side * side, tuple(edges))
    point = rng.normal(scale=0.5, size=grid.dimension)
    ordered = sorted_as(grid)
    yield Case(
        f"lattice {side} × {side}",
        "numpy transfer matrices",
        lambda pair: both(grid, point, pair),
        lambda pair: transfer(moved(point, pair), ordered, side),
    )


def lattice(side: int) -> list[tuple[int, int]]:
    """Neighbours of a square lattice numbered row by row."""
    right = [(i, i + 1) for i in range(side * side) if (i + 1) % side]
    return right + [(i, i + side) for i in range(side * (side - 1))]


def sorted_as(family: Boltzmann) -> list[tuple[int, int]]:
    """The edges in the order of the statistic, the lesser unit first."""
    assert family.edges is not None
    return [(min(edge), max(edge)) for edge in family.edges]


# ------------------------------------------------------------------------------ von Mises


def inverse_ratio(length: Floats) -> Any:
    """Solve I1(k) / I0(k) = length by scipy's vectorised Newton method."""

    def ratio(k: Floats) -> Any:
        return i1e(k) / i0e(k)

    start = length * (2 - length**2) / (1 - length**2)
    return newton(
        lambda k: ratio(k) - length, start, lambda k: 1 - ratio(k) / k - ratio(k) ** 2, tol=1e-9
    )


def von_mises_cases(n: int) -> Iterator[Case]:
    """Functions of concentrations between 0.01 and 100."""
    k = np.exp(np.random.default_rng(2).uniform(np.log(0.01), np.log(100.0), n))
    yield Case(
        "log I0",
        "scipy, log(i0e(k)) + k",
        lambda pair: log_bessel_zero(moved(k, pair)),
        lambda pair: np.log(i0e(moved(k, pair))) + moved(k, pair),
    )
    yield Case(
        "A = I1 / I0",
        "scipy, i1e(k) / i0e(k)",
        lambda pair: bessel_ratio(moved(k, pair)),
        lambda pair: i1e(moved(k, pair)) / i0e(moved(k, pair)),
    )
    length = np.asarray(i1e(k) / i0e(k)) * (1 - 1e-4)
    yield Case(
        "inverse of A",
        "scipy.optimize.newton",
        lambda pair: inverse_bessel_ratio(moved(length, pair)),
        lambda pair: inverse_ratio(moved(length, pair)),
    )
