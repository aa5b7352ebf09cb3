from __future__ import annotations

import os
from pathlib import Path

import pytest

from monai_advdefense.errors import InputError
from monai_advdefense.input_paths import check_exists, input_folder, input_paths


def test_one_path_or_several_become_absolute(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert input_paths("a") == [tmp_path / "a"]
    assert input_paths(Path("a")) == [tmp_path / "a"]
    assert input_paths(["a", Path("b")]) == [tmp_path / "a", tmp_path / "b"]


def test_none_an_empty_one_and_one_twice_are_refused(tmp_path):
    with pytest.raises(InputError, match="INPUT: expected a file or a folder, found none: name one"):
        input_paths([])
    for empty in ("", ["a", ""]):
        with pytest.raises(InputError, match="INPUT: expected a file or a folder, found an empty path: name one"):
            input_paths(empty)
    os.symlink(tmp_path, tmp_path / "link")
    for twice in (["a", "./a"], [tmp_path, tmp_path / "link"]):
        with pytest.raises(InputError, match="expected each input once, found it twice"):
            input_paths(twice)


@pytest.mark.parametrize(
    ("paths", "folder"),
    [
        (["/d/a.nii"], "/d/a.nii"),
        (["/d/a.nii", "/d/b.nii"], "/d"),
        (["/d/x", "/d/x/y/b.nii"], "/d"),
        (["/d/x/1", "/d/y/2"], "/d"),
        (["/c", "/d"], "/"),
    ],
)
def test_results_are_called_by_the_path_below_what_all_share(paths, folder):
    assert input_folder([Path(path) for path in paths]) == Path(folder)


def test_a_path_at_which_there_is_nothing_is_named(tmp_path):
    check_exists(tmp_path)
    os.symlink(tmp_path / "gone", tmp_path / "link")
    with pytest.raises(InputError, match=f"^{tmp_path}/link: expected a file or a folder .* found no such file or fol"):
        check_exists(tmp_path / "link")
