"""Prepared models as nodes and arrays, in the coordinates that lose no digits.

Each class of `harmonium.expectation.Prepared` has a `Codec` in `CODECS`, and a new one joins by one
entry there: most families keep natural parameters, for which `_statistic_codec` serves. The arrays
of the node at place i are called ``point.i.name``.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harmonium.errors import ModelFileError
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
from harmonium.io.model_tree import unknown
from harmonium.io.trees import check_nodes, flatten, node_of, value_of
from harmonium.rules.linear import LinearRule
from harmonium.rules.linear_stack import LinearPrepared
from harmonium.rules.mixture import MixtureRule
from harmonium.rules.mixture_stack import MixturePrepared
from harmonium.rules.pair_stack import PairPrepared
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
    rule: Any = family.rule
    latent: Any = family.latent
    log_weights, components = arrays["log_weights"], parts["components"]
    parameters.check_shape("log_weights", log_weights, (None, latent.n_categories))
    parameters.check_log_weights("log_weights", log_weights)
    _check_count("components", components, log_weights.size)
    return MixturePrepared(
        family.observable, log_weights, components, rule._rows(family.observable)
    )


def _linear(family: Harmonium, arrays: Arrays, parts: Parts) -> LinearPrepared:
    observable: Any = family.observable
    loadings = arrays["loadings"]
    width = family.latent.leading.n_features
    parameters.check_shape("loadings", loadings, (None, observable.n, width))
    parameters.check_magnitude("loadings", loadings)
    for name in ("noise", "prior"):
        _check_count(name, parts[name], len(loadings))
    return LinearPrepared(observable, family.latent, loadings, parts["noise"], parts["prior"])


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
    if isinstance(family, Harmonium) and isinstance(family.rule, MixtureRule):
        return {"components": family.observable}
    return None


def _is_linear(family: Any) -> Families | None:
    if isinstance(family, Harmonium) and isinstance(family.rule, LinearRule):
        return {"noise": family.observable, "prior": family.latent}
    return None


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
        Codec(PairPrepared, (Harmonium,), ("natural",), (), _is_pair, _pair),
        Codec(LinearPrepared, (Harmonium,), ("loadings",), ("noise", "prior"), _is_linear, _linear),
    )
}


def encode_prepared(prepared: Prepared) -> tuple[list[dict[str, Any]], dict[str, NDArray[Any]]]:
    """Return the nodes and the arrays of a prepared model.

    Raises
    ------
    TypeError
        If it has a part that is not of the library's own classes.
    """
    visited: list[tuple[Codec, Any]] = []

    def write(part: Any) -> tuple[str, Mapping[str, Any]]:
        name = type(part).__name__
        codec = CODECS.get(name)
        if codec is None or codec.kind is not type(part):
            raise TypeError(
                f"{type(part).__module__}.{name} can not be saved: a model file holds only "
                "harmonium's own kinds of models"
            )
        visited.append((codec, part))
        return name, {attribute: getattr(part, attribute) for attribute in codec.parts}

    nodes = flatten(prepared, write, lambda value: isinstance(value, Prepared))
    arrays = {
        f"point.{place}.{name}": np.asarray(getattr(part, name))
        for place, (codec, part) in enumerate(reversed(visited))
        for name in codec.arrays
    }
    return nodes, arrays


def _pairs(
    value: object, family: ExponentialFamily | tuple[ExponentialFamily, ...], called: str
) -> list[tuple[int, ExponentialFamily]]:
    """Each node of a part with its family."""
    if not isinstance(family, tuple):
        return [(node_of(value, called), family)]
    if not isinstance(value, list) or len(value) != len(family):
        raise ModelFileError(f"contradicts itself: {called} is not {len(family)} nodes")
    return [(node_of(one, called), own) for one, own in zip(value, family, strict=True)]


def decode_prepared(
    nodes: object, arrays: Mapping[str, NDArray[Any]], model: ExponentialFamily, writer: str
) -> tuple[Prepared, set[str]]:
    """Return the prepared model of nodes and arrays, and the names of the arrays that it took.

    Raises
    ------
    ModelFileError
        For unknown classes, points that do not fit the model, and parameters out of their domain.
    """
    checked = check_nodes(nodes, "its point")
    codecs = []
    for name, _ in checked:
        if name not in CODECS:
            raise ModelFileError(unknown("kind of point", name, writer))
        codecs.append(CODECS[name])
    # from the root down: which family each node is a point of
    families: list[Any] = [None] * len(checked)
    families[-1] = model
    for place in range(len(checked) - 1, -1, -1):
        name, fields = checked[place]
        inner = codecs[place].families(families[place])
        if inner is None:
            raise ModelFileError(
                f"contradicts itself: its model has a {type(families[place]).__name__} where its "
                f"point has a {name}"
            )
        if fields.keys() != inner.keys():
            raise ModelFileError(
                f"contradicts itself: {name}, node {place} of its point, has the parts "
                f"{sorted(fields)!s:.80}, not {sorted(inner)}"
            )
        for part, family in inner.items():
            for reference, each in _pairs(fields[part], family, f"{name}.{part}"):
                families[reference] = each
    built: list[Prepared] = []
    taken: set[str] = set()
    for place, (codec, (name, fields)) in enumerate(zip(codecs, checked, strict=True)):
        own: dict[str, FloatArray] = {}
        for array in codec.arrays:
            key = f"point.{place}.{array}"
            own[array] = parameters.float_array(arrays, key)
            taken.add(key)
        parts = {part: value_of(value, built, name) for part, value in fields.items()}
        try:
            built.append(codec.build(families[place], own, parts))
        except ValueError as error:
            raise ModelFileError(
                f"contradicts itself: {name}, node {place} of its point, is none: "
                f"{str(error)[:300]}"
            ) from None
    if built[-1].count != 1:
        raise ModelFileError(f"contradicts itself: it holds {built[-1].count} points, expected one")
    return built[-1], taken
