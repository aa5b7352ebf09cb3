from __future__ import annotations

import nibabel as nib
import numpy as np

from experiments.screen.organ_phantom import SHAPE, kidney_phantom, write_kidney_phantoms


def test_a_phantom_shows_two_kidneys_of_its_seed():
    image = kidney_phantom(seed=1)
    assert image.shape == SHAPE
    assert image.min() == 0
    left, right = image[: SHAPE[0] // 2], image[SHAPE[0] // 2 :]
    assert min((left > 0).mean(), (right > 0).mean()) > 0.2
    # Medulla, cortex and the pelvis that both surround.
    assert all(((image > low) & (image < high)).sum() > 500 for low, high in ((300, 700), (850, 1200), (1400, 1900)))
    assert np.array_equal(image, kidney_phantom(seed=1))
    assert not np.array_equal(image, kidney_phantom(seed=2))


def test_files_are_of_1_mm(tmp_path):
    paths = write_kidney_phantoms(tmp_path / "new", range(3, 5))
    assert [path.name for path in paths] == ["kidneys_003.nii.gz", "kidneys_004.nii.gz"]
    volume = nib.load(paths[0])
    assert volume.header.get_zooms() == (1, 1, 1)
    assert np.array_equal(np.asarray(volume.dataobj), kidney_phantom(seed=3))
