from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace

import numpy as np
import pytest

from monai_advdefense.dicom.find_series import find_series
from monai_advdefense.dicom.read_series import read_series
from monai_advdefense.dicom.write_report import write_report
from monai_advdefense.errors import OutputError
from monai_advdefense.guard.predicted_dice import PredictedDice
from monai_advdefense.guard.verdict import VolumeVerdict
from monai_advdefense.report import Case, SliceRecord, slice_positions

from .conftest import LPS_TO_RAS, PLANES, SPACING

PLACES = (7.75, 9.75, 11.75, 13.75, 15.75)  # of the slices of an axial phantom


def _case(decisions="araar", axis="z", places=PLACES):
    names = {"a": "accepted", "r": "rejected"}
    slices = tuple(SliceRecord(i, places[i], i, 0.5, names[d]) for i, d in enumerate(decisions))
    found = VolumeVerdict("review", "ghosting", "look at it", "x", 0.04, 5, 2, 0.6)
    dice = PredictedDice(np.array([[0.9, 0.8, 0.95]]), (0.91, 0.85, 0.95))
    return Case("a.nii.gz", "a_seg.nii.gz", 1.5, slices, position_axis=axis, found=found, dice=dice)


@pytest.fixture
def series(make_series):
    (found,) = find_series(make_series())
    return read_series(found.files, name=found.name)


def _items(dataset):
    """All content items by the meaning of their names."""
    for item in dataset.get("ContentSequence", []):
        if "ConceptNameCodeSequence" in item:
            yield item.ConceptNameCodeSequence[0].CodeMeaning, item
        yield from _items(item)


def _number(item):
    value = item.MeasuredValueSequence[0]
    return float(value.NumericValue), value.MeasurementUnitsCodeSequence[0].CodeValue


def test_the_report_tells_verdict_cause_and_numbers(series, tmp_path):
    from highdicom.sr import srread

    write_report(_case(), series.headers, tmp_path / "out" / "a_report.dcm", model="brain 0.2.0")
    report = srread(tmp_path / "out" / "a_report.dcm")
    (group,) = report.content.get_image_measurement_groups()
    said = {e.name.meaning: e.value.meaning for e in group.get_qualitative_evaluations()}
    assert said == {"Verdict of the guard": "Look at it", "Likely cause": "ghosts, as of motion"}
    found = dict(_items(report))
    numbers = {name: _number(item) for name, item in found.items() if item.ValueType == "NUM" and "Place" not in name}
    assert numbers == {
        "Slices compared with the threshold": (5, "{slices}"),
        "Slices rejected": (2, "{slices}"),
        "Rejected slices of a clean volume": (0.6, "{slices}"),
        "Probability that a clean volume is as suspicious": (0.04, "1"),
        "Predicted mean Dice": (0.91, "1"),
        "Highest score that is accepted": (1.5, "1"),
    }
    assert report.StudyInstanceUID == series.headers[0].StudyInstanceUID
    assert report.PatientName == "Phantom^One"
    assert found["Algorithm Name"].TextValue == "brain 0.2.0"


def test_a_rejected_slice_refers_to_the_image_at_its_place(series, tmp_path):
    write_report(_case(), series.headers, tmp_path / "a.dcm")
    from pydicom import dcmread

    places = [item for name, item in _items(dcmread(tmp_path / "a.dcm")) if name.startswith("Place of a rejected")]
    assert [_number(item) for item in places] == [(PLACES[1], "mm"), (PLACES[4], "mm")]
    positions = {each.SOPInstanceUID: each.ImagePositionPatient[2] for each in series.headers}
    named = [item.ContentSequence[0].ReferencedSOPSequence[0].ReferencedSOPInstanceUID for item in places]
    assert [positions[uid] for uid in named] == [PLACES[1], PLACES[4]]


