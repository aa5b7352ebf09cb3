"""The composite that decides by the sum of spectral and divergence score: calibrated, run, and attacked."""

from __future__ import annotations

import csv
import json

import nibabel as nib
import numpy as np
import pytest
import torch

from monai_advdefense.guard.calibration import threshold_at_false_positive_rate

REJECTED = 28


@pytest.fixture(scope="module")
def weights():
    """What the tests share of the calibration, so that it is computed once."""
    return {}


@pytest.fixture
def bundle(weights, copy_bundle, write_weights, workflow, samples):
    """The composite with random weights and a combined score that was calibrated by its own configuration."""
    if not weights:
        bundle = copy_bundle("brain_mri_defended_segmentation")
        before = write_weights(bundle)
        before["detector.threshold"].fill_(-1.0)
        torch.save(before, bundle / "models" / "model.pt")
        run = workflow(bundle, "inference", "calibrate_combined", kind="infer", sample_dir=str(samples))
        assert run.check_properties() == []
        run.run()
        weights.update(bundle=bundle, before=before, run=run)
    return weights["bundle"]


def _by_hand(network, images, combination):
    """Combined scores, each slice on its own."""
    scores = []
    with torch.no_grad():
        for image in images.unsqueeze(1):
            logits = [network.segmenter(x) for x in (image, network.reformer(image))]
            p, q = (torch.softmax(x.double(), 1) for x in logits)
            m = (p + q) / 2
            divergence = 0.5 * (p * (p / m).log() + q * (q / m).log()).sum(1)[image[:, 0] > 0].mean()
            pair = torch.stack([network.detector(image).norm(), divergence])
            scores.append(((pair - combination["center"]) / combination["scale"]).sum())
    return torch.stack(scores).numpy()


def _combination(bundle):
    state = torch.load(bundle / "models" / "model.pt", weights_only=True)
    return {key: state[f"combination.{key}"].double() for key in ("center", "scale", "threshold")}


def test_calibration_fits_the_combination_alone_and_its_threshold_holds_in_every_domain(bundle, weights):
    after = torch.load(bundle / "models" / "model.pt", weights_only=True)
    changed = {key for key, value in weights["before"].items() if not torch.equal(after[key], value)}
    assert changed == {"combination.center", "combination.scale", "combination.threshold"}
    combination = _combination(bundle)
    items = list(weights["run"].parser.get_parsed_content("calibration#dataset"))
    network = weights["run"].parser.get_parsed_content("network").eval()
    scores = _by_hand(network, torch.stack([item["image"] for item in items]), combination)
    domains = np.array([item["domain"] for item in items])
    assert set(domains) == {"template", domains[0]}
    assert abs(scores.mean()) < 1e-2
    expected = max(threshold_at_false_positive_rate(scores[domains == name], 0.05) for name in set(domains))
    assert float(combination["threshold"]) == pytest.approx(expected, abs=1e-2)
    record = json.loads((bundle / "models" / "model.calibration.json").read_text(encoding="utf-8"))
    assert record["threshold"] == float(combination["threshold"])
    assert {name: domain["slices"] for name, domain in record["domains"].items()} == {
        name: (domains == name).sum() for name in set(domains)
    }


def test_the_combined_score_decides_what_is_written_and_reported(bundle, phantoms, workflow, tmp_path):
    """By the detector alone, whose threshold no score reaches, everything would be rejected."""
    scan = phantoms / "images" / "1003.nii.gz"
    state = torch.load(bundle / "models" / "model.pt", weights_only=True)
    paths = {"dataset_dir": str(scan), "output_dir": str(tmp_path / "out"), "ckpt_path": str(tmp_path / "model.pt")}
    run = workflow(bundle, "inference", "combined", kind="infer", **paths)
    assert run.check_properties() == []
    run.network_def.load_state_dict(state)
    images = run.preprocessing({"image": str(scan)})["image"].as_tensor().movedim(2, 0)
    scores = _by_hand(run.network_def.eval(), images, _combination(bundle))
    # Where the widest gap is: by hand scores are a little others.
    ordered = np.sort(scores)
    place = 1 + int(np.diff(ordered)[1:-1].argmax())
    threshold = float(ordered[place : place + 2].mean())
    torch.save({**state, "combination.threshold": torch.tensor(threshold)}, tmp_path / "model.pt")

    run.run()
    record = json.loads((tmp_path / "out" / "1003_scores.json").read_text(encoding="utf-8"))
    assert record["threshold"] == pytest.approx(threshold)
    np.testing.assert_allclose([row["score"] for row in record["slices"]], scores, atol=2e-2)
    decisions = [row["decision"] == "accepted" for row in record["slices"]]
    assert decisions == (scores <= threshold).tolist()
    assert 0 < sum(decisions) < len(images)
    labels = np.asarray(nib.load(tmp_path / "out" / "1003_seg.nii.gz").dataobj)
    inside = np.asarray(nib.load(scan).dataobj) > 0
    rejected = [(labels[:, y] == REJECTED).any() for y in np.flatnonzero(inside.any((0, 2)))]
    assert rejected == [not accepted for accepted in decisions]


