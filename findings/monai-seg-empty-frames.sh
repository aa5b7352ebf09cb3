#!/usr/bin/env bash
# MONAI reads a DICOM segmentation of which the empty frames are left out as another volume: structures of other slices coincide.
#
# Versions:  monai 1.6.1, highdicom 0.28.2, pydicom 3.0.2; beside it torch 2.13.0, numpy 2.4.6.
# Behaviour: PydicomReader, which LoadImage takes for such files, stacks the frames of each segment that are in the file and
#            does not look at where each one lies. Two structures of ten slices, one in slices 1 to 3, the other in 6 to 8, come
#            as a volume of three slices, both at the same place, which lies across the gap between them: 288 mm3 each in place of
#            192. No warning tells it. (If the structures have different numbers of slices, an error about shapes is raised.)
# Expected:  each frame at its ImagePositionPatient, as highdicom's get_volume of the same file gives, or an error: frames
#            without marked pixels may be left out, and highdicom leaves them out if one says nothing.
# Hit:       whoever trains on or measures segmentations from an archive, where many are stored so: masks fit neither the image
#            nor its affine. A way round: highdicom's get_volume, or omit_empty_frames=False when writing.
#
# Output:
#   highdicom: 192 mm3 at z [2, 4, 6], 192 mm3 at z [12, 14, 16]
#   MONAI: 288 mm3 at z [6, 9, 12], 288 mm3 at z [6, 9, 12]
#   MONAI, empty frames in the file: 192 mm3 at z [2, 4, 6], 192 mm3 at z [12, 14, 16]
#   as stated
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet torch==2.13.0 numpy==2.4.6
"$folder/venv/bin/pip" install --quiet monai==1.6.1 highdicom==0.28.2 pydicom==3.0.2

cd "$folder"
"$folder/venv/bin/python" - 2>/dev/null <<'PYTHON'
import sys
import warnings

import highdicom
import numpy as np
from monai.transforms import LoadImage
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sr.codedict import codes
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

sys.excepthook = lambda kind, error, _: print(f"{kind.__name__}: {error}")
STUDY, SERIES, FRAME, SLICES, THICK = generate_uid(), generate_uid(), generate_uid(), 10, 2.0


def image_slice(number):
    """A slice of a CT series, 16 x 20 pixels of 1 mm."""
    image = Dataset()
    image.file_meta = FileMetaDataset()
    image.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    image.SOPClassUID, image.SOPInstanceUID = CTImageStorage, generate_uid()
    image.StudyInstanceUID, image.SeriesInstanceUID, image.FrameOfReferenceUID = STUDY, SERIES, FRAME
    for empty in ("PatientName", "PatientBirthDate", "PatientSex", "StudyID", "StudyDate", "StudyTime"):
        setattr(image, empty, "")
    image.PatientID, image.AccessionNumber, image.ReferringPhysicianName, image.Manufacturer = "1", "", "", ""
    image.PositionReferenceIndicator, image.Modality, image.SeriesNumber, image.InstanceNumber = "", "CT", 1, number + 1
    image.Rows, image.Columns, image.PixelSpacing, image.SliceThickness = 16, 20, [1, 1], THICK
    image.ImageOrientationPatient, image.ImagePositionPatient = [1, 0, 0, 0, 1, 0], [0, 0, THICK * number]
    image.SamplesPerPixel, image.PhotometricInterpretation, image.PixelRepresentation = 1, "MONOCHROME2", 0
    image.BitsAllocated, image.BitsStored, image.HighBit = 16, 16, 15
    image.PixelData = bytes(2 * 16 * 20)
    return image


def written(name, labels, **options):
    """A segmentation as highdicom writes it."""
    algorithm = highdicom.AlgorithmIdentificationSequence("drawn", codes.DCM.ArtificialIntelligence, "1")
    described = [
        highdicom.seg.SegmentDescription(
            number, f"structure {number}", codes.SCT.Tissue, codes.SCT.Liver, "AUTOMATIC", algorithm_identification=algorithm
        )
        for number in range(1, labels.max() + 1)
    ]
    stored = highdicom.seg.Segmentation(
        [image_slice(number) for number in range(SLICES)],
        labels,
        "BINARY",
        described,
        generate_uid(),
        2,
        generate_uid(),
        1,
        "maker",
        "model",
        "1",
        "1",
        **options,
    )
    stored.save_as(name)
    return name


def by_highdicom(name, structure):
    volume = highdicom.seg.segread(name).get_volume(segment_numbers=[structure])
    mask = volume.array[..., 0] > 0
    heights = [round(volume.affine[2] @ [number, 0, 0, 1]) for number in np.flatnonzero(mask.any((1, 2)))]
    return round(mask.sum() * abs(np.linalg.det(volume.affine[:3, :3]))), sorted(heights)


def by_monai(name, structure):
    volume = LoadImage(image_only=True)(name)
    mask = np.asarray(volume)[..., structure - 1] > 0
    affine = np.asarray(volume.affine)
    heights = [round(affine[2] @ [0, 0, number, 1]) for number in np.flatnonzero(mask.any((0, 1)))]
    return round(mask.sum() * abs(np.linalg.det(affine[:3, :3]))), sorted(heights)


def both(read, name):
    return [read(name, structure) for structure in (1, 2)]


labels = np.zeros((SLICES, 16, 20), np.uint8)
labels[1:4, 4:8, 5:13], labels[6:9, 4:8, 5:13] = 1, 2
short, whole = written("short.dcm", labels), written("whole.dcm", labels, omit_empty_frames=False)
with warnings.catch_warnings(record=True) as warned:
    warnings.simplefilter("always")
    seen = {
        "highdicom": both(by_highdicom, short),
        "MONAI": both(by_monai, short),
        "MONAI, empty frames in the file": both(by_monai, whole),
    }
for reader, found in seen.items():
    print(f"{reader}: " + ", ".join(f"{volume} mm3 at z {heights}" for volume, heights in found))
right = [(192, [2, 4, 6]), (192, [12, 14, 16])]
assert list(seen.values()) == [right, [(288, [6, 9, 12])] * 2, right], "changed"
told = [str(warning.message) for warning in warned if "frame" in str(warning.message)]
assert not told, f"changed: a warning tells it: {told}"
print("as stated")
PYTHON
