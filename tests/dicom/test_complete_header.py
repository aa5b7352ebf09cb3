import warnings

import pytest

from monai_advdefense.dicom.complete_header import complete_header
from monai_advdefense.errors import OutputError

pydicom = pytest.importorskip("pydicom")
pytest.importorskip("highdicom")


def _header(**values):
    """As read from a file, where values can be invalid."""
    header = pydicom.Dataset()
    with pydicom.config.disable_value_validation():
        for name, value in values.items():
            setattr(header, name, value)
    return header


def _binary(header, tag):
    """With a binary value of a wrong length, as read from a file."""
    tag = pydicom.tag.Tag(tag)
    header[tag] = pydicom.dataelem.RawDataElement(tag, "FD", 4, b"1234", 0, False, True)
    return header


def _completed(header):
    told = []
    return complete_header(header, "t1", tell=told.append), told


def test_what_may_be_empty_is_added_to_a_copy():
    header = _header(PatientID="P1")
    found, told = _completed(header)
    assert found.PatientID == "P1"
    assert found.PatientName in (None, "")
    assert "StudyDate" in found
    assert "PatientName" not in header
    assert told == []


@pytest.mark.parametrize(
    ("tag", "value"),
    [
        ("PatientSex", "X"),
        ("PatientSex", "MALE"),
        ("PatientBirthDate", "00000000"),
        ("StudyDate", "unknown"),
        ("StudyDate", "20200230"),
        ("StudyTime", "25:00"),
        ("PatientName", ["Doe^J", "Roe^R"]),
        ("SliceThickness", [1, 2]),
    ],
)
def test_a_forbidden_value_is_left_empty_and_told(tag, value):
    header = _header(**{tag: value})
    found, told = _completed(header)
    assert found[tag].value in (None, "")
    assert header[tag].value == value
    assert told == [f"t1: expected a valid {tag}, found {header[tag].value}: the answer goes without it"]


@pytest.mark.parametrize(("tag", "value"), [("SeriesNumber", [1, 2]), ("SpacingBetweenSlices", [1.0, 2.0])])
def test_what_the_standard_does_not_ask_for_is_left_out(tag, value):
    found, (line,) = _completed(_header(**{tag: value}))
    assert tag not in found
    assert f"a valid {tag}, found {value}" in line


def test_a_binary_value_of_a_wrong_length_is_left_out():
    header = _binary(pydicom.Dataset(), "LongitudinalTemporalOffsetFromEvent")
    found, (line,) = _completed(header)
    assert "LongitudinalTemporalOffsetFromEvent" not in found
    assert "found b'1234'" in line


@pytest.mark.parametrize(
    "values",
    [
        {"PatientSex": "O", "PatientBirthDate": "19700101", "StudyTime": "101112.5", "SliceThickness": 1.5},
        # Forbidden, but copied as they stand.
        {"StudyDate": "2020.01.31", "StudyDescription": "a" * 100, "PatientName": "a=b=c=d", "PatientAge": "45"},
        {"StudyInstanceUID": "1.02.3", "PatientID": "a" * 100, "PatientSex": "", "StudyTime": ""},
    ],
)
def test_what_can_be_copied_stays_as_it_is(values):
    found, told = _completed(_header(**values))
    assert told == []
    assert {tag: found[tag].value for tag in values} == values


@pytest.mark.parametrize("sex", [" F", "F ", " F "])
def test_spaces_around_a_sex_say_nothing(sex):
    header = _header(PatientSex=sex)
    found, told = _completed(header)
    assert (found.PatientSex, told, header.PatientSex) == ("F", [], sex)


def test_an_id_that_cannot_be_decoded_is_refused():
    header = _header(SpecificCharacterSet="ISO_IR 192", PatientID="M\N{REPLACEMENT CHARACTER}ller")
    with pytest.raises(
        OutputError, match=r"t1: expected a PatientID in its character set \(ISO_IR 192\), found M.ller"
    ):
        complete_header(header, "t1")


def test_without_another_listener_it_is_a_warning():
    with pytest.warns(UserWarning, match="t1: expected a valid PatientSex, found MALE"):
        complete_header(_header(PatientSex="MALE"), "t1")


@pytest.mark.parametrize(
    ("sets", "named"),
    [
        (["", "ISO 2022 IR 87"], ["ISO 2022 IR 6", "ISO 2022 IR 87"]),
        (["ISO 2022 IR 100", "ISO 2022 IR 87"], ["ISO 2022 IR 100", "ISO 2022 IR 87"]),
        ("ISO_IR 192", "ISO_IR 192"),
        ("ISO 2022 IR 100", "ISO_IR 192"),
        ("", "ISO_IR 192"),
    ],
)
def test_character_sets_are_those_that_highdicom_takes(sets, named):
    header = _header(SpecificCharacterSet=sets)
    found, told = _completed(header)
    assert found.SpecificCharacterSet == named
    assert header.SpecificCharacterSet == sets
    assert told == []


def test_private_values_do_not_prevent_other_character_sets():
    header = _binary(_header(SpecificCharacterSet="", PatientName="Doe^J"), (0x0009, 0x1001))
    found, told = _completed(header)
    assert (found.SpecificCharacterSet, found.PatientName, told) == ("ISO_IR 192", "Doe^J", [])


def test_other_values_that_cannot_be_read_are_named():
    header = _binary(_header(SpecificCharacterSet=""), "AcquisitionDuration")
    with pytest.raises(OutputError, match=r"t1: expected texts in their character set \(\), found .*b'1234'"):
        complete_header(header, "t1")


def test_unknown_character_sets_are_told():
    with warnings.catch_warnings(action="ignore"):
        found, (line,) = _completed(_header(SpecificCharacterSet="ISO_IR 999"))
    assert found.SpecificCharacterSet == "ISO_IR 192"
    assert line.startswith("t1: expected a valid SpecificCharacterSet, found ISO_IR 999: ")


def test_a_complete_header_is_given_back_as_it_is():
    header, _ = _completed(_header(SpecificCharacterSet="", PatientSex="MALE"))
    assert _completed(header) == (header, [])
    assert _completed(header)[0] is header
