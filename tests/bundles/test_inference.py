from __future__ import annotations

import csv
import json
import shutil

import nibabel as nib
import numpy as np
import pytest
import torch
from monai.bundle import ConfigParser

from monai_advdefense.bundle_tools.assemble import assemble
from monai_advdefense.guard.divergence import divergence_score
from tests.run_python import run_python

REJECTED = 28


def _table(path):
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.fixture
def inputs(phantoms, tmp_path):
    """Two phantoms, one of them lying on its side in a corner of a larger grid."""
    folder = tmp_path / "inputs"
    (folder / "site").mkdir(parents=True)
    shutil.copy(phantoms / "images" / "1000.nii.gz", folder / "a.nii.gz")
    volume = nib.load(phantoms / "images" / "1001.nii.gz")
    turned = volume.as_reoriented([[2, 1], [0, -1], [1, 1]])
    padded = np.pad(np.asarray(turned.dataobj), ((3, 9), (0, 4), (6, 1)))
    nib.save(nib.Nifti1Image(padded, turned.affine), folder / "site" / "a.nii.gz")
    return folder


def test_properties_of_inference_are_complete(source, workflow):
    assert workflow(source, "inference", kind="infer").check_properties() == []


def test_segmenter_writes_labels_on_the_grid_of_each_input(inputs, copy_bundle, write_weights, workflow, tmp_path):
    bundle = copy_bundle("brain_mri_segmentation")
    write_weights(bundle)
    workflow(bundle, "inference", kind="infer", dataset_dir=str(inputs), output_dir=str(tmp_path / "out")).run()
    for image in (inputs / "a.nii.gz", inputs / "site" / "a.nii.gz"):
        written = nib.load(tmp_path / "out" / image.relative_to(inputs).parent / "a_seg.nii.gz")
        assert written.shape == nib.load(image).shape
        assert np.array_equal(written.affine, nib.load(image).affine)
        assert len(np.unique(written.dataobj)) > 1


@pytest.mark.parametrize(("overlay", "size"), [("segnet", 64), ("densenet", 64)])
def test_other_segmenters_run_with_their_own_weights(overlay, size, phantoms, copy_bundle, workflow, tmp_path):
    bundle = copy_bundle("brain_mri_segmentation")
    run = workflow(
        bundle,
        "inference",
        overlay,
        kind="infer",
        dataset_dir=str(phantoms / "images" / "1000.nii.gz"),
        output_dir=str(tmp_path / "out"),
        slice_size=[size, size],
    )
    weights = bundle / "models" / overlay / "model.pt"
    weights.parent.mkdir(parents=True)
    torch.save(run.network_def.state_dict(), weights)
    run.run()
    assert nib.load(tmp_path / "out" / "1000_seg.nii.gz").shape == (40, 32, 40)


def test_reformer_gives_intensities_from_0_to_1_and_the_identity_gives_the_image_back(
    inputs, copy_bundle, workflow, tmp_path
):
    bundle = copy_bundle("brain_mri_reformer")
    identity = {"_target_": "monai_advdefense.guard.Reformer", "network": {"_target_": "torch.nn.Identity"}}
    run = workflow(
        bundle,
        "inference",
        kind="infer",
        dataset_dir=str(inputs),
        output_dir=str(tmp_path / "out"),
        network_def=identity,
    )
    (bundle / "models").mkdir()
    torch.save({}, bundle / "models" / "model.pt")
    run.run()
    for image in (inputs / "a.nii.gz", inputs / "site" / "a.nii.gz"):
        written = nib.load(tmp_path / "out" / image.relative_to(inputs).parent / "a_reformed.nii.gz").get_fdata()
        original = nib.load(image).get_fdata()
        box = tuple(slice(axis.min(), axis.max() + 1) for axis in np.nonzero(original))
        top = np.percentile(original[box], 99.5)
        np.testing.assert_allclose(written, np.clip(original / top, 0, 1), atol=1e-4)


def test_detector_writes_the_score_of_every_slice(phantoms, copy_bundle, write_weights, workflow, tmp_path):
    bundle = copy_bundle("brain_mri_detector")
    write_weights(bundle, threshold=1000.0)
    run = workflow(
        bundle,
        "inference",
        kind="infer",
        dataset_dir=str(phantoms / "images" / "1000.nii.gz"),
        output_dir=str(tmp_path / "out"),
    )
    run.run()
    rows = _table(tmp_path / "out" / "1000_scores.csv")
    volume = run.preprocessing({"image": str(phantoms / "images" / "1000.nii.gz")})["image"].as_tensor()
    slices = volume.movedim(2, 0)
    with torch.no_grad():
        expected = run.network_def.eval().score(slices)
    np.testing.assert_allclose([float(row["score"]) for row in rows], expected.numpy(), rtol=1e-5)
    assert {row["decision"] for row in rows} == {"accepted"}
    assert json.loads((tmp_path / "out" / "1000_scores.json").read_text())["verdict"] == "clean"


def test_detector_without_a_threshold_is_refused(phantoms, copy_bundle, write_weights, workflow, tmp_path, capfd):
    bundle = copy_bundle("brain_mri_detector")
    write_weights(bundle)
    run = workflow(bundle, "inference", kind="infer", dataset_dir=str(phantoms), output_dir=str(tmp_path / "out"))
    with pytest.raises(SystemExit) as stopped:
        run.run()
    assert stopped.value.code == 2
    assert "calibrated threshold" in capfd.readouterr().err.splitlines()[-1]
    assert not (tmp_path / "out").exists()


