from __future__ import annotations

import nibabel as nib
import pytest

from monai_advdefense.commands.attack import attack
from monai_advdefense.commands.calibrate import calibrate
from monai_advdefense.commands.guard import guard
from monai_advdefense.commands.inputs import run_on_inputs
from monai_advdefense.errors import CalibrationError, InputError


@pytest.fixture
def seen(monkeypatch):
    """Overrides that bundles are run with."""
    seen = []
    monkeypatch.setattr("monai_advdefense.bundle_tools.run_bundle.run_bundle", lambda *words: seen.append(words[2]))
    return seen


def test_dicom_series_are_volumes_for_every_verb(make_series, seen, tmp_path):
    study = make_series("study/t1").parent
    attack(study, tmp_path / "a")
    with pytest.raises(InputError, match="expected results in"):
        guard("brain_mri_segmentation", [study], tmp_path / "g")
    with pytest.raises(CalibrationError, match="found 1"):
        calibrate(study, tmp_path / "screen.pt")
    for overrides, out in zip(seen, "ag", strict=True):
        path = tmp_path / out / "dicom" / "t1.nii.gz"
        assert overrides["dataset#data"] == [{"image": str(path)}]
        assert nib.load(path).shape == (7, 6, 5)


def test_a_series_that_cannot_be_read_costs_itself_and_ends_a_calibration(make_series, seen, tmp_path):
    make_series("study/good")
    make_series("study/gap", skip=[2])
    given = []
    with pytest.raises(InputError, match="found 1 of 2 that cannot"):
        run_on_inputs(tmp_path / "study", tmp_path / "out", given.append)
    assert [case["image"] for case in given[0]["dataset#data"]] == [str(tmp_path / "out" / "dicom" / "good.nii.gz")]
    with pytest.raises(InputError, match=r"gap: expected slices every 2 mm.*\(1 of 2 series failed\)"):
        calibrate(tmp_path / "study", tmp_path / "screen.pt")
