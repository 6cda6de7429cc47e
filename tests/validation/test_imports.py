"""The gate stands before all else: it needs numpy, the standard library and the errors only."""

import ast
import sys
from pathlib import Path

import pytest

import harmonium.validation

MODULES = sorted(Path(harmonium.validation.__file__).parent.glob("*.py"))
ALLOWED = {*sys.stdlib_module_names, "numpy"}


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.stem)
def test_imports(module: Path) -> None:
    names: set[str] = set()
    for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0
            names.add(node.module or "")
    foreign = {
        name
        for name in names
        if name.split(".")[0] not in ALLOWED
        and not name.startswith(("harmonium.errors", "harmonium.validation."))
    }
    assert foreign == set()


def test_what_is_promised_is_there() -> None:
    assert len(MODULES) > 10
    for name in harmonium.validation.__all__:
        assert hasattr(harmonium.validation, name)