@pytest.mark.parametrize("plane", PLANES)
def test_the_image_of_a_rejected_slice_is_found_in_every_plane(plane, make_series, tmp_path):
    """In an oblique one the corners of images lie elsewhere along the patient's axis than their middles."""
    from pydicom import dcmread

    (found,) = find_series(make_series(plane=plane, spacing=(20.0, 5.0, 2.0)))
    series = read_series(found.files, name=found.name)
    axis, positions = slice_positions(series.affine, series.array.shape, 2, series.affine)
    slices = tuple(SliceRecord(k, place, k, 2.0, "rejected") for k, (place, _) in enumerate(positions))
    write_report(replace(_case(axis=axis), slices=slices), series.headers, tmp_path / "a.dcm")
    places = [item for name, item in _items(dcmread(tmp_path / "a.dcm")) if name.startswith("Place of a rejected")]
    named = [item.ContentSequence[0].ReferencedSOPSequence[0].ReferencedSOPInstanceUID for item in places]
    headers = {each.SOPInstanceUID: each for each in series.headers}
    corners = [LPS_TO_RAS[:3, :3] @ np.array(headers[uid].ImagePositionPatient, dtype=float) for uid in named]
    assert np.allclose(corners, [(series.affine @ [0, 0, k, 1])[:3] for k in range(5)])


def test_places_are_those_of_dicom_and_slices_across_the_series_have_no_image(series, tmp_path):
    places = [-30.25 + SPACING[1] * i for i in range(5)]
    write_report(_case(axis="y", places=places), series.headers, tmp_path / "a.dcm")
    from pydicom import dcmread

    found = [item for name, item in _items(dcmread(tmp_path / "a.dcm")) if name.endswith("patient axis y")]
    # To the back, where NIfTI measures to the front.
    assert [_number(item)[0] for item in found] == [-places[1], -places[4]]
    assert all("ContentSequence" not in item for item in found)


def test_the_same_finding_has_the_same_uid_and_another_has_not(series, tmp_path):
    from pydicom import dcmread

    for name, case in (("a", _case()), ("b", _case()), ("c", _case("aaaar"))):
        write_report(case, series.headers, tmp_path / f"{name}.dcm")
    a, b, c = (dcmread(tmp_path / f"{name}.dcm").SOPInstanceUID for name in "abc")
    assert a == b != c


def test_headers_that_lack_too_much_are_told(series, tmp_path):
    for header in series.headers:
        del header.StudyInstanceUID
    with pytest.raises(OutputError, match="expected to make a structured report, found AttributeError"):
        write_report(_case(), series.headers, tmp_path / "a.dcm")
    assert list(tmp_path.glob("*.dcm")) == []


@pytest.mark.filterwarnings("ignore")
def test_values_that_the_standard_forbids_cost_themselves(make_series, break_header, tmp_path):
    from highdicom.sr import srread

    (found,) = find_series(make_series(change=break_header))
    series = read_series(found.files, name=found.name)
    write_report(_case(), series.headers, tmp_path / "a.dcm")
    report, source = srread(tmp_path / "a.dcm"), series.headers[0]
    for tag in ("PatientBirthDate", "PatientSex", "StudyDate", "StudyTime"):
        assert report[tag].value == ""
    for tag in ("StudyInstanceUID", "PatientID", "PatientName", "StudyDescription", "PatientWeight", "AccessionNumber"):
        assert report[tag].value == source[tag].value
    assert report.SeriesNumber == 2000


@pytest.mark.skipif(shutil.which("dciodvfy") is None, reason="needs dicom3tools")
def test_dciodvfy_finds_no_error(series, tmp_path):
    write_report(_case(), series.headers, tmp_path / "a.dcm")
    done = subprocess.run(["dciodvfy", "-new", tmp_path / "a.dcm"], capture_output=True, text=True)
    said = [line for line in done.stderr.splitlines() if "99ADVDEFENSE" not in line]
    assert said == ["ComprehensiveSR"]
