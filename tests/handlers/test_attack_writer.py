import csv
import logging

import nibabel as nib
import numpy as np
import pytest
import torch
from ignite.engine import Engine
from monai.transforms import (
    Compose,
    CropForegroundd,
    LoadImaged,
    Orientationd,
    ScaleIntensityRanged,
    ScaleIntensityRangePercentilesd,
    SpatialPadd,
)
from torch import nn

from monai_advdefense.data.phantom import brain_phantom
from monai_advdefense.errors import InputError
from monai_advdefense.guard import DefendedSegmenter, ReconstructionDetector, Reformer
from monai_advdefense.handlers.attack_writer import AttackWriter, measure_attack
from monai_advdefense.runs.outputs import Outputs
from monai_advdefense.runs.run_log import RunLog


@pytest.fixture
def network():
    """The reformer would make everything the same: measured is the segmenter without it."""
    torch.manual_seed(0)
    segmenter = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4))
    detector = ReconstructionDetector(nn.Conv2d(1, 1, 3, padding=1))
    detector.threshold.fill_(3.0)
    return DefendedSegmenter(detector, Reformer(nn.Threshold(2.0, 0.0)), segmenter).train()


def test_measures_are_those_of_single_slices(network):
    generator = torch.Generator().manual_seed(0)
    clean = torch.rand(20, 1, 8, 8, generator=generator)
    attacked = (clean + 0.5 * torch.randn(clean.shape, generator=generator)).clamp(0, 1)
    attacked[0] = clean[0]
    with torch.no_grad():
        network.detector.threshold.fill_(network.detector.score(attacked).median())
    rows = measure_attack(network, clean, attacked)
    assert network.training
    network.eval()
    with torch.no_grad():
        for row, before, after in zip(rows, clean.split(1), attacked.split(1), strict=True):
            label, prediction = network.segmenter(before).argmax(1), network.segmenter(after).argmax(1)
            wrong = (prediction != label)[label > 0]
            assert row["flipped"] == pytest.approx(float(wrong.float().mean()))
            assert row["success"] == bool(wrong.all())
            assert row["norm"] == pytest.approx(float((after - before).norm()), abs=1e-6)
            assert row["score"] == pytest.approx(float(network.detector.score(after)), rel=1e-5)
            assert row["accepted"] == bool(network.detector.accept(after))
            assert row["score_clean"] == pytest.approx(float(network.detector.score(before)), rel=1e-5)
            assert row["accepted_clean"] == bool(network.detector.accept(before))
    assert rows[0]["norm"] == rows[0]["flipped"] == 0
    assert {row["accepted"] for row in rows} == {True, False}


def test_a_slice_without_structures_has_nothing_to_flip(network):
    with torch.no_grad():
        network.segmenter[0].weight.zero_()
        network.segmenter[0].bias.copy_(torch.tensor([1.0, 0.0, 0.0, 0.0]))
    (row,) = measure_attack(network, torch.rand(1, 1, 8, 8), torch.rand(1, 1, 8, 8))
    assert row["flipped"] is None
    assert row["success"] is False


@pytest.fixture
def scan(tmp_path):
    """An int16 phantom on a larger grid, with codes and a description that must survive."""
    image, _ = brain_phantom((20, 12, 20), seed=0)
    volume = nib.Nifti1Image(np.pad(image, ((3, 2), (1, 0), (0, 4))), np.diag([-1.0, 1.0, 1.0, 1.0]))
    volume.set_qform(volume.affine, code=1)
    volume.set_sform(volume.affine, code=4)
    volume.header["descrip"] = b"a scan"
    path = tmp_path / "in" / "scan.nii.gz"
    path.parent.mkdir()
    nib.save(volume, path)
    return path


@pytest.fixture
def preprocessing():
    return Compose(
        [
            LoadImaged("image", ensure_channel_first=True),
            Orientationd("image", "RAS", labels=None),
            CropForegroundd("image", "image", allow_smaller=True),
            ScaleIntensityRangePercentilesd("image", 0, 99.5, 0.0, 1.0, clip=True),
            SpatialPadd("image", (24, -1, 24)),
        ]
    )


def _run(scan, output, network, preprocessing, added_to, log=None, dataset_dir=None, **options):
    """A run whose attack adds something to the slices 2 and 5 of the preprocessed volume."""
    image = preprocessing({"image": str(scan)})["image"]
    added = torch.zeros(image.shape)
    for index in (2, 5):
        added[:, :, index] = added_to * (image[:, :, index] > 0) * (image[:, :, index] < 0.9)
    perturbed = image.clone()
    perturbed.copy_(added)
    inverted = preprocessing.inverse({"image": perturbed})["image"]
    engine = Engine(lambda engine, batch: [{"image": image, "pred": added, "perturbation": inverted}])
    engine.logger = logging.getLogger("test")
    log = RunLog() if log is None else log
    outputs = Outputs(dataset_dir or scan.parent, output)
    AttackWriter(outputs, log, network, preprocessing, slice_dim=1, **options).attach(engine)
    engine.run([0])
    return image, added


