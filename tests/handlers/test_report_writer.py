from __future__ import annotations

import csv
import json
import re

import nibabel as nib
import numpy as np
import pytest
import torch
from ignite.engine import Engine
from monai.data import DataLoader
from monai.engines import SupervisedEvaluator
from monai.inferers import SliceInferer
from monai.transforms import Compose, CropForegroundd, LoadImaged, Orientationd, SpatialPadd
from torch import nn

from monai_advdefense.data.volume_dataset import VolumeDataset
from monai_advdefense.errors import InputError
from monai_advdefense.guard import DefendedSegmenter, ReconstructionDetector, Reformer
from monai_advdefense.handlers import report_writer
from monai_advdefense.handlers.report_writer import ReportWriter
from monai_advdefense.handlers.score_recorder import ScoreRecorder
from monai_advdefense.handlers.volume_writer import VolumeWriter
from monai_advdefense.runs.outputs import Outputs
from monai_advdefense.runs.run_log import RunLog

FIRST, LAST = 3, 11  # slices with content along the second voxel axis, which runs from anterior to posterior
AFFINE = np.array([[-1.0, 0, 0, 20], [0, -1, 0, 30], [0, 0, 1, -40], [0, 0, 0, 1]])


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "in" / "sub").mkdir(parents=True)
    for seed, name in enumerate(["a.nii.gz", "sub/b.nii.gz"]):
        volume = np.zeros((14, 14, 12), np.float32)
        noise = np.random.default_rng(seed).random((8, LAST - FIRST, 8))
        volume[3:11, FIRST:LAST, 2:10] = 0.2 + 0.8 * noise * np.linspace(0.2, 1, LAST - FIRST)[:, None]
        nib.save(nib.Nifti1Image(volume, AFFINE), tmp_path / "in" / name)
    return tmp_path


@pytest.fixture
def network():
    torch.manual_seed(0)
    detector = ReconstructionDetector(nn.Conv2d(1, 1, 3, padding=1))
    detector.threshold.fill_(0.1)
    return DefendedSegmenter(detector, Reformer(nn.Conv2d(1, 1, 3, padding=1)), nn.Conv2d(1, 3, 3, padding=1))


def _dataset(folder):
    steps = [
        LoadImaged("image", ensure_channel_first=True),
        Orientationd("image", axcodes="RAS", labels=None),
        CropForegroundd("image", source_key="image"),
        SpatialPadd("image", [16, -1, 16]),
    ]
    return VolumeDataset(folder / "in", Compose(steps), slice_size=(16, 16), slice_dim=1)


class _NoSegmentation(VolumeWriter):
    """Its files are not what is tested here."""

    def __call__(self, engine):
        pass


def _writers(folder, network, recorder, log, **options):
    outputs = Outputs(folder / "in", folder / "out")
    segmentation = _NoSegmentation(outputs, log)
    return segmentation, ReportWriter(outputs, log, network, recorder, segmentation, slice_dim=1, **options)


def _run(folder, network, *, dataset=None, sw_batch_size=3, repeats=1, **options):
    dataset = _dataset(folder) if dataset is None else dataset
    recorder = ScoreRecorder(network)
    segmentation, writer = _writers(folder, network, recorder, dataset.run_log, **options)
    inferer = SliceInferer(roi_size=[16, 16], sw_batch_size=sw_batch_size, spatial_dim=1)

    def infer(image, guard):
        for _ in range(repeats):
            logits = inferer(image, guard)
        return logits

    SupervisedEvaluator(
        device=torch.device("cpu"),
        val_data_loader=DataLoader(dataset, batch_size=1),
        network=network,
        inferer=infer,
        val_handlers=[segmentation, writer, recorder],
    ).run()
    return dataset


def _scores(folder, name, network):
    """Scores of the slices from posterior to anterior, straight from the file."""
    volume = nib.load(folder / "in" / name).get_fdata(dtype=np.float32)[3:11, FIRST:LAST, 2:10]
    slices = torch.from_numpy(volume[::-1, ::-1].copy()).movedim(1, 0)
    padded = nn.functional.pad(slices, (4, 4, 4, 4))[:, None]
    with torch.no_grad():
        return network.detector.score(padded)


def test_tables_hold_the_scores_of_every_volume_at_the_places_of_the_input(folder, network):
    scores = {name: _scores(folder, f"{name}.nii.gz", network) for name in ("a", "sub/b")}
    threshold = float(torch.cat([*scores.values()]).median()) + 1e-4
    network.detector.threshold.fill_(threshold)
    dataset = _run(folder, network, suspicious=1)
    assert not dataset.run_log.failures
    for name, expected in scores.items():
        assert {True, False} == set((expected > threshold).tolist())
        content = json.loads((folder / "out" / f"{name}_scores.json").read_text())
        with (folder / "out" / f"{name}_scores.csv").open(newline="") as file:
            rows = list(csv.DictReader(file))
        for entries in (content["slices"], rows):
            assert [float(entry["score"]) for entry in entries] == pytest.approx(expected.tolist(), rel=1e-4)
            assert [entry["decision"] == "rejected" for entry in entries] == (expected > threshold).tolist()
            indices = [int(entry["input_index"]) for entry in entries]
            assert indices == list(range(LAST - 1, FIRST - 1, -1))
            assert [float(entry["position_mm"]) for entry in entries] == [30 - index for index in indices]
        assert content["threshold"] == pytest.approx(threshold)
        assert content["input"] == str(folder / "in" / f"{name}.nii.gz")
        assert content["segmentation"] == str(folder / "out" / f"{name}_seg.nii.gz")


