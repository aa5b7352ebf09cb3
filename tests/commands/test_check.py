from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from monai_advdefense.commands.check import check
from monai_advdefense.commands.main import main
from monai_advdefense.errors import InputError


@pytest.fixture
def folder(tmp_path):
    good = nib.Nifti1Image(np.arange(27, dtype=np.float32).reshape(3, 3, 3), np.eye(4))
    good.header.set_xyzt_units("mm")
    nib.save(good, tmp_path / "good.nii")
    (tmp_path / "cut.nii").write_bytes((tmp_path / "good.nii").read_bytes()[:-8])
    return tmp_path


def test_each_file_has_its_answer(folder):
    found = check(folder)
    assert found[str(folder / "good.nii")] is None
    assert "bytes, as the header says" in found[str(folder / "cut.nii")]


def test_the_command_lists_all_and_fails(folder, capsys):
    assert main(["check", str(folder)]) == 2
    captured = capsys.readouterr()
    assert f"ok: {folder / 'good.nii'}" in captured.out
    assert "1 of 2 inputs can be used" in captured.out
    assert "(1 of 2 inputs failed)" in captured.err.splitlines()[-1]


def test_good_files_alone_are_fine(folder):
    (folder / "cut.nii").unlink()
    assert main(["check", str(folder)]) == 0


def test_no_volume_is_an_error(tmp_path):
    with pytest.raises(InputError, match="expected NIfTI files"):
        check(tmp_path)


def test_a_bundle_is_found_by_its_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert {Path(file).parts[-3] for file in check("brain_mri_detector")} == {"brain_mri_detector"}
    with pytest.raises(InputError, match="found no such file or folder: check the path"):
        check("./brain_mri_detector")


def test_a_file_comes_before_a_bundle_of_its_name(folder, monkeypatch):
    monkeypatch.chdir(folder)
    (folder / "good.nii").rename(folder / "brain_mri_detector")
    assert "another file ending" in str(check("brain_mri_detector"))
