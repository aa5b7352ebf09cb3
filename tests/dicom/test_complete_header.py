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


@pytest.mark.parametrize(
    ("sets", "named"),
    [
        (["", "ISO 2022 IR 87"], ["ISO 2022 IR 6", "ISO 2022 IR 87"]),
        (["ISO 2022 IR 100", "ISO 2022 IR 87"], ["ISO 2022 IR 100", "ISO 2022 IR 87"]),
        ("ISO_IR 192", "ISO_IR 192"),
        ("", ""),
    ],
)
def test_an_empty_value_among_several_character_sets_is_named(sets, named):
    header = pydicom.Dataset()
    header.SpecificCharacterSet = sets
    assert complete_header(header).SpecificCharacterSet == named
    assert header.SpecificCharacterSet == sets


def test_a_complete_header_is_given_back_as_it_is():
    header = complete_header(pydicom.Dataset())
    assert complete_header(header) is header
