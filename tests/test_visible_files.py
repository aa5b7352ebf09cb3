from __future__ import annotations

import os

import pytest

from monai_advdefense.errors import InputError
from monai_advdefense.visible_files import visible_files


@pytest.fixture
def folder(tmp_path):
    for name in ("b/2", "b/1", "a", "c/d/3", ".hidden", ".git/4", "out/5"):
        (tmp_path / "in" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "in" / name).touch()
    os.symlink(tmp_path / "in" / "c", tmp_path / "in" / "link")
    os.symlink(tmp_path / "in" / "a", tmp_path / "in" / "e")
    return tmp_path / "in"


def _names(folder, **options):
    return [path.relative_to(folder).as_posix() for path in visible_files(folder, **options)]


def test_files_come_in_order_without_hidden_ones_and_behind_no_link_to_a_folder(folder):
    assert _names(folder) == ["a", "e", "b/1", "b/2", "c/d/3", "out/5"]


def test_a_folder_is_left_out_by_whatever_link(folder, tmp_path):
    os.symlink(folder / "out", tmp_path / "results")
    assert "out/5" not in _names(folder, exclude=tmp_path / "results")


def test_a_folder_that_cannot_be_read_is_not_passed_over(folder, refuse_folder):
    refuse_folder("d")
    with pytest.raises(InputError, match="c/d: expected a readable folder, found Permission denied: check its permis"):
        _names(folder)
