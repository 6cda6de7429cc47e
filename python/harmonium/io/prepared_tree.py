"""Prepared models as nodes and arrays: how each kind is written, `harmonium.io.codecs` says.

The arrays of the node at place i are called ``point.i.name``.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harmonium.errors import ModelFileError
from harmonium.expectation import Prepared
from harmonium.families.base import ExponentialFamily
from harmonium.io import parameters
from harmonium.io.codecs import CODECS, Codec
from harmonium.io.model_tree import unknown
from harmonium.io.trees import check_nodes, flatten, node_of, value_of
from harmonium.validation import FloatArray


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
