"""Log partitions and their gradients in closed form, in mpmath: fast oracles for many points.

Each takes natural parameters as a list of ``mpf``, in the order the library documents, and returns
psi and its gradient. They share no code with the library; the laws hold them against
:mod:`laws.formulas`, whose gradients are differences.
"""

from collections.abc import Callable, Sequence
from itertools import combinations
from math import ceil, log10
from typing import Any

import mpmath
from mpmath import mpf

Value = tuple[Any, list[Any]]
Exact = Callable[[Sequence[Any]], Value]

#: Fewest digits.
DIGITS = 80


def digits_for(natural: Sequence[float]) -> int:
    """Digits that keep :data:`DIGITS` of a difference between functions of these parameters."""
    sizes = [1.0, *(abs(float(t)) for t in natural if t)]
    return DIGITS + ceil(log10(max(sizes)) - log10(min(sizes)))


def evaluate(exact: Exact, natural: Sequence[float], digits: int | None = None) -> Value:
    """Psi and its gradient at one point."""
    with mpmath.workdps(digits or digits_for(natural)):
        return exact([mpf(float(t)) for t in natural])


def copies(one: Exact, statistics: int = 1) -> Exact:
    """Of independent copies, grouped by statistic: each by itself."""

    def exact(theta: Sequence[Any]) -> Value:
        n = len(theta) // statistics
        values = [one([theta[k * n + i] for k in range(statistics)]) for i in range(n)]
        gradient = [value[1][k] for k in range(statistics) for value in values]
        return mpmath.fsum(value[0] for value in values), gradient

    return exact


def side_by_side(*parts: tuple[Exact, int]) -> Exact:
    """Of a product of families, each an oracle and its dimension."""

    def exact(theta: Sequence[Any]) -> Value:
        total, gradient, at = mpf(0), [], 0
        for part, dimension in parts:
            psi, slopes = part(theta[at : at + dimension])
            total, at = total + psi, at + dimension
            gradient += slopes
        return total, gradient

    return exact


def categorical(theta: Sequence[Any]) -> Value:
    weights = [mpmath.exp(t) for t in theta]
    total = mpmath.fsum(weights)
    return mpmath.log1p(total), [w / (1 + total) for w in weights]


def _trials(trials: int) -> Exact:
    def exact(theta: Sequence[Any]) -> Value:
        odds = mpmath.exp(theta[0])
        return trials * mpmath.log1p(odds), [trials * odds / (1 + odds)]

    return exact


def binomial(trials: int = 1) -> Exact:
    return copies(_trials(trials))


def negative_binomial(failures: float) -> Exact:
    def exact(theta: Sequence[Any]) -> Value:
        fails = -mpmath.expm1(theta[0])
        return -mpf(failures) * mpmath.log(fails) if theta[0] > -1 else -mpf(
            failures
        ) * mpmath.log1p(-mpmath.exp(theta[0])), [mpf(failures) * mpmath.exp(theta[0]) / fails]

    return copies(exact)


def _poisson(theta: Sequence[Any]) -> Value:
    rate = mpmath.exp(theta[0])
    return rate, [rate]


def _exponential(theta: Sequence[Any]) -> Value:
    return -mpmath.log(-theta[0]), [-1 / theta[0]]


def _gamma(theta: Sequence[Any]) -> Value:
    shape, rate = theta[0], -theta[1]
    log_rate = mpmath.log(rate)
    psi = mpmath.loggamma(shape) - shape * log_rate
    return psi, [mpmath.psi(0, shape) - log_rate, shape / rate]


def _inverse_gaussian(theta: Sequence[Any]) -> Value:
    first, second = -theta[0], -theta[1]
    psi = -2 * mpmath.sqrt(first * second) - mpmath.log(2 * second) / 2
    ratio = mpmath.sqrt(second / first)
    return psi, [ratio, 1 / ratio + 1 / (2 * second)]


def dirichlet(theta: Sequence[Any]) -> Value:
    total = mpmath.fsum(theta)
    psi = mpmath.fsum(mpmath.loggamma(t) for t in theta) - mpmath.loggamma(total)
    expected = mpmath.psi(0, total)
    return psi, [mpmath.psi(0, t) - expected for t in theta]


poisson, exponential, gamma = copies(_poisson), copies(_exponential), copies(_gamma, 2)
inverse_gaussian, beta = copies(_inverse_gaussian, 2), copies(dirichlet, 2)


def von_mises_fisher(theta: Sequence[Any]) -> Value:
    """Relative to the uniform law on the sphere."""
    k = mpmath.sqrt(mpmath.fsum(t**2 for t in theta))
    if k == 0:
        return mpf(0), [mpf(0)] * len(theta)
    order = mpf(len(theta)) / 2 - 1
    bessel = mpmath.besseli(order, k)
    psi = mpmath.log(bessel) - order * mpmath.log(k / 2) + mpmath.loggamma(order + 1)
    factor = mpmath.besseli(order + 1, k) / bessel / k
    return psi, [factor * t for t in theta]


von_mises = copies(von_mises_fisher, 2)


def _symmetric(entries: Sequence[Any], n: int, off_diagonal: Any = 1) -> list[list[Any]]:
    rows = [[mpf(0)] * n for _ in range(n)]
    places = ((i, j) for i in range(n) for j in range(i + 1))
    for (i, j), entry in zip(places, entries, strict=True):
        rows[i][j] = rows[j][i] = entry if i == j else entry * off_diagonal
    return rows


