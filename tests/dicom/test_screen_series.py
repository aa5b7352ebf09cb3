from __future__ import annotations

import json
import os
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from monai_advdefense.commands.screen import screen
from monai_advdefense.data.phantom import brain_phantom
from monai_advdefense.dicom.screen_series import screen_series
from monai_advdefense.errors import InputError, OutputError
from monai_advdefense.runs import Manifest, Outputs, Shard

from .conftest import ras_affine, stored_values


@pytest.fixture
def metadata(tmp_path):
    outputs = {"pred": {"channel_def": {"0": "background", "1": "left caudate", "2": "rejected"}}}
    path = tmp_path / "metadata.json"
    path.write_text(json.dumps({"name": "m", "version": "1", "network_data_format": {"outputs": outputs}}))
    return path


@pytest.fixture
def run(tmp_path):
    """Writes labels 0, 1 and 2 by brightness in place of a bundle, and records what it was given."""

    def run(folder, volumes, failing=()):
        run.given.append((folder, volumes))
        manifest = Manifest(Outputs(folder, tmp_path / "out"))
        manifest.read()
        manifest.mark_ended([str(path) for path in volumes], [(str(path), "broken") for path in failing])
        for path in (path for path in volumes if path not in failing):
            volume = nib.load(path)
            labels = np.digitize(np.asarray(volume.dataobj), [1000, 2000]).astype(np.uint8)
            target = Outputs(folder, tmp_path / "out").path(path, "seg", ".nii.gz")
            target.parent.mkdir(parents=True, exist_ok=True)
            nib.save(nib.Nifti1Image(labels, volume.affine), target)

    run.given = []
    return run


def _screen(data, tmp_path, run, metadata):
    screen_series(data, tmp_path / "out", run, metadata=metadata)


def test_each_series_is_run_and_answered_beside_its_result(make_series, run, metadata, tmp_path):
    make_series("study/t1")
    make_series("study/deep/t2", plane="oblique")
    make_series("study/old.nii.gz")
    _screen(tmp_path / "study", tmp_path, run, metadata)
    work = tmp_path / "out" / "dicom"
    assert run.given == [(work, [work / "deep/t2.nii.gz", work / "old.nii.gz.nii.gz", work / "t1.nii.gz"])]
    assert np.array_equal(np.asarray(nib.load(work / "t1.nii.gz").dataobj), stored_values())
    assert np.abs(nib.load(work / "deep/t2.nii.gz").affine - ras_affine("oblique")).max() < 1e-4
    from highdicom.seg import segread

    for name in ("t1", "deep/t2", "old.nii.gz.nii.gz"):
        segmentation = segread(tmp_path / "out" / f"{name}_seg.dcm")
        assert [s.segment_label for s in segmentation.SegmentSequence] == ["left caudate", "rejected"]


def test_a_folder_of_results_may_be_told_from_here(make_series, run, metadata, tmp_path, monkeypatch):
    make_series("study/t1")
    monkeypatch.chdir(tmp_path / "study")
    screen_series(".", "../out", lambda folder, volumes: run(*_absolute(folder, volumes)), metadata=metadata)
    assert (tmp_path / "out" / "t1_seg.dcm").is_file()


def _absolute(folder, volumes):
    return Path(os.path.abspath(folder)), [Path(os.path.abspath(volume)) for volume in volumes]


def test_a_broken_series_costs_itself(make_series, run, metadata, tmp_path, capsys):
    make_series("study/good")
    make_series("study/gap", skip=[2])
    with pytest.raises(InputError, match="expected DICOM series that can be read, found 1 of 2 that cannot"):
        _screen(tmp_path / "study", tmp_path, run, metadata)
    assert capsys.readouterr().err.startswith("failed: gap: expected slices every 2 mm")
    assert (tmp_path / "out" / "good_seg.dcm").is_file()
    assert not (tmp_path / "out" / "gap_seg.dcm").exists()


@pytest.mark.filterwarnings("ignore")
def test_what_cannot_be_copied_from_a_header_is_told_once(make_series, break_header, run, metadata, tmp_path, capsys):
    _screen(make_series("t1", change=break_header), tmp_path, run, metadata)
    told = capsys.readouterr().err.splitlines()
    found = {"PatientSex": "MALE", "StudyDate": "unknown", "StudyTime": "25:00", "SliceThickness": "thin"}
    found |= {"PatientBirthDate": "00000000", "SeriesNumber": "four"}
    rule = "warning: t1: expected a valid {}, found {}: the answer goes without it"
    assert sorted(told) == sorted(rule.format(*each) for each in found.items())
    assert (tmp_path / "out" / "t1_seg.dcm").is_file()


@pytest.mark.filterwarnings("ignore")
def test_a_series_whose_patient_cannot_be_read_is_not_answered(make_series, run, metadata, tmp_path, capsys):
    def name(header, _):
        header.SpecificCharacterSet, header.PatientID = "ISO_IR 192", "M_ller"

    folder = make_series("t1", change=name)
    for path in folder.iterdir():
        path.write_bytes(path.read_bytes().replace(b"M_ller", "Müller".encode("latin-1")))
    with pytest.raises(OutputError, match=r"t1: expected a PatientID in its character set \(ISO_IR 192\)"):
        _screen(folder, tmp_path, run, metadata)
    assert capsys.readouterr().err.startswith("failed: t1: ")
    assert (tmp_path / "out" / "t1_seg.nii.gz").is_file()
    assert not (tmp_path / "out" / "t1_seg.dcm").exists()


