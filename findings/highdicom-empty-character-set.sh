#!/usr/bin/env bash
# Highdicom writes no segmentation of a series whose texts are encoded as Japanese ones are by custom.
#
# Versions:  highdicom 0.28.2, pydicom 3.0.2; beside it numpy 2.4.6.
# Behaviour: with several character sets DICOM lets the first one be empty, which stands for the default repertoire (PS3.3,
#            C.12.1.1.2; the example of PS3.5, H.3.1 is "\ISO 2022 IR 87"). Pydicom reads and writes such a name. Highdicom takes
#            the attribute over from the source images, looks each value up in a list without the empty one, and raises
#            ValueError: '' is not a valid SpecificCharacterSetValues. The same images with "ISO 2022 IR 6" spelled out, which
#            means the same, are taken.
# Expected:  the segmentation, with the name of the source images.
# Hit:       whoever answers series of hospitals in Japan: there is no segmentation of any of them. A way round: replace
#            empty values of SpecificCharacterSet by "ISO 2022 IR 6" in the headers that highdicom gets.
#
# Output:
#   pydicom reads the name of its file: True
#   highdicom, first set empty: ValueError: '' is not a valid SpecificCharacterSetValues
#   highdicom, first set ISO 2022 IR 6: the same name: True
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
from pydicom import dcmread
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sr.codedict import codes
from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage, generate_uid

sys.excepthook = lambda kind, error, _: print(f"{kind.__name__}: {error}")
NAME = "Yamada^Tarou=山田^太郎=やまだ^たろう"
STUDY, SERIES, FRAME = generate_uid(), generate_uid(), generate_uid()


def image_slice(number, sets):
    """A slice of an MR series, written and read again."""
    image = Dataset()
    image.file_meta = FileMetaDataset()
    image.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    image.SpecificCharacterSet, image.PatientName = sets, NAME
    image.SOPClassUID, image.SOPInstanceUID = MRImageStorage, generate_uid()
    image.StudyInstanceUID, image.SeriesInstanceUID, image.FrameOfReferenceUID = STUDY, SERIES, FRAME
    for empty in ("PatientBirthDate", "PatientSex", "StudyID", "StudyDate", "StudyTime", "AccessionNumber"):
        setattr(image, empty, "")
    image.PatientID, image.ReferringPhysicianName, image.Manufacturer = "1", "", ""
    image.PositionReferenceIndicator, image.Modality, image.SeriesNumber, image.InstanceNumber = "", "MR", 1, number + 1
    image.Rows, image.Columns, image.PixelSpacing, image.SliceThickness = 8, 8, [1, 1], 1
    image.ImageOrientationPatient, image.ImagePositionPatient = [1, 0, 0, 0, 1, 0], [0, 0, number]
    image.SamplesPerPixel, image.PhotometricInterpretation, image.PixelRepresentation = 1, "MONOCHROME2", 0
    image.BitsAllocated, image.BitsStored, image.HighBit = 16, 16, 15
    image.PixelData = bytes(2 * 8 * 8)
    image.save_as("slice.dcm", enforce_file_format=True)
    return dcmread("slice.dcm")


def segmentation(images):
    algorithm = highdicom.AlgorithmIdentificationSequence("drawn", codes.DCM.ArtificialIntelligence, "1")
    segment = highdicom.seg.SegmentDescription(
        1, "structure", codes.SCT.Tissue, codes.SCT.Brain, "AUTOMATIC", algorithm_identification=algorithm
    )
    labels = np.ones((len(images), 8, 8), np.uint8)
    uids = generate_uid(), 2, generate_uid(), 1
    return highdicom.seg.Segmentation(images, labels, "BINARY", [segment], *uids, "maker", "model", "1", "1")


empty, named = ([image_slice(number, [first, "ISO 2022 IR 87"]) for number in range(3)] for first in ("", "ISO 2022 IR 6"))
read = empty[0].PatientName == named[0].PatientName == NAME
print("pydicom reads the name of its file:", read)
try:
    segmentation(empty)
    raised = "nothing"
except ValueError as error:
    raised = f"ValueError: {error}"
print("highdicom, first set empty:", raised)
segmentation(named).save_as("seg.dcm")
same = dcmread("seg.dcm").PatientName == NAME
print("highdicom, first set ISO 2022 IR 6: the same name:", same)
assert read and same and raised == "ValueError: '' is not a valid SpecificCharacterSetValues", "changed"
print("as stated")
PYTHON
