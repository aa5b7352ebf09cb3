"""DICOM series in, DICOM segmentations out; needs the extra ``dicom``.

Everything in between works on NIfTI: a series is written as the NIfTI file that has the same voxels at the same places.
"""

from monai_advdefense.dicom.archive import Archive
from monai_advdefense.dicom.check_series import check_series
from monai_advdefense.dicom.convert import Conversion, ConvertedSeries, convert
from monai_advdefense.dicom.find_series import SeriesFiles, find_series, holds_dicom
from monai_advdefense.dicom.read_series import Series, read_series
from monai_advdefense.dicom.run_on_series import check_series_alone, run_on_series
from monai_advdefense.dicom.screen_series import answer_series, screen_series
from monai_advdefense.dicom.screen_study import screen_study
from monai_advdefense.dicom.structure_codes import SegmentCode, segment_code
from monai_advdefense.dicom.write_nifti import write_nifti
from monai_advdefense.dicom.write_report import write_report
from monai_advdefense.dicom.write_segmentation import Answer, write_segmentation

__all__ = [
    "Answer",
    "Archive",
    "Conversion",
    "ConvertedSeries",
    "SegmentCode",
    "Series",
    "SeriesFiles",
    "answer_series",
    "check_series",
    "check_series_alone",
    "convert",
    "find_series",
    "holds_dicom",
    "read_series",
    "run_on_series",
    "screen_series",
    "screen_study",
    "segment_code",
    "write_nifti",
    "write_report",
    "write_segmentation",
]
