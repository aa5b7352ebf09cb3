"""A NIfTI volume as a DICOM series, one file for each slice along its last axis."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np

__all__ = ["series_datasets"]

_RAS_TO_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])


def series_datasets(path: Path, *, number: int = 1) -> list[Any]:
    """MR images of pydicom with the voxels of a volume, rounded to 12 bits.

    Args:
        path: NIfTI file.
        number: of the series; study and patient are made up, series of another number are of the same study.
    """
    volume = nib.load(path)  # type: ignore[attr-defined]
    array = np.asarray(volume.dataobj, dtype=float)
    stored = np.rint(array / array.max() * 4095).astype(np.uint16)
    affine = _RAS_TO_LPS @ volume.affine
    return [_image(stored[:, :, index], affine, index, number) for index in range(stored.shape[2])]


def _image(stored: np.ndarray[Any, Any], affine: np.ndarray[Any, Any], index: int, number: int) -> Any:
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage, generate_uid

    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    image, meta = Dataset(), FileMetaDataset()
    uid = generate_uid(entropy_srcs=[f"image {number} {index}"])
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID = image.SOPClassUID = MRImageStorage
    meta.MediaStorageSOPInstanceUID = image.SOPInstanceUID = uid
    # Without a preamble the client sends none, and cannot read what it gets back.
    image.file_meta, image.preamble = meta, bytes(128)
    image.StudyInstanceUID = generate_uid(entropy_srcs=["study"])
    image.SeriesInstanceUID = generate_uid(entropy_srcs=[f"series {number}"])
    image.FrameOfReferenceUID = generate_uid(entropy_srcs=["frame"])
    image.PatientName, image.PatientID, image.PatientBirthDate, image.PatientSex = "Sample^Brain", "sample", "", "O"
    image.StudyID, image.StudyDate, image.StudyTime, image.AccessionNumber = "1", "20260102", "101112", ""
    image.Modality, image.Manufacturer, image.SeriesNumber, image.InstanceNumber = "MR", "made up", number, index + 1
    image.ReferringPhysicianName, image.PositionReferenceIndicator = "", ""
    image.ImageType, image.ScanningSequence, image.SequenceVariant = ["DERIVED", "PRIMARY"], "GR", "SP"
    image.ImageOrientationPatient = [round(float(x), 9) for x in (affine[:3, :2] / spacing[:2]).T.ravel()]
    image.ImagePositionPatient = [round(float(x), 6) for x in affine[:3] @ [0, 0, index, 1]]
    image.PixelSpacing, image.SliceThickness = [spacing[1], spacing[0]], spacing[2]
    image.Columns, image.Rows = stored.shape
    image.SamplesPerPixel, image.PhotometricInterpretation = 1, "MONOCHROME2"
    image.BitsAllocated, image.BitsStored, image.HighBit, image.PixelRepresentation = 16, 12, 11, 0
    image.PixelData = np.ascontiguousarray(stored.T).tobytes()
    return image
