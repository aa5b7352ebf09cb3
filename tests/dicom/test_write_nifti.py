from __future__ import annotations

import nibabel as nib
import numpy as np
import pytest

from monai_advdefense.data.checks import check_volume_file
from monai_advdefense.dicom.find_series import find_series
from monai_advdefense.dicom.read_series import read_series
from monai_advdefense.dicom.write_nifti import write_nifti

from .conftest import PLANES, ras_affine, stored_values


@pytest.mark.parametrize("plane", PLANES)
def test_the_file_has_the_voxels_and_the_affine_and_can_be_used(plane, make_series, tmp_path):
    (series,) = find_series(make_series(plane=plane))
    path = tmp_path / "deep" / "a.nii.gz"
    write_nifti(read_series(series.files, name=series.name), path)
    check_volume_file(path)
    volume = nib.load(path)
    assert np.array_equal(np.asarray(volume.dataobj), stored_values())
    for affine in (volume.affine, volume.get_qform(), volume.get_sform()):
        assert np.abs(affine - ras_affine(plane)).max() < 1e-4
