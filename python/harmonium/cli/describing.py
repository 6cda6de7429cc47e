"""``harmonium info``: what a model file holds."""

import json
import math
import sys
from argparse import Namespace
from typing import Any

from rich.console import RenderableType
from rich.tree import Tree

from harmonium.cli.errors import printable
from harmonium.cli.models import load
from harmonium.cli.naming import feature_labels
from harmonium.cli.parameters import grids, values
from harmonium.cli.screen import heading, of_grid, pairs, show
from harmonium.io import SavedModel
from harmonium.io.model_tree import encode_model
from harmonium.learning.information import n_free_parameters


def run(options: Namespace) -> int:
    """Describe a model, for people or for programs."""
    saved = load(options.model)
    if options.json:
        json.dump(_plain(saved), sys.stdout, indent=2, allow_nan=False)
        sys.stdout.write("\n")
    else:
        show(_described(saved, options.model))
    return 0


def _plain(saved: SavedModel) -> dict[str, Any]:
    fitted = saved.fit
    return {
        "format_version": saved.format_version,
        "library_version": saved.library_version,
        "checksum": "ok",  # or the file would not have been read
        "model": encode_model(fitted.model),
        "n_columns": fitted.prepared.n_observed,
        "n_free_parameters": n_free_parameters(fitted.model),
        "feature_names": saved.feature_names,
        "fit": {
            "converged": fitted.converged,
            "message": fitted.message,
            "n_iterations": fitted.n_iterations,
            "residual": _finite(fitted.residual),
            "cross_entropy": _finite(fitted.cross_entropy),
            "history": [_finite(value) for value in fitted.history.tolist()],
            "notes": sorted(fitted.notes),
        },
        "parameters": values(fitted.in_units),
        "metadata": saved.metadata,
    }


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _described(saved: SavedModel, path: str) -> list[RenderableType]:
    fitted = saved.fit
    n_columns = fitted.prepared.n_observed
    labels = feature_labels(saved.feature_names, n_columns)
    file = [
        ("file", path),
        ("format", f"version {saved.format_version}, checksum ok"),
        ("written by", f"harmonium {saved.library_version}"),
    ]
    record: list[tuple[str, object]] = [
        ("columns", f"{n_columns}: {', '.join(labels)}" if saved.feature_names else n_columns),
        ("free parameters", n_free_parameters(fitted.model)),
        ("iterations", f"{fitted.n_iterations}, {fitted.message}"),
        ("log-likelihood", f"{-fitted.cross_entropy:.6g} per row"),
        ("residual", f"{fitted.residual:.2g}"),
        *(("note", note) for note in sorted(fitted.notes)),
    ]
    metadata = [
        (" ".join(path), value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))
        for path, value in _entries(saved.metadata)
    ]
    parts: list[RenderableType] = [pairs(file), heading("model"), _tree(saved)]
    parts += [heading("fit"), pairs(record)]
    if metadata:
        parts += [heading("metadata"), pairs(metadata)]
    tables = [part for grid in grids(fitted.in_units, labels) for part in of_grid(grid)]
    return [*parts, *tables]


def _entries(metadata: dict[str, Any]) -> list[tuple[tuple[str, ...], Any]]:
    """What metadata hold, objects at the top opened."""
    out: list[tuple[tuple[str, ...], Any]] = []
    for key, value in metadata.items():
        inner = value.items() if isinstance(value, dict) and value else None
        out += [((key,), value)] if inner is None else [((key, name), v) for name, v in inner]
    return out


def _tree(saved: SavedModel) -> Tree:
    """The model's nodes, from the root down."""
    nodes = encode_model(saved.fit.model)
    root = Tree(_words(nodes[-1]))
    waiting: list[tuple[Tree, dict[str, Any]]] = [(root, nodes[-1])]
    while waiting:
        branch, node = waiting.pop()
        for name, value in node["fields"].items():
            for place in _places(value):
                below = nodes[place]
                waiting.append((branch.add(f"{name}: {_words(below)}"), below))
    return root


def _words(node: dict[str, Any]) -> str:
    fields = ", ".join(
        f"{name}={value!r}" for name, value in node["fields"].items() if not list(_places(value))
    )
    return printable(f"{node['class']}({fields})")


def _places(value: Any) -> list[int]:
    """The nodes that a field refers to."""
    if isinstance(value, dict):
        return [value["node"]]
    return [place for item in value for place in _places(item)] if isinstance(value, list) else []
