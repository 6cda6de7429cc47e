"""Models as nodes: families, rules and harmoniums by the names of their classes and their fields.

What `harmonium.families` and `harmonium.rules` export joins by itself, whatever else a field of
theirs holds by one line in `CLASSES`. What is written are the fields of the frozen dataclass, what
is read goes through its constructor, which checks them.
"""

import dataclasses
import inspect
import math
from collections.abc import Callable, Mapping
from typing import Any

from harmonium import families, rules
from harmonium.errors import ModelFileError
from harmonium.families import ExponentialFamily, Product
from harmonium.harmonium import Harmonium
from harmonium.io.layout import library_version
from harmonium.io.trees import check_nodes, flatten, value_of
from harmonium.rules import AnyPair, ConjugationRule

_EXPORTED = [getattr(package, name) for package in (families, rules) for name in package.__all__]
#: What a model file may hold, by name: nothing else is ever built from one.
CLASSES: dict[str, type[Any]] = {
    kind.__name__: kind
    for kind in (Harmonium, *_EXPORTED)
    if inspect.isclass(kind) and dataclasses.is_dataclass(kind) and not inspect.isabstract(kind)
}

#: Constructors that do not take the fields by their names.
_CONSTRUCTORS: dict[type[Any], Callable[..., Any]] = {Product: lambda parts: Product(*parts)}


def encode_model(model: ExponentialFamily) -> list[dict[str, Any]]:
    """Return the nodes of a model.

    Raises
    ------
    TypeError
        If it has a part that is not of the library's own classes: a file could not bring it back.
    """
    return flatten(model, _write, _is_node)


def _is_node(value: object) -> bool:
    return dataclasses.is_dataclass(value) and not isinstance(value, type)


def _write(part: Any) -> tuple[str, Mapping[str, Any]]:
    kind = type(part)
    if CLASSES.get(kind.__name__) is not kind:
        raise TypeError(
            f"{kind.__module__}.{kind.__qualname__} can not be saved: a model file holds only "
            "harmonium's own families and rules. Save the parameters by themselves"
        )
    fields = (field.name for field in dataclasses.fields(kind) if field.init)
    return kind.__name__, {name: getattr(part, name) for name in fields}


def decode_model(nodes: object, n_numbers: int, writer: str) -> list[Any]:
    """Return what the nodes of a model stand for, in their order; the last is the model.

    ``n_numbers`` is how many numbers the file holds: what claims to have more parameters is
    refused before anything of that size is made. ``writer`` is the version that wrote the file.

    Raises
    ------
    ModelFileError
        For unknown classes and fields, and for what the constructors refuse.
    """
    built: list[Any] = []
    for place, (name, fields) in enumerate(check_nodes(nodes, "its model")):
        kind = CLASSES.get(name)
        if kind is None:
            raise ModelFileError(unknown("class", name, writer))
        known = {field.name: field for field in dataclasses.fields(kind) if field.init}
        if extra := sorted(fields.keys() - known.keys()):
            raise ModelFileError(unknown(f"field of {name}", extra[0], writer))
        for field in known.values():
            optional = (field.default, field.default_factory) != (dataclasses.MISSING,) * 2
            if field.name not in fields and not optional:
                raise ModelFileError(f"contradicts itself: {name} has no {field.name}")
        values = {key: value_of(value, built, f"{name}.{key}") for key, value in fields.items()}
        built.append(_build(kind, values, f"{name}, node {place} of its model,"))
        _check_size(built[-1], n_numbers, name)
    if not isinstance(built[-1], ExponentialFamily):
        raise ModelFileError(f"contradicts itself: its model is a {type(built[-1]).__name__}")
    return built


def unknown(what: str, name: str, writer: str) -> str:
    """Say that a name is not known, and which versions wrote the file and read it."""
    return (
        f"holds the {what} {name[:80]!r}, which harmonium {library_version()} does not know: it "
        f"was written by harmonium {writer[:80]}; upgrade harmonium if that is newer"
    )


def _build(kind: type[Any], values: dict[str, Any], called: str) -> Any:
    if kind is Harmonium and not isinstance(values.get("rule", AnyPair()), ConjugationRule):
        raise ModelFileError(f"contradicts itself: {called} has a rule that is none")
    try:
        return _CONSTRUCTORS.get(kind, kind)(**values)
    except RecursionError:
        raise ModelFileError("holds a model that is nested too deeply to be read") from None
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        # whatever a constructor makes of values that no constructor has let pass
        raise ModelFileError(
            f"contradicts itself: {called} can not be made: {str(error)[:300]}"
        ) from None


def _check_size(part: object, n_numbers: int, name: str) -> None:
    """A family has a number in the file for each of its parameters; others have those of theirs."""
    if isinstance(part, ExponentialFamily) and not isinstance(part, Harmonium | Product):
        claimed = max(part.dimension, part.n_features - 1)
        if not math.isfinite(claimed) or claimed > n_numbers:
            raise ModelFileError(
                f"contradicts itself: it holds {n_numbers:,} numbers, and its {name} alone has "
                f"{claimed:,} parameters"
            )
