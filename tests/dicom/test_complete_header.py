import pytest

from monai_advdefense.dicom.complete_header import complete_header

pydicom = pytest.importorskip("pydicom")


def test_what_may_be_empty_is_added_to_a_copy():
    header = pydicom.Dataset()
    header.PatientID = "P1"
    found = complete_header(header)
    assert found.PatientID == "P1"
    assert found.PatientName in (None, "")
    assert "StudyDate" in found
    assert "PatientName" not in header


def test_a_complete_header_is_given_back_as_it_is():
    header = complete_header(pydicom.Dataset())
    assert complete_header(header) is header
