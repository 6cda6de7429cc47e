"""How each kind of prepared model is written and read, in the coordinates that lose no digits.

Each class of `harmonium.expectation.Prepared` has a `Codec` in `CODECS`, and a new one joins by one
entry there: most families keep natural parameters, for which `_statistic_codec` serves.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from harmonium.expectation import Prepared
from harmonium.families.base import ExponentialFamily
from harmonium.families.boltzmann import Boltzmann, BoltzmannPrepared
from harmonium.families.normal import LARGEST, Normal
from harmonium.families.normal_stack import NormalPrepared
from harmonium.families.product import Product
from harmonium.families.product_stack import ProductPrepared
from harmonium.families.statistic_stack import StatisticPrepared
from harmonium.harmonium import Harmonium
from harmonium.io import parameters
from harmonium.rules.base import ConjugationRule
from harmonium.rules.conjugated_stack import ConjugatedPrepared
from harmonium.rules.linear import LinearRule
from harmonium.rules.linear_stack import LinearPrepared
from harmonium.rules.mixture import MixtureRule
from harmonium.rules.mixture_stack import MixturePrepared
from harmonium.rules.pair_stack import PairPrepared
from harmonium.rules.views import ViewsRule
from harmonium.validation import FloatArray

Arrays = Mapping[str, FloatArray]
Parts = Mapping[str, Any]
Families = Mapping[str, ExponentialFamily | tuple[ExponentialFamily, ...]]


@dataclass(frozen=True)
class Codec:
    """How a prepared model of one class is written and read.

    Attributes
    ----------
    kind
        The class.
    claims
        The families whose points are of no other class; empty for the class that serves the rest.
    arrays, parts
        Names of the attributes to write: arrays, and prepared models within (or tuples of them).
    families
        The families of the parts (or tuples of them) in a model of this family; None where the
        class does not fit.
    build
        From the family, the arrays and the parts; ValueError, saying why, for what is no point.
    """

    kind: type[Prepared]
    claims: tuple[type[ExponentialFamily], ...]
    arrays: tuple[str, ...]
    parts: tuple[str, ...]
    families: Callable[[Any], Families | None]
    build: Callable[[Any, Arrays, Parts], Prepared]


def _normal(family: Normal, arrays: Arrays, parts: Parts) -> NormalPrepared:
    del parts
    means, covariances, scale = arrays["means"], arrays["covariances"], arrays["scale"]
    parameters.check_shape("means", means, (None, family.n))
    last = {"full": (family.n, family.n), "diagonal": (family.n,), "isotropic": (1,)}
    shape = (len(means), *last[family.covariance])
    parameters.check_shape("covariances", covariances, shape)
    parameters.check_shape("scale", scale, (family.n,))
    parameters.check_at_least_zero("scale", scale)
    parameters.check_magnitude("means", means)
    parameters.check_magnitude("covariances", covariances, LARGEST**2)
    if family.covariance == "full":
        parameters.check_covariances("covariances", covariances)
    else:
        parameters.check_above_zero("covariances", covariances)
    return NormalPrepared(family, means, covariances, scale)


def _statistic_codec(kind: type[StatisticPrepared], *claims: type[ExponentialFamily]) -> Codec:
    """A stack of natural parameters: of the families it claims, or of those that none claims."""

    def fits(family: ExponentialFamily) -> Families | None:
        claimed = claims or tuple(one for codec in CODECS.values() for one in codec.claims)
        return {} if isinstance(family, claimed) == bool(claims) else None

    def build(family: ExponentialFamily, arrays: Arrays, parts: Parts) -> Prepared:
        del parts
        parameters.check_shape("natural", arrays["natural"], (None, family.dimension))
        return kind(family, family.check_natural(arrays["natural"], "natural"))

    return Codec(kind, claims, ("natural",), (), fits, build)


def _product(family: Product, arrays: Arrays, parts: Parts) -> ProductPrepared:
    del family, arrays
    for part in parts["parts"]:
        _check_count("parts", part, parts["parts"][0].count)
    return ProductPrepared(parts["parts"])


def _mixture(family: Harmonium, arrays: Arrays, parts: Parts) -> MixturePrepared:
    latent: Any = family.latent
    log_weights, components = arrays["log_weights"], parts["components"]
    parameters.check_shape("log_weights", log_weights, (None, latent.n_categories))
    parameters.check_log_weights("log_weights", log_weights)
    _check_count("components", components, log_weights.size)
    rows = family.rule.interaction_shape(family.observable, latent).rows
    return MixturePrepared(family.observable, log_weights, components, rows)


def _linear(family: Harmonium, arrays: Arrays, parts: Parts) -> LinearPrepared:
    observable: Any = family.observable
    loadings = arrays["loadings"]
    width = family.latent.leading.n_features
    parameters.check_shape("loadings", loadings, (None, observable.n, width))
    parameters.check_magnitude("loadings", loadings)
    for name in ("noise", "prior"):
        _check_count(name, parts[name], len(loadings))
    return LinearPrepared(observable, family.latent, loadings, parts["noise"], parts["prior"])


def _conjugated(family: Harmonium, arrays: Arrays, parts: Parts) -> ConjugatedPrepared:
    rule, observable, latent = family.rule, family.observable, family.latent
    theta, interaction = arrays["theta"], arrays["interaction"]
    shape = rule.interaction_shape(observable, latent)
    parameters.check_shape("theta", theta, (None, observable.dimension))
    width = (len(shape.rows), len(shape.columns))
    parameters.check_shape("interaction", interaction, (len(theta), *width))
    for name, array in (("theta", theta), ("interaction", interaction)):
        parameters.check_magnitude(name, array)
    # entries that no block has are not among the model's parameters
    if (shape.matrix(shape.entries(interaction)) != interaction).any():
        raise ValueError("interaction: must be zero outside its blocks")
    broken = rule.outside(observable, latent, theta, interaction)
    if broken is not None:
        raise ValueError(f"interaction: {broken[1]}")
    _check_count("prior", parts["prior"], len(theta))
    return ConjugatedPrepared(rule, observable, latent, theta, interaction, parts["prior"])


def _pair(family: Harmonium, arrays: Arrays, parts: Parts) -> PairPrepared:
    del parts
    parameters.check_shape("natural", arrays["natural"], (None, family.dimension))
    return PairPrepared(family, family.check_natural(arrays["natural"], "natural"))


def _check_count(name: str, part: Prepared, count: int) -> None:
    if part.count != count:
        raise ValueError(f"{name}: {part.count} of them, expected {count}")


def _is_product(family: Any) -> Families | None:
    return {"parts": family.parts} if isinstance(family, Product) else None


def _is_mixture(family: Any) -> Families | None:
    if isinstance(family, Harmonium) and _of_mixtures(family.rule):
        return {"components": family.observable}
    return None


def _of_mixtures(rule: ConjugationRule) -> bool:
    return isinstance(rule, MixtureRule) or (isinstance(rule, ViewsRule) and rule.is_mixture)


def _is_linear(family: Any) -> Families | None:
    if isinstance(family, Harmonium) and isinstance(family.rule, LinearRule):
        return {"noise": family.observable, "prior": family.latent}
    return None


def _is_conjugated(family: Any) -> Families | None:
    if not isinstance(family, Harmonium) or not family.rule.conjugates:
        return None
    of_its_own = _of_mixtures(family.rule) or isinstance(family.rule, LinearRule)
    return None if of_its_own else {"prior": family.latent}


def _is_pair(family: Any) -> Families | None:
    return {} if isinstance(family, Harmonium) and not family.rule.conjugates else None


CODECS: dict[str, Codec] = {
    codec.kind.__name__: codec
    for codec in (
        _statistic_codec(StatisticPrepared),
        _statistic_codec(BoltzmannPrepared, Boltzmann),
        Codec(
            NormalPrepared,
            (Normal,),
            ("means", "covariances", "scale"),
            (),
            lambda family: {} if isinstance(family, Normal) else None,
            _normal,
        ),
        Codec(ProductPrepared, (Product,), (), ("parts",), _is_product, _product),
        Codec(
            MixturePrepared, (Harmonium,), ("log_weights",), ("components",), _is_mixture, _mixture
        ),
        Codec(
            ConjugatedPrepared,
            (Harmonium,),
            ("theta", "interaction"),
            ("prior",),
            _is_conjugated,
            _conjugated,
        ),
        Codec(PairPrepared, (Harmonium,), ("natural",), (), _is_pair, _pair),
        Codec(LinearPrepared, (Harmonium,), ("loadings",), ("noise", "prior"), _is_linear, _linear),
    )
}
