"""Observable densities written out: finite mixtures, by scipy and by enumeration.

Every model here is a finite mixture of laws of its leaf family: a linear Gaussian likelihood
turns each normal of its prior, or each binary state, into ``N(W mu + b, W Sigma WT + noise)``.
"""

from collections.abc import Callable
from functools import singledispatch
from itertools import product
from math import comb
from typing import Any

import numpy as np
from scipy import stats
from scipy.linalg import block_diag
from scipy.special import gammaln, logsumexp

from harmonium import Harmonium
from harmonium.families import (
    Bernoulli,
    Beta,
    Binomial,
    Boltzmann,
    Categorical,
    CoMPoisson,
    Dirichlet,
    Exponential,
    ExponentialFamily,
    Gamma,
    Geometric,
    InverseGaussian,
    NegativeBinomial,
    Normal,
    NormalWishart,
    Poisson,
    Product,
    VonMises,
    VonMisesFisher,
    Wishart,
)
from harmonium.rules import LinearRule, ViewsRule
from harmonium.validation import FloatArray
from laws import scipy_laws

#: Log density of one row, NaN where missing.
RowDensity = Callable[[FloatArray], float]


class NormalLaw:
    """N(mean, covariance) of a row, or of what is observed of it."""

    def __init__(self, mean: FloatArray, covariance: FloatArray) -> None:
        self.mean, self.covariance = mean, covariance

    def __call__(self, row: FloatArray) -> float:
        seen = ~np.isnan(row)
        if not seen.any():
            return 0.0
        law = stats.multivariate_normal(self.mean[seen], self.covariance[np.ix_(seen, seen)])
        return float(law.logpdf(row[seen]))

    def behind(self, offset: FloatArray, loadings: FloatArray, noise: FloatArray) -> "NormalLaw":
        """The law of ``offset + loadings z + noise`` where z follows this one."""
        spread = loadings @ self.covariance @ loadings.T + noise
        return NormalLaw(offset + loadings @ self.mean, spread)


def components_of(
    family: ExponentialFamily, natural: FloatArray, *, behind: bool = False
) -> list[tuple[float, Any]]:
    """Return log weights and laws of the finite mixture that the observable's marginal is.

    ``behind`` a linear Gaussian likelihood a Boltzmann machine is a mixture of its states.
    """
    if behind and isinstance(family, Boltzmann):
        return list(_states(family, natural))
    if not isinstance(family, Harmonium):
        return list(leaf_laws(family, natural))
    prior = family.prior(natural)
    if isinstance(family.rule, LinearRule):
        parameters: Any = family.to_parameters(natural)
        line = parameters.mean, parameters.loadings, parameters.noise
        laws = components_of(family.latent, prior, behind=True)
        return [(log_weight, law.behind(*line)) for log_weight, law in laws]
    if isinstance(family.rule, ViewsRule) and not isinstance(family.latent, Categorical):
        line = _one_line(family.to_parameters(natural).views)
        laws = components_of(family.latent, prior, behind=True)
        return [(log_weight, law.behind(*line)) for log_weight, law in laws]
    assert isinstance(family.latent, Categorical)
    log_weights = _log_probabilities(prior)
    points = family.likelihood(natural, np.arange(float(len(log_weights)))[:, None])
    return [
        (own + log_weight, law)
        for own, point in zip(log_weights, points, strict=True)
        for log_weight, law in components_of(family.observable, point, behind=behind)
    ]


def _one_line(views: Any) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Offset, loadings and noise of linear views, one below the other."""
    noise = block_diag(*(view.noise for view in views))
    return (
        np.concatenate([view.mean for view in views]),
        np.concatenate([view.loadings for view in views]),
        noise,
    )


def log_density(model: Harmonium, natural: FloatArray, x: FloatArray) -> FloatArray:
    """Return log q(x), (n,), of rows, NaN where missing."""
    parts = components_of(model, natural)
    logs = [[log_weight + law(row) for log_weight, law in parts] for row in x]
    return np.asarray(logsumexp(logs, -1))


def log_shares(model: Harmonium, natural: FloatArray, x: FloatArray) -> FloatArray:
    """Return log posteriors of a mixture's categories, (n, K), NaN where missing in x."""
    assert isinstance(model.latent, Categorical)
    k = model.latent.n_categories
    parts = components_of(model, natural)
    logs = np.array([[log_weight + law(row) for log_weight, law in parts] for row in x])
    joint = logsumexp(logs.reshape(len(x), k, -1), -1)
    return np.asarray(joint - logsumexp(joint, -1, keepdims=True))