def test_the_attacked_copy_is_read_as_the_attacked_image(scan, network, preprocessing, tmp_path):
    image, added = _run(scan, tmp_path / "out", network, preprocessing, added_to=0.05)
    written = nib.load(tmp_path / "out" / "scan_attacked.nii.gz")
    assert written.get_data_dtype() == np.float32
    original = nib.load(scan)
    for field in ("qform_code", "sform_code", "descrip", "xyzt_units", "pixdim"):
        np.testing.assert_array_equal(written.header[field], original.header[field])
    assert np.array_equal(written.affine, original.affine)
    # Only what was attacked differs, and preprocessing gives nearly what the attack had made: the range moves a little.
    changed = (written.get_fdata() != original.get_fdata()).any(axis=(0, 2)).nonzero()[0]
    assert len(changed) == 2
    read = preprocessing({"image": str(tmp_path / "out" / "scan_attacked.nii.gz")})["image"]
    np.testing.assert_allclose(read.numpy(), (image + added).numpy(), atol=5e-3)


def test_a_fixed_range_below_zero(scan, network, preprocessing, tmp_path):
    """Air is -1000, as in computed tomography."""
    original = nib.load(scan)
    nib.save(nib.Nifti1Image(np.asarray(original.dataobj) - 1000, original.affine), scan)
    load, orientation, _, _, pad = preprocessing.transforms
    crop = CropForegroundd("image", "image", select_fn=lambda image: image > -1000, allow_smaller=True)
    fixed = Compose([load, orientation, crop, ScaleIntensityRanged("image", -1000, 1000, 0.0, 1.0, clip=True), pad])
    image, added = _run(scan, tmp_path / "out", network, fixed, added_to=-0.6)
    assert (image + added).min() < 0
    read = fixed({"image": str(tmp_path / "out" / "scan_attacked.nii.gz")})["image"].as_tensor()
    # The brain keeps its outline, and its smallest intensity.
    brain = (image > 0).as_tensor()
    assert torch.equal(read > 0, brain)
    expected = (image + added).clamp_min(image[brain].min()).as_tensor() * brain
    np.testing.assert_allclose(read, expected, atol=1e-3)


def test_the_table_is_measured_on_the_file(scan, network, preprocessing, tmp_path):
    image, _ = _run(scan, tmp_path / "out", network, preprocessing, added_to=0.05)
    with (tmp_path / "out" / "scan_attack.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [int(row["slice"]) for row in rows if row["attacked"] == "True"] == [2, 5]
    read = preprocessing({"image": str(tmp_path / "out" / "scan_attacked.nii.gz")})["image"]
    expected = measure_attack(network, *(volume.as_tensor().movedim(2, 0) for volume in (image, read)))
    assert len(rows) == len(expected) == image.shape[2]
    for row, values in zip(rows, expected, strict=True):
        assert float(row["norm"]) == pytest.approx(values["norm"])
        assert float(row["score"]) == pytest.approx(values["score"])
        assert row["accepted"] == str(values["accepted"])


def test_a_copy_that_cannot_be_written_is_recorded(scan, network, preprocessing, tmp_path):
    (tmp_path / "out" / "scan_attacked.nii.gz").mkdir(parents=True)
    log = RunLog()
    _run(scan, tmp_path / "out", network, preprocessing, added_to=0.05, log=log)
    ((path, message),) = log.failures
    assert path == str(scan)
    assert "no attacked copy" in message


def test_an_input_that_cannot_be_read_again_is_not_taken_for_a_full_disk(
    scan, network, preprocessing, tmp_path, monkeypatch
):
    def gone(*_):
        # As MONAI tells it.
        raise RuntimeError("applying transform") from FileNotFoundError(2, "No such file or directory")

    monkeypatch.setattr(AttackWriter, "_range_of", gone)
    log = RunLog()
    _run(scan, tmp_path / "out", network, preprocessing, added_to=0.05, log=log)
    ((_, message),) = log.failures
    assert f"{scan}: expected to be read once more, found [Errno 2] No such file" in message
    assert "write" not in message
    assert list((tmp_path / "out").iterdir()) == []


def test_an_input_that_lies_elsewhere_costs_itself_alone(scan, network, preprocessing, tmp_path):
    log = RunLog()
    _run(scan, tmp_path / "out", network, preprocessing, added_to=0.05, log=log, dataset_dir=tmp_path / "other")
    ((path, message),) = log.failures
    assert path == str(scan)
    assert f"expected an input below {tmp_path / 'other'}" in message


def test_a_copy_that_cannot_be_measured_is_not_left_behind(scan, network, preprocessing, tmp_path):
    (tmp_path / "out" / "scan_attack.csv").mkdir(parents=True)
    log = RunLog()
    _run(scan, tmp_path / "out", network, preprocessing, added_to=0.05, log=log)
    ((_, message),) = log.failures
    assert "scan_attack.csv: expected to write here" in message
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["scan_attack.csv"]


def test_preprocessing_without_scaling_is_refused(network, tmp_path):
    with pytest.raises(InputError, match="ScaleIntensityRangePercentilesd"):
        AttackWriter(Outputs(tmp_path, tmp_path), RunLog(), network, Compose([LoadImaged("image")]), slice_dim=1)


def test_a_failed_measurement_keeps_copy_and_table_of_an_earlier_run(scan, network, preprocessing, tmp_path):
    _run(scan, tmp_path / "out", network, preprocessing, added_to=0.05)
    before = {path: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    with torch.no_grad():
        network.segmenter[0].weight[:] = torch.nan
    network.score = lambda image: 1 / 0
    with pytest.raises(ZeroDivisionError):
        _run(scan, tmp_path / "out", network, preprocessing, added_to=0.02)
    assert {path: path.read_bytes() for path in (tmp_path / "out").iterdir()} == before