def inverse(matrix: list[list[Any]]) -> tuple[list[list[Any]], Any]:
    """The inverse and the log determinant of a positive definite matrix, by elimination."""
    n, rows, log_det = len(matrix), [list(row) for row in matrix], mpf(0)
    out = [[mpf(int(i == j)) for j in range(n)] for i in range(n)]
    for i in range(n):
        pivot = rows[i][i]
        log_det += mpmath.log(pivot)
        rows[i], out[i] = [v / pivot for v in rows[i]], [v / pivot for v in out[i]]
        for k in range(n):
            if k != i and rows[k][i]:
                share = rows[k][i]
                rows[k] = [v - share * u for v, u in zip(rows[k], rows[i], strict=True)]
                out[k] = [v - share * u for v, u in zip(out[k], out[i], strict=True)]
    return out, log_det


def _times(matrix: list[list[Any]], vector: Sequence[Any]) -> list[Any]:
    return [mpmath.fdot(row, vector) for row in matrix]


def normal(n: int) -> Exact:
    """Full covariance."""

    def exact(theta: Sequence[Any]) -> Value:
        precision = [[-2 * v for v in row] for row in _symmetric(theta[n:], n, mpf(1) / 2)]
        covariance, log_det = inverse(precision)
        mean = _times(covariance, theta[:n])
        psi = mpmath.fdot(mean, theta[:n]) / 2 - log_det / 2
        pairs = ((i, j) for i in range(n) for j in range(i + 1))
        return psi, mean + [covariance[i][j] + mean[i] * mean[j] for i, j in pairs]

    return exact


normal_diagonal = copies(normal(1), 2)


def normal_isotropic(theta: Sequence[Any]) -> Value:
    *location, quadratic = theta
    parts = [normal(1)([m, quadratic]) for m in location]
    gradient = [slopes[0] for _, slopes in parts]
    psi = mpmath.fsum(part[0] for part in parts)
    return psi, [*gradient, mpmath.fsum(slopes[1] for _, slopes in parts)]


def wishart(n: int) -> Exact:
    """Of (lower triangle of -V**-1 / 2, off the diagonal doubled; degrees of freedom / 2)."""

    def exact(theta: Sequence[Any]) -> Value:
        *entries, half = theta
        inverse_scale = [[-2 * v for v in row] for row in _symmetric(entries, n, mpf(1) / 2)]
        scale, log_det = inverse(inverse_scale)
        bulk = n * mpmath.log(2) - log_det
        steps = [half - mpf(i) / 2 for i in range(n)]
        log_gamma = mpmath.fsum(mpmath.loggamma(step) for step in steps)
        psi = half * bulk + log_gamma + mpf(n * (n - 1)) / 4 * mpmath.log(mpmath.pi)
        expected = [2 * half * scale[i][j] for i in range(n) for j in range(i + 1)]
        return psi, [*expected, bulk + mpmath.fsum(mpmath.psi(0, step) for step in steps)]

    return exact


def normal_wishart(n: int) -> Exact:
    """Of (kappa mu, kappa mu muT + V**-1, -kappa / 2, degrees of freedom / 2)."""
    places = [(i, j) for i in range(n) for j in range(i + 1)]

    def exact(theta: Sequence[Any]) -> Value:
        pulled, entries, (minus, half) = theta[:n], theta[n:-2], theta[-2:]
        kappa = -2 * minus
        inverse_scale = [
            t - pulled[i] * pulled[j] / kappa for t, (i, j) in zip(entries, places, strict=True)
        ]
        natural = [
            -t / 2 if i == j else -t for t, (i, j) in zip(inverse_scale, places, strict=True)
        ]
        psi, (*expected, log_det) = wishart(n)([*natural, half])
        centre = [t / kappa for t in pulled]
        first = _times(_symmetric(expected, n), centre)
        second = [-v / 2 if i == j else -v for v, (i, j) in zip(expected, places, strict=True)]
        square = n / kappa + mpmath.fdot(first, centre)
        return psi - mpf(n) / 2 * mpmath.log(kappa), [*first, *second, square, log_det]

    return exact


def boltzmann(n: int, edges: Sequence[tuple[int, int]] | None = None) -> Exact:
    """By the sum over all states; pairs row by row of the lower triangle unless given."""
    pairs = sorted((j, i) for i, j in combinations(range(n), 2)) if edges is None else edges

    def exact(theta: Sequence[Any]) -> Value:
        factors = [mpmath.exp(t) for t in theta]
        couplings = dict(zip(pairs, factors[n:], strict=True))
        weights = [mpf(1)]
        for i in range(n):
            # what the unit adds to each state of those before it
            field = [factors[i]]
            for j in range(i):
                coupling = couplings.get((i, j), 1)
                field += [f * coupling for f in field]
            weights += [w * f for w, f in zip(weights, field, strict=True)]
        rest = mpmath.fsum(weights[1:])
        bits = [1 << i for i in range(n)] + [1 << i | 1 << j for i, j in pairs]
        sums = [
            mpmath.fsum(w for state, w in enumerate(weights) if state & both == both)
            for both in bits
        ]
        return mpmath.log1p(rest), [total / (1 + rest) for total in sums]

    return exact
