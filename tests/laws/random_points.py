"""Random points of any family or model: well inside the domain, components apart, noise moderate.

A new leaf family is drawn by its chart in ``family_cases.py``; a new conjugation rule registers
how its likelihood and prior are drawn.
"""

from functools import singledispatch
from typing import Any

import numpy as np

from harmonium import Harmonium
from harmonium.families import (
    Beta,
    CoMPoisson,
    Dirichlet,
    ExponentialFamily,
    Gamma,
    Normal,
    NormalWishart,
    Product,
)
from harmonium.rules import LinearRule, MixtureRule, ViewsRule
from harmonium.rules.base import ConjugationRule
from harmonium.validation import FloatArray
from laws.family_cases import CASES


@singledispatch
def random_point(family: ExponentialFamily, rng: np.random.Generator) -> FloatArray:
    """Return natural parameters (dimension,) of one law."""
    own = (case.chart for case in CASES if case.family == family)
    kin = (case.chart for case in CASES if type(case.family) is type(family))
    chart = next(own, None) or next(kin)
    return np.asarray(chart(family, rng.uniform(-1.5, 1.5, family.dimension)))


@random_point.register
def _(family: Normal, rng: np.random.Generator) -> FloatArray:
    return family.from_parameters(
        mean=1.5 * rng.normal(size=family.n), covariance=random_covariance(family, rng)
    )


def random_covariance(family: Normal, rng: np.random.Generator) -> Any:
    """Return standard deviations between 0.6 and 1.4, squared, and moderate correlations."""
    deviations = rng.uniform(0.6, 1.4, family.n)
    if family.covariance == "isotropic":
        return deviations[0] ** 2
    if family.covariance == "diagonal":
        return deviations**2
    factor = np.eye(family.n) + np.tril(0.4 * rng.normal(size=(family.n, family.n)), -1)
    factor /= np.linalg.norm(factor, axis=1, keepdims=True)
    return np.outer(deviations, deviations) * (factor @ factor.T)


@random_point.register
def _(family: CoMPoisson, rng: np.random.Generator) -> FloatArray:
    mode, shape = rng.uniform(0.5, 6.0, family.n), rng.uniform(0.6, 2.0, family.n)
    return family.from_parameters(mode=mode, shape=shape)


@random_point.register
def _(family: Gamma, rng: np.random.Generator) -> FloatArray:
    shape, rate = np.exp(rng.uniform(-0.5, 1.5, (2, family.n)))
    return family.from_parameters(shape=shape, rate=rate)


@random_point.register(Beta)
@random_point.register(Dirichlet)
def _(family: ExponentialFamily, rng: np.random.Generator) -> FloatArray:
    # of powers much below one the mass lies where one less a number rounds to one
    return np.exp(rng.uniform(-0.2, 1.5, family.dimension))


@random_point.register
def _(family: NormalWishart, rng: np.random.Generator) -> FloatArray:
    # with next to no freedom precisions are singular to rounding, and their means very far out
    n = family.n
    return family.from_parameters(
        mean=rng.normal(size=n),
        precision_scale=rng.uniform(0.5, 3.0),
        scale=random_covariance(Normal(n), rng),
        degrees_of_freedom=n + rng.uniform(1.0, 6.0),
    )


@random_point.register
def _(family: Product, rng: np.random.Generator) -> FloatArray:
    return np.concatenate([random_point(part, rng) for part in family.parts])


@random_point.register
def _(family: Harmonium, rng: np.random.Generator) -> FloatArray:
    return random_of_rule(family.rule, family, rng)


@singledispatch
def random_of_rule(rule: ConjugationRule, model: Harmonium, rng: np.random.Generator) -> FloatArray:
    """Return natural parameters (dimension,) of a model with this rule."""
    raise NotImplementedError(f"say how to draw a model by {rule!r}")


@random_of_rule.register
def _(rule: MixtureRule, model: Harmonium, rng: np.random.Generator) -> FloatArray:
    n_components = model.latent.dimension + 1
    components = random_components(rule, model.observable, n_components, rng)
    weights = rng.dirichlet(np.full(n_components, 5.0))
    return model.from_parameters(weights=weights, components=components)


def random_components(
    rule: MixtureRule, observable: ExponentialFamily, n: int, rng: np.random.Generator
) -> FloatArray:
    """Return natural parameters (n, dimension), of one shape where the rule shares it."""
    components = np.stack([random_point(observable, rng) for _ in range(n)])
    if rule.shared:
        components[:, observable.shape] = components[0, observable.shape]
    return components


@random_of_rule.register
def _(rule: LinearRule, model: Harmonium, rng: np.random.Generator) -> FloatArray:
    line = random_line(model.observable, model.latent, rng)
    return model.from_parameters(**line, prior=random_point(model.latent, rng))


def random_line(observable: Any, latent: Any, rng: np.random.Generator) -> dict[str, Any]:
    """Return offset, loadings and noise."""
    return {
        "mean": rng.normal(size=observable.n),
        "loadings": 0.8 * rng.normal(size=(observable.n, latent.leading.n_features)),
        "noise": random_covariance(observable, rng),
    }


@random_of_rule.register
def _(rule: ViewsRule, model: Harmonium, rng: np.random.Generator) -> FloatArray:
    observable: Any = model.observable
    views: list[Any] = []
    for own, part in zip(rule.rules, observable.parts, strict=True):
        if isinstance(own, MixtureRule):
            components = random_components(own, part, model.latent.dimension + 1, rng)
            views.append({"components": components})
        else:
            views.append(random_line(part, model.latent, rng))
    return model.from_parameters(prior=random_point(model.latent, rng), views=views)


def rows_of(model: Harmonium, natural: FloatArray, n: int, rng: np.random.Generator) -> FloatArray:
    """Return data (n, n_observed): the observed columns of a sample."""
    return np.ascontiguousarray(model.sample(natural, rng, size=n)[:, : model.n_observed])


def with_missing(
    x: FloatArray, share: float, rng: np.random.Generator, *, whole: bool = False
) -> FloatArray:
    """Return the rows with this share of their values missing; the first row lacks them all.

    ``whole`` rows are missing for families that know no marginals.
    """
    drawn = rng.random((len(x), 1) if whole else x.shape)
    out = np.where(drawn < share, np.nan, x)
    out[0] = np.nan
    return out
