from __future__ import annotations

import json

import pytest

from monai_advdefense.errors import OutputError
from monai_advdefense.robustness.cells import Cells


def test_a_measurement_is_made_once_and_read_again_by_other_calls(tmp_path):
    made = []

    def measure():
        made.append(1)
        return {"dice": [0.5]}

    for _ in range(2):
        cells = Cells(tmp_path, of={"network": "a", "settings": {"steps": 3}})
        assert cells.make({"case": "x", "condition": [1, 2]}, measure) == {"dice": [0.5]}
    assert len(made) == 1
    assert cells.get({"condition": [1, 2], "case": "x"}) == {"dice": [0.5]}  # whatever the order of the keys


def test_another_network_setting_or_case_is_another_measurement(tmp_path):
    first = Cells(tmp_path, of={"network": "a"})
    first.make({"case": 1}, lambda: {"found": 1})
    assert first.get({"case": 2}) is None
    assert Cells(tmp_path, of={"network": "b"}).get({"case": 1}) is None
    assert Cells(tmp_path, of={"network": "a", "more": None}).get({"case": 1}) is None


@pytest.mark.parametrize("text", ["", '{"found": ', "[1, 2]", "\x00\xff"])
def test_what_is_not_whole_is_made_anew(tmp_path, text):
    cells = Cells(tmp_path, of={})
    cells.path({"case": 1}).write_text(text, encoding="latin-1")
    assert cells.get({"case": 1}) is None
    assert cells.make({"case": 1}, lambda: {"found": 2}) == {"found": 2}
    assert json.loads(cells.path({"case": 1}).read_text(encoding="utf-8")) == {"found": 2}
    assert [path.name for path in tmp_path.iterdir()] == [cells.path({"case": 1}).name]


def test_an_error_leaves_nothing_behind(tmp_path):
    def measure():
        raise ValueError("broken")

    cells = Cells(tmp_path / "cells", of={})
    with pytest.raises(ValueError, match="broken"):
        cells.make({"case": 1}, measure)
    assert not list(tmp_path.rglob("*.json"))


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="file"):
        Cells(tmp_path / "file" / "cells", of={}).make({"case": 1}, lambda: {})