def log_state_probabilities(model: Harmonium, natural: FloatArray, x: FloatArray) -> FloatArray:
    """Return log posteriors (n, 2**m) of the states of binary factors, unit m - 1 fastest."""
    logs = [
        [log_weight + law(row) for log_weight, law in components_of(model, natural)] for row in x
    ]
    return np.asarray(logs - logsumexp(logs, -1, keepdims=True))


def _log_probabilities(natural: FloatArray) -> FloatArray:
    """Of all categories, from log odds against category 0."""
    logits = np.concatenate([[0.0], natural])
    return np.asarray(logits - logsumexp(logits))


def _states(family: Boltzmann, natural: FloatArray) -> list[tuple[float, NormalLaw]]:
    """Every state as a law without spread, unit n - 1 running fastest."""
    biases, couplings = family.to_parameters(natural)
    states = np.array(list(product((0.0, 1.0), repeat=family.n)))
    energies = states @ biases + 0.5 * np.einsum("si,ij,sj->s", states, couplings, states)
    logs = energies - logsumexp(energies)
    none = np.zeros((family.n, family.n))
    return [(float(p), NormalLaw(z, none)) for p, z in zip(logs, states, strict=True)]


@singledispatch
def leaf_laws(family: ExponentialFamily, natural: FloatArray) -> list[tuple[float, RowDensity]]:
    """Return the law of a leaf family as a mixture of one."""
    raise NotImplementedError(f"write out the density of {family!r}")


@leaf_laws.register
def _(family: Normal, natural: FloatArray) -> list[tuple[float, RowDensity]]:
    return [(0.0, NormalLaw(*family.to_parameters(natural)))]


def _independent(laws: list[Callable[[float], float]]) -> list[tuple[float, RowDensity]]:
    def density(row: FloatArray) -> float:
        columns = zip(laws, row, strict=True)
        return float(sum(law(value) for law, value in columns if not np.isnan(value)))

    return [(0.0, density)]


@leaf_laws.register
def _(family: Poisson, natural: FloatArray) -> list[tuple[float, RowDensity]]:
    rates = family.to_parameters(natural).rate
    return _independent([stats.poisson(rate).logpmf for rate in rates])


@leaf_laws.register
def _(family: VonMises, natural: FloatArray) -> list[tuple[float, RowDensity]]:
    columns = zip(*family.to_parameters(natural), strict=True)
    return _independent([stats.vonmises(kappa, loc=mean).logpdf for mean, kappa in columns])


@leaf_laws.register
def _(family: Categorical, natural: FloatArray) -> list[tuple[float, RowDensity]]:
    logs = _log_probabilities(natural)
    return _independent([lambda value: float(logs[int(value)])])


def _by_scipy(laws: list[Any]) -> list[tuple[float, RowDensity]]:
    """Independent columns of scipy's laws, with densities or probabilities."""
    return _independent([getattr(law, "logpdf", None) or law.logpmf for law in laws])


@leaf_laws.register(Bernoulli)
@leaf_laws.register(Binomial)
def _(family: Any, natural: FloatArray) -> list[tuple[float, RowDensity]]:
    # scipy's probabilities near one round to it
    n = getattr(family, "trials", 1)

    def of(theta: float) -> Callable[[float], float]:
        psi = n * np.logaddexp(0.0, theta)
        return lambda x: float(np.log(comb(n, int(x))) + x * theta - psi)

    return _independent([of(float(theta)) for theta in natural])


@leaf_laws.register
def _(family: NegativeBinomial, natural: FloatArray) -> list[tuple[float, RowDensity]]:
    laws = scipy_laws.negative_binomial(family.failures)(family.to_parameters(natural))
    return _by_scipy(laws)


@leaf_laws.register
def _(family: Geometric, natural: FloatArray) -> list[tuple[float, RowDensity]]:
    return _by_scipy(scipy_laws.negative_binomial(1)(family.to_parameters(natural)))