def test_a_combined_score_that_is_not_calibrated_is_refused(bundle, phantoms, workflow, tmp_path, capfd):
    state = torch.load(bundle / "models" / "model.pt", weights_only=True)
    nan = {key: torch.full_like(value, torch.nan) for key, value in state.items() if key.startswith("combination.")}
    torch.save({**state, **nan}, tmp_path / "model.pt")
    paths = {"dataset_dir": str(phantoms), "output_dir": str(tmp_path / "out"), "ckpt_path": str(tmp_path / "model.pt")}
    run = workflow(bundle, "inference", "combined", kind="infer", **paths)
    with pytest.raises(SystemExit) as stopped:
        run.run()
    assert stopped.value.code == 2
    assert "calibrated threshold, found no 'combination.threshold'" in capfd.readouterr().err.splitlines()[-1]


def test_attacked_copies_are_measured_by_the_combined_score(bundle, phantoms, workflow, tmp_path):
    options = {
        "dataset_dir": str(phantoms / "images" / "1003.nii.gz"),
        "output_dir": str(tmp_path / "out"),
        "steps": 1,
        "slices": 2,
    }
    run = workflow(bundle, "inference", "attack", kind="infer", **options)
    run.run()
    with (tmp_path / "out" / "1003_attack.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    images = run.preprocessing({"image": options["dataset_dir"]})["image"].as_tensor().movedim(2, 0)
    combination = _combination(bundle)
    scores = _by_hand(run.network_def.eval(), images, combination)
    np.testing.assert_allclose([float(row["score_clean"]) for row in rows], scores, atol=2e-2)
    sure = np.abs(scores - float(combination["threshold"])) > 0.05
    accepted = np.array([row["accepted_clean"] == "True" for row in rows])
    assert (accepted == (scores <= float(combination["threshold"])))[sure].all()


def test_overlay_lets_the_spectral_score_decide_alone(bundle, phantoms, workflow, tmp_path):
    """The combined score, whose threshold no score reaches, would reject everything."""
    scan = phantoms / "images" / "1003.nii.gz"
    state = torch.load(bundle / "models" / "model.pt", weights_only=True)
    paths = {"dataset_dir": str(scan), "output_dir": str(tmp_path / "out"), "ckpt_path": str(tmp_path / "model.pt")}
    run = workflow(bundle, "inference", "spectral", kind="infer", **paths)
    assert run.check_properties() == []
    run.network_def.load_state_dict(state)
    images = run.preprocessing({"image": str(scan)})["image"].as_tensor().movedim(2, 0)
    with torch.no_grad():
        scores = run.network_def.eval().detector.score(images).numpy()
    threshold = float(np.median(scores) + 1e-5)
    thresholds = {"detector.threshold": torch.tensor(threshold), "combination.threshold": torch.tensor(-1e6)}
    torch.save({**state, **thresholds}, tmp_path / "model.pt")

    run.run()
    record = json.loads((tmp_path / "out" / "1003_scores.json").read_text(encoding="utf-8"))
    assert record["threshold"] == pytest.approx(threshold)
    np.testing.assert_allclose([row["score"] for row in record["slices"]], scores, rtol=1e-4)
    decisions = [row["decision"] == "accepted" for row in record["slices"]]
    assert decisions == (scores <= threshold).tolist()
    assert 0 < sum(decisions) < len(images)


def test_evaluation_counts_what_the_combined_score_accepts(copy_bundle, write_weights, workflow, tmp_path):
    whole = copy_bundle("brain_mri_defended_segmentation")
    state = write_weights(whole, threshold=1000.0, num_classes=4)
    state["detector.threshold"].fill_(-1.0)
    torch.save(state, whole / "models" / "model.pt")
    run = workflow(whole, "train", "evaluate", output_dir=str(tmp_path / "out"))
    assert run.check_properties() == []
    run.run()
    with (tmp_path / "out" / "metrics.csv").open(newline="") as file:
        assert float(dict(csv.reader(file))["val_coverage"]) == 1.0