def test_the_converted_file_is_left_as_it_is_if_it_is_the_same(make_series, run, metadata, tmp_path):
    folder = make_series("t1")
    _screen(folder, tmp_path, run, metadata)
    nifti = tmp_path / "out" / "dicom" / "t1.nii.gz"
    before = nifti.stat().st_mtime_ns
    _screen(folder, tmp_path, run, metadata)
    assert nifti.stat().st_mtime_ns == before
    nib.save(nib.Nifti1Image(np.ones((2, 2, 2), np.float32), np.eye(4)), nifti)
    _screen(folder, tmp_path, run, metadata)
    assert np.array_equal(np.asarray(nib.load(nifti).dataobj), stored_values())


def test_an_older_result_of_a_volume_that_fails_now_is_no_answer(make_series, run, metadata, tmp_path):
    folder = make_series("t1")
    _screen(folder, tmp_path, run, metadata)
    answer = tmp_path / "out" / "t1_seg.dcm"
    answer.unlink()
    _screen(folder, tmp_path, lambda *given: run(*given, failing=given[1]), metadata)
    assert (tmp_path / "out" / "t1_seg.nii.gz").is_file()
    assert not answer.exists()


def test_an_older_answer_does_not_stand_beside_newer_labels(make_series, run, metadata, tmp_path, capsys):
    folder = make_series("t1")
    _screen(folder, tmp_path, run, metadata)

    def empty(folder, volumes):
        run(folder, volumes)
        labels = tmp_path / "out" / "t1_seg.nii.gz"
        nib.save(nib.Nifti1Image(np.zeros((7, 6, 5), np.uint8), nib.load(labels).affine), labels)

    with pytest.raises(OutputError, match="found background alone"):
        _screen(folder, tmp_path, empty, metadata)
    assert capsys.readouterr().err.startswith("failed: ")
    assert not (tmp_path / "out" / "t1_seg.dcm").exists()


def test_an_error_of_the_run_is_told_after_the_answers_are_written(make_series, run, metadata, tmp_path):
    def failing(folder, volumes):
        run(folder, volumes)
        raise InputError("t1: expected a brain, found none: look at it")

    with pytest.raises(InputError, match="expected a brain"):
        _screen(make_series("t1"), tmp_path, failing, metadata)
    assert (tmp_path / "out" / "t1_seg.dcm").is_file()


def test_nifti_files_beside_series_are_refused(make_series, run, metadata, tmp_path):
    folder = make_series("t1")
    (folder / "a.nii").touch()
    with pytest.raises(InputError, match=r"expected DICOM series or NIfTI files, found both, such as .*a\.nii"):
        _screen(folder, tmp_path, run, metadata)


def test_results_into_the_folder_of_the_series_are_refused(make_series, run, metadata, tmp_path):
    (tmp_path / "out").mkdir()
    make_series("out/t1")
    for data in (tmp_path / "out", tmp_path / "out" / "t1"):
        with pytest.raises(InputError, match="expected results outside the folder of inputs"):
            _screen(Path(data), tmp_path, run, metadata)
    assert run.given == []


def test_the_command_gives_the_labels_of_the_same_volume_as_nifti(make_series, tmp_path):
    phantom = brain_phantom((24, 12, 24), seed=1)[0]
    values = np.rint(phantom / phantom.max() * 1000).astype(np.int16)
    nifti = tmp_path / "nifti" / "scan.nii.gz"
    nifti.parent.mkdir()
    volume = nib.Nifti1Image(values, ras_affine("oblique", spacing=(1, 1, 1)))
    volume.header.set_xyzt_units("mm")
    nib.save(volume, nifti)
    screen(nifti, tmp_path / "a", device="cpu")
    make_series("scan", plane="oblique", values=values, spacing=(1, 1, 1))
    screen(tmp_path / "scan", tmp_path / "b", device="cpu")
    labels = [nib.load(tmp_path / out / "scan_seg.nii.gz") for out in "ab"]
    assert np.array_equal(*(np.asarray(each.dataobj) for each in labels))
    assert np.abs(labels[0].affine - labels[1].affine).max() < 1e-4
    tables = [(tmp_path / out / "scan_scores.csv").read_text().splitlines() for out in "ab"]
    assert [row.split(",")[-1] for row in tables[0]] == [row.split(",")[-1] for row in tables[1]]
    headline = json.loads((tmp_path / "b" / "scan_scores.json").read_text())["headline"]
    from pydicom import dcmread

    assert dcmread(tmp_path / "b" / "scan_seg.dcm").ContentDescription == headline
    assert headline in dcmread(tmp_path / "b" / "scan_report.dcm").SeriesDescription


def test_shards_convert_and_answer_their_own_series_alone(make_series, metadata, tmp_path):
    for name in "abc":
        make_series(f"study/{name}")
    shared = []
    for index in (1, 2):
        part = Shard(index, 2)
        run = lambda folder, volumes: shared.append([path.name for path in part.share(part.spread(volumes))])  # noqa: B023, E731
        screen_series(tmp_path / "study", tmp_path / f"out{index}", run, metadata=metadata, shard=part)
    assert shared == [["a.nii.gz", "c.nii.gz"], ["b.nii.gz"]]
    assert [path.name for path in (tmp_path / "out2" / "dicom").iterdir()] == ["b.nii.gz"]
