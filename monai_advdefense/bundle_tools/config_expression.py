"""What an expression or a target of a configuration does that a bundle has no need of; nothing is evaluated."""

from __future__ import annotations

import ast
import builtins
import re
from collections.abc import Iterator, Mapping

__all__ = ["GLOBALS", "expression_problems", "imported_names", "is_target"]

_PACKAGES = ("ignite", "monai", "monai_advdefense", "numpy", "torch")
# Of the standard library, only what computes.
_MODULES = (*_PACKAGES, "datetime", "glob.glob", "itertools", "math", "os.path")
_BUILTINS = {
    *("abs", "all", "any", "bool", "dict", "enumerate", "filter", "float", "int", "isinstance", "len", "list", "map"),
    *("max", "min", "next", "print", "range", "reversed", "round", "set", "slice", "sorted", "str", "sum", "tuple"),
    "zip",
}
# Parts of the packages that load, fetch or run something.
_FORBIDDEN = re.compile(
    r"torch\.(load|save|hub|package|classes|ops|serialization|multiprocessing|utils\.cpp_extension|jit\.load)\b"
    r"|torch\.distributed\.(rpc|run|launch)|numpy\.(load|save|fromfile|memmap|genfromtxt|loadtxt|ctypeslib)"
    r"|monai\.(apps\.(utils|mmars|auto3dseg|nnunet)|bundle\.(load|run|download|create_workflow|scripts|ckpt_export))"
    r"|monai\.utils\.(module\.|misc\.|load_submodules)|ignite\.distributed\.(launcher|spawn)"
)
# The same by the names that MONAI finds without their module.
_FORBIDDEN_NAMES = {
    *("ckpt_export", "create_workflow", "download", "download_and_extract", "download_url", "extractall", "load"),
    *("load_from_mmar", "load_submodules", "run", "run_cmd", "run_workflow", "trt_export"),
}
_WAYS_OUT = {
    *("builtins", "code", "ctypes", "importlib", "inspect", "io", "marshal", "multiprocessing", "os", "pathlib"),
    *("pickle", "pty", "runpy", "shutil", "signal", "socket", "subprocess", "sys", "tempfile", "threading", "urllib"),
}
GLOBALS = {"monai": "monai", "torch": "torch", "np": "numpy", "numpy": "numpy"}
"""Names that MONAI gives to every expression, and what they stand for."""

_REFERENCE = re.compile(r"@(?:\w+(?:(?:::|#)\w+)*)")


def imported_names(text: str) -> dict[str, str]:
    """Names that an expression binds by imports, and what they stand for."""
    try:
        statements = ast.parse(text[1:].strip()).body
    except SyntaxError:
        return {}
    bound: dict[str, str] = {}
    for node in statements:
        if isinstance(node, ast.ImportFrom):
            bound |= {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Import):
            for alias in node.names:
                first = alias.name.partition(".")[0]
                bound[alias.asname or first] = alias.name if alias.asname else first
    return bound


def expression_problems(text: str, names: Mapping[str, str], target: bool) -> Iterator[str]:
    """What is wrong with an expression ``text``, without its ``$``.

    Args:
        text: the expression.
        names: what the names in it stand for, see :data:`GLOBALS` and :func:`imported_names`.
        target: whether it stands for a target.
    """
    try:
        tree = ast.parse(_REFERENCE.sub("reference", text))
    except SyntaxError:
        yield f"the expression {text}, which cannot be read"
        return
    problems = [_node_problem(node, names) for node in ast.walk(tree)]
    if target and not _gives_targets(tree.body[0]):
        problems.append("a computed target")
    yield from (f"{problem} of {text!r}" for problem in problems if problem)


def is_target(text: str) -> bool:
    """Whether a text is a part of an allowed package, by its full name or the one that MONAI finds."""
    if "." in text:
        return _is_allowed(text)
    return text.isidentifier() and text not in _FORBIDDEN_NAMES


def _gives_targets(node: ast.AST) -> bool:
    """Whether an expression is one of some targets that stand in it."""
    match node:
        case ast.Expr(value=value):
            return _gives_targets(value)
        case ast.IfExp(body=body, orelse=other):
            return _gives_targets(body) and _gives_targets(other)
        case ast.Constant(value=str(text)):
            return is_target(text)
    return False


def _node_problem(node: ast.AST, names: Mapping[str, str]) -> str | None:
    match node:
        case ast.Import() | ast.ImportFrom():
            wrong = [name for name in _modules_of(node) if not _is_part_of_allowed(name)]
            return f"the import of {wrong[0]}" if wrong else None
        case ast.Attribute(attr=name) if name.startswith("_"):
            return f"the private name {name}"
        case ast.Name(id=name) if name.startswith("_") and name != "_":
            return f"the private name {name}"
        case ast.Name(id=name) if hasattr(builtins, name) and name not in _BUILTINS | names.keys():
            return f"the function {name}"
        case ast.Attribute():
            dotted = _dotted(node, names)
            return dotted if dotted and not _is_part_of_allowed(dotted) else None
        case ast.Call(func=ast.Name(id=name)):
            return None if name in _BUILTINS or _is_allowed(names.get(name, "")) else f"a call of {name}"
        case ast.Call(func=ast.Attribute() | ast.Lambda()):
            return None
        case ast.Call():
            return "a call of something that is computed"
        case ast.Delete() | ast.Global() | ast.While() | ast.With() | ast.FunctionDef() | ast.ClassDef():
            return "a statement"
    return None


def _modules_of(node: ast.Import | ast.ImportFrom) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    return [f"{node.module}.{alias.name}" for alias in node.names]


def _dotted(node: ast.expr, names: Mapping[str, str]) -> str:
    """The dotted name of an attribute of a module; empty for one of an object."""
    if isinstance(node, ast.Name):
        return names.get(node.id, "")
    before = _dotted(node.value, names) if isinstance(node, ast.Attribute) else ""
    return f"{before}.{node.attr}" if before and isinstance(node, ast.Attribute) else ""


def _is_allowed(dotted: str) -> bool:
    inside = any(dotted == module or dotted.startswith(f"{module}.") for module in _MODULES)
    return inside and not _FORBIDDEN.match(dotted) and not set(_after_package(dotted)) & _WAYS_OUT


def _is_part_of_allowed(dotted: str) -> bool:
    """Whether it is allowed, or on the way to what is, as ``os`` is."""
    return _is_allowed(dotted) or any(module.startswith(f"{dotted}.") for module in _MODULES)


def _after_package(dotted: str) -> list[str]:
    parts = dotted.split(".")
    return parts[2:] if dotted.startswith("os.path") else parts[1:]
