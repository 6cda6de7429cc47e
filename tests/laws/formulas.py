"""Log-partition functions in mpmath: oracles that share no code with the library.

Each takes natural parameters as a list of ``mpf``, in the order the library documents, and returns
psi. The mean is its derivative, by central differences in the same arithmetic.
"""

from collections.abc import Callable, Sequence
from itertools import combinations, product
from typing import Any

import mpmath
from mpmath import mpf

Formula = Callable[[Sequence[Any]], Any]

#: Digits of the oracle: differences of a psi near zero lose most of them.
DIGITS = 100


def evaluate(formula: Formula, natural: Sequence[float]) -> Any:
    """Psi at 100 digits."""
    with mpmath.workdps(DIGITS):
        return formula([mpf(float(t)) for t in natural])


def gradient(formula: Formula, natural: Sequence[float]) -> list[Any]:
    """The gradient of psi, to 40 digits at least."""
    with mpmath.workdps(DIGITS):
        point = [mpf(float(t)) for t in natural]
        out = []
        for i, t in enumerate(point):
            step = mpf(10) ** -30 * (abs(t) if t else 1)
            above, below = ([*point[:i], t + s, *point[i + 1 :]] for s in (step, -step))
            out.append((formula(above) - formula(below)) / (2 * step))
        return out


def copies(one: Formula, statistics: int = 1) -> Formula:
    """Of independent copies, grouped by statistic."""

    def formula(theta: Sequence[Any]) -> Any:
        n = len(theta) // statistics
        return mpmath.fsum(one([theta[k * n + i] for k in range(statistics)]) for i in range(n))

    return formula


def side_by_side(*parts: tuple[Formula, int]) -> Formula:
    """Of a product of families, each a formula and its dimension."""

    def formula(theta: Sequence[Any]) -> Any:
        total, at = mpf(0), 0
        for part, dimension in parts:
            total += part(theta[at : at + dimension])
            at += dimension
        return total

    return formula


def categorical(theta: Sequence[Any]) -> Any:
    return mpmath.log(1 + mpmath.fsum(mpmath.exp(t) for t in theta))


def binomial(trials: int = 1) -> Formula:
    return copies(lambda theta: trials * mpmath.log1p(mpmath.exp(theta[0])))


def negative_binomial(failures: float) -> Formula:
    return copies(lambda theta: -mpf(failures) * mpmath.log1p(-mpmath.exp(theta[0])))


poisson = copies(lambda theta: mpmath.exp(theta[0]))

exponential = copies(lambda theta: -mpmath.log(-theta[0]))

gamma = copies(lambda theta: mpmath.loggamma(theta[0]) - theta[0] * mpmath.log(-theta[1]), 2)

beta = copies(
    lambda theta: (
        mpmath.loggamma(theta[0]) + mpmath.loggamma(theta[1]) - mpmath.loggamma(theta[0] + theta[1])
    ),
    2,
)

inverse_gaussian = copies(
    lambda theta: -2 * mpmath.sqrt(theta[0] * theta[1]) - mpmath.log(-2 * theta[1]) / 2, 2
)


def _com_poisson(theta: Sequence[Any]) -> Any:
    """The sum itself, from both sides of its largest term until nothing is added."""
    rate, power = theta
    mode = int(mpmath.floor(mpmath.exp(-rate / power))) if power else 0
    top = mode * rate + power * mpmath.loggamma(mode + 1)
    total = mpf(0)
    for steps in (range(mode, -1, -1), range(mode + 1, mode + 10**6)):
        for j in steps:
            term = mpmath.exp(j * rate + power * mpmath.loggamma(j + 1) - top)
            total += term
            if term < total * mpf(10) ** (-DIGITS - 3):
                break
    return top + mpmath.log(total)


com_poisson = copies(_com_poisson, 2)


def dirichlet(theta: Sequence[Any]) -> Any:
    return mpmath.fsum(mpmath.loggamma(t) for t in theta) - mpmath.loggamma(mpmath.fsum(theta))


def _log_bessel_i(order: Any, k: Any) -> Any:
    return mpmath.log(mpmath.besseli(order, k))


