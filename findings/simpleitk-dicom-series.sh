#!/usr/bin/env bash
# SimpleITK reads a DICOM series in which a slice is missing, turned or inverted as if nothing were wrong.
#
# Versions:  SimpleITK 2.5.7 (ITK 5.4, GDCM), pydicom 3.0.2, numpy 2.4.6.
# Behaviour: ReadImage of the files that GetGDCMSeriesFileNames lists. If a slice is missing, the others are given a wider
#            distance and fill the place of all: every slice but the outer ones lies where it was not taken; a warning on
#            stderr is all. A slice of another orientation is stacked as if it had that of the first, without a warning.
#            Of MONOCHROME1 the complement of each voxel is given, without a warning: 1000 becomes -1001.
# Expected:  an error, as highdicom's get_volume_from_series gives for a gap and for two orientations; voxels as stored.
# Hit:       whoever lets SimpleITK read series of an archive. A way round: compare positions, orientations and photometric
#            interpretation by pydicom before.
#
# Output:
#   whole: (3, 3, 4) voxels of 2 mm, first voxel 1000
#   gap: (3, 3, 3) voxels of 3 mm, first voxel 1000
#   turned: (3, 3, 4) voxels of 2 mm, first voxel 1000
#   MONOCHROME1: (3, 3, 4) voxels of 2 mm, first voxel -1001
#   as stated: none of them is refused
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet simpleitk==2.5.7 pydicom==3.0.2 numpy==2.4.6

cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage, generate_uid


def header(series, index):
    image = Dataset()
    image.file_meta = FileMetaDataset()
    image.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    image.SOPClassUID, image.SOPInstanceUID, image.Modality = MRImageStorage, generate_uid(), "MR"
    image.StudyInstanceUID, image.SeriesInstanceUID, image.FrameOfReferenceUID = series
    image.InstanceNumber, image.PixelSpacing = index + 1, [1, 1]
    image.ImageOrientationPatient, image.ImagePositionPatient = [1, 0, 0, 0, 1, 0], [0, 0, 2 * index]
    image.Rows, image.Columns, image.SamplesPerPixel, image.PhotometricInterpretation = 3, 3, 1, "MONOCHROME2"
    image.BitsAllocated, image.BitsStored, image.HighBit, image.PixelRepresentation = 16, 16, 15, 1
    image.PixelData = np.full((3, 3), 1000, np.int16).tobytes()
    return image


def read(name, change=lambda image, index: None, skip=None):
    Path(name).mkdir()
    series = generate_uid(), generate_uid(), generate_uid()
    for index in (index for index in range(4) if index != skip):
        image = header(series, index)
        change(image, index)
        image.save_as(f"{name}/{index}.dcm", enforce_file_format=True)
    volume = sitk.ReadImage(sitk.ImageSeriesReader.GetGDCMSeriesFileNames(name))
    seen = volume.GetSize(), round(volume.GetSpacing()[2], 6), volume[0, 0, 0]
    print(f"{name}: {seen[0]} voxels of {seen[1]:g} mm, first voxel {seen[2]}")
    return seen


def turn(image, index):
    if index == 2:
        image.ImageOrientationPatient = [0, 1, 0, 0, 0, -1]


def invert(image, index):
    image.PhotometricInterpretation = "MONOCHROME1"


seen = [read("whole"), read("gap", skip=1), read("turned", turn), read("MONOCHROME1", invert)]
stated = [((3, 3, 4), 2.0, 1000), ((3, 3, 3), 3.0, 1000), ((3, 3, 4), 2.0, 1000), ((3, 3, 4), 2.0, -1001)]
assert seen == stated, f"changed: expected {stated}, found {seen}"
print("as stated: none of them is refused")
PYTHON
