from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from monai_advdefense import __version__
from monai_advdefense.dicom.find_series import find_series
from monai_advdefense.dicom.read_series import read_series
from monai_advdefense.dicom.write_segmentation import Answer, write_segmentation
from monai_advdefense.errors import OutputError

from .conftest import PLANES, SPACING, stored_values

NAMES = {5: "left lateral ventricle", 26: "brain stem", 28: "rejected"}
VERDICT = "1 of 6 slices was rejected"


def _answer(series):
    labels = np.zeros(series.array.shape, np.uint8)
    labels[1:3, 2:4, 1:4] = 5
    labels[4, 2:5, 2:] = 26
    labels[:, 5, :] = 28  # a slice in another direction than those of the series
    labels[0, 0, 0] = 7  # without a name
    return Answer(labels, series.affine, NAMES, VERDICT, "brain 0.2.0", "ab" * 32)


@pytest.fixture(params=PLANES)
def written(request, make_series, tmp_path):
    (found,) = find_series(make_series(plane=request.param))
    series = read_series(found.files, name=found.name)
    answer = _answer(series)
    write_segmentation(answer, series.headers, tmp_path / "out" / "a_seg.dcm")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["a_seg.dcm"]
    return tmp_path / "out" / "a_seg.dcm", answer, series


def _numbers(answer):
    """Number of the segment of each voxel: those of the classes that occur, in order."""
    return np.searchsorted([0, 5, 7, 26, 28], answer.labels)


def test_highdicom_reads_the_same_labels_on_the_same_grid(written):
    from highdicom.seg import segread

    path, answer, series = written
    segmentation = segread(path)
    volume = segmentation.get_volume(combine_segments=True)
    # Empty slices at the ends are not stored: compare by place in the patient.
    affine = np.linalg.inv(series.affine) @ np.diag([-1, -1, 1, 1]) @ volume.affine
    found = np.zeros(answer.labels.shape, int)
    for index in np.argwhere(volume.array):
        place = affine @ [*index, 1]
        assert np.abs(place - place.round()).max() < 1e-4
        found[tuple(place[:3].round().astype(int))] = volume.array[tuple(index)]
    assert np.array_equal(found, _numbers(answer))


@pytest.mark.parametrize("plane", PLANES)
def test_simpleitk_reads_the_same_labels_on_the_same_grid(plane, make_series, tmp_path):
    sitk = pytest.importorskip("SimpleITK")
    # GDCM loses the bits of the last byte if it is not full, hence 8 columns.
    (found,) = find_series(make_series(plane=plane, values=stored_values((8, 6, 5))))
    series = read_series(found.files, name=found.name)
    # SimpleITK knows no segments, it stacks all frames: one class, in every slice.
    labels = (np.random.default_rng(0).random(series.array.shape) > 0.5).astype(np.uint8)
    write_segmentation(Answer(labels, series.affine), series.headers, tmp_path / "a_seg.dcm")
    image = sitk.ReadImage(str(tmp_path / "a_seg.dcm"))
    resampled = np.zeros_like(labels)
    to_series = np.linalg.inv(series.affine) @ np.diag([-1, -1, 1, 1])
    array = sitk.GetArrayFromImage(image)
    for k, j, i in np.argwhere(array):
        index = to_series @ [*image.TransformIndexToPhysicalPoint((int(i), int(j), int(k))), 1]
        assert np.abs(index - index.round()).max() < 1e-4
        resampled[tuple(index[:3].round().astype(int))] = 1
    assert array.shape == labels.transpose(2, 1, 0).shape
    assert np.array_equal(resampled, labels)


def test_segments_have_names_and_codes(written):
    from highdicom.seg import segread

    segmentation = segread(written[0])
    segments = [segmentation.get_segment_description(number) for number in segmentation.segment_numbers]
    assert [segment.segment_label for segment in segments] == [
        "left lateral ventricle",
        "class 7",
        "brain stem",
        "rejected",
    ]
    first = segments[0].SegmentedPropertyTypeCodeSequence[0]
    assert (first.CodeValue, first.CodingSchemeDesignator) == ("66720007", "SCT")
    assert first.SegmentedPropertyTypeModifierCodeSequence[0].CodeMeaning == "Left"
    assert segments[3].SegmentedPropertyTypeCodeSequence[0].CodeValue == "rejected"
    assert [segment.SegmentDescription for segment in segments][2] == "label 26 of the NIfTI file"


def test_verdict_version_and_sources_are_in_the_file(written):
    from pydicom import dcmread

    path, _, series = written
    segmentation = dcmread(path)
    assert segmentation.ContentDescription == VERDICT
    assert VERDICT in segmentation.SeriesDescription
    assert segmentation.SoftwareVersions == __version__
    assert segmentation.ManufacturerModelName == "brain 0.2.0"
    assert segmentation.StudyInstanceUID == series.headers[0].StudyInstanceUID
    assert segmentation.SeriesInstanceUID != series.headers[0].SeriesInstanceUID
    (referred,) = segmentation.ReferencedSeriesSequence
    assert referred.SeriesInstanceUID == series.headers[0].SeriesInstanceUID
    uids = {item.ReferencedSOPInstanceUID for item in referred.ReferencedInstanceSequence}
    assert uids == {header.SOPInstanceUID for header in series.headers}


def test_each_frame_names_its_slice(written):
    from pydicom import dcmread

    path, _, series = written
    places = {header.SOPInstanceUID: np.array(header.ImagePositionPatient, float) for header in series.headers}
    for frame in dcmread(path).PerFrameFunctionalGroupsSequence:
        source = frame.DerivationImageSequence[0].SourceImageSequence[0].ReferencedSOPInstanceUID
        position = np.array(frame.PlanePositionSequence[0].ImagePositionPatient, float)
        assert np.abs(places[source] - position).max() < 1e-4