von_mises = copies(lambda theta: _log_bessel_i(0, mpmath.sqrt(theta[0] ** 2 + theta[1] ** 2)), 2)


def von_mises_fisher(theta: Sequence[Any]) -> Any:
    """Relative to the uniform law on the sphere."""
    k = mpmath.sqrt(mpmath.fsum(t**2 for t in theta))
    order = mpf(len(theta)) / 2 - 1
    if k == 0:
        return mpf(0)
    return _log_bessel_i(order, k) - order * mpmath.log(k / 2) + mpmath.loggamma(order + 1)


def _lower(entries: Sequence[Any], n: int) -> Any:
    """The symmetric matrix whose quadratic form has these coefficients: half off the diagonal."""
    matrix = mpmath.zeros(n)
    places = ((i, j) for i in range(n) for j in range(i + 1))
    for (i, j), entry in zip(places, entries, strict=True):
        matrix[i, j] = matrix[j, i] = entry if i == j else entry / 2
    return matrix


def _order(entries: int) -> int:
    n = 0
    while n * (n + 1) // 2 < entries:
        n += 1
    return n


def normal(n: int) -> Formula:
    """Full covariance."""

    def formula(theta: Sequence[Any]) -> Any:
        precision = -2 * _lower(theta[n:], n)
        location = mpmath.matrix(theta[:n])
        root = mpmath.cholesky(precision)
        white = mpmath.lu_solve(root, location)
        half_log_det = mpmath.fsum(mpmath.log(root[i, i]) for i in range(n))
        return (white.T * white)[0] / 2 - half_log_det

    return formula


def _normal(theta: Sequence[Any]) -> Any:
    return -(theta[0] ** 2) / (4 * theta[1]) - mpmath.log(-2 * theta[1]) / 2


normal_diagonal = copies(_normal, 2)


def normal_isotropic(theta: Sequence[Any]) -> Any:
    *location, quadratic = theta
    return mpmath.fsum(_normal([m, quadratic]) for m in location)


def boltzmann(n: int, edges: Sequence[tuple[int, int]] | None = None) -> Formula:
    """By the sum over all states; pairs row by row of the lower triangle unless given."""
    pairs = sorted((j, i) for i, j in combinations(range(n), 2)) if edges is None else edges

    def formula(theta: Sequence[Any]) -> Any:
        def energy(z: tuple[int, ...]) -> Any:
            single = mpmath.fsum(t for t, unit in zip(theta, z, strict=False) if unit)
            couplings = zip(theta[n:], pairs, strict=True)
            return single + mpmath.fsum(t for t, (i, j) in couplings if z[i] and z[j])

        return mpmath.log(mpmath.fsum(mpmath.exp(energy(z)) for z in product((0, 1), repeat=n)))

    return formula


def normal_wishart(n: int) -> Formula:
    """Of (kappa mu, kappa mu muT + V**-1, -kappa / 2, degrees of freedom / 2)."""

    def formula(theta: Sequence[Any]) -> Any:
        pulled, entries, (minus, half) = theta[:n], theta[n:-2], theta[-2:]
        kappa = -2 * minus
        places = [(i, j) for i in range(n) for j in range(i + 1)]
        doubled = [
            t - pulled[i] * pulled[j] / kappa for t, (i, j) in zip(entries, places, strict=True)
        ]
        natural = [-t / 2 if i == j else -t for t, (i, j) in zip(doubled, places, strict=True)]
        return wishart([*natural, half]) - mpf(n) / 2 * mpmath.log(kappa)

    return formula


def wishart(theta: Sequence[Any]) -> Any:
    """Of (lower triangle of -V**-1 / 2, off the diagonal doubled; degrees of freedom / 2)."""
    *entries, half = theta
    n = _order(len(entries))
    log_det = mpmath.log(mpmath.det(-2 * _lower(entries, n)))
    log_gamma = mpf(n * (n - 1)) / 4 * mpmath.log(mpmath.pi) + mpmath.fsum(
        mpmath.loggamma(half - mpf(i) / 2) for i in range(n)
    )
    return n * half * mpmath.log(2) - half * log_det + log_gamma