@leaf_laws.register
def _(family: CoMPoisson, natural: FloatArray) -> list[tuple[float, RowDensity]]:
    counts = np.arange(3000.0)

    def of(rate: float, power: float) -> Callable[[float], float]:
        psi = logsumexp(counts * rate + power * gammaln(counts + 1))
        return lambda x: float(x * rate + power * gammaln(x + 1) - psi)

    return _independent([of(*pair) for pair in natural.reshape(2, -1).T])


@leaf_laws.register
def _(family: Exponential, natural: FloatArray) -> list[tuple[float, RowDensity]]:
    return _by_scipy(scipy_laws.exponential(family.to_parameters(natural)))


@leaf_laws.register
def _(family: Gamma, natural: FloatArray) -> list[tuple[float, RowDensity]]:
    return _by_scipy(scipy_laws.gamma(family.to_parameters(natural)))


@leaf_laws.register
def _(family: Beta, natural: FloatArray) -> list[tuple[float, RowDensity]]:
    return _by_scipy(scipy_laws.beta(family.to_parameters(natural)))


@leaf_laws.register
def _(family: InverseGaussian, natural: FloatArray) -> list[tuple[float, RowDensity]]:
    return _by_scipy(scipy_laws.inverse_gaussian(family.to_parameters(natural)))


def _whole(law: RowDensity) -> list[tuple[float, RowDensity]]:
    """A law of rows that are observed in all columns or in none."""
    return [(0.0, lambda row: 0.0 if np.isnan(row).any() else float(law(row)))]


@leaf_laws.register
def _(family: Dirichlet, natural: FloatArray) -> list[tuple[float, RowDensity]]:
    constant = gammaln(natural.sum()) - gammaln(natural).sum()
    return _whole(lambda row: float(constant + (natural - 1) @ np.log(row / row.sum())))


@leaf_laws.register
def _(family: VonMisesFisher, natural: FloatArray) -> list[tuple[float, RowDensity]]:
    direction, concentration = family.to_parameters(natural)
    return _whole(
        lambda row: float(stats.vonmises_fisher(direction, float(concentration)).logpdf(row))
    )


def _matrix(entries: FloatArray, n: int) -> FloatArray:
    matrix = np.zeros((n, n))
    matrix[np.tril_indices(n)] = entries
    return np.asarray(np.tril(matrix, -1).T + matrix)


@leaf_laws.register
def _(family: Wishart, natural: FloatArray) -> list[tuple[float, RowDensity]]:
    scale, freedom = family.to_parameters(natural)
    law = stats.wishart(float(freedom), scale)
    return _whole(lambda row: float(law.logpdf(_matrix(row, family.n))))


@leaf_laws.register
def _(family: NormalWishart, natural: FloatArray) -> list[tuple[float, RowDensity]]:
    mean, kappa, scale, freedom = family.to_parameters(natural)
    law = stats.wishart(float(freedom), scale)

    def density(row: FloatArray) -> float:
        precision = _matrix(row[family.n :], family.n)
        gap = row[: family.n] - mean
        log_det = np.linalg.slogdet(kappa * precision / (2 * np.pi))[1]
        return float(0.5 * (log_det - kappa * gap @ precision @ gap) + law.logpdf(precision))

    return _whole(density)


@leaf_laws.register
def _(family: Product, natural: FloatArray) -> list[tuple[float, RowDensity]]:
    pairs = zip(family.parts, family.split(natural), strict=True)
    laws = [leaf_laws(part, own)[0][1] for part, own in pairs]
    ends = np.cumsum([part.n_features for part in family.parts])[:-1]

    def density(row: FloatArray) -> float:
        return sum(law(own) for law, own in zip(laws, np.split(row, ends), strict=True))

    return [(0.0, density)]


@leaf_laws.register
def _(family: Boltzmann, natural: FloatArray) -> list[tuple[float, RowDensity]]:
    states = _states(family, natural)

    def density(row: FloatArray) -> float:
        seen = ~np.isnan(row)
        agree = [p for p, law in states if (law.mean[seen] == row[seen]).all()]
        return float(logsumexp(agree))

    return [(0.0, density)]
