#!/usr/bin/env bash
# Highdicom writes a segmentation of slices without a thickness, and cannot read it.
#
# Versions:  highdicom 0.28.2, pydicom 3.0.2; beside it numpy 2.4.6.
# Behaviour: Slice Thickness of CT and MR images may be empty by the standard (type 2; PS3.3, C.7.6.2). Of such slices highdicom
#            makes a segmentation without error or warning, and its Pixel Measures Sequence has no Slice Thickness, which
#            segmentations must have (type 1C; C.7.6.16.2.1). segread of that file raises AttributeError: Sequence does not have
#            the required attributes for a Pixel Measures Sequence. So it is if the labels are given as a highdicom.Volume,
#            whose own get_pixel_measures() has a thickness: that of the source images replaces it.
# Expected:  the distance of the slices as thickness, or an error when the file is written.
# Hit:       whoever answers series of which the thickness was removed or never written: the answers look well until somebody
#            reads them. A way round: set SliceThickness in the PixelMeasuresSequence before the segmentation is saved.
#
# Output:
#   thickness 2: segread gives 4 slices
#   thickness empty: AttributeError: Sequence does not have the required attributes for a Pixel Measures Sequence.
#   thickness empty, labels as volume: AttributeError: Sequence does not have the required attributes for a Pixel Measures Sequence.
#   measures of the volume itself: thickness 2.0
#   as stated
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet numpy==2.4.6 highdicom==0.28.2 pydicom==3.0.2

cd "$folder"
"$folder/venv/bin/python" - 2>/dev/null <<'PYTHON'
import sys

import highdicom
import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sr.codedict import codes
from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage, generate_uid

sys.excepthook = lambda kind, error, _: print(f"{kind.__name__}: {error}")
STUDY, SERIES, FRAME = generate_uid(), generate_uid(), generate_uid()


def image_slice(number, thickness):
    """A slice of an MR series, 8 x 8 pixels of 1 mm, 2 mm from the next."""
    image = Dataset()
    image.file_meta = FileMetaDataset()
    image.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    image.SOPClassUID, image.SOPInstanceUID = MRImageStorage, generate_uid()
    image.StudyInstanceUID, image.SeriesInstanceUID, image.FrameOfReferenceUID = STUDY, SERIES, FRAME
    for empty in ("PatientName", "PatientBirthDate", "PatientSex", "StudyID", "StudyDate", "StudyTime"):
        setattr(image, empty, "")
    image.PatientID, image.AccessionNumber, image.ReferringPhysicianName, image.Manufacturer = "1", "", "", ""
    image.PositionReferenceIndicator, image.Modality, image.SeriesNumber, image.InstanceNumber = "", "MR", 1, number + 1
    image.Rows, image.Columns, image.PixelSpacing, image.SliceThickness = 8, 8, [1, 1], thickness
    image.ImageOrientationPatient, image.ImagePositionPatient = [1, 0, 0, 0, 1, 0], [0, 0, 2 * number]
    image.SamplesPerPixel, image.PhotometricInterpretation, image.PixelRepresentation = 1, "MONOCHROME2", 0
    image.BitsAllocated, image.BitsStored, image.HighBit = 16, 16, 15
    image.PixelData = bytes(2 * 8 * 8)
    return image


def read_again(thickness, labels):
    """What segread makes of the segmentation that highdicom has written."""
    algorithm = highdicom.AlgorithmIdentificationSequence("drawn", codes.DCM.ArtificialIntelligence, "1")
    segment = highdicom.seg.SegmentDescription(
        1, "structure", codes.SCT.Tissue, codes.SCT.Brain, "AUTOMATIC", algorithm_identification=algorithm
    )
    images = [image_slice(number, thickness) for number in range(4)]
    uids = generate_uid(), 2, generate_uid(), 1
    highdicom.seg.Segmentation(images, labels, "BINARY", [segment], *uids, "maker", "model", "1", "1").save_as("seg.dcm")
    try:
        return f"segread gives {highdicom.seg.segread('seg.dcm').get_volume().array.shape[0]} slices"
    except AttributeError as error:
        return f"AttributeError: {error}"


labels = np.ones((4, 8, 8), np.uint8)
volume = highdicom.Volume(
    labels, np.array([[0, 0, 1, 0], [0, 1, 0, 0], [2, 0, 0, 0], [0, 0, 0, 1.0]]), "PATIENT", frame_of_reference_uid=FRAME
)
found = [read_again(2, labels), read_again(None, labels), read_again(None, volume)]
thickness = float(volume.get_pixel_measures()[0].SliceThickness)
for case, what in zip(("2", "empty", "empty, labels as volume"), found):
    print(f"thickness {case}: {what}")
print("measures of the volume itself: thickness", thickness)
failed = "AttributeError: Sequence does not have the required attributes for a Pixel Measures Sequence."
assert found == ["segread gives 4 slices", failed, failed] and thickness == 2, "changed"
print("as stated")
PYTHON