@pytest.fixture(scope="module")
def assembled(copy_bundle, write_weights):
    """The guard, assembled from parts with random weights and calibrated to accept everything; and its parts."""
    parts = {
        part: copy_bundle(f"brain_mri_{name}")
        for part, name in (("detector", "detector"), ("reformer", "reformer"), ("segmenter", "segmentation"))
    }
    for seed, bundle in enumerate(parts.values()):
        write_weights(bundle, seed, threshold=1000.0)
    whole = copy_bundle("brain_mri_defended_segmentation")
    path = assemble(**parts, output=whole)
    state = torch.load(path, weights_only=True)
    calibration = {"center": torch.ones(2), "scale": torch.ones(2), "threshold": torch.tensor(1000.0)}
    torch.save({**state, **{f"combination.{key}": value for key, value in calibration.items()}}, path)
    return whole, parts


def test_guard_defends_volumes_end_to_end(assembled, inputs, tmp_path):
    """As users run it, but for the size of the slices: one broken volume among good ones."""
    whole, _ = assembled
    out = tmp_path / "out"
    (inputs / "broken.nii.gz").write_bytes((inputs / "a.nii.gz").read_bytes()[:2000])
    command = ["-m", "monai.bundle", "run", "--bundle_root", str(whole)]
    command += ["--config_file", str([str(whole / "configs" / f"{name}.json") for name in ("inference", "combined")])]
    command += ["--dataset_dir", str(inputs), "--output_dir", str(out), "--device", "cpu"]
    command += ["--slice_size", "[48, 48]"]
    done = run_python(command, cwd=tmp_path)
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    assert str(inputs / "broken.nii.gz") in done.stderr.splitlines()[-1]
    assert "2 of 3 volumes written, 1 failed" in done.stdout

    for image, folder in ((inputs / "a.nii.gz", out), (inputs / "site" / "a.nii.gz", out / "site")):
        written = nib.load(folder / "a_seg.nii.gz")
        assert written.shape == nib.load(image).shape
        assert np.array_equal(written.affine, nib.load(image).affine)
        record = json.loads((folder / "a_scores.json").read_text(encoding="utf-8"))
        assert record["threshold"] == 1000.0
        assert record["verdict"] == "clean"
        assert len(_table(folder / "a_scores.csv")) == record["counts"]["slices"]
        assert "All" in (folder / "a_report.html").read_text(encoding="utf-8")
        assert REJECTED not in np.unique(written.dataobj)
    names = {path.name for path in out.rglob("*") if path.is_file()}
    assert names == {
        "a_seg.nii.gz",
        "a_scores.csv",
        "a_scores.json",
        "a_report.html",
        "report.html",
        "report.csv",
        "manifest.jsonl",
    }
    assert [row["input"] for row in _table(out / "report.csv")][0] == "broken.nii.gz"
    assert {row["report"] for row in _table(out / "report.csv")} == {"", "a_report.html", "site/a_report.html"}


def test_guard_segments_accepted_slices_as_its_parts_do_and_rejects_the_others(assembled, phantoms, workflow, tmp_path):
    whole, parts = assembled
    scan = phantoms / "images" / "1000.nii.gz"
    run = workflow(
        whole,
        "inference",
        "combined",
        kind="infer",
        dataset_dir=str(scan),
        output_dir=str(tmp_path / "out"),
        ckpt_path=str(tmp_path / "model.pt"),
    )
    slices = run.preprocessing({"image": str(scan)})["image"].as_tensor().movedim(2, 0)
    networks = {part: _loaded(bundle) for part, bundle in parts.items()}
    with torch.no_grad():
        spectral = networks["detector"].score(slices)
        plain, reformed = (networks["segmenter"](images) for images in (slices, networks["reformer"](slices)))
        # Center and scale of the weights are 1.
        scores = spectral - 1.0 + divergence_score(plain, reformed, slices) - 1.0
        labels = reformed.argmax(1)
    # Between two scores: the memory format of the whole rounds them otherwise than that of its parts.
    threshold = scores.sort().values[len(scores) // 2 - 1 :][:2].mean()
    labels[scores > threshold] = REJECTED
    state = torch.load(whole / "models" / "model.pt", weights_only=True)
    torch.save({**state, "combination.threshold": threshold}, tmp_path / "model.pt")

    run.run()
    record = json.loads((tmp_path / "out" / "1000_scores.json").read_text(encoding="utf-8"))
    accepted = [row["decision"] == "accepted" for row in record["slices"]]
    assert accepted == (scores <= threshold).tolist()
    assert 0 < record["counts"]["rejected"] < len(slices)
    written = np.asarray(nib.load(tmp_path / "out" / "1000_seg.nii.gz").dataobj)
    original = np.asarray(nib.load(scan).dataobj)
    box = tuple(slice(axis.min(), axis.max() + 1) for axis in np.nonzero(original))
    cropped = written[box][::-1]  # the phantom is stored from right to left
    margins = [(48 - cropped.shape[0]) // 2, (48 - cropped.shape[2]) // 2]
    expected = labels.numpy()[:, margins[0] :, margins[1] :][:, : cropped.shape[0], : cropped.shape[2]]
    np.testing.assert_array_equal(cropped.transpose(1, 0, 2), expected)


def _loaded(bundle):
    network = ConfigParser(ConfigParser.load_config_file(bundle / "configs" / "inference.json")).get_parsed_content(
        "network_def"
    )
    network.load_state_dict(torch.load(bundle / "models" / "model.pt", weights_only=True))
    return network.eval()