def test_the_same_answer_has_the_same_uids(written, tmp_path):
    from pydicom import dcmread

    path, answer, series = written
    write_segmentation(answer, series.headers, tmp_path / "again.dcm")
    again, first = dcmread(tmp_path / "again.dcm"), dcmread(path)
    assert (again.SOPInstanceUID, again.SeriesInstanceUID) == (first.SOPInstanceUID, first.SeriesInstanceUID)
    write_segmentation(replace(answer, weights_sha256="cd" * 32), series.headers, tmp_path / "retrained.dcm")
    assert dcmread(tmp_path / "retrained.dcm").SOPInstanceUID != first.SOPInstanceUID
    answer.labels[1, 2, 1] = 26
    write_segmentation(answer, series.headers, tmp_path / "other.dcm")
    assert dcmread(tmp_path / "other.dcm").SOPInstanceUID != first.SOPInstanceUID


def test_nothing_to_write_and_broken_headers_are_errors(make_series, tmp_path):
    (found,) = find_series(make_series())
    series = read_series(found.files, name=found.name)
    with pytest.raises(OutputError, match="found background alone"):
        write_segmentation(Answer(np.zeros((7, 6, 5), np.uint8), series.affine), series.headers, tmp_path / "a.dcm")
    for header in series.headers:
        del header.StudyInstanceUID
    with pytest.raises(OutputError, match="expected to make a DICOM segmentation"):
        write_segmentation(_answer(series), series.headers, tmp_path / "a.dcm")
    assert not (tmp_path / "a.dcm").exists()


def test_files_without_patient_data_are_answered(make_series, tmp_path):
    def anonymous(header, _):
        for tag in ("PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyID", "AccessionNumber"):
            delattr(header, tag)
        del header.StudyDate, header.StudyTime, header.SliceThickness

    (found,) = find_series(make_series(change=anonymous))
    series = read_series(found.files, name=found.name)
    write_segmentation(_answer(series), series.headers, tmp_path / "a.dcm")
    from highdicom.seg import segread

    segmentation = segread(tmp_path / "a.dcm")
    assert segmentation.PatientName == ""
    measures = segmentation.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0]
    assert measures.SliceThickness == SPACING[2]
    assert "PatientName" not in series.headers[0]


@pytest.mark.filterwarnings("ignore")
def test_values_that_the_standard_forbids_cost_themselves(make_series, break_header, tmp_path):
    from highdicom.seg import segread

    (found,) = find_series(make_series(change=break_header))
    series = read_series(found.files, name=found.name)
    write_segmentation(_answer(series), series.headers, tmp_path / "a.dcm")
    segmentation, source = segread(tmp_path / "a.dcm"), series.headers[0]
    for tag in ("PatientBirthDate", "PatientSex", "StudyDate", "StudyTime"):
        assert segmentation[tag].value == ""
    for tag in ("StudyInstanceUID", "PatientID", "PatientName", "StudyDescription", "PatientWeight", "AccessionNumber"):
        assert segmentation[tag].value == source[tag].value
    assert segmentation.SeriesNumber == 1000
    assert source.PatientSex == "MALE"


def test_japanese_names_are_those_of_the_series(make_series, tmp_path):
    from pydicom import dcmread

    def name(header, _):
        header.SpecificCharacterSet = ["", "ISO 2022 IR 87"]
        header.PatientName = "Yamada^Tarou=山田^太郎=やまだ^たろう"

    (found,) = find_series(make_series(change=name))
    series = read_series([*found.files], name=found.name)
    write_segmentation(_answer(series), series.headers, tmp_path / "a_seg.dcm")
    assert dcmread(tmp_path / "a_seg.dcm").PatientName == "Yamada^Tarou=山田^太郎=やまだ^たろう"


def test_texts_of_sets_that_highdicom_refuses_are_those_of_the_series(make_series, tmp_path):
    from pydicom import Dataset, dcmread

    def name(header, _):
        procedure = Dataset()
        procedure.CodeValue, procedure.CodingSchemeDesignator, procedure.CodeMeaning = "1", "99LOCAL", "길동"
        header.SpecificCharacterSet = ["", "ISO 2022 IR 149"]
        header.PatientName, header.ProcedureCodeSequence = "Hong^Gildong=洪^吉洞=홍^길동", [procedure]

    (found,) = find_series(make_series(change=name))
    series = read_series([*found.files], name=found.name)
    write_segmentation(_answer(series), series.headers, tmp_path / "a_seg.dcm")
    segmentation = dcmread(tmp_path / "a_seg.dcm")
    assert segmentation.PatientName == "Hong^Gildong=洪^吉洞=홍^길동"
    assert segmentation.ProcedureCodeSequence[0].CodeMeaning == "길동"


def test_one_file_with_several_slices_is_answered(make_series, make_enhanced, tmp_path):
    from pydicom import dcmread

    source = make_enhanced(make_series(plane="oblique"))
    (found,) = find_series(source)
    series = read_series(found.files, name=found.name)
    write_segmentation(_answer(series), series.headers, tmp_path / "a.dcm")
    enhanced, segmentation = dcmread(source), dcmread(tmp_path / "a.dcm")
    for frame in segmentation.PerFrameFunctionalGroupsSequence:
        number = frame.DerivationImageSequence[0].SourceImageSequence[0].ReferencedFrameNumber
        place = enhanced.PerFrameFunctionalGroupsSequence[number - 1].PlanePositionSequence[0].ImagePositionPatient
        assert np.allclose(frame.PlanePositionSequence[0].ImagePositionPatient, place, atol=1e-4)
