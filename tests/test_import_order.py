"""The layers of the package: each imports only from those before it, and no module in a circle."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import harmonium

ROOT = Path(harmonium.__file__).parent
LAYERS = [
    "_kernels",
    "errors",
    "validation",
    "numerics",
    "expectation",
    "families",
    "rules",
    "harmonium",
    "models",
    "conjugate_prior",
    "tractability",
    "graphs",
    "learning",
    "sequences",
    "estimators",
    "plotting",
    "io",
    "cli",
]


def name_of(path: Path) -> str:
    parts = ("harmonium", *path.relative_to(ROOT).with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {name_of(path): path for path in sorted(ROOT.rglob("*.py"))}


def imports_of(name: str) -> Iterator[tuple[str, int]]:
    """Names of the package's modules that a module imports, wherever it does, with the line."""
    tree = ast.parse(MODULES[name].read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.split(".")[0] == "harmonium":
                    yield alias.name, node.lineno
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name}: line {node.lineno}: a relative import"
            source = node.module or ""
            if source.split(".")[0] != "harmonium":
                continue
            for alias in node.names:
                inner = f"{source}.{alias.name}"
                yield (
                    (inner if inner in MODULES or inner == "harmonium._kernels" else source),
                    (node.lineno),
                )


def layer_of(name: str) -> float:
    """The place in the order; the package itself stands just above the last that it gathers."""
    parts = name.split(".")
    if len(parts) > 1:
        return LAYERS.index(parts[1])
    return max(layer_of(imported) for imported, _ in imports_of(name)) + 0.5


def test_the_package_is_read() -> None:
    assert len(MODULES) > 40
    assert dict(imports_of("harmonium.models"))["harmonium.rules.linear"] > 0
    assert "harmonium.expectation.passes" in dict(imports_of("harmonium.families.base"))


@pytest.mark.parametrize("name", [name for name in MODULES if name != "harmonium"])
def test_no_import_from_a_later_layer(name: str) -> None:
    assert name.split(".")[1] in LAYERS, "a new layer: say where it stands"
    for imported, line in imports_of(name):
        assert imported in MODULES or imported == "harmonium._kernels", imported
        assert layer_of(imported) <= layer_of(name), f"line {line} imports {imported}"


def test_no_circle() -> None:
    graph = {name: {imported for imported, _ in imports_of(name)} for name in MODULES}
    done: set[str] = set()

    def visit(name: str, path: tuple[str, ...]) -> None:
        assert name not in path, " -> ".join([*path[path.index(name) :], name])
        if name not in done:
            for imported in sorted(graph.get(name, ())):
                visit(imported, (*path, name))
            done.add(name)

    for name in MODULES:
        visit(name, ())
    assert done >= set(MODULES)
