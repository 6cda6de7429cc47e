"""Trees as lists of nodes: metadata may nest 99 deep, models and Python's stack have other limits.

A node is an object with exactly the keys ``class``, a name, and ``fields``, an object. Within the
fields ``{"node": i}`` stands for the node at place i of the list, which comes before the node that
holds it; every node but the last, the root, is held exactly once. Otherwise fields hold None,
booleans, integers, floats, strings, and tuples, which are written as lists.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from harmonium.errors import ModelFileError

#: Writes an object: its class's name and its fields, which may hold further objects.
Writer = Callable[[Any], tuple[str, Mapping[str, Any]]]


def flatten(root: object, write: Writer, is_node: Callable[[object], bool]) -> list[dict[str, Any]]:
    """Return the nodes of a tree of objects, children before their parents.

    Raises TypeError for fields that are neither nodes nor plain values.
    """
    order: list[tuple[str, dict[str, Any]]] = []
    # what is to be visited, and the reference, in its parent's fields, that waits for its place
    waiting: list[tuple[object, dict[str, int]]] = [(root, {})]
    references: list[dict[str, int]] = []
    while waiting:
        value, reference = waiting.pop()
        name, fields = write(value)
        references.append(reference)
        order.append(
            (name, {k: _plain(v, f"{name}.{k}", is_node, waiting) for k, v in fields.items()})
        )
    last = len(order) - 1
    for place, reference in enumerate(references):
        reference["node"] = last - place
    return [{"class": name, "fields": fields} for name, fields in reversed(order)]


def _plain(
    value: object,
    where: str,
    is_node: Callable[[object], bool],
    waiting: list[tuple[object, dict[str, int]]],
) -> Any:
    if is_node(value):
        reference: dict[str, int] = {}
        waiting.append((value, reference))
        return reference
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, tuple):
        return [_plain(item, where, is_node, waiting) for item in value]
    raise TypeError(f"{where} is of type {type(value).__name__}, which a model file can not hold")


def check_nodes(nodes: object, called: str) -> list[tuple[str, dict[str, Any]]]:
    """Return class names and fields of a list of nodes, whose references have been checked.

    Raises ModelFileError for what is no tree.
    """
    if not isinstance(nodes, list) or not nodes:
        raise ModelFileError(f"contradicts itself: {called} is not a list of nodes")
    held = [False] * len(nodes)
    checked = []
    for place, node in enumerate(nodes):
        if not isinstance(node, dict) or node.keys() != {"class", "fields"}:
            raise ModelFileError(f"contradicts itself: node {place} of {called} is not a node")
        name, fields = node["class"], node["fields"]
        if not isinstance(name, str) or not isinstance(fields, dict):
            raise ModelFileError(f"contradicts itself: node {place} of {called} is not a node")
        for reference in _references(fields, f"node {place} of {called}"):
            if not 0 <= reference < place or held[reference]:
                raise ModelFileError(
                    f"contradicts itself: node {place} of {called} refers to node {reference}, "
                    "which does not come before it or is held twice"
                )
            held[reference] = True
        checked.append((name, fields))
    if not all(held[:-1]):
        raise ModelFileError(
            f"contradicts itself: node {held.index(False)} of {called} is held by none"
        )
    return checked


def _references(value: object, called: str) -> list[int]:
    """All references within the fields of one node; these nest at most 99 deep."""
    if isinstance(value, list):
        return [r for item in value for r in _references(item, called)]
    if not isinstance(value, dict):
        return []
    if value.keys() == {"node"}:
        return [node_of(value, called)]
    return [r for item in value.values() for r in _references(item, called)]


def node_of(value: object, called: str) -> int:
    """Return the place that a reference names; ModelFileError if it is none."""
    if isinstance(value, dict) and value.keys() == {"node"}:
        place = value["node"]
        if isinstance(place, int) and not isinstance(place, bool):
            return place
    raise ModelFileError(f"contradicts itself: {called} holds {str(value)[:80]} for a node")


def value_of(value: Any, built: list[Any], called: str) -> Any:
    """Return the value of a field: references as what was built of them, lists as tuples."""
    if isinstance(value, list):
        return tuple(value_of(item, built, called) for item in value)
    if isinstance(value, dict):
        return built[node_of(value, called)]
    return value
