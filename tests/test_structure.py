"""Rules about the text of the code: short files and functions, stated shapes, one form of message, nothing twice."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from pathlib import Path
from statistics import median

import pytest

ROOT = Path(__file__).parents[1]
FOLDERS = ("monai_advdefense", "bundle_configs", "experiments", "demo", "benchmarks", "examples", "mutants")
FILES = sorted(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py"))
PACKAGE = [path for path in FILES if path.is_relative_to(ROOT / "monai_advdefense")]

ERRORS = {"AdvDefenseError", "CalibrationError", "InputError", "OutputError"}
# TorchScript compiles no function of the messages.
SCRIPTED = {
    "guard/detector.py",
    "guard/divergence.py",
    "guard/scores/structure_shape.py",
    "guard/spectrum.py",
    "networks/input_size.py",
}
FORM = re.compile(r"[^:]+: expected .+, found .+: .+", re.DOTALL)
SHAPE = re.compile(
    r"\((?:\.\.\.|B|C|D|H|K|M|N|R|S|V|X|n|1|\d+|slices|\*spatial)[^()]*[,)]|\(B or 1|\(\)|scalar"
    r"|arguments as of|See :func:"  # who says it
)
TENSOR = re.compile(r"\b(Tensor|NDArray|NdarrayOrTensor|_Floats)\b")
# What is tested where it is used, and by which test.
ELSEWHERE = {
    "__main__.py": "commands/test_main.py",
    "bundle_tools/write_guarded_bundle.py": "bundles/test_guard.py",
    "cluster/ray_worker.py": "cluster/test_ray_engine.py",
    "commands/attack.py": "commands/test_misuse.py",
    "commands/robustness.py": "robustness/test_bundle.py",
    "commands/screen.py": "dicom/test_screen_series.py",
    "dicom/convert.py": "dicom/test_run_on_series.py",
    "handlers/calibrate_screen.py": "bundles/test_screen.py",
}
MOST_LINES = 22
RUN = 8


def _name(path):
    return path.relative_to(ROOT).as_posix()


def _functions(node, public=True):
    """Functions of a module with whether users call them: no name of theirs or around them begins with _."""
    for child in ast.iter_child_nodes(node):
        seen = public and not getattr(child, "name", "").startswith("_")
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            yield child, seen
            yield from _functions(child, public=False)
        else:
            yield from _functions(child, seen if isinstance(child, ast.ClassDef) else public)


@pytest.fixture(scope="module")
def functions():
    """Each function with its file and whether users call it."""
    return [
        (path, function, public)
        for path in FILES
        for function, public in _functions(ast.parse(path.read_text(encoding="utf-8")))
    ]


def _body_lines(function):
    body = function.body[1:] if ast.get_docstring(function) else function.body
    return body[-1].end_lineno - body[0].lineno + 1 if body else 0


@pytest.mark.parametrize("folder", ["monai_advdefense", "experiments"])
def test_half_of_the_files_have_at_most_a_hundred_lines(folder):
    lines = [len(path.read_text(encoding="utf-8").splitlines()) for path in (ROOT / folder).rglob("*.py")]
    assert median(lines) <= 100


@pytest.mark.parametrize("folder", ["monai_advdefense", "experiments"])
def test_nine_of_ten_functions_are_short(functions, folder):
    lengths = [_body_lines(function) for path, function, _ in functions if path.is_relative_to(ROOT / folder)]
    assert sum(length <= MOST_LINES for length in lengths) >= 0.9 * len(lengths)


def test_public_functions_of_tensors_state_shapes(functions):
    silent = []
    for path, function, public in functions:
        arguments = [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs]
        hints = [argument.annotation for argument in arguments] + [function.returns]
        takes_tensors = any(TENSOR.search(ast.unparse(hint)) for hint in hints if hint is not None)
        if path in PACKAGE and public and takes_tensors and not SHAPE.search(ast.get_docstring(function) or ""):
            silent.append(f"{_name(path)}: {function.name}")
    assert silent == []


def test_no_private_name_is_imported():
    found = [
        f"{_name(path)}: {alias.name} of {node.module}"
        for path in FILES
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
        if re.search(r"(^|\.)_[a-z]", f"{node.module}.{alias.name}") and node.module != "__future__"
    ]
    assert found == []


def _telling_lines(path):
    """Lines of a file by number, without those that say little: punctuation, imports and comments."""
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        text = " ".join(line.split())
        if re.search(r"\w\w", text) and not re.match(r"(from|import|#)\b|\) -> ", text):
            yield number, text


def test_no_run_of_lines_stands_twice():
    places = defaultdict(list)
    for path in FILES:
        lines = list(_telling_lines(path))
        for start in range(len(lines) - RUN + 1):
            text = tuple(line for _, line in lines[start : start + RUN])
            places[text].append(f"{_name(path)}:{lines[start][0]}")
    assert [where for where in places.values() if len(where) > 1] == []


def _literal(call):
    """Text of a message with {} for each part that is computed."""
    text = call.args[0] if call.args else ast.Constant("")
    if isinstance(text, ast.JoinedStr):
        return "".join(part.value if isinstance(part, ast.Constant) else "{}" for part in text.values)
    return text.value if isinstance(text, ast.Constant) else ast.unparse(text)


def test_messages_have_one_form():
    other = {
        _name(path)
        for path in PACKAGE
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ERRORS
        if not FORM.fullmatch(_literal(node))
    }
    assert other == set()


def test_messages_are_made_in_one_place_except_in_torchscript():
    raised = {
        path.relative_to(ROOT / "monai_advdefense").as_posix()
        for path in PACKAGE
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call)
        if isinstance(node.exc.func, ast.Name) and node.exc.func.id in ERRORS
    }
    assert raised == SCRIPTED


def test_each_file_has_a_test_at_the_mirrored_path():
    paths = [path.relative_to(ROOT / "monai_advdefense") for path in PACKAGE if path.name != "__init__.py"]
    mirrored = {path.as_posix(): path.with_name(f"test_{path.name}").as_posix() for path in paths}
    without = {name for name, test in mirrored.items() if not (ROOT / "tests" / test).is_file()}
    assert without == set(ELSEWHERE)
    assert [test for test in ELSEWHERE.values() if not (ROOT / "tests" / test).is_file()] == []
