from __future__ import annotations

from pathlib import Path

import pytest

from monai_advdefense.dicom.find_series import find_series, holds_dicom
from monai_advdefense.errors import InputError


def _number(value):
    return lambda header, _: setattr(header, "SeriesNumber", value)


def test_series_are_called_by_their_folders(make_series, tmp_path):
    make_series("study/t1")
    make_series("study/deep/t2")
    assert [(s.name, len(s.files)) for s in find_series(tmp_path / "study")] == [("deep/t2", 5), ("t1", 5)]


def test_several_series_in_one_folder_are_told_apart_by_number(make_series, tmp_path):
    make_series("study", change=_number(3))
    make_series("study", change=_number(12), ending="_b.dcm")
    assert [s.name for s in find_series(tmp_path / "study")] == ["study_12", "study_3"]


def test_the_same_number_twice_still_gives_two_names(make_series, tmp_path):
    make_series("study", change=_number(3))
    make_series("study", change=_number(3), ending="_b.dcm")
    assert len({s.name for s in find_series(tmp_path / "study")}) == 2


def test_files_need_no_ending_and_hidden_ones_and_results_are_left_out(make_series, tmp_path):
    make_series("study/t1", ending="")
    make_series("study/.trash")
    make_series("study/results")
    (tmp_path / "study/t1/readme.txt").write_text("a note")
    assert [s.name for s in find_series(tmp_path / "study", exclude=tmp_path / "study/results")] == ["t1"]


def test_a_hidden_file_is_left_out_and_a_damaged_one_counts_as_a_slice_of_its_neighbours(make_series, tmp_path):
    make_series("study/t1")
    first = sorted((tmp_path / "study/t1").iterdir())[0]
    first.with_name(".copy.dcm").write_bytes(first.read_bytes())
    first.with_name("damaged.dcm").write_bytes(first.read_bytes()[:150])
    (found,) = find_series(tmp_path / "study")
    assert [path.name for path in found.files if path.name == "damaged.dcm"] == ["damaged.dcm"]
    assert len(found.files) == 6


def test_a_folder_without_dicom(tmp_path):
    (tmp_path / "a.nii").write_bytes(bytes(400))
    assert not holds_dicom(tmp_path)
    with pytest.raises(InputError, match="expected DICOM files, found none"):
        find_series(tmp_path)


def test_without_the_extra_the_message_says_how_to_install_it(make_series, monkeypatch):
    folder = make_series()
    monkeypatch.setattr("monai_advdefense.dicom.libraries.find_spec", lambda name: None)
    assert holds_dicom(folder)
    with pytest.raises(InputError, match=r"found no pydicom and no highdicom: pip install 'monai_advdefense\[dicom\]'"):
        find_series(folder)


def test_the_libraries_are_imported_where_they_are_used():
    """Without the extra every module can be imported."""
    modules = list(Path(find_series.__globals__["__file__"]).parent.glob("*.py"))
    at_once = [line for path in modules for line in path.read_text(encoding="utf-8").splitlines()]
    assert len(modules) > 5
    assert [line for line in at_once if line.startswith(("import ", "from ")) and "pydicom" in line] == []
    assert [line for line in at_once if line.startswith(("import ", "from ")) and "highdicom" in line] == []
