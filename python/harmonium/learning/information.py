"""How many parameters a model has free, and the criteria that count them."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import singledispatch
from math import prod

import numpy as np

from harmonium.families.base import ExponentialFamily
from harmonium.families.bernoulli import Bernoulli
from harmonium.families.binomial import Binomial
from harmonium.families.boltzmann import Boltzmann
from harmonium.families.categorical import Categorical
from harmonium.families.normal import Normal
from harmonium.families.product import Product
from harmonium.harmonium import Harmonium
from harmonium.learning.fit import Fit
from harmonium.rules.base import ConjugationRule
from harmonium.rules.linear import LinearRule
from harmonium.rules.mixture import MixtureRule
from harmonium.rules.views import ViewsRule


@dataclass(frozen=True)
class Criteria:
    """A fit in numbers that compare models.

    Attributes
    ----------
    log_likelihood : float
        Of all rows together, in nats.
    n_parameters : int
        How many parameters were free.
    bic, aic : float
        Of Schwarz (1978) and Akaike (1974), ``p log n - 2 L`` and ``2 p - 2 L``: lower is better.
    """

    log_likelihood: float
    n_parameters: int
    bic: float
    aic: float


def information_criteria(fitted: Fit, weight: float) -> Criteria:
    """Return the criteria of a fit on the data it was fitted to.

    ``weight`` is how many rows these had: the sum of the weights where rows were weighted.
    """
    total = -fitted.cross_entropy * weight
    n_parameters = n_free_parameters(fitted.model)
    return Criteria(
        log_likelihood=total,
        n_parameters=n_parameters,
        bic=float(n_parameters * np.log(weight) - 2 * total),
        aic=2 * n_parameters - 2 * total,
    )


def n_free_parameters(model: ExponentialFamily) -> int:
    """Return how many numbers the law of the data has, for almost all points of the model.

    Of a family it is the dimension. A harmonium has the parameters of likelihood and prior less
    those that move the latent but not the law of the data (its gauge): affine maps of a normal
    latent, which leaves factor analysis of d columns by m factors ``2 d + d m - m (m - 1) / 2``.
    It has never more than the family that its data's law lies in: d columns have
    ``d + d (d + 1) / 2`` normal laws, however many factors (Drton, Sturmfels and Sullivant,
    2007, Theorem 2), S states ``S - 1`` laws. What is shared is counted once. Permutations and
    other discrete symmetries do not count. A mixture whose component has two independent groups of
    few states, such as two columns of categories, may have fewer free than it is said to: its
    components trade places continuously, and no formula is known for all of these.

    Raises
    ------
    TypeError
        If ``model`` is no exponential family.
    """
    if not isinstance(model, ExponentialFamily):
        raise TypeError(f"model: an exponential family, not {model!r}")
    return _count(model)


def _count(family: ExponentialFamily) -> int:
    if not isinstance(family, Harmonium):
        return family.dimension
    free = _of_rule(family.rule, family)
    leaf: ExponentialFamily = family
    while isinstance(leaf, Harmonium):
        leaf = leaf.observable
    states = _n_states(leaf)
    return free if states is None else min(free, states - 1)


@singledispatch
def _n_states(family: ExponentialFamily) -> int | None:  # noqa: ARG001 - families may say
    """How many different observations there are; None: more than a model has parameters."""
    return None


@_n_states.register
def _(family: Categorical) -> int | None:
    return family.n_categories


@_n_states.register
def _(family: Boltzmann) -> int | None:
    return int(2**family.n)


@_n_states.register
def _(family: Bernoulli) -> int | None:
    return int(2**family.n)


@_n_states.register
def _(family: Binomial) -> int | None:
    return int((family.trials + 1) ** family.n)


@_n_states.register
def _(family: Product) -> int | None:
    parts = [_n_states(part) for part in family.parts]
    return None if None in parts else prod(part for part in parts if part is not None)


@singledispatch
def _of_rule(rule: ConjugationRule, model: Harmonium) -> int:  # noqa: ARG001 - rules may say
    """Free parameters of a model by this rule; all of them, where no gauge is known."""
    return model.dimension


@_of_rule.register
def _(rule: MixtureRule, model: Harmonium) -> int:
    observable, n_components = model.observable, model.latent.dimension + 1
    if rule.shared == "shape" and len(observable.shape):
        location = len(observable.location)
        return n_components - 1 + n_components * location + len(observable.shape)
    return n_components - 1 + n_components * _count(observable)


@_of_rule.register
def _(rule: LinearRule, model: Harmonium) -> int:  # noqa: ARG001 - it has no parameters
    observable, latent = model.observable, model.latent
    width, columns = latent.leading.n_features, observable.n_features
    free = observable.dimension + columns * width + _count(latent)
    if not isinstance(latent.leading, Normal):
        return free  # binary units can be renamed, not moved
    # the law of loadings z is one of these, and so is that of x
    most = _count(_with_leading(latent, Normal(columns)))
    if width >= columns:
        return most
    # z -> A z + b, undone by loadings and offset
    free -= width * (width + 1)
    assert isinstance(observable, Normal)
    if observable.holds_products:
        # noise along the loadings may as well be the latent's
        free -= width * (width + 1) // 2
    return min(free, most)


@_of_rule.register
def _(rule: ViewsRule, model: Harmonium) -> int:
    if rule.is_mixture:
        tied = len(model._rows) < model.observable.dimension
        return _of_rule(MixtureRule("shape" if tied else None), model)
    latent, parts = model.latent, getattr(model.observable, "parts", ())
    linear = all(isinstance(own, LinearRule) for own in rule.rules)
    if not linear or not isinstance(latent.leading, Normal):
        return model.dimension
    width, columns = latent.leading.n_features, model.n_observed
    free = model.observable.dimension + columns * width + _count(latent) - width * (width + 1)
    if len(parts) == 2 and all(part.holds_products for part in parts):
        # of two views with full noise nothing is known but how they vary together
        free -= width * (width + 1) // 2
    return min(free, _count(_with_leading(latent, Normal(columns))))


def _with_leading(family: ExponentialFamily, leading: Normal) -> ExponentialFamily:
    """The same model of ``leading`` in place of the normal whose statistic comes first."""
    rebuild: list[Callable[[ExponentialFamily], ExponentialFamily]] = []
    while isinstance(family, Harmonium):
        rebuild.append(lambda part, whole=family: replace(whole, observable=part))  # type: ignore[misc]  # a Harmonium
        family = family.observable
    out: ExponentialFamily = leading
    for step in reversed(rebuild):
        out = step(out)
    return out
