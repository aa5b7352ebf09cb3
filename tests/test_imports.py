"""Every module can be imported first: no module needs, directly or by way of others, itself."""

from __future__ import annotations

import ast
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import monai_advdefense

ROOT = Path(monai_advdefense.__file__).parent


def _modules(root):
    """Path of each module by its name; a package has that of its __init__.py."""
    found = {}
    for path in root.rglob("*.py"):
        parts = path.relative_to(root.parent).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def _needed(name, path, modules):
    """Modules that run when this one is imported, the packages that it lies in left out: they run already."""
    imported = set()
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Import):
            imported |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            imported |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    parents = {".".join(each.split(".")[:depth]) for each in imported for depth in range(1, each.count(".") + 2)}
    return {each for each in parents if each in modules and not f"{name}.".startswith(f"{each}.")}


def _order(root):
    modules = _modules(root)
    graph = {name: _needed(name, path, modules) for name, path in modules.items()}
    return list(TopologicalSorter(graph).static_order())


@pytest.mark.parametrize(
    ("folder", "module"),
    [
        ("monai_advdefense", "atomic_path"),
        ("experiments", "attacks"),
        ("demo", "page"),
        ("mutants", "mutation"),
    ],
)
def test_no_module_needs_itself(folder, module):
    assert f"{folder}.{module}" in _order(ROOT.parent / folder)


def test_a_way_back_through_a_package_is_found(tmp_path):
    package = tmp_path / "package"
    (package / "data").mkdir(parents=True)
    for name, text in {
        "__init__": "",
        "path": "from package.data.texts import one_line",
        "data/__init__": "from package.data.phantom import draw",
        "data/phantom": "from package.path import atomic",
        "data/texts": "one_line = 0",
    }.items():
        (package / f"{name}.py").write_text(text)
    with pytest.raises(CycleError, match=r"package\.path"):
        _order(package)
