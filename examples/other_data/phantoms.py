"""Phantoms that differ from the bundles' brains: thick axial slices, few voxels, intensities like Hounsfield units.

python examples/other_data/phantoms.py FOLDER
"""

from __future__ import annotations

import sys
from pathlib import Path

import nibabel as nib
import numpy as np

from monai_advdefense.data.phantom import write_phantom_dataset

SHAPE = (60, 56, 28)
SPACING = (2.0, 2.0, 3.0)


def main(folder: Path, subjects: int = 12) -> None:
    """Write the data set; an image has -1000 outside and up to 1000 inside."""
    write_phantom_dataset(folder, subjects, shape=SHAPE, classes=4)
    for path in sorted(folder.glob("*/*.nii.gz")):
        volume = nib.load(path)
        values = np.asarray(volume.dataobj)
        if path.parent.name == "images":
            values = (values - 1000).astype(np.int16)
        affine = volume.affine @ np.diag([*SPACING, 1.0])
        nib.save(nib.Nifti1Image(values, affine), path)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