def test_page_shows_the_verdict_of_the_tables(folder, network):
    metadata, weights = folder / "metadata.json", folder / "model.pt"
    metadata.write_text(json.dumps({"name": "tiny_guard", "version": "0.3.0"}))
    weights.write_bytes(b"abc")
    record = {"false_positive_rate": 0.05, "threshold": float(network.threshold)}
    weights.with_name("model.calibration.json").write_text(json.dumps(record))
    about = {"metadata": metadata, "weights": weights, "weights_license": "CC BY-NC"}
    _run(folder, network, suspicious=2, **about)
    content = json.loads((folder / "out" / "a_scores.json").read_text())
    page = (folder / "out" / "a_report.html").read_text()
    assert content["verdict"] == "review"
    assert f"<h1>{content['headline']}</h1>" in page
    assert page.count("<article") == 2
    for words in ("tiny_guard 0.3.0", "ba7816bf8f01cfea4141", "CC BY-NC", "5 %"):
        assert words in page
    assert content["provenance"]["model"] == "tiny_guard 0.3.0"


def test_uncalibrated_network_never_gets_an_accepted_report(folder, network):
    network.detector.threshold.fill_(torch.nan)
    _run(folder, network, suspicious=1)
    content = json.loads((folder / "out" / "a_scores.json").read_text())
    assert content["verdict"] == "not_checked"
    assert content["threshold"] is None
    assert {entry["decision"] for entry in content["slices"]} == {"not_checked"}
    assert "This volume was not checked" in (folder / "out" / "a_report.html").read_text()


def test_writing_the_report_adds_no_scores_and_leaves_the_network_alone(folder, network):
    before = {name: value.clone() for name, value in network.state_dict().items()}
    calls = []
    network.decision.register_forward_hook(lambda _, inputs, __: calls.append(len(inputs[0])))
    _run(folder, network, suspicious=1)
    assert sum(calls) == 2 * (LAST - FIRST)
    torch.testing.assert_close(dict(network.state_dict()), before, rtol=0, atol=0, equal_nan=True)


def test_failed_drawing_is_recorded_and_the_run_goes_on(folder, network, monkeypatch, capsys):
    def fail(case, *args, **kwargs):
        if case.input_path.endswith("a.nii.gz"):
            raise RuntimeError("no\nfont")
        return "page"

    (folder / "out").mkdir()
    (folder / "out" / "a_report.html").write_text("an older page")
    monkeypatch.setattr(report_writer, "case_to_html", fail)
    dataset = _run(folder, network)
    path = str(folder / "in" / "a.nii.gz")
    message = f"{path}: expected to write its report, found RuntimeError: no font: the segmentation is not affected"
    assert dataset.run_log.failures == [(path, message)]
    assert capsys.readouterr().err.splitlines()[-1] == f"failed: {message}"
    assert not (folder / "out" / "a_report.html").exists()
    assert (folder / "out" / "a_scores.json").exists()
    assert (folder / "out" / "sub" / "b_report.html").read_text() == "page"


def test_slices_that_were_scored_twice_give_no_report(folder, network):
    dataset = _run(folder, network, repeats=2)
    assert [re.search(r"found (\d+ scores for .* slices)", message)[1] for _, message in dataset.run_log.failures] == [
        "16 scores for 1 x 8 slices"
    ] * 2
    assert not [*(folder / "out").rglob("*.*")]


def test_volume_that_failed_before_gets_no_report(folder, network):
    class Failing(VolumeDataset):
        def _load(self, item):
            loaded = super()._load(item)
            if str(item["image"]).endswith("a.nii.gz"):
                self.run_log.fail(str(item["image"]), "could not be written")
            return loaded

    plain = _dataset(folder)
    dataset = Failing(plain.data, plain.transform, slice_size=(16, 16), slice_dim=1)
    _run(folder, network, dataset=dataset, suspicious=1)
    assert len(dataset.run_log.failures) == 1
    assert sorted(path.name for path in (folder / "out").rglob("*.*")) == [
        "b_report.html",
        "b_scores.csv",
        "b_scores.json",
    ]


def test_missing_weights_end_the_run_at_once(folder, network):
    with pytest.raises(InputError, match="missing.pt: expected a readable file"):
        _run(folder, network, weights=folder / "missing.pt")


@pytest.mark.parametrize("suspicious", [-1, 7])
def test_number_of_pictures_is_limited(folder, network, suspicious):
    with pytest.raises(InputError, match=f"suspicious: expected a number from 0 to 6, found {suspicious}"):
        _writers(folder, network, ScoreRecorder(network), RunLog(), suspicious=suspicious)


def test_a_report_before_its_segmentation_is_refused(folder, network):
    segmentation, writer = _writers(folder, network, ScoreRecorder(network), RunLog())
    engine = Engine(lambda engine, batch: None)
    with pytest.raises(InputError, match="handlers: expected the writer of the segmentation, found ReportWriter"):
        writer.attach(engine)
    segmentation.attach(engine)
    writer.attach(engine)
