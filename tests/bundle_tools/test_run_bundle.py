from __future__ import annotations

import json

import pytest

from monai_advdefense.bundle_tools.run_bundle import run_bundle, run_id_of
from monai_advdefense.errors import InputError, OutputError


def fail_by_defect():
    raise RuntimeError("what MONAI says") from ZeroDivisionError("why")


def fail_by_input():
    raise RuntimeError("what MONAI says") from OutputError("a.csv: expected to write here, found a full disk: free it")


@pytest.fixture
def bundle(tmp_path):
    def bundle_that(**entries):
        (tmp_path / "configs").mkdir()
        (tmp_path / "configs" / "inference.json").write_text(json.dumps({"bundle_root": ".", "value": 1, **entries}))
        return tmp_path

    return bundle_that


def _calls(name):
    return [f"$__import__({__name__!r}, fromlist=['x']).{name}()"]


def test_an_error_for_the_user_comes_without_what_monai_wraps_around_it(bundle):
    with pytest.raises(OutputError, match=r"^a.csv: expected to write here") as caught:
        run_bundle(bundle(run=_calls("fail_by_input")), ["inference"], {})
    assert caught.value.__suppress_context__


def test_a_defect_keeps_what_led_to_it(bundle):
    with pytest.raises(RuntimeError) as caught:
        run_bundle(bundle(run=_calls("fail_by_defect")), ["inference"], {})
    causes = []
    error = caught.value
    while error is not None:
        causes.append(type(error))
        error = error.__cause__
    assert causes[-1] is ZeroDivisionError


def test_overrides_replace_entries_that_are_there(bundle, tmp_path):
    folder = bundle(path=str(tmp_path / "old"), run=["$open(@path, 'w').close()"])
    run_bundle(folder, ["inference"], {"path": str(tmp_path / "new"), "value": None})
    assert (tmp_path / "new").exists()
    with pytest.raises(InputError, match="did you mean --value"):
        run_bundle(folder, ["inference"], {"valve": 2})


def test_a_missing_configuration_is_named(bundle):
    with pytest.raises(InputError, match=r"attack\.json: expected a configuration of a bundle"):
        run_bundle(bundle(run=[]), ["inference", "attack"], {})


def test_what_runs_is_found():
    assert run_id_of({"run": [], "evaluating": []}) == "run"
    assert run_id_of({"evaluating": []}) == "evaluating"
    with pytest.raises(InputError, match="expected an entry 'run'"):
        run_id_of({})
