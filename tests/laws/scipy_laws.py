"""scipy's laws from people's parameters: one for each column, or one for all together."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from scipy import special, stats


def normals(p: Any) -> list[Any]:
    return [stats.norm(m, v**0.5) for m, v in zip(p.mean, np.diag(p.covariance), strict=True)]


def normal(p: Any) -> Any:
    return stats.multivariate_normal(p.mean, p.covariance)


def von_mises(p: Any) -> list[Any]:
    return [stats.vonmises(k, m) for m, k in zip(p.mean, p.concentration, strict=True)]


def poisson(p: Any) -> list[Any]:
    return [stats.poisson(r) for r in p.rate]


def categorical(p: Any) -> list[Any]:
    return [stats.rv_discrete(values=(np.arange(len(p.probabilities)), p.probabilities))]


def dirichlet_weights(p: Any) -> list[Any]:
    total = p.concentration.sum()
    return [stats.beta(a, total - a) for a in p.concentration]


class _Dirichlet:
    """scipy takes weights as columns."""

    def __init__(self, concentration: Any) -> None:
        self._law = stats.dirichlet(concentration)

    def logpdf(self, x: Any) -> Any:
        return self._law.logpdf(x.T)


def dirichlet(p: Any) -> Any:
    return _Dirichlet(p.concentration)


def wishart_of_one(p: Any) -> list[Any]:
    return [stats.gamma(0.5 * p.degrees_of_freedom, scale=2 * p.scale[0, 0])]


def side_by_side(*parts: Callable[[Any], Sequence[Any]]) -> Callable[[Any], list[Any]]:
    """For products: each part's laws of its columns."""

    def laws(p: Any) -> list[Any]:
        pairs = zip(parts, p.parts, strict=True)
        return [law for of, own in pairs for law in of(own)]

    return laws


def bernoulli(p: Any) -> list[Any]:
    return [stats.bernoulli(q) for q in p.probability]


def binomial(trials: int) -> Callable[[Any], list[Any]]:
    return lambda p: [stats.binom(trials, q) for q in p.probability]


def negative_binomial(failures: float) -> Callable[[Any], list[Any]]:
    """Of the probability of a success: scipy's is that of a failure."""
    return lambda p: [stats.nbinom(failures, 1 - q) for q in p.probability]


def com_poisson(p: Any) -> list[Any]:
    """By the plain sum: scipy has no such law."""
    x = np.arange(1000.0)
    laws = []
    for mode, shape in zip(p.mode, p.shape, strict=True):
        mass = np.exp(shape * (x * np.log(mode) - special.gammaln(x + 1) - mode))
        laws.append(stats.rv_discrete(values=(x, mass / mass.sum())))
    return laws


def exponential(p: Any) -> list[Any]:
    return [stats.expon(scale=1 / r) for r in p.rate]


def gamma(p: Any) -> list[Any]:
    return [stats.gamma(a, scale=1 / r) for a, r in zip(p.shape, p.rate, strict=True)]


def beta(p: Any) -> list[Any]:
    return [stats.beta(a, b) for a, b in zip(p.a, p.b, strict=True)]


def inverse_gaussian(p: Any) -> list[Any]:
    return [stats.invgauss(m / s, scale=s) for m, s in zip(p.mean, p.shape, strict=True)]
