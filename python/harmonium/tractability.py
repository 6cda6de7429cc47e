"""Which computations a model affords exactly, by what means, and why not where not (Table 1)."""

from dataclasses import dataclass

from harmonium.conjugate_prior import ConjugatePrior
from harmonium.errors import NotConjugatedError
from harmonium.families.base import ExponentialFamily
from harmonium.families.boltzmann import Boltzmann
from harmonium.families.product import Product
from harmonium.harmonium import Harmonium
from harmonium.rules.linear import LinearRule
from harmonium.rules.mixture import MixtureRule
from harmonium.rules.population import PopulationRule
from harmonium.rules.views import ViewsRule

#: The methods of learning, and what each computes beside the posterior's means (Table 1).
_METHODS = {
    "EM": "backward mapping",
    "CE-GD": "forward mapping",
    "EM-GD": "forward mapping",
    "CE-MCGD": "sampling",
    "EM-MCGD": "sampling",
}


@dataclass(frozen=True)
class Computation:
    """One computation: whether it is exact, and how it is done or what stands in its way."""

    name: str
    exact: bool
    how: str

    def __str__(self) -> str:
        return f"{self.name:<18} {'exact' if self.exact else 'no':<6} {self.how}"


@dataclass(frozen=True)
class Tractability:
    """What :func:`tractability` found: a table when printed, computations by name as data."""

    model: str
    computations: tuple[Computation, ...]

    def __getitem__(self, name: str) -> Computation:
        for computation in self.computations:
            if computation.name == name:
                return computation
        names = ", ".join(computation.name for computation in self.computations)
        raise KeyError(f"{name!r}: the computations are {names}")

    def exact(self) -> tuple[str, ...]:
        """Return the names of what is exact."""
        return tuple(one.name for one in self.computations if one.exact)

    def __str__(self) -> str:
        return "\n".join([self.model, *map(str, self.computations)])


def tractability(model: object) -> Tractability:
    """Return which computations of a model are exact, and why not where not.

    Density, posterior, sampling, the mappings, missing values, and each of the methods of learning
    (Table 1). "Exact" for a population code means within the residual of Eq. 10, taking prior and
    likelihood as the truth, and is said so.

    Parameters
    ----------
    model : ExponentialFamily, Harmonium or ConjugatePrior
        What to look at; nothing is computed.
    """
    if isinstance(model, ConjugatePrior):
        return Tractability(repr(model), _of_prior(model))
    if not isinstance(model, ExponentialFamily):
        raise TypeError(f"model: a family, a Harmonium or a ConjugatePrior, not {model!r}")
    if not isinstance(model, Harmonium):
        return Tractability(repr(model), _of_family(model))
    computations = _of_harmonium(model) if model.rule.conjugates else _of_pair(model)
    return Tractability(repr(model), (*computations, *_methods(model, computations)))


def obstacle(family: ExponentialFamily) -> str | None:
    """Return what keeps a family's log-partition function out of reach, None where nothing does."""
    if isinstance(family, Boltzmann):
        try:
            family._exact  # noqa: B018 - made once, and refused with a reason
        except ValueError as error:
            return str(error)
        return None
    if isinstance(family, Product):
        return next(filter(None, map(obstacle, family.parts)), None)
    if isinstance(family, Harmonium):
        if not family.rule.conjugates:
            return _too_many_states(family)
        return obstacle(family.observable) or obstacle(family.latent)
    return None


def _too_many_states(model: Harmonium) -> str | None:
    try:
        model.pair.check_enumerable()
    except NotConjugatedError as error:
        return str(error)
    return None


def _all(how: dict[str, str], blocked: dict[str, str | None]) -> tuple[Computation, ...]:
    found = []
    for name, means in how.items():
        reason = blocked.get(name)
        found.append(Computation(name, reason is None, means if reason is None else reason))
    return tuple(found)


