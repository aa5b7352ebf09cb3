from __future__ import annotations

import csv
import json

import numpy as np
import pytest
import torch

from monai_advdefense.guard.calibration import threshold_at_false_positive_rate
from monai_advdefense.metrics import mean_dice

CLASSES = 4


def _metrics(folder):
    with (folder / "metrics.csv").open(newline="", encoding="utf-8") as file:
        return {name: float(value) for name, value in csv.reader(file)}


@pytest.fixture
def evaluate(copy_bundle, write_weights, workflow, tmp_path):
    """Evaluates a bundle with random weights; gives its network, the parser and the metrics."""

    def run(name, threshold=None, **overrides):
        bundle = copy_bundle(name)
        write_weights(bundle, threshold=threshold, num_classes=CLASSES)
        evaluation = workflow(bundle, "train", "evaluate", output_dir=str(tmp_path / "out"), **overrides)
        if not overrides:
            assert evaluation.check_properties() == []
        evaluation.run()
        return evaluation, _metrics(tmp_path / "out")

    return run


def _volume(evaluation):
    """Slices of the test volume, and of its labels where there are some."""
    (item,) = list(evaluation.val_dataset)
    return (item[key].as_tensor().movedim(2, 0) for key in ("image", "label"))


def _dice(prediction, label):
    return float(mean_dice(prediction.unsqueeze(0), label.unsqueeze(0), CLASSES))


def test_segmenter_is_evaluated_on_the_test_volumes(evaluate, tmp_path):
    evaluation, metrics = evaluate("brain_mri_segmentation")
    image, label = _volume(evaluation)
    with torch.no_grad():
        prediction = evaluation.network_def.eval()(image).argmax(1)
    assert metrics["val_mean_dice"] == pytest.approx(_dice(prediction, label[:, 0].long()), abs=1e-6)
    with (tmp_path / "out" / "val_mean_dice_raw.csv").open(newline="") as file:
        header, row = csv.reader(file)
    assert row[0].endswith("1003.nii.gz")
    assert len(header) == 1 + (CLASSES - 1) + 1


def test_reformer_is_evaluated_by_what_it_leaves_of_the_noise(evaluate):
    identity = {"_target_": "monai_advdefense.guard.Reformer", "network": {"_target_": "torch.nn.Identity"}}
    handlers = [{"_target_": "MetricsSaver", "save_dir": "@output_dir"}]
    _, metrics = evaluate("brain_mri_reformer", network_def=identity, noise_std=0.0, **{"validate#handlers": handlers})
    assert metrics["val_mse"] == 0
    _, metrics = evaluate("brain_mri_reformer", network_def=identity, **{"validate#handlers": handlers})
    assert 0 < metrics["val_mse"] < 0.1**2


def test_detector_is_evaluated_by_its_residual_and_by_what_it_accepts(evaluate):
    evaluation, metrics = evaluate("brain_mri_detector", threshold=0.0)
    slices = torch.stack([item["image"] for item in evaluation.val_dataset])
    network = evaluation.network_def.eval()
    with torch.no_grad():
        residual = network(slices)
    assert metrics["val_accepted"] == 0.0
    assert metrics["val_mse"] == pytest.approx(float(residual.square().mean()), rel=1e-5)
    threshold = 1.001 * float(network.residual_score(residual).sort().values[len(slices) // 3])
    _, metrics = evaluate("brain_mri_detector", threshold=threshold)
    assert metrics["val_accepted"] == pytest.approx((len(slices) // 3 + 1) / len(slices))


def test_guard_is_evaluated_by_the_dice_of_what_it_accepts_and_by_how_much_that_is(evaluate):
    evaluation, metrics = evaluate("brain_mri_defended_segmentation", threshold=1000.0)
    image, label = _volume(evaluation)
    label = label[:, 0].long()
    network = evaluation.network_def.eval()
    with torch.no_grad():
        prediction = network.segmenter(network.reformer(image)).argmax(1)
        # Center and scale of the weights are 1.
        scores = network.scores(image).sum(1) - 2.0
    filled = (image > 0).flatten(1).any(1)
    assert metrics["val_coverage"] == 1.0
    assert metrics["val_mean_dice"] == pytest.approx(_dice(prediction, label), abs=1e-6)
    threshold = float(scores[filled].median())
    accepted = (scores <= threshold) | ~filled
    _, metrics = evaluate("brain_mri_defended_segmentation", threshold=threshold)
    assert metrics["val_coverage"] == pytest.approx(float(accepted[filled].float().mean()))
    assert metrics["val_mean_dice"] == pytest.approx(_dice(prediction[accepted], label[accepted]), abs=1e-6)


def test_calibration_stores_the_threshold_that_holds_in_every_domain(copy_bundle, write_weights, workflow):
    bundle = copy_bundle("brain_mri_detector")
    before = write_weights(bundle)
    calibration = workflow(bundle, "train", "calibrate")
    assert calibration.check_properties() == []
    calibration.run()

    after = torch.load(bundle / "models" / "model.pt", weights_only=True)
    assert all(torch.equal(after[key], before[key]) for key in before if key != "threshold")
    network = calibration.network_def.eval()
    scores = {"phantoms": [], "template": []}
    for item in calibration.val_dataset:
        with torch.no_grad():
            score = float(network.score(item["image"].unsqueeze(0)))
        scores["template" if item["domain"] == "template" else "phantoms"].append(score)
    expected = max(threshold_at_false_positive_rate(np.array(values), 0.05) for values in scores.values())
    assert float(after["threshold"]) == pytest.approx(expected, rel=1e-5)
    record = json.loads((bundle / "models" / "model.calibration.json").read_text(encoding="utf-8"))
    assert sorted(domain["slices"] for domain in record["domains"].values()) == sorted(map(len, scores.values()))
    assert len(record["domains"]) == 2
