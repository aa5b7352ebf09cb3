"""DICOM series of a phantom, made by pydicom alone."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

SHAPE = (7, 6, 5)  # columns, rows, slices
SPACING = (1.5, 1.25, 2.0)
LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])


def _oblique():
    """Three axes at right angles, none of them along one of the patient's."""
    turned, _ = np.linalg.qr(np.array([[1.0, 0.3, -0.2], [0.2, 1.0, 0.4], [0.3, -0.2, 1.0]]))
    return turned * np.sign(np.diag(turned)) * [1, 1, np.linalg.det(turned * np.sign(np.diag(turned)))]


# Directions of columns, rows and slices in the patient (left, back, head), as columns of a matrix.
PLANES = {
    "axial": np.eye(3),
    "coronal": np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]]),
    "sagittal": np.array([[0.0, 0, -1], [1, 0, 0], [0, -1, 0]]),
    "oblique": _oblique(),
}


def ras_affine(plane="axial", spacing=SPACING, origin=(-12.5, 30.25, 7.75)):
    """Affine of the NIfTI file with the voxels of a series in the order columns, rows, slices."""
    affine = np.eye(4)
    affine[:3, :3] = PLANES[plane] * spacing
    affine[:3, 3] = origin
    return LPS_TO_RAS @ affine


def stored_values(shape=SHAPE):
    values = np.zeros(shape, np.int16)
    values[1:-1, 1:-1] = np.random.default_rng(0).integers(1, 3000, (shape[0] - 2, shape[1] - 2, shape[2]))
    return values


@pytest.fixture(autouse=True)
def _extra():
    """Without the extra ``dicom`` these tests are left out."""
    pytest.importorskip("pydicom")
    pytest.importorskip("highdicom")


def _header(ids, index, shape):
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage, generate_uid

    header = Dataset()
    header.file_meta = FileMetaDataset()
    header.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    header.file_meta.MediaStorageSOPClassUID = header.SOPClassUID = MRImageStorage
    header.file_meta.MediaStorageSOPInstanceUID = header.SOPInstanceUID = generate_uid()
    header.StudyInstanceUID, header.SeriesInstanceUID, header.FrameOfReferenceUID = ids
    header.Modality, header.Manufacturer, header.SeriesNumber = "MR", "phantom", 4
    header.PatientName, header.PatientID, header.PatientBirthDate, header.PatientSex = "Phantom^One", "1", "", ""
    header.StudyID, header.StudyDate, header.StudyTime, header.AccessionNumber = "1", "20260102", "101112", ""
    header.ReferringPhysicianName, header.PositionReferenceIndicator = "", ""
    header.SeriesDate, header.SeriesTime, header.ContentDate, header.ContentTime = ("20260102", "101112") * 2
    header.ImageType, header.ScanningSequence, header.SequenceVariant = ["ORIGINAL", "PRIMARY"], "GR", "SP"
    header.InstanceNumber, header.AcquisitionNumber = index + 1, 1
    header.Columns, header.Rows = shape[0], shape[1]
    header.SamplesPerPixel, header.PhotometricInterpretation = 1, "MONOCHROME2"
    header.BitsAllocated, header.BitsStored, header.HighBit, header.PixelRepresentation = 16, 16, 15, 1
    return header


@pytest.fixture
def make_series(tmp_path):
    """Writes a series into a folder; ``change(header, index)`` alters a slice before it is written."""
    numbers = itertools.count()

    def make(
        folder=None, *, plane="axial", spacing=SPACING, change=None, skip=(), ids=None, values=None, ending=".dcm"
    ):
        folder = tmp_path / (folder or f"series{next(numbers)}")
        folder.mkdir(parents=True, exist_ok=True)
        values = stored_values() if values is None else values
        affine = LPS_TO_RAS @ ras_affine(plane, spacing)
        from pydicom.uid import generate_uid

        ids = ids or (generate_uid(), generate_uid(), generate_uid())
        # Names and instance numbers say nothing of the order.
        order = np.random.default_rng(1).permutation(values.shape[2])
        for index in (index for index in range(values.shape[2]) if index not in skip):
            header = _header(ids, int(order[index]), values.shape)
            header.ImageOrientationPatient = [round(x, 12) for x in (affine[:3, :2] / spacing[:2]).T.ravel()]
            header.ImagePositionPatient = [round(x, 9) for x in affine[:3] @ [0, 0, index, 1]]
            header.PixelSpacing = [spacing[1], spacing[0]]
            header.SliceThickness = spacing[2]
            header.PixelData = np.ascontiguousarray(values[:, :, index].T).tobytes()
            header["PixelData"].VR = "OW"
            if change is not None:
                change(header, index)
            header.save_as(folder / f"{len(ids[1])}_{order[index]:03d}{ending}", enforce_file_format=True)
        return folder

    return make


@pytest.fixture
def break_header():
    """Change of a slice: values as of careless programs, which the standard forbids, and the series can be read."""

    def change(header, _):
        from pydicom.dataelem import RawDataElement
        from pydicom.tag import Tag

        values = {
            "StudyDate": "unknown",
            "StudyTime": "25:00",
            "AccessionNumber": "a" * 20,
            "StudyDescription": "a" * 70,
            "PatientName": "a=b=c=d",
            "PatientBirthDate": "00000000",
            "PatientSex": "MALE",
            "PatientWeight": "70kg",
            "StudyInstanceUID": "1.02.3",
            "SeriesNumber": "four",
            "SliceThickness": "thin",
        }
        for name, value in values.items():
            tag, content = Tag(name), value.encode() + b" " * (len(value) % 2)
            header[tag] = RawDataElement(tag, None, len(content), content, 0, True, True)

    return change


@pytest.fixture
def make_enhanced(tmp_path):
    """Makes one file with several slices of a series, by highdicom; its path."""

    def make(folder):
        from highdicom.legacy import LegacyConvertedEnhancedMRImage
        from pydicom import dcmread
        from pydicom.uid import generate_uid

        slices = [dcmread(path) for path in sorted(folder.iterdir())]
        path = tmp_path / "enhanced" / "one.dcm"
        path.parent.mkdir()
        LegacyConvertedEnhancedMRImage(slices, generate_uid(), 9, generate_uid(), 1).save_as(path)
        return path

    return make