def _of_family(family: ExponentialFamily) -> tuple[Computation, ...]:
    reason = obstacle(family)
    how = dict.fromkeys(("density", "sampling", "forward mapping", "backward mapping"), "own")
    return _all(how, dict.fromkeys(how, reason))


def _of_prior(model: ConjugatePrior) -> tuple[Computation, ...]:
    by_column = len(model._constants.parts) > 1
    how = {
        "density": "the log-partition function of prior and posterior (Eq. 14)",
        "posterior": "an addition (Eq. 17)",
        "sampling": "the prior's sampler, then the likelihood's",
        "missing values": "any column" if by_column else "whole rows",
    }
    return _all(how, {})


def _means(model: Harmonium) -> tuple[str, str]:
    """How conjugation, and how the backward mapping, are done."""
    rule = model.rule
    if isinstance(rule, MixtureRule):
        return "Theorem 12", "one fit a component"
    if isinstance(rule, LinearRule):
        return "Theorem 13", "a regression, and the prior's backward mapping"
    if isinstance(rule, ViewsRule):
        return "each view's own (Eq. 30)", "each view by itself, and the prior's backward mapping"
    return "Lemma 4", "the rule's regression, and the prior's backward mapping"


def _is_population(rule: object) -> bool:
    if isinstance(rule, ViewsRule):
        return any(map(_is_population, rule.rules))
    return isinstance(rule, PopulationRule)


def _of_harmonium(model: Harmonium) -> tuple[Computation, ...]:
    conjugation, backward = _means(model)
    within = ""
    if _is_population(model.rule):
        conjugation = "Eq. 21, by regression over the region"
        within = "; within the residual of Eq. 10 (see conjugation_error)"
        backward = "tuning curves from the rates' shifted means"
    latent, observable = obstacle(model.latent), obstacle(model.observable)
    either = latent or observable
    how = {
        "conjugation": conjugation + within,
        "density": "Eq. 14" + within,
        "posterior": "an addition (Eq. 17)" + within,
        "posterior means": f"the forward mapping of {type(model.latent).__name__}",
        "sampling": "the prior's sampler, then the likelihood's",
        "forward mapping": "expectations under prior and likelihood",
        "backward mapping": backward,
        "missing values": "any column" if model.has_marginals else "whole rows",
    }
    blocked = {
        "conjugation": observable,
        "density": either,
        "posterior means": latent,
        "sampling": either,
        "forward mapping": either,
        "backward mapping": either,
        "missing values": either,
    }
    return _all(how, blocked)


def _of_pair(model: Harmonium) -> tuple[Computation, ...]:
    reason = _too_many_states(model)
    latent = obstacle(model.latent)
    never = "no conjugation parameters: the prior is not in the latent's family"
    how = {
        "conjugation": "",
        "density": "a sum over the states of one side",
        "posterior": "an addition (Eq. 6)",
        "posterior means": f"the forward mapping of {type(model.latent).__name__}",
        "sampling": "one side by its states, then the other",
        "forward mapping": "a sum over the states of one side",
        "backward mapping": "Newton's method on such sums",
        "missing values": "sums over the states of one side",
    }
    blocked = dict.fromkeys(("density", "forward mapping", "backward mapping"), reason)
    blocked |= {"conjugation": never, "sampling": reason, "missing values": reason}
    return _all(how, {**blocked, "posterior means": latent})


def _methods(model: Harmonium, found: tuple[Computation, ...]) -> list[Computation]:
    """Table 1: each method needs the posterior's means, and one thing more of the model."""
    by_name = {computation.name: computation for computation in found}
    out = []
    for method, needed in _METHODS.items():
        lacking = [by_name[name] for name in ("posterior means", needed) if not by_name[name].exact]
        how = f"posterior means, {needed}"
        if method == "EM" and _is_population(model.rule):
            how = "the prior; tuning curves are held"
        if lacking:
            how = f"{lacking[0].name}: {lacking[0].how}"
        out.append(Computation(method, not lacking, how))
    return out
