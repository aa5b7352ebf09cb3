from __future__ import annotations

import json

import pytest
from monai.data import DataLoader, Dataset

from monai_advdefense.bundle_tools.run_foreign_bundle import run_foreign_bundle
from monai_advdefense.errors import InputError


def fail():
    try:
        error = ZeroDivisionError("why")
        error.add_note("(a.nii)")
        raise error
    except ZeroDivisionError as error:
        raise RuntimeError("applying transform") from error


def fail_in_a_worker():
    list(DataLoader(Dataset([1], lambda _: fail()), num_workers=1))


def _call(name):
    return f"$__import__({__name__!r}, fromlist=['x']).{name}()"


@pytest.fixture
def run(tmp_path):
    """Runs a bundle with some entries under an overlay with others."""

    def run_under(entries, overlay, **overrides):
        for name, config in (("configs/inference.json", entries), ("over.json", overlay)):
            (tmp_path / name).parent.mkdir(exist_ok=True)
            (tmp_path / name).write_text(json.dumps(config))
        files = [[tmp_path / "configs" / "inference.json"], [tmp_path / "over.json"]]
        run_foreign_bundle(tmp_path, *files, overrides, log=tmp_path / "log.txt")

    return run_under


def test_the_overlay_lies_over_the_bundle(run, tmp_path):
    entries = {"dataset": {"transform": "old"}, "folder": str(tmp_path), "run": ["$1"]}
    overlay = {"name": "b", "dataset#transform": "$@folder + '/' + @name", "run": ["$open(@dataset#transform, 'w')"]}
    run(entries, overlay, name="c")
    assert (tmp_path / "c").exists()
    assert not (tmp_path / "log.txt").exists()


@pytest.mark.parametrize("name", ["fail", "fail_in_a_worker"])
def test_an_error_of_the_bundle_is_one_line_and_its_traceback_a_file(run, tmp_path, name):
    with pytest.raises(
        InputError, match=r"a bundle that runs to its end, found ZeroDivisionError: why \(a\.nii\): does it"
    ):
        run({"run": [_call(name)]}, {})
    assert "Traceback" in (tmp_path / "log.txt").read_text()
    run({"run": ["$1"]}, {})
    assert not (tmp_path / "log.txt").exists()


def test_a_bundle_that_has_a_guard_already_is_refused(run, tmp_path):
    with pytest.raises(InputError, match=r"a bundle without a guard, found one that has its own: run it"):
        run({"theirs": {"_target_": "monai_advdefense.bundle_tools.ScreenGuard"}, "run": ["$1"]}, {})
    assert not (tmp_path / "log.txt").exists()


def test_a_bundle_may_call_something_else_guard(run, tmp_path):
    ours = {"guard": str(tmp_path / "ours"), "run": ["$open(@guard, 'w')"]}
    run({"guard": {"_target_": "theirs.Guard"}, "screen": True, "run": ["$1"]}, ours)
    assert (tmp_path / "ours").exists()


@pytest.mark.parametrize("use", ["@guard", "$1 + @guard#strength", "%guard"])
def test_an_entry_that_the_bundle_needs_is_not_replaced(run, tmp_path, use):
    entries = {"guard": {"strength": 1}, "network_def": {"p": use}, "run": ["$1"]}
    with pytest.raises(
        InputError, match=r"inference\.json: expected no entry guard of its own, which over.json defines, found one: "
    ):
        run(entries, {"guard": 2})
    assert not (tmp_path / "log.txt").exists()


@pytest.mark.parametrize(
    ("overlay", "missing"),
    [({"dataset#transform": 1}, "dataset"), ({"run": ["$@evaluator.run(@evaluator#inferer)"]}, "evaluator#inferer")],
)
def test_an_entry_that_is_missing_is_named(run, tmp_path, overlay, missing):
    with pytest.raises(
        InputError, match=rf"inference\.json: expected an entry {missing}, which over.json needs, found n"
    ):
        run({"evaluator": {}, "run": ["$1"]}, overlay)
    assert not (tmp_path / "log.txt").exists()
