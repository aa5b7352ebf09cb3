import csv
import json

import nibabel as nib
import numpy as np
import pytest
import torch
from ignite.engine import Engine
from monai.data import DataLoader, MetaTensor
from monai.engines import SupervisedEvaluator
from monai.inferers import SliceInferer
from monai.transforms import LoadImaged
from torch import nn

from monai_advdefense.data.volume_dataset import VolumeDataset
from monai_advdefense.guard import ReconstructionDetector
from monai_advdefense.handlers.score_table_writer import ScoreTableWriter
from monai_advdefense.runs.outputs import Outputs
from monai_advdefense.runs.run_log import RunLog

SHAPE = (8, 5, 8)


@pytest.fixture
def detector():
    """Accepts what is darker than the middle slice; the score of a slice grows with its brightness."""
    detector = ReconstructionDetector(nn.Threshold(2.0, 0.0), domain="image")
    detector.threshold.fill_(8 * 0.5)
    return detector


@pytest.fixture
def folder(tmp_path):
    """Two volumes; slice 0 is blank, the others have the brightness 0.2, 0.4, 0.6 and 0.8."""
    for name in ("a", "sub/b"):
        path = tmp_path / "in" / f"{name}.nii.gz"
        path.parent.mkdir(parents=True, exist_ok=True)
        volume = np.broadcast_to(np.arange(5).reshape(1, 5, 1) * 0.2, SHAPE).astype(np.float32)
        nib.save(nib.Nifti1Image(volume, np.diag([1.0, 2.0, 1.0, 1.0])), path)
    return tmp_path / "in"


def _run(folder, output, detector):
    dataset = VolumeDataset(str(folder), LoadImaged("image", ensure_channel_first=True), slice_size=(8, 8), slice_dim=1)
    writer = ScoreTableWriter(Outputs(folder, output), dataset.run_log, detector, slice_dim=1)
    SupervisedEvaluator(
        device=torch.device("cpu"),
        val_data_loader=DataLoader(dataset, batch_size=1),
        network=detector,
        inferer=SliceInferer(roi_size=(8, 8), sw_batch_size=2, spatial_dim=1),
        val_handlers=[writer],
    ).run()
    return dataset


def test_every_slice_has_a_row(folder, detector, tmp_path):
    _run(folder, tmp_path / "out", detector)
    for name in ("a", "sub/b"):
        with (tmp_path / "out" / f"{name}_scores.csv").open(newline="") as file:
            rows = list(csv.DictReader(file))
        assert [row["decision"] for row in rows] == ["blank", "accepted", "accepted", "rejected", "rejected"]
        # 64 voxels of one brightness.
        np.testing.assert_allclose([float(row["score"]) for row in rows], 8 * 0.2 * np.arange(5), rtol=1e-6)
        assert [float(row["position_mm"]) for row in rows] == [0.0, 2.0, 4.0, 6.0, 8.0]
        record = json.loads((tmp_path / "out" / f"{name}_scores.json").read_text())
        assert record["input"] == str(folder / f"{name}.nii.gz")
        assert record["counts"] == {
            "slices": 5,
            "checked": 4,
            "accepted": 2,
            "rejected": 2,
            "blank": 1,
            "not_judged": 0,
            "not_checked": 0,
        }


def test_without_a_threshold_nothing_is_said_to_be_accepted(folder, detector, tmp_path):
    detector.threshold.fill_(float("nan"))
    _run(folder, tmp_path / "out", detector)
    record = json.loads((tmp_path / "out" / "a_scores.json").read_text())
    assert record["verdict"] == "not_checked"
    assert {row["decision"] for row in record["slices"]} == {"not_checked"}


def test_a_volume_whose_scores_cannot_be_written_does_not_stop_the_others(folder, detector, tmp_path):
    (tmp_path / "out" / "a_scores.csv").mkdir(parents=True)
    ((path, message),) = _run(folder, tmp_path / "out", detector).run_log.failures
    assert path == str(folder / "a.nii.gz")
    assert "no scores" in message
    assert "\n" not in message
    assert (tmp_path / "out" / "sub" / "b_scores.csv").is_file()


@pytest.mark.parametrize(("space", "sign"), [("RAS", 1), ("LPS", -1)])
def test_slices_are_numbered_as_in_the_preprocessed_volume_and_as_in_the_input(space, sign, detector, tmp_path, folder):
    """Preprocessing has turned the axis around and cropped one slice."""
    world = np.diag([sign, sign, 1.0, 1.0])
    image = MetaTensor(torch.rand(1, 8, 3, 8), affine=torch.from_numpy(world @ np.diag([1.0, 2.0, 1.0, 1.0])))
    original = np.diag([1.0, -2.0, 1.0, 1.0])
    original[1, 3] = 6.0
    image.meta.update(filename_or_obj=str(folder / "a.nii.gz"), original_affine=world @ original, space=space)
    engine = Engine(lambda engine, batch: [{"image": image, "pred": image}])
    ScoreTableWriter(Outputs(folder, tmp_path / "out"), RunLog(), detector, slice_dim=1).attach(engine)
    engine.run([0])
    rows = json.loads((tmp_path / "out" / "a_scores.json").read_text())["slices"]
    assert [(row["slice"], row["position_mm"], row["input_index"]) for row in rows] == [(0, 0, 3), (1, 2, 2), (2, 4, 1)]
